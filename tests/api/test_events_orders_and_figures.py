"""Events and orders in through intake, and what becomes of them: timeline, orders, figures, segments, webhooks."""

import socket
from datetime import timedelta
from typing import Any

from regulars.accounts.actors import SYSTEM
from regulars.kernel import clock
from regulars.warehouse import feed, refresh
from regulars.webhooks import sending
from regulars.webhooks.services import send_test as sending_test
from tests.api.conftest import Program

LI = [{"kind": "user_id", "value": "u1"}, {"kind": "phone", "value": "13812345678"}]


def fed() -> None:
    from regulars.eventlog import dispatch

    dispatch.number()
    feed.catch_up()
    refresh.full()


def test_events_are_judged_one_by_one_and_stand_on_the_timeline(program: Program) -> None:
    events = [
        {"event": "Product Viewed", "identities": LI, "properties": {"product_id": "p1"}, "message_id": "m1"},
        {"event": "Order Completed", "identities": LI, "properties": {"total": "a lot"}},
        {"event": "Customer Erased", "identities": LI},
        {"event": "Sauna Booked", "identities": LI, "at": "2026-01-05T09:00:00+08:00"},
        {"event": "Product Viewed", "identities": LI, "properties": {"product_id": "p1"}, "message_id": "m1"},
        {"event": "Order Completed", "identities": LI, "properties": {"total": -5}},
        {"event": "Survey Answered", "identities": LI, "properties": {"kind": "nps", "score": 99}},
    ]
    status, answer = program.post("/events", {"events": events})
    assert status == 200
    assert answer["accepted"] == 3
    assert [(row["index"], row["code"], row["field"]) for row in answer["refused"]] == [
        (1, "wrong_type", "total"), (2, "reserved", ""), (5, "negative", "total"), (6, "out_of_range", "score"),
    ]  # fmt: skip
    id = program.get("/customers/lookup?kind=user_id&value=u1")[1]["id"]
    status, page = program.get(f"/customers/{id}/events?limit=2")
    assert status == 200 and len(page["data"]) == 2
    rest = program.get(f"/customers/{id}/events?limit=2&cursor={page['next_cursor']}")[1]
    names = [row["event"] for row in page["data"] + rest["data"]]
    assert sorted(names) == ["Customer Identified", "Product Viewed", "Sauna Booked"]
    assert rest["next_cursor"] is None
    latest = program.get("/events?event=Sauna%20Booked")[1]["data"]
    assert [(row["customer"], row["at"]) for row in latest] == [(id, "2026-01-05T01:00:00Z")]
    assert latest[0]["source"] == f"api:{program.key.pk}"


def yesterday() -> str:
    return (clock.now() - timedelta(days=1)).isoformat()


def order(id: str, total: float, **more: Any) -> dict[str, Any]:
    return {
        "order_id": id,
        "identities": LI,
        "total": total,
        "currency": "CNY",
        "store": "hz-1",
        "at": yesterday(),
        **more,
    }


def test_orders_come_in_once_and_show_in_orders_figures_and_segments(program: Program) -> None:
    products = [{"product_id": "p1", "name": "Oolong", "price": 12.5, "quantity": 2}]
    assert program.post("/orders", order("A1", 25, products=products)) == (200, {"accepted": 1, "refused": []})
    assert program.post("/orders", order("A1", 25, products=products))[0] == 200
    assert program.post("/orders", order("A2", 10.01))[0] == 200
    assert (
        program.post("/orders/A2/refunds", {"identities": LI, "total": 3, "currency": "CNY", "at": yesterday()})[1][
            "accepted"
        ]
        == 1
    )
    fed()
    id = program.get("/customers/lookup?kind=user_id&value=u1")[1]["id"]
    status, page = program.get(f"/customers/{id}/orders?limit=1")
    assert status == 200 and page["next_cursor"]
    rest = program.get(f"/customers/{id}/orders?limit=1&cursor={page['next_cursor']}")[1]
    rows = {row["order_id"]: row for row in page["data"] + rest["data"]}
    assert (rows["A1"]["gross"], rows["A1"]["net"], rows["A1"]["store"]) == (2500, 2500, "hz-1")
    assert (rows["A2"]["gross"], rows["A2"]["refunds"], rows["A2"]["net"]) == (1001, 300, 701)
    assert rows["A1"]["lines"][0]["quantity"] == 2
    assert [row["gross"] + row["adjustments"] - row["refunds"] - row["net"] for row in rows.values()] == [0, 0]
    status, told = program.get("/figures?days=7")
    figures = {row["key"]: row["now"] for row in told["figures"]}
    assert status == 200 and (figures["gross"], figures["net"], figures["orders"]) == (3501, 3201, 2)
    assert (figures["adjustments"], figures["refunds"]) == (0, 300)
    assert {day["adjustments"] for day in told["series"]} == {0}
    assert told["currency"] == "CNY" and len(told["series"]) == 7
    assert told["series"][-1]["day"] == told["until"] and told["today"]["orders"] == 0
    segments = {row["key"]: row for row in program.get("/segments")[1]}
    worth = program.get(f"/customers/{id}")[1]["worth"]
    assert (worth["orders"], worth["net"]) == (2, 3201)
    assert segments[f"stage:{worth['stage']}"]["customers"] == 1
    status, members = program.get(f"/segments/rfm:{worth['rfm_group']}/customers")
    assert status == 200 and [row["id"] for row in members["data"]] == [id]
    assert program.get("/segments/rfm:nothing/customers")[0] == 404


