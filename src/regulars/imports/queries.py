"""Reading imports: the list, one with its preview, saved mappings."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from regulars.accounts.queries import business
from regulars.imports import already, files, mappings, people, reading, repeats, staging
from regulars.imports.formats import Decided
from regulars.imports.mappings import Mapping
from regulars.imports.models import Import, SavedMapping
from regulars.imports.staging import Forecast, Surroundings, Understood
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, Invalid, NotFound
from regulars.kernel.languages import Text

DAY = 86_400_000_000

STATES: dict[str, Text] = {
    "uploaded": Text("Being read", "读取中"),
    "mapped": Text("Waiting for you", "待确认"),
    "running": Text("Running", "导入中"),
    "done": Text("Done", "已完成"),
    "cancelled": Text("Cancelled", "已取消"),
    "failed": Text("Failed", "失败"),
}
COUNTS: dict[str, Text] = {
    "sales_new": Text("new orders", "新订单"),
    "sales_same": Text("orders that were in already", "已存在的订单"),
    "sales_changed": Text(
        "orders that differ from what was imported before (left as they were)", "与此前导入不同的订单（保留原有内容）"
    ),
    "refunds_new": Text("new refunds", "新退款"),
    "refunds_same": Text("refunds that were in already", "已存在的退款"),
    "refunds_changed": Text(
        "refunds that differ from what was imported before (left as they were)", "与此前导入不同的退款（保留原有内容）"
    ),
    "cancels_new": Text("cancellations of orders imported before", "此前导入订单的取消"),
    "cancels_same": Text("cancellations that were in already", "已存在的取消"),
    "cancels_changed": Text("cancellations that differ from what was imported before", "与此前导入不同的取消"),
    "cancelled_orders": Text("cancelled orders (no sale)", "已取消的订单（不算成交）"),
    "anonymous": Text("of these without a customer (kept as anonymous sales)", "其中没有客户（记为匿名销售）"),
    "customers_new": Text("new customers", "新客户"),
    "customers_known": Text("customers that were known", "已有客户"),
    "events_new": Text("new events", "新事件"),
    "events_same": Text("events that were in already", "已存在的事件"),
}  # fmt: skip

_ONE: dict[str, Text] = {
    name: Text(en, COUNTS[name].zh)
    for name, en in (
        ("sales_new", "new order"),
        ("sales_same", "order that was in already"),
        ("sales_changed", "order that differs from what was imported before (left as it was)"),
        ("refunds_new", "new refund"),
        ("refunds_same", "refund that was in already"),
        ("refunds_changed", "refund that differs from what was imported before (left as it was)"),
        ("cancels_new", "cancellation of an order imported before"),
        ("cancels_same", "cancellation that was in already"),
        ("cancels_changed", "cancellation that differs from what was imported before"),
        ("cancelled_orders", "cancelled order (no sale)"),
        ("customers_new", "new customer"),
        ("customers_known", "customer that was known"),
        ("events_new", "new event"),
        ("events_same", "event that was in already"),
    )
}


def get(id: int) -> Import:
    """Raises NotFound."""
    row = Import.objects.filter(id=id).first()
    if row is None:
        raise NotFound("import", Text("There is no such import.", "没有这个导入。"))
    return row


def imports(*, before: int | None = None, named: str = "", limit: int = 50) -> list[Import]:
    """The newest first; the page before the id `before`; those of files with `named` in their name."""
    rows = Import.objects.exclude(digest="", state="uploaded").order_by("-id")
    rows = rows.filter(name__icontains=named) if named else rows
    return list(rows.filter(id__lt=before)[:limit] if before else rows[:limit])


def unfinished(*, digest: str, kind: str, actor: str) -> Import | None:
    """The newest import of this very file that began and hasn't ended."""
    return Import.objects.filter(digest=digest, kind=kind, actor=actor, state="running").order_by("-id").first()


def before(row: Import, headers: list[str]) -> tuple[str, Mapping] | None:
    """The newest file of the same kind and columns that was begun to be imported: its name and mapping."""
    rows = Import.objects.filter(kind=row.kind, started_at__isnull=False, layout__headers=headers).exclude(id=row.pk)
    found = rows.order_by("-id").values_list("name", "mapping").first()
    return (found[0], mappings.parsed(found[1])) if found else None


def saved_mappings(kind: str = "") -> list[SavedMapping]:
    rows = SavedMapping.objects.order_by("kind", "name")
    return list(rows.filter(kind=kind) if kind else rows)


def saved_mapping(name: str, kind: str) -> Mapping:
    """By its name; raises NotFound."""
    row = SavedMapping.objects.filter(name=name, kind=kind).first()
    if row is None:
        text = Text("There is no mapping “{name}” for {kind}.", "没有名为“{name}”的{kind}映射。")
        raise NotFound("mapping", text.filled(name=name, kind=mappings.KINDS[kind]), field="mapping")
    return mappings.parsed(row.mapping)


