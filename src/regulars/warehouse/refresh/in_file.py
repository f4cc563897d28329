"""Refreshes where one process owns a DuckDB file.

A full refresh builds its tables beside those in use while the feed goes on, and swaps them in at the end in one
transaction that also brings up to date who changed meanwhile: a reader sees before or after, nothing between. It folds
all events anew only when it has to; else it goes on from purchases and scores, which live refreshes keep exact.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import ibis

from regulars.accounts.queries import Business, business
from regulars.analytics import engines, facts, scores
from regulars.analytics.cutoffs import Cutoffs, Thresholds
from regulars.kernel import clock
from regulars.warehouse import engine, schema, worth
from regulars.warehouse.refresh.changed import judge_pending
from regulars.warehouse.refresh.judging import judge
from regulars.warehouse.refresh.standing import MANY, State, as_of_day, cutoffs_of, due, in_advance, settings_of, state

log = logging.getLogger(__name__)

WEEKLY = 7 * 86_400_000_000
"""So often everything is folded anew although nothing asks for it: rows that were replaced leave gaps in the tables."""

PLAIN_BITS = 22
"""Binary digits of the numbers of records up to which they are an array's index: 4 million, some 100 MB a thread."""

_running = threading.Lock()
_building = threading.Event()
_NEXT = ibis.table(facts.PURCHASES.schema(), name="purchases_next")


@contextmanager
def idle() -> Iterator[None]:
    """No full refresh runs within the block: it builds its tables outside `engine.writing`."""
    with _running:
        yield


def step() -> bool:
    """As refresh.step."""
    reason = due()
    if reason:
        log.info("full refresh (%s)", reason)
        full(lambda done, total: None, relearn=True, anew=None)
    return bool(reason)


def full(told: Callable[[int, int], None], *, relearn: bool, anew: bool | None) -> State:
    """As refresh.full."""
    with _running:
        begun = time.perf_counter()
        own = business()
        pen = engine.cursor()
        # Records are small numbers: DuckDB folds by them in a plain array, in a third of the time of a hash table.
        # Only here: for a few rows the array takes longer to clear than they take to fold.
        pen.execute(f"SET SESSION perfect_ht_threshold = {PLAIN_BITS}")
        _building.set()
        try:
            as_of = as_of_day(own)
            built = _build(pen, own, as_of, told, relearn, _has_to_fold(as_of) if anew is None else anew)
            kept = _kept(own, as_of, built, begun)
            return _swap(built, kept | _answered(pen, built, kept))
        finally:
            _building.clear()
            pen.close()


@dataclass(frozen=True, slots=True)
class _Built:
    position: int
    thresholds: Thresholds
    model: worth.Model
    customers: int
    folded: dict[str, Any]
    anew: bool


def _definitions() -> str:
    """Changes when what is kept from one refresh to the next would be counted otherwise."""
    texts = engines.sql(facts.purchases), engines.sql(scores.figures, as_of=0, cutoffs=Cutoffs())
    return hashlib.sha256("".join(texts).encode()).hexdigest()[:16]


def _has_to_fold(as_of: int) -> bool:
    """Whether purchases and scores of the last time don't tell what came before."""
    last, folded = state(), engine.meta("folded") or {}
    if last is None or engine.meta("stale", False) or folded.get("definitions") != _definitions():
        return True
    if as_of < last.as_of or not 0 <= clock.micros() - folded["at"] < WEEKLY:
        return True
    # Those to whom something happened since; what is dated ahead counts from its day on.
    many = engine.read(
        """SELECT count(*) FROM (SELECT record_id FROM pending UNION
           SELECT record_id FROM events WHERE day > ? AND day <= ?)""",
        [last.as_of, as_of],
    )
    return bool(many[0][0] > MANY)


