"""Lists of customers by their scores: filters, sorting, key pages."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text
from regulars.warehouse.queries import voice
from regulars.warehouse.queries.lifecycle import being_newly_lost
from regulars.warehouse.queries.risk import LEAVING, LEFT
from regulars.warehouse.queries.snapshot import Page, Snapshot, key_of, remembered, values_of


@dataclass(frozen=True, slots=True)
class Scores:
    """A customer's row; see analytics for what each means. None where there is no answer (no purchase yet)."""

    customer_id: int
    known: bool
    erased: bool
    orders: int
    gross: int
    net: int
    first_day: int | None
    last_day: int | None
    last_seen_day: int | None
    gap_days: int | None
    recency_days: int | None
    r: int | None
    f: int | None
    m: int | None
    rfm_group: str | None
    stage: str
    silent_days: int | None
    spend_recent: int
    spend_before: int
    warned: bool
    warn_silent: bool
    warn_spend: bool
    warn_overdue: bool
    p_alive: float | None
    expected_orders: float | None
    expected_value: int | None
    value_low: int | None
    value_high: int | None
    store: str | None
    channel: str | None
    mood: str | None
    taste: str | None

    @property
    def leaving(self) -> bool:
        """About to leave: warned of, and not lost already."""
        return self.warned and self.stage != "lost"


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows a list: all given have to hold. Ranges are (from, to), both inclusive, either may be None."""

    stages: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    r: int | None = None
    f: int | None = None
    m: int | None = None
    stores: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    moods: tuple[str, ...] = ()
    tastes: tuple[str, ...] = ()
    leaving: bool | None = None  # True: warned of and not lost; False: warned of and lost
    known: bool | None = True  # known or a buyer; False: not known; None: anybody
    named: bool = False  # only who has an identity that names a person
    ranges: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)  # column → from, to
    bought_store: str | None = None  # a paid line says so ("": says nothing), as metrics.sales.buyers counts …
    bought_channel: str | None = None
    bought_category: str | None = None
    bought_product: str | None = None
    bought_since: int | None = None  # … between these days, both included (any of the six may be left out)
    bought_until: int | None = None
    came: int | None = None  # bought in this month, as metrics.loyalty.retention counts
    again: int | None = None  # bought again within so many days of the first purchase, as metrics.loyalty.second_order
    newly_lost: bool = False  # lost today and not at the end of last month
    said: str | None = None  # the kind of survey whose last answer …
    said_least: int = 0  # … is from this score …
    said_most: int = 10  # … to that, both included …
    said_since: int | None = None  # … of all given between these days …
    said_until: int | None = None
    said_store: str | None = None  # … there, as metrics.mood counts
    ids: tuple[int, ...] | None = None  # only these (a search's)
    records: tuple[int, ...] | None = None  # only the customers of these records (a tag's)
    erased: bool | None = False  # None: those too


SORTABLE: tuple[str, ...] = (
    "net", "gross", "orders", "last_day", "first_day", "last_seen_day", "recency_days", "gap_days", "p_alive",
    "expected_orders", "expected_value", "silent_days", "spend_recent", "spend_before", "customer_id",
)  # fmt: skip


def page(snapshot: Snapshot, *, filters: Filters = Filters(), sort: str = "net", descending: bool = True,
         after: str | None = None, limit: int = 50) -> Page[Scores]:  # fmt: skip
    """Customers in order of a column (ties by id; those without a value last). Raises Invalid for an unknown column."""
    if sort not in SORTABLE:
        raise Invalid("bad_sort", Text("Customers can't be sorted by this.", "不能按该列排序。"), field="sort")
    where, params = _where(snapshot, filters)
    if after is not None:
        value, last = values_of(after, 2)
        if value is None:
            where, params = [*where, f"{sort} IS NULL AND customer_id > ?"], [*params, last]
        else:
            beyond = "<" if descending else ">"
            where.append(f"({sort} {beyond} ? OR ({sort} = ? AND customer_id > ?) OR {sort} IS NULL)")
            params += [value, value, last]
    direction = "DESC" if descending else "ASC"
    order = f"ORDER BY {sort} {direction} NULLS LAST, customer_id"
    # Who is on the page first, then their columns: read at once, all columns of all who fit would be unpacked.
    which = f"SELECT customer_id FROM scores WHERE {' AND '.join(where)} {order} LIMIT ?"  # noqa: S608 (names of ours)
    rows = [id for (id,) in snapshot.read(which, [*params, limit + 1])]
    scores = scores_of(snapshot, rows[:limit])
    found = [scores[id] for id in rows[:limit]]
    return Page(found, key_of(getattr(found[-1], sort), found[-1].customer_id) if len(rows) > limit else None)


def count(snapshot: Snapshot, *, filters: Filters = Filters()) -> int:
    where, params = _where(snapshot, filters)
    rows = snapshot.read(f"SELECT count(*) FROM scores WHERE {' AND '.join(where)}", params)  # noqa: S608
    return int(rows[0][0])


def ids(snapshot: Snapshot, *, filters: Filters = Filters(), limit: int | None = None) -> list[int]:
    """All ids, ascending."""
    where, params = _where(snapshot, filters)
    sql = f"SELECT customer_id FROM scores WHERE {' AND '.join(where)} ORDER BY 1"  # noqa: S608
    rows = snapshot.read(sql, params) if limit is None else snapshot.read(f"{sql} LIMIT ?", [*params, limit])
    return [row[0] for row in rows]


def scores_of(snapshot: Snapshot, customer_ids: Iterable[int]) -> dict[int, Scores]:
    """By id, those that have scores."""
    # In the text: before a join with so many values whole columns would be unpacked.
    wanted = ", ".join(str(int(id)) for id in customer_ids)
    rows = snapshot.read(f"SELECT {_COLUMNS} FROM scores WHERE customer_id IN ({wanted})") if wanted else []  # noqa: S608
    return {row[0]: Scores(*row) for row in rows}


def of_order(snapshot: Snapshot, number: str, *, limit: int = 10) -> list[tuple[str, int]]:
    """(number, customer) of the orders with this number as typed or in capitals. Reads one column of all purchases:
    of ten million an eighth of a second of one core.
    """
    return snapshot.read(
        "SELECT order_id, customer_id FROM purchases WHERE order_id IN (?, ?) LIMIT ?", [number, number.upper(), limit]
    )


def stores_and_channels(snapshot: Snapshot) -> dict[str, list[Any]]:
    """{"stores": […], "channels": […]} that have customers, a hundred at most, the largest first."""

    def ask(column: str) -> list[Any]:
        return snapshot.read(
            f"SELECT {column} FROM scores WHERE {column} IS NOT NULL "  # noqa: S608 (names of ours)
            "GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 100"
        )

    return {
        f"{column}s": [name for (name,) in remembered(snapshot, (f"{column}s",), partial(ask, column))]
        for column in ("store", "channel")
    }


_COLUMNS = ", ".join(f.name for f in fields(Scores))


def _where(snapshot: Snapshot, filters: Filters) -> tuple[list[str], list[Any]]:
    """Conditions and their parameters. Raises Invalid for a range over an unknown column."""
    where, params = ["true"], list[Any]()
    for column in ("r", "f", "m", "erased"):
        value = getattr(filters, column)
        if value is not None:
            where, params = [*where, f"{column} = ?"], [*params, value]
    if filters.leaving is not None:
        where.append(LEAVING if filters.leaving else LEFT)
    if filters.known:
        where.append("(known OR orders > 0)")
    elif filters.known is not None:
        where.append("NOT known")
    if filters.named:
        where.append("known")
    lists = {
        "stage": filters.stages, "rfm_group": filters.groups, "store": filters.stores, "channel": filters.channels,
        "mood": filters.moods, "taste": filters.tastes,
    }  # fmt: skip
    for column, values in lists.items():
        if values:
            # A function, not IN: DuckDB asks it once per word of a block's dictionary.
            where, params = [*where, f"list_contains(?::VARCHAR[], {column})"], [*params, list(values)]
    for asked, given in (_bought(snapshot, filters), _came_again(snapshot, filters), _said(snapshot, filters)):
        where, params = [*where, *asked], [*params, *given]
    if filters.newly_lost:
        where.append(being_newly_lost(snapshot))
    if filters.ids is not None:
        where.append(f"customer_id IN (SELECT id FROM {snapshot.listed(filters.ids)})")  # noqa: S608
    if filters.records is not None:
        theirs = f"SELECT customer_id FROM records SEMI JOIN {snapshot.listed(filters.records)} ON record_id = id"  # noqa: S608
        where.append(f"customer_id IN (FROM {snapshot.once(theirs)})")
    for column, (low, high) in filters.ranges.items():
        if column not in (*SORTABLE, "visits"):
            raise Invalid("bad_filter", Text("Customers can't be filtered by this.", "不能按该列筛选。"), field=column)
        for value, sign in ((low, ">="), (high, "<=")):
            if value is not None:
                where, params = [*where, f"{column} {sign} ?"], [*params, value]
    return where, params


Condition = tuple[list[str], list[Any]]
"""Conditions that all have to hold, and their parameters."""


def _bought(snapshot: Snapshot, filters: Filters) -> Condition:
    """Reads lines, not purchases: an order can have lines of several categories."""
    places = {
        "store": filters.bought_store, "channel": filters.bought_channel, "category": filters.bought_category,
        "product_id": filters.bought_product,
    }  # fmt: skip
    where, params = list[str](), list[Any]()
    for column, value in places.items():
        if value:
            where, params = [*where, f"{column} = ?"], [*params, value]
        elif value is not None:
            where.append(f"({column} IS NULL OR {column} = '')")
    if filters.bought_since is not None:
        where, params = [*where, "day >= ?"], [*params, filters.bought_since]
    if not where and filters.bought_until is None:
        return [], []
    until = snapshot.as_of if filters.bought_until is None else min(filters.bought_until, snapshot.as_of)
    which = " AND ".join(("paid", "kind = 'sale'", *where, "day <= ?"))
    people = f"SELECT DISTINCT customer_id FROM lines JOIN records USING (record_id) WHERE {which}"  # noqa: S608
    return [f"customer_id IN (FROM {snapshot.once(people, [*params, until])})"], []


def _came_again(snapshot: Snapshot, filters: Filters) -> Condition:
    tables = []
    if filters.came is not None:
        sql = "SELECT DISTINCT customer_id FROM purchases WHERE lines > 0 AND month = ? AND day <= ?"
        tables.append(snapshot.once(sql, [filters.came, snapshot.as_of]))
    if filters.again is not None:
        # Links ask it of who first bought in a month: of them alone it is told sooner.
        since, until = filters.ranges.get("first_day", (None, None))
        first = (-(10**6) if since is None else since, snapshot.as_of if until is None else until)
        sql = """SELECT DISTINCT customer_id FROM purchases p JOIN scores s USING (customer_id)
                 WHERE p.lines > 0 AND p.day > s.first_day AND p.day - s.first_day <= ? AND p.day <= ?
                 AND s.first_day BETWEEN ? AND ?"""
        tables.append(snapshot.once(sql, [filters.again, snapshot.as_of, *first]))
    return [f"customer_id IN (FROM {table})" for table in tables], []


def _said(snapshot: Snapshot, filters: Filters) -> Condition:
    if filters.said is None:
        return [], []
    until = snapshot.as_of if filters.said_until is None else min(filters.said_until, snapshot.as_of)
    sql = voice.answers(filters.said, since=filters.said_since, until=until, by_store=filters.said_store is not None)
    place, params = ("AND bucket = ?", [filters.said_store]) if filters.said_store is not None else ("", [])
    which = f"SELECT person FROM ({sql}) WHERE score BETWEEN ? AND ? {place}"  # noqa: S608 (compiled)
    people = snapshot.once(which, [filters.said_least, filters.said_most, *params])
    return [f"customer_id IN (FROM {people})"], []


def nameless(snapshot: Snapshot, *, filters: Filters) -> int:
    """How many of the answers that the filters are about came without saying whose they are."""
    asked, _ = _said(snapshot, filters)
    if not asked:
        return 0
    which = asked[0].removeprefix("customer_id IN ")
    return int(snapshot.read(f"SELECT count(*) FROM {which} WHERE person < 0")[0][0])  # noqa: S608
