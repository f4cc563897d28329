"""Sales by time, store, channel, category or product: revenue, orders, buyers, new against returning."""

import ibis
import ibis.expr.types as ir

from regulars.analytics.facts import (
    LINES,
    PLACED,
    PURCHASES,
    RECORDS,
    Bucket,
    between,
    bucket_of,
    count_of,
    sum_of,
)


def revenue(*, by: Bucket = "day", since: int | None = None, until: int | None = None) -> ir.Table:
    """Revenue: gross is the price × quantity of paid lines (both above zero), before discounts and refunds; refunded is
    what was given back; net = gross + adjustments of orders (discounts, postage) − refunded. Anonymous sales count.
    Refunds count on the day they are made. Lines in other currencies than the business's don't count. Source: lines of
    Order Completed, Order Refunded and Order Cancelled.
    """
    rows = between(LINES.filter(LINES.home), since, until)
    rows = rows.select(
        bucket=bucket_of(rows, by), amount=rows.amount, sale=rows.paid & (rows.kind == "sale"), kind=rows.kind
    )
    return rows.group_by("bucket").aggregate(
        gross=sum_of(rows.sale, rows.amount),
        refunded=sum_of(rows.kind == "refund", -rows.amount),
        net=rows.amount.sum(),
    )


def _shared(by: Bucket, kept: bool) -> bool:
    """Whether the table of facts.placed tells it: a sale may be of several categories."""
    return kept and by not in ("category", "product")


def _orders(by: Bucket, since: int | None, until: int | None, kept: bool = False) -> ir.Table:
    """One row per bucket and order with a paid line in it. spent: all its lines in the business's currency, adjustments
    (discounts, postage) included, refunds not."""
    if _shared(by, kept):
        sold = between(PLACED, since, until)
        return sold.select(
            bucket=bucket_of(sold, by),
            order=sold.position,
            spent=sold.spent,
            home=sold.home,
            anonymous=ibis.ifelse(sold.record_id.isnull(), 1, 0),
        )
    rows = between(LINES.filter(LINES.kind == "sale"), since, until)
    rows = rows.select(
        bucket=bucket_of(rows, by),
        order=rows.position,
        amount=ibis.ifelse(rows.home, rows.amount, 0),
        paid=rows.paid,
        home=rows.paid & rows.home,
        anonymous=rows.paid & rows.record_id.isnull(),
    )
    folded = rows.group_by("bucket", "order").aggregate(
        spent=rows.amount.sum(),
        paid=count_of(rows.paid),
        home=count_of(rows.home),
        anonymous=count_of(rows.anonymous),
    )
    return folded.filter(folded.paid > 0)


def orders(*, by: Bucket = "day", since: int | None = None, until: int | None = None) -> ir.Table:
    """Orders: sales (events) with at least one paid line, whatever was refunded later; anonymous says how many of them
    belong to no customer. What came twice has no lines, and a number of two customers, stores or days is as many
    orders. By category or product an order counts in each that it contains, so that the parts add up to more than the
    whole. Source: lines of Order Completed.
    """
    rows = _orders(by, since, until)
    return rows.group_by("bucket").aggregate(orders=rows.count(), anonymous=count_of(rows.anonymous > 0))


