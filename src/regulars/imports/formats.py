"""How numbers and dates are written, and the SQL (DuckDB macros) that reads them.

A way of writing is decided over a whole column, never value by value: 3/4/2024 is only told by its neighbours.
What a column means isn't decided here.
"""

from dataclasses import dataclass
from typing import Literal

import duckdb

from regulars.kernel.languages import Text

Order = Literal["ymd", "dmy", "mdy"]
Point = Literal[".", ","]

# The number behind a text is in a column's way of writing: `us` has a decimal point, `eu` a decimal comma. Currency
# marks, spaces and full-width forms mean nothing; brackets and a minus behind are negative; 1.2万 is 12,000.
_MACROS = r"""
CREATE OR REPLACE TEMP MACRO tidy(x) AS
  CASE WHEN trim(x, E' \t\r\n' || chr(12288) || chr(160) || chr(65279))
    IN ('', 'NULL', 'null', 'NaN', 'nan', 'None', 'N/A', '#N/A', '\N')
  THEN NULL ELSE trim(x, E' \t\r\n' || chr(12288) || chr(160) || chr(65279)) END;
CREATE OR REPLACE TEMP MACRO half(x) AS
  translate(x, '０１２３４５６７８９．，－＋（）／：−\u3000\u00a0', '0123456789.,-+()/:-  ');
CREATE OR REPLACE TEMP MACRO digits(x) AS
  regexp_replace(regexp_replace(regexp_replace(
    half(x), '[\s\x{a0}¥￥$£€₩₽₹元円'']|^[A-Za-z]{2,3}|[A-Za-z]{3}$', '', 'g'),
    '^\((.+)\)$', '-\1'), '^([^-].*)-$', '-\1');
CREATE OR REPLACE TEMP MACRO us_plain(d) AS
  CASE WHEN regexp_full_match(d,
    '[+-]?([1-9]\d{0,2}(,\d{3})+|[1-9]\d?(,\d{2})+,\d{3}|\d*)(\.\d*)?([eE][+-]?\d{1,2})?万?')
  THEN replace(replace(d, ',', ''), '万', 'e4') END;
CREATE OR REPLACE TEMP MACRO eu_plain(d) AS
  CASE WHEN regexp_full_match(d, '[+-]?([1-9]\d{0,2}(\.\d{3})+|\d*)(,\d*)?万?')
  THEN replace(replace(replace(d, '.', ''), ',', '.'), '万', 'e4') END;
CREATE OR REPLACE TEMP MACRO western(x) AS
  CASE WHEN regexp_matches(x, '[年月日号时点分秒上下早晚凌午星周]') THEN
    trim(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
      replace(x, '点半', ':30'),
      '(星期|周)[一二三四五六日天]|上午|下午|早上|晚上|凌晨|中午', ' ', 'g'), '[年月]', '-', 'g'),
      '[日号]', ' ', 'g'), '[时点分]', ':', 'g'), '秒|[:-]\s*$|\s+:', ' ', 'g'), ' :-')
    || CASE WHEN regexp_matches(x, '[^\d:时点分](1[3-9]|2[0-3]|00?)\s*[:时点]') THEN ''
      WHEN regexp_matches(x, '下午|晚上') THEN ' PM'
      WHEN regexp_matches(x, '上午|早上|凌晨') THEN ' AM' ELSE '' END
  ELSE x END;
CREATE OR REPLACE TEMP MACRO stamp(w) AS
  regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
    w, '\s+', ' ', 'g'), '^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +', '', 'i'),
    '(\d)T(\d)', '\1 \2'), '(:\d{2}(?:\.\d+)?) ?(Z|UTC|GMT|[+-]\d{2}:?\d{2})$', '\1'),
    '^(\d{1,4})[/.\-](\d{1,2})[/.\-](\d{1,4})', '\1-\2-\3');
CREATE OR REPLACE TEMP MACRO zone_sign(w) AS
  regexp_extract(w, ':\d{2}(?:\.\d+)? ?(Z|UTC|GMT|[+-]\d{2}:?\d{2})$', 1);
CREATE OR REPLACE TEMP MACRO by_name(s) AS
  try_strptime(regexp_replace(trim(regexp_replace(s, '[-,./ ]+', ' ', 'g')), '(\d)(st|nd|rd|th)\b', '\1', 'i'), [
    '%d %b %Y %I:%M:%S %p', '%d %b %Y %I:%M %p', '%d %b %Y %H:%M:%S', '%d %b %Y %H:%M', '%d %b %y', '%d %b %Y',
    '%d %B %Y %H:%M:%S', '%d %B %Y %H:%M', '%d %B %Y',
    '%b %d %Y %I:%M:%S %p', '%b %d %Y %I:%M %p', '%b %d %Y %H:%M:%S', '%b %d %Y %H:%M', '%b %d %Y',
    '%B %d %Y %I:%M %p', '%B %d %Y %H:%M:%S', '%B %d %Y %H:%M', '%B %d %Y', '%Y %b %d %H:%M:%S', '%Y %b %d']);
CREATE OR REPLACE TEMP MACRO by_digits(s) AS CASE
  WHEN regexp_full_match(s, '\d{1,5}(\.\d+)?') AND TRY_CAST(s AS DOUBLE) BETWEEN 10000 AND 80000 THEN
    TIMESTAMP '1899-12-30' + to_microseconds(TRY_CAST(round(TRY_CAST(s AS DOUBLE) * 86400) AS BIGINT) * 1000000)
  WHEN regexp_full_match(s, '\d{8}') THEN try_strptime(s, '%Y%m%d')
  WHEN regexp_full_match(s, '\d{8} ?\d{6}') THEN try_strptime(replace(s, ' ', ''), '%Y%m%d%H%M%S')
  WHEN regexp_full_match(s, '\d{12}') THEN try_strptime(s, '%Y%m%d%H%M')
  WHEN regexp_full_match(s, '\d{8} \d{1,2}:\d{2}(:\d{2})?') THEN
    try_strptime(s, ['%Y%m%d %H:%M:%S', '%Y%m%d %H:%M']) END;
CREATE OR REPLACE TEMP MACRO epoch_stamp(s) AS CASE
  WHEN regexp_full_match(s, '\d{9,10}(\.\d+)?') THEN TRY_CAST(round(TRY_CAST(s AS DOUBLE) * 1000000) AS BIGINT)
  WHEN regexp_full_match(s, '1\d{12}') THEN TRY_CAST(s AS BIGINT) * 1000
  WHEN regexp_full_match(s, '1\d{15}') THEN TRY_CAST(s AS BIGINT)
  WHEN regexp_full_match(s, '1\d{18}') THEN TRY_CAST(s AS BIGINT) // 1000 END;
"""

