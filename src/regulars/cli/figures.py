"""`regulars figures`: the whole history in a few figures."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from regulars.warehouse.queries.history import Sold
    from regulars.wiring.control import Say, Served


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs: exact decimals as texts, days as YYYY-MM-DD.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), default=None, help="Only the sales of one day.")
def command(as_json: bool, day: datetime | None) -> None:
    """Say what was sold, to whom, what was given back, and where the customers stand.

    With --json: "gross" is price × quantity of what was sold to known customers, before discounts and refunds;
    "refunds" what was given back to them; "net" what is left after discounts, postage and refunds; "anonymous" what
    nobody known bought. A net amount stands beside what was sold, whatever was given back of it: lines_sold,
    orders_sold, net_revenue.
    """
    found = figures()(say=lambda line: click.echo(line, err=True), day=day.date().isoformat() if day else None)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else _table(found))


def figures() -> "Served":
    """The part that has to run where the warehouse is open."""
    from regulars.wiring.control import served

    return served("figures")(_figures)


def _figures(say: "Say", day: str | None) -> dict[str, Any]:
    """Brings the warehouse up to date first."""
    from datetime import date

    from regulars.kernel import clock, money
    from regulars.warehouse import queries, refresh

    refresh.bring_up()
    snapshot = queries.snapshot()
    found = queries.history(snapshot, day=None if day is None else clock.day_number(date.fromisoformat(day)))

    def said(sold: "Sold") -> dict[str, Any]:
        revenue = str(money.major(sold.amount, snapshot.currency))
        return {"lines": sold.lines, "orders": sold.orders, "customers": sold.customers, "revenue": revenue}

    def date_of(number: int | None) -> str | None:
        return None if number is None else clock.day_of(number).isoformat()

    def net(sold: "Sold") -> dict[str, Any]:
        """Beside a net amount, lines and orders are those that were sold: giving back sells nothing."""
        counted = {"lines_sold": sold.lines, "orders_sold": sold.orders, "customers": sold.customers}
        return counted | {"net_revenue": said(sold)["revenue"]}

    anonymous = net(found.anonymous)
    del anonymous["customers"]
    told = queries.notices(snapshot)
    return {
        "currency": snapshot.currency,
        "since": date_of(found.since),
        "until": date_of(found.until),
        "as_of": date_of(snapshot.as_of),
        "gross": said(found.gross),
        "refunds": said(found.refunds),
        "net": net(found.net),
        "anonymous": anonymous,
        "rejected": _rejected(),
        "foreign": {
            currency: {"lines": lines, "revenue": str(money.major(amount, currency))}
            for currency, lines, amount in told.foreign
        },
        "rfm_groups": {group.key: group.customers for group in found.groups},
        "stages": {stage.key: stage.customers for stage in found.stages},
        "notes": [str(note) for note in told.model],
    }


def _rejected() -> dict[str, int]:
    """Rows that imports didn't take, by reason; of a file that was imported again the last time counts."""
    from regulars.imports import queries

    found: dict[str, int] = {}
    seen = set()
    for row in queries.imports(limit=10_000):  # the newest first
        if (row.kind, row.digest) not in seen:
            for reason, count in row.counts.get("rejected", {}).items():
                found[reason] = found.get(reason, 0) + count
        if row.counts:
            seen.add((row.kind, row.digest))
    return dict(sorted(found.items()))


def _table(found: dict[str, Any]) -> str:
    """The same for people."""
    from decimal import Decimal

    from regulars.analytics import lifecycle, rfm
    from regulars.imports.staging import REASONS
    from regulars.kernel.languages import Text

    rows: list[tuple[str, str]] = []

    def row(text: Text, value: object) -> None:
        rows.append((str(text), value if isinstance(value, str) else f"{value:,}"))

    kinds = {
        "gross": Text(
            "Sold to known customers (price × quantity, before discounts and refunds)",
            "已识别客户的销售额（单价 × 数量，优惠与退款前）",
        ),
        "refunds": Text("Given back to them", "退款"),
        "net": Text("Net", "净额"),
        "anonymous": Text("Sold to nobody known (net)", "散客销售（净额）"),
    }
    names_of = {  # of one, of more
        "orders": (Text("  order", "  订单数"), Text("  orders", "  订单数")),
        "lines": (Text("  line", "  订单行数"), Text("  lines", "  订单行数")),
        "orders_sold": (Text("  order sold", "  售出订单数"), Text("  orders sold", "  售出订单数")),
        "lines_sold": (Text("  line sold", "  售出订单行数"), Text("  lines sold", "  售出订单行数")),
        "customers": (Text("  customer", "  客户数"), Text("  customers", "  客户数")),
    }
    span = Text("{since} to {until}, customers as of {as_of}", "{since} 至 {until}，客户状态截至 {as_of}")
    for key, name in kinds.items():
        part = found[key]
        amount = part["revenue"] if "revenue" in part else part["net_revenue"]
        row(name, f"{Decimal(amount):,} {found['currency']}")
        for counted, words in names_of.items():
            if counted in part:
                row(words[part[counted] != 1], part[counted])
    for currency, part in found["foreign"].items():
        row(
            Text("Left out: in another currency", "未计入：其他币种"), f"{Decimal(part['revenue']):,} {currency}"
        )  # fmt: skip
    for reason, count in found["rejected"].items():
        row(Text("Rejected rows: {reason}", "未导入的行：{reason}").filled(reason=REASONS[reason]), count)
    for title, counts, names in (
        (Text("RFM group: {name}", "RFM 分组：{name}"), found["rfm_groups"], rfm.GROUPS),
        (Text("Stage: {name}", "生命周期：{name}"), found["stages"], lifecycle.STAGES),
    ):
        for key, count in counts.items():
            row(title.filled(name=names[key]), count)
    wide = max(len(value) for _, value in rows)
    lines = [f"{value:>{wide}}  {name}" for name, value in rows]
    head = str(span.filled(since=found["since"] or "–", until=found["until"] or "–", as_of=found["as_of"]))
    return "\n".join([head, *lines, *found["notes"]])