def average_order(*, by: Bucket = "day", since: int | None = None, until: int | None = None) -> ir.Table:
    """Average order: what was paid for the orders ÷ their number, rounded half up to the minor unit: discounts are off,
    postage is in, refunds are not deducted. Anonymous orders count; orders without a paid line in the business's
    currency don't. By category or product: what such an order spends in it, where discounts and postage of the whole
    order belong to none. Source: lines of Order Completed.
    """
    rows = _orders(by, since, until)
    rows = rows.filter(rows.home > 0)
    totals = rows.group_by("bucket").aggregate(orders=rows.count(), spent=rows.spent.sum())
    return totals.mutate(average=((totals.spent * 2 + totals.orders) // (totals.orders * 2)).cast("int64"))


def buyers(*, by: Bucket = "day", since: int | None = None, until: int | None = None, kept: bool = False) -> ir.Table:
    """Buyers: different customers with at least one paid line. Merged records are one customer; anonymous sales have
    no buyer. A customer who buys in two buckets counts in each, so that the parts add up to more than the whole.
    Source: lines of Order Completed, joined to customers.
    """
    if _shared(by, kept):
        joined = between(PLACED.filter(PLACED.customer_id.notnull()), since, until)
        joined = joined.select(bucket=bucket_of(joined, by), customer_id=joined.customer_id)
    else:
        rows = between(LINES.filter(LINES.paid, LINES.kind == "sale", LINES.record_id.notnull()), since, until)
        rows = rows.select(bucket=bucket_of(rows, by), record_id=rows.record_id).distinct()
        joined = rows.inner_join(RECORDS.select("record_id", "customer_id"), "record_id")
    people = joined.select("bucket", "customer_id").distinct()
    return people.group_by("bucket").aggregate(buyers=people.count())


def sales(*, by: Bucket = "day", since: int | None = None, until: int | None = None, kept: bool = False) -> ir.Table:
    """Sales: revenue, orders, buyers and the average order of each bucket in one table, as their own metrics define
    them; 0 where one has no row.
    """
    parts = []
    names = ("gross", "refunded", "net", "orders", "anonymous", "priced", "spent", "buyers")
    placed = _orders(by, since, until, kept)
    counted = placed.group_by("bucket").aggregate(
        orders=placed.count(),
        anonymous=count_of(placed.anonymous > 0),
        priced=count_of(placed.home > 0),
        spent=sum_of(placed.home > 0, placed.spent),
    )
    people = buyers(by=by, since=since, until=until, kept=kept)
    for part in (revenue(by=by, since=since, until=until), counted, people):
        parts.append(
            part.select("bucket", **{n: part[n] if n in part.columns else ibis.literal(0, "int64") for n in names})
        )
    rows = ibis.union(*parts, distinct=False)
    sums = rows.group_by("bucket").aggregate(**{n: rows[n].sum() for n in names})
    mean = (sums.spent * 2 + sums.priced) // ibis.greatest(sums.priced * 2, 1)
    # Of several days the average is told by these sums: spent ÷ priced.
    found = sums.mutate(average=ibis.ifelse(sums.priced > 0, mean, 0).cast("int64"))
    return found.select(
        "bucket", "gross", "refunded", "net", "orders", "anonymous", "buyers", "priced", "spent", "average"
    )


def new_and_returning(*, by: Bucket = "month", since: int | None = None, until: int | None = None) -> ir.Table:
    """New against returning: a buyer is new in the day, week or month of their first purchase ever, returning in later
    ones; by store, channel, category, product or in all, new when the first purchase ever lies within the period asked
    for. Gross of each, before discounts and refunds, and net, with refunds on the day of their order; by category or
    product the money of its lines, refunds on the day they are made. Source: purchases of customers, and their order
    lines.
    """
    bought = PURCHASES.filter(PURCHASES.lines > 0)
    first = bought.group_by("customer_id").aggregate(first_day=bought.day.min(), first_month=bought.month.min())
    if by in ("category", "product"):
        per = _of_buyers(by, since, until)
    else:
        rows = between(bought, since, until)
        per = rows.select(customer_id=rows.customer_id, bucket=bucket_of(rows, by), gross=rows.gross, net=rows.net)
        per = per.group_by("bucket", "customer_id").aggregate(gross=per.gross.sum(), net=per.net.sum())
    joined = per.inner_join(first, "customer_id")
    if by in ("day", "week", "month"):
        begun = joined.select(day=joined.first_day, month=joined.first_month, **{n: joined[n] for n in per.columns})
        joined = begun.mutate(new=bucket_of(begun, by) == begun.bucket)
    else:
        joined = joined.mutate(new=joined.first_day >= (since if since is not None else -1_000_000))
    return joined.group_by("bucket").aggregate(
        new_buyers=count_of(joined.new),
        returning_buyers=count_of(~joined.new),
        new_gross=sum_of(joined.new, joined.gross),
        returning_gross=sum_of(~joined.new, joined.gross),
        new_net=sum_of(joined.new, joined.net),
        returning_net=sum_of(~joined.new, joined.net),
    )


def _of_buyers(by: Bucket, since: int | None, until: int | None) -> ir.Table:
    """What each customer spent in each bucket that they bought in: of order lines, which know a category."""
    rows = between(LINES.filter(LINES.record_id.notnull()), since, until)
    rows = rows.inner_join(RECORDS.select("record_id", "customer_id"), "record_id")
    rows = rows.select(
        customer_id=rows.customer_id,
        bucket=bucket_of(rows, by),
        amount=ibis.ifelse(rows.home, rows.amount, 0),
        sale=rows.paid & (rows.kind == "sale"),
    )
    per = rows.group_by("bucket", "customer_id").aggregate(
        gross=sum_of(rows.sale, rows.amount), net=rows.amount.sum(), lines=count_of(rows.sale)
    )
    return per.filter(per.lines > 0).drop("lines")
