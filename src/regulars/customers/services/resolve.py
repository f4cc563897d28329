"""Who did it: from the identities of thousands of events to the records they belong to, merging what has to be merged.

The rules, applied to one claim after the other:
1. The strongest identity that leads somewhere decides (identities.KINDS is in that order). A user id always does.
2. Identities not seen before join the record decided on; when none leads anywhere a new record is made.
3. Where another identity of the claim leads to a different customer, the two are merged, unless both have user ids, or
   somebody has undone that merge before. A customer without a user id goes under one that has one.
4. What is dated before a person was erased, and by its strongest identity is theirs, stays with their record, which
   names nobody, and tells nothing new of anybody. What is dated later begins anew (docs/decisions/0011-erasing.md).
5. A phone, e-mail address, browser or device that came with more than so many different people (business setting
   "shared_after", 5) is flagged as shared. It decides nothing any more and merges nobody; what comes with it alone goes
   to a record apart; a person is shown it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec
from django.db import transaction

from regulars.accounts.actors import SYSTEM
from regulars.accounts.queries import business
from regulars.customers import display, erased, memory, profiles
from regulars.customers.bulk import alone, insert, next_ids, pieces, rows, update
from regulars.customers.identities import COUNTED, NAMES_A_PERSON, RANK, usable
from regulars.customers.models import Customer, Generation, Identity, Merge
from regulars.eventlog.services import NewEvent, append, compose
from regulars.kernel import clock, ids

Key = tuple[str, str]
SHARED_AFTER = 5
_decode = msgspec.json.Decoder().decode


class Claim(msgspec.Struct, frozen=True):
    """What an event says of who did it: (kind, value) pairs as they came, traits (of an identify call), its time.
    `remembered`: the traits are what a client sends along of its user with any event; they count where nobody said
    anything else, however late.
    """

    identities: tuple[Key, ...]
    traits: dict[str, Any]
    at: datetime
    remembered: bool = False


def generation() -> tuple[str, datetime | None]:
    """The present one, and when somebody was last erased. A fresh database begins one of its own, so that nothing
    learnt from another one is believed.
    """
    row = Generation.objects.filter(id=1).values_list("value", "erased_at").first()
    return row or (begin_generation(), None)


def erased_until() -> datetime | None:
    """When somebody was last erased: who did what is dated before may be nobody any more."""
    return generation()[1]


def begin_generation(**also: datetime) -> str:
    """Make everybody forget where identities lead to, once this transaction is committed."""
    row, _ = Generation.objects.update_or_create(id=1, defaults={"value": ids.new_id(), **also})
    return row.value


@dataclass(slots=True, eq=False)
class _Identity:
    id: int
    kind: str
    value: str
    record: int
    seen_with: dict[str, list[int]]
    shared: bool = False
    settled: bool = False
    apart: int | None = None
    first_seen: datetime | None = None
    flagged_at: datetime | None = None  # in this batch
    new: bool = False
    changed: bool = False


@dataclass(slots=True)
class _Scene:
    """The part of the database that a batch touches, and what the batch does to it."""

    cap: int
    identity_ids: Iterator[int]
    record_ids: Iterator[int]
    identities: dict[Key, _Identity] = field(default_factory=dict)
    root: dict[int, int] = field(default_factory=dict)
    members: dict[int, list[int]] = field(default_factory=dict)
    owned: set[int] = field(default_factory=set)  # roots with a user id
    parted: list[tuple[int, int]] = field(default_factory=list)  # records that a person has taken apart
    anonymous: set[int] = field(default_factory=set)  # records without an identity that names a person
    records: dict[int, datetime] = field(default_factory=dict)  # new ones
    identified: dict[int, tuple[set[str], datetime]] = field(default_factory=dict)
    merges: list[tuple[int, int, _Identity, datetime]] = field(default_factory=list)
    flagged: bool = False
    by: str = ""

    def place(self, keys: Sequence[Key], at: datetime) -> int:
        """The record a claim with these identities (strongest first, one user id at most) belongs to."""
        claimed = [self._identity(key) for key in keys]
        self._count(claimed, at)
        deciding = [one for one in claimed if one.record and not one.shared]
        if claimed[0].kind == "user_id":
            record = claimed[0].record or self._new_record(at)
        elif deciding:
            record = deciding[0].record
        elif not all(one.record for one in claimed):
            record = self._new_record(at)
        else:
            strongest = claimed[0]
            if strongest.apart is None:
                strongest.apart = self._new_record(at)
                strongest.changed = True
            return strongest.apart
        joining = [one for one in claimed if not one.record]
        for one in joining:
            one.record, one.first_seen = record, at
        if joining:
            self._joined(record, joining, at)
        for one in deciding:
            self._unite(record, one, at)
        return record

    def _identity(self, key: Key) -> _Identity:
        found = self.identities.get(key)
        if found is None:
            found = self.identities[key] = _Identity(next(self.identity_ids), *key, 0, {}, new=True)
        return found

    def _new_record(self, at: datetime) -> int:
        record = next(self.record_ids)
        self.records[record] = at
        self.root[record] = record
        self.members[record] = [record]
        self.anonymous.add(record)
        return record

    def _count(self, claimed: list[_Identity], at: datetime) -> None:
        if len(claimed) == 1:
            return
        for one in claimed:
            counted = COUNTED.get(one.kind)
            if counted is None or one.shared:
                continue
            for other in claimed:
                if other.kind in counted:
                    seen = one.seen_with.setdefault(other.kind, [])
                    if other.id not in seen and len(seen) <= self.cap:
                        seen.append(other.id)
                        one.changed = True
                    if len(seen) > self.cap and not one.settled:
                        one.shared, one.flagged_at, self.flagged = True, at, True

    def _joined(self, record: int, joining: list[_Identity], at: datetime) -> None:
        kinds = {one.kind for one in joining}
        if "user_id" in kinds:
            self.owned.add(self.root[record])
        if record in self.anonymous and kinds & NAMES_A_PERSON:
            self.anonymous.discard(record)
            self.identified[record] = (kinds & NAMES_A_PERSON, at)

    def _unite(self, record: int, one: _Identity, at: datetime) -> None:
        mine, theirs = self.root[record], self.root[one.record]
        if mine == theirs or (mine in self.owned and theirs in self.owned):
            return
        for first, second in self.parted:
            if {self.root.get(first), self.root.get(second)} == {mine, theirs}:
                return
        source, target = (mine, theirs) if theirs in self.owned else (theirs, mine)
        self.merges.append((source, target, one, at))
        for member in self.members[source]:
            self.root[member] = target
        self.members[target] += self.members.pop(source)
        if source in self.owned:
            self.owned.add(target)


def _load(keys: set[Key], claims: int, cap: int) -> _Scene:
    by_kind: dict[str, list[str]] = defaultdict(list)
    for kind, value in keys:
        by_kind[kind].append(value)
    found: dict[Key, _Identity] = {}
    for kind, values in by_kind.items():
        of_kind = rows(
            "SELECT id, kind, value, customer_id, seen_with, shared, settled, apart_id FROM customers_identity "
            "WHERE kind = %s AND value {among}", values, "text", kind,
        )  # fmt: skip
        for id, kind, value, record, seen_with, shared, settled, apart in of_kind:
            found[kind, value] = _Identity(
                id, kind, value, record, _decode(seen_with), bool(shared), bool(settled), apart
            )
    scene = _Scene(cap, next_ids(Identity, len(keys) - len(found)), next_ids(Customer, claims), found)
    touched = {one.record for one in found.values()} | {one.apart for one in found.values() if one.apart}
    members = rows(
        "SELECT id, root_id, identified_at IS NULL FROM customers_customer WHERE root_id IN (SELECT root_id FROM "
        "customers_customer WHERE id {among}) ORDER BY id", touched, "bigint",
    )  # fmt: skip
    for id, root, anonymous in members:
        scene.root[id] = root
        scene.members.setdefault(root, []).append(id)
        if anonymous:
            scene.anonymous.add(id)
    owned = rows(
        "SELECT customer_id FROM customers_identity WHERE kind = 'user_id' AND customer_id {among}",
        scene.root,
        "bigint",
    )
    scene.owned.update(scene.root[record] for (record,) in owned)
    undone = rows(
        "SELECT source_id, target_id FROM customers_merge WHERE undone_at IS NOT NULL AND source_id {among}",
        scene.root, "bigint",
    )  # fmt: skip
    scene.parted = [(source, target) for source, target in undone if target in scene.root]
    return scene


def _save(scene: _Scene) -> None:
    insert(
        Customer,
        (
            "id",
            "root_id",
            "created_at",
            "facts",
            "custom",
            "name",
            "name_key",
            "name_rest",
            "gender",
            "city",
            "language",
            "known",
        ),
        [(id, id, at, {}, {}, "", "", "", "", "", "", False) for id, at in scene.records.items()],
    )
    fresh = [one for one in scene.identities.values() if one.new]
    insert(
        Identity,
        ("id", "kind", "value", "customer", "first_seen", "seen_with", "shared", "flagged_at", "settled", "apart",
         "by"),
        [
            (one.id, one.kind, one.value, one.record, one.first_seen, one.seen_with, one.shared, one.flagged_at,
             False, one.apart, scene.by)
            for one in fresh
        ],
    )  # fmt: skip
    changed = [one for one in scene.identities.values() if one.changed and not one.new]
    update(Identity, ("seen_with", "apart"), [(one.seen_with, one.apart, one.id) for one in changed])
    newly = [(True, one.flagged_at, one.id) for one in changed if one.flagged_at]
    update(Identity, ("shared", "flagged_at"), newly)
    update(Customer, ("identified_at",), [(at, record) for record, (_, at) in scene.identified.items()])
    merge_ids = list(next_ids(Merge, len(scene.merges))) if scene.merges else []
    insert(
        Merge,
        ("id", "source", "target", "automatic", "grounds", "fields", "by", "at", "undone_by"),
        [
            (id, source, target, True, {"kind": one.kind, "identity": one.id}, {}, SYSTEM.ref, at, "")
            for id, (source, target, one, at) in zip(merge_ids, scene.merges, strict=True)
        ],
    )
    update(Customer, ("merged_into",), [(target, source) for source, target, _, _ in scene.merges])
    moved = {member for _, target, _, _ in scene.merges for member in scene.members.get(target, ())}
    update(Customer, ("root_id",), [(scene.root[member], member) for member in sorted(moved)])
    events: list[NewEvent] = [
        compose("Customer Identified", customer_id=record, properties={"kinds": sorted(kinds)}, by=SYSTEM, at=at,
                message_id=f"identified:{record}:{clock.micros(at)}")
        for record, (kinds, at) in scene.identified.items()
    ]  # fmt: skip
    events += [
        compose("Customers Merged", customer_id=target, properties={"source": source, "target": target, "root": target},
                by=SYSTEM, at=at, message_id=f"merged:{id}")
        for id, (source, target, _, at) in zip(merge_ids, scene.merges, strict=True)
    ]  # fmt: skip
    if events:
        append(events)
    if scene.flagged:
        begin_generation()


def _tell(told: dict[int, list[tuple[dict[str, Any], int]]]) -> set[int]:
    """Write traits to the records they were told of (as of µs), in order; the roots whose facts changed."""
    changed: set[int] = set()
    altered = []
    known = rows("SELECT id, root_id, facts FROM customers_customer WHERE id {among}", told, "bigint")
    for id, root, written in known:
        facts = _decode(written)
        news = [profiles.written(facts, fields, at) for fields, at in told[id]]
        if any(news):
            altered.append((facts, id))
            changed.add(root)
    update(Customer, ("facts",), altered)
    return changed


def _claimed(claim: Claim) -> tuple[Key, ...]:
    """The identities of a claim with those that came among its traits."""
    if not claim.traits:
        return claim.identities
    lifted = tuple(
        (kind, str(claim.traits[trait])) for trait, kind in profiles.IDENTIFYING.items() if claim.traits.get(trait)
    )
    return claim.identities + tuple(pair for pair in lifted if pair not in claim.identities)


def _keys(claimed: Iterable[Key], region: str) -> list[Key]:
    """Normalised, without those that can't be used, strongest first, each once, only the first of two user ids."""
    keys: dict[Key, None] = {}
    for kind, raw in sorted(claimed, key=lambda pair: RANK.get(pair[0], 99)):
        value = usable(kind, raw, region=region)
        if value is not None and not (kind == "user_id" and keys):
            keys[kind, value] = None
    return list(keys)


