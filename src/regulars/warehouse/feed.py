"""From the log into the warehouse: batches of events become rows of events, lines and records, exactly once.

The position of the last event taken stands in the warehouse and is written in the transaction of its rows, so a crash
anywhere loses and doubles nothing; what was taken is marked as `pending` for the live refresh. The result depends on
the order of events alone, not on how they were cut into batches. Judging customers is `refresh` and `live`.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from regulars import catalog
from regulars.accounts.queries import Business, business
from regulars.analytics import facts
from regulars.eventlog import dispatch
from regulars.eventlog import queries as log
from regulars.eventlog.rows import LogRow
from regulars.kernel import clock, money
from regulars.warehouse import engine, lake
from regulars.warehouse.lake.taking import taking, told_anew

CHUNK = 10_000
MANY = 20_000
MOST = 10**15
"""An amount beyond so many minor units is a fault of the sender: it counts as 0, so that sums can't overflow."""

EVENTS = pa.schema(
    [
        ("position", pa.int64()), ("name", pa.string()), ("record_id", pa.int64()), ("at", pa.int64()),
        ("day", pa.int32()), ("month", pa.int32()), ("store", pa.string()), ("channel", pa.string()),
        ("product_id", pa.string()), ("category", pa.string()), ("order_id", pa.string()), ("amount", pa.int64()),
        ("score", pa.int32()), ("properties", pa.string()),
    ]
)  # fmt: skip
LINES = pa.schema(
    [
        ("position", pa.int64()), ("line", pa.int32()), ("record_id", pa.int64()), ("at", pa.int64()),
        ("day", pa.int32()), ("month", pa.int32()), ("order_id", pa.string()), ("store", pa.string()),
        ("channel", pa.string()), ("product_id", pa.string()), ("category", pa.string()), ("name", pa.string()),
        ("quantity", pa.int64()), ("amount", pa.int64()), ("paid", pa.bool_()), ("kind", pa.string()),
        ("home", pa.bool_()), ("currency", pa.string()),
    ]
)  # fmt: skip
RECORDS = pa.schema(
    [
        ("record_id", pa.int64()), ("customer_id", pa.int64()), ("known", pa.bool_()), ("erased", pa.bool_()),
        ("created_day", pa.int32()),
    ]
)  # fmt: skip

_KEPT = ("position", "told", "last_at", "last_order_day")
_decode = msgspec.json.Decoder().decode
_ORDERS = frozenset({"Order Completed", "Order Refunded", "Order Cancelled"})
_ABOUT_RECORDS = frozenset(
    {"Customer Identified", "Customer Unidentified", "Customers Merged", "Customers Unmerged", "Customer Erased"}
)
_SLOT = 900_000_000
"""Offsets of zones change at quarters of an hour at most; in µs."""


def handle(batch: Sequence[LogRow]) -> None:
    """Take events of the log in; the subscriber of dispatch. Those that are in already are left out, and those that
    are missing before the batch (an older warehouse was restored) are read from the log first.
    """
    if not batch:
        return
    while _take(batch, gapless=True) is None:
        if not _take(log.rows_after(engine.meta("position", 0), CHUNK), up_to=batch[0].position - 1):
            _take(batch)
            break


def catch_up() -> int:
    """Take in what the log has beyond our position; how many events that were. For commands without a server.

    What comes meanwhile is left to the loops: where events come faster than one batch goes in, this would never end.
    """
    while dispatch.number(MANY) == MANY:
        pass
    taken, newest = 0, log.last_position()
    while (position := engine.meta("position", 0)) < newest:
        batch = log.rows_after(position, CHUNK)
        if not batch:
            break
        taken += _take(batch) or 0
    return taken


def _take(batch: Sequence[LogRow], *, up_to: int | None = None, gapless: bool = False) -> int | None:
    """How many events were new. `gapless`: nothing is taken, and the answer is None, when some before the batch are
    missing."""
    own = business()
    if lake.used():
        _settle_zone(own)
    with _writing(batch) as pen:
        kept = engine.metas(_KEPT, pen=pen)
        position = kept.get("position", 0)
        if gapless and position + 1 < batch[0].position:
            return None
        rows = [row for row in batch if row.position > position and (up_to is None or row.position <= up_to)]
        if not rows:
            return 0
        if kept.get("told") != _told(own):
            _zoned(pen, own)
            kept = engine.metas(_KEPT, pen=pen)
        tables = _append(pen, rows, own)
        engine.keep(pen, {"position": rows[-1].position} | _newest(kept, *tables))
    return len(rows)


