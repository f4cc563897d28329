"""The moment that a page is about: which refresh, as of which day; and reading within it."""

import base64
import binascii
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Generic, TypeVar

import duckdb
import pyarrow

from regulars.accounts.queries import business
from regulars.kernel import clock
from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text
from regulars.warehouse import engine

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent state of the warehouse: all its queries see the same rows, whatever is written meanwhile.

    Ask for one per page, use it in the thread that asked, drop it with the page. `version` counts full refreshes (0:
    never refreshed, everything is empty), `live` the refreshes of changed customers. `as_of` is the day that the
    scores are judged at (exclusive: what happened on it counts, what comes after isn't known).
    """

    version: int
    live: int
    as_of: int
    refreshed_at: datetime | None
    currency: str
    zone: str
    _cursor: duckdb.DuckDBPyConnection = field(repr=False, compare=False)
    _kept: dict[str, list[Any]] = field(default_factory=dict, repr=False, compare=False)
    _once: dict[tuple[Any, ...], str] = field(default_factory=dict, repr=False, compare=False)
    _most: list[int] = field(default_factory=list, repr=False, compare=False)  # the largest number of all, once asked
    gathers: bool = False
    """What is asked is kept among the answers given in advance."""
    folded: bool = False
    """There are tables of facts.visits and facts.placed for questions to share, as long as many are asked in a row."""

    def read(self, sql: str, params: engine.Parameters = ()) -> list[tuple[Any, ...]]:
        return self._cursor.execute(sql, params or None).fetchall()

    def read_arrow(self, sql: str, params: engine.Parameters = ()) -> pyarrow.Table:
        return self._cursor.execute(sql, params or None).to_arrow_table()

    def once(self, sql: str, params: Sequence[Any] = ()) -> str:
        """The name of a table of this question's rows: who needs them for several questions asks once."""
        return self._named((sql, *params), lambda name: self.read(f"CREATE TEMP TABLE {name} AS {sql}", params))

    def listed(self, ids: Sequence[int]) -> str:
        """The name of a table of these ids (column `id`): as a parameter so many values take long."""
        table = partial(pyarrow.array, ids, pyarrow.int64())
        return self._named(("ids", ids), lambda name: self._cursor.register(name, pyarrow.table({"id": table()})))

    def marked(self, sql: str, params: Sequence[Any] = ()) -> str:
        """The name of a variable with a bit for each number of a record or customer, set for those that this question
        finds (one column; what is nobody's number is left out). `among` asks it, at a fraction of what a join with
        half of all customers costs. Not a table of one row: it would be unpacked for every block that is asked.
        """
        if not self._most:
            numbers = (("record_id", "records"), ("customer_id", "records"), ("customer_id", "scores"))
            tops = ", ".join(f"(SELECT max({column}) FROM {table})" for column, table in numbers)  # noqa: S608
            self._most.append(self.read(f"SELECT coalesce(greatest({tops}), 0)")[0][0])
        most = self._most[0]
        found = f"SELECT number FROM ({sql}) AS found(number) WHERE number BETWEEN 0 AND {most}"  # noqa: S608
        bits = f"(SELECT bitstring_agg(number, 0, {most}) FROM ({found}))"  # noqa: S608
        return self._named(("marked", sql, *params), lambda name: self.read(f"SET VARIABLE {name} = {bits}", params))

    def _named(self, key: tuple[Any, ...], make: Callable[[str], object]) -> str:
        if key not in self._once:
            make(name := f"once_{len(self._once)}")
            self._once[key] = name
        return self._once[key]

    @property
    def answered(self) -> bool:
        """Whether what pages ask of much history was answered in advance."""
        return bool(self._kept)

    @property
    def judged(self) -> int:
        """The position in the log up to which customers were judged when one last was."""
        return int(max(self.value("judged", 0), self.value("lived", 0)))  # of a file, of a lake

    def knows(self, question: Sequence[Any]) -> bool:
        """Whether the answer came with the refresh, or is kept for those that come with the next one."""
        return self.gathers or json.dumps(question) in self._kept

    def value(self, key: str, default: Any = None) -> Any:
        """What the refresh kept by this name: "thresholds", "clv", "figures" …"""
        return engine.meta(key, default, pen=self._cursor)


def among(marked: str, column: str) -> str:
    """The condition that a column's number is one of those marked (Snapshot.marked)."""
    return f"get_bit(getvariable('{marked}'), {column}::INTEGER) = 1"


def snapshot() -> Snapshot:
    """The present state. Costs a millisecond."""
    cursor = engine.cursor()
    cursor.execute("BEGIN TRANSACTION READ ONLY")
    return _of(cursor)


def _of(cursor: duckdb.DuckDBPyConnection) -> Snapshot:
    state = engine.meta("refresh", {}, pen=cursor)
    kept = _kept(cursor, state)
    if not state:  # nothing was judged yet: the day is the one that the first refresh would judge at
        own = business()
        state = {"as_of": clock.day_number(clock.today(own.zone)), "currency": own.currency, "zone": own.zone}
    refreshed = state.get("refreshed_at")
    return Snapshot(
        version=state.get("version", 0),
        live=engine.meta("live", 0, pen=cursor),
        as_of=state["as_of"],
        refreshed_at=None if refreshed is None else clock.from_micros(refreshed),
        currency=state["currency"],
        zone=state["zone"],
        _cursor=cursor,
        _kept=kept,
    )


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows in order, and where the next page begins (`after`, opaque; None at the end)."""

    rows: list[T]
    after: str | None


def key_of(*values: Any) -> str:
    """An opaque key for "the rows after this one"."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def values_of(key: str, count: int) -> list[Any]:
    """The values within a key; raises Invalid for one that isn't ours."""
    try:
        values = json.loads(base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)))
        if not isinstance(values, list) or len(values) != count:
            raise ValueError(key)
    except (ValueError, binascii.Error):
        raise Invalid(
            "bad_cursor",
            Text("This page address is damaged. Start from the first page.", "页面地址已损坏，请从第一页开始。"),
            field="after",
        ) from None
    return values


