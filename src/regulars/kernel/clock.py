"""The only place where time is read, so that tests and replays can move it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_frozen: ContextVar[datetime | None] = ContextVar("frozen", default=None)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """This moment, aware, in UTC."""
    return _frozen.get() or datetime.now(UTC)


def micros(at: datetime | None = None) -> int:
    """Microseconds since 1970 of an aware moment (now when none is given), exact."""
    delta = (at or now()) - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_micros(value: int) -> datetime:
    """The aware UTC moment of so many microseconds since 1970."""
    return EPOCH + timedelta(microseconds=value)


def today(zone: str) -> date:
    """The calendar day that a business in this zone has now."""
    return now().astimezone(ZoneInfo(zone)).date()


def day_number(day: date) -> int:
    """Days since 1970-01-01; the warehouse counts days so."""
    return day.toordinal() - 719_163


def day_of(number: int) -> date:
    """The date of so many days since 1970-01-01."""
    return date.fromordinal(number + 719_163)


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Let `now` say `at` in this context."""
    token = _frozen.set(at)
    try:
        yield
    finally:
        _frozen.reset(token)
