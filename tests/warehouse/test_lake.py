"""A lake of files shared by many processes: the same figures as in one file, whoever dies, on Spark too."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from regulars.eventlog import dispatch
from regulars.eventlog.queries import rows_after
from regulars.kernel import clock
from regulars.kernel.errors import Conflict
from regulars.warehouse import agreement, engine, feed, queries, refresh
from regulars.warehouse.lake import changes, files, replica, upkeep
from regulars.warehouse.models import Change, OrderEntry

pytestmark = pytest.mark.skipif(
    not os.environ.get("REGULARS_TEST_POSTGRES"), reason="a lake needs PostgreSQL (REGULARS_TEST_POSTGRES=1)"
)
Happened = Callable[..., None]
NOW = datetime(2026, 3, 10, 4, tzinfo=UTC)


@pytest.fixture
def warehouse(home: Path, db: None, settings: Any) -> Iterator[Path]:
    settings.LAKE = home / "lake"
    yield settings.LAKE
    replica.close()


def a_year(seed: int) -> None:
    """Sixty customers' orders, refunds, answers, merges and an erasure, in the log."""
    from regulars.eventlog import services
    from regulars.eventlog.rows import NewEvent

    dice, events = random.Random(seed), []

    def tell(name: str, record: int | None, at: datetime, properties: dict[str, Any]) -> None:
        events.append(NewEvent(f"{seed}-{len(events)}", name, record, at, at, properties, {}, "track:1"))

    for day in range(364, 0, -1):
        at = NOW - timedelta(days=day)
        for _ in range(dice.randrange(4)):
            who, order = int(60 * dice.random() ** 2) + 1, f"{day}-{dice.randrange(100)}"
            goods = [
                {"product_id": f"p{n}", "category": f"c{n % 3}", "price": dice.randint(1, 90), "quantity": 1}
                for n in range(dice.randrange(3))
            ]
            more = {"currency": "USD"} if dice.random() < 0.05 else {"store": dice.choice(["North", "South"])}
            tell("Order Completed", who, at, {"order_id": order, "products": goods, "total": 30} | more)
            if dice.random() < 0.1:
                tell("Order Refunded", None, at + timedelta(hours=2), {"order_id": order})
        tell(dice.choice(["Page Viewed", "Message Sent"]), dice.randint(1, 70), at, {})
        if day % 9 == 0:
            tell("Survey Answered", dice.randint(1, 60), at, {"kind": "nps", "score": dice.randrange(11)})
        if day % 50 == 0:
            tell("Customer Identified", day // 10, at, {"kinds": ["email"]})
            tell(
                "Customers Merged", day // 10, at, {"source": day // 10, "target": day // 10 + 1, "root": day // 10 + 1}
            )
    tell("Customer Erased", 7, NOW - timedelta(days=1), {"records": 1})
    services.append(events)
    while dispatch.number():
        pass


def told() -> dict[str, Any]:
    """Every row of scores and purchases, and the answer to every question of the pages."""
    snapshot = queries.snapshot()
    state = refresh.state()
    assert state is not None
    found: dict[str, Any] = {
        table: engine.read(f"SELECT * FROM {table} ORDER BY ALL")
        for table in ("events", "lines", "records", "merges", "purchases", "scores")
    }
    ids = queries.customers.ids(snapshot)
    asks: dict[str, Callable[[], Any]] = {
        "figures": lambda: queries.overview.figures(snapshot, days=90),
        "series": lambda: queries.overview.series(snapshot),
        "today": lambda: queries.overview.today(snapshot),
        "months": lambda: queries.sales.by_period(snapshot),
        "categories": lambda: queries.sales.by(snapshot, dimension="category"),
        "new": lambda: queries.sales.new_and_returning(snapshot),
        "cohorts": lambda: queries.cohorts.retention(snapshot),
        "matrix": lambda: queries.rfm.matrix(snapshot),
        "groups": lambda: queries.rfm.groups(snapshot),
        "stages": lambda: queries.lifecycle.stages(snapshot),
        "flow": lambda: queries.lifecycle.flow(snapshot),
        "risk": lambda: (queries.risk.totals(snapshot), queries.risk.at_risk(snapshot)),
        "gaps": lambda: (queries.rhythm.gaps(snapshot), queries.rhythm.second_orders(snapshot)),
        "voice": lambda: (
            queries.voice.nps(snapshot),
            queries.voice.csat(snapshot),
            queries.voice.nps_by_month(snapshot),
        ),
        "notices": lambda: queries.notices(snapshot),
        "history": lambda: queries.history(snapshot),
        "page": lambda: queries.customers.page(snapshot, limit=200),
        "orders": lambda: [queries.customer.orders(snapshot, id) for id in ids],
        "moods": lambda: [queries.customer.mood(snapshot, id) for id in ids],
        "spend": lambda: [queries.customer.spend_by_month(snapshot, id) for id in ids],
        "learnt": lambda: [snapshot.value(key) for key in ("thresholds", "model", "cutoffs", "last_at", "told")],
    }
    return found | {name: ask() for name, ask in asks.items()}


def in_order() -> None:
    """Runs are few, and of each run one file holds a record's rows."""
    several = False
    for kind in ("events", "lines"):
        runs: dict[str, list[tuple[int, int]]] = {}
        for name in replica.names(kind):
            source = f"read_parquet({files.listed([name])})"
            (low, high) = engine.read(f"SELECT min(record_id), max(record_id) FROM {source}")[0]
            runs.setdefault(files.run(name), []).extend([(low, high)] if low is not None else [])
        assert len(runs) <= 16
        several = several or any(len(ranges) > 1 for ranges in runs.values())
        for ranges in runs.values():
            assert all(before[1] < after[0] for before, after in pairwise(sorted(ranges)))
    assert several


@pytest.mark.spark
def test_a_lake_tells_what_the_file_tells_on_duckdb_and_on_spark(
    home: Path, db: None, settings: Any, spark_connect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_year(1)
    monkeypatch.setattr(upkeep, "FOLLOWED", 10)
    monkeypatch.setattr(upkeep, "TOGETHER", 3)
    monkeypatch.setattr(upkeep, "LARGEST", 100)  # runs of several files
    worlds = []
    with clock.frozen(NOW):
        for place, spark in ((None, ""), ("by-duck", ""), ("by-spark", spark_connect)):
            settings.LAKE, settings.SPARK = home / place if place else None, spark
            Change.objects.all().delete()
            OrderEntry.objects.all().delete()
            while batch := rows_after(engine.meta("position", 0), 150):
                feed.handle(batch)
                if place:
                    upkeep.step()
            refresh.full()
            worlds.append(told())
            engine.close()
            if place:  # whoever comes new sees what was seen by who followed all along
                assert told() == worlds[-1]
                in_order()
                engine.close()
    for key, expected in worlds[0].items():
        assert worlds[1][key] == expected, key
        assert worlds[2][key] == expected, key


@pytest.fixture
def log(warehouse: Path, happened: Happened) -> Callable[[], list[Any]]:
    """Eight orders in the log; the rows of it."""
    for n in range(1, 9):
        happened("Order Completed", n, "2026-03-01 10:00", total=n, order_id=f"A{n}", note=f"to {n}")
    while dispatch.number():
        pass
    return lambda: rows_after(0)


def took() -> list[Any]:
    return engine.read("SELECT position, amount FROM lines ORDER BY 1")


ALL = [(n, n * 100) for n in range(1, 9)]

KILLED = """
import os, signal, sys
import django
django.setup()
from regulars.eventlog.queries import rows_after
from regulars.warehouse import feed
from regulars.warehouse.lake import changes
add = changes.add
def killed(**told):
    if not any(told["add"].values()):
        return add(**told)
    if sys.argv[1] == "committing":
        add(**told)
    os.kill(os.getpid(), signal.SIGKILL)
changes.add = killed
feed.handle(rows_after(0, 4))
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("when", ["files written", "committing"])
def test_a_feeder_killed_between_its_files_and_their_change_leaves_only_garbage(
    log: Callable[[], list[Any]], warehouse: Path, home: Path, when: str
) -> None:
    own = connection.settings_dict
    host = own["HOST"] or own["OPTIONS"].get("host", "")
    url = f"postgresql://{own['USER']}:{own['PASSWORD']}@/{own['NAME']}?host={host}"
    env = os.environ | {
        "REGULARS_DATABASE_URL": url, "REGULARS_LAKE": str(warehouse), "REGULARS_HOME": str(home),
        "DJANGO_SETTINGS_MODULE": "regulars.settings", "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip
    died = subprocess.run([sys.executable, "-c", KILLED, when], env=env, capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    left = files.there()
    assert len(left) == 2 and took() == []
    feed.handle(log())
    feed.handle(log())
    assert took() == ALL
    assert upkeep.sweep() == 0 and set(left) <= set(files.there())
    for name in left:
        os.utime(files.path(name), (0, 0))
    assert upkeep.sweep() == 2 and not set(left) & set(files.there())
    assert took() == ALL


def test_a_folder_that_lacks_the_files_is_refused_and_nothing_is_set_aside(
    log: Callable[[], list[Any]], warehouse: Path, home: Path
) -> None:
    feed.handle(log())
    engine.close()
    warehouse.rename(home / "unmounted")
    with pytest.raises(Conflict) as refused:
        agreement.ensure()
    assert refused.value.code == "lake_lacks_files"
    (home / "unmounted").rename(warehouse)
    agreement.ensure()
    assert took() == ALL
    assert list(home.glob("*.aside")) == []


@pytest.mark.django_db(transaction=True)
def test_two_feeders_take_each_event_once(log: Callable[[], list[Any]]) -> None:
    rows, faults = log(), list[BaseException]()

    def feeding(sizes: list[int]) -> None:
        try:
            for size in sizes:
                for begin in range(0, len(rows), size):
                    feed.handle(rows[begin : begin + size])
        except BaseException as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=feeding, args=(sizes,)) for sizes in ([1, 3], [2, 5])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults and took() == ALL


@pytest.mark.django_db(transaction=True)
def test_of_two_that_judge_only_one_does(log: Callable[[], list[Any]]) -> None:
    with clock.frozen(NOW):
        feed.handle(log())
        with changes.alone("full") as mine, changes.alone("live") as also:
            assert mine and also
            assert refresh.live() == 0 and not refresh.step()
        assert refresh.step()
        assert engine.read("SELECT count(*), sum(net)::BIGINT FROM scores") == [(8, 3600)]


@pytest.mark.django_db(transaction=True)
def test_a_turn_that_fails_leaves_nothing_of_it_in_memory(log: Callable[[], list[Any]]) -> None:
    feed.handle(log()[:4])
    with pytest.raises(ZeroDivisionError), changes.writing():
        changes.add(meta={"position": 99})
        assert engine.meta("position") == 99
        raise ZeroDivisionError
    assert engine.meta("position") == 4
    feed.handle(log())
    assert took() == ALL


def test_erasure_leaves_nothing_in_the_files(log: Callable[[], list[Any]], happened: Happened) -> None:
    import pyarrow.parquet as pq

    def stand() -> set[str]:
        found = (pq.read_table(files.path(name)) for name in files.there() if name.startswith("events/"))
        return {text for table in found for text in table["properties"].to_pylist()}

    feed.handle(log())
    happened("Customer Erased", 3, "2026-03-02 10:00", records=1)
    happened("Page Viewed", 3, "2026-03-03 10:00", title="later")
    feed.catch_up()
    notes = (
        "SELECT json_extract_string(properties, '$.note') FROM events WHERE name = 'Order Completed' ORDER BY position"
    )
    masked = engine.read(notes)
    assert [note for (note,) in masked] == [None if n == 3 else f"to {n}" for n in range(1, 9)]
    assert any("to 3" in text for text in stand())
    while upkeep.step():
        pass
    assert engine.read("SELECT count(*) FROM erasing") == [(0,)]
    for name in files.there():
        os.utime(files.path(name), (0, 0))
    upkeep.sweep()
    assert not any("to 3" in text for text in stand()) and any("later" in text for text in stand())
    assert engine.read(notes) == masked and took() == ALL
