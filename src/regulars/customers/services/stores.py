"""The stores of the business."""

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.customers.identities import cleaned
from regulars.customers.models import Store
from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text


@transaction.atomic
def save_store(*, code: str, name: str, by: Actor) -> int:
    """Add a store, or rename the one with this code."""
    by.require("settings.edit")
    code, name = cleaned(code), cleaned(name)
    if not 1 <= len(code) <= 100:
        raise Invalid("code", Text("A code has 1 to 100 characters.", "编码为 1 到 100 个字符。"), field="code")
    if len(name) > 100:
        raise Invalid("name", Text("A name has 100 characters at most.", "名称最多 100 个字符。"), field="name")
    row, _ = Store.objects.update_or_create(code=code, defaults={"name": name})
    audit(by=by, action="Store Saved", object_kind="store", object_id=code)
    return row.pk
