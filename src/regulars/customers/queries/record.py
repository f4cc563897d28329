"""Records and the customers they belong to. Every id asked for may be that of any of a customer's records."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from regulars.customers.models import Customer
from regulars.kernel.errors import Conflict, NotFound
from regulars.kernel.languages import Text

_NOBODY = Text("There is no customer with this number.", "没有这个编号的客户。")

_ERASED = Text("This person was erased; nothing can be changed.", "该客户的个人信息已删除，无法修改。")


def root_of(customer_id: int) -> int:
    """The customer that a record belongs to. Raises NotFound."""
    found = Customer.objects.filter(id=customer_id).values_list("root_id", flat=True).first()
    if found is None:
        raise NotFound("customer", _NOBODY)
    return found


def roots_of(record_ids: Iterable[int]) -> dict[int, int]:
    """Record → customer, for those that exist."""
    return {
        id: root
        for piece in pieces(record_ids)
        for id, root in Customer.objects.filter(id__in=piece).values_list("id", "root_id")
    }


def pieces(ids: Iterable[int], size: int = 5000) -> Iterable[list[int]]:
    every = list(dict.fromkeys(ids))
    return (every[start : start + size] for start in range(0, len(every), size))


def live_root(customer_id: int, *, lock: bool = False) -> Customer:
    """The root's row, for services. Raises NotFound, and Conflict for somebody who was erased."""
    rows = Customer.objects.select_related("home_store")
    if lock:
        rows = rows.select_for_update(of=("self",)) if connection.vendor == "postgresql" else rows
    row = rows.filter(id=root_of(customer_id)).get()
    if row.erased_at is not None:
        raise Conflict("erased", _ERASED)
    return row


def erased_since(moment: datetime) -> list[int]:
    """Records erased from this moment on."""
    return list(Customer.objects.filter(erased_at__gte=moment).values_list("id", flat=True))


def members(customer_id: int) -> list[int]:
    """All records of the customer, the root first. Raises NotFound."""
    root = root_of(customer_id)
    ids = Customer.objects.filter(root_id=root).order_by("id").values_list("id", flat=True)
    return sorted(ids, key=lambda record: (record != root, record))


@dataclass(frozen=True, slots=True)
class RecordRow:
    """What the warehouse keeps of a record. `known`: this record itself has an identity that names a person."""

    id: int
    customer_id: int
    known: bool
    erased: bool
    created_at: datetime


def records(ids: Iterable[int]) -> list[RecordRow]:
    """These records as they stand, and all other records of the same customers."""
    roots = set(roots_of(ids).values())
    rows = (
        row
        for piece in pieces(roots)
        for row in Customer.objects.filter(root_id__in=piece).values_list(
            "id", "root_id", "identified_at", "erased_at", "created_at"
        )
    )
    return [
        RecordRow(id, root, identified is not None, erased is not None, created)
        for id, root, identified, erased, created in rows
    ]


def records_after(id: int, limit: int = 10_000) -> list[RecordRow]:
    """All records, by number: the `limit` after this one."""
    rows = Customer.objects.filter(id__gt=id).order_by("id")
    columns = rows.values_list("id", "root_id", "identified_at", "erased_at", "created_at")
    return [RecordRow(i, r, known is not None, erased is not None, at) for i, r, known, erased, at in columns[:limit]]
