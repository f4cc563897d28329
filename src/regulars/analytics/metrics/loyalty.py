"""Whether and when customers come back: cohorts, time between purchases, the second order."""

import ibis
import ibis.expr.types as ir

from regulars.analytics.facts import PURCHASES, VISITS, count_of, min_of, visits


def retention(*, as_of: int | None = None, since_month: int | None = None, kept: bool = False) -> ir.Table:
    """Cohort retention: customers by the month of their first purchase (cohort), and how many of them buy again each
    month after. Share = buyers of that month ÷ all of the cohort. Gross before and net after refunds, in that month.
    Months are calendar months of the business's zone; the last one is incomplete. Source: purchases of customers.
    """
    days = VISITS if kept else visits(as_of=as_of)
    monthly = days.group_by("customer_id", "month").aggregate(gross=days.gross.sum(), net=days.net.sum())
    first = monthly.group_by("customer_id").aggregate(cohort=monthly.month.min())
    if since_month is not None:
        first = first.filter(first.cohort >= since_month)
    rows = monthly.inner_join(first, "customer_id")
    rows = rows.mutate(months_since=rows.month - rows.cohort)
    return rows.group_by("cohort", "months_since").aggregate(
        customers=rows.count(), gross=rows.gross.sum(), net=rows.net.sum()
    )


def time_between_purchases(*, as_of: int | None = None, kept: bool = False) -> ir.Table:
    """Time between purchases: how many times so many days passed from one purchase of a customer to the next.
    Purchases of one day are one visit. Each row is a number of days, the times it occurred and the different customers
    it occurred with. Waiting that goes on (since the last purchase) isn't counted, so a young business looks quicker
    than it is. Source: purchases of customers.
    """
    days = VISITS if kept else visits(as_of=as_of)
    before = days.day.lag().over(ibis.window(group_by="customer_id", order_by="day"))
    gaps = days.select(customer_id=days.customer_id, gap_days=days.day - before)
    gaps = gaps.filter(gaps.gap_days.notnull())
    per = gaps.group_by("gap_days", "customer_id").aggregate(times=gaps.count())
    return per.group_by("gap_days").aggregate(times=per.times.sum(), customers=per.count())


def second_order(*, as_of: int, within: tuple[int, ...] = (30, 60, 90)) -> ir.Table:
    """Second-order rate: of the customers who first bought in a month (cohort), how many bought again on a later day.
    Rate within so many days = those who came again within them ÷ all whose first purchase lies at least as many days
    back: who had less time isn't judged yet. Orders of the first day are one visit. Source: purchases of customers.
    """
    bought = PURCHASES.filter(PURCHASES.lines > 0, PURCHASES.day <= as_of)
    first = bought.group_by("customer_id").aggregate(first_day=bought.day.min(), cohort=bought.month.min())
    rows = bought.select("customer_id", "day").inner_join(first, "customer_id")
    per = rows.group_by("customer_id", "cohort", "first_day").aggregate(
        second_day=min_of(rows.day > rows.first_day, rows.day)
    )
    counts = {}
    for days in within:
        observed = per.first_day + days <= as_of
        counts[f"observed_{days}"] = count_of(observed)
        counts[f"within_{days}"] = count_of(observed & ibis.coalesce(per.second_day - per.first_day <= days, False))
    return per.group_by("cohort").aggregate(customers=per.count(), ever=count_of(per.second_day.notnull()), **counts)
