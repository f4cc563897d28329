"""Where customers are in their life with the business, and how they move."""

from dataclasses import dataclass

from regulars.analytics import lifecycle, metrics
from regulars.analytics.cutoffs import Cutoffs
from regulars.warehouse.queries import answers
from regulars.warehouse.queries.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Stage:
    """`key`: potential, new, active, dormant, lost."""

    key: str
    customers: int
    net: int
    warned: int


@dataclass(frozen=True, slots=True)
class Flow:
    """So many were in `source` at the end of the month before `month` and in `target` at its end ("" as source: they
    weren't customers yet)."""

    month: int
    source: str
    target: str
    customers: int


def stages(snapshot: Snapshot) -> list[Stage]:
    """All five in order, empty ones too."""
    rows = snapshot.read(f"SELECT stage, customers, net, warned FROM ({metrics.sql('stages')})")  # noqa: S608 (compiled)
    found = {key: rest for key, *rest in rows}
    return [Stage(key, *found.get(key, (0, 0, 0))) for key in lifecycle.STAGES]


def flow(snapshot: Snapshot, *, months: int = 6) -> list[Flow]:
    """The last `months` months, the running one judged as of the as-of day."""
    rows = [Flow(*row) for row in answers.rows(snapshot, "stage_flow")]
    last = sorted({row.month for row in rows})[-months:]
    return [row for row in rows if row.month in last]


def newly_lost(snapshot: Snapshot) -> int:
    """How many are lost today who at the end of last month weren't, or have bought since: what `flow` says of the
    running month, from today's scores. Who hasn't bought since had the same rhythm then, only fewer days behind.
    """
    (_, end), *_ = metrics.month_ends(snapshot.as_of, 2, running=True)
    cutoffs = Cutoffs.from_json(snapshot.value("cutoffs", {}))
    rows = snapshot.read(
        """SELECT count(*) FROM scores WHERE stage = 'lost'
           AND NOT ((recency_days - $days) * 100 > gap_days * $percent AND recency_days - $days > $least)""",
        {"days": snapshot.as_of - end, "percent": cutoffs.lost_percent, "least": cutoffs.lost_least_days},
    )
    count: int = rows[0][0]
    return count
