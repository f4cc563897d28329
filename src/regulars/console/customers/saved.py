"""Views of the list under a name: one's own and those that colleagues share."""

from typing import Any

from django.db import transaction
from django.db.models import Q

from regulars.accounts.actors import Actor
from regulars.console.models import SavedView
from regulars.kernel.errors import Invalid, NotFound
from regulars.kernel.languages import Text

AREA = "customers"


def views(*, by: Actor, named: str = "") -> list[SavedView]:
    rows = SavedView.objects.filter(Q(staff_id=by.id) | Q(shared=True), area=AREA, name__icontains=named)
    return list(rows.order_by("shared", "name", "id")[:30])


@transaction.atomic
def save(*, name: str, query: str, shared: bool, by: Actor) -> tuple[SavedView, tuple[str, bool] | None]:
    """Under a name that one has already, the old view is replaced: what it was, (query, shared), is returned too, so
    that saving it again undoes this.
    """
    name = name.strip()
    if not 1 <= len(name) <= 60:
        raise Invalid(
            "name", Text("Give the view a name of 1 to 60 characters.", "请填写 1 到 60 个字的名称。"), field="view"
        )
    if len(query) > 1000:
        raise Invalid("query", Text("This view has too many filters.", "筛选条件过多。"), field="view")
    own: dict[str, Any] = {"staff_id": by.id or 0, "area": AREA, "name": name}
    old = SavedView.objects.select_for_update().filter(**own).values_list("query", "shared").first()
    row, _ = SavedView.objects.update_or_create(**own, defaults={"query": query, "shared": shared})
    return row, old


def remove(*, id: int, by: Actor) -> SavedView:
    """One's own; what it was is returned, so that saving it again undoes this."""
    row = SavedView.objects.filter(id=id, staff_id=by.id or 0).first()
    if row is None:
        raise NotFound("view", Text("You have no such view.", "您没有这个视图。"))
    SavedView.objects.filter(id=id).delete()
    return row
