"""What comes again in a file of orders: rows word for word, numbers of several customers or stores, amounts of orders
with several rows; and what that means for the sums. Nothing is decided here: guessing does, and people.
"""

import json
from dataclasses import asdict, dataclass
from decimal import Decimal

import duckdb

from regulars.imports import formats, staging
from regulars.imports.mappings import IDENTITIES, TARGETS, Mapping
from regulars.kernel.languages import Text


@dataclass(frozen=True, slots=True)
class Repeats:
    """Of `orders` in the file, `several` have more than one row with an amount, rows word for word alike taken as one;
    in `same` of these all rows say one amount, in `differ` they don't. An order is a number in a store (and on a day,
    where numbers begin anew). `again`: rows that stand before already, word for word; `strangers`: orders of several
    customers; `stores`: numbers in several stores. Sums are of amounts: `again_sum` of those rows, `same_sum` and
    `differ_sum` of all rows but the first of those orders.
    """

    orders: int = 0
    several: int = 0
    same: int = 0
    differ: int = 0
    again: int = 0
    strangers: int = 0
    stores: int = 0
    again_sum: str = "0"
    same_sum: str = "0"
    differ_sum: str = "0"


def found(
    database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping, point: formats.Point = "."
) -> Repeats:
    """Over all rows of the file; kept, so that the same columns again cost nothing. Returns (negative amounts) and
    orders of several customers say nothing about whose the amount is.
    """

    def cell(target: str) -> str:
        header = mapping.columns.get(target)
        return f"tidy(c{headers.index(header)})" if header in headers else "NULL::VARCHAR"

    amount = next((name for name in ("order_total", "line_total", "price") if name in mapping.columns), "price")
    day = cell("at") if mapping.repeats == "daily" else "''"
    kinds = [name for name in IDENTITIES if name in mapping.columns]
    # About as judging understands them: a phone by its last nine digits, the others in small letters.
    alike = {name: f"lower({cell(name)})" for name in kinds}
    if "phone" in alike:
        digits = f"regexp_replace({cell('phone')}, '\\.0$|\\D', '', 'g')"
        alike["phone"] = f"nullif(right({digits}, 9), '')"
    who = "".join(f", {alike[name]} AS w{number}" for number, name in enumerate(kinds))
    asked = [cell("order_id"), cell("store"), day, who, cell(amount), point]
    before = json.loads(staging.kept(database, "repeats") or "null")
    if before and before[0] == asked:
        return Repeats(**before[1])
    every = ", ".join(f"c{index}" for index in range(len(headers)))
    row = database.execute(
        f"""WITH cells AS (SELECT row, {asked[0]} AS o, coalesce({asked[1]}, '') AS s, {day} AS d{who},
                {asked[4]} AS a, hash({every}) AS h FROM raw WHERE {asked[0]} IS NOT NULL),
             apart AS (SELECT * EXCLUDE (row, a), count(*) AS n, min(row) AS r,
                {formats.number("digits(any_value(a))", point)} AS v FROM cells GROUP BY ALL),
             orders AS (SELECT o, s, d, {_strange(kinds)} AS strange, sum(n) - count(*) AS again,
                sum((n - 1) * v) AS again_sum, count(*) FILTER (v >= 0) > 1 AS several, min(v) = max(v) AS same,
                sum(v) - arg_min(v, r) AS rest FROM (SELECT * REPLACE (CASE WHEN v >= 0 THEN v END AS v) FROM apart)
                GROUP BY o, s, d)
        SELECT count(*), count(*) FILTER (several AND NOT strange), count(*) FILTER (several AND same AND NOT strange),
            count(*) FILTER (several AND NOT same AND NOT strange), coalesce(sum(again), 0), count(*) FILTER (strange),
            (SELECT count(*) FROM (SELECT o FROM orders GROUP BY o HAVING count(DISTINCT s) > 1)),
            coalesce(sum(again_sum), 0), coalesce(sum(rest) FILTER (several AND same AND NOT strange), 0),
            coalesce(sum(rest) FILTER (several AND NOT same AND NOT strange), 0) FROM orders"""
    ).fetchone()
    assert row
    sums = [f"{Decimal(value):,.2f}" for value in row[7:]]
    repeats = Repeats(*row[:7], *sums)
    staging.keep(database, "repeats", json.dumps([asked, asdict(repeats)]))
    return repeats


def _strange(kinds: list[str]) -> str:
    """Whether an order is several customers': two user ids, or something differs and nothing is shared by all."""
    differs = [f"count(DISTINCT w{number}) > 1" for number, _ in enumerate(kinds)]
    shared = [f"(count(DISTINCT w{number}) = 1 AND count(w{number}) = count(*))" for number, _ in enumerate(kinds)]
    if not kinds:
        return "false"
    users = differs[kinds.index("user_id")] if "user_id" in kinds else "false"
    return f"{users} OR (({' OR '.join(differs)}) AND NOT ({' OR '.join(shared)}))"


