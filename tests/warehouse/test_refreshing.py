"""When customers are judged, as of which day, and what readers see meanwhile."""

import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from regulars.accounts.actors import SYSTEM
from regulars.accounts.services import change_settings
from regulars.eventlog import dispatch
from regulars.eventlog.queries import rows_after
from regulars.kernel import clock
from regulars.warehouse import engine, feed, lake, queries, refresh
from regulars.warehouse.lake import changes
from tests.warehouse.conftest import ONE_FILE

Happened = Callable[..., None]


def day(text: str) -> int:
    return clock.day_number(datetime.fromisoformat(text).date())


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def refreshed(moment: str) -> refresh.State:
    with clock.frozen(at(moment)):
        feed.catch_up()
        return refresh.full()


def test_an_old_file_is_judged_as_of_the_day_after_its_last_order(happened: Happened, people: Any) -> None:
    happened("Order Completed", 1, "2011-12-09 12:50", total=10)
    happened("Page Viewed", 1, "2011-12-20 12:50")
    happened("Customer Identified", 1, "2026-03-01 10:00", kinds=["member_card"])  # by the import, today
    assert refreshed("2026-03-01 12:00").as_of == day("2011-12-10")
    change_settings(by=SYSTEM, more={"as_of": "today"})
    assert refreshed("2026-03-01 12:00").as_of == day("2026-03-01")


def test_a_living_business_is_judged_as_of_its_own_today(happened: Happened) -> None:
    happened("Page Viewed", 1, "2026-02-20 12:00")
    assert refreshed("2026-03-01 12:00").as_of == day("2026-03-01")
    assert refreshed("2026-03-01 17:00").as_of == day("2026-03-02")  # past midnight in Shanghai


def test_a_full_refresh_is_due_for_a_reason(happened: Happened, people: Any) -> None:
    def due_at(moment: str) -> str:
        with clock.frozen(at(moment)):
            feed.catch_up()
            return refresh.due()

    assert due_at("2026-03-01 12:00") == ""  # nothing to judge
    for _ in range(8):
        happened("Order Completed", 1, "2026-03-01 10:00", total=10)
    with clock.frozen(at("2026-03-01 12:00")):
        dispatch.number()
        feed.handle(rows_after(0, 5))
        assert refresh.due() == ""  # the log has more
    assert due_at("2026-03-01 12:00") == "first"
    refreshed("2026-03-01 12:00")
    happened("Order Completed", 1, "2026-03-01 11:00", total=10)
    assert due_at("2026-03-01 12:59") == ""  # the live refresh is enough
    assert due_at("2026-03-01 13:01") == "hour"
    refreshed("2026-03-01 13:01")
    for _ in range(3):
        happened("Order Completed", 2, "2026-03-01 12:00", total=10)
    assert due_at("2026-03-01 13:02") == "grown"
    refreshed("2026-03-01 13:02")
    assert due_at("2026-03-01 15:59") == ""
    assert due_at("2026-03-01 16:01") == "day"  # midnight in Shanghai
    refreshed("2026-03-01 16:01")
    change_settings(by=SYSTEM, more={"cutoffs": {"churn_silent_days": 60}})
    assert due_at("2026-03-01 16:01") == ""  # not again within the second
    assert due_at("2026-03-01 16:30") == "settings"
    with clock.frozen(at("2026-03-01 16:30")):
        assert refresh.step() and not refresh.step()


def test_time_alone_makes_customers_dormant_and_lost(happened: Happened) -> None:
    for month in (1, 2, 3):
        happened("Order Completed", 1, f"2026-{month:02}-01 10:00", total=10)

    def stage(moment: str) -> str:
        refreshed(moment)
        found = queries.customer.scores(queries.snapshot(), 1)
        assert found is not None
        return found.stage

    happened("Page Viewed", 2, "2026-06-20 10:00")  # the business lives
    # 29 days apart on average: dormant beyond 58, lost beyond 116
    assert stage("2026-04-28 10:00") == "active"
    assert stage("2026-04-29 10:00") == "dormant"
    assert stage("2026-06-25 10:00") == "dormant"
    assert stage("2026-06-26 10:00") == "lost"


