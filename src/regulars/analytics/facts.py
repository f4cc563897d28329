"""The tables that every definition stands on, and the folds of events into facts about customers.

Unbound Ibis tables: names and columns only; an engine binds them by name. Here belong shapes and folds; figures that
people read belong to `metrics`, settings to `cutoffs`.

Vocabulary (held everywhere in analytics, so that DuckDB and Spark agree to the last digit): epoch-microsecond, day and
month integers; money in integer minor units; conditional counts as `count_of`, conditional sums as `sum_of`; every
window ordering ends in a unique key; no quantile, no float sum, no collect, first or last.
"""

from typing import Literal

import ibis
import ibis.expr.types as ir

from regulars.catalog import CATALOG

Bucket = Literal["all", "day", "week", "month", "store", "channel", "category", "product"]

EVENTS: ir.Table = ibis.table(
    {
        "position": "!int64",
        "name": "!string",
        "record_id": "int64",
        "at": "!int64",
        "day": "!int32",
        "month": "!int32",
        "store": "string",
        "channel": "string",
        "product_id": "string",
        "category": "string",
        "order_id": "string",
        "amount": "int64",
        "score": "int32",
        "properties": "string",
    },
    name="events",
)
"""One row per event. For Survey Answered, `category` says the kind of question: nps (0 to 10) or csat (1 to 5)."""

LINES: ir.Table = ibis.table(
    {
        "position": "!int64",
        "line": "!int32",
        "record_id": "int64",
        "at": "!int64",
        "day": "!int32",
        "month": "!int32",
        "order_id": "string",
        "store": "string",
        "channel": "string",
        "product_id": "string",
        "category": "string",
        "name": "string",
        "quantity": "int64",
        "amount": "!int64",
        "paid": "!boolean",
        "kind": "!string",
        "home": "!boolean",
    },
    name="lines",
)
"""One row per order line: sales positive, refunds negative, minor units. record_id NULL is an anonymous sale."""

RECORDS: ir.Table = ibis.table(
    {
        "record_id": "!int64",
        "customer_id": "!int64",
        "known": "!boolean",
        "erased": "!boolean",
        "created_day": "int32",
    },
    name="records",
)
"""Which customer (root of a merge tree) each record belongs to at present."""

CONCERNED: ir.Table = ibis.table({"customer_id": "!int64"}, name="concerned")
"""The customers that a live refresh is about: their present roots, and roots that they had before a merge."""

PURCHASES: ir.Table = ibis.table(
    {
        "customer_id": "!int64",
        "order_id": "!string",
        "at": "!int64",
        "day": "!int64",
        "month": "!int64",
        "store": "string",
        "channel": "string",
        "gross": "!int64",
        "refunded": "!int64",
        "net": "!int64",
        "lines": "!int64",
    },
    name="purchases",
)
"""One row per customer and order: what `purchases` folds; engines keep it as a table."""

FIGURES: ir.Table = ibis.table(
    {
        "customer_id": "!int64",
        "known": "!boolean",
        "erased": "!boolean",
        "orders": "!int64",
        "visits": "!int64",
        "gross": "!int64",
        "net": "!int64",
        "first_day": "int64",
        "last_day": "int64",
        "last_seen_day": "int64",
        "own_gap": "int64",
        "recency_days": "int64",
        "silent_days": "int64",
        "spend_recent": "!int64",
        "spend_before": "!int64",
        "store": "string",
        "channel": "string",
        "reduced": "!int64",
        "mood": "string",
    },
    name="figures",
)
"""One row per customer: what `scores.figures` counts before anybody is judged."""

SCORES: ir.Table = ibis.table(
    {
        "customer_id": "!int64",
        "known": "!boolean",
        "erased": "!boolean",
        "orders": "!int64",
        "gross": "!int64",
        "net": "!int64",
        "first_day": "int32",
        "last_day": "int32",
        "last_seen_day": "int32",
        "gap_days": "int32",
        "recency_days": "int32",
        "r": "int32",
        "f": "int32",
        "m": "int32",
        "rfm_group": "string",
        "stage": "!string",
        "silent_days": "int32",
        "spend_recent": "!int64",
        "spend_before": "!int64",
        "warned": "!boolean",
        "warn_silent": "!boolean",
        "warn_spend": "!boolean",
        "warn_overdue": "!boolean",
        "p_alive": "float64",
        "expected_orders": "float64",
        "expected_value": "int64",
        "value_low": "int64",
        "value_high": "int64",
        "store": "string",
        "channel": "string",
        "mood": "string",
        "taste": "string",
        "visits": "!int64",
        "reduced": "!int64",
    },
    name="scores",
)
"""One row per customer: what `scores.scores` says of each, and the expectations that statistics add."""

