"""What the feed makes of events: exact amounts, lines, records; each event once, however they come."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import duckdb
import pytest

from regulars.accounts.actors import SYSTEM
from regulars.accounts.services import change_settings
from regulars.eventlog import queries as log
from regulars.kernel import clock
from regulars.kernel.errors import Conflict
from regulars.warehouse import connecting, engine, feed
from tests.warehouse.conftest import ONE_FILE, emptied

Happened = Callable[..., None]


def lines(columns: str = "line, quantity, amount, paid, kind") -> list[tuple[Any, ...]]:
    return engine.read(f"SELECT {columns} FROM lines ORDER BY position, line < 0, line")


def test_products_become_lines_with_exact_amounts(happened: Happened) -> None:
    happened(
        "Order Completed", 7, "2026-01-31 15:59", order_id=4711, currency="cny", affiliation="North",
        products=[
            {"product_id": "a", "name": "Tea", "category": "drinks", "price": 0.285, "quantity": 1},
            {"sku": "b", "price": "0.295", "quantity": 3},
            {"product_id": "c", "price": 12, "quantity": 0.125},
            {"product_id": "d", "price": 0, "quantity": 1},
            {"product_id": "e", "price": 1.1, "quantity": -2},
            {"product_id": "f"},
            "nonsense",
        ],
    )  # fmt: skip
    feed.catch_up()
    assert lines("line, product_id, quantity, amount, paid") == [
        (0, "a", 1000, 28, True),  # half to even
        (1, "b", 3000, 88, True),  # 0.885
        (2, "c", 125, 150, True),
        (3, "d", 1000, 0, False),
        (4, "e", -2000, -220, False),
        (5, "f", 1000, 0, False),
    ]
    assert lines("DISTINCT ON (order_id) order_id, store, channel, day, month, home") == [
        ("4711", "North", None, clock.day_number(datetime(2026, 1, 31, tzinfo=UTC).date()), 2026 * 12, True)
    ]
    assert engine.read("SELECT order_id, amount FROM events") == [("4711", 46)]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"total": 25}, [(0, 1000, 2500, True, "sale")]),
        ({"revenue": "19.90"}, [(0, 1000, 1990, True, "sale")]),
        ({"total": 0}, [(0, 1000, 0, False, "sale")]),
        ({}, []),
        ({"total": "much"}, []),
        ({"total": 1e300}, []),
        ({"products": [{"price": 10}], "total": 10}, [(0, 1000, 1000, True, "sale")]),
        ({"products": [{"price": 10}], "total": 8.5}, [(0, 1000, 1000, True, "sale"), (-1, None, -150, False, "sale")]),
        ({"products": [{}], "total": 8}, [(0, 1000, 0, False, "sale"), (-1, None, 800, True, "sale")]),
        ({"products": [{"price": 9e11, "quantity": 9e8}]}, [(0, 900_000_000_000, 0, True, "sale")]),
    ],
)
def test_a_total_counts_as_it_is_told(
    happened: Happened, properties: dict[str, Any], expected: list[tuple[Any, ...]]
) -> None:
    happened("Order Completed", 1, "2026-01-01 00:00", properties=properties)
    feed.catch_up()
    assert lines() == expected


def test_refunds_take_back_what_they_say_or_what_is_left(happened: Happened) -> None:
    happened("Order Completed", 1, "2026-01-01 00:00", order_id="A", store="North", total=100, via="track:1")
    happened("Order Refunded", 1, "2026-01-02 00:00", order_id="A", total=30)
    happened("Order Refunded", 1, "2026-01-02 00:00", order_id="A", products=[{"price": 5, "quantity": -1}])
    feed.catch_up()
    happened("Order Cancelled", None, "2026-01-03 00:00", order_id="A")
    happened("Order Cancelled", None, "2026-01-03 00:00", order_id="A")  # nothing is left
    happened("Order Refunded", None, "2026-01-03 00:00", order_id="unheard of")
    feed.catch_up()
    assert lines("record_id, store, channel, amount, kind, paid") == [
        (1, "North", "online", 10000, "sale", True),
        (1, None, None, -3000, "refund", False),
        (1, None, None, -500, "refund", False),
        (1, "North", "online", -6500, "refund", False),
    ]


def test_an_order_that_comes_twice_counts_once(happened: Happened) -> None:
    from regulars.eventlog import dispatch
    from regulars.eventlog.queries import rows_after

    tea = {"products": [{"price": 5, "quantity": 2}]}
    happened("Order Completed", 1, "2026-01-01 00:00", order_id="H", total=80, via="import:1")
    happened("Order Completed", 1, "2026-01-02 00:00", order_id="A", via="track:1")  # of nothing: the next is the first
    happened("Order Completed", 1, "2026-01-02 00:00", order_id="A", total=10, via="track:1", properties=tea)
    happened("Order Completed", 1, "2026-01-02 00:01", order_id="A", via="track:2", properties=tea)
    happened("Order Completed", 1, "2026-01-02 00:02", order_id="A", total=99, via="track:2")
    happened("Order Completed", 1, "2026-01-02 00:03", order_id="H", total=80, via="track:2")
    happened("Order Completed", 1, "2026-01-02 00:04", order_id="A", total=10, via="import:1")
    happened("Order Completed", 2, "2026-01-02 00:05", order_id="A", total=20)  # somebody else's
    happened("Order Completed", None, "2026-01-02 00:06", order_id="A", total=1)
    happened("Order Completed", None, "2026-01-02 00:06", order_id="A", total=1)
    happened("Order Completed", 1, "2026-01-02 00:07", total=3)
    happened("Order Completed", 1, "2026-01-02 00:07", total=3)
    happened("Order Cancelled", 1, "2026-01-03 00:00", order_id="H")
    happened("Order Completed", 1, "2026-01-03 00:01", order_id="H", total=80)
    # Of one till whose numbers begin anew each day: the import tells these apart.
    happened("Order Completed", 3, "2026-01-01 00:00", order_id="7", total=4, via="import:1")
    happened("Order Completed", 3, "2026-01-02 00:00", order_id="7", total=6, via="import:1")
    happened("Order Completed", 3, "2026-01-02 00:01", order_id="7", total=6, via="track:1")
    happened("Order Completed", 3, "2026-01-03 00:00", order_id="7", total=8, via="import:2")
    expected = [
        (1, 1, "H", 8000), (3, 1, "A", 1000), (8, 2, "A", 2000), (9, None, "A", 100), (10, None, "A", 100),
        (11, 1, None, 300), (12, 1, None, 300), (13, 1, "H", -8000),
        (15, 3, "7", 400), (16, 3, "7", 600), (18, 3, "7", 800),
    ]  # fmt: skip
    dispatch.number()  # on PostgreSQL somebody has to
    rows = rows_after(0)
    for size in (1, 3, 4, 7, len(rows)):
        emptied()
        for start in range(0, len(rows), size):
            feed.handle(rows[start : start + size])
        assert lines("position, record_id, order_id, amount") == expected, size
        told = engine.read("SELECT amount FROM events WHERE record_id = 1 AND order_id = 'A' ORDER BY position")
        assert told == [(None,), (1000,), (1000,), (9900,), (1000,)]


def test_an_order_that_two_records_told_of_before_their_merge_stays_with_both(happened: Happened) -> None:
    """Decision 9: what belongs to a record stays with it, so that undoing the merge is exact."""
    for record in (1, 2):
        happened("Order Completed", record, "2026-01-01 00:00", order_id="A", total=10)
    happened("Customers Merged", 1, "2026-01-02 00:00", source=2, target=1, root=1)
    for record in (1, 2):
        happened("Order Completed", record, "2026-01-03 00:00", order_id="A", total=10)
    happened("Customers Unmerged", 1, "2026-01-04 00:00", source=2, target=1, root=1)
    feed.catch_up()
    assert lines("record_id, order_id, amount") == [(1, "A", 1000), (2, "A", 1000)]


def test_money_in_another_currency_is_kept_apart(happened: Happened) -> None:
    happened("Order Completed", 1, "2026-01-01 00:00", currency="JPY", total=1500)
    happened("Order Completed", 1, "2026-01-01 00:00", currency="USD", total=15)
    happened("Order Completed", 1, "2026-01-01 00:00", total=15)
    feed.catch_up()
    assert lines("currency, amount, home") == [("JPY", 1500, False), ("USD", 1500, False), ("cny", 1500, True)]


def test_another_zone_and_currency_tell_everything_anew(happened: Happened, people: Any) -> None:

    happened("Order Completed", 1, "2026-01-31 15:00", currency="USD", total=15)
    happened("Order Completed", 1, "2026-01-31 16:00", currency="CNY", total=15)
    feed.catch_up()
    january = clock.day_number(datetime(2026, 1, 31, tzinfo=UTC).date())
    assert lines("day, month % 12, home") == [(january, 0, False), (january + 1, 1, True)]
    change_settings(by=SYSTEM, zone="America/New_York", currency="USD")
    happened("Page Viewed", 1, "2026-02-01 05:00")
    feed.catch_up()
    assert lines("day, month % 12, home") == [(january, 0, True), (january, 0, False)]
    assert engine.read("SELECT day FROM events ORDER BY position") == [(january,), (january,), (january + 1,)]


def test_columns_come_from_the_properties(happened: Happened) -> None:
    happened("Product Viewed", 1, "2026-01-01 00:00", product_id=12, category="tea", price=3.5, via="track:4")
    happened("Survey Answered", 1, "2026-01-01 00:00", kind="nps", score=9, store_id="S1")
    happened("Something Own", None, "2026-01-01 00:00", a={"b": "\x00 \U0001f375"}, store=["no"], channel=True)
    feed.catch_up()
    assert engine.read(
        "SELECT store, channel, product_id, category, amount, score FROM events ORDER BY position"
    ) == [("S1" if n == 1 else None, c, p, g, a, s) for n, (c, p, g, a, s) in enumerate([
        ("online", "12", "tea", 350, None), (None, None, "nps", None, 9), (None, None, None, None, None),
    ])]  # fmt: skip
    assert engine.read("SELECT json_extract_string(properties, '$.a.b') FROM events WHERE name = 'Something Own'")


def records() -> dict[int, tuple[Any, ...]]:
    return {id: rest for id, *rest in engine.read("SELECT record_id, customer_id, known, erased FROM records")}


def test_records_follow_merges_unmerges_and_erasure(happened: Happened) -> None:
    for record in (1, 2, 3):
        happened("Page Viewed", record, "2026-01-01 00:00")
    happened("Customer Identified", 2, "2026-01-01 00:00", kinds=["email"])
    happened("Customers Merged", 2, "2026-01-02 00:00", source=1, target=2, root=2)
    happened("Customers Merged", 3, "2026-01-02 00:00", source=2, target=3, root=3)
    feed.catch_up()
    assert records() == {1: [3, False, False], 2: [3, True, False], 3: [3, False, False]}
    happened("Customers Unmerged", 3, "2026-01-03 00:00", source=2, target=3, root=2)
    feed.catch_up()
    assert records() == {1: [2, False, False], 2: [2, True, False], 3: [3, False, False]}
    happened("Customer Erased", 2, "2026-01-04 00:00", records=2)
    happened("Customers Unmerged", 2, "2026-01-05 00:00", source=1, target=2, root=1)
    feed.catch_up()
    assert records() == {1: [1, False, True], 2: [2, True, True], 3: [3, False, False]}


def test_a_batch_given_twice_or_with_a_gap_changes_nothing(happened: Happened) -> None:
    from regulars.eventlog import dispatch
    from regulars.eventlog.queries import rows_after

    for n in range(6):
        happened("Order Completed", n, "2026-01-01 00:00", total=n + 1)
    dispatch.number()  # on PostgreSQL somebody has to
    rows = rows_after(0)
    feed.handle(rows[:2])
    feed.handle(rows[:4])
    feed.handle(rows[5:])  # the fifth is read from the log
    feed.handle(rows)
    assert engine.read("SELECT position FROM events ORDER BY ALL") == [(n,) for n in range(1, 7)]
    assert engine.read("SELECT sum(amount)::BIGINT, count(*) FROM lines") == [(2100, 6)]
    assert engine.meta("position") == 6


WORLD = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from regulars.eventlog import services
from regulars.eventlog.rows import NewEvent
from regulars.kernel import clock
now = clock.now()
services.append([NewEvent(f"m{n}", "Order Completed", n % 50, now, now, {"total": n}, {}, "service")
                 for n in range(2000)])
"""
FEEDING = """
import django
django.setup()
from regulars.eventlog.queries import rows_after
from regulars.warehouse import engine, feed
while batch := rows_after(engine.meta("position", 0), 7):
    feed.handle(batch)
    print("more", flush=True)
"""


