"""Whether an order of a file has come in before: what it is called in the log, what it says, and what of both is known.
The import decides by it, and the forecast that people see before asks the same.

Nothing is written here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

import duckdb
import msgspec

from regulars.imports import staging
from regulars.imports.mappings import IDENTITIES, Mapping
from regulars.imports.models import Taken

BATCH = 2000

Standing = Literal["new", "same", "changed", "nothing"]

_encode = msgspec.json.Encoder().encode


def digest(*parts: object, size: int = 16) -> str:
    return blake2b(_encode(parts), digest_size=size).hexdigest()


def identities_of(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """What an order, customer or event of a file identifies by, the strongest first."""
    own = [(kind, row[kind]) for kind in IDENTITIES if row[kind]]
    return tuple(own + [(kind, value) for kind, value in row.get("also") or ()])


@dataclass(frozen=True, slots=True)
class Judged:
    """An order (see staging.taken) with its message id, its event's properties and a digest of what it says; its
    standing: new, the same as before, changed since, or nothing (a cancelled order of which no sale is known).
    """

    order: dict[str, Any]
    key: str
    properties: dict[str, Any]
    content: str
    standing: Standing


def _key(kind: str, order: dict[str, Any], mapping: Mapping) -> str:
    """The message id, made of what the order is called: so it comes once."""
    return "import:" + digest(kind, mapping.source, order["shop"], order["day"], order["number"])


def _known(orders: Sequence[dict[str, Any]], mapping: Mapping) -> dict[str, str]:
    """Key → digest of what came in, of those of these orders that did; for a cancellation of its sale, too."""
    wanted = {_key(order["kind"], order, mapping) for order in orders}
    wanted |= {_key("sale", order, mapping) for order in orders if order["kind"] == "cancel"}
    return dict(Taken.objects.filter(key__in=wanted).values_list("key", "content"))


def judged(orders: Sequence[dict[str, Any]], mapping: Mapping) -> list[Judged]:
    """These orders, held against what came in before: one query for all."""
    known, answer = _known(orders, mapping), []
    for order in orders:
        key, properties = _key(order["kind"], order, mapping), _properties(order, mapping)
        said = {name: value for name, value in properties.items() if name != "status"}
        content = digest(said, order["micros"], identities_of(order), size=8)
        standing: Standing = "new" if key not in known else "same" if known[key] == content else "changed"
        if order["kind"] == "cancel" and _key("sale", order, mapping) not in known:
            standing = "nothing"
        answer.append(Judged(order, key, properties, content, standing))
    return answer


def foreseen(
    database: duckdb.DuckDBPyConnection, mapping: Mapping, about: staging.Surroundings, check: Callable[[], None]
) -> int:
    """After the rows were judged for a forecast: how many only say what is in already. Those of orders that came before
    with other content are rejected, as the import will. Only where a number is known is an order looked at whole.
    """
    if mapping.kind != "orders" or not Taken.objects.exists():
        return 0
    last = staging.arranged_orders(database, mapping, about, "TEMP TABLE")
    lines = False
    same: list[int] = []
    changed: list[int] = []
    for place in range(0, last, BATCH):
        check()
        if not _known(staging.orders_named(database, place, BATCH), mapping):
            continue
        if not lines:
            staging.arranged_lines(database, mapping, "TEMP TABLE")
            lines = True
        for one in judged(staging.taken(database, place, BATCH), mapping):
            if one.standing == "same":
                same.append(one.order["place"])
            elif one.standing == "changed":
                changed.append(one.order["place"])
    staging.reject_order(database, changed, "changed")
    return staging.rows_only_of(database, same) if same else 0


def _whole(value: float) -> int | float:
    return int(value) if value.is_integer() else value


def _properties(order: dict[str, Any], mapping: Mapping) -> dict[str, Any]:
    """As the Segment spec has it. `total` is given where the lines don't say it: then the warehouse adds the rest."""
    products = []
    stated, counted = 0.0, 0.0
    for product_id, product, category, quantity, price, amount, _ in order["lines"]:
        line: dict[str, Any] = {"quantity": _whole(quantity)}
        for name, value in (("product_id", product_id), ("name", product), ("category", category), ("price", price)):
            if value is not None:
                line[name] = value
        products.append(line)
        stated += (amount or 0) / 10_000
        counted += quantity * (price or 0)
    properties: dict[str, Any] = {"order_id": order["number"]}
    for name, value in (
        ("store", order["shop"] or mapping.store),
        ("channel", order["channel"] or mapping.channel),
        ("currency", order["money"] or mapping.currency.upper()),
        ("status", order["status"]),
    ):
        if value:
            properties[name] = value
    if order["order_total"] is not None:
        properties["total"] = float(order["order_total"])
    elif products and abs(stated - counted) >= 0.005:
        properties["total"] = round(stated, 4)
    if products:
        properties["products"] = products
    return properties
