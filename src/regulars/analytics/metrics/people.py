"""How the customers are spread over groups, stages and warnings, from their scores; and the flow between stages."""

from datetime import date
from itertools import pairwise

import ibis
import ibis.expr.types as ir

from regulars.analytics import lifecycle
from regulars.analytics.cutoffs import Cutoffs, Thresholds
from regulars.analytics.facts import SCORES, VISITS, count_of, customers, max_of, visits
from regulars.kernel import clock

_NEVER = 10**9


def _counted() -> ir.Table:
    """Whom figures about people count: known, or a buyer. Who was erased counts on: only lists lose them."""
    return SCORES.filter(SCORES.known | (SCORES.orders > 0))


def rfm_matrix() -> ir.Table:
    """RFM matrix: buyers by their scores for recency (R) and frequency (F), 5 is best: how many they are, their orders,
    net spend and average score for money (M). {rfm_scores} Equal values share a score, so cells may stay empty. Who was
    erased counts on, but is in no list. Source: scores; Hughes (1994).
    """
    rows = SCORES.filter(SCORES.orders > 0)
    return rows.group_by("r", "f").aggregate(
        customers=rows.count(),
        orders=rows.orders.sum(),
        net=rows.net.sum(),
        m_sum=rows.m.sum(),
    )


def rfm_groups() -> ir.Table:
    """RFM groups: buyers by named group, with their number, orders and net spend. The group follows from the score for
    recency (R) and the mean of those for frequency (F) and money (M); of who bought once, from recency alone. Scores
    look at no rhythm: a group doesn't say whether somebody is late. Names can be set. Who was erased counts on, but is
    in no list. Source: scores.
    """
    rows = SCORES.filter(SCORES.orders > 0)
    return rows.group_by("rfm_group").aggregate(customers=rows.count(), orders=rows.orders.sum(), net=rows.net.sum())


def stages() -> ir.Table:
    """Lifecycle stages: known customers and buyers by stage, with net spend. Potential: not bought yet. New: bought on
    one day. Active: on several. Dormant: the last purchase is more than {dormant_times} times the rhythm ago, and more
    than {dormant_least_days} days. Lost: more than {lost_times} times, and more than {lost_least_days} days. The rhythm
    is the customer's own average time between visits from visit number {own_rhythm_visits} on, the population's median
    before; at least {gap_least} and at most {gap_most} days. Who was erased counts on, but is in no list.
    Source: scores.
    """
    rows = _counted()
    return rows.group_by("stage").aggregate(customers=rows.count(), net=rows.net.sum(), warned=count_of(rows.warned))


def warnings() -> ir.Table:
    """Churn warnings: buyers by the reasons that apply. Warned: no sign of life for more than {churn_silent_days} days
    while spend of the last {churn_window_days} days is down by {churn_spend_percent} % or more on the
    {churn_window_days} days before; or, after {own_rhythm_visits} visits, the last one is more than {overdue_times}
    times the own rhythm ago and more than {overdue_least_days} days, and the customer isn't lost yet. A sign of life is
    what the customer does: an order, a visit, a page, an answer; not what staff, the system or a program notes about
    them. Lists of people and their totals leave out who was erased: nobody can call them. Source: scores.
    """
    rows = _counted().filter(SCORES.orders > 0)
    return rows.group_by("warn_silent", "warn_spend", "warn_overdue", "warned").aggregate(
        customers=rows.count(), spend_before=rows.spend_before.sum()
    )


def stage_flow(
    *, months: tuple[tuple[int, int], ...], cutoffs: Cutoffs, thresholds: Thresholds, kept: bool = False
) -> ir.Table:
    """Flow between stages: from one month's end to the next, how many customers went from which stage to which. Stages
    at past month ends follow the same rule as today's, from what was known by then; only the population's rhythm is
    today's. “Not there yet”: no customer at the earlier end. Anonymous visitors who never bought are not counted;
    people known today count as potential from their first day on record, erased ones too. Source: purchases, records.
    """
    if len(months) < 2:
        raise ValueError("a flow needs at least two month ends")
    days = VISITS if kept else visits()
    # A column per month end instead of a row: one pass over the visits, no join of customers with months.
    held = days.group_by("customer_id").aggregate(
        first_day=days.day.min(),
        **{f"visits_{month}": count_of(days.day <= end) for month, end in months},
        **{f"last_{month}": max_of(days.day <= end, days.day) for month, end in months},
    )
    people = customers().left_join(held, "customer_id").drop("customer_id_right")
    people = people.filter(people.known | people.first_day.notnull())
    recorded = ibis.ifelse(people.known, ibis.coalesce(people.created_day, 0), _NEVER)
    begun = ibis.least(recorded, ibis.coalesce(people.first_day, _NEVER))

    def gap_at(month: int) -> ir.Value:
        count, last = people[f"visits_{month}"], people[f"last_{month}"]
        return lifecycle.gap(count, lifecycle.own_gap(count, people.first_day, last), cutoffs, thresholds)

    # Columns of their own: a stage names its rhythm several times.
    people = people.mutate(begun=begun, **{f"gap_{month}": gap_at(month) for month, _ in months})

    def stage_at(month: int, end: int) -> ir.Value:
        late = end - people[f"last_{month}"]
        said = lifecycle.stage(people[f"visits_{month}"], late, people[f"gap_{month}"], cutoffs)
        return ibis.ifelse(people.begun <= end, said, lifecycle.ABSENT)

    wide = people.select(**{f"stage_{month}": stage_at(month, end) for month, end in months})
    wide = wide.group_by(*wide.columns).aggregate(customers=wide.count())
    flows = []
    for (before, _), (month, _) in pairwise(months):
        pair = wide.select(
            month=ibis.literal(month, "int64"),
            from_stage=wide[f"stage_{before}"],
            to_stage=wide[f"stage_{month}"],
            customers=wide.customers,
        )
        pair = pair.filter(pair.to_stage != lifecycle.ABSENT)
        flows.append(pair.group_by("month", "from_stage", "to_stage").aggregate(customers=pair.customers.sum()))
    return ibis.union(*flows, distinct=False) if len(flows) > 1 else flows[0]


def month_ends(until_day: int, count: int, *, running: bool = False) -> tuple[tuple[int, int], ...]:
    """The last `count` month ends up to the day, as (month, its last day), oldest first.

    A month that isn't over is left out, or, with `running`, comes last and ends on the day.
    """
    day = clock.day_of(until_day + 1)
    month = day.year * 12 + day.month - 2
    ends = []
    for number in range(month - count + 1, month + 1):
        first_of_next = date((number + 1) // 12, (number + 1) % 12 + 1, 1)
        ends.append((number, clock.day_number(first_of_next) - 1))
    if running and ends[-1][1] < until_day:
        ends = [*ends[1:], (month + 1, until_day)]
    return tuple(ends)
