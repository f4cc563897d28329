"""Finding customers: by an identity, by what somebody types, page after page."""

import re
from typing import Any

from django.db import connection
from django.db.models import F, Q, QuerySet

from regulars.accounts.queries import business
from regulars.customers.identities import RANK, normalised, readings
from regulars.customers.models import Customer, Identity, LastFour, Tagging
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
    """Customers whose number or any identity is exactly this, then those whose name, or its last part, begins so, then
    those whose phone ends so. Indexed: a million customers don't slow it down.
    """
    found: dict[int, None] = {}
    identities, others = _readings(text)
    if identities is not None:
        rows = identities.values_list("kind", "customer__root_id")
        for _, root in sorted(rows, key=lambda row: RANK[row[0]]):
            found[root] = None
    for other in others:
        if len(found) < limit:
            found |= dict.fromkeys(other.values_list("root", flat=True)[: limit * 2])
    ids = list(found)[:limit]
    cards = by_ids(ids)
    return [cards[id] for id in ids if id in cards]


def matching(text: str) -> list[int]:
    """All whom `find` can find, ascending: to narrow a list that the warehouse pages."""
    return list(_all_of(text).order_by("id").values_list("id", flat=True))


def _all_of(text: str) -> QuerySet[Customer]:
    identities, others = _readings(text)
    roots: list[QuerySet[Any, Any]] = [rows.order_by().values("root") for rows in others]
    if identities is not None:
        roots.append(identities.values("customer__root_id"))
    if not roots:
        return Customer.objects.none()
    # By union each part uses its index; joined by OR SQLite may walk through all customers.
    return Customer.objects.filter(id__in=roots[0].union(*roots[1:]) if roots[1:] else roots[0])


_HIDDEN = re.compile(r"\+?(\d*)\*+(\d{4})")
"""A phone as lists show it (identities.masked)."""


def _readings(text: str) -> tuple[QuerySet[Identity] | None, list[QuerySet[Any]]]:
    """As identities, None where it can't be one; and as whatever else it may be, each with the column `root`: a
    customer's number, the beginning of names and of their last parts, the end of phones.
    """
    text = text.strip()
    wanted = Q()
    for kind, value in readings(text, region=business().region) if text else ():
        wanted |= Q(kind=kind, value=value)
    digits = text.lstrip("#")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None
    key = name_key(text)
    others: list[QuerySet[Any]] = [] if number is None else [Customer.objects.filter(id=number)]
    others += [beginning("name_key", key), beginning("name_rest", key)] if key else []
    others = [rows.annotate(root=F("root_id")) for rows in others]
    hidden = _HIDDEN.fullmatch(text)
    if hidden or (number is not None and len(text) == 4):
        first, last = hidden.groups() if hidden else ("", text)
        phones = ending(last).filter(value__contains=first) if first else ending(last)
        others.append(phones.annotate(root=F("customer__root_id")))
    return Identity.objects.filter(wanted) if wanted else None, others


def beginning(column: str, key: str) -> QuerySet[Customer]:
    """Whose name, or last part of it, begins so. A range where that is what the index is ordered by; LIKE has an index
    on PostgreSQL."""
    if connection.vendor == "postgresql":
        rows = Customer.objects.filter(**{f"{column}__startswith": key})
    else:
        rows = Customer.objects.filter(**{f"{column}__gte": key, f"{column}__lt": key + "\U0010ffff"})
    return rows.order_by(column, "id")


def ending(last: str) -> QuerySet[Identity]:
    """Phones that end in these four digits."""
    return Identity.objects.alias(last=LastFour("value")).filter(last=last, kind="phone").order_by("id")


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
