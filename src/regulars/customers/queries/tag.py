"""Tags, and who has them."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import msgspec
from django.db import connection
from django.db.models import Count, Exists, OuterRef, QuerySet

from regulars.customers.models import Tag, Tagging
from regulars.customers.queries.record import pieces, root_of, roots_of


@dataclass(frozen=True, slots=True)
class TagRow:
    name: str
    by: str
    at: datetime


def tags(customer_id: int) -> list[TagRow]:
    """The customer's, by name; each once."""
    rows = (
        Tagging.objects.filter(customer__root_id=root_of(customer_id)).select_related("tag").order_by("tag__key", "at")
    )
    found: dict[str, TagRow] = {}
    for row in rows:
        found.setdefault(row.tag.name, TagRow(row.tag.name, row.by, row.at))
    return list(found.values())


def tags_of(customer_ids: Collection[int]) -> dict[int, list[str]]:
    """Asked id → names of tags, for many."""
    root = roots_of(customer_ids)
    by_root: dict[int, dict[str, None]] = defaultdict(dict)
    for piece in pieces(root.values()):
        rows = Tagging.objects.filter(customer__root_id__in=piece).order_by("tag__key")
        for customer, name in rows.values_list("customer__root_id", "tag__name"):
            by_root[customer][name] = None
    return {id: list(by_root[customer]) for id, customer in root.items()}


def tagged(name: str) -> list[int]:
    """The records that have the tag, in no order: each is one of a customer's."""
    # As one value: hundreds of thousands of rows take longer to pass on than to find.
    every = "json_group_array(customer_id)" if connection.vendor == "sqlite" else "json_agg(customer_id)::text"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT {every} FROM customers_tagging
                WHERE tag_id = (SELECT id FROM customers_tag WHERE key = %s)""",  # noqa: S608 (no value in the text)
            [name.casefold()[:50]],
        )
        return msgspec.json.decode(cursor.fetchone()[0] or "[]", type=list[int])


def all_tags(*, prefix: str = "", after: str = "", limit: int = 100) -> list[tuple[str, int]]:
    """(name, number of taggings), by name; those that come after the name `after`."""
    rows = list(_used(prefix).filter(key__gt=after.casefold()[:50])[:limit])
    counted = Tagging.objects.filter(tag__in=rows).values_list("tag").annotate(count=Count("id"))
    counts: dict[int, int] = dict(counted)
    return [(row.name, counts.get(row.pk, 0)) for row in rows]


def tag_names(*, prefix: str = "", limit: int = 100) -> list[str]:
    """Of all tags, to choose from; nothing is counted."""
    return list(_used(prefix).values_list("name", flat=True)[:limit])


def _used(prefix: str) -> QuerySet[Tag]:
    """A tag that nobody has is no tag to choose; its row stays for who gets it back (services.retag)."""
    return Tag.objects.filter(
        Exists(Tagging.objects.filter(tag=OuterRef("pk"))), key__startswith=prefix.casefold()
    ).order_by("key")
