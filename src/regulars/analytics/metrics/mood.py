"""How customers feel: scores they gave."""

import ibis
import ibis.expr.types as ir

from regulars.analytics.facts import EVENTS, RECORDS, Bucket, between, bucket_of, count_of


def answers(kind: str, most: int, least: int, by: Bucket, since: int | None, until: int | None) -> ir.Table:
    """One row per person and bucket: the last answer of this kind with a score from `least` to `most`."""
    rows = between(EVENTS.filter(EVENTS.name == "Survey Answered", EVENTS.category == kind), since, until)
    rows = rows.filter(rows.score.between(least, most))
    rows = rows.left_join(RECORDS.select("record_id", "customer_id"), "record_id")
    # Who answers anonymously is a person per answer: the negative position is nobody's customer id.
    rows = rows.select(
        bucket=bucket_of(rows, by),
        person=ibis.coalesce(rows.customer_id, -rows.position),
        position=rows.position,
        at=rows.at,
        score=rows.score.cast("int64"),
    )
    newest = [ibis.desc("at"), ibis.desc("position")]
    ranked = rows.mutate(place=ibis.row_number().over(group_by=["bucket", "person"], order_by=newest))
    return ranked.filter(ranked.place == 0)


def nps(*, by: Bucket = "month", since: int | None = None, until: int | None = None) -> ir.Table:
    """Net Promoter Score: answers from 0 to 10 to "would you recommend us?". NPS = (promoters − detractors) ÷ answers ×
    100; promoters gave 9 or 10, detractors 0 to 6. Of several answers of a customer in a period or store the last
    counts, each anonymous one does; scores out of range don't. Source: Survey Answered, kind nps; Reichheld (2003).
    """
    rows = answers("nps", 10, 0, by, since, until)
    return rows.group_by("bucket").aggregate(
        answers=rows.count(),
        promoters=count_of(rows.score >= 9),
        detractors=count_of(rows.score <= 6),
    )


def csat(*, by: Bucket = "month", since: int | None = None, until: int | None = None) -> ir.Table:
    """Customer satisfaction: answers from 1 to 5. CSAT = satisfied ÷ answers; satisfied gave 4 or 5. Of several answers
    of a customer in a period or store the last counts, each anonymous one does; scores out of range don't.
    Source: Survey Answered, kind csat.
    """
    rows = answers("csat", 5, 1, by, since, until)
    return rows.group_by("bucket").aggregate(
        answers=rows.count(),
        satisfied=count_of(rows.score >= 4),
        score_sum=rows.score.sum(),
    )


def events(*, by: Bucket = "day", since: int | None = None, until: int | None = None) -> ir.Table:
    """Events: how many of each name, and by how many different records. A record is a person or device as first met;
    merged ones count apart here. Source: all events.
    """
    rows = between(EVENTS, since, until)
    rows = rows.select(name=rows.name, bucket=bucket_of(rows, by), record_id=rows.record_id)
    per = rows.group_by("name", "bucket", "record_id").aggregate(times=rows.count())
    return per.group_by("name", "bucket").aggregate(times=per.times.sum(), records=count_of(per.record_id.notnull()))