def test_customers_say_how_they_feel_and_are_found_by_it(program: Program) -> None:
    for user, score in (("u1", 2), ("u2", 10), ("u3", None)):
        who = [{"kind": "user_id", "value": user}]
        program.post("/orders", {"order_id": f"A-{user}", "identities": who, "total": 10, "at": yesterday()})
        if score is not None:
            answer = {"event": "Survey Answered", "identities": who, "properties": {"kind": "nps", "score": score}}
            assert program.post("/events", {"events": [answer | {"at": yesterday()}]})[1]["accepted"] == 1
    fed()
    rows = {row["identities"][0]["value"]: row for row in program.get("/customers")[1]["data"]}
    assert {user: (row["mood"], row["taste"]) for user, row in rows.items()} == {
        "u1": ("unhappy", None), "u2": ("happy", None), "u3": (None, None),
    }  # fmt: skip
    status, page = program.get("/customers?mood=unhappy")
    assert (status, [row["id"] for row in page["data"]], page["next_cursor"]) == (200, [rows["u1"]["id"]], None)
    assert program.get(f"/customers/{rows['u1']['id']}")[1]["worth"]["mood"] == "unhappy"
    assert program.get("/customers?mood=unhappy&q=u2")[1]["data"] == []
    for query, users in (("q=u1", ["u1"]), ("known=true", ["u1"]), ("known=false", []), ("q=u1&known=false", [])):
        data = program.get(f"/customers?mood=unhappy&{query}")[1]["data"]
        assert [row["identities"][0]["value"] for row in data] == users, query
    assert program.get("/customers?mood=unhappy&tag=VIP")[1]["data"] == []
    assert program.get("/customers?taste=price")[1]["data"] == []
    assert program.get("/customers?mood=angry")[0] == 422
    assert program.get("/customers?mood=happy&cursor=x")[0] == 422


def test_a_webhook_is_added_listed_and_removed(program: Program, settings: Any) -> None:
    status, problem = program.post("/webhooks", {"url": "https://127.0.0.1/x"})
    assert (status, problem["code"]) == (422, "url_private")
    settings.WEBHOOKS_PRIVATE = True
    status, made = program.post("/webhooks", {"url": "http://127.0.0.1:9/x", "events": ["Order Completed"]})
    assert status == 201 and made["secret"].startswith("whsec_")
    (row,) = program.get("/webhooks")[1]["data"]
    assert row["events"] == ["Order Completed"] and "secret" not in row
    assert program.get("/deliveries") == (200, {"data": [], "next_cursor": None})
    assert program.post("/deliveries/1/resend")[0] == 404
    assert program.ask("DELETE", f"/webhooks/{made['id']}") == (200, {"done": True})
    nothing = {"data": [], "next_cursor": None}
    assert program.get("/webhooks") == program.get("/webhooks?removed=true") == (200, nothing)


def test_the_log_of_a_removed_webhook_tells_why_nothing_arrived_in_the_callers_language(
    program: Program, settings: Any
) -> None:
    settings.WEBHOOKS_PRIVATE = True
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # a port that nobody listens on
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/x"
        id = program.post("/webhooks", {"url": url, "name": "Desk"})[1]["id"]
        status, changed = program.ask("PATCH", f"/webhooks/{id}", {"events": ["Tag Added"]})
        assert (status, changed["events"], changed["name"], changed["active"]) == (200, ["Tag Added"], "Desk", True)
        assert program.post(f"/webhooks/{id}/secret")[1]["secret"].startswith("whsec_")
        sending_test(id=id, by=SYSTEM)
        assert sending.send_due() == 1
    program.ask("DELETE", f"/webhooks/{id}")
    (row,) = program.get("/webhooks?removed=true")[1]["data"]
    assert row["id"] == id and row["removed_at"] is not None
    (delivery,) = program.get(f"/deliveries?webhook={id}")[1]["data"]
    (attempt,) = program.get(f"/deliveries/{delivery['id']}")[1]["attempts"]
    assert attempt["status"] is None and attempt["error"].startswith("Nobody takes the connection")
    path = f"/deliveries/{delivery['id']}"
    (attempt,) = program.get(path, **{"Accept-Language": "zh-CN"})[1]["attempts"]
    assert attempt["error"].startswith("无法建立连接：")
    assert program.ask("PATCH", f"/webhooks/{id}", {"active": True})[0] == 404


def test_a_refund_without_a_total_gives_back_the_rest_of_the_order(program: Program) -> None:
    who = [{"kind": "user_id", "value": "u1"}]
    program.post("/orders", {"order_id": "A1", "identities": who, "total": 100})
    program.post("/orders/A1/refunds", {"identities": who, "total": 30})
    for _ in range(2):  # once more: nothing is left to give back
        assert program.post("/orders/A1/refunds", {"identities": who})[1]["accepted"] == 1
    fed()
    id = program.get("/customers/lookup?kind=user_id&value=u1")[1]["id"]
    (order,) = program.get(f"/customers/{id}/orders")[1]["data"]
    assert (order["gross"], order["refunds"], order["net"]) == (10000, 10000, 0)
    status, problem = program.post("/orders/A1/refunds", {"identities": who, "currency": "USD"})
    assert (status, problem["field"]) == (422, "total")
