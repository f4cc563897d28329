"""Writes docs/events.md, the documentation of every event, from the catalogue: `python -m tools.events`."""

from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from regulars import catalog
from regulars.catalog import EventType

FILE = Path(__file__).parents[1] / "docs" / "events.md"
HEAD = """# Events 事件

Generated from the catalogue (`src/regulars/catalog`) by `python -m tools.events`; don't edit.
本文由事件目录（`src/regulars/catalog`）经 `python -m tools.events` 生成，请勿手工修改。

Other events are accepted too and kept with their properties. Of a listed one, every field may be left out unless it
says *required*; more fields may be sent. Amounts are in major units (12.5 yuan).
目录之外的事件同样接收，属性原样保留。表中字段除注明 *required* 外均可省略，也可发送更多字段。金额以主单位计（12.5 元）。

A sign of life moves "last seen" and ends silence: what the customer did, also where staff rang it up (an order, a
visit, an answer), and every event that isn't listed here. What staff, the system or a program noted about the customer
or did to them is none: a consent entered, a tag, a message sent.
“互动”会更新最近活跃时间：指客户自己的行为，由员工代为录入的（下单、到店、回答调研）以及目录之外的事件也算；
员工、系统或程序对客户的登记或操作（登记同意、打标签、发送消息等）不算。
"""
_NAMES = {"str": "text", "int": "whole number", "Decimal": "number", "Product": "product"}


def _kind(annotation: Any) -> str:
    inner = [part for part in get_args(annotation) if part is not type(None)]
    if getattr(annotation, "__origin__", None) is list:
        return f"list of {_kind(inner[0])}"
    if inner and not isinstance(annotation, type):
        return _kind(inner[0])
    return _NAMES.get(annotation.__name__, annotation.__name__)


def _fields(model: type[BaseModel], columns: dict[str, str]) -> list[str]:
    rows = ["| field 字段 | type 类型 | column 数仓列 |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        kind = _kind(field.annotation) + (" *required*" if field.is_required() else "")
        rows.append(f"| `{name}` | {kind} | {columns.get(name, '')} |")
    return rows


def _entry(entry: EventType) -> list[str]:
    columns = {field: column for column, fields in entry.columns.items() for field in fields}
    life = (
        "A sign of life of the customer. 算作客户的互动。"
        if entry.by_customer
        else "Not a sign of life of the customer. 不算客户的互动。"
    )
    reserved = ["", "Recorded by the system alone. 仅由系统记录。"] if entry.reserved else []
    return [
        f"### {entry.name}", f"{entry.title.zh} · version {entry.version}", "", entry.when.en, entry.when.zh,
        "", life, *reserved, "", *_fields(entry.payload, {field: f"`{column}`" for field, column in columns.items()}), "",
    ]  # fmt: skip


def document() -> str:
    """The whole text."""
    lines = [HEAD]
    for key, title in catalog.GROUPS.items():
        entries = [entry for entry in catalog.CATALOG.values() if entry.group == key]
        if entries:
            lines += [f"## {title.en} {title.zh}", "", *(line for entry in entries for line in _entry(entry))]
    from regulars.catalog.commerce import Product

    lines += ["## A product 商品", "", "An entry of `products`. `products` 中的一项。", "", *_fields(Product, {})]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
