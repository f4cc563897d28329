"""What happens shows up by itself: nobody refreshes, nobody reloads. How soon is measured by `python -m bench live`."""

import threading
import time
from typing import Any

import httpx

from tests.house.conftest import Server

GENEROUS = 60.0  # seconds; the promise is 5 on a machine that isn't busy with a test suite
SCOPES = ("--scope", "customers.view")


def until(ask: Any, holds: Any, what: str) -> Any:
    end, pause = time.monotonic() + GENEROUS, threading.Event()
    while True:
        found = ask()
        if holds(found):
            return found
        assert time.monotonic() < end, f"{what} didn't come by itself: {found}"
        pause.wait(0.1)


def test_an_order_reaches_timeline_stage_and_scores_without_anybody_doing_anything(server: Server) -> None:
    write_key = server.cli("key", "add", "Shop").stdout.strip()
    secret = server.cli("key", "add-api", "Reader", *SCOPES).stdout.strip()
    with httpx.Client(base_url=server.url, timeout=30) as shop, httpx.Client(base_url=server.url, timeout=30) as reader:
        reader.headers["Authorization"] = f"Bearer {secret}"

        def order(number: str, total: int) -> None:
            lines = [{"product_id": "tea", "price": total, "quantity": 1}]
            said = {"order_id": number, "total": total, "currency": "CNY", "products": lines}
            message = {"userId": "u1", "event": "Order Completed", "messageId": number, "properties": said}
            until(  # a new key counts a moment after it was made
                lambda: shop.post("/v1/track", json=message, auth=(write_key, "")).status_code,
                lambda s: s == 200,
                "200",
            )

        def customer() -> Any:
            answer = reader.get("/api/v1/customers/lookup", params={"kind": "user_id", "value": "u1"})
            return answer.json() if answer.status_code == 200 else None

        order("A1", 80)
        first = until(customer, lambda c: c and (c["worth"] or {}).get("orders") == 1, "the first order")
        assert first["worth"]["net"] == 8000
        assert first["worth"]["stage"] == "new"
        order("A2", 20)
        second = until(customer, lambda c: c["worth"]["orders"] == 2, "the second order")
        assert second["worth"]["net"] == 10000
        timeline = reader.get(f"/api/v1/customers/{second['id']}/events", params={"event": "Order Completed"}).json()
        assert sorted(row["message_id"] for row in timeline["data"]) == ["A1", "A2"]
