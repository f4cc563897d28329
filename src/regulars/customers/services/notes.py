"""What colleagues write down about a customer."""

from collections.abc import Sequence

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.customers.bulk import pieces
from regulars.customers.models import Customer, Note
from regulars.customers.queries import live_root
from regulars.kernel import clock
from regulars.kernel.errors import Invalid, NotFound
from regulars.kernel.languages import Text


def _written(text: str) -> str:
    """A note's text as it is kept. Raises Invalid."""
    text = text.replace("\0", "").encode("utf-8", "replace").decode().strip()
    if not 1 <= len(text) <= 5000:
        raise Invalid("text", Text("Write 1 to 5,000 characters.", "请填写 1 到 5000 个字符。"), field="text")
    return text


@transaction.atomic
def add_note(*, customer_id: int, text: str, by: Actor) -> int:
    """The note's id. Raises Invalid unless it has 1 to 5,000 characters."""
    by.require("notes.edit")
    note = Note.objects.create(customer=live_root(customer_id), text=_written(text), by=by.ref)
    audit(by=by, action="Note Added", object_kind="customer", object_id=note.customer_id, details={"note": note.pk})
    return note.pk


@transaction.atomic
def add_notes(*, customer_ids: Sequence[int], text: str, by: Actor) -> list[int]:
    """The same note about many customers (ids of any of their records), once each; the notes' ids, by which
    `delete_notes` undoes it. Who was erased is left out.
    """
    by.require("notes.edit")
    text, now = _written(text), clock.now()
    roots: set[int] = set()
    for piece in pieces(dict.fromkeys(customer_ids)):
        roots |= set(Customer.objects.filter(id__in=piece, erased_at=None).values_list("root_id", flat=True))
    fresh = [Note(customer_id=root, text=text, by=by.ref, at=now) for root in sorted(roots)]
    made = [note.pk for note in Note.objects.bulk_create(fresh, batch_size=5000)]
    _audit_many("Note Added", made, by)
    return made


def delete_notes(*, note_ids: Sequence[int], by: Actor) -> list[int]:
    """Take notes away; the ids of those that stood, by which `restore_notes` undoes it."""
    return _mark_many(note_ids, deleted=True, by=by)


def restore_notes(*, note_ids: Sequence[int], by: Actor) -> list[int]:
    return _mark_many(note_ids, deleted=False, by=by)


@transaction.atomic
def _mark_many(note_ids: Sequence[int], *, deleted: bool, by: Actor) -> list[int]:
    by.require("notes.edit")
    done: list[int] = []
    for piece in pieces(dict.fromkeys(note_ids)):
        # An erased person's notes are empty and stay as they are.
        notes = Note.objects.select_for_update().filter(id__in=piece, deleted_at__isnull=deleted).exclude(text="")
        found = sorted(notes.values_list("id", flat=True))
        Note.objects.filter(id__in=found).update(deleted_at=clock.now() if deleted else None)
        done += found
    _audit_many("Note Deleted" if deleted else "Note Restored", done, by)
    return done


def _audit_many(action: str, notes: list[int], by: Actor) -> None:
    if notes:
        audit(by=by, action=action, object_kind="customer", object_id="", details={"count": len(notes)})


def delete_note(*, note_id: int, by: Actor) -> None:
    """Take a note away; `restore_note` undoes it."""
    _mark(note_id, deleted=True, by=by)


def restore_note(*, note_id: int, by: Actor) -> None:
    _mark(note_id, deleted=False, by=by)


@transaction.atomic
def _mark(note_id: int, *, deleted: bool, by: Actor) -> None:
    by.require("notes.edit")
    note = Note.objects.select_for_update().filter(id=note_id).first()
    if note is None or not note.text:
        raise NotFound("note", Text("There is no such note.", "没有这条备注。"))
    if (note.deleted_at is not None) != deleted:
        Note.objects.filter(id=note_id).update(deleted_at=clock.now() if deleted else None)
        action = "Note Deleted" if deleted else "Note Restored"
        audit(by=by, action=action, object_kind="customer", object_id=note.customer_id, details={"note": note_id})
