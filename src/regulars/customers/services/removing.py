"""Keeping what is taken off a record, for the undo of it; not for good: after a month it is gone."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from regulars.accounts.actors import Actor
from regulars.customers.models import Removed
from regulars.kernel import clock, ids

KEPT = timedelta(days=30)


def keep(what: str, rows: Iterable[tuple[int, dict[str, Any]]], *, by: Actor, removal: str = "") -> str:
    """Keep (record, columns); the removal, by which all that went together is found again."""
    now, removal = clock.now(), removal or ids.new_id()
    Removed.objects.filter(at__lt=now - KEPT).delete()
    fresh = [Removed(removal=removal, what=what, customer_id=id, kept=kept, by=by.ref, at=now) for id, kept in rows]
    Removed.objects.bulk_create(fresh, batch_size=5000)
    return removal
