"""What identifies customers."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, IntegerField, Q, When

from regulars.customers.identities import RANK, masked
from regulars.customers.models import Identity, Removed
from regulars.customers.queries.record import pieces, root_of, roots_of


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """`record` is the record it was made for; `masked` is for lists; `removable`: added by hand or in a file."""

    id: int
    kind: str
    value: str
    masked: str
    record: int
    first_seen: datetime
    shared: bool
    settled: bool
    removable: bool


def _identity_rows(rows: Iterable[Identity]) -> list[IdentityRow]:
    return [
        IdentityRow(
            row.pk, row.kind, row.value, masked(row.kind, row.value), row.customer_id, row.first_seen, row.shared,
            row.settled, bool(row.by),
        )
        for row in rows
    ]  # fmt: skip


def identities(customer_id: int, *, after: int | None = None, limit: int | None = None) -> list[IdentityRow]:
    """Of all the customer's records, the strongest kinds first; those after the identity `after`, `limit` at most."""
    rows = Identity.objects.filter(customer__root_id=root_of(customer_id)).annotate(rank=_RANK).order_by("rank", "id")
    if after is not None:
        rank = rows.filter(id=after).values_list("rank", flat=True).first()
        rows = rows.none() if rank is None else rows.filter(Q(rank__gt=rank) | Q(rank=rank, id__gt=after))
    return _identity_rows(rows if limit is None else rows[:limit])


_RANK = Case(*(When(kind=kind, then=rank) for kind, rank in RANK.items()), output_field=IntegerField())


@dataclass(frozen=True, slots=True)
class RemovedIdentityRow:
    """Taken away lately, by whom and when; `removal` is what services.restore_identity takes."""

    removal: str
    kind: str
    masked: str
    by: str
    at: datetime


def removed_identities(customer_id: int, *, limit: int = 20) -> list[RemovedIdentityRow]:
    """The latest first."""
    rows = Removed.objects.filter(customer__root_id=root_of(customer_id), what="identity").order_by("-id")[:limit]
    return [
        RemovedIdentityRow(row.removal, row.kept["kind"], masked(row.kept["kind"], row.kept["value"]), row.by, row.at)
        for row in rows
    ]


def identities_of(customer_ids: Collection[int]) -> dict[int, list[IdentityRow]]:
    """Asked id → identities, for many."""
    root = roots_of(customer_ids)
    by_root: dict[int, list[IdentityRow]] = defaultdict(list)
    for piece in pieces(root.values()):
        rows = list(Identity.objects.filter(customer__root_id__in=piece).select_related("customer").order_by("id"))
        for row, shown in zip(rows, _identity_rows(rows), strict=True):
            by_root[row.customer.root_id].append(shown)
    return {id: sorted(by_root[r], key=lambda row: (RANK[row.kind], row.id)) for id, r in root.items()}
