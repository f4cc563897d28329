"""Identities shared by too many, and the merges that rest on them."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from regulars.customers.identities import masked
from regulars.customers.models import Identity, Merge
from regulars.customers.queries.merge import MergeRow, merge_row
from regulars.customers.queries.profile import Card, by_ids


@dataclass(frozen=True, slots=True)
class SharedIdentity:
    """`seen_with`: how many of each kind it came together with until it was flagged; then nobody counts any more.
    `merges`: those that rest on it, or on what it came with, and still stand; the latest first.
    """

    id: int
    kind: str
    masked: str
    customer: Card
    flagged_at: datetime
    seen_with: dict[str, int]
    merges: list[MergeRow]


def shared_identities(*, limit: int = 50) -> list[SharedIdentity]:
    """Flagged and not looked at by anybody yet, the latest first."""
    rows = list(
        Identity.objects.filter(shared=True, settled=False, flagged_at__isnull=False)
        .select_related("customer")
        .order_by("-flagged_at", "-id")[:limit]
    )
    cards = by_ids(row.customer_id for row in rows)
    by_root: dict[int, list[Merge]] = defaultdict(list)
    standing = Merge.objects.filter(automatic=True, undone_at=None, source__erased_at=None)
    roots = {row.customer.root_id for row in rows}
    for one in standing.filter(source__root_id__in=roots).select_related("source").order_by("-at", "-id"):
        by_root[one.source.root_id].append(one)
    found = []
    for row in rows:
        # A merge is written down with the weaker of the two identities that led to different customers.
        theirs = {row.pk, *(id for ids in row.seen_with.values() for id in ids)}
        rest = [merge_row(one) for one in by_root[row.customer.root_id] if one.grounds.get("identity") in theirs]
        seen = {kind: len(ids) for kind, ids in row.seen_with.items()}
        shown = masked(row.kind, row.value)
        assert row.flagged_at
        found.append(SharedIdentity(row.pk, row.kind, shown, cards[row.customer_id], row.flagged_at, seen, rest))
    return found
