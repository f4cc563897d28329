"""The page of a mapping and back: what stands in its fields, and the mapping that they say."""

import json
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.http import QueryDict

from regulars.accounts.queries import business
from regulars.console import formatting
from regulars.imports import mappings, queries, reading, staging
from regulars.imports.mappings import IDENTITIES, KINDS, MEANINGS, RETURNS, TARGETS, Mapping
from regulars.imports.models import Import
from regulars.kernel.errors import Problem
from regulars.kernel.languages import Text

DATES = {
    "auto": Text("as the file says", "自动判断"),
    "ymd": Text("year/month/day", "年/月/日"),
    "dmy": Text("day/month/year", "日/月/年"),
    "mdy": Text("month/day/year", "月/日/年"),
}
DECIMALS = {
    "auto": Text("as the file says", "自动判断"),
    ".": Text("point: 1,234.56", "点号：1,234.56"),
    ",": Text("comma: 1.234,56", "逗号：1.234,56"),
}
REPEATS = {
    "never": Text("a number is one order for ever", "订单号永不重复"),
    "daily": Text("numbers begin anew each day", "订单号每天重新开始"),
}
PROPERTY = "="
_FIELDS = (
    "dates", "decimals", "zone", "currency", "repeats", "store", "channel", "event", "source",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file with what it is taken for, and what is wrong or doubtful about that."""

    index: int
    header: str
    target: str
    number: bool
    faults: list[Text]
    doubts: list[Text]


@dataclass(frozen=True, slots=True)
class Row:
    """`cells`: (as understood, as it stands in the file, number?, why it can't be read) for each column."""

    number: int
    cells: list[tuple[str, str, bool, Text | None]]
    reason: Text | None
    kind: Text | None
    partly: bool


_KIND_TEXTS = {
    "refund": Text("return", "退货"),
    "both": Text("refunded", "已退款"),
    "unpaid": Text("unpaid", "未付款"),
    "cancel": Text("cancelled", "已取消"),
}


def _shown(target: str, value: Any) -> str:
    if value is None:
        return ""
    if target == "at":
        return formatting.moment(value, seconds=value % 60_000_000 != 0)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(value)


def context(row: Import, problem: Problem | None = None) -> dict[str, Any]:
    """What the mapping's page shows."""
    layout, mapping = reading.Layout.of(row.layout), mappings.parsed(row.mapping)
    preview = queries.preview(row)
    faults: dict[str, list[Text]] = defaultdict(list)
    doubts: dict[str, list[Text]] = defaultdict(list)
    for fault in [*preview.faults, *([problem] if problem else [])]:
        if fault.text not in faults[fault.field or "file"]:  # what starting says, the preview has said
            faults[fault.field or "file"].append(fault.text)
    for field, text in preview.doubts:
        doubts[field].append(text)
    by_header = {header: target for target, header in mapping.columns.items()}
    columns = [
        Column(
            index,
            header,
            by_header.get(header, PROPERTY if header in mapping.properties else ""),
            TARGETS[by_header[header]].values == "number" if header in by_header else False,
            faults.pop(by_header.get(header, "-"), []),
            doubts.pop(by_header.get(header, "-"), []),
        )
        for index, header in enumerate(layout.headers)
    ]
    rows = [
        Row(
            one.row,
            [
                (
                    _shown(c.target, one.values.get(c.target)) if c.target in TARGETS else "",
                    one.cells[c.header],
                    c.number,
                    one.unread.get(c.target),
                )
                for c in columns
            ],
            staging.REASONS[one.reason] if one.reason else None,
            _KIND_TEXTS.get(one.kind) if mapping.kind == "orders" else None,
            bool(one.unread),
        )
        for one in preview.rows
    ]
    offered = [(name, target.label, target.identity) for name, target in TARGETS.items() if row.kind in target.kinds]
    owner = business()
    at_once = (row.rows or 0) <= queries.LOOKED_THROUGH_AT_ONCE and not preview.faults
    return {
        "import": row,
        "forecast": foreseen(row) if at_once else None,
        "kind": KINDS[row.kind],
        "layout": layout,
        "mapping": mapping,
        "columns": columns,
        "rows": rows,
        "ready": not preview.faults,
        "foreign": any(fault.code == "foreign_currency" for fault in preview.faults),
        "faults": [text for texts in faults.values() for text in texts],
        "doubts": [text for texts in doubts.values() for text in texts],
        "people": [(name, label) for name, label, identity in offered if identity],
        "others": [(name, label) for name, label, identity in offered if not identity],
        "keeps": row.kind != "orders",
        "statuses": [(text, count, mapping.statuses.get(text, "")) for text, count in preview.statuses],
        "meanings": MEANINGS.items(),
        "returns": RETURNS.items(),
        "dates": DATES.items(),
        "decimals": DECIMALS.items(),
        "decided": (DATES[preview.decided.dates], DECIMALS[preview.decided.decimals]),
        "repeats": REPEATS.items(),
        "encodings": reading.ENCODINGS.items(),
        "saved": queries.saved_mappings(row.kind),
        "zone": mapping.zone or owner.zone,
        "currency": mapping.currency or owner.currency,
        "anonymous": not mapping.columns.keys() & set(IDENTITIES),
    }


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A forecast as people read it. `reasons`: (why, rows); `rows`: (number, why, cells) of some that aren't taken, or
    not whole. `new` of `taken` rows say something that isn't in yet, `again` don't.
    """

    rows: int
    taken: int
    new: int
    again: int
    rejected: int
    partly: int
    reasons: list[tuple[Text, int]]
    unread: list[Text]
    headers: list[str]
    samples: list[tuple[int, Text, list[str], bool]]


def foreseen(row: Import) -> Foreseen | None:
    """What would become of every row; None where nobody waits for it any more."""
    found = queries.forecast(row)
    if found is None:
        return None
    samples = []
    for one in found.samples:
        why = staging.REASONS[one.reason]
        if one.reason == "partly":
            why = one.more
        elif one.more.en:
            why = Text(f"{why.en} {one.more.en}", why.zh + one.more.zh)
        samples.append((one.row, why, one.cells, one.reason == "partly"))
    return Foreseen(
        found.rows,
        found.taken,
        found.taken - found.again,
        found.again,
        sum(found.rejected.values()),
        found.partly,
        [(staging.REASONS[reason], count) for reason, count in found.rejected.items()],
        [text for _, text in found.unread],
        row.layout["headers"],
        samples,
    )


def mapping_of(row: Import, given: QueryDict) -> Mapping:
    """The mapping that the fields say. A target chosen for a second column leaves the first. Raises Invalid."""
    layout, before = reading.Layout.of(row.layout), mappings.parsed(row.mapping)
    was = {header: target for target, header in before.columns.items()}
    chosen = {header: given.get(f"c{index}", "") for index, header in enumerate(layout.headers)}
    columns: dict[str, str] = {}
    for header, target in sorted(chosen.items(), key=lambda pair: pair[1] != was.get(pair[0])):
        if target in TARGETS:
            columns[target] = header
    data: dict[str, Any] = before.model_dump(mode="json") | {
        "columns": columns,
        "properties": [header for header, target in chosen.items() if target == PROPERTY],
        "foreign": given.get("foreign") == "yes",
    }
    data |= {name: str(given[name]).strip() for name in _FIELDS if name in given}
    if data["zone"] == business().zone:
        data["zone"] = ""
    if data["currency"].upper() == business().currency:
        data["currency"] = ""
    by = given.get("returns", before.returns.by)
    prefix = given.get("prefix", before.returns.prefix).strip()
    data["returns"] = {"by": by if by != "prefix" or prefix else "sign", "prefix": prefix if by == "prefix" else ""}
    if by == "prefix" and not prefix:
        data["returns"] = {"by": "prefix", "prefix": "R"}
    texts = given.getlist("status")
    if texts:
        meanings = given.getlist("meaning")
        data["statuses"] = {
            text: meaning for text, meaning in zip(texts, meanings, strict=False) if meaning in MEANINGS
        }
    return mappings.parsed(data)


def restored(text: str) -> Mapping:
    """A mapping out of the field of an undo button."""
    try:
        return mappings.parsed(json.loads(text))
    except ValueError:
        return mappings.parsed(None)
