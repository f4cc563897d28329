"""Judging who changed, where one process owns a DuckDB file: what is new of them goes onto what is there.

Some twenty small statements, and planning takes longer than running. So the larger ones, over temporary tables alone,
are prepared once and kept with the cursor (`engine.writing(desk=True)`). They are planned without the optimizer, which
believes for ever what statistics said of the tables when a statement was prepared: with it results would be wrong. The
tables are empty outside of a transaction; they are never dropped, because that has every statement planned again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import ibis
import pyarrow as pa

from regulars.analytics import engines, facts, scores, traits
from regulars.analytics.cutoffs import Cutoffs, Thresholds
from regulars.warehouse import engine, worth
from regulars.warehouse.refresh.judging import TELLING, scored
from regulars.warehouse.refresh.standing import State

FEW = 1_000
"""Of so many customers purchases are fetched by row; of more, columns are read."""
_TOLD = 'position, record_id, "at", day, month, order_id, store, channel, amount, paid, kind, home'
"""The columns of lines that purchases need."""
_STANDING = ", ".join(name for name in facts.FIGURES.columns if name in facts.SCORES.columns)
_MINE, _BUYING = (ibis.table(facts.RECORDS.schema(), name=name) for name in ("mine", "buying"))
_NEWS, _LINES = ibis.table(facts.EVENTS.schema(), name="news"), ibis.table(facts.LINES.schema(), name="told")
_BEFORE, _BOUGHT = (ibis.table(facts.PURCHASES.schema(), name=name) for name in ("before", "bought"))
_STOOD, _COUNTED = ibis.table(facts.SCORES.schema(), name="stood"), ibis.table(facts.FIGURES.schema(), name="counted")
_DESK = f"""
    CREATE TEMP TABLE gone(customer_id BIGINT, anew BOOLEAN);
    CREATE TEMP TABLE mine AS SELECT *, false AS anew, false AS moody FROM records LIMIT 0;
    CREATE TEMP TABLE buyers AS SELECT customer_id FROM records LIMIT 0;
    CREATE TEMP TABLE buying AS FROM mine;
    CREATE TEMP TABLE told AS SELECT {_TOLD} FROM lines LIMIT 0;
    CREATE TEMP TABLE news AS SELECT {TELLING} FROM events LIMIT 0;
    CREATE TEMP TABLE stood AS SELECT {_STANDING} FROM scores LIMIT 0;
    CREATE TEMP TABLE before AS FROM purchases LIMIT 0;
    CREATE TEMP TABLE bought AS FROM purchases LIMIT 0;
    CREATE TEMP TABLE foreseen(customer_id BIGINT, p_alive DOUBLE, expected_orders DOUBLE, expected_value BIGINT,
        value_low BIGINT, value_high BIGINT);
