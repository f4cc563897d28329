"""How the console writes money, numbers and times: in the language in use, in the business's zone and currency.

The template tags of `{% load regulars %}` and the tables under charts both stand on this.
"""

from contextvars import ContextVar
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal, format_percent

from regulars.accounts.queries import Business
from regulars.accounts.queries import business as read_business
from regulars.customers import spoken
from regulars.kernel import clock, languages
from regulars.kernel import money as amounts
from regulars.kernel.languages import Text

_business: ContextVar[Business | None] = ContextVar("business", default=None)

NOTHING = "–"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STEPS = (
    (60, 1, Text("just now", "刚刚"), Text("in a moment", "即将")),
    (3_600, 60, Text("{n} min ago", "{n} 分钟前"), Text("in {n} min", "{n} 分钟后")),
    (86_400, 3_600, Text("{n} h ago", "{n} 小时前"), Text("in {n} h", "{n} 小时后")),
    (30 * 86_400, 86_400, Text("{n} d ago", "{n} 天前"), Text("in {n} d", "{n} 天后")),
)


def business() -> Business:
    """The settings, read once a request."""
    known = _business.get()
    if known is None:
        known = read_business()
        _business.set(known)
    return known


def forget_business() -> None:
    """At the start of a request, and after the settings have changed in it."""
    _business.set(None)


def locale() -> str:
    return "zh_Hans_CN" if languages.current() == "zh-hans" else "en_US"


def money(minor: int | str | None, *, whole: bool = False) -> str:
    """Minor units of the business's currency: ¥1,234.56. Here as below "" (a template's unknown) is nothing, too."""
    return NOTHING if minor in (None, "") else amounts.formatted(int(minor or 0), business().currency, whole=whole)


def number(value: float | Decimal | int | None, digits: int = 0) -> str:
    """1,234 or, with digits, 1,234.5."""
    if value is None or value == "":
        return NOTHING
    return str(format_decimal(value, format="#,##0" + ("." + "0" * digits if digits else ""), locale=locale()))


def percent(share: float | Decimal | None, digits: int = 1) -> str:
    """A share of 1 as percent: 0.123 is 12.3%."""
    if share is None or share == "":
        return NOTHING
    return str(format_percent(share, format="#,##0" + ("." + "0" * digits if digits else "") + "%", locale=locale()))


def language(tag: str | None) -> str:
    """The name of a language that a person speaks, by its tag."""
    return spoken.named(tag, languages.current()) if tag else NOTHING


def local(at: datetime | int) -> datetime:
    """A moment (aware, or microseconds since 1970) in the business's zone."""
    return (clock.from_micros(at) if isinstance(at, int) else at).astimezone(ZoneInfo(business().zone))


def day(value: date | datetime | int | None) -> str:
    """A date, a moment, or days since 1970: 2026-11-22 in Chinese, 22 Nov 2026 in English."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, datetime):
        value = local(value).date()
    on = clock.day_of(value) if isinstance(value, int) else value
    return on.isoformat() if languages.current() == "zh-hans" else f"{on.day} {_MONTHS[on.month - 1]} {on.year}"


def month(value: int | None) -> str:
    """Months counted as year × 12 + month − 1: 2026-11 or Nov 2026."""
    if value is None:
        return NOTHING
    year, of_year = divmod(value, 12)
    return f"{year}-{of_year + 1:02}" if languages.current() == "zh-hans" else f"{_MONTHS[of_year]} {year}"


def moment(at: datetime | int | None, *, seconds: bool = False) -> str:
    """The exact time in the business's zone."""
    if at is None or at == "":
        return NOTHING
    then = local(at)
    return f"{day(then)} {then:%H:%M:%S}" if seconds else f"{day(then)} {then:%H:%M}"


def ago(at: datetime | int | None) -> str:
    """Relative to now up to 30 days, the date beyond."""
    if at is None or at == "":
        return NOTHING
    then = local(at)
    seconds = (clock.now() - then).total_seconds()
    for below, unit, past, future in _STEPS:
        if abs(seconds) < below:
            return str((past if seconds >= 0 else future).filled(n=int(abs(seconds) // unit)))
    return day(then)
