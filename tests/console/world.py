"""A small world for pages: three regulars of two stores, one who slips away, one who only looked; a complaint, scores."""

from datetime import UTC, datetime, timedelta
from typing import Any

from regulars.customers import services
from regulars.customers.services import Claim
from regulars.eventlog.rows import NewEvent
from regulars.eventlog.services import append
from regulars.kernel import clock
from regulars.warehouse import feed, refresh

NAMES = ("王芳", "李雷", "Anna", "张伟", "路过")


def build() -> list[int]:
    """Customers by the order of NAMES; the warehouse is fed and refreshed."""
    now = clock.now().astimezone(UTC)
    claims = [
        Claim(identities=(("user_id", f"u{n}"), ("phone", f"1380013800{n}")), traits={"name": name}, at=now)
        for n, name in enumerate(NAMES)
    ]
    records = services.resolve(claims)
    events: list[NewEvent] = []

    def happened(who: int, event: str, days_ago: float, **properties: Any) -> None:
        at: datetime = now - timedelta(days=days_ago)
        events.append(
            NewEvent(f"m{len(events)}", event, records[who], at, at, properties, {}, "track:1")
        )  # fmt: skip

    def bought(who: int, days_ago: float, total: int, store: str) -> None:
        products = [{"product_id": "tea", "name": "乌龙茶", "category": "茶", "price": total, "quantity": 1}]
        happened(
            who, "Order Completed", days_ago, order_id=f"A{len(events)}", total=total, currency="CNY",
            products=products, store=store, channel="store",
        )  # fmt: skip

    for n in range(12):
        bought(0, 5 + 30 * n, 100, "静安店")
        bought(1, 9 + 30 * n, 60, "静安店")
        bought(2, 12 + 28 * n, 300, "Bund")
        bought(3, 200 + 14 * n, 500, "Bund")
    bought(0, 3, 40, "Bund")
    happened(4, "Product Viewed", 2, product_id="tea", name="乌龙茶")
    happened(0, "Survey Answered", 4, kind="nps", score=10, store="静安店")
    happened(1, "Survey Answered", 4, kind="nps", score=3, store="静安店")
    happened(1, "Complaint Filed", 4, category="price", store="静安店")
    assert all(append(events))
    feed.catch_up()
    refresh.full()
    return records
