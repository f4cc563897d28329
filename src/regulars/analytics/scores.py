"""What is said of each customer: figures, then judgements, in one definition for full and live refresh alike.

A full refresh makes `figures` a table, reads `thresholds` from it and writes `scores`; a live refresh runs the same
`scores` for the customers in `concerned`, under the thresholds of the last full one. Every figure depends on one
customer's rows alone, so live equals full by construction.
"""

import ibis
import ibis.expr.types as ir

from regulars.analytics import lifecycle, rfm, traits
from regulars.analytics.cutoffs import PERCENTS, Cutoffs, Thresholds
from regulars.analytics.facts import (
    EVENTS,
    FIGURES,
    PURCHASES,
    RECORDS,
    SCORES,
    between,
    count_of,
    customers,
    max_of,
    min_of,
    seen,
    sum_of,
)

COMPUTED: tuple[str, ...] = tuple(
    name
    for name in SCORES.columns
    if name not in ("p_alive", "expected_orders", "expected_value", "value_low", "value_high")
)
"""The columns of scores that this module says; the rest comes from statistics over orders and days."""


def figures(
    purchases: ir.Table = PURCHASES,
    events: ir.Table = EVENTS,
    records: ir.Table = RECORDS,
    *,
    as_of: int,
    cutoffs: Cutoffs,
    only: ir.Table | None = None,
) -> ir.Table:
    """One row per customer, of everything up to the end of day `as_of` (columns: facts.FIGURES).

    orders: purchases (refunded ones too); visits: days with a purchase; net: after all refunds, also those without an
    order. recency_days and silent_days count from the last purchase and the last sign of life to `as_of`. spend_recent
    and spend_before: net of the last window of churn_window_days and of the one before. store and channel: where most
    orders were made, of equals the latest. reduced: purchases paid with less than their lines add up to, before
    refunds. mood: see traits. `only` (a table of customer_id) restricts everything to those customers.
    """
    bought = between(purchases, None, as_of)
    if only is not None:
        bought = bought.semi_join(only, "customer_id")
    sale = bought.lines > 0
    recent = bought.day > as_of - cutoffs.churn_window_days
    before = (bought.day > as_of - 2 * cutoffs.churn_window_days) & ~recent
    spent = bought.group_by("customer_id").aggregate(
        orders=count_of(sale),
        reduced=count_of(sale & (bought.net + bought.refunded < bought.gross)),
        visits=ibis.ifelse(sale, bought.day, ibis.null("int64")).nunique(),
        gross=bought.gross.sum(),
        net=bought.net.sum(),
        first_day=min_of(sale, bought.day),
        last_day=max_of(sale, bought.day),
        spend_recent=sum_of(recent, bought.net),
        spend_before=sum_of(before, bought.net),
    )
    people = customers(records, only)
    rows = (
        people.left_join(spent, "customer_id")
        .drop("customer_id_right")
        .left_join(seen(events, records, as_of=as_of, only=only), "customer_id")
        .drop("customer_id_right")
        .left_join(usual(bought, "store"), "customer_id")
        .drop("customer_id_right")
        .left_join(usual(bought, "channel"), "customer_id")
        .drop("customer_id_right")
        .left_join(traits.mood(events, records, as_of=as_of, only=only), "customer_id")
        .drop("customer_id_right")
    )
    last_seen = ibis.coalesce(rows.last_seen_day, rows.last_day)
    return rows.select(
        customer_id=rows.customer_id,
        known=rows.known,
        erased=rows.erased,
        orders=ibis.coalesce(rows.orders, 0),
        visits=ibis.coalesce(rows.visits, 0),
        gross=ibis.coalesce(rows.gross, 0),
        net=ibis.coalesce(rows.net, 0),
        first_day=rows.first_day,
        last_day=rows.last_day,
        last_seen_day=last_seen,
        own_gap=lifecycle.own_gap(rows.visits, rows.first_day, rows.last_day),
        recency_days=as_of - rows.last_day,
        silent_days=as_of - last_seen,
        spend_recent=ibis.coalesce(rows.spend_recent, 0),
        spend_before=ibis.coalesce(rows.spend_before, 0),
        store=rows.store,
        channel=rows.channel,
        reduced=ibis.coalesce(rows.reduced, 0),
        mood=rows.mood,
    )