@transaction.atomic
def resolve(claims: Sequence[Claim], *, late: set[int] | None = None, by: str = "") -> list[int | None]:
    """The record each claim belongs to, in order; None for a claim without a usable identity. `late` is given the
    places of claims of erased people: their events may be kept without anything that names them (`anonymous`). `by`
    says who brought them by hand or in a file (an Actor's ref): what they identify by may be taken away again.

    Makes records, identities and merges as the rules say, as if the claims came one after the other; writes traits into
    profiles by their time. A handful of queries for a batch of any size; none but two when everybody is known.
    """
    if not claims:
        return []
    present, erased_until = generation()
    recall = memory.under(present).get
    claimed = [_claimed(claim) for claim in claims]
    past = [] if erased_until is None else [place for place, one in enumerate(claims) if one.at < erased_until]
    of_erased = _of_erased(claims, claimed, past) if past else {}
    placed: list[int | None] = [of_erased.get(place) or recall(key) for place, key in enumerate(claimed)]
    cold = [index for index, record in enumerate(placed) if record is None]
    learnt: dict[tuple[Key, ...], int] = {}
    changed: set[int] = set()
    if cold:
        learnt, changed = _resolve_cold(claims, claimed, placed, cold, of_erased, by)
    told: dict[int, list[tuple[dict[str, Any], int]]] = defaultdict(list)
    today = clock.today(business().zone) if any(claim.traits for claim in claims) else date.min
    for place, (claim, record) in enumerate(zip(claims, placed, strict=True)):
        if claim.traits and record is not None and place not in of_erased:
            fields_of = profiles.remembered if claim.remembered else profiles.from_traits
            if fields := fields_of(claim.traits, today=today):
                at = clock.micros(claim.at)
                told[record].append((fields, at - profiles.REMEMBERED if claim.remembered else at))
    if told:
        changed |= _tell(told)
    if changed:
        display.refresh(changed)
    if learnt:
        current, _ = generation()
        transaction.on_commit(lambda: memory.keep(current, learnt))
    if late is not None:
        late.update(of_erased)
    return placed


