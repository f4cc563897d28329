from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.kernel import clock, ids


def test_a_frozen_clock_says_its_moment() -> None:
    at = datetime(2026, 2, 28, 23, 59, tzinfo=UTC)
    with clock.frozen(at):
        assert clock.now() == at
        assert clock.today("Asia/Shanghai") == date(2026, 3, 1)
    assert clock.now() != at


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_lose_nothing(at: datetime) -> None:
    assert clock.from_micros(clock.micros(at)) == at


@given(st.dates())
def test_days_are_counted_from_1970(day: date) -> None:
    assert clock.day_of(clock.day_number(day)) == day
    assert clock.day_number(date(1970, 1, 1)) == 0


def test_ids_grow_even_when_the_clock_goes_back() -> None:
    with clock.frozen(datetime(2026, 1, 2, tzinfo=UTC)):
        first = ids.new_id()
    with clock.frozen(datetime(2026, 1, 1, tzinfo=UTC)):
        later = [ids.new_id() for _ in range(1000)]
    assert [first, *later] == sorted({first, *later})
    assert {x[12] for x in later} == {"7"}
    assert {x[16] for x in later} <= set("89ab")


def test_ids_of_one_millisecond_grow_whatever_chance_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_last", 0)
    made, at = [], datetime(2026, 1, 1, tzinfo=UTC)
    for millisecond in range(300):  # two fresh draws each: the second's may be the greater or the smaller
        with clock.frozen(at + timedelta(milliseconds=millisecond)):
            made += [ids.new_id(), ids.new_id()]
    assert made == sorted(set(made))
    assert {(UUID(one).version, UUID(one).variant) for one in made} == {(7, "specified in RFC 4122")}