def carried(
    table: ir.Table = SCORES,
    purchases: ir.Table = PURCHASES,
    events: ir.Table = EVENTS,
    records: ir.Table = RECORDS,
    *,
    as_of: int,
    cutoffs: Cutoffs,
) -> ir.Table:
    """The figures (columns: facts.FIGURES) as of a later day than that of the scores in `table`, for customers to whom
    nothing has happened in between: what they did stands in their scores, only the days since and what has a window
    (spend, mood) move.
    """
    window = cutoffs.churn_window_days
    bought = between(purchases, as_of - 2 * window + 1, as_of)
    recent = bought.day > as_of - window
    spent = bought.group_by("customer_id").aggregate(
        recent=sum_of(recent, bought.net), before=sum_of(~recent, bought.net)
    )
    standing = _columns_but("recency_days", "silent_days", "spend_recent", "spend_before", "mood")
    rows = (
        table.select(*standing)
        .left_join(spent, "customer_id")
        .drop("customer_id_right")
        .left_join(traits.mood(events, records, as_of=as_of), "customer_id")
        .drop("customer_id_right")
    )
    told = {name: rows[name] for name in (*standing, "mood")} | {
        "own_gap": lifecycle.own_gap(rows.visits, rows.first_day, rows.last_day),
        "recency_days": as_of - rows.last_day,
        "silent_days": as_of - rows.last_seen_day,
        "spend_recent": ibis.coalesce(rows.recent, 0),
        "spend_before": ibis.coalesce(rows.before, 0),
    }
    return rows.select(**{name: told[name].cast(type_) for name, type_ in FIGURES.schema().items()})


def unbought(
    table: ir.Table = SCORES, events: ir.Table = EVENTS, records: ir.Table = RECORDS, *, as_of: int
) -> ir.Table:
    """The figures (columns: facts.FIGURES), as of the very day of the scores in `table`, of customers who have bought
    and given back nothing since they were judged: only who they are, when they were last seen and their mood are
    counted again.
    """
    standing = _columns_but("known", "erased", "last_seen_day", "recency_days", "silent_days", "mood")
    rows = (
        table.select(*standing)
        .inner_join(customers(records), "customer_id")
        .left_join(seen(events, records, as_of=as_of), "customer_id")
        .drop("customer_id_right")
        .left_join(traits.mood(events, records, as_of=as_of), "customer_id")
        .drop("customer_id_right")
    )
    last_seen = ibis.coalesce(rows.last_seen_day, rows.last_day.cast("int64"))
    told = {name: rows[name] for name in (*standing, "known", "erased", "mood")} | {
        "own_gap": lifecycle.own_gap(rows.visits, rows.first_day, rows.last_day),
        "recency_days": as_of - rows.last_day,
        "last_seen_day": last_seen,
        "silent_days": as_of - last_seen,
    }
    return rows.select(**{name: told[name].cast(type_) for name, type_ in FIGURES.schema().items()})


def _columns_but(*moving: str) -> list[str]:
    """The columns of figures that stand in scores, without those that move."""
    return [name for name in FIGURES.columns if name in SCORES.columns and name not in moving]


def usual(bought: ir.Table, column: str) -> ir.Table:
    """One row per customer: the value of the column with most purchases, of equals the latest, of equals the least."""
    rows = bought.filter(bought.lines > 0, bought[column].notnull())
    counted = rows.group_by("customer_id", column).aggregate(n=rows.count(), latest=rows.at.max())
    order = [ibis.desc("n"), ibis.desc("latest"), ibis.asc(column)]
    ranked = counted.mutate(place=ibis.row_number().over(group_by="customer_id", order_by=order))
    return ranked.filter(ranked.place == 0).select("customer_id", column)