def surroundings() -> Surroundings:
    """What the business says where a file is silent. A date up to two days ahead is believed: clocks differ."""
    owner = business()
    # By the day, so that work that is taken up again minutes later isn't done anew.
    return Surroundings(owner.zone, owner.currency, owner.region, (clock.micros() // DAY + 3) * DAY)


@contextmanager
def _staged(row: Import, layout: reading.Layout) -> Iterator[duckdb.DuckDBPyConnection]:
    """The import's rows, read from its file again where the stage was lost (it is in no backup)."""
    with staging.opened(files.stage(row.pk)) as database:
        if not staging.loaded(database):
            staging.load(database, files.source(row.pk), layout, lambda done: None)
        yield database


@dataclass(frozen=True, slots=True)
class Preview:
    """`faults` keep the mapping from being run; `doubts` are (field, text) about how values are read."""

    rows: list[Understood]
    doubts: list[tuple[str, Text]]
    faults: list[Invalid]
    statuses: list[tuple[str, int]]
    decided: Decided


def preview(row: Import) -> Preview:
    """The first 20 rows as they would be taken with the present mapping."""
    layout, mapping = reading.Layout.of(row.layout), mappings.parsed(row.mapping)
    with _staged(row, layout) as database:
        shown, decided = staging.preview(database, layout.headers, mapping, surroundings())
        found = staging.statuses(database, layout.headers, mapping)
        told = doubts(database, layout.headers, mapping, decided)
        faults = mappings.missing(mapping, layout.headers) + _foreign(row, mapping, layout.headers, database)
    said = [(one["field"], Text(one["en"], one["zh"])) for one in row.remarks]
    return Preview(shown, said + [one for one in told if one not in said], faults, found, decided)


def doubts(
    database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping, decided: Decided
) -> list[tuple[str, Text]]:
    """(field, text) of what the owner of the file should know of this mapping."""
    told = [*decided.told, *repeats.doubts(database, headers, mapping, decided.decimals)]
    return told + people.doubts(database, headers, mapping)


LOOKED_THROUGH_AT_ONCE = 5_000
"""Rows of a file whose forecast is so quick that nobody needs to wait for it apart."""


def forecast(row: Import) -> Forecast | None:
    """What would become of every row with the present mapping; None while that can't be run, and once somebody has
    changed the mapping or begun the import in the meantime. Seconds for a million rows.
    """

    def check() -> None:
        present = Import.objects.filter(id=row.pk).values_list("state", "mapping").first()
        if present != ("mapped", row.mapping):
            raise Superseded

    layout, mapping = reading.Layout.of(row.layout), mappings.parsed(row.mapping)
    if mappings.missing(mapping, layout.headers):
        return None
    with _staged(row, layout) as database:
        try:
            about = surroundings()
            return staging.forecast(
                database, layout.headers, mapping, about, check,
                lambda: already.foreseen(database, mapping, about, check),
            )  # fmt: skip
        except Superseded:
            return None


class Superseded(Exception):
    """Nobody waits for this forecast any more."""


def ready(row: Import) -> None:
    """Raise the first thing that keeps the import from being run."""
    if row.state != "mapped":
        raise Conflict("state", Text("This import has begun already.", "该导入已经开始。"))
    layout, mapping = reading.Layout.of(row.layout), mappings.parsed(row.mapping)
    for fault in mappings.missing(mapping, layout.headers):
        raise fault
    with _staged(row, layout) as database:
        for fault in _foreign(row, mapping, layout.headers, database):
            raise fault


def _foreign(row: Import, mapping: Mapping, headers: list[str], database: Any) -> list[Invalid]:
    """Amounts in another currency than the business's are asked about: they are kept, but no figure counts them."""
    if mapping.kind != "orders" or mapping.foreign:
        return []
    own = business().currency
    if "currency" in mapping.columns:
        found = staging.currencies(database, headers, mapping)
    else:
        found = {mapping.currency.upper(): row.rows or 0} if mapping.currency else {}
    foreign = {code: count for code, count in found.items() if code != own}
    if not foreign:
        return []
    said = ", ".join(f"{code} ({count:,})" for code, count in foreign.items())
    text = Text(
        "Rows in other currencies than {own}: {which}. They are kept, but the figures count {own} only. Say that this "
        "is meant, or set the business's currency first.",
        "文件中有非 {own} 币种的行：{which}。这些数据会保留，但统计数字只计 {own}。请确认，或先修改企业币种。",
    ).filled(own=own, which=said)
    return [Invalid("foreign_currency", text, field="currency")]


def rejects_file(row: Import) -> Path | None:
    path = files.rejects(row.pk)
    return path if path.exists() else None


def reasons(row: Import) -> list[tuple[Text, int]]:
    """Why rows were rejected, the most frequent first."""
    rejected = row.counts.get("rejected", {})
    ordered = sorted(rejected.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(staging.REASONS[reason], count) for reason, count in ordered]


def summary(row: Import) -> list[tuple[Text, int]]:
    """What became of the file, in the order of COUNTS."""
    found = [(name, row.counts[name]) for name in COUNTS if row.counts.get(name)]
    return [(_ONE.get(name, COUNTS[name]) if count == 1 else COUNTS[name], count) for name, count in found]