_TIMES = (" %I:%M:%S %p", " %I:%M %p", " %I %p", " %H:%M:%S.%f", " %H:%M:%S", " %H:%M", " %H", "")
_DATES: dict[Order, tuple[str, ...]] = {
    "ymd": ("%Y-%m-%d", "%y-%m-%d"),
    "dmy": ("%d-%m-%y", "%d-%m-%Y"),
    "mdy": ("%m-%d-%y", "%m-%d-%Y"),
}


def prepare(database: duckdb.DuckDBPyConnection) -> None:
    """Teach the connection how values are read. No macro is put into another: DuckDB would write them out at length."""
    for order, dates in _DATES.items():
        formats = ", ".join(f"'{date}{time}'" for date in dates for time in _TIMES)
        shape = r"^\d{4}-|^\d{2}-\d{1,2}-\d{1,2}(\D|$)" if order == "ymd" else r"^\d{1,2}-\d{1,2}-(\d{4}|\d{2})(\D|$)"
        database.execute(
            f"CREATE OR REPLACE TEMP MACRO by_{order}(s) AS CASE WHEN regexp_matches(s, '{shape}') "
            f"THEN try_strptime(s, [{formats}]) END"
        )
    database.execute(_MACROS.replace(r"\u3000", "\u3000").replace(r"\u00a0", "\u00a0"))


def literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def number(digits: str, point: Point) -> str:
    """SQL: the DECIMAL(18,6) in a column of `digits(…)`, NULL where there is none."""
    return f"TRY_CAST({'us' if point == '.' else 'eu'}_plain({digits}) AS DECIMAL(18, 6))"


def written(database: duckdb.DuckDBPyConnection, table: str, distinct: str) -> None:
    """Make a table of every way in which a date stands in the file: x (the tidy text), at_row (where it stands
    first), its readings ymd, dmy, mdy (TIMESTAMP), named (needs no order), instant (epoch µs), offset in minutes.

    `distinct` is SQL that gives (x, at_row).
    """
    database.execute(
        f"CREATE OR REPLACE TABLE {table} AS "
        "SELECT x, at_row, named, by_ymd(s) AS ymd, by_dmy(s) AS dmy, by_mdy(s) AS mdy, instant, "
        "regexp_matches(s, '^\\d{1,2}-') AS short, "
        "CASE WHEN z IN ('Z', 'UTC', 'GMT') THEN 0 "
        "ELSE TRY_CAST(z[1] || '1' AS INTEGER) * (TRY_CAST(z[2:3] AS INTEGER) * 60 + TRY_CAST(right(z, 2) AS INTEGER)) "
        "END AS away FROM ("
        "SELECT x, at_row, s, z, epoch_stamp(s) AS instant, CASE "
        "WHEN regexp_matches(s, '[A-Za-z]{3}') THEN by_name(s) "
        "WHEN regexp_full_match(s, '[\\d. ]+|\\d{8} [\\d:]+') THEN by_digits(s) END AS named FROM ("
        "SELECT x, at_row, stamp(w) AS s, zone_sign(w) AS z FROM ("
        "SELECT x, at_row, western(h) AS w FROM ("
        f"SELECT x, at_row, half(x) AS h FROM ({distinct}) AS d(x, at_row)))))"
    )


