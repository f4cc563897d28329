"""Customers from files: thousands of rows at a time, each told what became of it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.queries import business
from regulars.customers import consents, profiles
from regulars.customers.bulk import pieces
from regulars.customers.identities import normalised
from regulars.customers.models import Consent, Customer, Tag, Tagging
from regulars.customers.queries import consents_of
from regulars.customers.services.resolve import Claim, resolve
from regulars.customers.services.tags import named
from regulars.eventlog.services import NewEvent, append, compose
from regulars.kernel import clock
from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text

_NOBODY = Text(
    "Nothing in this row tells who it is. Give a phone, an e-mail address, a member card or a number.",
    "这一行没有可识别客户的内容，请提供手机号、邮箱、会员卡或客户编号。",
)


_ERASED = Text(
    "This person has asked to be erased since; the row says how it was before.",
    "此人后来要求删除个人信息，该行是删除之前的资料。",
)


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A row as it came: identities and traits unchecked; consents as (channel, purpose, given). `at` is when it was
    true (the time of the file): facts written later stay. `since`: customer since.
    """

    identities: tuple[tuple[str, str], ...]
    traits: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    consents: tuple[tuple[str, str, bool], ...] = ()
    at: datetime | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """`customer_id` is None when the row couldn't be taken; then `problems` says why. Otherwise they tell what of
    the row was left out.
    """

    customer_id: int | None
    new: bool
    problems: tuple[Invalid, ...]


def _checked(
    row: CustomerRow, region: str, today: date
) -> tuple[tuple[tuple[str, str], ...], dict[str, Any], list[Invalid]]:
    keys: list[tuple[str, str]] = []
    traits: dict[str, Any] = {}
    problems: list[Invalid] = []
    for kind, value in row.identities:
        try:
            keys.append((kind, normalised(kind, value, region=region)))
        except Invalid as problem:
            problems.append(problem)
    for name, value in row.traits.items():
        try:
            traits[name] = profiles.checked(name, value, today=today)
        except Invalid as problem:
            problems.append(problem)
    if not keys and not problems:
        problems.append(Invalid("nobody", _NOBODY))
    return tuple(keys), traits, problems


@transaction.atomic
def import_customers(rows: Sequence[CustomerRow], by: Actor) -> list[ImportOutcome]:
    """Bring rows in, as if one after the other: make or find the customer, write traits, tags and consents. The same
    rows again change nothing. Faults of a row are told in its outcome, never raised. Some twenty queries for thousands.
    """
    by.require("imports.run")
    own = business()
    now, today = clock.now(), clock.today(own.zone)
    checked = [_checked(row, own.region, today) for row in rows]
    claims = [
        Claim(keys, {name: value for name, value in traits.items() if value is not None}, row.at or now)
        for row, (keys, traits, _) in zip(rows, checked, strict=True)
    ]
    last = Customer.objects.order_by("-id").values_list("id", flat=True).first() or 0
    late: set[int] = set()
    records = [None if place in late else one for place, one in enumerate(resolve(claims, late=late, by=by.ref))]
    roots: dict[int, int] = {}
    for piece in pieces({record for record in records if record is not None}):
        roots |= dict(Customer.objects.filter(id__in=piece).values_list("id", "root_id"))
    outcomes: list[ImportOutcome] = []
    tagged: dict[str, dict[int, None]] = defaultdict(dict)
    agreed: list[tuple[int, str, str, bool, datetime]] = []
    since: dict[int, datetime] = {}
    made: set[int] = set()
    for place, (row, record, (_, _, problems)) in enumerate(zip(rows, records, checked, strict=True)):
        if place in late:
            problems.append(Invalid("erased", _ERASED))
        if record is None:
            outcomes.append(ImportOutcome(None, False, tuple(problems)))
            continue
        for name in row.tags:
            try:
                tagged[named(name)][roots[record]] = None
            except Invalid as problem:
                problems.append(problem)
        for channel, purpose, given in row.consents:
            try:
                consents.checked(channel, purpose)
                agreed.append((roots[record], channel, purpose, given, row.at or now))
            except Invalid as problem:
                problems.append(problem)
        if row.since is not None:
            since[record] = min(row.since, since.get(record, row.since))
        outcomes.append(ImportOutcome(roots[record], record > last and record not in made, tuple(problems)))
        made.add(record)
    _date_back(since)
    events = [event for name, ids in tagged.items() for event in _tag(name, list(ids), by)]
    append(events + _agree(agreed, by))
    return outcomes


def _date_back(since: dict[int, datetime]) -> None:
    for piece in pieces(since):
        rows = list(Customer.objects.filter(id__in=piece).only("id", "created_at"))
        earlier = [row for row in rows if since[row.pk] < row.created_at]
        for row in earlier:
            row.created_at = since[row.pk]
        Customer.objects.bulk_update(earlier, ["created_at"], batch_size=400)


def _tag(name: str, roots: list[int], by: Actor) -> list[NewEvent]:
    """Like services.tag, without its capability: who may import may bring tags."""
    tag, _ = Tag.objects.get_or_create(key=name.casefold()[:50], defaults={"name": name})
    events = []
    for piece in pieces(roots):
        have = Tagging.objects.filter(tag=tag, customer__root_id__in=piece)
        fresh = sorted(set(piece) - set(have.values_list("customer__root_id", flat=True)))
        Tagging.objects.bulk_create([Tagging(tag=tag, customer_id=id, by=by.ref) for id in fresh])
        events += [compose("Tag Added", customer_id=id, properties={"tag": tag.name}, by=by) for id in fresh]
    return events


def _agree(agreed: list[tuple[int, str, str, bool, datetime]], by: Actor) -> list[NewEvent]:

    states: dict[int, dict[tuple[str, str], tuple[bool, datetime]]] = defaultdict(dict)
    for piece in pieces({root for root, *_ in agreed}):
        for root, entries in consents_of(piece).items():
            states[root] = {key: (entry.given, entry.at) for key, entry in consents.states(entries).items()}
    fresh, events = [], []
    for root, channel, purpose, given, at in agreed:
        present = states[root].get((channel, purpose))
        if present is not None and (present[0] == given or present[1] > at):
            continue
        states[root][channel, purpose] = given, at
        fresh.append(
            Consent(customer_id=root, channel=channel, purpose=purpose, given=given, by=by.ref, at=at, source="import")
        )
        name = "Consent Given" if given else "Consent Withdrawn"
        properties = {"channel": channel, "purpose": purpose}
        events.append(compose(name, customer_id=root, properties=properties, by=by, at=at))
    Consent.objects.bulk_create(fresh)
    return events