def bulk(*, events: pa.Table, lines: pa.Table, records: pa.Table, position: int) -> None:
    """Rows made elsewhere (a generated world), in the shapes of EVENTS, LINES and RECORDS, all after our position.
    A record that is there already keeps its customer; it becomes known, or older, if the row says so. `position` is
    where the feed goes on. Scores follow with the next full refresh.
    """
    own = business()
    _settle_zone(own)
    with taking(records=records["record_id"].to_pylist()) if lake.used() else engine.writing() as pen:
        _zoned(pen, own)
        for name, table, schema in (("events", events, EVENTS), ("lines", lines, LINES)):
            _insert(pen, name, table.cast(schema))
        _keep_seen(pen, records.cast(RECORDS))
        kept = engine.metas(("last_at", "last_order_day"), pen=pen)
        engine.keep(pen, {"position": position, "stale": True} | _newest(kept, events, lines))


def _writing(batch: Iterable[LogRow]) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    """The warehouse to write to; of a lake, what these events touch."""
    if not lake.used():
        return engine.writing()
    records, orders = set[int](), set[str]()
    for row in batch:
        if row.record_id is not None:
            records.add(row.record_id)
        if row.name in _ORDERS:
            order_id = _text(_told_by(row).get("order_id"))
            if order_id is not None:
                orders.add(order_id)
        elif row.name in ("Customers Merged", "Customers Unmerged"):
            told = _told_by(row)
            records |= {told["source"], told["target"]}
    return taking(records=records, orders=orders)


def _told_by(row: LogRow) -> dict[str, Any]:
    """All properties of an event."""
    told = _decode(row.properties)
    return told if isinstance(told, dict) else {}


def _micros(at: Iterable[Any]) -> NDArray[np.int64]:
    """Of moments as the log gives them."""
    told = pa.array(at)
    kind = pa.timestamp("us") if pa.types.is_string(told.type) else pa.timestamp("us", "UTC")
    found: NDArray[np.int64] = told.cast(kind).cast(pa.int64()).to_numpy()
    return found


def _settle_zone(own: Business) -> None:
    """In a turn of its own: what a batch is held against is told anew before it is laid out."""
    if lake.used() and engine.meta("told") != _told(own):
        with taking(records=()) as pen:
            _zoned(pen, own)


