"""What is to be taken in, in order: orders with their lines, or rows of customers and events."""

import json
from collections.abc import Callable
from typing import Any, Literal

import duckdb
import pyarrow as pa

from regulars.imports.formats import Decided
from regulars.imports.mappings import IDENTITIES, TRAITS, Mapping
from regulars.imports.staging.filling import keep, kept
from regulars.imports.staging.judging import judge, order_key
from regulars.imports.staging.understanding import Surroundings, decide

_KEY = "number, shop, day"


def arrange(
    database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping, about: Surroundings,
    check: Callable[[], None],
) -> tuple[int, Decided]:  # fmt: skip
    """Make of the rows what is to be taken in, numbered by `place` from 1; how many there are. The same mapping again
    finds the work done. `check` may raise.
    """
    decided = decide(database, headers, mapping)
    said = [about.zone, about.currency, about.region, decided.dates, decided.decimals]
    mark = json.dumps([mapping.model_dump(mode="json"), *said])
    if kept(database, "arranged") != mark:
        database.execute("BEGIN")
        judge(database, headers, mapping, decided, about, check)
        if mapping.kind == "orders":
            arranged_orders(database, mapping, about)
            arranged_lines(database, mapping)
            made = "VIEW" if "order_id" in mapping.columns else "TABLE"
            database.execute(f"DROP VIEW split; DROP {made} good")
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


def arranged_orders(
    database: duckdb.DuckDBPyConnection, mapping: Mapping, about: Surroundings,
    kept: Literal["TABLE", "TEMP TABLE"] = "TABLE",
) -> int:  # fmt: skip
    """After `judge`: the table `orders`, one row per order and kind (sale, refund, cancel), by place; how many.

    Lines of one order need not stand together; it has the first value of each identity, and in `also` what its lines
    identify by besides. Without order numbers every row is an order of its own, named by its
    content (and counted when the same content comes again), so that the file can come twice.
    """
    number, made = "order_id", "TEMP VIEW"  # a table only where rows have to be counted
    if "order_id" not in mapping.columns:
        made = "TEMP TABLE"
        content = (
            "md5(concat_ws(chr(31), micros, who, product_id, product, quantity, price, line_total, order_total, store))"
        )
        number = f"'r' || left({content}, 12) || '-' || row_number() OVER (PARTITION BY {content}, kind ORDER BY row)"
    of = order_key(mapping, about)
    database.execute(
        f"""CREATE OR REPLACE {made} good AS SELECT row, kind, {number} AS number, {of["shop"]} AS shop,
        {of["day"]} AS day, micros, who, {", ".join((*IDENTITIES, *TRAITS))}, product_id, product, category,
        channel, money, status,
        abs(coalesce(quantity, 1)) AS quantity, abs(price) AS price, abs(line_total) AS line_total,
        abs(order_total) AS order_total
        FROM parsed WHERE reason IS NULL"""
    )
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
    also = "CROSS JOIN (SELECT NULL AS also)"
    if "order_id" in mapping.columns:
        listed = f"SELECT {_KEY}, list([kind, value] ORDER BY kind, value) AS also FROM also GROUP BY ALL"
        also = f"LEFT JOIN ({listed}) USING ({_KEY})"
    database.execute(
        f"""CREATE OR REPLACE {kept} orders AS
        SELECT row_number() OVER (ORDER BY micros, first_row, kind <> 'sale') AS place, * FROM (
          SELECT kind, {_KEY}, min(micros) AS micros, min(row) AS first_row, count(*) AS rows, sum(quantity) AS pieces,
          count(*) FILTER (price IS NULL AND line_total IS NULL) AS bare, {first}
          FROM split GROUP BY kind, {_KEY}) {also} ORDER BY place"""
    )
    row = database.execute("SELECT count(*) FROM orders").fetchone()
    assert row
    return int(row[0])


def arranged_lines(
    database: duckdb.DuckDBPyConnection, mapping: Mapping, kept: Literal["TABLE", "TEMP TABLE"] = "TABLE"
) -> None:
    """After `arranged_orders`: their table `lines`, by place."""
    has_lines = bool(mapping.columns.keys() & {"quantity", "price", "line_total", "product_id", "product"})
    # Where only the order's amount is known, it is spread over the lines by quantity.
    amount = (
        "coalesce(s.line_total, s.price * s.quantity, "
        "CASE WHEN o.bare = o.rows THEN round(o.order_total * s.quantity / o.pieces, 4) END)"
    )
    database.execute(
        f"""CREATE OR REPLACE {kept} lines AS SELECT o.place, s.row, s.product_id, s.product, s.category,
        CAST(s.quantity AS DOUBLE) AS quantity, CAST(round({amount} * 10000) AS BIGINT) AS amount,
        CAST(CASE WHEN s.price IS NOT NULL
          AND (s.line_total IS NULL OR abs(s.price * s.quantity - s.line_total) < 0.005) THEN s.price
          ELSE round(CAST({amount} AS DOUBLE) / CAST(s.quantity AS DOUBLE), 6) END AS DOUBLE) AS price
        FROM split s JOIN orders o USING (kind, {_KEY}) WHERE {has_lines} ORDER BY o.place, s.row"""
    )


def orders_named(database: duckdb.DuckDBPyConnection, after: int, count: int) -> list[dict[str, Any]]:
    """What the next orders after this place are called: place, kind, number, shop, day."""
    found = database.execute(
        f"SELECT place, kind, {_KEY} FROM orders WHERE place > ? AND place <= ? ORDER BY place", [after, after + count]
    )
    names = [part[0] for part in found.description or []]
    return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


def rows_only_of(database: duckdb.DuckDBPyConnection, places: list[int]) -> int:
    """After `arranged_orders`: how many rows of the file say nothing but these orders."""
    database.register("told", pa.table([pa.array(places, pa.int64())], names=["place"]))
    row = database.execute(
        f"SELECT count(*) FROM (SELECT s.row FROM split s JOIN orders o USING (kind, {_KEY}) "
        "LEFT JOIN told USING (place) GROUP BY s.row HAVING bool_and(told.place IS NOT NULL))"
    ).fetchone()
    database.unregister("told")
    assert row
    return int(row[0])


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
