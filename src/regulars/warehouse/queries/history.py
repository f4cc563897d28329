"""The whole history in a few figures: what `regulars figures` prints."""

from dataclasses import dataclass

from regulars.warehouse.queries import lifecycle, rfm
from regulars.warehouse.queries.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Sold:
    """`amount` in minor units. gross: paid lines, before discounts and refunds; net: everything, with the orders and
    lines of gross: giving back sells nothing. An order is what one event sold, as the log has it (decision 9): a number
    that two customers have, or two stores, or two days, is two.
    """

    lines: int
    orders: int
    customers: int
    amount: int


@dataclass(frozen=True, slots=True)
class History:
    """Of known customers gross and net; `refunds` positive; what nobody known bought is `anonymous` (net)."""

    since: int | None
    until: int | None
    gross: Sold
    net: Sold
    refunds: Sold
    anonymous: Sold
    groups: list[rfm.Group]
    stages: list[lifecycle.Stage]


def history(snapshot: Snapshot, *, day: int | None = None) -> History:
    """Of the whole history, or of the sales of one day (groups and stages are always as of the as-of day)."""
    rows = snapshot.read(
        """
        WITH who AS (SELECT r.record_id, r.customer_id FROM records r JOIN (
                 SELECT customer_id FROM records GROUP BY 1 HAVING bool_or(known)) USING (customer_id)),
             sold AS (SELECT l.*, who.customer_id
                 FROM lines l LEFT JOIN who USING (record_id) WHERE home AND (?::INTEGER IS NULL OR day = ?)),
             parts AS (
                 SELECT 'gross' AS part, paid AS counts, * FROM sold
                 WHERE customer_id IS NOT NULL AND paid UNION ALL
                 SELECT 'net', paid, * FROM sold WHERE customer_id IS NOT NULL UNION ALL
                 SELECT 'refunds', TRUE, * FROM sold WHERE customer_id IS NOT NULL AND kind = 'refund' UNION ALL
                 SELECT 'anonymous', paid, * FROM sold WHERE customer_id IS NULL)
        SELECT part, count(*) FILTER (counts), count(DISTINCT position) FILTER (counts), count(DISTINCT customer_id),
            sum(amount)::BIGINT, min(day), max(day)
        FROM parts GROUP BY part
        """,
        [day, day],
    )
    found = {part: Sold(lines, orders, people, amount) for part, lines, orders, people, amount, _, _ in rows}
    nothing = Sold(0, 0, 0, 0)
    refunds = found.get("refunds", nothing)
    return History(
        since=min((row[5] for row in rows), default=None),
        until=max((row[6] for row in rows), default=None),
        gross=found.get("gross", nothing),
        net=found.get("net", nothing),
        refunds=Sold(refunds.lines, refunds.orders, refunds.customers, -refunds.amount),
        anonymous=found.get("anonymous", nothing),
        groups=rfm.groups(snapshot),
        stages=lifecycle.stages(snapshot),
    )
