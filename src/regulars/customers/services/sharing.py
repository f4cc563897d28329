"""Identities flagged as shared, looked at by a person."""

from django.db import transaction
from django.db.models.functions import Coalesce

from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.customers.models import Identity
from regulars.customers.services.resolve import begin_generation
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, NotFound
from regulars.kernel.languages import Text

_NO_IDENTITY = Text("There is no such identity.", "没有这个标识。")
_NOT_IN_QUESTION = Text(
    "This identity was never noticed as shared: it decides who somebody is already, and there is nothing to say of it.",
    "该标识从未被识别为多人共用，一直用于识别客户，无需确认。",
)


@transaction.atomic
def settle_identity(*, identity_id: int, shared: bool, by: Actor) -> None:
    """Say what it is: shared indeed (it goes on deciding nothing), or one person's (it decides again, and is never
    flagged again). Either way nobody is asked any more. Raises NotFound, and Conflict for one that was never flagged:
    who says beforehand that it is one person's would switch off the flagging.
    """
    by.require("customers.merge")
    row = Identity.objects.select_for_update().filter(id=identity_id).first()
    if row is None:
        raise NotFound("identity", _NO_IDENTITY)
    if not row.shared and not row.settled:
        raise Conflict("not_shared", _NOT_IN_QUESTION)
    # When it was flagged stays there: whoever takes the answer back finds the question where it was.
    Identity.objects.filter(id=identity_id).update(shared=shared, settled=True)
    begin_generation()
    action = "Identity Is Shared" if shared else "Identity Is One Person's"
    audit(by=by, action=action, object_kind="identity", object_id=identity_id)


@transaction.atomic
def ask_again(*, identity_id: int, by: Actor) -> None:
    """Take back what was said of a settled identity: it counts as shared until somebody says otherwise."""
    by.require("customers.merge")
    waiting = Identity.objects.filter(id=identity_id, settled=True)
    if not waiting.update(shared=True, settled=False, flagged_at=Coalesce("flagged_at", clock.now())):
        raise NotFound("identity", _NO_IDENTITY)
    begin_generation()
    audit(by=by, action="Identity Asked About Again", object_kind="identity", object_id=identity_id)
