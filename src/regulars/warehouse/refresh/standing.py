"""What the last full refresh was about, and whether another one is due."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import duckdb

from regulars.accounts.queries import Business, business
from regulars.analytics.cutoffs import Cutoffs
from regulars.eventlog import queries as eventlog
from regulars.kernel import clock
from regulars.warehouse import engine, lake, queries, schema
from regulars.warehouse.queries.snapshot import LARGE

MANY = 50_000
"""More changed customers than this are quicker judged with everybody else."""
GROWN = 1.25
"""With so many times the events, thresholds and models are learned anew at once: after an import, say."""
OVERLAID = 200_000
"""When more customers of a lake were judged since the last full refresh, another one keeps small what all hold."""
HOURLY = 3_600_000_000
RECENT_DAYS = 30


@dataclass(frozen=True, slots=True)
class State:
    """What the last full refresh was about. `position` is the last event it saw, `took_ms` how long it was."""

    version: int
    as_of: int
    position: int
    refreshed_at: int
    took_ms: int
    settings: str
    currency: str
    zone: str
    customers: int


def state() -> State | None:
    """None before the first full refresh."""
    kept = engine.meta("refresh")
    return State(**kept) if kept else None


def cutoffs_of(own: Business) -> Cutoffs:
    return Cutoffs.from_json(own.more.get("cutoffs") or {})


def settings_of(own: Business) -> str:
    parts = [own.zone, own.currency, own.more.get("as_of", "auto"), cutoffs_of(own).to_json()]
    return json.dumps(parts, sort_keys=True)


def as_of_day(own: Business) -> int:
    """The day that customers are judged at: today in the business's zone; for a business whose last event is older
    than 30 days (an old file was imported) the day after its last order, unless the settings say "today".
    """
    today = clock.day_number(clock.today(own.zone))
    last_at, last_order = engine.meta("last_at", 0), engine.meta("last_order_day")
    if own.more.get("as_of", "auto") == "today" or not last_at:
        return today
    if clock.from_micros(last_at) > clock.now() - timedelta(days=RECENT_DAYS):
        return today
    return today if last_order is None else min(last_order + 1, today)


def due(*, patient: bool = True) -> str:
    """Why a full refresh is due now; "" when it isn't. Cheap enough to be asked every second."""
    position = engine.meta("position", 0)
    last, own = state(), business()
    if last is None:
        # What is learned from the beginning of a long log (one that was moved here) isn't what its customers are like.
        return "first" if position and position * 1.01 >= eventlog.last_position() else ""
    now = clock.micros()
    # Not without a pause: while a file is being taken in, the day of its last order moves with every batch.
    if patient and 0 <= now - last.refreshed_at < max(1_000_000, 5_000 * last.took_ms):
        return ""
    if last.settings != settings_of(own):
        return "settings"
    # Files of a lake are written by every version for itself: an older one's lack columns.
    if engine.meta("stale", False) or (lake.used() and engine.meta("schema", 0) < len(schema.STEPS)):
        return "stale"
    if last.as_of != as_of_day(own):
        return "day"
    if position > last.position * GROWN:
        return "grown"
    if position > last.position and not 0 <= now - last.refreshed_at <= HOURLY:
        return "hour"
    if last.customers >= LARGE and engine.meta("asked") != last.version:
        return "unanswered"
    return "many" if waiting() > MANY else ""


def waiting() -> int:
    """How many changed records wait for their customers to be judged; over a lake how many customers were judged since
    the last full refresh, once those are too many.
    """
    if not lake.used():
        count: int = engine.read("SELECT count(*) FROM (SELECT DISTINCT record_id FROM pending)")[0][0]
        return count
    found = engine.read(
        "SELECT (SELECT count(*) FROM pending WHERE position > ?), (SELECT count(*) FROM judged)",
        [engine.meta("lived", 0)],
    )
    waits, judged = found[0]
    return int(judged if judged > OVERLAID else waits)


def in_advance(pen: duckdb.DuckDBPyConnection, told: Mapping[str, Any]) -> dict[str, Any]:
    """What a full refresh keeps besides what it `told`: of a business so large that nobody should wait, the answers to
    what pages ask. `pen` has its tables under the names of those in use."""
    return queries.answered(pen, told, queries.warm) if told["refresh"]["customers"] >= LARGE else {"asked": None}
