"""Whatever happens, in whatever batches: judging who changed gives what judging everybody gives, column by column."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regulars.eventlog.rows import LogRow
from regulars.kernel import clock
from regulars.warehouse import engine, feed, refresh
from tests.warehouse.conftest import KINDS, emptied

START = datetime(2025, 1, 1, tzinfo=UTC)

record = st.integers(1, 6)
order = st.sampled_from(["A", "B", "C", "D", "E"])
price = st.sampled_from([1, 9.99, 20, 300, 0, -5])
products = st.lists(
    st.fixed_dictionaries({"price": price, "quantity": st.sampled_from([1, 2, 0.5, -1])}, optional={"category": order}),
    max_size=3,
)
money = st.fixed_dictionaries(
    {},
    optional={
        "order_id": order, "total": price, "products": products, "store": st.sampled_from(["N", "S"]),
        "currency": st.sampled_from(["CNY", "USD"]),
    },
)  # fmt: skip
answer = st.fixed_dictionaries({"kind": st.sampled_from(["nps", "csat"]), "score": st.integers(0, 10)})
deed = st.one_of(
    st.tuples(st.just("Order Completed"), record, money),
    st.tuples(st.just("Order Completed"), record, money),
    st.tuples(st.just("Order Completed"), record, money),
    st.tuples(st.sampled_from(["Order Refunded", "Order Cancelled"]), st.none() | record, money),
    st.tuples(st.sampled_from(["Page Viewed", "Message Sent", "Complaint Filed"]), record, st.just({})),
    st.tuples(
        st.just("Survey Answered"),
        record,
        st.fixed_dictionaries({"kind": st.sampled_from(["nps", "csat"]), "score": st.integers(0, 10)}),
    ),
    st.tuples(st.just("Customer Identified"), record, st.just({"kinds": ["email"]})),
    st.tuples(
        st.sampled_from(["Customers Merged", "Customers Unmerged"]),
        record,
        st.fixed_dictionaries({"source": record, "target": record}),
    ),
    st.tuples(st.just("Customer Erased"), record, st.just({"records": 1})),
)
dated = st.sampled_from([0, 0, -3, 9])  # days: a clock that is ahead, too
step = st.tuples(
    st.lists(st.tuples(deed, st.integers(0, 40)), max_size=12), dated, st.sampled_from([0, 0, 0, 1, 30, 60]),
    st.integers(1, 4),
)  # fmt: skip


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="regulars-live-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def merging(parents: dict[int, int], name: str, properties: dict[str, int]) -> dict[str, int] | None:
    """What the customers' app allows and records: roots are merged, merges undone."""

    def root(id: int) -> int:
        while id in parents:
            id = parents[id]
        return id

    source, target = properties["source"], properties["target"]
    if name == "Customers Merged":
        source, target = root(source), root(target)
        if source == target:
            return None
        parents[source] = target
        return {"source": source, "target": target, "root": target}
    if source not in parents:
        return None
    target = parents.pop(source)
    return {"source": source, "target": target, "root": source}


def scores() -> list[tuple[Any, ...]]:
    return engine.read("SELECT * FROM scores ORDER BY customer_id")


def purchases() -> list[tuple[Any, ...]]:
    return engine.read("SELECT * FROM purchases ORDER BY ALL")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.django_db
@settings(
    max_examples=int(os.environ.get("REGULARS_EXAMPLES", 5)),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
@given(steps=st.lists(step, min_size=1, max_size=4))
def test_live_equals_full(place: Path, settings: Any, kind: str, steps: list[Any]) -> None:
    settings.HOME = place
    settings.LAKE = place / "lake" if kind == "lake" else None
    emptied()
    parents: dict[int, int] = {}
    now, position = START, 0
    told: list[LogRow] = []
    for deeds, ahead, passing, stage in steps:
        batch = []
        for (name, who, properties), hours in deeds:
            if name.startswith("Customers "):
                properties = merging(parents, name, properties)
                if properties is None:
                    continue
            now += timedelta(hours=hours * 7)
            position += 1
            at = now + timedelta(days=ahead)
            batch.append(LogRow(position, name, who, at, now, msgspec.json.encode(properties), b"{}", "track:1"))
        told += batch
        now += timedelta(days=passing)
        third = len(batch) // 3
        first, during, last = batch[:third], batch[third : 2 * third], batch[2 * third :]

        def taken(part: list[LogRow]) -> None:
            feed.handle(part)
            refresh.live()

        def meanwhile(done: int, total: int, stage: int = stage, part: list[LogRow] = during) -> None:
            if done == stage:
                taken(part)

        def aged() -> bool:
            """A day has passed, or another one counts as today: time alone changes who is what."""
            return refresh.due(patient=False) not in ("", "grown") or refresh.state() is None

        with clock.frozen(now):
            taken(first)
            if aged():
                refresh.full(report=meanwhile)
            else:
                taken(during)
            taken(last)
            if aged():
                refresh.full()
    with clock.frozen(now):
        if kind == "file":
            assert engine.read("SELECT * FROM pending") == []
        live = scores(), purchases()
        refresh.full(relearn=False, anew=True)
        assert scores() == live[0]
        assert purchases() == live[1]
        tables = {t: engine.read(f"SELECT * FROM {t} ORDER BY ALL") for t in ("events", "lines", "records", "merges")}
        emptied()
        feed.handle(told)  # all at once
        assert {t: engine.read(f"SELECT * FROM {t} ORDER BY ALL") for t in tables} == tables