def test_a_reader_sees_one_moment_whatever_is_written(happened: Happened) -> None:
    happened("Order Completed", 1, "2026-03-01 10:00", total=10)
    refreshed("2026-03-01 12:00")
    before = queries.snapshot()
    happened("Order Completed", 1, "2026-03-01 11:00", total=5)
    with clock.frozen(at("2026-03-01 12:00")):
        feed.catch_up()
        assert refresh.live() == 1
        between = queries.snapshot()
        refresh.full()
    after = queries.snapshot()
    states = [(s.version, s.live, queries.customer.scores(s, 1).net) for s in (before, between, after)]  # type: ignore[union-attr]
    assert states == [(1, 0, 1000), (1, 1, 1500), (2, 1, 1500)]
    assert [queries.overview.today(s).net for s in (before, between, after)] == [1000, 1500, 1500]


def test_what_comes_during_a_full_refresh_is_in_when_it_ends(happened: Happened) -> None:
    """The feed and the live refresh go on while the tables are built; the swap brings them along."""
    happened("Order Completed", 1, "2026-03-01 10:00", total=10)
    refreshed("2026-03-01 12:00")
    happened("Order Completed", 2, "2026-03-01 10:30", total=3)
    seen: list[Any] = []

    def meanwhile(done: int, total: int) -> None:
        if done != 1:
            return
        happened("Order Completed", 1, "2026-03-01 11:00", total=5)
        with clock.frozen(at("2026-03-01 12:00")):
            feed.catch_up()
            assert refresh.live() == 2
        seen.extend(engine.read("SELECT customer_id, net FROM scores ORDER BY 1"))

    with clock.frozen(at("2026-03-01 12:00")):
        refresh.full(report=meanwhile)
    assert seen == [(1, 1500), (2, 300)]
    assert engine.read("SELECT customer_id, net FROM scores ORDER BY 1") == seen
    assert engine.read("SELECT customer_id, sum(net)::BIGINT FROM purchases GROUP BY 1 ORDER BY 1") == seen
    assert refresh.live() == 0


