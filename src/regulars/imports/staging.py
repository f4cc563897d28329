"""Rows of text in a DuckDB file of the import's own, and what they become: orders, refunds, customers, events, and
rows that can't be taken with the reason. Everything is SQL over columns and spills to disk: memory is bounded.

Nothing of the product's own data is read or written here.
"""

import csv
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from regulars.imports import formats, reading
from regulars.imports.formats import Decided, literal
from regulars.imports.mappings import IDENTITIES, TARGETS, TRAITS, Mapping
from regulars.kernel.errors import Conflict, Invalid, no_room
from regulars.kernel.languages import Text

FIRST_DAY = 0  # 1970-01-01, µs
REASONS: dict[str, Text] = {
    "cells": Text("The row has another number of cells than the header.", "该行的单元格数与标题行不一致。"),
    "open_quote": Text("A quotation mark in this row isn't closed.", "该行有未配对的引号。"),
    "nul": Text(
        "The row contains NUL bytes. Remove them, or export the file again.",
        "该行包含 NUL 字节。请将其删除，或重新导出文件。",
    ),
    "date_missing": Text("There is no date.", "缺少日期。"),
    "date_bad": Text("The date can't be read.", "无法识别日期。"),
    "date_early": Text("The date is before 1970.", "日期早于 1970 年。"),
    "date_late": Text("The date is in the future.", "日期在未来。"),
    "order_missing": Text("There is no order number.", "缺少订单号。"),
    "quantity_missing": Text("There is no quantity.", "缺少数量。"),
    "quantity_bad": Text("The quantity isn't a number.", "数量不是有效数字。"),
    "quantity_zero": Text("The quantity is zero.", "数量为零。"),
    "quantity_negative": Text(
        "The quantity is negative, but the order isn't a return.", "数量为负，但订单不是退货单。"
    ),
    "price_bad": Text("The price isn't a number.", "单价不是有效数字。"),
    "price_negative": Text("The price is negative.", "单价为负。"),
    "amount_bad": Text("The amount isn't a number.", "金额不是有效数字。"),
    "amount_missing": Text("There is no price and no amount.", "缺少单价和金额。"),
    "amount_negative": Text("The amount is negative, but the order isn't a return.", "金额为负，但订单不是退货单。"),
    "currency_bad": Text("The currency isn't known.", "无法识别币种。"),
    "status_unknown": Text("The mapping doesn't say what this status means.", "映射中未说明该状态的含义。"),
    "customer_differs": Text("The order belongs to another customer by its first line.", "与该订单首行的客户不一致。"),
    "changed": Text(
        "This order was imported before with other content; it stays as it was.",
        "该订单此前已导入且内容不同，保留原有内容。",
    ),
    "identity_missing": Text("Nothing tells which customer this is.", "没有可识别客户的信息。"),
    "identity_bad": Text("The customer's phone, e-mail or number can't be right.", "客户的手机号、邮箱或编号无效。"),
    "partly": Text("Taken in, but without a part of it:", "已导入，但以下内容除外："),
    "event_missing": Text("The event has no name.", "缺少事件名称。"),
    "event_bad": Text("The event doesn't fit the catalogue.", "事件不符合事件目录的要求。"),
}
_CURRENCIES = {
    "¥": "CNY", "￥": "CNY", "元": "CNY", "人民币": "CNY", "RMB": "CNY", "CN¥": "CNY", "$": "USD", "US$": "USD",
    "美元": "USD", "£": "GBP", "英镑": "GBP", "€": "EUR", "欧元": "EUR", "港币": "HKD", "港元": "HKD", "HK$": "HKD",
    "日元": "JPY", "JP¥": "JPY", "₩": "KRW", "NT$": "TWD", "新台币": "TWD", "S$": "SGD", "A$": "AUD",
}  # fmt: skip
SIGNS = {"£": "GBP", "€": "EUR", "¥": "CNY", "￥": "CNY", "$": "USD", "元": "CNY", "₩": "KRW"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the business says where a file is silent; `until` is the latest moment (µs) that is believed."""

    zone: str
    currency: str
    until: int


def _connected(path: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        str(path),
        config={
            "memory_limit": "700MB",
            "threads": 2,
            "temp_directory": str(path.with_suffix(".spill")),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "preserve_insertion_order": "false",
        },
    )


@contextmanager
def opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The import's own file, made when missing. Who shows it may have it open for a moment in another process."""
    for _ in range(100):
        try:
            database = _connected(path)
            break
        except duckdb.IOException as error:
            if full := no_room(error):
                raise full from None
            threading.Event().wait(0.1)
    else:
        raise Conflict(
            "import_in_use",
            Text(
                "This import is open in another process. Wait until it has ended.",
                "该导入正由另一个进程处理，请等待其结束。",
            ),
        )
    try:
        formats.prepare(database)
        yield database
    finally:
        database.close()


# --- reading in


def load(
    database: duckdb.DuckDBPyConnection, path: Path, layout: reading.Layout, seen: Callable[[int], None]
) -> tuple[int, int]:
    """Bring the file's rows in as text; (rows, rows that can't be read). Once complete, it isn't done again."""
    names = [f"c{index}" for index in range(len(layout.headers))]
    if not loaded(database):
        database.execute("DROP TABLE IF EXISTS raw; DROP TABLE IF EXISTS faults")
        database.execute(f"CREATE TABLE raw (row BIGINT, {', '.join(f'{name} VARCHAR' for name in names)})")
        database.execute("CREATE TABLE faults (row BIGINT, reason VARCHAR, said VARCHAR)")
        for batch in reading.batches(path, layout, seen):
            try:
                arrays = [pa.array(column, pa.string()) for column in batch.columns]
            except UnicodeEncodeError:  # halves of surrogate pairs, from UTF-16 or a spreadsheet
                arrays = [
                    pa.array([None if v is None else v.encode("utf-8", "replace").decode() for v in c], pa.string())
                    for c in batch.columns
                ]
            rows = pa.table([pa.array(batch.numbers, pa.int64()), *arrays], names=["row", *names])
            database.register("coming", rows)
            database.execute("INSERT INTO raw SELECT * FROM coming")
            database.unregister("coming")
            if batch.faults:
                said = [(f.row, f.reason, f.text.encode("utf-8", "replace").decode()) for f in batch.faults]
                database.executemany("INSERT INTO faults VALUES (?, ?, ?)", said)
        keep(database, "loaded", "yes")
    counts = database.execute("SELECT (SELECT count(*) FROM raw), (SELECT count(*) FROM faults)").fetchone()
    assert counts
    if not counts[0]:
        raise Invalid(
            "empty", Text("The file has no rows that can be read.", "文件中没有可读取的数据行。"), field="file"
        )
    return counts[0], counts[1]


def loaded(database: duckdb.DuckDBPyConnection) -> bool:
    """Whether all rows of the file are here."""
    database.execute("CREATE TABLE IF NOT EXISTS place (what VARCHAR PRIMARY KEY, value VARCHAR)")
    return kept(database, "loaded") == "yes"


def kept(database: duckdb.DuckDBPyConnection, what: str) -> str:
    """What was found out about the file and kept under this name; "" if nothing was."""
    row = database.execute("SELECT value FROM place WHERE what = ?", [what]).fetchone()
    return row[0] if row else ""


def keep(database: duckdb.DuckDBPyConnection, what: str, value: str) -> None:
    database.execute("INSERT OR REPLACE INTO place VALUES (?, ?)", [what, value])


# --- understanding


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


def _parsed(
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
            WHEN coalesce({", ".join(IDENTITIES)}) IS NULL THEN 'identity_missing'
            WHEN dated IS NOT NULL AND born IS NULL THEN 'date_bad'""",
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


@dataclass(frozen=True, slots=True)
class Understood:
    """One row of the preview: `values` target → as understood (epoch µs for dates), `reason` when it isn't taken;
    `cells` header → as it stands in the file.
    """

    row: int
    kind: str
    reason: str
    values: dict[str, Any]
    cells: dict[str, str]


def preview(
    database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping, about: Surroundings, count: int = 20
) -> tuple[list[Understood], Decided]:
    """The first rows as they will be taken, and what was decided for it."""
    decided = decide(database, headers, mapping)
    last = database.execute("SELECT max(row) FROM (SELECT row FROM raw ORDER BY row LIMIT ?)", [count]).fetchone()
    assert last
    sql = _parsed(database, headers, mapping, decided, about, where=f"row <= {int(last[0])}")
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
        answer.append(Understood(row["row"], row["kind"], row["reason"] or "", shown, cells[row["row"]]))
    return answer, decided


# --- arranging


def arrange(
    database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping, about: Surroundings
) -> tuple[int, Decided]:
    """Make of the rows what is to be taken in, numbered by `place` from 1; how many there are. The same mapping again
    finds the work done.
    """
    decided = decide(database, headers, mapping)
    mark = json.dumps([mapping.model_dump(mode="json"), about.zone, about.currency, decided.dates, decided.decimals])
    if kept(database, "arranged") != mark:
        database.execute("BEGIN")
        sql = _parsed(database, headers, mapping, decided, about)
        database.execute(f"CREATE OR REPLACE TABLE parsed AS {sql}")
        database.execute(
            "CREATE OR REPLACE TABLE rejects AS SELECT row, reason, '' AS en, '' AS zh FROM parsed "
            "WHERE reason IS NOT NULL UNION ALL SELECT row, reason, '', '' FROM faults"
        )
        database.execute("CREATE UNIQUE INDEX rejected ON rejects (row)")
        if mapping.kind == "orders":
            _arrange_orders(database, mapping, about)
        else:  # `copy` counts rows of the same content, so that each has a name of its own
            content = "md5(concat_ws(chr(31), micros, who, event, COLUMNS('^(p\\d+|store|channel)$')))"
            database.execute(
                "CREATE OR REPLACE TABLE arranged AS SELECT row_number() OVER (ORDER BY row) AS place, *, "
                "row_number() OVER (PARTITION BY content ORDER BY row) AS copy "
                f"FROM (SELECT *, {content} AS content FROM parsed WHERE reason IS NULL) ORDER BY row"
            )
        keep(database, "arranged", mark)
        database.execute("COMMIT")
    table = "orders" if mapping.kind == "orders" else "arranged"
    row = database.execute(f"SELECT coalesce(max(place), 0) FROM {table}").fetchone()
    assert row
    return row[0], decided


def _arrange_orders(database: duckdb.DuckDBPyConnection, mapping: Mapping, about: Surroundings) -> None:
    """Tables `orders` (one row per order and kind: sale, refund, cancel) and `lines`, both by place.

    Lines of one order need not stand together. Without order numbers every row is an order of its own, named by its
    content (and counted when the same content comes again), so that the file can come twice.
    """
    zone = literal(mapping.zone or about.zone)
    number, made = "order_id", "TEMP VIEW"  # a table only where rows have to be counted
    if "order_id" not in mapping.columns:
        made = "TEMP TABLE"
        content = (
            "md5(concat_ws(chr(31), micros, who, product_id, product, quantity, price, line_total, order_total, store))"
        )
        number = f"'r' || left({content}, 12) || '-' || row_number() OVER (PARTITION BY {content}, kind ORDER BY row)"
    day = f"strftime(timezone({zone}, make_timestamptz(micros)), '%Y-%m-%d')" if mapping.repeats == "daily" else "''"
    has_lines = bool(mapping.columns.keys() & {"quantity", "price", "line_total", "product_id", "product"})
    database.execute(
        f"""CREATE OR REPLACE {made} good AS SELECT row, kind, {number} AS number, coalesce(store, '') AS shop,
        {day} AS day, micros, who, {", ".join((*IDENTITIES, *TRAITS))}, product_id, product, category,
        channel, money, status,
        abs(coalesce(quantity, 1)) AS quantity, abs(price) AS price, abs(line_total) AS line_total,
        abs(order_total) AS order_total
        FROM parsed WHERE reason IS NULL"""
    )
    key = "number, shop, day"
    database.execute(
        f"""CREATE OR REPLACE TEMP TABLE strangers AS SELECT row FROM good JOIN (
          SELECT {key}, arg_min(who, row) AS first_who FROM good WHERE who IS NOT NULL GROUP BY ALL
          HAVING count(DISTINCT who) > 1) USING ({key}) WHERE who <> first_who"""
    )
    if database.execute("SELECT row FROM strangers LIMIT 1").fetchone():
        database.execute("INSERT INTO rejects SELECT row, 'customer_differs', '', '' FROM strangers")
        database.execute("UPDATE parsed SET reason = 'customer_differs' WHERE row IN (SELECT row FROM strangers)")
        if made == "TEMP TABLE":
            database.execute("DELETE FROM good WHERE row IN (SELECT row FROM strangers)")
    database.execute(
        """CREATE OR REPLACE TEMP VIEW split AS
        SELECT * REPLACE ('sale' AS kind) FROM good WHERE kind IN ('sale', 'both')
        UNION ALL SELECT * REPLACE ('refund' AS kind) FROM good WHERE kind IN ('refund', 'both')
        UNION ALL SELECT * FROM good WHERE kind = 'cancel'"""
    )
    first = ", ".join(
        f"arg_min({name}, row) FILTER ({name} IS NOT NULL) AS {name}"
        if {"money": "currency"}.get(name, name) in mapping.columns
        else f"NULL AS {name}"
        for name in (*IDENTITIES, *TRAITS, "channel", "money", "status", "order_total")
    )
    database.execute(
        f"""CREATE OR REPLACE TABLE orders AS
        SELECT row_number() OVER (ORDER BY micros, first_row, kind <> 'sale') AS place, * FROM (
          SELECT kind, {key}, min(micros) AS micros, min(row) AS first_row, count(*) AS rows, sum(quantity) AS pieces,
          count(*) FILTER (price IS NULL AND line_total IS NULL) AS bare, {first}
          FROM split GROUP BY kind, {key}) ORDER BY place"""
    )
    # Where only the order's amount is known, it is spread over the lines by quantity.
    amount = (
        "coalesce(s.line_total, s.price * s.quantity, "
        "CASE WHEN o.bare = o.rows THEN round(o.order_total * s.quantity / o.pieces, 4) END)"
    )
    database.execute(
        f"""CREATE OR REPLACE TABLE lines AS SELECT o.place, s.row, s.product_id, s.product, s.category,
        CAST(s.quantity AS DOUBLE) AS quantity, CAST(round({amount} * 10000) AS BIGINT) AS amount,
        CAST(CASE WHEN s.price IS NOT NULL
          AND (s.line_total IS NULL OR abs(s.price * s.quantity - s.line_total) < 0.005) THEN s.price
          ELSE round(CAST({amount} AS DOUBLE) / CAST(s.quantity AS DOUBLE), 6) END AS DOUBLE) AS price
        FROM split s JOIN orders o USING (kind, {key}) WHERE {has_lines} ORDER BY o.place, s.row"""
    )
    database.execute(f"DROP VIEW split; DROP {made.removeprefix('TEMP ')} good")


def taken(database: duckdb.DuckDBPyConnection, after: int, count: int) -> list[dict[str, Any]]:
    """The next orders after this place, each with its `lines` in the file's order: product_id, product, category,
    quantity, price (major units), amount (ten-thousandths), row.
    """
    found = database.execute(
        "SELECT * FROM orders WHERE place > ? AND place <= ? ORDER BY place", [after, after + count]
    )
    names = [part[0] for part in found.description or []]
    orders = {values[0]: dict(zip(names, values, strict=True)) | {"lines": []} for values in found.fetchall()}
    for place, *line in database.execute(
        "SELECT place, product_id, product, category, quantity, price, amount, row FROM lines "
        "WHERE place > ? AND place <= ? ORDER BY place, row",
        [after, after + count],
    ).fetchall():
        orders[place]["lines"].append(line)
    return list(orders.values())


def rows(database: duckdb.DuckDBPyConnection, after: int, count: int) -> list[dict[str, Any]]:
    """The next rows of customers or events after this place."""
    found = database.execute(
        "SELECT * FROM arranged WHERE place > ? AND place <= ? ORDER BY place", [after, after + count]
    )
    names = [part[0] for part in found.description or []]
    return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


def reject(database: duckdb.DuckDBPyConnection, found: list[tuple[int, str, Text | None]]) -> None:
    """Rows that could only be judged while they were taken in: (row, reason, what exactly)."""
    if found:
        database.executemany(
            "INSERT OR REPLACE INTO rejects VALUES (?, ?, ?, ?)",
            [(row, reason, text.en if text else "", text.zh if text else "") for row, reason, text in found],
        )


def reject_order(database: duckdb.DuckDBPyConnection, places: list[int], reason: str) -> None:
    """All lines of these orders (their first row where an order has no lines)."""
    if places:
        database.execute(
            "INSERT OR REPLACE INTO rejects SELECT DISTINCT row, ?, '', '' FROM ("
            "SELECT row FROM lines WHERE place IN (SELECT unnest(?)) "
            "UNION SELECT first_row FROM orders WHERE place IN (SELECT unnest(?)))",
            [reason, places, places],
        )


def tally(database: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """{"rows": all, "kinds": {kind: rows taken}, "rejected": {reason: rows}, "partly": rows} of what was arranged."""
    found = database.execute("SELECT reason, count(*) FROM rejects GROUP BY 1 ORDER BY 2 DESC, 1").fetchall()
    rejected = {reason: count for reason, count in found if reason != "partly"}
    kinds = dict(
        database.execute(
            "SELECT kind, count(*) FROM parsed WHERE row NOT IN (SELECT row FROM rejects WHERE reason <> 'partly') "
            "GROUP BY 1 ORDER BY 1"
        ).fetchall()
    )
    rows = sum(rejected.values()) + sum(kinds.values())
    return {"rows": rows, "kinds": kinds, "rejected": rejected, "partly": dict(found).get("partly", 0)}


_PLAIN_NUMBER = re.compile(r"^[+-]?[\d.,]+$")


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe before what could be one. Numbers stay."""
    if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠") and not _PLAIN_NUMBER.match(text):
        return "'" + text
    return text


def write_rejects(database: duckdb.DuckDBPyConnection, headers: list[str], path: Path) -> int:
    """The rows that were not taken, as a CSV: the columns of the file, then row, reason, 原因. How many there are.

    A row that couldn't be cut into cells stands whole in the first column.
    """
    cells = ", ".join(f"r.c{index}" for index in range(len(headers)))
    found = database.execute(
        f"SELECT j.row, j.reason, j.en, j.zh, f.said, {cells} FROM rejects j LEFT JOIN raw r ON r.row = j.row "
        "LEFT JOIN faults f ON f.row = j.row AND r.row IS NULL ORDER BY j.row"
    )
    count = 0
    half = path.with_suffix(".half")
    with half.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(safe_cell(header) for header in headers), "row", "reason", "原因"])
        while batch := found.fetchmany(5000):
            for row, reason, en, zh, said, *values in batch:
                text = REASONS[reason]
                told = (f"{text.en} {en}".strip(), text.zh + zh)
                shown = [said, *values[1:]] if said is not None else values
                writer.writerow([*(safe_cell(value or "") for value in shown), row, *map(safe_cell, told)])
                count += 1
    half.replace(path)
    return count
