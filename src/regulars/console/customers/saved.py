"""Views of the list under a name: one's own and those that colleagues share."""

from django.db.models import Q

from regulars.accounts.actors import Actor
from regulars.console.models import SavedView
from regulars.kernel.errors import Invalid, NotFound
from regulars.kernel.languages import Text

AREA = "customers"


def views(*, by: Actor, named: str = "") -> list[SavedView]:
    rows = SavedView.objects.filter(Q(staff_id=by.id) | Q(shared=True), area=AREA, name__icontains=named)
    return list(rows.order_by("shared", "name", "id")[:30])


def save(*, name: str, query: str, shared: bool, by: Actor) -> SavedView:
    """Under a name that one has already, the old view is replaced."""
    name = name.strip()
    if not 1 <= len(name) <= 60:
        raise Invalid(
            "name", Text("Give the view a name of 1 to 60 characters.", "请填写 1 到 60 个字的名称。"), field="view"
        )
    if len(query) > 1000:
        raise Invalid("query", Text("This view has too many filters.", "筛选条件过多。"), field="view")
    row, _ = SavedView.objects.update_or_create(
        staff_id=by.id or 0, area=AREA, name=name, defaults={"query": query, "shared": shared}
    )
    return row


def remove(*, id: int, by: Actor) -> SavedView:
    """One's own; what it was is returned, so that saving it again undoes this."""
    row = SavedView.objects.filter(id=id, staff_id=by.id or 0).first()
    if row is None:
        raise NotFound("view", Text("You have no such view.", "您没有这个视图。"))
    SavedView.objects.filter(id=id).delete()
    return row
