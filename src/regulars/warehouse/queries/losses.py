"""Who was lost this month, and what is known of why: what they said, complained of and gave back towards the end."""

from dataclasses import dataclass
from typing import Literal

from regulars.analytics.cutoffs import Cutoffs
from regulars.analytics.traits import UNHAPPY
from regulars.warehouse.queries.lifecycle import being_newly_lost, month_before
from regulars.warehouse.queries.snapshot import Page, Snapshot, key_of, values_of

Hint = Literal["complaint", "refund", "unhappy", "none"]
HINTS: tuple[Hint, ...] = ("complaint", "refund", "unhappy", "none")
BEFORE = 90
"""Days before the last purchase from which on a complaint, a refund or a score counts as a hint."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A customer lost since the end of last month. `before` is the stage then; None for who has bought since. Of each
    hint the last one, None where there is none; refunds are summed, in minor units."""

    customer_id: int
    before: str | None
    recency_days: int
    gap_days: int
    orders: int
    net: int
    mood: str | None
    survey: str | None  # nps, csat
    score: int | None
    score_day: int | None
    unhappy: bool  # their last score says so, as of the mood
    complaint: str | None  # its category
    complaint_day: int | None
    refunded: int
    refund_day: int | None


def hints(snapshot: Snapshot) -> dict[Hint, int]:
    """How many of them have each hint (one may have several), or none. Nobody erased is counted."""
    row = snapshot.read(
        f"""SELECT count(*) FILTER (complaint_day IS NOT NULL),
            count(*) FILTER (refund_day IS NOT NULL), count(*) FILTER (unhappy), count(*) FILTER ({_WHERE["none"]})
            FROM {_lost(snapshot)}"""  # noqa: S608 (our own conditions)
    )[0]
    return dict(zip(HINTS, row, strict=True))


def lost(snapshot: Snapshot, *, hint: Hint | None = None, after: str | None = None, limit: int = 50) -> Page[Lost]:
    """The worthiest (net spend) first, without who was erased."""
    where, params = [_WHERE[hint]] if hint else ["true"], list[int]()
    if after is not None:
        net, last = values_of(after, 2)
        where, params = [*where, "(net < ? OR (net = ? AND customer_id > ?))"], [net, net, last]
    rows = snapshot.read(
        f"SELECT * FROM {_lost(snapshot)} WHERE {' AND '.join(where)} "  # noqa: S608 (our own conditions)
        "ORDER BY net DESC, customer_id LIMIT ?",
        [*params, limit + 1],
    )
    found = [Lost(*row) for row in rows[:limit]]
    return Page(found, key_of(found[-1].net, found[-1].customer_id) if len(rows) > limit else None)


_WHERE: dict[Hint, str] = {
    "complaint": "complaint_day IS NOT NULL",
    "refund": "refund_day IS NOT NULL",
    "unhappy": "unhappy",
    "none": "complaint_day IS NULL AND refund_day IS NULL AND NOT unhappy",
}


def _lost(snapshot: Snapshot) -> str:
    """The name of a table with a row for each; the columns of Lost in order."""
    cutoffs = Cutoffs.from_json(snapshot.value("cutoffs", {}))
    end = month_before(snapshot)
    then = f"(recency_days - {snapshot.as_of - end})"
    asleep = f"{then} * 100 > gap_days * {cutoffs.dormant_percent} AND {then} > {cutoffs.dormant_least_days}"
    gone = f"FROM scores WHERE NOT erased AND {being_newly_lost(snapshot)}"
    earliest = snapshot.read(f"SELECT coalesce(min(last_day), 0) - {BEFORE} {gone}")[0][0]
    # The number leaves out blocks of older rows.
    window = f"day >= {earliest} AND day BETWEEN last_day - {BEFORE} AND {snapshot.as_of}"
    # A function, not IN: DuckDB asks it once per word of a block's dictionary.
    telling = "list_contains(['Complaint Filed', 'Survey Answered'], name)"
    low = " ".join(f"WHEN '{kind}' THEN {score}" for kind, score in UNHAPPY.items())
    # The last of several is the greatest by time and position; the rest of the struct only travels along.
    last = """max({'at': "at", 'position': position, 'category': category, 'score': score, 'day': day})"""
    sql = f"""
        WITH gone AS (SELECT * {gone}),
        theirs AS (SELECT record_id, customer_id, last_day FROM records JOIN gone USING (customer_id)),
        said AS (
            SELECT customer_id,
            {last} FILTER (name = 'Survey Answered' AND score IS NOT NULL AND category IN ('nps', 'csat')) AS answer,
            {last} FILTER (name = 'Complaint Filed') AS complaint
            FROM events JOIN theirs USING (record_id) WHERE {window} AND {telling} GROUP BY 1),
        returned AS (
            SELECT customer_id, max(day) AS day, coalesce(-sum(amount) FILTER (home), 0)::BIGINT AS amount
            FROM lines JOIN theirs USING (record_id) WHERE kind = 'refund' AND {window} GROUP BY 1),
        lost AS (
            SELECT customer_id,
            CASE WHEN last_day > {end} THEN NULL WHEN {asleep} THEN 'dormant' WHEN visits = 1 THEN 'new'
            ELSE 'active' END AS before,
            recency_days, gap_days, orders, net, mood, answer.category AS survey, answer.score AS score,
            answer.day AS score_day,
            coalesce(answer.score <= CASE answer.category {low} END, false) AS unhappy,
            complaint.category AS complaint, complaint.day AS complaint_day, coalesce(amount, 0) AS refunded,
            returned.day AS refund_day
            FROM gone LEFT JOIN said USING (customer_id) LEFT JOIN returned USING (customer_id))
        FROM lost"""  # noqa: S608 (our own conditions)
    return snapshot.once(sql)