VISITS: ir.Table = ibis.table(
    {
        "customer_id": "!int64",
        "day": "!int64",
        "month": "!int64",
        "orders": "!int64",
        "gross": "!int64",
        "net": "!int64",
    },
    name="visits",
)
"""One row per customer and day with a purchase: what `visits` folds; a full refresh keeps it while it needs it."""

PLACED: ir.Table = ibis.table(
    {
        "position": "!int64",
        "day": "!int64",
        "month": "!int64",
        "store": "string",
        "channel": "string",
        "record_id": "int64",
        "customer_id": "int64",
        "spent": "!int64",
        "home": "!int64",
    },
    name="placed",
)
"""One row per sale (event) with a paid line: what `placed` folds, for many questions about sales in a row."""

TABLES: dict[str, ir.Table] = {
    table.get_name(): table for table in (EVENTS, LINES, RECORDS, CONCERNED, PURCHASES, FIGURES, SCORES, VISITS, PLACED)
}

NOT_BY_CUSTOMER: tuple[str, ...] = tuple(sorted(name for name, entry in CATALOG.items() if not entry.by_customer))
"""Events that are no sign of life of the customer; all others are, also those that nobody catalogued."""

_LATER = 2**60


def sum_of(condition: ir.BooleanValue, value: ir.Value) -> ir.Value:
    """The sum of an integer column where the condition holds; 0 where it never does."""
    return ibis.ifelse(condition, value, 0).sum()


def count_of(condition: ir.BooleanValue) -> ir.Value:
    """How many rows meet the condition."""
    return ibis.ifelse(condition, 1, 0).sum()


def min_of(condition: ir.BooleanValue, value: ir.Value) -> ir.Value:
    """The least value where the condition holds; NULL where it never does."""
    return ibis.ifelse(condition, value, ibis.null(value.type().copy(nullable=True))).min()


def max_of(condition: ir.BooleanValue, value: ir.Value) -> ir.Value:
    """The greatest value where the condition holds; NULL where it never does."""
    return ibis.ifelse(condition, value, ibis.null(value.type().copy(nullable=True))).max()


def order_key(lines: ir.Table) -> ir.Value:
    """The order that a line belongs to; a line without one is an order by itself, named by its event."""
    return ibis.coalesce(lines.order_id, ibis.literal("#") + lines.position.cast("string"))


