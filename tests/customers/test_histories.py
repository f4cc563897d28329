"""Random histories: a batch counts like its claims one by one; whatever was merged comes apart again as it was."""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import TestCase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regulars.accounts.actors import SYSTEM
from regulars.accounts.services import change_settings
from regulars.customers import memory, profiles, queries
from regulars.customers.models import Customer, Identity, Merge, Note, ProfileChange, Removed, Tagging
from regulars.customers.services import (
    Claim,
    add_note,
    erase,
    give_consent,
    merge,
    resolve,
    retag,
    tag,
    unmerge,
    untag,
    update_profile,
    withdraw_consent,
)
from regulars.eventlog.queries import recent, timeline
from regulars.eventlog.services import NewEvent, append
from regulars.kernel import clock
from regulars.kernel.errors import Conflict
from tests.customers.conftest import MONDAY

_KEYS = [
    *[("user_id", f"u{n}") for n in range(4)], *[("anonymous_id", f"a{n}") for n in range(3)],
    *[("phone", f"1381234567{n}") for n in range(2)], *[("email", f"p{n}@example.com") for n in range(3)],
    ("device", "tablet"), ("member_card", "C1"), ("user_id", "null"),
]  # fmt: skip
_TRAITS = st.dictionaries(
    st.sampled_from(["name", "city", "plan", "email"]), st.sampled_from(["x", "y", "z@example.com", None]), max_size=2
)
_CLAIMS = st.builds(
    lambda keys, traits, minute: Claim(tuple(keys), traits, MONDAY + timedelta(minutes=minute)),
    st.lists(st.sampled_from(_KEYS), min_size=1, max_size=3, unique=True),
    st.one_of(st.just({}), st.just({}), _TRAITS),
    st.integers(0, 300),
)
_QUIET = settings(
    max_examples=int(os.environ.get("REGULARS_EXAMPLES", 25)), deadline=None, suppress_health_check=list(HealthCheck)
)


class _Undone(Exception):
    pass


def _world() -> Any:
    """All that resolution decided, with records and identities numbered by their order."""
    number = {id: place for place, id in enumerate(Customer.objects.order_by("id").values_list("id", flat=True))}
    keys = {row.pk: (row.kind, row.value) for row in Identity.objects.all()}
    cards = queries.by_ids(number)
    return (
        [
            (number[row.root_id], row.facts, row.identified_at, row.created_at,
             cards[row.pk].name, cards[row.pk].city, cards[row.pk].known)
            for row in Customer.objects.order_by("id")
        ],
        sorted(
            (row.kind, row.value, number[row.customer_id], row.first_seen, row.shared, number.get(row.apart_id or 0),
             sorted((kind, [keys[id] for id in ids]) for kind, ids in row.seen_with.items()))
            for row in Identity.objects.all()
        ),
        [(number[row.source_id], number[row.target_id], row.at) for row in Merge.objects.order_by("id")],
        sorted((row.name, number[row.record_id or 0], row.at) for row in recent(limit=1000)),
    )  # fmt: skip


def _played(batches: Sequence[Sequence[Claim]], *, remember: bool) -> Any:
    """Resolve in these batches on an empty database; where everything went, and what the world is then."""
    memory.forget()
    placed: list[int | None] = []
    try:
        with transaction.atomic():
            change_settings(more={"shared_after": 2}, by=SYSTEM)
            for batch in batches:
                with TestCase.captureOnCommitCallbacks(execute=remember):
                    placed += resolve(batch)
            number = {
                id: place for place, id in enumerate(Customer.objects.order_by("id").values_list("id", flat=True))
            }
            world = [None if id is None else number[id] for id in placed], _world()
            raise _Undone
    except _Undone:
        pass
    return world


@pytest.mark.django_db
@given(claims=st.lists(_CLAIMS, min_size=1, max_size=25), cuts=st.lists(st.integers(1, 6), min_size=1))
@_QUIET
def test_a_batch_counts_like_its_claims_one_by_one(claims: list[Claim], cuts: list[int]) -> None:
    one_by_one = _played([[claim] for claim in claims], remember=False)
    assert _played([claims], remember=False) == one_by_one
    batches: list[list[Claim]] = []
    start = 0
    while start < len(claims):
        size = cuts[len(batches) % len(cuts)]
        batches.append(claims[start : start + size])
        start += size
    assert _played(batches, remember=True) == one_by_one


