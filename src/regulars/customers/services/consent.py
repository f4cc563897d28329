"""Consent given, withdrawn, and an entry taken back that was made by mistake."""

from datetime import datetime

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.customers import consents
from regulars.customers.identities import cleaned
from regulars.customers.models import Consent
from regulars.customers.queries import consent_states, live_root
from regulars.eventlog.services import record
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, NotFound
from regulars.kernel.languages import Text


def give_consent(
    *, customer_id: int, channel: str, purpose: str, by: Actor, source: str = "", at: datetime | None = None
) -> int | None:
    """Record that they agreed, `at` a moment (now); the entry's id for undo, None when it stood so already."""
    return _enter(customer_id, channel, purpose, True, by, source, at)


def withdraw_consent(
    *, customer_id: int, channel: str, purpose: str, by: Actor, source: str = "", at: datetime | None = None
) -> int | None:
    """Record that they no longer agree (or never did); the entry's id for undo, None when it stood so already."""
    return _enter(customer_id, channel, purpose, False, by, source, at)


@transaction.atomic
def _enter(
    customer_id: int, channel: str, purpose: str, given: bool, by: Actor, source: str, at: datetime | None
) -> int | None:
    by.require("consent.edit")
    consents.checked(channel, purpose)
    root = live_root(customer_id, lock=True)
    present = consent_states(root.pk).get((channel, purpose))
    moment = min(at or clock.now(), clock.now())
    if present is not None and present.given == given and present.at <= moment:
        return None
    entry = Consent.objects.create(
        customer=root, channel=channel, purpose=purpose, given=given, source=cleaned(source)[:100], by=by.ref, at=moment
    )
    record(
        "Consent Given" if given else "Consent Withdrawn",
        customer_id=root.pk,
        properties={"channel": channel, "purpose": purpose},
        by=by,
        at=moment,
    )
    return entry.pk


@transaction.atomic
def undo_consent(*, entry_id: int, by: Actor) -> None:
    """Take an entry back: it stands as before it, unknown if there was nothing."""
    by.require("consent.edit")
    entry = Consent.objects.select_for_update().filter(id=entry_id).first()
    if entry is None:
        raise NotFound("consent", Text("There is no such entry.", "没有这条同意记录。"))
    if entry.undone_at is not None:
        raise Conflict("undone", Text("This entry has been undone already.", "这条记录已经撤销。"))
    root = live_root(entry.customer_id).pk
    Consent.objects.filter(id=entry_id).update(undone_at=clock.now())
    properties = {"channel": entry.channel, "purpose": entry.purpose}
    record("Consent Undone", customer_id=root, properties=properties, by=by)