def days_and_months(at: NDArray[np.int64], zone: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Day numbers and month numbers, in the zone, of moments in µs."""
    slots, inverse = np.unique(at // _SLOT, return_inverse=True)
    there = ZoneInfo(zone)
    offsets = np.array([_offset(int(slot), there) for slot in slots], dtype=np.int64)
    days = (at + offsets[inverse]) // 86_400_000_000
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) + 1970 * 12
    return days.astype(np.int32), months.astype(np.int32)


@lru_cache(maxsize=100_000)
def _offset(slot: int, zone: ZoneInfo) -> int:
    delta = clock.from_micros(slot * _SLOT).astimezone(zone).utcoffset()
    assert delta is not None
    return (delta.days * 86_400 + delta.seconds) * 1_000_000


def _zoned(pen: duckdb.DuckDBPyConnection, own: Business) -> None:
    """Days and what counts as the own currency follow the settings; when those changed, everything is told anew."""
    told = engine.meta("told", pen=pen)
    if told == _told(own):
        return
    if told is not None:
        if lake.used():
            day = told_anew(lambda rows: _tell_anew(rows, told, own))
        else:
            _tell_anew(pen, told, own)
            day = pen.execute("SELECT max(day) FROM lines WHERE paid").fetchall()[0][0]
        engine.keep(pen, {"stale": True} | ({} if day is None else {"last_order_day": day}))
    engine.keep(pen, {"told": _told(own)})


def _told(own: Business) -> dict[str, Any]:
    corrections = own.more.get("currency_corrections", [])
    return {"zone": own.zone, "currency": own.currency, "corrections": len(corrections)}


def _tell_anew(pen: duckdb.DuckDBPyConnection, told: dict[str, Any], own: Business) -> None:
    """Events and lines that were told by other settings."""
    if told["zone"] != own.zone:
        for table in ("events", "lines"):
            slots = pen.execute(f'SELECT DISTINCT "at" // {_SLOT} AS slot FROM {table}').to_arrow_table()  # noqa: S608
            zone = ZoneInfo(own.zone)
            offsets = pa.array([_offset(slot, zone) for slot in slots["slot"].to_pylist()], pa.int64())
            pen.register("offsets", pa.table({"slot": slots["slot"], "o": offsets}))
            pen.execute(
                f"""UPDATE {table} SET day = (("at" + o) // 86400000000)::INTEGER,
                    month = (year(make_timestamp("at" + o)) * 12 + month(make_timestamp("at" + o)) - 1)::INTEGER
                    FROM offsets WHERE "at" // {_SLOT} = slot"""  # noqa: S608
            )
            pen.unregister("offsets")
    if "corrections" not in told:  # older warehouses wrote nothing where nothing was told
        pen.execute("UPDATE lines SET currency = lower(?) WHERE currency = ''", [told["currency"]])
    for one in own.more.get("currency_corrections", [])[told.get("corrections", 0) :]:
        _correct(pen, one["from"], one["to"])
    pen.execute("UPDATE lines SET home = (upper(currency) = ?)", [own.currency])


def _correct(pen: duckdb.DuckDBPyConnection, before: str, after: str) -> None:
    """What came without a currency while the setting was wrong: the same numbers, in the currency that was meant."""
    digits = money.exponent(after) - money.exponent(before)
    # A currency with fewer minor units had no use for those that are rounded away.
    scaled = f"amount * {10**digits}" if digits >= 0 else f"round_even(amount / {10.0**-digits}, 0)::BIGINT"
    pen.execute(
        f"UPDATE lines SET amount = {scaled}, currency = lower(?) WHERE currency = lower(?)",  # noqa: S608
        [after, before],
    )


def _untold(row: LogRow, own: Business) -> str:
    """The currency of amounts that came without one, in small letters: what was the business's when the event came
    (the log says it), or is now for events older than that; unless the setting was wrong then and was corrected.
    """
    context = _decode(row.context)
    stamp: str = context.get("amounts_in") or own.currency if isinstance(context, dict) else own.currency
    corrections = own.more.get("currency_corrections", [])
    if corrections:
        received = int(_micros([row.received_at])[0])
        for one in corrections:
            if one["from"] == stamp and received < one["at"]:
                stamp = one["to"]
    return stamp.lower()


def _newest(kept: dict[str, Any], events: pa.Table, lines: pa.Table) -> dict[str, Any]:
    """What to keep when these are later than what is kept: when customers last did anything, and the day of the last
    order: what "today" is for old data.
    """
    not_by_them, orders = (pa.array(names, pa.string()) for names in (facts.NOT_BY_CUSTOMER, sorted(_ORDERS)))
    own = pc.and_(pc.is_valid(events["record_id"]), pc.invert(pc.is_in(events["name"], not_by_them)))
    own = pc.or_(own, pc.is_in(events["name"], orders))
    found = {
        "last_at": pc.max(events.filter(own)["at"]).as_py(),
        "last_order_day": pc.max(lines.filter(lines["paid"])["day"]).as_py(),
    }
    return {k: v for k, v in found.items() if v is not None and (kept.get(k) is None or v > kept[k])}


def _insert(pen: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    if rows.num_rows:
        pen.register("incoming", rows)
        pen.execute(f"INSERT INTO {table} SELECT * FROM incoming")  # noqa: S608 (our own names)
        pen.unregister("incoming")


def _append(pen: duckdb.DuckDBPyConnection, rows: list[LogRow], own: Business) -> tuple[pa.Table, pa.Table]:
    """Rows of EVENTS and of LINES, as they were inserted."""
    at = _micros([row.at for row in rows])
    days, months = days_and_months(at, own.zone)
    ordering = {row.position: _told_by(row) for row in rows if row.name in _ORDERS}
    orders = _Orders(pen, [(row, ordering[row.position]) for row in rows if row.position in ordering])
    typed: list[tuple[Any, ...]] = []
    lines: list[tuple[Any, ...]] = []
    for place, row in enumerate(rows):
        name, record_id = row.name, row.record_id
        read, of_store, of_channel, of_product, of_category, of_order, of_amount, of_score = _columns(name)
        told = read(row.properties)
        store, channel = _named(told, of_store), _named(told, of_channel)
        product_id = _named(told, of_product) if of_product else None
        category = _named(told, of_category) if of_category else None
        order_id = _named(told, of_order) if of_order else None
        amount = _first(told, of_amount) if of_amount else None
        if channel is None and row.source.startswith("track"):
            channel = "online"
        properties = ordering.get(row.position)
        if properties is not None or amount is not None:
            currency = (_text(told.currency) or "").upper()[:3]
            if not currency and properties is not None:
                currency = orders.currency(row, properties, order_id) or ""
            currency = currency or _untold(row, own)
            amount = _minor(amount, currency.upper())
        if properties is not None:
            made, amount, record_id, store, channel = orders.lines(
                row, properties, amount, record_id, store, channel, order_id, currency
            )
            home = currency.upper() == own.currency
            when = int(at[place]), int(days[place]), int(months[place])
            lines += [
                (row.position, number, record_id, *when, order_id, store, channel, *what, home, currency)
                for number, *what in made
            ]
        if category is None and name == "Survey Answered":
            category = _text(told.kind)
        score = _score(_first(told, of_score)) if of_score else None
        typed.append((record_id, store, channel, product_id, category, order_id, amount, score))
    record_ids, *more = zip(*typed, strict=True)
    columns = (
        [row.position for row in rows], [row.name for row in rows], record_ids, at, days, months, *more,
        [row.properties for row in rows],
    )  # fmt: skip
    tables = _table(columns, EVENTS), _table(zip(*lines, strict=True) if lines else [()] * len(LINES), LINES)
    _insert(pen, "events", tables[0])
    _insert(pen, "lines", tables[1])
    touched, moved = _keep_records(pen, rows, tables[0])
    if touched.num_rows:
        pending = {
            "record_id": touched["record_id"],
            "position": pa.repeat(pa.scalar(rows[-1].position, pa.int64()), touched.num_rows),
            "anew": pc.is_in(touched["record_id"], pa.array(sorted(moved), pa.int64())),
        }
        _insert(pen, "pending", pa.table(pending))
    return tables


def _table(columns: Iterable[Any], schema: pa.Schema) -> pa.Table:
    return pa.table([pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)], schema=schema)


@lru_cache(maxsize=10_000)
def _columns(name: str) -> tuple[Any, ...]:
    """How to read of the properties of an event what is needed here, and those that fill store, channel, product_id,
    category, order_id, amount and score."""
    found = catalog.columns(name)
    filled = tuple(
        found.get(column, ())
        for column in ("store", "channel", "product_id", "category", "order_id", "amount", "score")
    )
    needed = {one for names in filled for one in names} | {"currency"}
    return _reader(tuple(sorted(needed | ({"kind"} if name == "Survey Answered" else set())))), *filled


@lru_cache(maxsize=1000)
def _reader(names: tuple[str, ...]) -> Callable[[bytes | str], Any]:
    """Reads these properties of an event and passes over the others."""
    some = msgspec.defstruct("Some", [(name, Any, None) for name in names], gc=False)
    read: Callable[[bytes | str], Any] = msgspec.json.Decoder(some).decode

    def leniently(text: bytes | str) -> Any:
        try:
            return read(text)
        except msgspec.ValidationError:  # no object
            return some()

    return leniently


def _first(told: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        value = getattr(told, name)
        if value is not None and value != "":
            return value
    return None


def _named(told: Any, names: tuple[str, ...]) -> str | None:
    """The first of them that is told, as a short text."""
    for name in names:
        value = getattr(told, name)
        if value is not None and value != "":
            return _text(value)
    return None


def _text(value: Any) -> str | None:
    """A short text, or nothing; numbers as they are written."""
    if value.__class__ is str and len(value) <= 500 and value.isprintable():
        return value.strip() or None  # nearly all
    if value is None or isinstance(value, bool | dict | list):
        return None
    # A surrogate or a NUL can't be stored.
    return str(value).encode("utf-8", "replace").decode().replace("\0", "")[:500].strip() or None


def _score(value: Any) -> int | None:
    number = _decimal(value)
    return int(number) if number is not None and abs(number) < 2**31 and number == int(number) else None


def _decimal(value: Any) -> Decimal | None:
    """The number that a property writes, exactly; None for what isn't one. A float by its shortest spelling."""
    text = _written(value)
    return None if text is None else _spelled(text)


def _written(value: Any) -> str | None:
    """What may be a number, as it is written."""
    return None if value is None or isinstance(value, bool | dict | list) else str(value)


@lru_cache(maxsize=50_000)
def _spelled(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < MOST and number.adjusted() > -30 else None


def _minor(value: Any, currency: str) -> int | None:
    text = _written(value)
    return None if text is None else _scaled(text, money.exponent(currency))


@lru_cache(maxsize=50_000)
def _scaled(text: str, digits: int) -> int | None:
    number = _spelled(text)
    return None if number is None else _whole(number, digits)


@lru_cache(maxsize=50_000)
def _sum(price: str | None, quantity: str | None, digits: int) -> tuple[int, int, bool]:
    """Of a product as its price and quantity are written: thousandths, amount in minor units, is something paid."""
    each, many = (None if text is None else _spelled(text) for text in (price, quantity))
    if many is None:
        many = _ONE
    amount = _whole(each * many, digits) if each is not None else 0
    return _whole(many, 3), amount, each is not None and each > 0 and many > 0


def _whole(number: Decimal, digits: int) -> int:
    scaled = int(number.scaleb(digits).to_integral_value())  # half to even: the default context
    return scaled if abs(scaled) <= MOST else 0


_ONE = Decimal(1)
_IMPORTED = "import:"


class _Orders:
    """Lines of order events. A refund that doesn't say how much, or of whom, is looked up in the order it names.

    An order counts once: a completion of an order that this record has completed gives no lines, whoever sends it
    again (browser and server, history imported and then tracked); the first wins. Two imported ones are two orders: the
    import knows its orders, whose numbers may begin anew each day or in each store. What came for two records still
    counts twice after a merge: docs/decisions/0009-an-order-counts-once.md.
    """

    def __init__(self, pen: duckdb.DuckDBPyConnection, rows: list[tuple[LogRow, dict[str, Any]]]) -> None:
        self._sold = self._completed(pen, rows)
        self._known: dict[str, list[Any]] = {}  # order → rest, record, store, channel, currency
        wanted = set()
        for row, properties in rows:
            if row.name != "Order Completed":
                order_id = _text(properties.get("order_id"))
                if order_id is not None and (row.record_id is None or self._silent(properties)):
                    wanted.add(order_id)
        if wanted:
            pen.register("wanted", pa.table({"order_id": pa.array(sorted(wanted), pa.string())}))
            found = pen.execute(
                """SELECT order_id, sum(amount)::BIGINT, arg_min(record_id, position), arg_min(store, position),
                   arg_min(channel, position), arg_min(currency, position)
                   FROM lines SEMI JOIN wanted USING (order_id) GROUP BY order_id"""
            ).fetchall()
            pen.unregister("wanted")
            self._known = {order: [None, None, None, None, None] for order in wanted}
            self._known |= {order: list(rest) for order, *rest in found}

    @staticmethod
    def _completed(
        pen: duckdb.DuckDBPyConnection, rows: list[tuple[LogRow, dict[str, Any]]]
    ) -> dict[tuple[int, str], bool]:
        """Of the orders completed in this batch those with a sale before it: (record, order) → was it imported."""
        wanted: dict[tuple[int, str], bool] = {}  # is an imported one among them
        for row, properties in rows:
            if row.name == "Order Completed" and row.record_id is not None:
                order_id = _text(properties.get("order_id"))
                if order_id is not None:
                    key = row.record_id, order_id
                    wanted[key] = wanted.get(key, False) or row.source.startswith(_IMPORTED)
        if not wanted:
            return {}
        records, orders = zip(*wanted, strict=True)
        pairs = {"record_id": pa.array(records, pa.int64()), "order_id": pa.array(orders, pa.string())}
        pen.register("wanted", pa.table(pairs))
        found = pen.execute(
            """SELECT record_id, order_id, min(position) FROM lines SEMI JOIN wanted USING (record_id, order_id)
               WHERE kind = 'sale' GROUP BY ALL"""
        ).fetchall()
        pen.unregister("wanted")
        # Of the sales of one order only the first can have been anything but imported: the log knows what it was.
        asked = [position for record_id, order_id, position in found if wanted[record_id, order_id]]
        firsts = log.at_positions(asked) if asked else []
        imported = {row.position for row in firsts if row.source.startswith(_IMPORTED)}
        return {(record_id, order_id): position in imported for record_id, order_id, position in found}

    @staticmethod
    def _silent(properties: dict[str, Any]) -> bool:
        """Nothing says how much is refunded."""
        return not properties.get("products") and all(
            _decimal(properties.get(name)) is None for name in ("total", "revenue", "value")
        )

    def currency(self, row: LogRow, properties: dict[str, Any], order_id: str | None) -> str | None:
        """Of a refund that doesn't say how much: the order's."""
        known = self._known.get(order_id) if order_id is not None and row.name in _ORDERS else None
        refund = known is not None and row.name != "Order Completed" and self._silent(properties)
        return str(known[4]) if refund and known and known[4] else None

    def lines(
        self, row: LogRow, properties: dict[str, Any], amount: int | None, record_id: int | None,
        store: str | None, channel: str | None, order_id: str | None, currency: str,
    ) -> tuple[list[tuple[Any, ...]], int | None, int | None, str | None, str | None]:  # fmt: skip
        """(line, product, category, name, quantity, amount, paid, kind) of each; the amount that the event tells; whose
        and where the order is.
        """
        digits = money.exponent(currency.upper())
        refund = row.name != "Order Completed"
        known = self._known.get(order_id) if order_id is not None else None
        told = amount
        if refund and known is not None and (row.record_id is None or self._silent(properties)):
            rest, owner, place, way, _ = known
            if self._silent(properties):
                amount = rest if rest is not None and rest > 0 else None
            record_id = owner if record_id is None else record_id
            store, channel = store or place, channel or way
        made = self._products(properties, digits, refund) if isinstance(properties.get("products"), list) else []
        if amount is not None:
            signed = -abs(amount) if refund else amount
            total = sum(line[5] for line in made)
            if not made:
                paid = not refund and signed > 0
                made = [(0, None, None, None, 1000, signed, paid, "refund" if refund else "sale")]
            elif signed != total:
                # Where no product has a price, what was paid in total is the purchase.
                paid = not refund and signed > 0 and not any(line[6] for line in made)
                made.append((-1, None, None, None, None, signed - total, paid, "refund" if refund else "sale"))
        if told is None and made:
            told = abs(sum(line[5] for line in made))
        if made and not refund and row.record_id is not None and order_id is not None:
            key, imported = (row.record_id, order_id), row.source.startswith(_IMPORTED)
            if key in self._sold and not (imported and self._sold[key]):
                return [], told, record_id, store, channel
            self._sold.setdefault(key, imported)
        if known is not None:
            known[0] = (known[0] or 0) + sum(line[5] for line in made)
            if made:
                known[1:] = [
                    old if old is not None else new
                    for old, new in zip(known[1:], (record_id, store, channel, currency), strict=True)
                ]
        return made, told, record_id, store, channel

    @staticmethod
    def _products(properties: dict[str, Any], digits: int, refund: bool) -> list[tuple[Any, ...]]:
        made: list[tuple[Any, ...]] = []
        for product in properties["products"]:
            if not isinstance(product, dict):
                continue
            thousandths, amount, paid = _sum(_written(product.get("price")), _written(product.get("quantity")), digits)
            if refund:
                thousandths, amount, paid = -abs(thousandths), -abs(amount), False
            made.append(
                (
                    len(made), _text(product.get("product_id")) or _text(product.get("sku")),
                    _text(product.get("category")), _text(product.get("name")), thousandths, amount, paid,
                    "refund" if refund else "sale",
                )
            )  # fmt: skip
        return made


def _keep_records(pen: duckdb.DuckDBPyConnection, rows: list[LogRow], events: pa.Table) -> tuple[pa.Table, set[int]]:
    """Bring `records` up to these events; which records changed (a table with their record_id), and those among them
    whose customer did, whose whole history counts otherwise now."""
    known, structure = dict[int, bool](), list[LogRow]()
    seen = events.select(["record_id", "day"])
    for row, day in zip(rows, events["day"].to_pylist(), strict=True):
        if row.name not in _ABOUT_RECORDS:
            continue
        if row.name in ("Customer Identified", "Customer Unidentified"):
            if row.record_id is not None:
                known[row.record_id] = row.name == "Customer Identified"  # the last of this batch counts
            continue
        structure.append(row)
        if row.name != "Customer Erased":
            told = _told_by(row)
            both = pa.array([told["source"], told["target"]], pa.int64())
            seen = pa.concat_tables([seen, pa.table({"record_id": both, "day": pa.array([day] * 2, pa.int32())})])
    seen = seen.filter(pc.is_valid(seen["record_id"])).group_by("record_id").aggregate([("day", "min")])
    if not seen.num_rows:
        return seen, set()
    first = {
        "record_id": seen["record_id"], "customer_id": seen["record_id"],
        "known": pc.is_in(seen["record_id"], pa.array(sorted(id for id, so in known.items() if so), pa.int64())),
        "erased": pa.repeat(False, seen.num_rows), "created_day": seen["day_min"],
    }  # fmt: skip
    _keep_seen(pen, pa.table(first, schema=RECORDS))
    if forgotten := [id for id, so in known.items() if not so]:
        pen.execute("UPDATE records SET known = FALSE WHERE record_id IN (SELECT unnest(?))", [forgotten])
    moved = _restructure(pen, structure) if structure else set()
    touched = pa.array(sorted(moved | set(seen["record_id"].to_pylist())), pa.int64())
    return pa.table({"record_id": touched}), moved


def _keep_seen(pen: duckdb.DuckDBPyConnection, seen: pa.Table) -> None:
    """Rows of RECORDS, each record once: new ones are added, others become known or older where the row says so."""
    pen.register("seen", seen)
    pen.execute(
        """MERGE INTO records USING (FROM seen ORDER BY record_id) seen USING (record_id)
           WHEN MATCHED AND (seen.created_day < records.created_day OR (seen.known AND NOT records.known))
               THEN UPDATE SET created_day = least(records.created_day, seen.created_day),
                   known = records.known OR seen.known
           WHEN NOT MATCHED THEN INSERT"""
    )
    pen.unregister("seen")


def _restructure(pen: duckdb.DuckDBPyConnection, rows: list[LogRow]) -> set[int]:
    """Follow merges, unmerges and erasures, in their order; the records of all trees they touch."""
    parent: dict[int, int] = dict(pen.execute("SELECT source, target FROM merges").fetchall())
    children: dict[int, set[int]] = {}
    for source, target in parent.items():
        children.setdefault(target, set()).add(source)

    def root(id: int) -> int:
        while id in parent:
            id = parent[id]
        return id

    def tree(top: int) -> set[int]:
        found, todo = {top}, [top]
        while todo:
            for child in children.get(todo.pop(), ()):
                found.add(child)
                todo.append(child)
        return found

    touched, erased = set[int](), dict[int, int]()  # erased: record → the position of its erasure
    before = dict(parent)
    for row in rows:
        if row.name == "Customer Erased":
            if row.record_id is not None:
                erased |= dict.fromkeys(tree(root(row.record_id)), row.position)
            continue
        told = _told_by(row)
        source, target = told["source"], told["target"]
        if row.name == "Customers Merged":
            if source not in parent and root(target) != source:
                parent[source] = target
                children.setdefault(target, set()).add(source)
            touched |= tree(root(target))
        else:
            touched |= tree(root(source))
            if source in parent:
                children[parent.pop(source)].discard(source)
    touched |= set(erased)
    if erased:  # what names the person can only be in what has no column of its own; the figures have theirs
        among = {"record_id": list(erased), "until": list(erased.values())}
        pen.register("erased", pa.table({name: pa.array(values, pa.int64()) for name, values in among.items()}))
        pen.execute(
            """UPDATE events SET properties = '{}' FROM erased
               WHERE events.record_id = erased.record_id AND events.position < erased.until"""
        )
        if lake.used():  # the files that are there already
            pen.execute("INSERT INTO erasing FROM erased")
        pen.unregister("erased")
    changed = {source for source in before.keys() | parent.keys() if before.get(source) != parent.get(source)}
    if changed:  # all at once: a statement for each row is a hundred times as dear
        trees = {source: parent.get(source) for source in sorted(changed)}
        both = {"source": list(trees), "target": list(trees.values())}
        pen.register("changed", pa.table({name: pa.array(values, pa.int64()) for name, values in both.items()}))
        pen.execute("DELETE FROM merges WHERE source IN (SELECT source FROM changed)")
        pen.execute("INSERT INTO merges FROM changed WHERE target IS NOT NULL")
        pen.unregister("changed")
    if touched:
        ids = sorted(touched)
        pen.register(
            "roots",
            pa.table({
                "record_id": pa.array(ids, pa.int64()), "customer_id": pa.array([root(id) for id in ids], pa.int64()),
                "erased": pa.array([id in erased for id in ids], pa.bool_()),
            }),
        )  # fmt: skip
        pen.execute(
            """UPDATE records SET customer_id = roots.customer_id, erased = records.erased OR roots.erased
               FROM roots WHERE records.record_id = roots.record_id"""
        )
        pen.unregister("roots")
    return touched