def moment(order: Order, zone: str) -> str:
    """SQL over `written`: epoch µs (BIGINT), with the date's own offset, else in this time zone."""
    stamp = f"coalesce(named, {order})"
    return (
        f"coalesce(instant, CASE WHEN away IS NOT NULL THEN epoch_us({stamp}) - 60000000::BIGINT * away "
        f"ELSE epoch_us(timezone({literal(zone)}, {stamp})) END)"
    )


@dataclass(frozen=True, slots=True)
class Decided:
    """How a file writes; `told` are the doubts its owner should know."""

    dates: Order = "ymd"
    decimals: Point = "."
    told: tuple[tuple[str, Text], ...] = ()


def date_order(database: duckdb.DuckDBPyConnection, table: str, field: str) -> tuple[Order, list[tuple[str, Text]]]:
    """Day or month first, from all dates of a table made by `written`, and the doubt there is.

    Where both readings fit every value, the one under which the file's rows are more nearly in order of time wins.
    """
    counts = database.execute(
        "SELECT count(ymd), count(dmy), count(mdy), count(*) FILTER (short), arg_min(x, at_row) FILTER (short) "
        f"FROM {table}"
    ).fetchone()
    assert counts
    if not counts[3]:
        return "ymd", []
    fits: dict[Order, int] = {"ymd": counts[0], "dmy": counts[1], "mdy": counts[2]}
    best = max(fits.values())
    orders: list[Order] = [order for order in ("dmy", "mdy", "ymd") if fits[order] == best]
    if len(orders) == 1:
        return orders[0], []
    said = database.execute(
        "SELECT " + ", ".join(
            f"(SELECT count(*) FILTER (v < before) FROM (SELECT {order} AS v, lag({order}) OVER (ORDER BY at_row) "
            f"AS before FROM {table})), epoch(max({order}) - min({order}))" for order in orders
        ) + f" FROM {table}"
    ).fetchone()  # fmt: skip
    assert said
    order = min(range(len(orders)), key=lambda index: (said[2 * index], said[2 * index + 1] or 0))
    names = {
        "dmy": Text("day/month/year", "日/月/年"), "mdy": Text("month/day/year", "月/日/年"),
        "ymd": Text("year/month/day", "年/月/日"),
    }  # fmt: skip
    text = Text(
        "Dates like {example} can be read in more than one way; they are taken as {order}. Change that if it is wrong.",
        "像 {example} 这样的日期有多种读法，目前按“{order}”读取；如不正确请修改。",
    ).filled(example=counts[4], order=names[orders[order]])
    return orders[order], [(field, text)]


def decimal_mark(
    database: duckdb.DuckDBPyConnection, distinct: str, field: str
) -> tuple[Point, list[tuple[str, Text]]]:
    """Point or comma before the decimals, from all numbers of a file. `distinct` is SQL that gives (tidy text)."""
    us, eu = number("d", "."), number("d", ",")
    row = database.execute(
        "SELECT count(u), count(e), count(*) FILTER (u <> e), min(x) FILTER (u <> e), "
        "count(*) FILTER (u IS NULL AND e IS NOT NULL), count(*) FILTER (e IS NULL AND u IS NOT NULL) "
        f"FROM (SELECT x, {us} AS u, {eu} AS e FROM (SELECT x, digits(x) AS d FROM ({distinct}) AS d(x)))"
    ).fetchone()
    assert row
    fits_us, fits_eu, differ, example, only_eu, only_us = row
    if fits_eu > fits_us:
        return ",", []
    if differ and not only_us and not only_eu:
        text = Text(
            "Numbers like {example} can be read in two ways; here {mark} is the decimal mark.",
            "像 {example} 这样的数字有两种读法，目前以 {mark} 为小数点。",
        ).filled(example=example, mark="“.”")
        return ".", [(field, text)]
    return ".", []
