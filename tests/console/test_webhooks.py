"""Webhooks in the console: added, tried, paused, sent again, deleted; the secret is seen once."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from regulars.accounts.actors import SYSTEM
from regulars.webhooks import queries, sending, services
from tests.webhooks.test_webhooks import Receiver, happens

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("home")]


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOKS_PRIVATE = True
    one = Receiver()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def admin(as_role: Any, people: dict[str, Any]) -> Client:
    client: Client = as_role("admin")
    return client


def _text(answer: Any) -> str:
    return str(answer.content.decode())


def _added(url: str, *events: str) -> int:
    id, _ = services.add_endpoint(url=url, events=events, by=SYSTEM, name="Till")
    return id


def test_a_webhook_is_added_and_its_secret_shown_this_once(admin: Client, receiver: Receiver) -> None:
    assert "No webhooks yet" in _text(admin.get("/webhooks"))
    given = {"url": receiver.url, "name": "Till", "which": "some", "events": ["Order Completed"], "others": ""}
    answer = admin.post("/webhooks/new", given)
    secret = _text(answer).partition('id="secret">')[2].partition("<")[0]
    (one,) = queries.endpoints()
    assert (one.url, one.name, one.events, one.secret) == (receiver.url, "Till", ("Order Completed",), secret)
    assert answer["Cache-Control"].startswith("max-age=0")
    assert "How to verify what arrives" in _text(answer)
    for address in ("/webhooks", f"/webhooks/{one.id}", f"/webhooks/{one.id}/edit", "/audit"):
        assert secret not in _text(admin.get(address))
    renewed = _text(admin.post(f"/webhooks/{one.id}/secret"))
    assert queries.endpoint(one.id).secret != secret
    assert queries.endpoint(one.id).secret in renewed


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"url": "ftp://example.com"}, "url", "Give an address that begins with https://"),
        ({"url": ""}, "url", "Give an address that begins with https://"),
        ({"events": []}, "events", "Choose at least one event."),
        ({"others": "Order Completed，Sauna Booked"}, "events", "There is no event called Sauna Booked."),
        ({"name": "x" * 101}, "name", "A name has 100 characters at most."),
    ],
)
def test_a_fault_stands_at_its_field_and_nothing_typed_is_lost(
    admin: Client, receiver: Receiver, changes: dict[str, Any], field: str, said: str
) -> None:
    given = {"url": receiver.url, "name": "Till", "which": "some", "events": ["Order Completed"], "others": ""}
    given |= changes
    id = _added(receiver.url, "Product Viewed")
    for address in ("/webhooks/new", f"/webhooks/{id}/edit"):
        answer = admin.post(address, given)
        page = _text(answer)
        assert answer.status_code == 422
        assert said in page.partition(f'id="fault-{field}"')[2].partition("</div>")[0]
        assert f'name="url" type="url" inputmode="url" value="{given["url"]}"' in page
        assert f'name="name" value="{given["name"]}"' in page
        assert f'name="others" value="{given["others"]}"' in page
        chosen = re.findall(r'name="events" value="([^"]+)" checked', page)
        assert chosen == given["events"]
    assert [one.events for one in queries.endpoints()] == [("Product Viewed",)]


def test_a_fault_is_told_in_chinese_too(as_role: Any, people: dict[str, Any]) -> None:
    page = _text(as_role("admin", "zh-CN").post("/webhooks/new", {"url": "x", "which": "all"}))
    assert "请填写以 https:// 开头的地址" in page.partition('id="fault-url"')[2]


def test_private_addresses_are_refused_at_the_field(admin: Client) -> None:
    answer = admin.post("/webhooks/new", {"url": "https://10.0.0.1/hooks", "which": "all"})
    assert answer.status_code == 422
    assert "10.0.0.1 is inside a private network" in _text(answer).partition('id="fault-url"')[2]


def test_a_webhook_is_changed_to_every_event_and_to_ones_own(admin: Client, receiver: Receiver) -> None:
    happens("Sauna Booked", "m0")
    id = _added(receiver.url, "Order Completed", "Sauna Booked")
    page = _text(admin.get(f"/webhooks/{id}/edit"))
    assert 'value="Order Completed" checked' in page
    assert 'name="others" value="Sauna Booked"' in page
    admin.post(f"/webhooks/{id}/edit", {"url": receiver.url, "name": "Desk", "which": "all", "events": ["x"]})
    assert (queries.endpoint(id).events, queries.endpoint(id).name) == ((), "Desk")
    assert 'value="all" checked' in _text(admin.get(f"/webhooks/{id}/edit"))


def test_the_log_says_how_each_delivery_went_and_sends_again(admin: Client, receiver: Receiver) -> None:
    id = _added(receiver.url, "Order Completed")
    receiver.status = 410
    happens("Order Completed", "m1", total=1)
    sending.send_due()
    page = _text(admin.get(f"/webhooks/{id}"))
    assert "it answered 410 Gone" in page
    assert '<span class="mark mark-bad">failed</span>' in page
    assert "Nothing in this state." in _text(admin.get(f"/webhooks/{id}?state=delivered"))
    (row,) = queries.deliveries()
    detail = _text(admin.get(f"/webhooks/deliveries/{row.id}"))
    assert '<span class="mark mark-bad">410</span>' in detail
    assert "thanks" in detail
    assert row.key in detail
    assert "&quot;total&quot;: 1" in detail
    receiver.status = 200
    admin.post(f"/webhooks/{id}/state", {"active": "1"})
    sent = admin.post(f"/webhooks/deliveries/{row.id}/resend", {"next": f"/webhooks/{id}"}, follow=True)
    assert "It is sent again, under the same id." in _text(sent)
    sending.send_due()
    fragment = _text(admin.get(f"/webhooks/deliveries/{row.id}", headers={"HX-Request": "true"}))
    assert fragment.lstrip().startswith('<div id="delivery">')
    assert '<span class="mark mark-good">delivered</span>' in fragment
    assert [headers["webhook-id"] for headers, _ in receiver.got] == [row.key] * 2


def test_a_pause_holds_what_waits_and_is_undone(admin: Client, receiver: Receiver) -> None:
    id = _added(receiver.url, "Order Completed")
    happens("Order Completed", "m1", total=1)
    paused = _text(admin.post(f"/webhooks/{id}/state", {"active": "0"}, follow=True))
    assert "Paused." in paused
    assert f'action="/webhooks/{id}/state"><input type="hidden" name="csrfmiddlewaretoken"' in paused
    assert sending.send_due() == 0
    happens("Order Completed", "m2", total=1)
    admin.post(f"/webhooks/{id}/state", {"active": "1"})
    assert sending.send_due() == 1
    assert [row.message_id for row in queries.deliveries()] == ["m1"]


def test_a_test_event_is_sent(admin: Client, receiver: Receiver) -> None:
    id = _added(receiver.url)
    page = _text(admin.post(f"/webhooks/{id}/test", follow=True))
    assert "Webhook Test" in page
    assert 'hx-trigger="every 2s"' in page
    sending.send_due()
    ((_, body),) = receiver.got
    assert '"type":"Webhook Test"' in body


def test_a_webhook_is_deleted_once_its_number_is_typed(admin: Client, receiver: Receiver) -> None:
    id = _added(receiver.url, "Order Completed")
    happens("Order Completed", "m1", total=1)
    refused = admin.post(f"/webhooks/{id}/remove", {"confirm": "yes"})
    assert refused.status_code == 422
    assert 'id="fault-confirm"' in _text(refused)
    assert "The webhook is deleted." in _text(admin.post(f"/webhooks/{id}/remove", {"confirm": str(id)}, follow=True))
    assert queries.endpoints() == []
    assert f'href="/webhooks/{id}"' in _text(admin.get("/webhooks"))  # its log stays for a while
    log = _text(admin.get(f"/webhooks/{id}"))
    assert "This webhook was deleted." in log and "Order Completed" in log
    (row,) = queries.deliveries(endpoint=id)
    for page in (log, _text(admin.get(f"/webhooks/deliveries/{row.id}"))):
        assert "/resend" not in page and "/test" not in page and 'data-open="remove"' not in page
    assert admin.post(f"/webhooks/{id}/switch", {"active": "1"}).status_code == 404


def test_a_long_log_pages_by_key(admin: Client, receiver: Receiver) -> None:
    id = _added(receiver.url, "Order Completed")
    for n in range(53):
        happens("Order Completed", f"m{n}", total=1)
    first = _text(admin.get(f"/webhooks/{id}"))
    following = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    second = _text(admin.get(f"/webhooks/{id}{following}"))
    assert (first.count("<tr data-href"), second.count("<tr data-href")) == (50, 3)


def test_only_who_may_edit_webhooks_sees_them(as_role: Any, people: dict[str, Any]) -> None:
    from regulars.accounts.capabilities import OF_ROLE, ROLES

    for role in ROLES:
        may = "webhooks.edit" in OF_ROLE[role]
        client = as_role(role)
        assert client.get("/webhooks").status_code == (200 if may else 403)
        assert ('href="/webhooks"' in _text(client.get("/me"))) == may
