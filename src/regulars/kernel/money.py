"""Money is integer minor units (分, cents) of one ISO 4217 currency; never a float."""

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from functools import lru_cache

from babel.numbers import format_currency, get_currency_precision

from regulars.kernel.languages import current


@lru_cache
def exponent(currency: str) -> int:
    """Digits after the point: 2 for CNY, 0 for JPY, 3 for KWD."""
    return int(get_currency_precision(currency))


def to_minor(value: Decimal | int | str | float, currency: str) -> int:
    """Major units to minor ones, half to even. A float is taken by its shortest spelling (0.1 is 0.1).

    Raises decimal.InvalidOperation for what isn't a finite number.
    """
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    return int((number * (10 ** exponent(currency))).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def major(minor: int, currency: str) -> Decimal:
    """Minor units as an exact decimal with the currency's digits: 123456 CNY is 1234.56."""
    return Decimal(minor).scaleb(-exponent(currency))


def formatted(minor: int, currency: str, language: str | None = None, *, whole: bool = False) -> str:
    """As people write it in the language: ¥1,234.56 or £1,234.56; `whole` leaves the minor units out."""
    language = language or current()
    locale = "zh_Hans_CN" if language.startswith("zh") else "en_US"
    amount = major(minor, currency)
    if whole:
        pattern = "¤#,##0"
        amount = amount.quantize(Decimal(1), rounding=ROUND_HALF_UP)  # as people round what they read
        written = format_currency(amount, currency, format=pattern, locale=locale, currency_digits=False)
    else:
        written = format_currency(amount, currency, locale=locale)
    return written.replace("CN¥", "¥")  # as charts write it; yen have no minor units, and a business one currency