@pytest.mark.django_db
@given(claims=st.lists(_CLAIMS, min_size=1, max_size=25))
@_QUIET
def test_claims_that_come_twice_change_nothing_and_user_ids_stay_apart(claims: list[Claim]) -> None:
    memory.forget()
    try:
        with transaction.atomic():
            first = resolve(claims)
            world = _world()
            again = resolve(claims)
            assert _world()[0:3] == world[0:3]
            if not any(row.shared for row in Identity.objects.all()):
                assert again == first
            owned = [row.customer.root_id for row in Identity.objects.filter(kind="user_id").select_related("customer")]
            assert len(owned) == len(set(owned))
            raise _Undone
    except _Undone:
        pass


def _snapshot() -> Any:
    """Everything that belongs to somebody, as it is shown of each record's customer."""
    ids = list(Customer.objects.order_by("id").values_list("id", flat=True))
    return {
        id: (
            queries.get(id), queries.identities(id), queries.tags(id), queries.notes(id),
            queries.consent_states(id), timeline(queries.members(id), names=["Seen"], limit=1000),
        )
        for id in ids
    }  # fmt: skip


def _taggings() -> list[Any]:
    """With the record each is of, which a merge hides."""
    return sorted(Tagging.objects.values_list("tag__name", "customer_id", "by", "at"))


def _holds() -> None:
    """The pointers agree with each other, and what is shown is what the records' facts add up to."""
    rows = {row.pk: row for row in Customer.objects.all()}
    for row in rows.values():
        top = row
        while top.merged_into_id is not None:
            top = rows[top.merged_into_id]
        assert row.root_id == top.pk
        active = Merge.objects.filter(source=row.pk, undone_at=None)
        assert [merge.target_id for merge in active] == ([] if row.merged_into_id is None else [row.merged_into_id])
    for root in (row for row in rows.values() if row.root_id == row.pk):
        members = [row for row in rows.values() if row.root_id == root.pk]
        facts = [(row.pk, row.facts) for row in members]
        chosen = Merge.objects.filter(source__in=[row.pk for row in members], undone_at=None)
        facts += [(merge.source_id, merge.fields) for merge in chosen]
        shown = profiles.folded(facts)
        assert root.name == shown.get("name", "")
        assert root.city == shown.get("city", "")
        assert root.custom == {name: value for name, value in shown.items() if name not in profiles.FIELDS}
        assert root.known == any(row.identified_at for row in members)


_STEPS = st.one_of(
    st.tuples(st.just("claim"), _CLAIMS),
    st.tuples(st.just("claim"), _CLAIMS),
    st.tuples(st.just("merge"), st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans())),
    st.tuples(st.just("merge"), st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans())),
    st.tuples(st.just("unmerge"), st.integers(0, 9)),
    st.tuples(st.just("tag"), st.tuples(st.integers(0, 9), st.sampled_from(["VIP", "tea"]))),
    st.tuples(st.just("untag"), st.tuples(st.integers(0, 9), st.sampled_from(["VIP", "tea"]), st.booleans())),
    st.tuples(st.just("note"), st.integers(0, 9)),
    st.tuples(st.just("consent"), st.tuples(st.integers(0, 9), st.booleans())),
    st.tuples(st.just("name"), st.tuples(st.integers(0, 9), st.sampled_from(["Wang", "Li"]))),
)
_WITH_ERASURES = st.one_of(
    _STEPS, _STEPS, st.tuples(st.just("erase"), st.tuples(st.integers(0, 9), st.integers(0, 300)))
)


def _pick(place: int) -> int | None:
    ids = list(Customer.objects.order_by("id").values_list("id", flat=True))
    return ids[place % len(ids)] if ids else None


def _step(kind: str, what: Any, origin: dict[int, int], count: int) -> None:
    if kind == "claim":
        (record,) = resolve([what])
        if record is not None:
            append([NewEvent(f"m{count}", "Seen", record, what.at, what.at, {}, {}, "demo")])
            origin[count] = record
        return
    if kind == "unmerge":
        merges = list(Merge.objects.filter(undone_at=None).order_by("id"))
        if merges:
            unmerge(merge_id=merges[what % len(merges)].pk, by=SYSTEM)
        return
    chosen = _pick(what if isinstance(what, int) else what[0])
    if chosen is None:
        return
    if kind == "tag":
        tag(customer_ids=[chosen], name=what[1], by=SYSTEM)
    elif kind == "untag":
        before, rows = _snapshot(), _taggings()
        gone = untag(customer_ids=[chosen], name=what[1], by=SYSTEM)
        assert what[1] not in [row.name for row in queries.tags(chosen)]
        if what[2]:
            assert retag(removal=gone.removal, by=SYSTEM) == gone.customer_ids
            assert _snapshot() == before and _taggings() == rows
    elif kind == "note":
        add_note(customer_id=chosen, text=f"note {count}", by=SYSTEM)
    elif kind == "consent":
        (give_consent if what[1] else withdraw_consent)(
            customer_id=chosen, channel="sms", purpose="marketing", by=SYSTEM
        )
    elif kind == "name":
        update_profile(customer_id=chosen, fields={"name": what[1]}, by=SYSTEM)
    elif kind == "merge":
        other = _pick(what[1])
        assert other is not None
        if queries.root_of(chosen) != queries.root_of(other):
            before = _snapshot()
            keep = ["name"] if what[2] and queries.get(chosen).fields["name"] else []
            made = merge(source=chosen, target=other, by=SYSTEM, keep_from_source=keep)
            _holds()
            assert queries.get(chosen).records == queries.get(other).records
            if what[2]:
                unmerge(merge_id=made, by=SYSTEM)
                assert _snapshot() == before