def _of_erased(claims: Sequence[Claim], claimed: list[tuple[Key, ...]], past: Sequence[int]) -> dict[int, int]:
    """Place → record, of the claims that are of somebody erased after they were made. From the others what was erased
    is taken out of `claimed`: a browser that somebody else uses too isn't told of again.
    """
    region = business().region
    keys_of = {key: tuple(_keys(key, region)) for key in {claimed[place] for place in past}}
    gone = erased.among({key for keys in keys_of.values() for key in keys})
    if not gone:
        return {}
    living: set[Key] = set()
    for kind in {kind for keys in keys_of.values() for kind, _ in keys}:
        values = {value for keys in keys_of.values() for which, value in keys if which == kind}
        for piece in pieces(values):
            found = Identity.objects.filter(kind=kind, value__in=piece).values_list("value", flat=True)
            living.update((kind, value) for value in found)
    theirs: dict[int, int] = {}
    for place in past:
        keys = keys_of[claimed[place]]
        erased_here = {key: gone[key][0] for key in keys if key in gone and claims[place].at < gone[key][1]}
        if not erased_here:
            continue
        first = next(key for key in keys if key in erased_here or key in living)
        if first in erased_here:
            theirs[place] = erased_here[first]
        else:
            claimed[place] = tuple(key for key in keys if key not in erased_here)
    return theirs


