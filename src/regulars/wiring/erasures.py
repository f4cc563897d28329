"""Erasing a person everywhere: in the database and the log (customers), in files, and in what the doors keep.

What can't be cut is told on the receipt, with the day by which it goes.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.module_loading import import_string

from regulars.accounts.actors import Actor
from regulars.accounts.queries import audit as trail
from regulars.accounts.services import audit
from regulars.customers import queries
from regulars.customers import services as customers
from regulars.imports import services as imports
from regulars.jobs import services as jobs
from regulars.kernel import clock
from regulars.kernel.errors import NotFound
from regulars.kernel.languages import Text
from regulars.wiring import exports

_WAITING = Text(
    "Files of imports that aren't finished: what they say of the time before isn't taken in; the files go with the end "
    "of the import.",
    "尚未完成的导入文件：其中删除之前的资料不会被导入，文件在导入结束时删除。",
)
_INBOX = Text(
    "Tracking requests as they came, until the file they are in is full or an hour old.",
    "原样保存的跟踪请求：所在文件写满或满一小时后删除。",
)

_INBOX_LASTS = timedelta(hours=2)
_CLEARED = "Files Cleared"


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left for a while, and until when at most."""

    what: Text
    until: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """`records` were erased; `rows` of files that named the person are gone."""

    customer_id: int
    at: datetime
    records: int
    rows: int
    remains: list[Remains] = field(default_factory=list)


def erase(*, customer_id: int, by: Actor) -> Receipt:
    """Raises Forbidden, NotFound, and Conflict when the person is erased already.

    Files that name the person go first, while it is known what names them: a crash leaves somebody to be erased again.
    """
    person = customers.person(customer_id=customer_id, by=by)
    root = queries.root_of(customer_id)
    rows, waiting = imports.forget_person(person.named_in)
    rows += jobs.forget_person(person.named_in)
    for door in settings.ERASED_IN_DOORS:
        rows += import_string(door)(person)
    records = customers.erase(customer_id=customer_id, by=by)
    rows += exports.forget_people(person.records)
    now = clock.now()
    remains = [Remains(_INBOX, now + _INBOX_LASTS)]
    if waiting is not None:
        remains.append(Remains(_WAITING, waiting))
    details = {"records": records, "rows": rows, "until": max(one.until for one in remains).isoformat()}
    if waiting is not None:
        details["waiting"] = waiting.isoformat()
    audit(by=by, action=_CLEARED, object_kind="customer", object_id=root, details=details)
    return Receipt(root, now, records, rows, remains)


def receipt(customer_id: int) -> Receipt:
    """Of a person erased, as the audit trail has it. Raises NotFound."""
    root = queries.root_of(customer_id)
    entry = next(iter(trail(action=_CLEARED, object_kind="customer", object_id=str(root), limit=1)), None)
    if entry is None:
        raise NotFound("receipt", Text("Nobody was erased under this number.", "该编号没有删除记录。"))
    said = entry.details
    remains = [Remains(_INBOX, entry.at + _INBOX_LASTS)]
    if said.get("waiting"):
        remains.append(Remains(_WAITING, datetime.fromisoformat(said["waiting"])))
    return Receipt(root, entry.at, said.get("records", 1), said["rows"], remains)