def belongs_to(repeats: Repeats, named: str) -> str:
    """Whose the amount is, order_total or line_total, when its column is `named` like one of them: what orders with
    several rows say, if they are enough of them that it isn't some odd ones (a typing error, a number given twice).
    Where rows only stand twice word for word, the order's: then no sum doubles.
    """
    enough = min(3, repeats.orders / 10)
    if repeats.differ > repeats.several / 2 and repeats.differ >= enough:
        return "line_total"
    if repeats.same >= 0.9 * repeats.several and repeats.same >= enough and repeats.several:
        return "order_total"
    return "order_total" if repeats.again and not repeats.several else named


def doubts(
    database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping, point: formats.Point
) -> list[tuple[str, Text]]:
    """(field, text) of what stands against the mapping or could make a sum other than people mean."""
    if mapping.kind != "orders" or "order_id" not in mapping.columns:
        return []
    have = found(database, headers, mapping, point)
    field = "order_total" if "order_total" in mapping.columns else "line_total"
    field = field if field in mapping.columns else "price"
    told = []
    if have.strangers:
        told.append(("order_id", _said(_STRANGERS, have.strangers)))
    if have.stores and mapping.repeats == "never":
        told.append(("order_id", _said(_STORES, have.stores)))
    if have.again:
        once = {"order_total": _ONCE, "line_total": _TWICE, "price": _TWICE_PRICED}[field]
        rows, sums = _said(_AGAIN, have.again), once.filled(sum=have.again_sum)
        told.append((field, Text(f"{rows.en} {sums.en}", rows.zh + sums.zh)))
    shares = {"several": f"{have.several:,}", "same": f"{have.same:,}", "differ": f"{have.differ:,}"}
    labels = {"order": TARGETS["order_total"].label, "line": TARGETS["line_total"].label}
    if field == "order_total" and have.differ:
        told.append((field, _DIFFER.filled(**shares, **labels, sum=have.differ_sum)))
    if field == "line_total" and have.same > have.several / 3:
        told.append((field, _SAME.filled(**shares, **labels, sum=have.same_sum)))
    return told


def _said(texts: tuple[Text, Text], count: int) -> Text:
    return texts[count != 1].filled(count=f"{count:,}")


_STRANGERS = (
    Text(
        "1 order number stands with several customers: the rows of the first are taken in, the others rejected.",
        "有 1 个订单号对应多位客户：只导入首位客户的行，其余行将被拒绝。",
    ),
    Text(
        "{count} order numbers stand with several customers: the rows of the first are taken in, the others rejected.",
        "有 {count} 个订单号对应多位客户：只导入首位客户的行，其余行将被拒绝。",
    ),
)
_STORES = (
    Text(
        "1 order number stands in several stores: each store's is an order of its own.",
        "有 1 个订单号出现在多个门店：各门店分别算一笔订单。",
    ),
    Text(
        "{count} order numbers stand in several stores: each store's is an order of its own.",
        "有 {count} 个订单号出现在多个门店：各门店分别算一笔订单。",
    ),
)
_AGAIN = (
    Text("1 row stands in the file again, word for word.", "有 1 行与文件中的另一行逐字相同。"),
    Text("{count} rows stand in the file again, word for word.", "有 {count} 行与文件中的其他行逐字相同。"),
)
_ONCE = Text("An order's amount counts once: no sum changes.", "订单金额只计一次，合计不受影响。")
_TWICE = Text(
    "Each counts as a line of its own, {sum} in all. If they are copies, take them out of the file first.",
    "每行都按单独的明细行计入，合计多出 {sum}。如果是重复数据，请先从文件中删除。",
)
_TWICE_PRICED = Text(
    "Each counts as a line of its own. If they are copies, take them out of the file first.",
    "每行都按单独的明细行计入。如果是重复数据，请先从文件中删除。",
)
_DIFFER = Text(
    "In {differ} of {several} orders with several rows the rows say different amounts. Read as “{order}”, only the "
    "first row's amount counts and {sum} stay out of the sums. If a row is a line, choose “{line}”.",
    "{several} 个多行订单中，有 {differ} 个各行金额不同。按“{order}”读取时只计首行金额，合计少计 {sum}。"
    "如果每行是一条明细，请改选“{line}”。",
)
_SAME = Text(
    "In {same} of {several} orders with several rows all rows say the same amount. Read as “{line}” they add up. If it "
    "is the whole order's, choose “{order}”; the sums then hold {sum} less.",
    "{several} 个多行订单中，有 {same} 个各行金额相同。按“{line}”读取时各行相加；如果是整单金额，请改选“{order}”，"
    "合计将减少 {sum}。",
)
