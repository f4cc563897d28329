"""One customer: scores, orders, mood."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from regulars.eventlog import queries as log
from regulars.kernel import clock
from regulars.warehouse.queries.customers import Scores, scores_of
from regulars.warehouse.queries.snapshot import Page, Snapshot, key_of, values_of


@dataclass(frozen=True, slots=True)
class Line:
    product_id: str
    name: str
    category: str
    quantity: int  # thousandths
    amount: int
    kind: str  # sale, refund
    day: int
    currency: str
    home: bool


@dataclass(frozen=True, slots=True)
class Order:
    order_id: str
    at: int  # µs
    day: int
    store: str
    channel: str
    gross: int
    refunds: int
    net: int
    lines: tuple[Line, ...]

    @property
    def adjustments(self) -> int:
        """As of queries.sales.Sales."""
        return self.net - self.gross + self.refunds


@dataclass(frozen=True, slots=True)
class Mood:
    """The last scores given: NPS 0–10, CSAT 1–5; None when never asked."""

    nps: int | None
    nps_day: int | None
    csat: int | None
    csat_day: int | None
    complaints: int  # in the last 365 days


def scores(snapshot: Snapshot, customer_id: int) -> Scores | None:
    return scores_of(snapshot, [customer_id]).get(customer_id)


def awaited(snapshot: Snapshot, customer_id: int, records: Collection[int]) -> int | None:
    """Where `Snapshot.judged` has to be for the figures of this customer, who has these `records`, to know all that
    has happened; None when they do.
    """
    taken = snapshot.value("position", 0)
    coming = log.newest_of(records, after=taken)
    if coming is not None:
        return coming
    # After a merge or its undoing, what the warehouse takes for theirs differs for a moment.
    mine = "record_id IN (SELECT unnest(?::BIGINT[]))"
    known = dict(
        snapshot.read(
            f"SELECT record_id, customer_id FROM records WHERE customer_id = ? OR {mine}",  # noqa: S608
            [customer_id, list(records)],
        )
    )
    if any((root == customer_id) != (record in records) for record, root in known.items()):
        return int(taken) + 1
    found = snapshot.read(
        f"SELECT max(position) FROM pending WHERE position > ? AND {mine}",  # noqa: S608
        [snapshot.judged, list(known)],
    )[0][0]
    return None if found is None else int(found)


def visits(snapshot: Snapshot, customer_id: int) -> int:
    """Days with a purchase."""
    sql = "SELECT count(DISTINCT day) FROM purchases WHERE customer_id = ? AND lines > 0 AND day <= ?"
    return int(snapshot.read(sql, [customer_id, snapshot.as_of])[0][0])


def orders(snapshot: Snapshot, customer_id: int, *, after: str | None = None, limit: int = 20) -> Page[Order]:
    """Newest first, with their lines; refunds stand with the order they belong to."""
    where, params = "customer_id = ?", list[Any]((customer_id,))
    if after is not None:
        at, order = values_of(after, 2)
        where, params = where + ' AND ("at" < ? OR ("at" = ? AND order_id < ?))', [customer_id, at, at, order]
    rows = snapshot.read(
        f"""SELECT order_id, "at", day, coalesce(store, ''), coalesce(channel, ''), gross, refunded, net FROM purchases
            WHERE {where} ORDER BY "at" DESC, order_id DESC LIMIT ?""",  # noqa: S608 (our own conditions)
        [*params, limit + 1],
    )
    lines: dict[str, list[Line]] = {row[0]: [] for row in rows[:limit]}
    found = snapshot.read(
        f"""SELECT coalesce(order_id, '#' || position) AS key, coalesce(product_id, ''), coalesce(name, ''),
            coalesce(category, ''), coalesce(quantity, 0), amount, kind, day, upper(currency), home FROM lines
            WHERE {_theirs(snapshot, customer_id)}
            AND key IN (SELECT unnest(?::VARCHAR[])) ORDER BY position, line < 0, line""",  # noqa: S608 (numbers)
        [list(lines)],
    )
    for key, *line in found:
        lines[key].append(Line(*line))
    page = [Order(*[*row, tuple(lines[row[0]])]) for row in rows[:limit]]
    return Page(page, key_of(page[-1].at, page[-1].order_id) if len(rows) > limit else None)


def _theirs(snapshot: Snapshot, customer_id: int) -> str:
    """The condition of rows of the customer's records. In the text: rows of others then aren't unpacked."""
    found = snapshot.read("SELECT record_id FROM records WHERE customer_id = ?", [customer_id])
    return f"record_id IN ({', '.join(str(record) for (record,) in found) or 'NULL'})"


def mood(snapshot: Snapshot, customer_id: int) -> Mood:
    rows = snapshot.read(
        f"""SELECT name, category, score, day FROM events WHERE {_theirs(snapshot, customer_id)}
            AND name IN ('Survey Answered', 'Complaint Filed') AND day <= ? ORDER BY "at", position""",  # noqa: S608
        [snapshot.as_of],
    )
    last = {kind: (score, day) for name, kind, score, day in rows if name == "Survey Answered" and score is not None}
    complaints = sum(name == "Complaint Filed" and day > snapshot.as_of - 365 for name, _, _, day in rows)
    return Mood(*last.get("nps", (None, None)), *last.get("csat", (None, None)), complaints)


def spend_by_month(snapshot: Snapshot, customer_id: int, *, months: int = 24) -> list[tuple[int, int]]:
    """(month, net) of the last months, those without purchases included."""
    rows = snapshot.read(
        "SELECT month, sum(net)::BIGINT FROM purchases WHERE customer_id = ? GROUP BY 1", [customer_id]
    )
    found, today = dict(rows), clock.day_of(snapshot.as_of)
    this = today.year * 12 + today.month - 1
    return [(month, found.get(month, 0)) for month in range(this - months + 1, this + 1)]
