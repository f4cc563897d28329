"""What customers say: scores of surveys."""

from dataclasses import dataclass
from typing import Any

from regulars.analytics import metrics
from regulars.kernel import clock
from regulars.warehouse.queries.snapshot import Snapshot, remembered

DAYS = 90
"""Of which people look at the scores."""


@dataclass(frozen=True, slots=True)
class Nps:
    """Promoters (9–10) less detractors (0–6), in percent of the answers; None without answers."""

    answers: int
    promoters: int
    passives: int
    detractors: int

    @property
    def nps(self) -> float | None:
        return 100 * (self.promoters - self.detractors) / self.answers if self.answers else None


@dataclass(frozen=True, slots=True)
class Csat:
    """Share of answers of 4 or 5 on the scale of 1 to 5."""

    answers: int
    satisfied: int

    @property
    def csat(self) -> float | None:
        return self.satisfied / self.answers if self.answers else None


def nps(snapshot: Snapshot, *, days: int = DAYS) -> Nps:
    """Of the days up to the as-of day; of several answers of a customer the last."""
    found = _nps(snapshot, "all", snapshot.as_of - days + 1)
    return found[0][1] if found else Nps(0, 0, 0, 0)


def nps_by_month(snapshot: Snapshot, *, months: int = 13) -> list[tuple[int, Nps]]:
    today = clock.day_of(snapshot.as_of)
    first = today.year * 12 + today.month - months
    since = clock.day_number(today.replace(year=first // 12, month=first % 12 + 1, day=1))
    return _nps(snapshot, "month", since)


def nps_by_store(snapshot: Snapshot, *, days: int = DAYS) -> list[tuple[str, Nps]]:
    """The best first, of the same figure by name; last what no store was said of."""
    stores = _nps(snapshot, "store", snapshot.as_of - days + 1)
    return sorted(stores, key=lambda pair: (not pair[0], -(pair[1].nps or 0), pair[0]))


def _nps(snapshot: Snapshot, by: Any, since: int) -> list[tuple[Any, Nps]]:
    def ask() -> list[Any]:
        sql = metrics.sql("nps", by=by, since=since, until=snapshot.as_of)
        return snapshot.read(f"SELECT bucket, answers, promoters, detractors FROM ({sql}) ORDER BY 1")  # noqa: S608

    rows = remembered(snapshot, ("nps", by, since), ask)
    return [(key, Nps(n, promoters, n - promoters - detractors, detractors)) for key, n, promoters, detractors in rows]


def csat(snapshot: Snapshot, *, days: int = DAYS) -> Csat:
    def ask() -> list[Any]:
        sql = metrics.sql("csat", by="all", since=snapshot.as_of - days + 1, until=snapshot.as_of)
        return snapshot.read(f"SELECT answers, satisfied FROM ({sql})")  # noqa: S608

    rows = remembered(snapshot, ("csat", days), ask)
    return Csat(*rows[0]) if rows else Csat(0, 0)


def answers(kind: str, *, since: int | None, until: int, store: str | None = None) -> tuple[str, list[Any]]:
    """The answers that nps and csat count (metrics.mood.answers; of one store, "" for none, where that is given) as SQL
    and its parameters: person (a customer; below 0: nobody known), score.

    As one number with the time before the score: the last of each is a maximum, for which nothing is sorted. And few
    records aren't their own customer's: joined with those alone.
    """
    least, most = (0, 10) if kind == "nps" else (1, 5)
    where = ["name = 'Survey Answered'", "category = ?", f"score BETWEEN {least} AND {most}", "day <= ?"]
    params: list[Any] = [kind, until]
    if since is not None:
        where, params = [*where, "day >= ?"], [*params, since]
    if store is not None:
        where, params = [*where, "coalesce(store, '') = ?"], [*params, store]
    return (
        f"""SELECT person, (last & 15)::INTEGER AS score FROM (
            SELECT coalesce(customer_id, record_id, -position) AS person,
                max("at"::HUGEINT * {2**48} + position * 16 + score) AS last
            FROM events LEFT JOIN (SELECT record_id, customer_id FROM records WHERE record_id <> customer_id)
                USING (record_id) WHERE {" AND ".join(where)} GROUP BY 1)""",  # noqa: S608 (our own conditions)
        params,
    )
