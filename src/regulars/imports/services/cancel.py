"""Stop an import, and forget old files."""

from datetime import timedelta

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.imports import files, queries
from regulars.imports.models import Import
from regulars.imports.services.read import end
from regulars.kernel import clock

KEPT = timedelta(days=30)


def cancel(*, id: int, by: Actor) -> None:
    """Stop: at once before it runs, else at its next step. What is in the log stays; the same file takes up there."""
    by.require("imports.run")
    row = queries.get(id)
    with transaction.atomic():
        if row.state not in ("uploaded", "mapped", "running"):
            return
        Import.objects.filter(id=id).update(cancel=True)
        audit(by=by, action="Import Cancelled", object_kind="import", object_id=id)
    if row.state == "mapped" and Import.objects.filter(id=id, state="mapped").exists():
        end(id, "cancelled")


def forget(*, id: int, by: Actor) -> None:
    """Leave nothing of an import that was only looked at; the audit log keeps that there was a file."""
    by.require("imports.run")
    if Import.objects.filter(id=id, state="mapped").delete()[0]:
        files.remove(id)


def forget_files(*, older_than: timedelta = KEPT) -> int:
    """Remove the files (rejected rows too) of imports that began so long ago; one never run counts as cancelled. How
    many imports had files.
    """
    rows = Import.objects.filter(created_at__lt=clock.now() - older_than).exclude(state="running")
    rows.filter(state__in=("uploaded", "mapped")).update(state="cancelled", finished_at=clock.now())
    old = rows.filter(id__in=files.kept())
    ids = list(old.values_list("id", flat=True))
    for id in ids:
        files.remove(id)
    return len(ids)
