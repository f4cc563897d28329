"""Judging customers over a lake: everybody on Spark or in this worker's DuckDB, those who changed in any worker.

The same definitions, thresholds and models as `in_file`. Full results are files; what was judged since lies over them,
in changes that all processes follow.
"""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from django.conf import settings

from regulars.accounts.queries import business
from regulars.analytics import engines, facts, scores
from regulars.analytics.cutoffs import Cutoffs, Thresholds
from regulars.analytics.engines.spark import Spark
from regulars.kernel import clock
from regulars.warehouse import engine, schema, worth
from regulars.warehouse.lake import changes, files, replica
from regulars.warehouse.refresh.judging import TELLING, judge
from regulars.warehouse.refresh.standing import (
    State,
    as_of_day,
    cutoffs_of,
    due,
    in_advance,
    settings_of,
    state,
    waiting,
)

FEW = 1_000
"""Records whose numbers are named to the reader of files."""


def live() -> int:
    """As refresh.live. One worker at a time; what it reckons is written in a turn of the log, and dropped if a full
    refresh has ended meanwhile.
    """
    if not waiting() or engine.meta("refresh") is None:
        return 0
    with changes.alone("live") as mine, closing(replica.cursor()) as pen:
        if not mine:
            return 0
        pen.execute("BEGIN")
        last = State(**engine.meta("refresh", pen=pen))
        position, since = (engine.meta(key, 0, pen=pen) for key in ("position", "lived"))
        thresholds = Thresholds.from_json(engine.meta("thresholds", pen=pen))
        model = worth.Model.from_json(engine.meta("model", pen=pen))
        cutoffs = Cutoffs.from_json(engine.meta("cutoffs", pen=pen))
        rows = _judged(pen, since, as_of=last.as_of, cutoffs=cutoffs, thresholds=thresholds, model=model)
        with changes.writing():
            now = state()
            if now is None or now.version != last.version:
                return 0
            changes.add(meta={"lived": position, "live": engine.meta("live", 0) + 1}, tables=rows)
    return int(rows["scores"].num_rows)


def _judged(
    pen: duckdb.DuckDBPyConnection, since: int, *, as_of: int, cutoffs: Cutoffs, thresholds: Thresholds,
    model: worth.Model,
) -> dict[str, pa.Table]:  # fmt: skip
    """Purchases and scores of the customers whose records changed after the position `since`, and who is `judged`
    thereby: those who were roots before a merge too, who have no rows any more.

    Their rows are cut out once into temporary tables of the same names, which the definitions then see instead.
    """
    pen.execute(f"""
        CREATE TEMP TABLE waiting AS SELECT record_id FROM pending WHERE position > {since};
        CREATE TEMP TABLE gone AS SELECT record_id AS customer_id FROM waiting UNION
            SELECT customer_id FROM records SEMI JOIN waiting USING (record_id);
        CREATE TEMP TABLE mine AS FROM records SEMI JOIN gone USING (customer_id);
        CREATE TEMP TABLE records AS FROM mine;
    """)  # noqa: S608 (a number)
    ids = [id for (id,) in pen.execute("SELECT record_id FROM mine ORDER BY 1").fetchall()]
    # Of few records only the groups of rows that can hold them are read: files are in the order of records.
    few = f"WHERE record_id IN ({', '.join(map(str, ids))})" if 0 < len(ids) <= FEW else ""
    pen.execute(f"""
        CREATE TEMP TABLE lines AS SELECT * EXCLUDE (product_id, category, name, quantity, currency)
            FROM memory.main.lines SEMI JOIN mine USING (record_id) {few};
        CREATE TEMP TABLE events AS SELECT {TELLING}
            FROM memory.main.events SEMI JOIN mine USING (record_id) {few};
        CREATE TEMP TABLE purchases AS {engines.sql(facts.purchases)};
        CREATE TEMP TABLE figures AS {engines.sql(scores.figures, as_of=as_of, cutoffs=cutoffs)};
    """)  # noqa: S608 (compiled, and a number)
    judge(
        pen, "CREATE TEMP TABLE scores AS", as_of=as_of, cutoffs=cutoffs, thresholds=thresholds, model=model
    )  # fmt: skip
    said = {"judged": "FROM gone", "scores": "FROM temp.scores", "purchases": "FROM temp.purchases"}
    return {name: pen.execute(sql).to_arrow_table() for name, sql in said.items()}


def step() -> bool:
    """As refresh.step: in the one worker that finds it due and nobody at it."""
    if not due():
        return False
    with changes.alone("full") as mine:
        if not mine or not due():
            return False
        _full(lambda done, total: None, relearn=True)
    return True


def full(report: Callable[[int, int], None], *, relearn: bool) -> State:
    """As refresh.full."""
    with changes.alone("full", wait=True):
        return _full(report, relearn=relearn)