"""  # noqa: S608 (our own names)
_MOODY = f"""UPDATE mine SET moody = true WHERE customer_id IN (SELECT customer_id FROM stood WHERE mood IS NOT NULL)
    AND customer_id IN (SELECT customer_id FROM mine JOIN news USING (record_id)
    WHERE name IN {traits.MOOD_EVENTS})"""  # noqa: S608 (our own names)
_SAID = """INSERT INTO news SELECT -1, if(mood IS NULL, '', 'Survey Answered'), record_id, -1, last_seen_day, 'nps',
    CASE mood WHEN 'happy' THEN 10 WHEN 'neutral' THEN 8 ELSE 0 END
    FROM stood JOIN mine USING (customer_id) WHERE NOT moody AND last_seen_day IS NOT NULL"""
"""What scores say of mood and last sign of life, as an event before all others."""
_BUYERS = """INSERT INTO buyers SELECT customer_id FROM gone ANTI JOIN stood USING (customer_id)
    UNION SELECT customer_id FROM mine SEMI JOIN told USING (record_id)"""
_desk: tuple[duckdb.DuckDBPyConnection | None, dict[str, str]] = None, {}


def judge_pending(pen: duckdb.DuckDBPyConnection, *, settled: bool) -> int:
    """Replace scores, and purchases where they changed, of all customers with pending records, in the transaction of
    `pen`; how many customers that were. `settled`: they aren't pending any more then. Nothing before the first refresh.

    Scores hold what came up to the position `judged`, purchases what came up to `bought`. What came since goes on top
    of them: lines onto purchases, and who has none keeps the figures that purchases tell; of events only when
    somebody was last seen and their mood count, and what their scores say of both is told as one event. All events and
    lines are read only of those whose records came or went (`anew`), all events of those whose mood told another.
    """
    known = engine.metas(
        ("refresh", "thresholds", "model", "cutoffs", "judged", "bought", "position", "live", "stale"), pen=pen
    )
    found = pen.execute("SELECT max(position), count(*) FROM pending").fetchone()
    if not found or not found[1] or "refresh" not in known:
        return 0
    last, cutoffs = State(**known["refresh"]), Cutoffs.from_json(known["cutoffs"])
    thresholds, model = Thresholds.from_json(known["thresholds"]), worth.Model.from_json(known["model"])
    since = 0 if known.get("stale") else known.get("judged", 0)
    folded = known.get("bought", since) if since else 0
    _set_up(pen, as_of=last.as_of, cutoffs=cutoffs)
    _read(pen, since, folded)
    buyers, stayers = pen.execute("SELECT (SELECT count(*) FROM buyers), (SELECT count(*) FROM stood)").fetchall()[0]
    if buyers:
        _fetch_purchases(pen, since, folded, few=buyers <= FEW)
    pen.execute("DELETE FROM scores WHERE customer_id IN (SELECT customer_id FROM gone)")
    with _small(pen):
        used = ["gone", "mine", "news", "stood", "counted", "foreseen"]
        if buyers:
            _run(pen, "stay", "DELETE FROM stood WHERE customer_id IN (SELECT customer_id FROM buyers)")
            _run(pen, "buying", "INSERT INTO buying FROM mine SEMI JOIN buyers USING (customer_id)")
            fold = engines.sql(facts.purchases, lines=_LINES, records=_MINE, before=_BEFORE)
            _run(pen, "fold", f"INSERT INTO bought {fold}")
            pen.execute("INSERT INTO purchases FROM bought")
            again = {"purchases": _BOUGHT, "events": _NEWS, "records": _BUYING}
            figures = engines.sql(scores.figures, **again, as_of=last.as_of, cutoffs=cutoffs)
            _run(pen, "count", f"INSERT INTO counted {figures}")
            used += ["buyers", "buying", "told", "before", "bought"]
        if buyers < stayers or pen.execute("SELECT 1 FROM stood LIMIT 1").fetchone():
            still = engines.sql(scores.unbought, table=_STOOD, events=_NEWS, records=_MINE, as_of=last.as_of)
            _run(pen, "stand", f"INSERT INTO counted {still}")
        count = pen.execute("SELECT count(*) FROM counted").fetchall()[0][0]
        _add(pen, "foreseen", worth.predicted(pen, model, as_of=last.as_of, figures="counted"))
        judged = scored(cutoffs=cutoffs, thresholds=thresholds, figures=_COUNTED, predicted="foreseen")
        _run(pen, "judge", f"INSERT INTO scores {judged}")
        for table in used:
            _run(pen, f"empty_{table}", f"DELETE FROM {table}")  # noqa: S608 (our own names)
    if settled:
        pen.execute("DELETE FROM pending WHERE position <= ?", [found[0]])
    position = known.get("position", 0)
    engine.keep(pen, {"judged": position, "bought": position, "live": known.get("live", 0) + 1})
    return int(count)


def _read(pen: duckdb.DuckDBPyConnection, since: int, folded: int) -> None:
    """Who is concerned and what is new of them, into the temporary tables."""
    # The roots that changed records have now, and the records themselves: before a merge they were roots.
    pen.execute(f"""
        INSERT INTO gone SELECT customer_id, bool_or(anew) FROM (
            SELECT record_id AS customer_id, {not since} OR anew IS DISTINCT FROM false AS anew FROM pending UNION ALL
            SELECT customer_id, anew IS DISTINCT FROM false FROM records JOIN pending USING (record_id)) GROUP BY 1;
        INSERT INTO mine SELECT records.*, anew, false FROM records JOIN gone USING (customer_id);
        INSERT INTO told SELECT {_TOLD} FROM lines SEMI JOIN mine USING (record_id)
            WHERE position > {min(since, folded)};
        INSERT INTO news SELECT {TELLING} FROM events SEMI JOIN mine USING (record_id) WHERE position > {since};
        INSERT INTO stood SELECT {_STANDING} FROM scores SEMI JOIN (FROM mine WHERE NOT anew) USING (customer_id);
    """)  # noqa: S608
    anew, moods = pen.execute(
        f"""SELECT (SELECT bool_or(anew) FROM gone), (SELECT bool_or(name IN {traits.MOOD_EVENTS}) FROM news)"""  # noqa: S608
    ).fetchall()[0]
    with _small(pen):
        if moods:
            _run(pen, "moody", _MOODY)
    if since and (anew or (moods and pen.execute("SELECT 1 FROM mine WHERE moody LIMIT 1").fetchone())):
        pen.execute(f"""
            INSERT INTO told SELECT {_TOLD} FROM lines SEMI JOIN (FROM mine WHERE anew) USING (record_id)
                WHERE position <= {min(since, folded)};
            INSERT INTO news SELECT {TELLING} FROM events SEMI JOIN (FROM mine WHERE anew OR moody) USING (record_id)
                WHERE position <= {since};
        """)  # noqa: S608
    with _small(pen):
        _run(pen, "said", _SAID)
        _run(pen, "buyers", _BUYERS)


def _fetch_purchases(pen: duckdb.DuckDBPyConnection, since: int, folded: int, *, few: bool) -> None:
    """Take the purchases of who buys, or is counted anew, out of the table; the lines that aren't in them stay told."""
    theirs = "customer_id IN (SELECT customer_id FROM buyers)"
    if few:
        _add(pen, "before", pen.execute(f"DELETE FROM purchases WHERE {theirs} RETURNING *").to_arrow_table())  # noqa: S608
    else:
        pen.execute(f"INSERT INTO before FROM purchases WHERE {theirs}; DELETE FROM purchases WHERE {theirs}")  # noqa: S608
    with _small(pen):
        _run(pen, "anew", "DELETE FROM before WHERE customer_id IN (SELECT customer_id FROM gone WHERE anew)")
        if since < folded:
            pen.execute(f"""DELETE FROM told WHERE position <= {folded}
                        AND record_id IN (SELECT record_id FROM mine WHERE NOT anew)""")  # noqa: S608


def _add(pen: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    if rows.num_rows:
        pen.execute(f"INSERT INTO {table} FROM rows")  # found by its name here: to register it is a change


def _set_up(pen: duckdb.DuckDBPyConnection, **parameters: Any) -> None:
    """The temporary tables of this cursor, once."""
    global _desk
    if _desk[0] is not pen:
        pen.execute(f"{_DESK} CREATE TEMP TABLE counted AS {engines.sql(scores.figures, **parameters)} LIMIT 0")
        _desk = pen, {}


@contextmanager
def _small(pen: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Statements over the temporary tables alone."""
    pen.execute("PRAGMA disable_optimizer")  # of this cursor
    yield
    pen.execute("PRAGMA enable_optimizer")


def _run(pen: duckdb.DuckDBPyConnection, name: str, sql: str) -> None:
    """A statement that is planned once."""
    if _desk[1].get(name) != sql:
        pen.execute(f"PREPARE {name} AS {sql}")
        _desk[1][name] = sql
    pen.execute(f"EXECUTE {name}")