def _resolve_cold(
    claims: Sequence[Claim],
    claimed: list[tuple[Key, ...]],
    placed: list[int | None],
    cold: list[int],
    settled: Collection[int],
    by: str,
) -> tuple[dict[tuple[Key, ...], int], set[int]]:
    """Fill in `placed` at the places `cold`; what was learnt, and the roots to fold anew. `settled` places stay."""
    alone()
    settings = business()
    cap = int(settings.more.get("shared_after", SHARED_AFTER))
    keys_of = {key: _keys(key, settings.region) for key in {claimed[index] for index in cold}}
    scene, learnt = _play(claims, claimed, cold, keys_of, cap, placed)
    if scene.flagged and len(cold) < len(claims):
        # What is remembered may be wrong from the claim on that had something flagged: all of them, one by one.
        every = [place for place in range(len(claims)) if place not in settled]
        keys_of |= {key: _keys(key, settings.region) for key in set(claimed) - keys_of.keys()}
        scene, learnt = _play(claims, claimed, every, keys_of, cap, placed)
    scene.by = by
    _save(scene)
    refold = {scene.root[target] for _, target, _, _ in scene.merges}
    refold |= {scene.root[record] for record in scene.identified}
    return learnt, refold


def _play(
    claims: Sequence[Claim], claimed: list[tuple[Key, ...]], which: Sequence[int],
    keys_of: dict[tuple[Key, ...], list[Key]], cap: int, placed: list[int | None],
) -> tuple[_Scene, dict[tuple[Key, ...], int]]:  # fmt: skip
    """Go through the claims in memory. The same claim again changes nothing until something is flagged."""
    scene = _load({key for keys in keys_of.values() for key in keys}, len(which), cap)
    learnt: dict[tuple[Key, ...], int] = {}
    for index in which:
        key = claimed[index]
        record = learnt.get(key)
        if record is None:
            keys = keys_of[key]
            if not keys:
                placed[index] = None
                continue
            before = scene.flagged
            scene.flagged = False
            record = scene.place(keys, claims[index].at)
            if scene.flagged:
                learnt.clear()
            scene.flagged = scene.flagged or before
            learnt[key] = record
        placed[index] = record
    return scene, learnt