def _full(told: Callable[[int, int], None], *, relearn: bool) -> State:
    begun, own = time.perf_counter(), business()
    as_of, cutoffs = as_of_day(own), cutoffs_of(own)
    with closing(replica.cursor()) as pen:
        pen.execute("BEGIN")  # one state all along, whatever others write
        position = engine.meta("position", 0, pen=pen)
        by = _by_spark if settings.SPARK else _by_duck
        purchases = by(pen, as_of, cutoffs, lambda done: told(done, 4))
        if relearn:
            thresholds = Thresholds.from_rows(pen.execute(engines.sql(scores.thresholds)).fetchall())
            model = worth.fit(pen, as_of=as_of)
        else:
            thresholds = Thresholds.from_json(engine.meta("thresholds", pen=pen))
            model = worth.Model.from_json(engine.meta("model", pen=pen))
        told(3, 4)
        customers = pen.execute("SELECT count(*) FROM figures").fetchall()[0][0]
        judge(
            pen, "CREATE TEMP TABLE judged AS", as_of=as_of, cutoffs=cutoffs, thresholds=thresholds, model=model
        )  # fmt: skip
        judged = files.copy(pen, "scores", "FROM judged ORDER BY customer_id")
        last = engine.meta("refresh", {}, pen=pen)
        new = State(
            version=last.get("version", 0) + 1,
            as_of=as_of,
            position=position,
            refreshed_at=clock.micros(),
            took_ms=round((time.perf_counter() - begun) * 1000),
            settings=settings_of(own),
            currency=own.currency,
            zone=own.zone,
            customers=customers,
        )
        kept: dict[str, Any] = {"refresh": asdict(new), "stale": False, "schema": len(schema.STEPS)}
        kept |= {"cutoffs": cutoffs.to_json(), "thresholds": thresholds.to_json(), "model": model.to_json()}
        pen.execute("CREATE TEMP VIEW scores AS FROM temp.judged")
        kept |= in_advance(pen, kept)
        told(4, 4)
    with changes.writing(), closing(replica.cursor()) as pen, closing(replica.cursor()) as beside:
        # Who changed meanwhile is judged again, by what was learned now: a reader sees before or after.
        rows = _judged(beside, position, as_of=as_of, cutoffs=cutoffs, thresholds=thresholds, model=model)
        changes.whole(
            pen,
            meta=kept | {"lived": engine.meta("position", 0, pen=pen)},
            records=True,
            bases={"purchases": purchases, "scores": judged},
            since=position,
            judged=rows,
        )
    return new


def _by_duck(
    pen: duckdb.DuckDBPyConnection, as_of: int, cutoffs: Cutoffs, told: Callable[[int], None]
) -> dict[str, int]:
    """The file of purchases; the temporary table `figures` and the view `purchases` are made."""
    found = files.copy(pen, "purchases", f"{engines.sql(facts.purchases)} ORDER BY customer_id")
    pen.execute(f"CREATE TEMP VIEW purchases AS FROM read_parquet({files.listed(found)})")
    told(1)
    pen.execute(f"CREATE TEMP TABLE figures AS {engines.sql(scores.figures, as_of=as_of, cutoffs=cutoffs)}")
    told(2)
    return found


def _by_spark(
    pen: duckdb.DuckDBPyConnection, as_of: int, cutoffs: Cutoffs, told: Callable[[int], None]
) -> dict[str, int]:
    """The same on Spark, which reads and writes the lake's files itself."""
    there = {kind: list(replica.names(kind)) for kind in ("events", "lines")}
    there["records"] = list(files.copy(pen, "records", "FROM records"))
    with closing(Spark(settings.SPARK)) as spark:
        for kind, names in there.items():
            if names:
                spark.register({kind: [_seen_by_spark(name) for name in names]})
            else:
                spark.register({kind: pen.execute(f"FROM {kind}_changed").to_arrow_table()})
        steps = {
            "purchases": engines.sql(facts.purchases, "pyspark"),
            "figures": engines.sql(scores.figures, "pyspark", as_of=as_of, cutoffs=cutoffs),
        }
        made: dict[str, dict[str, int]] = {}
        for done, (kind, sql) in enumerate(steps.items(), 1):
            folder = files.new(kind, "")
            spark.write(_seen_by_spark(folder), sql, by="customer_id")
            spark.register({kind: _seen_by_spark(folder)})
            made[kind] = _parts(folder)
            source = f"read_parquet({files.listed(made[kind])})" if made[kind] else f"{kind}_changed LIMIT 0"
            what = "VIEW" if kind == "purchases" else "TABLE"
            pen.execute(f"CREATE TEMP {what} {kind} AS FROM {source}")
            told(done)
    return made["purchases"]


def _seen_by_spark(name: str) -> str:
    return f"{settings.SPARK_LAKE.rstrip('/') or files.path('').as_uri()}/{name}"


def _parts(folder: str) -> dict[str, int]:
    """The files that Spark wrote there, with their rows, on the disk."""
    found = {}
    for part in sorted(files.path(folder).glob("*.parquet")):
        rows = pq.read_metadata(part).num_rows
        if rows:
            name = f"{folder}/{part.name}"
            files.sync(name)
            found[name] = rows
    return found
