from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.kernel import money


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [("12.34", "CNY", 1234), (0.1, "CNY", 10), ("0.125", "USD", 12), ("0.135", "USD", 14), (5, "JPY", 5), ("1.2345", "KWD", 1234)],
)  # fmt: skip
def test_major_units_become_minor_ones_half_to_even(value: object, currency: str, minor: int) -> None:
    assert money.to_minor(value, currency) == minor  # type: ignore[arg-type]


@given(st.integers(-(10**15), 10**15), st.sampled_from(["CNY", "JPY", "KWD"]))
def test_there_and_back_is_the_same(minor: int, currency: str) -> None:
    assert money.to_minor(money.major(minor, currency), currency) == minor


def test_it_is_written_as_people_of_the_language_write_it() -> None:
    assert money.formatted(123456, "CNY", "zh-hans") == "¥1,234.56"
    assert money.formatted(123456, "CNY", "en") == "¥1,234.56"
    assert money.formatted(-500, "GBP", "en") == "-£5.00"
    assert money.formatted(123456, "CNY", "zh-hans", whole=True) == "¥1,235"
    assert money.major(1, "CNY") == Decimal("0.01")


def test_whole_amounts_are_rounded_half_up_as_people_do() -> None:
    assert [money.formatted(minor, "GBP", "en", whole=True) for minor in (1250, 1350, 1249, -1250)] == [
        "£13",
        "£14",
        "£12",
        "-£13",
    ]
