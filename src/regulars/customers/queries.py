"""Reading customers. Every id asked for may be that of any of a customer's records; answers speak of the customer."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Q, QuerySet

from regulars.accounts.queries import business
from regulars.customers import consents as agreements
from regulars.customers.identities import RANK, masked, normalised, readings
from regulars.customers.models import (
    Consent,
    Customer,
    Identity,
    Merge,
    Note,
    ProfileChange,
    Store,
    Tag,
    Tagging,
)
from regulars.customers.profiles import FIELDS, name_key
from regulars.kernel.errors import Conflict, NotFound
from regulars.kernel.languages import Text

_NOBODY = Text("There is no customer with this number.", "没有这个编号的客户。")
_ERASED = Text("This person was erased; nothing can be changed.", "该客户的个人信息已删除，无法修改。")


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
    last_seen_at: datetime | None

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
    last_seen_at: datetime | None
    records: tuple[int, ...]
    card: Card


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
        for piece in _pieces(record_ids)
        for id, root in Customer.objects.filter(id__in=piece).values_list("id", "root_id")
    }


def _pieces(ids: Iterable[int], size: int = 5000) -> Iterable[list[int]]:
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
        for piece in _pieces(roots)
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


def by_ids(ids: Iterable[int]) -> dict[int, Card]:
    """Asked id → card of its customer, for those that exist. Four queries however many (for each 5,000)."""
    root = roots_of(ids)
    cards: dict[int, Card] = {}
    for piece in _pieces(root.values()):
        rows = list(Customer.objects.filter(id__in=piece).select_related("home_store"))
        seen: dict[int, datetime] = {}
        for id, at in (
            Customer.objects.filter(root_id__in=piece).exclude(last_seen_at=None).values_list("root_id", "last_seen_at")
        ):
            if at is not None:
                seen[id] = max(at, seen.get(id, at))
        shown: dict[int, list[tuple[str, str]]] = defaultdict(list)
        named = Identity.objects.filter(customer__root_id__in=piece).exclude(kind__in=("anonymous_id", "device"))
        for id, kind, value in named.order_by("id").values_list("customer__root_id", "kind", "value"):
            shown[id].append((kind, value))
        for row in rows:
            best = sorted(shown[row.pk], key=lambda pair: _FOR_PEOPLE.get(pair[0], 9))[:3]
            cards[row.pk] = Card(
                row.pk, row.name, row.known, row.erased_at is not None, row.city,
                (row.home_store.name or row.home_store.code) if row.home_store else "",
                tuple(masked(kind, value) for kind, value in best), row.created_at, seen.get(row.pk),
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
        root, fields, row.custom, row.known, row.erased_at, row.created_at, card.last_seen_at,
        tuple(members(root)), card,
    )  # fmt: skip


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
    text = text.strip()
    if not text:
        return []
    found: dict[int, None] = {}
    wanted = Q()
    for kind, value in readings(text, region=business().region):
        wanted |= Q(kind=kind, value=value)
    if wanted:
        rows = Identity.objects.filter(wanted).values_list("kind", "customer__root_id")
        for _, root in sorted(rows, key=lambda row: RANK[row[0]]):
            found[root] = None
    digits = text.lstrip("#")
    if digits.isascii() and digits.isdigit() and len(digits) < 19:
        for root in Customer.objects.filter(id=int(digits)).values_list("root_id", flat=True):
            found[root] = None
    key = name_key(text)
    if key:
        for root in _named(key).values_list("root_id", flat=True)[: limit * 2]:
            found[root] = None
    ids = list(found)[:limit]
    cards = by_ids(ids)
    return [cards[id] for id in ids if id in cards]


def _named(key: str) -> QuerySet[Customer]:
    """Names that begin so. A range where that is what the index is ordered by; LIKE has an index on PostgreSQL."""
    if connection.vendor == "postgresql":
        return Customer.objects.filter(name_key__startswith=key).order_by("name_key", "id")
    return Customer.objects.filter(name_key__gte=key, name_key__lt=key + "\U0010ffff").order_by("name_key", "id")


def page(
    *, before: int | None = None, limit: int = 50, known: bool | None = None, tag: str = "", store: str = ""
) -> list[Card]:
    """Customers, the youngest number first, before the number `before`, narrowed by what is given."""
    rows = Customer.objects.filter(merged_into=None).order_by("-id")
    rows = rows.filter(id__lt=before) if before else rows
    rows = rows.filter(known=known) if known is not None else rows
    rows = rows.filter(home_store__code=store) if store else rows
    if tag:
        tagged = Tagging.objects.filter(tag__key=tag.casefold()).values("customer__root_id")
        rows = rows.filter(id__in=tagged)
    ids = list(rows.values_list("id", flat=True)[:limit])
    cards = by_ids(ids)
    return [cards[id] for id in ids]


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """`record` is the record it was made for; `masked` is for lists."""

    id: int
    kind: str
    value: str
    masked: str
    record: int
    first_seen: datetime
    shared: bool
    settled: bool


def _identity_rows(rows: Iterable[Identity]) -> list[IdentityRow]:
    return [
        IdentityRow(
            row.pk, row.kind, row.value, masked(row.kind, row.value), row.customer_id, row.first_seen, row.shared,
            row.settled,
        )
        for row in rows
    ]  # fmt: skip


def identities(customer_id: int) -> list[IdentityRow]:
    """Of all the customer's records, the strongest kinds first."""
    rows = Identity.objects.filter(customer__root_id=root_of(customer_id)).order_by("id")
    return sorted(_identity_rows(rows), key=lambda row: (RANK[row.kind], row.id))


