"""Rows that can't be taken in: why, how many, and as a file."""

import csv
from pathlib import Path
from typing import Any

import duckdb

from regulars.kernel.cells import safe_cell
from regulars.kernel.languages import Text

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
    "customer_differs": Text(
        "The order belongs to another customer by its lines before.", "与该订单前面各行的客户不一致。"
    ),
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