def test_catching_up_ends_although_events_keep_coming(happened: Happened, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        happened("Order Completed", 1, "2026-03-01 10:00", total=10)

    after = log.rows_after

    def meanwhile(position: int, limit: int) -> Any:
        happened("Order Completed", 1, "2026-03-01 10:00", total=10)
        return after(position, limit)

    monkeypatch.setattr(feed.log, "rows_after", meanwhile)
    monkeypatch.setattr(feed, "CHUNK", 1)
    assert feed.catch_up() == 3


def test_killing_the_feed_anywhere_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """A child feeds from a log of its own in batches of seven; it is killed while it works, begins anew, and so on."""
    home = tmp_path / "own"
    environment = {**os.environ, "REGULARS_HOME": str(home), "DJANGO_SETTINGS_MODULE": "regulars.settings"}
    environment["PYTHONPATH"] = "src"
    environment.pop("REGULARS_DATABASE_URL", None)
    subprocess.run([sys.executable, "-c", WORLD], env=environment, check=True)
    for batches in (90, 71, 1000):
        child = subprocess.Popen([sys.executable, "-c", FEEDING], env=environment, stdout=subprocess.PIPE)
        assert child.stdout is not None
        for _ in zip(range(batches), child.stdout, strict=False):
            pass
        child.send_signal(signal.SIGKILL)
        child.communicate()
        with duckdb.connect(str(home / "warehouse.duckdb")) as database:
            position = database.execute("SELECT value::BIGINT FROM meta WHERE key = 'position'").fetchall()[0][0]
            found = database.execute("SELECT count(*), count(DISTINCT position), max(position) FROM events").fetchall()
            assert found == [(position,) * 3]
            money = database.execute("SELECT sum(amount)::BIGINT, count(*) FROM lines").fetchall()
            assert money == [(100 * sum(range(position)), position)]
            assert position >= min(batches * 7, 2000)
    assert position == 2000


@ONE_FILE
def test_the_file_in_another_process_is_told_plainly(warehouse: Path) -> None:
    code = f"import duckdb, sys; c = duckdb.connect({str(warehouse)!r}); print('open', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )  # fmt: skip
    assert other.stdout is not None and other.stdout.readline() == b"open\n"
    with pytest.raises(Conflict) as told:
        engine.read("SELECT 1")
    assert told.value.code == "warehouse_in_use"
    other.communicate()
    assert engine.read("SELECT 1") == [(1,)]


@ONE_FILE
def test_an_error_while_writing_leaves_nothing_behind(warehouse: Path) -> None:
    with pytest.raises(ZeroDivisionError), engine.writing() as pen:
        engine.keep(pen, {"a": 1})
        with engine.writing() as same:
            assert same is pen and engine.meta("a", pen=same) == 1
        raise ZeroDivisionError
    assert engine.meta("a") is None
    with engine.writing() as pen:
        engine.keep(pen, {"a": datetime(2026, 1, 1, tzinfo=UTC).year})
    assert engine.meta("a") == 2026


def _fed_anew() -> list[tuple[Any, ...]]:
    """Lines as the whole log tells them now."""
    emptied()
    feed.catch_up()
    return lines("currency, amount, home")


def test_amounts_without_a_currency_keep_the_one_that_was_set_when_they_came(happened: Happened) -> None:
    happened("Order Completed", 1, "2026-01-01 00:00", order_id="A", total=15.25)
    happened("Order Completed", 1, "2026-01-02 00:00", total=20, currency="CNY")
    feed.catch_up()
    happened("Order Completed", 1, "2026-01-02 00:00", products=[{"price": 0.5, "quantity": 3}])  # fed later
    change_settings(by=SYSTEM, currency="JPY")
    happened("Order Completed", 1, "2026-01-03 00:00", total=400)
    happened("Order Refunded", 1, "2026-01-04 00:00", order_id="A")  # says no amount: the order's, in its currency
    feed.catch_up()
    expected = [
        ("cny", 1525, False), ("CNY", 2000, False), ("cny", 150, False), ("jpy", 400, True), ("cny", -1525, False),
    ]  # fmt: skip
    assert lines("currency, amount, home") == expected == _fed_anew()
    change_settings(by=SYSTEM, currency="CNY")
    expected = [(currency, amount, not home) for currency, amount, home in expected]
    happened("Page Viewed", 1, "2026-01-05 00:00")
    feed.catch_up()
    assert lines("currency, amount, home") == expected == _fed_anew()
    assert all("amounts_in" not in row.properties for row in log.after(0, 100))


def test_a_wrong_currency_is_corrected_for_what_came_without_one(happened: Happened) -> None:
    happened("Order Completed", 1, "2026-01-01 00:00", total=1500)
    happened("Order Completed", 1, "2026-01-02 00:00", total=20, currency="CNY")
    feed.catch_up()
    happened("Order Completed", 1, "2026-01-02 00:00", total=7)  # fed after the correction
    with clock.frozen(datetime(2026, 1, 2, 12, tzinfo=UTC)):
        change_settings(by=SYSTEM, currency="JPY", currency_was_wrong=True)
    happened("Page Viewed", 1, "2026-01-03 00:00")
    feed.catch_up()
    expected = [("jpy", 1500, True), ("CNY", 2000, False), ("jpy", 7, True)]
    assert lines("currency, amount, home") == expected == _fed_anew()
    change_settings(by=SYSTEM, currency="CNY")  # from now on: no correction
    happened("Order Completed", 1, "2026-01-04 00:00", total=3)
    feed.catch_up()
    expected = [("jpy", 1500, False), ("CNY", 2000, True), ("jpy", 7, False), ("cny", 300, True)]
    assert lines("currency, amount, home") == expected == _fed_anew()


@ONE_FILE
def test_a_warehouse_from_before_currencies_were_noted_keeps_what_it_counted(happened: Happened) -> None:
    happened("Order Completed", 1, "2026-01-01 00:00", total=15)
    feed.catch_up()
    with engine.writing() as pen:
        pen.execute("UPDATE lines SET currency = ''")
        engine.keep(pen, {"told": {"zone": "Asia/Shanghai", "currency": "CNY"}})
    change_settings(by=SYSTEM, currency="JPY")
    happened("Order Completed", 1, "2026-01-03 00:00", total=400)
    feed.catch_up()
    assert lines("currency, amount, home") == [("cny", 1500, False), ("jpy", 400, True)]


@ONE_FILE
def test_a_file_of_an_older_format_is_written_anew_with_all_that_was_in_it(warehouse: Path, happened: Happened) -> None:
    happened("Customer Identified", 1, "2026-03-01 02:00", kinds=["email"])
    happened("Order Completed", 1, "2026-03-02 02:00", order_id="1", total=20)
    assert feed.catch_up() == 2
    tables = ("events", "lines", "records", "pending", "meta")
    before = [engine.read(f"FROM {table} ORDER BY ALL") for table in tables]
    engine.close()
    older = warehouse.with_name("older")
    with duckdb.connect() as database:
        database.execute(f"ATTACH '{warehouse}' AS present; ATTACH '{older}' AS older")
        database.execute("COPY FROM DATABASE present TO older")
    older.replace(warehouse)
    assert [engine.read(f"FROM {table} ORDER BY ALL") for table in tables] == before
    assert connecting.of_format(engine.cursor())
    assert not warehouse.with_suffix(".anew").exists()


def test_without_room_for_both_an_older_file_stays_as_it_is_and_is_used(tmp_path: Path) -> None:
    """On a disk of its own that holds the file one and a half times."""
    older, disk = tmp_path / "older", tmp_path / "disk"
    disk.mkdir()
    with duckdb.connect(str(older)) as database:
        database.execute("CREATE TABLE kept AS SELECT uuid()::VARCHAR AS what FROM range(100_000)")
    script = f"""
        import sys, pathlib, logging
        sys.path.insert(0, 'src')
        from regulars.warehouse import connecting
        logging.basicConfig(level=logging.WARNING)
        file, spill = pathlib.Path({str(disk)!r}, "warehouse.duckdb"), pathlib.Path({str(tmp_path)!r}, "spill")
        connecting.write_anew(file, spill=spill)
        with connecting.connect(str(file), spill=spill) as database:
            print(database.execute("SELECT count(*) FROM kept").fetchall(), sorted(p.name for p in file.parent.iterdir()))
    """
    size = older.stat().st_size * 3 // 2
    mount = (
        f"mount -t tmpfs -o size={size} tmpfs {disk} && cp {older} {disk}/warehouse.duckdb && exec {sys.executable} -"
    )
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount], input=dedent(script), capture_output=True, text=True, check=False
    )
    if "mount" in ran.stderr:
        pytest.skip("this system doesn't let an ordinary user mount a tmpfs of its own (unshare -rm)")
    assert ran.stdout == "[(100000,)] ['warehouse.duckdb']\n", ran.stderr
    assert "no room" in ran.stderr