def identities_of(customer_ids: Collection[int]) -> dict[int, list[IdentityRow]]:
    """Asked id → identities, for many."""
    root = roots_of(customer_ids)
    by_root: dict[int, list[IdentityRow]] = defaultdict(list)
    for piece in _pieces(root.values()):
        rows = list(Identity.objects.filter(customer__root_id__in=piece).select_related("customer").order_by("id"))
        for row, shown in zip(rows, _identity_rows(rows), strict=True):
            by_root[row.customer.root_id].append(shown)
    return {id: sorted(by_root[r], key=lambda row: (RANK[row.kind], row.id)) for id, r in root.items()}


@dataclass(frozen=True, slots=True)
class SharedIdentity:
    """`seen_with`: how many of each kind it came together with, at least."""

    id: int
    kind: str
    masked: str
    customer: Card
    flagged_at: datetime
    seen_with: dict[str, int]


def shared_identities(*, limit: int = 50) -> list[SharedIdentity]:
    """Flagged and not looked at by anybody yet, the latest first."""
    rows = list(Identity.objects.filter(shared=True, settled=False).order_by("-flagged_at", "-id")[:limit])
    cards = by_ids(row.customer_id for row in rows)
    return [
        SharedIdentity(
            row.pk, row.kind, masked(row.kind, row.value), cards[row.customer_id], row.flagged_at,
            {kind: len(ids) for kind, ids in row.seen_with.items()},
        )
        for row in rows
        if row.flagged_at is not None
    ]  # fmt: skip


def _entry(row: Consent) -> agreements.Entry:
    return agreements.Entry(
        row.pk, row.channel, row.purpose, row.given, row.at, row.by, row.source, row.undone_at is not None
    )


def consent_history(customer_id: int) -> list[agreements.Entry]:
    """Every entry of all the customer's records, the latest first; those taken back too."""
    rows = Consent.objects.filter(customer__root_id=root_of(customer_id)).order_by("-at", "-id")
    return [_entry(row) for row in rows]


def consent_states(customer_id: int) -> dict[tuple[str, str], agreements.Entry]:
    """(channel, purpose) → the entry that counts; where there is none, nothing is known."""
    return agreements.states(consent_history(customer_id))


def consents_of(customer_ids: Collection[int]) -> dict[int, list[agreements.Entry]]:
    """Root → its entries, for many roots at once."""
    found: dict[int, list[agreements.Entry]] = defaultdict(list)
    for row in Consent.objects.filter(customer__root_id__in=customer_ids).select_related("customer").order_by("id"):
        found[row.customer.root_id].append(_entry(row))
    return found


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
    for piece in _pieces(root.values()):
        rows = Tagging.objects.filter(customer__root_id__in=piece).order_by("tag__key")
        for customer, name in rows.values_list("customer__root_id", "tag__name"):
            by_root[customer][name] = None
    return {id: list(by_root[customer]) for id, customer in root.items()}


def tagged(name: str) -> list[int]:
    """The customers that have the tag, ascending."""
    roots = Tagging.objects.filter(tag__key=name.casefold()[:50]).order_by("customer__root_id")
    return list(roots.values_list("customer__root_id", flat=True).distinct())


def all_tags(*, prefix: str = "", after: str = "", limit: int = 100) -> list[tuple[str, int]]:
    """(name, number of taggings), by name; those that come after the name `after`."""
    rows = list(
        Tag.objects.filter(key__startswith=prefix.casefold(), key__gt=after.casefold()[:50]).order_by("key")[:limit]
    )
    counted = Tagging.objects.filter(tag__in=rows).values_list("tag").annotate(count=Count("id"))
    counts: dict[int, int] = dict(counted)
    return [(row.name, counts.get(row.pk, 0)) for row in rows]


