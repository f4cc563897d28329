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
    """How many they are: what `flow` says of the running month, from today's scores."""
    count: int = snapshot.read(f"SELECT count(*) FROM scores WHERE {being_newly_lost(snapshot)}")[0][0]  # noqa: S608
    return count


def being_newly_lost(snapshot: Snapshot) -> str:
    """The condition on scores of being lost today, and not at the end of last month or with a purchase since. Who
    hasn't bought since had the same rhythm then, only fewer days behind.
    """
    cutoffs = Cutoffs.from_json(snapshot.value("cutoffs", {}))
    days = snapshot.as_of - month_before(snapshot)
    late = f"(recency_days - {days}) * 100 > gap_days * {cutoffs.lost_percent}"
    return f"(stage = 'lost' AND NOT ({late} AND recency_days - {days} > {cutoffs.lost_least_days}))"


def month_before(snapshot: Snapshot) -> int:
    """The last day of the month before that of the as-of day."""
    (_, end), *_ = metrics.month_ends(snapshot.as_of, 2, running=True)
    return end
