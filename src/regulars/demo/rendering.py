"""Rows of the simulation as the events that a tracking client and a till would have sent: names, JSON properties, and
the typed columns that the warehouse's tables have. Whole columns at a time.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from regulars.demo import chain
from regulars.demo import simulation as sim

EVENTS = pa.schema(
    [
        ("number", pa.int64()),  # dense, from 1, in time order: the position in an empty log
        ("message_id", pa.string()),
        ("name", pa.string()),
        ("customer", pa.int32()),  # row of World.customers
        ("user", pa.string()),  # the customer's key, or the anonymous id before they are known
        ("at", pa.int64()),
        ("day", pa.int32()),
        ("month", pa.int32()),
        ("store", pa.string()),
        ("channel", pa.string()),
        ("product_id", pa.string()),
        ("category", pa.string()),
        ("order_id", pa.string()),
        ("amount", pa.int64()),
        ("score", pa.int32()),
        ("properties", pa.string()),
    ]
)
LINES = pa.schema(
    [
        ("number", pa.int64()),  # of the event
        ("line", pa.int32()),
        ("customer", pa.int32()),
        ("at", pa.int64()),
        ("day", pa.int32()),
        ("month", pa.int32()),
        ("order_id", pa.string()),
        ("store", pa.string()),
        ("channel", pa.string()),
        ("product_id", pa.string()),
        ("category", pa.string()),
        ("name", pa.string()),
        ("quantity", pa.int64()),
        ("amount", pa.int64()),
        ("paid", pa.bool_()),
        ("kind", pa.string()),
        ("home", pa.bool_()),
        ("currency", pa.string()),
    ]
)

_STORES = pa.array([s.name for s in chain.STORES])
_PRODUCT_IDS = pa.array([p.id for p in chain.PRODUCTS])
_PRODUCT_NAMES = pa.array([p.name for p in chain.PRODUCTS])
_PRODUCT_CATEGORIES = pa.array([chain.CATEGORIES[p.category].name for p in chain.PRODUCTS])
_NAMES = pa.array(sim.KINDS)
# The channel of an event: where it happened, or by what a message went.
_ONLINE, _AT_STORE = 0, 1
_CHANNELS = pa.array(["online", "store", *chain.MESSAGE_CHANNELS])


def month_of(day: NDArray[np.int64]) -> NDArray[np.int64]:
    """year * 12 + month - 1 of days since 1970-01-01."""
    return day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) + 1970 * 12


def _join(*parts: Any) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _digits(numbers: Any, width: int) -> pa.Array:
    return pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), width, "0")


def _major(fen: NDArray[np.int64]) -> pa.Array:
    """1234 fen as 12.34, 1230 as 12.3, 1200 as 12.0: how JSON encoders spell the float."""
    cents = pc.utf8_rtrim(_digits(fen % 100, 2), "0")
    return _join(pc.cast(pa.array(fen // 100), pa.string()), ".", pc.if_else(pc.equal(cents, ""), "0", cents))


def _coded(prefix: str, numbers: NDArray[np.int64]) -> pa.Array:
    return _join(prefix, _digits(numbers, 9))


class Renderer:
    """Writes weeks down one after the other, numbering the events."""

    def __init__(self, seed: int, keys: pa.Array, anonymous: pa.Array, joined: NDArray[np.int64]) -> None:
        self.prefix = f"demo-{seed}-"
        self.users = pa.concat_arrays([keys, anonymous])
        self.joined = joined
        self.written = 0

    def write(self, week: sim.Week) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """(events, lines) of the week."""
        rows = week.rows
        many = rows.size
        number = np.arange(self.written + 1, self.written + many + 1)
        self.written += many
        at, who, kind = rows["at"].copy(), rows["who"].copy(), rows["kind"].copy()
        day = (at + chain.OFFSET_SECONDS * 1_000_000) // sim.DAY
        month = month_of(day)
        known = at >= self.joined[who]
        user = self.users.take(pa.array(np.where(known, who, who + self.joined.size)))
        store = pa.array(rows["store"].astype(np.int64), mask=rows["store"] < 0)
        message = (kind == sim.SENT) | (kind == sim.OPENED) | (kind == sim.CLICKED)
        channel = np.where(message, 2 + rows["item"], np.where(rows["store"] < 0, _ONLINE, _AT_STORE))
        about = np.isin(kind, (sim.VIEW, sim.BOOKING, sim.CHECK_IN))
        item = pa.array(rows["item"].astype(np.int64), mask=~about)
        named = _PRODUCT_CATEGORIES.take(item)
        complaint, ticket = kind == sim.COMPLAINT, (kind == sim.TICKET) | (kind == sim.RESOLVED)
        named = pc.if_else(pa.array(complaint), _pick(chain.COMPLAINTS, rows["item"], complaint), named)
        named = pc.if_else(pa.array(ticket), _pick(chain.QUESTIONS, rows["item"], ticket), named)
        survey = kind == sim.SURVEY
        named = pc.if_else(pa.array(survey), _pick(("nps", "csat"), rows["amount"], survey), named)
        ordered, aside = (kind == sim.ORDER) | (kind == sim.REFUND), (kind == sim.REDEEMED) | survey
        has_order = ordered | aside
        order = _coded("O", pa.array(np.where(ordered, rows["number"], rows["other"]), mask=~has_order))
        valued = ordered | (kind == sim.VIEW) | (kind == sim.ISSUED) | (kind == sim.REDEEMED)
        amount = pa.array(rows["amount"].copy(), mask=~valued)
        score = pa.array(rows["score"].astype(np.int32), mask=~survey)
        columns = {
            "number": pa.array(number),
            "message_id": _join(self.prefix, _digits(number, 9)),
            "name": _NAMES.take(pa.array(kind.astype(np.int64))),
            "customer": pa.array(who),
            "user": user,
            "at": pa.array(at),
            "day": pa.array(day.astype(np.int32)),
            "month": pa.array(month.astype(np.int32)),
            "store": _STORES.take(store),
            "channel": _CHANNELS.take(pa.array(channel.astype(np.int64))),
            "product_id": _PRODUCT_IDS.take(item),
            "category": named,
            "order_id": order,
            "amount": amount,
            "score": score,
        }
        batch = pa.RecordBatch.from_pydict({**columns, "properties": _properties(week, columns)}, schema=EVENTS)
        return batch, _lines(week, columns)


def _pick(texts: tuple[str, ...], index: NDArray[Any], where: NDArray[np.bool_]) -> pa.Array:
    return pa.array(texts).take(pa.array(index.astype(np.int64), mask=~where))


def _properties(week: sim.Week, columns: dict[str, pa.Array]) -> pa.Array:
    """The JSON of every row: one template a kind, filled by columns, then back into the rows' order."""
    rows = week.rows
    parts: list[pa.Array] = []
    places: list[NDArray[np.int64]] = []
    for kind in range(len(sim.KINDS)):
        place = np.flatnonzero(rows["kind"] == kind)
        if not place.size:
            continue
        at = pa.array(place)
        mine = rows[place]
        get = {name: column.take(at) for name, column in columns.items() if name in _NEEDED}
        # What every event of a place says: where and through which channel.
        where = _join(',"channel":"', get["channel"], '"')
        spot = pc.if_else(
            pc.is_valid(get["store"]), _join(',"store":"', pc.fill_null(get["store"], ""), '"'), pa.scalar("")
        )
        end = _join(where, spot, "}")
        parts.append(_TEMPLATES[kind](mine, get, end, week))
        places.append(place)
    if not parts:
        return pa.array([], pa.string())
    back = np.empty(rows.size, dtype=np.int64)
    back[np.concatenate(places)] = np.arange(rows.size)
    return pa.concat_arrays(parts).take(pa.array(back))


