"""In a large business what pages ask is answered by each full refresh, and kept in the warehouse."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from regulars.accounts.actors import SYSTEM
from regulars.accounts.services import change_settings
from regulars.kernel import clock
from regulars.warehouse import engine, feed, queries, refresh
from regulars.warehouse.queries import sales
from regulars.warehouse.refresh import standing
from tests.warehouse.conftest import ONE_FILE

moment = sys.modules["regulars.warehouse.queries.snapshot"]
Happened = Callable[..., None]
WARM = queries.warm


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every business counts as large."""
    monkeypatch.setattr(standing, "LARGE", 1)
    monkeypatch.setattr(queries, "LARGE", 1)


@pytest.fixture
def history(happened: Happened) -> None:
    tea, cup = ({"product_id": p, "category": p, "price": 20, "quantity": 1} for p in ("tea", "cup"))
    for record, days in ((1, ("2025-06-05", "2026-02-04", "2026-03-06")), (2, ("2026-01-06", "2026-03-30"))):
        happened("Customer Identified", record, "2025-05-01 02:00", kinds=["email"])
        for n, when in enumerate(days):
            store, goods = ("North", "South")[n % 2], [tea, cup][: 1 + n % 2]
            happened("Order Completed", record, f"{when} 02:00", order_id=f"{record}-{n}", store=store, products=goods)
        happened("Survey Answered", record, "2026-03-12 02:00", kind="nps", score=9, store="North")
    happened("Order Completed", None, "2026-03-10 02:00", order_id="X", store="North", total=5)
    happened("Order Refunded", 2, "2026-03-31 02:00", order_id="2-1", total=10)


def settled(at: str) -> None:
    """As the loop of full refreshes leaves it."""
    with clock.frozen(datetime.fromisoformat(at).replace(tzinfo=UTC)):
        feed.catch_up()
        refresh.live()
        while refresh.step():
            pass


def net(now: queries.Snapshot) -> int:
    return sum(row.net for row in sales.by(now, dimension="store"))


def told(now: queries.Snapshot) -> dict[Any, Any]:
    """Everything that is kept, as pages get it."""
    heard: dict[Any, Any] = {}

    def asking(snapshot: queries.Snapshot, question: Any, ask: Any) -> Any:
        rows = real(snapshot, question, ask)
        # Shorter series are parts of the longest, which is what is kept.
        if question[0] != "series" or question[1] == queries.overview.LONGEST:
            heard[question] = sorted(repr(list(row)) for row in rows)
        return rows

    real = moment.remembered
    with pytest.MonkeyPatch.context() as patch:
        for name in ("answers", "customers", "notices", "overview", "sales", "voice"):
            patch.setattr(sys.modules[f"regulars.warehouse.queries.{name}"], "remembered", asking)
        for _ in WARM(now):
            pass
    return heard


def test_what_is_kept_is_what_would_be_reckoned(large: None, history: None) -> None:
    settled("2026-04-01 01:00")
    now = queries.snapshot()
    moment._answers.clear()
    kept = told(now)
    assert not moment._answers  # nothing was asked of the warehouse
    assert kept == told(replace(now, _kept={}))
    assert len(kept) > 40
    assert net(now) == 2 * 4000 + 2000 * 1 + 2 * 2000 + 500 - 1000


def test_they_stay_until_the_next_full_refresh_and_then_are_of_one_moment(
    large: None, history: None, happened: Happened
) -> None:
    settled("2026-04-01 01:00")
    before = told(queries.snapshot())
    happened("Order Completed", 1, "2026-03-20 02:00", order_id="late", store="North", total=70)
    happened("Order Completed", 1, "2026-04-01 01:10", order_id="new", store="North", total=30)
    settled("2026-04-01 01:30")
    assert told(queries.snapshot()) == before
    assert queries.overview.today(queries.snapshot()).net == 3000  # the running day is told as it is
    settled("2026-04-01 02:30")  # an hour later
    after = queries.snapshot()
    moment._answers.clear()
    assert told(after) == told(replace(after, _kept={})) != before


@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize("change", [{}, {"currency": "USD"}, {"zone": "America/New_York"}])
def test_a_refresh_is_seen_together_with_its_answers(
    large: None, history: None, happened: Happened, anew: bool, change: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    settled("2026-04-01 01:00")
    before, seen = told(queries.snapshot()), []

    def warm(snapshot: queries.Snapshot) -> Iterator[object]:
        """A page is asked for while the answers of the next day are being asked."""
        page = queries.snapshot()
        seen.append((page.as_of, page.version, told(page)))
        yield from WARM(snapshot)

    monkeypatch.setattr(queries, "warm", warm)
    happened("Order Completed", 1, "2026-04-01 02:00", order_id="late", store="North", total=70)
    if change:
        change_settings(by=SYSTEM, **change)
    with clock.frozen(datetime(2026, 4, 3, 1, tzinfo=UTC)):
        feed.catch_up()
        refresh.full(anew=anew)
    monkeypatch.undo()
    now = queries.snapshot()
    moment._answers.clear()
    assert seen == [(now.as_of - (1 if "zone" in change else 2), now.version - 1, before)]
    assert told(now) == told(replace(now, _kept={})) != before
    assert now.refreshed_at == datetime(2026, 4, 3, 1, tzinfo=UTC)


@ONE_FILE
def test_a_large_business_without_answers_is_refreshed(large: None, history: None) -> None:
    settled("2026-04-01 01:00")
    with engine.writing() as pen:
        engine.keep(pen, {"asked": {"version": 1}})  # as an earlier version had it
    assert not queries.snapshot().answered
    settled("2026-04-01 01:10")
    assert queries.snapshot().answered


def test_they_are_there_when_the_warehouse_is_opened_again(large: None, history: None) -> None:
    settled("2026-04-01 01:00")
    before = told(queries.snapshot())
    engine.close()
    moment._answers.clear()
    moment._loaded = (None, {})
    assert told(queries.snapshot()) == before
    assert not moment._answers


def test_a_small_business_is_answered_when_asked(history: None) -> None:
    settled("2026-04-01 01:00")
    assert not queries.snapshot()._kept


def test_what_first_pages_ask_is_asked_at_a_start(history: None) -> None:
    settled("2026-04-01 01:00")
    moment._answers.clear()
    asked = len(list(queries.first_asked()))
    assert asked > len(moment._answers) > 10


def test_a_large_business_is_not_asked_at_a_start_before_it_is_answered(
    history: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled("2026-04-01 01:00")
    monkeypatch.setattr(standing, "LARGE", 1)
    monkeypatch.setattr(queries, "LARGE", 1)
    assert not list(queries.first_asked())
    settled("2026-04-01 01:10")
    moment._answers.clear()
    assert list(queries.first_asked())
    assert {key[1] for key in moment._answers} == {"today"}  # all else is there
