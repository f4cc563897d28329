"""What the rows say by the mapping: dates, numbers, currencies, what kind of row each is, or why it can't be taken."""

import json
from dataclasses import dataclass
from typing import Any

import duckdb

from regulars.customers import identities, profiles
from regulars.imports import formats
from regulars.imports.formats import Decided, literal
from regulars.imports.mappings import IDENTITIES, TARGETS, TRAITS, Mapping
from regulars.imports.staging.filling import keep, kept
from regulars.kernel import clock
from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text

FIRST_DAY = 0  # 1970-01-01, µs
_CURRENCIES = {
    "¥": "CNY", "￥": "CNY", "元": "CNY", "人民币": "CNY", "RMB": "CNY", "CN¥": "CNY", "$": "USD", "US$": "USD",
    "美元": "USD", "£": "GBP", "英镑": "GBP", "€": "EUR", "欧元": "EUR", "港币": "HKD", "港元": "HKD", "HK$": "HKD",
    "日元": "JPY", "JP¥": "JPY", "₩": "KRW", "NT$": "TWD", "新台币": "TWD", "S$": "SGD", "A$": "AUD",
}  # fmt: skip
SIGNS = {"£": "GBP", "€": "EUR", "¥": "CNY", "￥": "CNY", "$": "USD", "元": "CNY", "₩": "KRW"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the business says where a file is silent; `region` is the country of phones without a country code, `until`
    the latest moment (µs) that is believed.
    """

    zone: str
    currency: str
    region: str
    until: int


def _column(headers: list[str], mapping: Mapping, target: str) -> str:
    header = mapping.columns.get(target)
    return f"c{headers.index(header)}" if header is not None and header in headers else ""


_IDS = ("order_id", "product_id", *IDENTITIES)
_NUMBERS = tuple(name for name, target in TARGETS.items() if target.values == "number")


def _cells(database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping) -> str:
    """SQL: row and every target as tidy text (NULL where no column is mapped), `written` the whole date.

    Numbers that a spreadsheet or pandas made of ids (17850.0) lose their tail when the whole column is written so.
    """
    parts = ["row"]
    for target in TARGETS:
        if target in ("at", "time"):
            continue
        column = _column(headers, mapping, target)
        if not column:
            parts.append(f"NULL::VARCHAR AS {target}")
        elif target in _IDS and _floats(database, column):
            parts.append(f"regexp_replace(tidy({column}), '\\.0+$', '') AS {target}")
        else:
            parts.append(f"tidy({column}) AS {target}")
    day, time = _column(headers, mapping, "at"), _column(headers, mapping, "time")
    if day and time:
        midnight = r"'[ T]00:00(:00)?(\.0+)?$'"
        parts.append(f"concat_ws(' ', regexp_replace(tidy({day}), {midnight}, ''), tidy({time})) AS dated")
    else:
        parts.append(f"{f'tidy({day})' if day else 'NULL::VARCHAR'} AS dated")
    parts += [
        f"tidy(c{headers.index(name)}) AS p{index}" for index, name in enumerate(mapping.properties) if name in headers
    ]
    return f"SELECT {', '.join(parts)} FROM raw"


def _floats(database: duckdb.DuckDBPyConnection, column: str) -> bool:
    if known := kept(database, f"floats {column}"):
        return known == "yes"
    row = database.execute(
        "SELECT count(*) > 0 AND bool_and(regexp_full_match(x, '\\d+\\.0+')) "
        f"FROM (SELECT tidy({column}) AS x FROM raw) WHERE x IS NOT NULL"
    ).fetchone()
    floats = bool(row and row[0])
    keep(database, f"floats {column}", "yes" if floats else "no")
    return floats


def decide(database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping) -> Decided:
    """How this file writes dates and numbers, from all of its rows, unless the mapping says it. Makes the table of
    dates that others join. What was found out is kept: the same columns again cost nothing.
    """
    asked: list[str] = [mapping.kind, mapping.dates, mapping.decimals]
    asked += [_column(headers, mapping, target) for target in ("at", "time", "birthday", *_NUMBERS)]
    before = json.loads(kept(database, "decided") or "null")
    if before and before[0] == asked:
        return Decided(before[1], before[2], tuple((field, Text(en, zh)) for field, en, zh in before[3]))
    cells = _cells(database, headers, mapping)
    told: list[tuple[str, Text]] = []
    order: formats.Order = "ymd"
    date_target = "birthday" if mapping.kind == "customers" else "dated"
    formats.written(
        database,
        "dates",
        f"SELECT {date_target}, min(row) FROM ({cells}) WHERE {date_target} IS NOT NULL GROUP BY 1",
    )
    if mapping.dates != "auto":
        order = mapping.dates
    else:
        order, doubts = formats.date_order(database, "dates", "birthday" if mapping.kind == "customers" else "at")
        told += doubts
    point: formats.Point = "."
    numbers = [name for name in _NUMBERS if _column(headers, mapping, name)]
    if mapping.decimals != "auto":
        point = mapping.decimals
    elif numbers:
        distinct = " UNION ALL ".join(
            f"SELECT DISTINCT {name} FROM ({cells}) WHERE {name} IS NOT NULL" for name in numbers
        )
        point, doubts = formats.decimal_mark(database, distinct, numbers[-1])
        told += doubts
    said = [(field, text.en, text.zh) for field, text in told]
    keep(database, "decided", json.dumps([asked, order, point, said]))
    return Decided(order, point, tuple(told))


def currencies(database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping) -> dict[str, int]:
    """Currency → rows, as the column says or, without one, the signs at prices do; {} when the file is silent."""
    column = _column(headers, mapping, "currency")
    if column:
        rows = database.execute(
            f"SELECT {_currency(f'tidy({column})')} AS c, count(*) FROM raw WHERE tidy({column}) IS NOT NULL GROUP BY 1"
        ).fetchall()
        return {code: count for code, count in rows if code}
    for target in ("price", "line_total", "order_total"):
        if column := _column(headers, mapping, target):
            signs = "".join(SIGNS)
            rows = database.execute(
                f"SELECT s, count(*) FROM (SELECT regexp_extract({column}, '[{signs}]') AS s FROM raw) "
                "WHERE s <> '' GROUP BY 1"
            ).fetchall()
            if rows:
                return {SIGNS[sign]: count for sign, count in rows}
    return {}


def _currency(x: str) -> str:
    whens = " ".join(f"WHEN {literal(said)} THEN {literal(code)}" for said, code in _CURRENCIES.items())
    return f"CASE upper({x}) {whens} ELSE CASE WHEN regexp_full_match({x}, '[A-Za-z]{{3}}') THEN upper({x}) END END"


def statuses(database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping) -> list[tuple[str, int]]:
    """The statuses in the file, the most frequent first, 100 at most."""
    column = _column(headers, mapping, "status")
    if not column:
        return []
    return database.execute(
        f"SELECT tidy({column}) AS s, count(*) AS n FROM raw WHERE tidy({column}) IS NOT NULL "
        "GROUP BY 1 ORDER BY n DESC, s LIMIT 100"
    ).fetchall()


def parsed(
    database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping, decided: Decided, about: Surroundings,
    where: str = "TRUE",
) -> str:  # fmt: skip
    """SQL: every row understood: `kind` (sale, refund, both, cancel, unpaid) or the `reason` why not."""
    has = {target for target in mapping.columns if _column(headers, mapping, target)}
    zone = mapping.zone or about.zone
    cells = _cells(database, headers, mapping)
    held = [*IDENTITIES, *TRAITS, "order_id", "product_id", "product", "category", "store", "channel", "status"]
    held += ["event", "message_id", "tags", *(f"p{i}" for i, name in enumerate(mapping.properties) if name in headers)]
    digits = ", ".join(f"digits({name}) AS {name}_d, {name} IS NULL AS {name}_none" for name in _NUMBERS)
    numbers = ", ".join(f"{formats.number(f'{name}_d', decided.decimals)} AS {name}, {name}_none" for name in _NUMBERS)
    date_text = "birthday" if mapping.kind == "customers" else "dated"
    birthday = f"coalesce(named, {decided.dates})" if mapping.kind == "customers" else "NULL::TIMESTAMP"
    found_status = (
        f"CASE status {' '.join(f'WHEN {literal(k)} THEN {literal(v)}' for k, v in mapping.statuses.items())} END"
    )
    meaning = found_status if "status" in has and mapping.statuses else "NULL" if "status" in has else "'paid'"
    match mapping.returns.by:
        case "sign":
            returned = (
                "(coalesce(quantity, 1) < 0 OR coalesce(line_total, 0) < 0 "
                "OR (line_total IS NULL AND price IS NULL AND coalesce(order_total, 0) < 0))"
            )
        case "prefix":
            returned = f"coalesce(starts_with(order_id, {literal(mapping.returns.prefix)}), FALSE)"
        case _:
            returned = "FALSE"
    bad = {
        "orders": f"""
            WHEN dated IS NULL THEN 'date_missing' WHEN micros IS NULL THEN 'date_bad'
            WHEN micros < {FIRST_DAY} THEN 'date_early' WHEN micros > {about.until} THEN 'date_late'
            WHEN {"order_id IS NULL" if "order_id" in has else "FALSE"} THEN 'order_missing'
            WHEN NOT quantity_none AND quantity IS NULL THEN 'quantity_bad'
            WHEN NOT price_none AND price IS NULL THEN 'price_bad'
            WHEN NOT line_total_none AND line_total IS NULL OR NOT order_total_none AND order_total IS NULL
                THEN 'amount_bad'
            WHEN {"quantity IS NULL" if "quantity" in has else "FALSE"} THEN 'quantity_missing'
            WHEN price IS NULL AND line_total IS NULL AND order_total IS NULL THEN 'amount_missing'
            WHEN price < 0 THEN 'price_negative'
            WHEN money IS NULL AND currency IS NOT NULL THEN 'currency_bad'
            WHEN status IS NOT NULL AND meaning IS NULL THEN 'status_unknown'
            WHEN quantity = 0 THEN 'quantity_zero'
            WHEN NOT back AND quantity < 0 THEN 'quantity_negative'
            WHEN NOT back AND (line_total < 0 OR order_total < 0) THEN 'amount_negative'""",
        "customers": f"""
            WHEN coalesce({", ".join(IDENTITIES)}) IS NULL THEN 'identity_missing'""",
        "events": f"""
            WHEN dated IS NULL THEN 'date_missing' WHEN micros IS NULL THEN 'date_bad'
            WHEN micros < {FIRST_DAY} THEN 'date_early' WHEN micros > {about.until} THEN 'date_late'
            WHEN coalesce(event, {literal(mapping.event)}) = '' THEN 'event_missing'""",
    }[mapping.kind]
    who = ", ".join(f"coalesce({name}, '')" for name in IDENTITIES)
    nobody = literal(chr(31) * (len(IDENTITIES) - 1))
    return f"""
    SELECT *, CASE {bad} END AS reason,
      CASE coalesce(meaning, 'paid') WHEN 'unpaid' THEN 'unpaid' WHEN 'cancelled' THEN 'cancel'
        WHEN 'refunded' THEN CASE WHEN back THEN 'refund' ELSE 'both' END
        ELSE CASE WHEN back THEN 'refund' ELSE 'sale' END END AS kind
    FROM (SELECT *, {returned} AS back, {meaning} AS meaning,
          nullif(concat_ws(chr(31), {who}), {nobody}) AS who
      FROM (SELECT row, {", ".join(held)}, dated, currency, {_currency("currency")} AS money, {numbers},
          moments.micros, born
        FROM (SELECT row, {", ".join(held)}, {date_text} AS dated, currency, {digits} FROM ({cells}) WHERE {where}) AS c
        LEFT JOIN (SELECT x, {formats.moment(decided.dates, zone)} AS micros, {birthday} AS born FROM dates) AS moments
          ON moments.x = c.dated))"""


def trait_fault(name: str, value: Any, zone: str) -> Text | None:
    """Why this can't be kept as a detail of a customer; None where it can."""
    try:
        profiles.checked(name, value, today=clock.today(zone))
    except Invalid as problem:
        return problem.text
    return None


@dataclass(frozen=True, slots=True)
class Understood:
    """One row of the preview: `values` target → as understood (epoch µs for dates), `reason` when it isn't taken;
    `cells` header → as it stands in the file; `unread` target → why it goes in without this identity or detail.
    """

    row: int
    kind: str
    reason: str
    values: dict[str, Any]
    cells: dict[str, str]
    unread: dict[str, Text]


def preview(
    database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping, about: Surroundings, count: int = 20
) -> tuple[list[Understood], Decided]:
    """The first rows as they will be taken, and what was decided for it."""
    decided = decide(database, headers, mapping)
    last = database.execute("SELECT max(row) FROM (SELECT row FROM raw ORDER BY row LIMIT ?)", [count]).fetchone()
    assert last
    sql = parsed(database, headers, mapping, decided, about, where=f"row <= {int(last[0])}")
    cells = {
        number: dict(zip(headers, ((text or "")[:200] for text in texts), strict=True))
        for number, *texts in database.execute(f"SELECT * FROM raw WHERE row <= {int(last[0])}").fetchall()
    }
    found = database.execute(f"{sql} ORDER BY row")
    names = [part[0] for part in found.description or []]
    answer = []
    for values in found.fetchall():
        row = dict(zip(names, values, strict=True))
        shown = {
            target: row[target] for target in mapping.columns if target in row and target not in ("at", "currency")
        }
        if "at" in mapping.columns:
            shown["at"] = row["micros"]
        if "currency" in mapping.columns:
            shown["currency"] = row["money"]
        if "birthday" in mapping.columns and mapping.kind == "customers":
            shown["birthday"] = row["born"].date().isoformat() if row["born"] else None
        given = [kind for kind in IDENTITIES if row[kind] is not None]
        faults = {kind: identities.fault(kind, row[kind], region=about.region) for kind in given}
        unread = {kind: fault for kind, fault in faults.items() if fault}
        reason = row["reason"] or ""
        if mapping.kind == "customers" and given and len(unread) == len(given):
            reason = reason or "identity_bad"
        if mapping.kind == "customers":
            said = row | {"birthday": row["born"].date() if row["born"] else row["dated"]}
            details = {name: trait_fault(name, said[name], about.zone) for name in TRAITS if name in mapping.columns}
            unread |= {name: fault for name, fault in details.items() if fault}
        answer.append(Understood(row["row"], row["kind"], reason, shown, cells[row["row"]], unread))
    return answer, decided