_NEEDED = frozenset({"store", "channel", "product_id", "category", "order_id"})
Get = dict[str, pa.Array]
_PATHS = pa.array([f'{{"path":"{path}","title":"{title}"' for path, title in chain.PATHS])
_SEARCHES = pa.array([f'{{"query":"{query}"' for query in chain.QUERIES])
_PRODUCTS = pa.array(
    [
        f'"product_id":"{p.id}","name":"{p.name}","category":"{chain.CATEGORIES[p.category].name}","price":'
        for p in chain.PRODUCTS
    ]
)
_SERVICES = pa.array(
    [
        f'"service":"{p.id}","service_name":"{p.name}","category":"{chain.CATEGORIES[p.category].name}"'
        for p in chain.PRODUCTS
    ]
)
_SURVEYS = pa.array([f'{{"survey_id":"{kind}-after-visit","kind":"{kind}","score":' for kind in ("nps", "csat")])
_COUPONS = pa.array(["", ',"coupon":"CARE20"', ',"coupon":"WELCOME10"'])


def _from(texts: pa.Array, index: Any) -> pa.Array:
    return texts.take(pa.array(np.asarray(index, dtype=np.int64)))


def _order(mine: sim.Rows, get: Get, end: pa.Array, week: sim.Week) -> pa.Array:
    lines = week.lines
    one = _join("{", _from(_PRODUCTS, lines["product"]), _major(lines["price"]),
                ',"quantity":', pc.cast(pa.array(lines["quantity"].copy()), pa.string()), "}")  # fmt: skip
    # Lines lie in the order of the orders' numbers, which are without gaps within a week.
    first = int(lines["order"][0])
    starts = np.flatnonzero(np.diff(lines["order"], prepend=-1))
    offsets = pa.array(np.append(starts, lines.size).astype(np.int32))
    products = pc.binary_join(pa.ListArray.from_arrays(offsets, one), ",")
    discount = mine["other"].copy()
    off = pc.if_else(pa.array(discount > 0), _join(',"discount":', _major(discount)), pa.scalar(""))
    return _join('{"order_id":"', get["order_id"], '","currency":"CNY","total":', _major(mine["amount"].copy()),
                 _from(_COUPONS, mine["item"]), off, ',"products":[', products.take(pa.array(mine["number"] - first)),
                 "]", end)  # fmt: skip