def _build(
    pen: duckdb.DuckDBPyConnection, own: Business, as_of: int, told: Callable[[int, int], None], relearn: bool,
    anew: bool,
) -> _Built:  # fmt: skip
    """The tables of the next version, beside those in use.

    Not in one transaction: customers whose events come after `position` may be in or not, they are judged again when
    the tables are swapped.
    """
    cutoffs = cutoffs_of(own)
    if anew:
        pen.execute("BEGIN")  # lines that come meanwhile are told apart by the position: none counts twice
        position = engine.meta("position", 0, pen=pen)
        # In the order of customers: the rows of one are found without reading all, and are counted faster. Numbers of
        # orders as they are: compressed they take a second longer to write at three million, and four times as long
        # to fetch for some customers.
        columns = schema.PURCHASES.format(order_id="USING COMPRESSION uncompressed")
        pen.execute(f"CREATE OR REPLACE TABLE purchases_next({columns})")
        pen.execute(f"INSERT INTO purchases_next {engines.sql(facts.purchases)} ORDER BY customer_id")
        pen.execute("COMMIT")
        told(1, 4)
        figures = engines.sql(scores.figures, purchases=_NEXT, as_of=as_of, cutoffs=cutoffs)
        pen.execute(f"CREATE TEMP TABLE figures AS {figures}")
        folded = {"definitions": _definitions(), "at": clock.micros()}
    else:
        with engine.writing(desk=True) as writer:  # nothing comes between what is judged here and its position
            judge_pending(writer, settled=True)
            position = engine.meta("position", 0, pen=writer)
            folded = engine.meta("folded", pen=writer)
        told(1, 4)
        _carry(pen, as_of, cutoffs)
    told(2, 4)
    if relearn:
        thresholds = Thresholds.from_rows(pen.execute(engines.sql(scores.thresholds)).fetchall())
    else:
        thresholds = Thresholds.from_json(engine.meta("thresholds", pen=pen))
    count = pen.execute("SELECT count(*) FROM figures").fetchone()
    customers = count[0] if count else 0
    model = worth.fit(pen, as_of=as_of) if relearn else worth.Model.from_json(engine.meta("model", pen=pen))
    told(3, 4)
    into = "CREATE OR REPLACE TABLE scores_next AS"
    judge(pen, into, as_of=as_of, cutoffs=cutoffs, thresholds=thresholds, model=model, ordered=anew)
    told(4, 4)
    return _Built(position, thresholds, model, customers, folded, anew)


def _carry(pen: duckdb.DuckDBPyConnection, as_of: int, cutoffs: Cutoffs) -> None:
    """The temporary table `figures` from the scores of the last time. Counted anew is who did anything on the days
    since then, which is only who is dated ahead: all others have been judged live."""
    last = state()
    assert last is not None
    pen.execute(
        """CREATE TEMP TABLE concerned AS SELECT DISTINCT customer_id FROM records SEMI JOIN
           (SELECT record_id FROM events WHERE day > ? AND day <= ?) USING (record_id)""",
        [last.as_of, as_of],
    )
    carried = engines.sql(scores.carried, as_of=as_of, cutoffs=cutoffs)
    pen.execute(f"CREATE TEMP TABLE figures AS FROM ({carried}) ANTI JOIN concerned USING (customer_id)")
    if pen.execute("SELECT 1 FROM concerned LIMIT 1").fetchone():
        again = engines.sql(scores.figures, as_of=as_of, cutoffs=cutoffs, only=facts.CONCERNED)
        pen.execute(f"INSERT INTO figures {again}")
    pen.execute("DROP TABLE concerned")


def _kept(own: Business, as_of: int, built: _Built, begun: float) -> dict[str, Any]:
    """What is kept by name of the next version."""
    last = state()
    new = State(
        version=last.version + 1 if last else 1,
        as_of=as_of,
        position=built.position,
        refreshed_at=clock.micros(),
        took_ms=round((time.perf_counter() - begun) * 1000),
        settings=settings_of(own),
        currency=own.currency,
        zone=own.zone,
        customers=built.customers,
    )
    kept: dict[str, Any] = {"refresh": asdict(new), "cutoffs": cutoffs_of(own).to_json(), "folded": built.folded}
    kept |= {"judged": built.position} | ({"stale": False, "bought": built.position} if built.anew else {})
    return kept | {"thresholds": built.thresholds.to_json(), "model": built.model.to_json()}


def _answered(pen: duckdb.DuckDBPyConnection, built: _Built, kept: Mapping[str, Any]) -> dict[str, Any]:
    """As in_advance, of the tables that were built."""
    pen.execute("BEGIN TRANSACTION READ ONLY; CREATE TEMP VIEW scores AS FROM scores_next")
    if built.anew:
        pen.execute("CREATE TEMP VIEW purchases AS FROM purchases_next")
    said = in_advance(pen, kept)
    pen.execute("ROLLBACK")
    return said


def _swap(built: _Built, kept: Mapping[str, Any]) -> State:
    with engine.writing(desk=True) as pen:
        for table in ("purchases", "scores"):
            if table == "scores" or built.anew:
                pen.execute(f"DROP TABLE IF EXISTS {table}")
                pen.execute(f"ALTER TABLE {table}_next RENAME TO {table}")
        pen.execute("DELETE FROM pending WHERE position <= ?", [built.position])
        engine.keep(pen, kept)
        judge_pending(pen, settled=True)
    return State(**kept["refresh"])


def live() -> int:
    """As refresh.live. Costs what the changed customers' new events cost, plus a scan of ids."""
    # While tables are being built that lack these customers, they stay pending for the swap.
    building = _building.is_set()
    if not engine.read(
        "SELECT 1 FROM pending WHERE position > ? LIMIT 1", [engine.meta("judged", 0) if building else -1]
    ):
        return 0
    with engine.writing(desk=True) as pen:
        return judge_pending(pen, settled=not _building.is_set())