def bucket_of(table: ir.Table, by: Bucket) -> ir.Value:
    """What rows are grouped by: an integer for day (since 1970), week (Monday first) and month (year*12+month-1), else
    a string, empty where the row says nothing."""
    if by == "day":
        return table.day.cast("int64")
    if by == "week":
        return ((table.day.cast("int64") + 3) // 7).cast("int64")
    if by == "month":
        return table.month.cast("int64")
    if by == "all":
        return ibis.literal("all")
    return ibis.coalesce(table["product_id" if by == "product" else by], ibis.literal(""))


def between(table: ir.Table, since: int | None, until: int | None) -> ir.Table:
    """Rows of the days from `since` to `until`, both included, None for open."""
    if since is not None:
        table = table.filter(table.day >= since)
    if until is not None:
        table = table.filter(table.day <= until)
    return table


def purchases(
    lines: ir.Table = LINES, records: ir.Table = RECORDS, only: ir.Table | None = None, before: ir.Table | None = None
) -> ir.Table:
    """One row per customer (root) and order, of all lines that have a customer.

    `lines` counts paid sale lines: an order with none (a refund under a number of its own, gifts only) has lines = 0
    and is no purchase, but its money counts. Money is in the business's currency; lines in others count as lines with
    no money. gross: paid lines, before discounts and refunds; refunded: positive; net: everything, adjustments
    included. Day, store and channel are those of the sale, so that a refund weighs on the day of what it undoes; an
    order without a sale has the day of its first line and no store or channel. `only` (a table of customer_id)
    restricts it to some customers. `before`: purchases (columns: PURCHASES) that these lines come on top of.
    """
    kept = records.select("record_id", "customer_id")
    if only is not None:
        kept = kept.semi_join(only, "customer_id")
    rows = lines.filter(lines.record_id.notnull()).inner_join(kept, "record_id")
    sale = rows.paid & (rows.kind == "sale")
    amount = ibis.ifelse(rows.home, rows.amount, 0)
    rows = rows.select(
        customer_id=rows.customer_id,
        order_id=order_key(rows),
        # A later age for all but sales: the least is a sale's where there is one, and one aggregate finds it.
        at=rows.at + ibis.ifelse(sale, 0, _LATER),
        day=rows.day.cast("int64") + ibis.ifelse(sale, 0, _LATER),
        month=rows.month.cast("int64") + ibis.ifelse(sale, 0, _LATER),
        store=ibis.ifelse(sale, rows.store, ibis.null("string")),
        channel=ibis.ifelse(sale, rows.channel, ibis.null("string")),
        gross=ibis.ifelse(sale, amount, 0),
        refunded=ibis.ifelse(rows.kind == "refund", -amount, 0),
        net=amount,
        lines=ibis.ifelse(sale, 1, 0).cast("int64"),
    )
    if before is not None:
        rows = rows.union(_aged(before, 1).cast(rows.schema()), distinct=False)
    folded = rows.group_by("customer_id", "order_id").aggregate(
        **{name: rows[name].min() for name in ("at", "day", "month", "store", "channel")},
        **{name: rows[name].sum() for name in ("gross", "refunded", "net", "lines")},
    )
    return _aged(folded, -1)


def _aged(folded: ir.Table, by: int) -> ir.Table:
    """Orders without a sale later by an age (1), or as they were (-1)."""
    later = ibis.ifelse(folded.lines > 0, 0, by * _LATER)
    return folded.select(
        **{n: folded[n] + later if n in ("at", "day", "month") else folded[n] for n in PURCHASES.columns}
    )


def customers(records: ir.Table = RECORDS, only: ir.Table | None = None) -> ir.Table:
    """One row per customer: customer_id, known, erased (of any of its records), created_day (the earliest)."""
    if only is not None:
        records = records.semi_join(only, "customer_id")
    rows = records.group_by("customer_id").aggregate(
        known=count_of(records.known),
        erased=count_of(records.erased),
        created_day=records.created_day.cast("int64").min(),
    )
    return rows.mutate(known=rows.known > 0, erased=rows.erased > 0)


def seen(
    events: ir.Table = EVENTS, records: ir.Table = RECORDS, *, as_of: int, only: ir.Table | None = None
) -> ir.Table:
    """One row per customer who did anything up to `as_of`: customer_id, last_seen_day.

    Counted is what customers do themselves, not what is done to them or noted about them (NOT_BY_CUSTOMER).
    """
    kept = records.select("record_id", "customer_id")
    rows = events.filter(events.record_id.notnull(), events.day <= as_of)
    if only is not None:
        kept = kept.semi_join(only, "customer_id")
        rows = rows.semi_join(kept, "record_id")
    # A condition within the aggregate, not a filter: engines would test the names of all events before the semi-join.
    # Asked of an array, DuckDB looks at each name of a block's dictionary once; NOT IN would compare every event's.
    # Folding by record before the join keeps the join as small as the number of people.
    last = rows.group_by("record_id").aggregate(
        last_seen_day=max_of(~ibis.array(NOT_BY_CUSTOMER).contains(rows.name), rows.day.cast("int64"))
    )
    joined = last.inner_join(kept, "record_id")
    found = joined.group_by("customer_id").aggregate(last_seen_day=joined.last_seen_day.max())
    return found.filter(found.last_seen_day.notnull())


def visits(table: ir.Table = PURCHASES, *, as_of: int | None = None) -> ir.Table:
    """One row per customer and day with a purchase: customer_id, day, month, orders, gross, net.

    Orders of one day are one visit: rhythm is counted in visits.
    """
    rows = between(table.filter(table.lines > 0), None, as_of)
    return rows.group_by("customer_id", "day", "month").aggregate(
        orders=rows.count(), gross=rows.gross.sum(), net=rows.net.sum()
    )


def placed(lines: ir.Table = LINES, records: ir.Table = RECORDS) -> ir.Table:
    """One row per sale with a paid line, anonymous ones too: when, where, by whom; spent in the business's currency
    (adjustments included, refunds not) and how many paid lines are in it (home). The lines of a sale share its moment,
    store, channel and record.
    """
    rows = lines.filter(lines.kind == "sale")
    folded = rows.group_by("position").aggregate(
        day=rows.day.cast("int64").min(),
        month=rows.month.cast("int64").min(),
        store=rows.store.min(),
        channel=rows.channel.min(),
        record_id=rows.record_id.min(),
        spent=sum_of(rows.home, rows.amount),
        home=count_of(rows.paid & rows.home),
        paid=count_of(rows.paid),
    )
    folded = folded.filter(folded.paid > 0)
    told = folded.left_join(records.select("record_id", "customer_id"), "record_id")
    return told.select(*PLACED.columns)
