"""Identities flagged as shared, looked at by a person."""

from django.db import transaction
from django.db.models.functions import Coalesce

from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.customers.models import Identity
from regulars.customers.services.resolve import begin_generation
from regulars.kernel import clock
from regulars.kernel.errors import NotFound
from regulars.kernel.languages import Text

_NO_IDENTITY = Text("There is no such identity.", "没有这个标识。")


@transaction.atomic
def settle_identity(*, identity_id: int, shared: bool, by: Actor) -> None:
    """Say what it is: shared indeed (it goes on deciding nothing), or one person's (it decides again, and is never
    flagged again). Either way nobody is asked any more.
    """
    by.require("customers.merge")
    if not Identity.objects.filter(id=identity_id).exists():
        raise NotFound("identity", _NO_IDENTITY)
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