@dataclass(frozen=True, slots=True)
class _Answer:
    version: int
    live: int
    until: float  # how long it may be given although customers changed since; by the process's own clock
    rows: list[Any]


_answers: dict[tuple[Any, ...], _Answer] = {}
_loaded: tuple[Any, dict[str, list[Any]]] = (None, {})
_lock = threading.Lock()
DEAR = 0.2
"""Seconds of work from which on an answer is kept for a hundred times as long, whatever changed meanwhile …"""
LARGE = 100_000
"""… in a business of so many customers."""
LONGEST = 5_000
"""An answer of more rows isn't kept in the warehouse."""


def remembered(snapshot: Snapshot, question: Sequence[Any], ask: Callable[[], list[Any]]) -> list[Any]:
    """The rows that answer a question over much history: numbers and strings alone (from the warehouse they come as
    lists, whatever they were).

    In a large business those that pages ask were answered by the last full refresh, all of one moment, and stay until
    the next one. Others are asked again when anything has changed; a dear one when there was a full refresh, or after
    a hundred times as long as it took.
    """
    kept = snapshot._kept.get(json.dumps(question))
    if kept is None and snapshot.gathers:
        kept = snapshot._kept[json.dumps(question)] = ask()
    if kept is not None:
        return kept
    key = (engine.path(), *question)
    known = _answers.get(key)
    now = time.perf_counter()
    if known and known.version == snapshot.version and (known.live == snapshot.live or now < known.until):
        return known.rows
    rows = ask()
    took = time.perf_counter() - now
    if snapshot.version:
        with _lock:
            if len(_answers) > 500:
                _answers.clear()
            dear = took > DEAR and snapshot.value("refresh", {}).get("customers", 0) >= LARGE
            until = now + 100 * took if dear else 0.0
            _answers[key] = _Answer(snapshot.version, snapshot.live, until, rows)
    return rows


def answered(
    cursor: duckdb.DuckDBPyConnection, told: Mapping[str, Any], warm: Callable[[Snapshot], Iterator[object]]
) -> dict[str, Any]:
    """What the warehouse's meta shall hold beside what it is `told` by a full refresh, so that all processes and later
    ones have the answers to what `warm` asks.

    Asked before anybody sees the refresh, and seen together with it: no page waits, and none mixes two days. So
    `cursor` has its tables under the names of those in use.
    """
    cursor.execute("CREATE TEMP TABLE meta AS FROM meta")
    engine.keep(cursor, {**told, "asked": None})
    gathered: dict[str, list[Any]] = {}
    for _ in warm(replace(_of(cursor), _kept=gathered, gathers=True)):
        pass
    cursor.execute("DROP TABLE temp.meta")
    rows = {question: rows for question, rows in gathered.items() if len(rows) <= LONGEST}
    return {"asked": told["refresh"]["version"], "asked.rows": rows}


def _kept(cursor: duckdb.DuckDBPyConnection, state: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The answers that came with the present refresh."""
    global _loaded
    version = engine.meta("asked", None, pen=cursor)
    if version is None or version != state.get("version"):
        return {}
    mark = (engine.path(), version, state["refreshed_at"])
    before, rows = _loaded
    if before != mark:
        rows = engine.meta("asked.rows", {}, pen=cursor)
        _loaded = mark, rows
    return rows
