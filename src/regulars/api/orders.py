"""Orders: sent in as the events they are, read as the warehouse adds them up."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Path, Router, Schema

from regulars.api.events import Received, call, take_in
from regulars.api.shapes import ADJUSTMENTS, ERRORS, Cursor, CustomerId, IdentityIn, Limit, Page, Taken, actor, needs
from regulars.api.wording import said
from regulars.customers import queries as customers
from regulars.kernel import clock
from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text
from regulars.warehouse.queries import customer as bought
from regulars.warehouse.queries import snapshot

router = Router(tags=["orders"])
Money = Annotated[Decimal, Field(ge=0, le=1_000_000_000, allow_inf_nan=False)]
OrderId = Annotated[str, Field(min_length=1, max_length=80, description=said("Your number of the order.", "订单号。"))]


class ProductIn(Taken):
    product_id: str = Field(max_length=200, description=said("Number of the product.", "商品编号。"))
    name: str | None = Field(None, max_length=300, description=said("Name of the product.", "商品名称。"))
    category: str | None = Field(None, max_length=200, description=said("Category.", "类别。"))
    price: Money = Field(description=said("Price of one, major units (yuan).", "单价（元）。"))
    quantity: Annotated[Decimal, Field(gt=0, le=1_000_000)] = Field(Decimal(1), description=said("How many.", "数量。"))


class OrderIn(Taken):
    order_id: OrderId
    identities: list[IdentityIn] = Field(min_length=1, max_length=20, description=said("Whose it is.", "客户标识。"))
    at: datetime | None = Field(None, description=said("When; now if left out.", "下单时间；缺省为现在。"))
    total: Money | None = Field(
        None, description=said("Total, major units; else the sum.", "总额（元）；缺省为各行之和。")
    )
    currency: str | None = Field(None, pattern="^[A-Z]{3}$", description=said("ISO 4217.", "货币代码（ISO 4217）。"))
    store: str | None = Field(None, max_length=100, description=said("Code of the store.", "门店编码。"))
    channel: str | None = Field(None, max_length=100, description=said("Where it was bought.", "渠道。"))
    products: list[ProductIn] = Field(default_factory=list, max_length=200, description=said("What.", "商品明细。"))


class RefundIn(Taken):
    identities: list[IdentityIn] = Field(min_length=1, max_length=20, description=said("Whose it is.", "客户标识。"))
    at: datetime | None = Field(None, description=said("When; now if left out.", "退款时间；缺省为现在。"))
    total: Money | None = Field(
        None,
        description=said(
            "How much is given back, major units; left out: whatever of the order hasn't been refunded yet.",
            "退款金额（元）；缺省为该订单尚未退款的全部金额。",
        ),
    )
    currency: str | None = Field(None, pattern="^[A-Z]{3}$", description=said("ISO 4217.", "货币代码（ISO 4217）。"))


class LineOut(Schema):
    product_id: str = Field(description=said("Number of the product.", "商品编号。"))
    name: str = Field(description=said("Name of the product.", "商品名称。"))
    category: str = Field(description=said("Category.", "类别。"))
    quantity: float = Field(description=said("How many.", "数量。"))
    amount: int = Field(description=said("Money, minor units; negative for a refund.", "金额（分）；退款为负。"))
    kind: str = Field(description=said("sale or refund.", "sale 或 refund。"))


class OrderOut(Schema):
    order_id: str = Field(description=said("Number of the order.", "订单号。"))
    at: datetime = Field(description=said("When.", "下单时间。"))
    day: date = Field(description=said("The day in the business's zone.", "营业时区日期。"))
    store: str = Field(description=said("Code of the store.", "门店编码。"))
    channel: str = Field(description=said("Where it was bought.", "渠道。"))
    gross: int = Field(
        description=said(
            "Price × quantity, before discounts and refunds, minor units.", "单价 × 数量，优惠与退款前（分）。"
        )
    )
    refunds: int = Field(description=said("Refunds, minor units.", "退款（分）。"))
    adjustments: int = Field(description=ADJUSTMENTS)
    net: int = Field(description=said("gross + adjustments - refunds, minor units.", "净额（分）。"))
    currency: str = Field(description=said("The business's currency.", "本位币。"))
    lines: list[LineOut] = Field(description=said("What was bought and given back.", "明细。"))


_NO_TOTAL = Text(
    "A currency needs a total. Give both, or neither to refund the rest of the order.",
    "提供货币时须同时提供金额；若要退还订单余额，请两者都不填。",
)


def _plain(value: Any) -> Any:
    """Decimals as numbers of JSON."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, list) else value


@router.post(
    "/orders",
    response={200: Received, **ERRORS},
    **needs(
        "events.write",
        said("Send an order", "发送订单"),
        said(
            "Becomes an Order Completed event; the same order_id again changes nothing.",
            "记录为 Order Completed 事件；相同 order_id 重复发送不会改变任何内容。",
        ),
    ),
)
def send_order(request: HttpRequest, data: OrderIn) -> Any:
    actor(request, "events.write")
    properties = _plain(data.model_dump(exclude={"identities", "at"}, exclude_none=True))
    if not properties["products"]:
        del properties["products"]
    message_id = f"order:{data.order_id}"
    return take_in(request, [call("Order Completed", data.identities, properties, {}, data.at, message_id)])


@router.post(
    "/orders/{order_id}/refunds",
    response={200: Received, **ERRORS},
    **needs(
        "events.write",
        said("Send a refund", "发送退款"),
        said(
            "Use an Idempotency-Key: an order may be refunded in parts. Without a total the rest of the order is given "
            "back; an order that hasn't come in by then has no rest, and the refund counts as nothing.",
            "订单可分次退款，请使用 Idempotency-Key。未提供金额时退还订单余额；订单若尚未入库，则该退款不计金额。",
        ),
    ),
)
def send_refund(
    request: HttpRequest,
    order_id: Annotated[str, Path(min_length=1, max_length=80, description=said("Number of the order.", "订单号。"))],
    data: RefundIn,
) -> Any:
    actor(request, "events.write")
    if data.total is None and data.currency is not None:
        raise Invalid("total", _NO_TOTAL, field="total")
    properties = _plain({"order_id": order_id, "total": data.total, "currency": data.currency})
    return take_in(request, [call("Order Refunded", data.identities, properties, {}, data.at, None)])


@router.get(
    "/customers/{int:customer_id}/orders",
    response={200: Page[OrderOut], **ERRORS},
    **needs(
        "customers.view",
        said("A customer's orders", "客户的订单"),
        said("The latest first, a moment after they came in.", "最近的在前；入库后稍有延迟。"),
    ),
)
def list_orders(request: HttpRequest, customer_id: CustomerId, cursor: Cursor = None, limit: Limit = 20) -> Any:
    actor(request, "customers.view")
    now = snapshot()
    page = bought.orders(now, customers.root_of(customer_id), after=cursor, limit=limit)
    rows = [
        {
            "order_id": row.order_id, "at": clock.from_micros(row.at), "day": clock.day_of(row.day), "store": row.store,
            "channel": row.channel, "gross": row.gross, "refunds": row.refunds,
            "adjustments": row.adjustments, "net": row.net,
            "currency": now.currency,
            "lines": [
                {
                    "product_id": line.product_id, "name": line.name, "category": line.category,
                    "quantity": line.quantity / 1000, "amount": line.amount, "kind": line.kind,
                }
                for line in row.lines
            ],
        }
        for row in page.rows
    ]  # fmt: skip
    return {"data": rows, "next_cursor": page.after}
