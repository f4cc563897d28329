"""Finding customers: by an identity, by what somebody types, page after page."""

from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from regulars.accounts.queries import business
from regulars.customers.identities import RANK, normalised, readings
from regulars.customers.models import Customer, Identity, Tagging
from regulars.customers.profiles import name_key
from regulars.customers.queries.profile import Card, by_ids
from regulars.kernel.errors import NotFound
from regulars.kernel.languages import Text


def with_identity(kind: str, value: str) -> int:
    """The customer that an identity leads to. Raises Invalid for a value that can't be one, NotFound."""
    kept = normalised(kind, value, region=business().region)
    found = Identity.objects.filter(kind=kind, value=kept).values_list("customer__root_id", flat=True).first()
    if found is None:
        raise NotFound("customer", Text("No customer has this identity.", "没有客户使用该标识。"))
    return found


def find(text: str, *, limit: int = 20) -> list[Card]:
    """Customers whose number or any identity is exactly this, then those whose name begins so. Indexed: a million
    customers don't slow it down.
    """
    found: dict[int, None] = {}
    identities, numbered, names = _readings(text)
    if identities is not None:
        rows = identities.values_list("kind", "customer__root_id")
        for _, root in sorted(rows, key=lambda row: RANK[row[0]]):
            found[root] = None
    if numbered is not None:
        for root in numbered.values_list("root_id", flat=True):
            found[root] = None
    if names is not None:
        for root in names.values_list("root_id", flat=True)[: limit * 2]:
            found[root] = None
    ids = list(found)[:limit]
    cards = by_ids(ids)
    return [cards[id] for id in ids if id in cards]


def matching(text: str) -> list[int]:
    """All whom `find` can find, ascending: to narrow a list that the warehouse pages."""
    return list(_all_of(text).order_by("id").values_list("id", flat=True))


def _all_of(text: str) -> QuerySet[Customer]:
    identities, numbered, names = _readings(text)
    roots: list[QuerySet[Any, Any]] = []
    if identities is not None:
        roots.append(identities.values("customer__root_id"))
    roots += [rows.order_by().values("root_id") for rows in (numbered, names) if rows is not None]
    if not roots:
        return Customer.objects.none()
    # By union each part uses its index; joined by OR SQLite may walk through all customers.
    return Customer.objects.filter(id__in=roots[0].union(*roots[1:]) if roots[1:] else roots[0])


def _readings(text: str) -> tuple[QuerySet[Identity] | None, QuerySet[Customer] | None, QuerySet[Customer] | None]:
    """As identities, as a number, as the beginning of names; None where it can't be one."""
    text = text.strip()
    wanted = Q()
    for kind, value in readings(text, region=business().region) if text else ():
        wanted |= Q(kind=kind, value=value)
    digits = text.lstrip("#")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None
    key = name_key(text)
    return (
        Identity.objects.filter(wanted) if wanted else None,
        None if number is None else Customer.objects.filter(id=number),
        named(key) if key else None,
    )


def named(key: str) -> QuerySet[Customer]:
    """Names that begin so. A range where that is what the index is ordered by; LIKE has an index on PostgreSQL."""
    if connection.vendor == "postgresql":
        return Customer.objects.filter(name_key__startswith=key).order_by("name_key", "id")
    return Customer.objects.filter(name_key__gte=key, name_key__lt=key + "\U0010ffff").order_by("name_key", "id")


def page(
    *, before: int | None = None, limit: int = 50, known: bool | None = None, tag: str = "", store: str = "",
    text: str | None = None, erased: bool | None = False,
) -> list[Card]:  # fmt: skip
    """Customers, the youngest number first, before the number `before`, narrowed by what is given: `text` as in
    `find`; `erased` None: those who were erased too.
    """
    rows = (Customer.objects if text is None else _all_of(text)).filter(merged_into=None).order_by("-id")
    rows = rows.filter(id__lt=before) if before else rows
    rows = rows.filter(known=known) if known is not None else rows
    rows = rows.filter(erased_at__isnull=not erased) if erased is not None else rows
    rows = rows.filter(home_store__code=store) if store else rows
    if tag:
        tagged = Tagging.objects.filter(tag__key=tag.casefold()).values("customer__root_id")
        rows = rows.filter(id__in=tagged)
    ids = list(rows.values_list("id", flat=True)[:limit])
    cards = by_ids(ids)
    return [cards[id] for id in ids]