@ONE_FILE
def test_many_readers_while_customers_are_judged_again_and_again(happened: Happened) -> None:
    """Each order is 1.00 and comes with its refresh: within a snapshot every table tells the same number of them."""
    happened("Order Completed", 1, "2026-03-01 10:00", total=1, order_id="0")
    refreshed("2026-03-01 12:00")
    stop, wrong, reads = threading.Event(), list[Any](), [0]

    def reader() -> None:
        while not stop.is_set():
            snapshot = queries.snapshot()
            told = {
                snapshot.read("SELECT net FROM scores WHERE customer_id = 1")[0][0],
                snapshot.read("SELECT sum(net)::BIGINT FROM purchases")[0][0],
                100 * snapshot.read("SELECT orders FROM scores WHERE customer_id = 1")[0][0],
            }
            reads[0] += 1
            if len(told) != 1:
                wrong.append(told)

    threads = [threading.Thread(target=reader) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        with clock.frozen(at("2026-03-01 12:00")):
            for number in range(1, 21):
                happened("Order Completed", 1, "2026-03-01 10:00", total=1, order_id=str(number))
                feed.catch_up()
                if number % 5:
                    refresh.live()
                else:
                    refresh.full()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong and reads[0] > 5
    assert engine.read("SELECT orders, net FROM scores") == [(21, 2100)]


def test_expected_value_is_given_where_there_is_enough_to_learn_from(happened: Happened) -> None:
    """Forty customers in rhythms of their own: the frequent are expected to come more often, the absent to be gone."""
    start = at("2025-01-01 04:00")
    from regulars.eventlog import services
    from regulars.eventlog.rows import NewEvent

    dice = random.Random(5)
    events = []
    for who in range(1, 41):
        gap, leaves, n = 10 + 3 * (who % 10), 60 + 60 * (who % 9), 0.0
        while n < min(leaves, 364):
            moment = start + timedelta(days=int(n))
            events.append(
                NewEvent(
                    f"{who}-{n}", "Order Completed", who, moment, moment, {"total": dice.randint(5, 40)}, {}, "service"
                )
            )
            n += dice.expovariate(1 / gap)
    services.append(events)
    refreshed("2025-12-31 12:00")
    found = queries.customers.page(queries.snapshot(), sort="p_alive", limit=100)
    best, worst = found.rows[0], found.rows[-1]
    assert len(found.rows) == 40
    assert best.p_alive is not None and worst.p_alive is not None and 0 < worst.p_alive < best.p_alive <= 1
    for row in found.rows:
        assert row.expected_value is not None and row.value_low is not None and row.value_high is not None
        assert 0 <= row.value_low <= row.value_high
    live = engine.read("SELECT * FROM scores ORDER BY 1")
    if lake.used():
        again = {"record_id": range(1, 41), "position": [engine.meta("position") + 1] * 40}
        with changes.writing():
            changes.add(tables={"pending": pa.table(again)})
    else:
        with engine.writing() as pen:
            pen.execute("INSERT INTO pending SELECT record_id, 0, true FROM records")
    with clock.frozen(at("2025-12-31 12:00")):
        assert refresh.live() == 40
    assert engine.read("SELECT * FROM scores ORDER BY 1") == live


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_figures_by_command_equal_own_sql(happened: Happened, language: str) -> None:
    import json

    from click.testing import CliRunner

    from regulars.cli.figures import command
    from regulars.kernel import languages

    happened("Customer Identified", 1, "2026-03-01 10:00", kinds=["email"])
    happened("Order Completed", 1, "2026-03-01 10:00", total=12.34, order_id="A")
    happened("Order Completed", 1, "2026-03-02 10:00", products=[{"price": 2, "quantity": 3}, {"price": 0}], total=5)
    happened("Order Refunded", 1, "2026-03-02 11:00", order_id="A", total=2)
    happened("Order Refunded", 1, "2026-03-02 11:00", order_id="R", total=1)  # a number of its own
    happened("Order Completed", 2, "2026-03-01 10:00", total=7, order_id="A")  # somebody unknown
    happened("Order Completed", 1, "2026-03-01 10:00", total=7, currency="USD")
    languages.use(language)
    with clock.frozen(at("2026-03-03 12:00")):
        ran = CliRunner(catch_exceptions=False).invoke(command, ["--json"])
        told = json.loads(ran.stdout)
        one = json.loads(CliRunner(catch_exceptions=False).invoke(command, ["--json", "--day", "2026-03-02"]).stdout)
        people = CliRunner(catch_exceptions=False).invoke(command, []).stdout
    assert told["gross"] == {"lines": 2, "orders": 2, "customers": 1, "revenue": "18.34"}
    assert told["net"] == {"lines_sold": 2, "orders_sold": 2, "customers": 1, "net_revenue": "14.34"}
    assert (told["refunds"]["orders"], told["refunds"]["revenue"]) == (2, "3.00")
    assert told["anonymous"] == {"lines_sold": 1, "orders_sold": 1, "net_revenue": "7.00"}
    assert told["foreign"] == {"USD": {"lines": 1, "revenue": "7.00"}}
    assert (told["since"], told["until"], told["as_of"]) == ("2026-03-01", "2026-03-02", "2026-03-03")
    own = engine.read(
        "SELECT (sum(amount) FILTER (paid))::BIGINT, sum(amount)::BIGINT FROM lines WHERE home AND record_id = 1"
    )
    assert own == [(1834, 1434)]
    assert sum(told["rfm_groups"].values()) == 2 and sum(told["stages"].values()) == 2
    assert (one["gross"]["revenue"], one["net"]["net_revenue"]) == ("6.00", "2.00")
    assert "18.34 CNY" in people and ("高价值" in people) == (language == "zh-hans")