@pytest.mark.django_db
@given(steps=st.lists(_STEPS, min_size=2, max_size=20), order=st.randoms(use_true_random=False))
@_QUIET
def test_whatever_was_merged_comes_apart_as_it_was(steps: list[tuple[str, Any]], order: Any) -> None:
    memory.forget()
    try:
        with transaction.atomic():
            origin: dict[int, int] = {}
            for count, (kind, what) in enumerate(steps):
                _step(kind, what, origin, count)
            _holds()
            while active := list(Merge.objects.filter(undone_at=None)):
                unmerge(merge_id=order.choice(active).pk, by=SYSTEM)
            _holds()
            for row in Customer.objects.all():
                assert row.root_id == row.pk
                shown = queries.get(row.pk)
                assert shown.records == (row.pk,)
                assert shown.fields["name"] == row.facts.get("name", [None])[0]
                seen = timeline([row.pk], names=["Seen"], limit=1000)
                assert {event.message_id for event in seen} == {f"m{n}" for n, r in origin.items() if r == row.pk}
                assert {identity.record for identity in queries.identities(row.pk)} <= {row.pk}
            raise _Undone
    except _Undone:
        pass


def _nameless(records: set[int]) -> None:
    """Nothing is left that names an erased person, whatever came after."""
    rows = list(Customer.objects.filter(id__in=records))
    assert all(not (row.facts or row.name or row.city or row.custom or row.known or row.identified_at) for row in rows)
    assert all(row.erased_at for row in rows)
    assert not Identity.objects.filter(customer__in=records).exists()
    assert not Tagging.objects.filter(customer__in=records).exists()
    assert not ProfileChange.objects.filter(customer__in=records).exists()
    assert not Removed.objects.filter(customer__in=records).exists()
    assert not Note.objects.filter(customer__in=records).exclude(text="").exists()
    assert not Merge.objects.filter(source__in=records).exclude(fields={}, grounds={}).exists()


def _erase(what: tuple[int, int], erased: set[int]) -> None:
    """Erase somebody; everybody else is who they were."""
    chosen = _pick(what[0])
    if chosen is None or chosen in erased:
        return
    before, records = _snapshot(), set(queries.members(chosen))
    with clock.frozen(MONDAY + timedelta(minutes=what[1])):
        assert erase(customer_id=chosen, by=SYSTEM) == len(records)
    after = _snapshot()
    assert {id: shown for id, shown in after.items() if id not in records} == {
        id: shown for id, shown in before.items() if id not in records
    }
    assert {id: len(shown[-1]) for id, shown in after.items()} == {id: len(shown[-1]) for id, shown in before.items()}
    erased |= records


@pytest.mark.django_db
@given(steps=st.lists(_WITH_ERASURES, min_size=2, max_size=20))
@_QUIET
def test_who_was_erased_stays_nameless_and_no_event_is_lost(steps: list[tuple[str, Any]]) -> None:
    memory.forget()
    try:
        with transaction.atomic():
            origin: dict[int, int] = {}
            erased: set[int] = set()
            for count, (kind, what) in enumerate(steps):
                if kind == "erase":
                    _erase(what, erased)
                else:
                    try:
                        with transaction.atomic():
                            _step(kind, what, origin, count)
                    except Conflict as refused:
                        assert refused.code == "erased"
                _nameless(erased)
                _holds()
            for id in Customer.objects.values_list("id", flat=True):
                seen = timeline([id], names=["Seen"], limit=1000)
                assert {event.message_id for event in seen} == {f"m{n}" for n, record in origin.items() if record == id}
            raise _Undone
    except _Undone:
        pass