def tag_names(*, limit: int = 100) -> list[str]:
    """Of all tags, to choose from; nothing is counted."""
    return list(Tag.objects.order_by("key").values_list("name", flat=True)[:limit])


@dataclass(frozen=True, slots=True)
class NoteRow:
    id: int
    text: str
    by: str
    at: datetime


def notes(customer_id: int, *, before: int | None = None, limit: int = 100) -> list[NoteRow]:
    """Of all the customer's records, the latest first, without those deleted."""
    rows = Note.objects.filter(customer__root_id=root_of(customer_id), deleted_at=None).order_by("-id")
    rows = rows.filter(id__lt=before) if before else rows
    return [NoteRow(row.pk, row.text, row.by, row.at) for row in rows[:limit]]


@dataclass(frozen=True, slots=True)
class MergeRow:
    """`source` and `target` are records; `kind` the kind of identity an automatic merge rests on, "" for one by hand.
    Active ones can be undone (services.unmerge).
    """

    id: int
    source: int
    target: int
    automatic: bool
    kind: str
    by: str
    at: datetime
    undone_at: datetime | None


def merges(customer_id: int) -> list[MergeRow]:
    """Those that made this customer what it is, and those undone that one of its records was part of; latest first."""
    ids = members(customer_id)
    rows = Merge.objects.filter(Q(source__in=ids) | Q(target__in=ids)).order_by("-at", "-id")
    return [
        MergeRow(
            row.pk,
            row.source_id,
            row.target_id,
            row.automatic,
            row.grounds.get("kind", ""),
            row.by,
            row.at,
            row.undone_at,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class MergePreview:
    """What merging would do: who goes under whom, where their fields differ ((source's, target's) value; the target's
    stays unless chosen otherwise), what comes along; `warnings` for a person to think about.
    """

    source: Card
    target: Card
    differing: dict[str, tuple[Any, Any]]
    filled: dict[str, Any]
    identities: int
    tags: int
    notes: int
    consents: int
    warnings: tuple[Text, ...]


def merge_preview(*, source: int, target: int) -> MergePreview:
    """Raises NotFound, and Conflict where merging isn't possible."""
    under, over = live_root(source), live_root(target)
    if under.pk == over.pk:
        raise Conflict("same_customer", Text("These are one customer already.", "他们已经是同一位客户。"))
    theirs, ours = _given(get(under.pk)), _given(get(over.pk))
    of_source = Identity.objects.filter(customer__root_id=under.pk)
    warnings = []
    if (
        of_source.filter(kind="user_id").exists()
        and Identity.objects.filter(kind="user_id", customer__root_id=over.pk).exists()
    ):
        warnings.append(
            Text(
                "Both have a user id of their own. Are they one person?",
                "两位客户各有自己的用户 ID，确定是同一个人吗？",
            )
        )
    if theirs.get("birthday") and ours.get("birthday") and theirs["birthday"] != ours["birthday"]:
        warnings.append(Text("Their birthdays differ.", "两位客户的生日不同。"))
    cards = by_ids([under.pk, over.pk])
    return MergePreview(
        cards[under.pk],
        cards[over.pk],
        {name: (theirs[name], ours[name]) for name in theirs if name in ours and theirs[name] != ours[name]},
        {name: value for name, value in theirs.items() if name not in ours},
        of_source.count(),
        len(tags(under.pk)),
        Note.objects.filter(customer__root_id=under.pk, deleted_at=None).count(),
        len(consent_states(under.pk)),
        tuple(warnings),
    )


def _given(profile: Profile) -> dict[str, Any]:
    return {name: value for name, value in (profile.fields | profile.custom).items() if value is not None}


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change of the profile by hand: field → (before, after)."""

    id: int
    fields: dict[str, tuple[Any, Any]]
    by: str
    at: datetime
    undone: bool


def profile_changes(customer_id: int, *, limit: int = 20) -> list[ChangeRow]:
    """The latest first."""
    rows = ProfileChange.objects.filter(customer__root_id=root_of(customer_id)).order_by("-id")[:limit]
    return [
        ChangeRow(
            row.pk,
            {name: ((row.before[name] or [None])[0], row.after[name][0]) for name in row.after},
            row.by,
            row.at,
            row.undone_at is not None,
        )
        for row in rows
    ]


def stores() -> list[tuple[str, str]]:
    """(code, name) of every store, by name; the code where it has no name."""
    return sorted(
        ((code, name or code) for code, name in Store.objects.values_list("code", "name")), key=lambda pair: pair[1]
    )