def thresholds(table: ir.Table = FIGURES) -> ir.Table:
    """The population's part: rows (dimension, people, p10 … p95) for recency, orders, net and gap.

    The people are buyers, erased ones too: erasing somebody moves nobody else. For gap, those with two visits or more.
    basket is the average order before discounts and refunds, rounded down. pN is the least value such that at least N %
    of them have it or less (the nearest-rank percentile, always a value that occurs). `Thresholds.from_rows` reads it.
    """
    people = table.filter(table.orders > 0)
    values = {
        "recency": people.recency_days,
        "orders": people.orders,
        "net": people.net,
        "gap": people.own_gap,
        # Spark may divide before it filters.
        "basket": people.gross // ibis.ifelse(people.orders > 0, people.orders, ibis.null("int64")),
    }
    parts = []
    for dimension, value in values.items():
        rows = people.select(dimension=ibis.literal(dimension), value=value.cast("int64"))
        rows = rows.filter(rows.value.notnull())
        parts.append(rows.group_by("dimension", "value").aggregate(n=rows.count()))
    counted = ibis.union(*parts, distinct=False)
    up_to = ibis.window(group_by="dimension", order_by="value", preceding=(None, 0))
    ranked = counted.mutate(
        up_to=counted.n.sum().over(up_to),
        people=counted.n.sum().over(ibis.window(group_by="dimension")),
    )
    return ranked.group_by("dimension").aggregate(
        people=ranked.people.max(),
        **{f"p{n}": min_of(ranked.up_to * 100 >= ranked.people * n, ranked.value) for n in PERCENTS},
    )


def judged(table: ir.Table = FIGURES, *, cutoffs: Cutoffs, thresholds: Thresholds) -> ir.Table:
    """Figures to scores: RFM, stage, taste and warnings of each customer (columns: COMPUTED, in their order).

    r, f, m and rfm_group are NULL for who never bought, and so is gap_days. A customer is warned
    - when silent for more than churn_silent_days and spend fell by at least churn_spend_percent
      (warn_silent and warn_spend), or
    - when overdue by their own rhythm (warn_overdue; own_rhythm_visits needed) and not yet lost.
    """
    recency_cuts, order_cuts, net_cuts = rfm.cuts(cutoffs, thresholds)
    buyer = table.orders > 0

    def scored(value: ir.Value) -> ir.Value:
        return ibis.ifelse(buyer, value.cast("int64"), ibis.null("int64"))

    rows = table.mutate(
        r=scored(5 - rfm.above(table.recency_days, recency_cuts)),
        f=scored(1 + rfm.above(table.orders, order_cuts)),
        m=scored(1 + rfm.above(table.net, net_cuts)),
        gap_days=scored(lifecycle.gap(table.visits, table.own_gap, cutoffs, thresholds)),
    )
    lost = lifecycle.late(rows.recency_days, rows.gap_days, cutoffs.lost_percent, cutoffs.lost_least_days)
    overdue = lifecycle.late(rows.recency_days, rows.gap_days, cutoffs.overdue_percent, cutoffs.overdue_least_days)
    fell = rows.spend_recent * 100 <= rows.spend_before * (100 - cutoffs.churn_spend_percent)
    rows = rows.mutate(
        rfm_group=rfm.group(rows.r, rows.f, rows.m, rows.orders),
        stage=lifecycle.stage(rows.visits, rows.recency_days, rows.gap_days, cutoffs),
        warn_silent=ibis.coalesce(buyer & (rows.silent_days > cutoffs.churn_silent_days), False),
        warn_spend=(rows.spend_before > 0) & fell,
        taste=traits.taste(rows.orders, rows.reduced, rows.gross, thresholds),
        warn_overdue=ibis.coalesce((rows.visits >= cutoffs.own_rhythm_visits) & overdue & ~lost, False),
    )
    rows = rows.mutate(warned=(rows.warn_silent & rows.warn_spend) | rows.warn_overdue)
    types = SCORES.schema()
    return rows.select(**{name: rows[name].cast(types[name]) for name in COMPUTED})


def scores(
    purchases: ir.Table = PURCHASES,
    events: ir.Table = EVENTS,
    records: ir.Table = RECORDS,
    *,
    as_of: int,
    cutoffs: Cutoffs,
    thresholds: Thresholds,
    only: ir.Table | None = None,
) -> ir.Table:
    """The scores of all customers, or of those in `only`, as of the end of day `as_of`."""
    counted = figures(purchases, events, records, as_of=as_of, cutoffs=cutoffs, only=only)
    return judged(counted, cutoffs=cutoffs, thresholds=thresholds)
