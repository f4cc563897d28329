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
from regulars.warehouse.queries.snapshot import Page, Snapshot, among, key_of, remembered, values_of


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
    again: int | None = None  # bought again within so many days of the first purchase, as metrics.loyalty.second_order;
    # EVER: at any time
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


EVER = 10**6
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
    beyond, given, value = [f"{sort} IS NOT NULL"], list[Any](), None
    if after is not None:
        value, last = values_of(after, 2)
        # Twice the column alone, so that whole blocks are left out: by OR every row would be looked at.
        than = "<" if descending else ">"
        beyond, given = [f"{sort} {than}= ?", f"({sort} {than} ? OR customer_id > ?)"], [value, value, last]
    direction = "DESC" if descending else "ASC"

    def ids(conditions: list[str], values: list[Any], most: int) -> list[int]:
        # Who is on the page first, then their columns: read at once, all columns of all who fit would be unpacked.
        which = f"SELECT customer_id FROM scores WHERE {' AND '.join([*where, *conditions])}"  # noqa: S608 (names of ours)
        order = f"ORDER BY {sort} {direction}, customer_id LIMIT ?"
        return [id for (id,) in snapshot.read(f"{which} {order}", [*params, *values, most])]

    rows = ids(beyond, given, limit + 1) if after is None or value is not None else []
    if len(rows) <= limit:
        without = [f"{sort} IS NULL"] + (["customer_id > ?"] if after is not None and value is None else [])
        rows += ids(without, [last] if len(without) > 1 else [], limit + 1 - len(rows))
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
        tagged = snapshot.marked(f"SELECT id FROM {snapshot.listed(filters.records)}")  # noqa: S608 (our own name)
        where.append(_of_records(snapshot, tagged))
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
    records = snapshot.marked(f"SELECT record_id FROM lines WHERE {which}", [*params, until])  # noqa: S608
    return [_of_records(snapshot, records)], []


def _of_records(snapshot: Snapshot, marked: str) -> str:
    """The condition of being the customer of one of the records that are marked."""
    theirs = f"SELECT customer_id FROM records WHERE {among(marked, 'record_id')}"  # noqa: S608 (our own condition)
    return among(snapshot.marked(theirs), "customer_id")


def _came_again(snapshot: Snapshot, filters: Filters) -> Condition:
    where = []
    if filters.came is not None:
        sql = "SELECT customer_id FROM purchases WHERE lines > 0 AND month = ? AND day <= ?"
        where.append(among(snapshot.marked(sql, [filters.came, snapshot.as_of]), "customer_id"))
    if filters.again is not None:
        where.append("visits > 1")
    if filters.again is not None and filters.again < EVER:
        # Links ask it of who first bought in a month: of them alone it is told sooner.
        since, until = filters.ranges.get("first_day", (None, None))
        first = (-EVER if since is None else since, snapshot.as_of if until is None else until)
        sql = """SELECT customer_id FROM purchases p JOIN scores s USING (customer_id)
                 WHERE p.lines > 0 AND p.day > s.first_day AND p.day - s.first_day <= ? AND p.day <= ?
                 AND s.first_day BETWEEN ? AND ? AND s.visits > 1"""
        where.append(among(snapshot.marked(sql, [filters.again, snapshot.as_of, *first]), "customer_id"))
    return where, []


def _said(snapshot: Snapshot, filters: Filters) -> Condition:
    if filters.said is None:
        return [], []
    return [among(snapshot.marked(f"SELECT person FROM {_answered(snapshot, filters)}"), "customer_id")], []  # noqa: S608


def _answered(snapshot: Snapshot, filters: Filters) -> str:
    """The name of a table of the persons whose last answers the filters are about."""
    assert filters.said is not None
    until = snapshot.as_of if filters.said_until is None else min(filters.said_until, snapshot.as_of)
    sql, params = voice.answers(filters.said, since=filters.said_since, until=until, store=filters.said_store)
    which = f"SELECT person FROM ({sql}) WHERE score BETWEEN ? AND ?"  # noqa: S608 (our own)
    return snapshot.once(which, [*params, filters.said_least, filters.said_most])


def nameless(snapshot: Snapshot, *, filters: Filters) -> int:
    """How many of the answers that the filters are about came without saying whose they are."""
    if filters.said is None:
        return 0
    which = f"SELECT count(*) FROM {_answered(snapshot, filters)} WHERE person < 0"  # noqa: S608 (our own name)
    return int(snapshot.read(which)[0][0])