def _message(mine: sim.Rows, get: Get, end: pa.Array, week: sim.Week) -> pa.Array:
    campaign = _digits(mine["number"].copy(), 2)
    return _join('{"message_id":"M', campaign, "-", _digits(mine["other"].copy(), 7), '","campaign_id":"C', campaign,
                 '"', end)  # fmt: skip


def _ticket(mine: sim.Rows, get: Get, end: pa.Array, week: sim.Week) -> pa.Array:
    return _join('{"ticket_id":"', _coded("K", mine["number"].copy()), '","category":"', get["category"], '"', end)


_TEMPLATES: dict[int, Any] = {
    sim.PAGE: lambda m, g, end, w: _join(_from(_PATHS, m["item"]), end),
    sim.VIEW: lambda m, g, end, w: _join("{", _from(_PRODUCTS, m["item"]), _major(m["amount"].copy()), end),
    sim.SEARCH: lambda m, g, end, w: _join(_from(_SEARCHES, m["item"]), end),
    sim.ORDER: _order,
    sim.REFUND: lambda m, g, end, w: _join('{"order_id":"', g["order_id"], '","currency":"CNY","total":',
                                           _major(m["amount"].copy()), end),
    sim.BOOKING: lambda m, g, end, w: _join('{"booking_id":"', _coded("B", m["number"].copy()), '",',
                                            _from(_SERVICES, m["item"]), end),
    sim.CHECK_IN: lambda m, g, end, w: _join('{"visit_id":"', _coded("V", m["number"].copy()), '","booking_id":"',
                                             _coded("B", m["number"].copy()), '",', _from(_SERVICES, m["item"]), end),
    sim.TICKET: _ticket,
    sim.RESOLVED: _ticket,
    sim.COMPLAINT: _ticket,
    sim.SURVEY: lambda m, g, end, w: _join(_from(_SURVEYS, m["amount"]),
                                           pc.cast(pa.array(m["score"].copy()), pa.string()),
                                           ',"order_id":"', g["order_id"], '"', end),
    sim.SENT: _message,
    sim.OPENED: _message,
    sim.CLICKED: _message,
    sim.ISSUED: lambda m, g, end, w: _join('{"coupon_id":"', _coded("Q", m["number"].copy()), '","offer_id":"CARE20"',
                                           ',"value":', _major(m["amount"].copy()), end),
    sim.REDEEMED: lambda m, g, end, w: _join('{"coupon_id":"', _coded("Q", m["number"].copy()),
                                             '","offer_id":"CARE20","order_id":"', g["order_id"], '","value":',
                                             _major(m["amount"].copy()), end),
}  # fmt: skip


def _lines(week: sim.Week, columns: dict[str, pa.Array]) -> pa.RecordBatch:
    """The lines table's rows: products, what a coupon took off (line -1), and what was paid back."""
    rows, lines = week.rows, week.lines
    sold = np.flatnonzero(rows["kind"] == sim.ORDER)
    sold = sold[np.argsort(rows["number"][sold], kind="stable")]  # by number, like the lines
    event = np.repeat(sold, np.diff(np.append(np.flatnonzero(np.diff(lines["order"], prepend=-1)), lines.size)))
    within = np.arange(lines.size) - np.flatnonzero(np.diff(lines["order"], prepend=-1))[
        np.cumsum(np.diff(lines["order"], prepend=-1) > 0) - 1
    ] if lines.size else np.zeros(0, dtype=np.int64)  # fmt: skip
    off = sold[rows["other"][sold] > 0]
    back = np.flatnonzero(rows["kind"] == sim.REFUND)
    of = np.concatenate([event, off, back])
    sizes = (event.size, off.size, back.size)
    none = np.full(off.size + back.size, -1)
    product = np.concatenate([lines["product"].astype(np.int64), none])
    which = pa.array(product, mask=product < 0)
    line = np.repeat([0, -1, 0], sizes)
    line[: event.size] = within
    quantity = np.append(lines["quantity"].astype(np.int64), np.ones(none.size, dtype=np.int64)) * 1000
    value = lines["quantity"].astype(np.int64) * lines["price"]
    amount = np.concatenate([value, -rows["other"][off], -rows["amount"][back]])
    at = pa.array(of)
    taken = {name: columns[name].take(at) for name in
             ("number", "customer", "at", "day", "month", "order_id", "store", "channel")}  # fmt: skip
    table = {
        **taken,
        "line": pa.array(line.astype(np.int32)),
        "product_id": _PRODUCT_IDS.take(which),
        "category": _PRODUCT_CATEGORIES.take(which),
        "name": _PRODUCT_NAMES.take(which),
        "quantity": pa.array(quantity, mask=line < 0),
        "amount": pa.array(amount),
        "paid": pa.array(np.repeat([True, False, False], sizes)),
        "kind": pa.array(["sale", "refund"]).take(pa.array(np.repeat([0, 0, 1], sizes))),
        "home": pa.array(np.ones(of.size, dtype=bool)),
        "currency": pa.array(["CNY"]).take(pa.array(np.zeros(of.size, dtype=np.int64))),
    }
    order = np.lexsort((line, rows["at"][of], of))
    return pa.RecordBatch.from_pydict(table, schema=LINES).take(pa.array(order))
