"""Rows of text in a DuckDB file of the import's own, and what they become: orders, refunds, customers, events, and
rows that can't be taken with the reason. Everything is SQL over columns and spills to disk: memory is bounded.

Nothing of the product's own data is read or written here.
"""

from regulars.imports.staging.arranging import (
    arrange,
    arranged_lines,
    arranged_orders,
    orders_named,
    rows,
    rows_only_of,
    taken,
)
from regulars.imports.staging.filling import keep, kept, load, loaded, opened
from regulars.imports.staging.judging import Forecast, forecast, unread
from regulars.imports.staging.rejecting import REASONS, reject, reject_order, tally, write_rejects
from regulars.imports.staging.understanding import Surroundings, Understood, currencies, decide, preview, statuses

__all__ = [
    "REASONS",
    "Forecast",
    "Surroundings",
    "Understood",
    "arrange",
    "arranged_lines",
    "arranged_orders",
    "currencies",
    "decide",
    "forecast",
    "keep",
    "kept",
    "load",
    "loaded",
    "opened",
    "orders_named",
    "preview",
    "reject",
    "reject_order",
    "rows",
    "rows_only_of",
    "statuses",
    "taken",
    "tally",
    "unread",
    "write_rejects",
]
