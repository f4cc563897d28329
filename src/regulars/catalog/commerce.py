"""Browsing, cart, orders, coupons, sharing: names and properties of the Segment e-commerce spec."""

from decimal import Decimal
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from regulars.catalog.faults import Fault
from regulars.catalog.payloads import Amount, Column, EventType, Payload, Quantity, Whole
from regulars.kernel.languages import Text


class Product(BaseModel):
    """One product of a list, a cart or an order; `price` in major units for one piece, `quantity` may be a fraction."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True, frozen=True)

    product_id: str | None = None
    sku: str | None = None
    name: str | None = None
    category: str | None = None
    brand: str | None = None
    variant: str | None = None
    coupon: str | None = None
    price: Amount | None = None
    quantity: Quantity | None = None
    position: Whole | None = None
    url: str | None = None
    image_url: str | None = None


_PRODUCT: dict[Column, tuple[str, ...]] = {
    "product_id": ("product_id", "sku"),
    "category": ("category",),
    "amount": ("value", "price"),
}


class PageViewed(Payload):
    name: str | None = None
    category: str | None = None
    title: str | None = None
    url: str | None = None
    path: str | None = None
    referrer: str | None = None
    search: str | None = None
    columns: ClassVar[dict[Column, tuple[str, ...]]] = {"category": ("category",)}


class Searched(Payload):
    query: str | None = None


class ProductList(Payload):
    list_id: str | None = None
    category: str | None = None
    products: list[Product] | None = None
    columns: ClassVar[dict[Column, tuple[str, ...]]] = {"category": ("category",)}


class Promotion(Payload):
    promotion_id: str | None = None
    creative: str | None = None
    name: str | None = None
    position: str | None = None


class OneProduct(Payload, Product):
    cart_id: str | None = None
    wishlist_id: str | None = None
    currency: str | None = None
    value: Amount | None = None
    columns: ClassVar[dict[Column, tuple[str, ...]]] = _PRODUCT


class Cart(Payload):
    cart_id: str | None = None
    products: list[Product] | None = None
    value: Amount | None = None
    total: Amount | None = None
    currency: str | None = None
    columns: ClassVar[dict[Column, tuple[str, ...]]] = {"amount": ("total", "value")}


class Order(Payload):
    order_id: str | None = None
    checkout_id: str | None = None
    total: Amount | None = None
    revenue: Amount | None = None
    value: Amount | None = None
    subtotal: Amount | None = None
    shipping: Amount | None = None
    tax: Amount | None = None
    discount: Amount | None = None
    coupon: str | None = None
    currency: str | None = None
    products: list[Product] | None = None
    columns: ClassVar[dict[Column, tuple[str, ...]]] = {
        "order_id": ("order_id",),
        "amount": ("total", "revenue", "value"),
    }


_NEGATIVE = Text(
    "Order Completed: {field} makes {got}, but nobody buys for less than nothing. Send what was given back as Order "
    "Refunded, with the order_id of the order.",
    "Order Completed：{field} 合计为 {got}，订单金额不能为负。"
    "退还的金额请用 Order Refunded 发送，并带上原订单的 order_id。",
)


def _not_negative(order: Any) -> Fault | None:
    """Where money goes back it is a refund. The amount is taken as the warehouse takes it: what is told first, else the
    sum of the products."""
    for field in ("total", "revenue", "value"):
        told = getattr(order, field)
        if told is not None:
            return None if told >= 0 else _less_than_nothing(field, Decimal(str(told)))
    products = order.products
    if not products or all((one.price or 0) >= 0 and (one.quantity or 0) >= 0 for one in products):
        return None  # nearly all: no arithmetic
    told = sum(
        (
            Decimal(str(one.price)) * (1 if one.quantity is None else Decimal(str(one.quantity)))
            for one in products
            if one.price is not None
        ),
        Decimal(0),
    )
    return None if told >= 0 else _less_than_nothing("products", told)


def _less_than_nothing(field: str, amount: Decimal) -> Fault:
    return Fault("negative", field, _NEGATIVE.filled(field=field, got=f"{amount.normalize():f}"))


class CheckoutStep(Payload):
    checkout_id: str | None = None
    order_id: str | None = None
    step: Whole | None = None
    shipping_method: str | None = None
    payment_method: str | None = None
    columns: ClassVar[dict[Column, tuple[str, ...]]] = {"order_id": ("order_id",)}


class Delivery(Payload):
    order_id: str | None = None
    carrier: str | None = None
    columns: ClassVar[dict[Column, tuple[str, ...]]] = {"order_id": ("order_id",)}


class Coupon(Payload):
    order_id: str | None = None
    cart_id: str | None = None
    coupon_id: str | None = None
    coupon_name: str | None = None
    discount: Amount | None = None
    reason: str | None = None
    columns: ClassVar[dict[Column, tuple[str, ...]]] = {"order_id": ("order_id",), "amount": ("discount",)}


class Shared(Payload):
    share_via: str | None = None
    product_id: str | None = None
    cart_id: str | None = None
    category: str | None = None
    columns: ClassVar[dict[Column, tuple[str, ...]]] = {"product_id": ("product_id",), "category": ("category",)}


class Reviewed(Payload):
    product_id: str | None = None
    review_id: str | None = None
    rating: Amount | None = None
    columns: ClassVar[dict[Column, tuple[str, ...]]] = {"product_id": ("product_id",)}


EVENTS: tuple[EventType, ...] = (
    EventType("Page Viewed", PageViewed, "browsing", Text("Viewed a page", "浏览页面"), Text(
        "When a web page is opened (a tracking client's page call).", "打开网页时（由跟踪 SDK 的 page 调用产生）。"),
        by_customer=True),
    EventType("Screen Viewed", PageViewed, "browsing", Text("Viewed a screen", "浏览应用页面"), Text(
        "When a screen of an app is opened (a tracking client's screen call).",
        "打开应用或小程序页面时（由跟踪 SDK 的 screen 调用产生）。"), by_customer=True),
    EventType("Products Searched", Searched, "browsing", Text("Searched", "搜索商品"), Text(
        "When somebody searches the products.", "在商品中搜索时。"), by_customer=True),
    EventType("Product List Viewed", ProductList, "browsing", Text("Viewed a list", "浏览商品列表"), Text(
        "When a list or a category of products is shown.", "展示商品列表或分类时。"), by_customer=True),
    EventType("Product List Filtered", ProductList, "browsing", Text("Filtered a list", "筛选商品列表"), Text(
        "When a list of products is narrowed or sorted.", "对商品列表筛选或排序时。"), by_customer=True),
    EventType("Promotion Viewed", Promotion, "browsing", Text("Saw a promotion", "看到促销"), Text(
        "When a promotion is shown.", "展示促销内容时。"), by_customer=True),
    EventType("Promotion Clicked", Promotion, "browsing", Text("Clicked a promotion", "点击促销"), Text(
        "When a promotion is clicked.", "点击促销内容时。"), by_customer=True),
    EventType("Product Clicked", OneProduct, "browsing", Text("Clicked a product", "点击商品"), Text(
        "When a product is clicked in a list.", "在列表中点击商品时。"), by_customer=True),
    EventType("Product Viewed", OneProduct, "browsing", Text("Viewed a product", "浏览商品"), Text(
        "When the page of a product is opened.", "打开商品详情页时。"), by_customer=True),
    EventType("Product Added", OneProduct, "cart", Text("Added to the cart", "加入购物车"), Text(
        "When a product is put into the cart.", "商品加入购物车时。"), by_customer=True),
    EventType("Product Removed", OneProduct, "cart", Text("Removed from the cart", "移出购物车"), Text(
        "When a product is taken out of the cart.", "商品移出购物车时。"), by_customer=True),
    EventType("Cart Viewed", Cart, "cart", Text("Viewed the cart", "查看购物车"), Text(
        "When the cart is opened.", "打开购物车时。"), by_customer=True),
    EventType("Checkout Started", Order, "cart", Text("Started checkout", "开始结账"), Text(
        "When somebody begins to pay for the cart.", "开始为购物车结账时。"), by_customer=True),
    EventType("Checkout Step Viewed", CheckoutStep, "cart", Text("Saw a checkout step", "进入结账步骤"), Text(
        "When a step of the checkout is shown.", "展示结账的某一步时。"), by_customer=True),
    EventType("Checkout Step Completed", CheckoutStep, "cart", Text("Completed a checkout step", "完成结账步骤"), Text(
        "When a step of the checkout is completed.", "完成结账的某一步时。"), by_customer=True),
    EventType("Payment Info Entered", CheckoutStep, "cart", Text("Entered payment details", "填写支付信息"), Text(
        "When the way of paying is chosen.", "选定支付方式时。"), by_customer=True),
    EventType("Order Updated", Order, "orders", Text("Order changed", "订单变更"), Text(
        "When an order is changed after it was placed. Sales figures keep to Order Completed.",
        "下单后订单有变更时。销售数字仍以 Order Completed 为准。"), by_customer=False),
    EventType("Order Completed", Order, "orders", Text("Bought", "完成订单"), Text(
        "When an order is paid, online or at the till. Amounts are in major units of `currency` (the business's own if "
        "none is given); `total` is what was paid, never negative: what goes back is an Order Refunded.",
        "订单付款时（线上或门店收银）。金额以 `currency` 的主单位计（未填则为企业本币）；`total` 为实付金额，不能为负："
        "退还的金额请用 Order Refunded。"),
        by_customer=True, sense=_not_negative),
    EventType("Order Refunded", Order, "orders", Text("Refunded", "退款"), Text(
        "When an order is paid back, in part (`total` and `products` say which) or whole.",
        "订单退款时；部分退款由 `total` 与 `products` 说明，否则为全额。"), by_customer=True),
    EventType("Order Cancelled", Order, "orders", Text("Cancelled an order", "取消订单"), Text(
        "When a paid order is cancelled before delivery.", "已付款订单在交付前取消时。"), by_customer=True),
    EventType("Order Shipped", Delivery, "orders", Text("Order shipped", "订单发货"), Text(
        "When an order leaves for the customer.", "订单发出时。"), by_customer=False),
    EventType("Order Delivered", Delivery, "orders", Text("Order delivered", "订单送达"), Text(
        "When the customer has received an order.", "客户收到订单时。"), by_customer=False),
    EventType("Coupon Entered", Coupon, "coupons", Text("Entered a coupon", "输入优惠券"), Text(
        "When a coupon code is entered.", "输入优惠码时。"), by_customer=True),
    EventType("Coupon Applied", Coupon, "coupons", Text("Coupon applied", "优惠券生效"), Text(
        "When a coupon takes effect on a cart or an order.", "优惠券在购物车或订单上生效时。"), by_customer=True),
    EventType("Coupon Denied", Coupon, "coupons", Text("Coupon refused", "优惠券被拒"), Text(
        "When a coupon is refused; `reason` says why.", "优惠券无法使用时；`reason` 说明原因。"), by_customer=True),
    EventType("Coupon Removed", Coupon, "coupons", Text("Coupon removed", "移除优惠券"), Text(
        "When a coupon is taken off a cart or an order.", "从购物车或订单中移除优惠券时。"), by_customer=True),
    EventType("Product Added to Wishlist", OneProduct, "sharing", Text("Added to the wish list", "加入心愿单"), Text(
        "When a product is put on a wish list.", "商品加入心愿单时。"), by_customer=True),
    EventType("Product Removed from Wishlist", OneProduct, "sharing", Text("Off the wish list", "移出心愿单"), Text(
        "When a product is taken off a wish list.", "商品移出心愿单时。"), by_customer=True),
    EventType("Wishlist Product Added to Cart", OneProduct, "cart", Text("From wish list to cart", "心愿单加入购物车"),
        Text("When a product goes from a wish list into the cart.", "心愿单商品加入购物车时。"), by_customer=True),
    EventType("Product Shared", Shared, "sharing", Text("Shared a product", "分享商品"), Text(
        "When a product is shared with somebody.", "分享商品时。"), by_customer=True),
    EventType("Cart Shared", Shared, "sharing", Text("Shared the cart", "分享购物车"), Text(
        "When a cart is shared with somebody.", "分享购物车时。"), by_customer=True),
    EventType("Product Reviewed", Reviewed, "sharing", Text("Wrote a review", "评价商品"), Text(
        "When a product is reviewed.", "评价商品时。"), by_customer=True),
)  # fmt: skip
