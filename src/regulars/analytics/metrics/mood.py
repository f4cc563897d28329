"""How customers feel: scores they gave."""

import ibis.expr.types as ir

from regulars.analytics.facts import EVENTS, Bucket, between, bucket_of, count_of


def nps(*, by: Bucket = "month", since: int | None = None, until: int | None = None) -> ir.Table:
    """Net Promoter Score: answers from 0 to 10 to "would you recommend us?". NPS = (promoters − detractors) ÷ answers ×
    100; promoters gave 9 or 10, detractors 0 to 6. Every answer counts, also several of one customer; scores out of
    range don't. Source: Survey Answered, kind nps; Reichheld (2003).
    """
    rows = between(EVENTS.filter(EVENTS.name == "Survey Answered", EVENTS.category == "nps"), since, until)
    rows = rows.filter(rows.score.between(0, 10))
    rows = rows.select(bucket=bucket_of(rows, by), score=rows.score)
    return rows.group_by("bucket").aggregate(
        answers=rows.count().cast("int64"),
        promoters=count_of(rows.score >= 9),
        detractors=count_of(rows.score <= 6),
    )


def csat(*, by: Bucket = "month", since: int | None = None, until: int | None = None) -> ir.Table:
    """Customer satisfaction: answers from 1 to 5. CSAT = satisfied ÷ answers; satisfied gave 4 or 5; score_sum ÷
    answers is the average. Every answer counts; scores out of range don't. Source: Survey Answered, kind csat.
    """
    rows = between(EVENTS.filter(EVENTS.name == "Survey Answered", EVENTS.category == "csat"), since, until)
    rows = rows.filter(rows.score.between(1, 5))
    rows = rows.select(bucket=bucket_of(rows, by), score=rows.score)
    return rows.group_by("bucket").aggregate(
        answers=rows.count().cast("int64"),
        satisfied=count_of(rows.score >= 4),
        score_sum=rows.score.sum().cast("int64"),
    )


def events(*, by: Bucket = "day", since: int | None = None, until: int | None = None) -> ir.Table:
    """Events: how many of each name, and by how many different records. A record is a person or device as first met;
    merged ones count apart here. Source: all events.
    """
    rows = between(EVENTS, since, until)
    rows = rows.select(name=rows.name, bucket=bucket_of(rows, by), record_id=rows.record_id)
    per = rows.group_by("name", "bucket", "record_id").aggregate(times=rows.count().cast("int64"))
    return per.group_by("name", "bucket").aggregate(
        times=per.times.sum().cast("int64"), records=count_of(per.record_id.notnull())
    )
