"""What colleagues noted about customers."""

from dataclasses import dataclass
from datetime import datetime

from regulars.customers.models import Note
from regulars.customers.queries.record import root_of


@dataclass(frozen=True, slots=True)
class NoteRow:
    id: int
    text: str
    by: str
    at: datetime


def notes(customer_id: int, *, before: int | None = None, limit: int = 100) -> list[NoteRow]:
    """Of all the customer's records, the latest first, without those deleted."""
    rows = Note.objects.filter(customer__root_id=root_of(customer_id), deleted_at=None).order_by("-id")
    rows = rows.filter(id__lt=before) if before else rows
    return [NoteRow(row.pk, row.text, row.by, row.at) for row in rows[:limit]]


def removed_notes(customer_id: int, *, limit: int = 20) -> list[NoteRow]:
    """Those removed latest, which can be restored; `at` says when they were removed. None of an erased person."""
    rows = Note.objects.filter(customer__root_id=root_of(customer_id)).exclude(deleted_at=None).exclude(text="")
    rows = rows.order_by("-deleted_at", "-id")[:limit]
    return [NoteRow(row.pk, row.text, row.by, row.deleted_at) for row in rows if row.deleted_at]
