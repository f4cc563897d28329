"""What colleagues write down about a customer."""

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.customers.models import Note
from regulars.customers.queries import live_root
from regulars.kernel import clock
from regulars.kernel.errors import Invalid, NotFound
from regulars.kernel.languages import Text


@transaction.atomic
def add_note(*, customer_id: int, text: str, by: Actor) -> int:
    """The note's id. Raises Invalid unless it has 1 to 5,000 characters."""
    by.require("notes.edit")
    text = text.replace("\0", "").encode("utf-8", "replace").decode().strip()
    if not 1 <= len(text) <= 5000:
        raise Invalid("text", Text("Write 1 to 5,000 characters.", "请填写 1 到 5000 个字符。"), field="text")
    note = Note.objects.create(customer=live_root(customer_id), text=text, by=by.ref)
    audit(by=by, action="Note Added", object_kind="customer", object_id=note.customer_id, details={"note": note.pk})
    return note.pk


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
