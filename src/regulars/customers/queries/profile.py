"""A customer in a line and in full, and what was changed in a profile by hand."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from regulars.customers.identities import masked
from regulars.customers.models import Customer, Identity, ProfileChange, Store
from regulars.customers.profiles import FIELDS, version
from regulars.customers.queries.record import members, pieces, root_of, roots_of
from regulars.kernel.languages import Text


@dataclass(frozen=True, slots=True)
class Card:
    """A customer in a line: `name` is "" when none is known (use `title`); identities are masked, strongest first."""

    id: int
    name: str
    known: bool
    erased: bool
    city: str
    home_store: str
    identities: tuple[str, ...]
    created_at: datetime

    @property
    def title(self) -> Text:
        """What to call them: the name, an identity, or a visitor's number."""
        if self.erased:
            return Text(f"Erased customer {self.id}", f"已删除客户 {self.id}")
        if self.name:
            return Text(self.name, self.name)
        if self.known and self.identities:
            return Text(self.identities[0], self.identities[0])
        return Text(f"Visitor {self.id}", f"访客 {self.id}")

    @property
    def avatar(self) -> str:
        """One or two letters: the last two of a Chinese name, initials of others, "?" for somebody unknown."""
        if not self.name:
            return "?"
        if not self.name.isascii():
            return self.name[-2:] if len(self.name) > 2 else self.name
        words = self.name.split()
        return "".join(word[0] for word in words[:2]).upper()


@dataclass(frozen=True, slots=True)
class Profile:
    """A customer in full. `fields` has every field of profiles.FIELDS, None where nothing is known."""

    id: int
    fields: dict[str, Any]
    custom: dict[str, Any]
    known: bool
    erased_at: datetime | None
    created_at: datetime
    records: tuple[int, ...]
    card: Card

    @property
    def version(self) -> str:
        """Another one as soon as a field or an attribute is another."""
        return version(self.fields | self.custom)


def by_ids(ids: Iterable[int]) -> dict[int, Card]:
    """Asked id → card of its customer, for those that exist. Three queries however many (for each 5,000)."""
    root = roots_of(ids)
    cards: dict[int, Card] = {}
    for piece in pieces(root.values()):
        rows = list(Customer.objects.filter(id__in=piece).select_related("home_store"))
        shown: dict[int, list[tuple[str, str]]] = defaultdict(list)
        named = Identity.objects.filter(customer__root_id__in=piece).exclude(kind__in=("anonymous_id", "device"))
        for id, kind, value in named.order_by("id").values_list("customer__root_id", "kind", "value"):
            shown[id].append((kind, value))
        for row in rows:
            best = sorted(shown[row.pk], key=lambda pair: _FOR_PEOPLE.get(pair[0], 9))[:3]
            cards[row.pk] = Card(
                row.pk, row.name, row.known, row.erased_at is not None, row.city,
                (row.home_store.name or row.home_store.code) if row.home_store else "",
                tuple(masked(kind, value) for kind, value in best), row.created_at,
            )  # fmt: skip
    return {id: cards[customer] for id, customer in root.items() if customer in cards}


_FOR_PEOPLE = {"phone": 0, "email": 1, "member_card": 2, "user_id": 3}


def get(customer_id: int) -> Profile:
    """Raises NotFound."""
    root = root_of(customer_id)
    row = Customer.objects.select_related("home_store").get(id=root)
    card = by_ids([root])[root]
    fields: dict[str, Any] = {
        "name": row.name or None,
        "birthday": row.birthday,
        "gender": row.gender or None,
        "city": row.city or None,
        "language": row.language or None,
        "home_store": row.home_store.code if row.home_store else None,
    }
    assert fields.keys() == FIELDS.keys()
    return Profile(
        root, fields, row.custom, row.known, row.erased_at, row.created_at, tuple(members(root)), card,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change of the profile by hand: field → (before, after). `undoable`: none of them was changed again since."""

    id: int
    fields: dict[str, tuple[Any, Any]]
    by: str
    at: datetime
    undone: bool
    undoable: bool


def profile_changes(customer_id: int, *, before: int | None = None, limit: int = 20) -> list[ChangeRow]:
    """Of all the customer's records, the latest first; those made before the change `before`."""
    rows = ProfileChange.objects.filter(customer__root_id=root_of(customer_id)).order_by("-id")
    rows = (rows.filter(id__lt=before) if before else rows).select_related("customer")
    return [
        ChangeRow(
            row.pk,
            {name: ((row.before[name] or [None])[0], row.after[name][0]) for name in row.after},
            row.by,
            row.at,
            row.undone_at is not None,
            row.undone_at is None and all(row.customer.facts.get(name) == fact for name, fact in row.after.items()),
        )
        for row in rows[:limit]
    ]


def stores() -> list[tuple[str, str]]:
    """(code, name) of every store, by name; the code where it has no name."""
    return sorted(
        ((code, name or code) for code, name in Store.objects.values_list("code", "name")), key=lambda pair: pair[1]
    )
