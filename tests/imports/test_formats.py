"""Dates and numbers are read as people write them, and a column decides together."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.imports import formats
from regulars.kernel import clock

database = duckdb.connect()
formats.prepare(database)


def moments(texts: list[str], zone: str = "UTC") -> tuple[list[datetime | None], list[str]]:
    """Each text as read after the column has decided, and the doubts."""
    rows = ", ".join(f"({formats.literal(text)}, {index})" for index, text in enumerate(texts))
    formats.written(database, "dates", f"SELECT tidy(x), min(r) FROM (VALUES {rows}) AS t(x, r) GROUP BY 1")
    order, told = formats.date_order(database, "dates", "at")
    found = database.execute(
        f"SELECT at FROM (VALUES {rows}) AS t(x, r) LEFT JOIN (SELECT x, {formats.moment(order, zone)} AS at FROM dates) "
        "AS d ON d.x = tidy(t.x) ORDER BY r".replace("at FROM (V", 'd."at" FROM (V').replace(
            "AS at FROM", 'AS "at" FROM'
        )
    ).fetchall()
    return [None if v is None else clock.from_micros(v) for (v,) in found], [text.en for _, text in told]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2011/12/9 8:26", "2011-12-09 08:26:00"),
        ("2011-12-09T08:26:00Z", "2011-12-09 08:26:00"),
        ("2011-12-09T08:26:00.250+08:00", "2011-12-09 00:26:00.250000"),
        ("2011.12.09", "2011-12-09 00:00:00"),
        ("40886.351388888", "2011-12-09 08:26:00"),
        ("40886", "2011-12-09 00:00:00"),
        ("2011年12月9日 8时26分", "2011-12-09 08:26:00"),
        ("2011年12月9日下午3:05", "2011-12-09 15:05:00"),
        ("2011年12月9日 下午3点", "2011-12-09 15:00:00"),
        ("2011年12月9日 上午8点半", "2011-12-09 08:30:00"),
        ("2011年12月9日 下午3点05分20秒", "2011-12-09 15:05:20"),
        ("2011年12月9日 下午15时5分", "2011-12-09 15:05:00"),
        ("2011年12月9日 下午3:15:20", "2011-12-09 15:15:20"),
        ("2011年12月9日 凌晨0点30分", "2011-12-09 00:30:00"),
        ("2011/12/9 晚上9点10分", "2011-12-09 21:10:00"),
        ("2011年12月9日 中午12点", "2011-12-09 12:00:00"),
        ("2011年12月9日 星期五 08:26:30", "2011-12-09 08:26:30"),
        ("２０１１／１２／０９　０８：２６", "2011-12-09 08:26:00"),
        ("20111209", "2011-12-09 00:00:00"),
        ("20111209082600", "2011-12-09 08:26:00"),
        ("1323419160", "2011-12-09 08:26:00"),
        ("1323419160000", "2011-12-09 08:26:00"),
        ("9-Dec-2011", "2011-12-09 00:00:00"),
        ("December 9, 2011", "2011-12-09 00:00:00"),
        ("Fri, 09 Dec 2011 08:26:00 GMT", "2011-12-09 08:26:00"),
        ("31/12/2011 8:26", "2011-12-31 08:26:00"),
        ("12/31/11 3:05 PM", "2011-12-31 15:05:00"),
        ("2011-02-30", None),
        ("soon", None),
        ("12345678901234567890", None),
    ],
)
def test_a_date_is_read_in_any_common_form(text: str, expected: str | None) -> None:
    (found,), _ = moments([text])
    assert (found and str(found.replace(tzinfo=None))) == expected


def test_a_time_without_offset_is_in_the_zone_of_the_business() -> None:
    (found,), _ = moments(["2011-12-09 08:26"], "Asia/Shanghai")
    assert found == datetime(2011, 12, 9, 0, 26, tzinfo=UTC)


def test_one_day_after_the_twelfth_decides_for_the_whole_column() -> None:
    assert moments(["1/2/2011", "3/4/2011", "13/4/2011"])[0][0] == datetime(2011, 2, 1, tzinfo=UTC)
    assert moments(["1/2/2011", "3/4/2011", "4/13/2011"])[0][0] == datetime(2011, 1, 2, tzinfo=UTC)


def test_where_both_orders_fit_time_goes_on_and_the_doubt_is_told() -> None:
    found, told = moments(["11/1/2010", "12/1/2010", "1/2/2011", "2/2/2011"])
    assert found[0] == datetime(2010, 11, 1, tzinfo=UTC)
    assert told == ["Dates like 11/1/2010 can be read in more than one way; they are taken as month/day/year. Change that if it is wrong."]  # fmt: skip
    found, _ = moments(["1/11/2010", "1/12/2010", "2/1/2011", "2/2/2011"])
    assert found[0] == datetime(2010, 11, 1, tzinfo=UTC)


_FORMS = [
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%Y年%m月%d日 %H时%M分%S秒",
    "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
]


@given(
    form=st.sampled_from(_FORMS),
    at=st.lists(
        st.datetimes(datetime(1971, 1, 1), datetime(2037, 1, 1)).map(  # noqa: DTZ001
            lambda d: d.replace(microsecond=0)
        ),
        min_size=1,
        max_size=8,
    ),
)
@settings(max_examples=25, deadline=None)
def test_a_column_of_one_form_reads_back_as_it_was_written(form: str, at: list[datetime]) -> None:
    at = sorted([*at, at[0].replace(day=28) + timedelta(days=0)])
    found, _ = moments([one.strftime(form) for one in at])
    assert found == [one.replace(tzinfo=UTC) for one in at]


def amounts(texts: list[str]) -> tuple[list[Decimal | None], list[str]]:
    rows = ", ".join(f"({formats.literal(text)}, {index})" for index, text in enumerate(texts))
    point, told = formats.decimal_mark(database, f"SELECT tidy(x) FROM (VALUES {rows}) AS t(x, r)", "price")
    found = database.execute(
        f"SELECT {formats.number('d', point)} FROM (SELECT digits(tidy(x)) AS d, r FROM (VALUES {rows}) AS t(x, r)) "
        "ORDER BY r"
    ).fetchall()
    return [value for (value,) in found], [text.en for _, text in told]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,234.56", "1234.56"), ("1.234,56", "1234.56"), ("¥1,234.5", "1234.5"), ("￥１２３．４５", "123.45"),
        ("(12.50)", "-12.5"), ("12.5-", "-12.5"), ("−3", "-3"), ("£2.55", "2.55"), ("USD 5", "5"), ("5 元", "5"),
        ("1.2万", "12000"), ("1e3", "1000"), (".5", "0.5"), ("1'234.50", "1234.5"), ("1 234,50", "1234.5"),
        ("HK$ 20", "20"), ("abc", None), ("-", None), ("5%", None), ("=1+1", None), ("1.2.3", None),
        ("99999999999999999999", None),
    ],
)  # fmt: skip
def test_a_number_is_read_in_any_common_form(text: str, expected: str | None) -> None:
    (found,), _ = amounts([text])
    assert found == (None if expected is None else Decimal(expected))


def test_the_column_decides_about_point_and_comma() -> None:
    assert amounts(["1.234", "5,50"])[0] == [Decimal(1234), Decimal("5.5")]
    assert amounts(["1,234", "5.50"])[0] == [Decimal(1234), Decimal("5.5")]
    assert amounts(["1.234", "2.500"]) == (
        [Decimal("1.234"), Decimal("2.5")],
        ["Numbers like 1.234 can be read in two ways; here “.” is the decimal mark."],
    )


@given(
    values=st.lists(st.decimals(-(10**9), 10**9, places=2, allow_nan=False), min_size=1, max_size=8),
    european=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_a_column_of_numbers_reads_back_as_it_was_written(values: list[Decimal], european: bool) -> None:
    texts = [f"{value:,.2f}" for value in values]
    if european:
        texts = [text.translate(str.maketrans(",.", ".,")) for text in texts]
    assert amounts(texts)[0] == values
