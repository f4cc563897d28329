"""Events sent on: signed, once per event, retried with pauses, never into the private network."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook

from regulars.accounts.actors import SYSTEM
from regulars.customers.services import Claim, erase, resolve
from regulars.eventlog import dispatch
from regulars.eventlog.services import NewEvent, append
from regulars.kernel import clock
from regulars.kernel.errors import Forbidden, Invalid, NotFound
from regulars.webhooks import addresses, handlers, queries, sending
from regulars.webhooks.services import (
    add_endpoint,
    change_endpoint,
    remove_endpoint,
    renew_secret,
    resend,
    send_test,
)

FOLLOWER = dispatch.Subscriber("webhooks", handlers.handle)


class Receiver:
    """A program at a business: keeps what it is sent, answers what it is told to."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[dict[str, str], str]] = []
        receiver = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                receiver.got.append(({key.lower(): value for key, value in self.headers.items()}, text))
                self.send_response(receiver.status)
                if receiver.status == 302:
                    self.send_header("Location", "http://169.254.169.254/latest")
                self.end_headers()
                self.wfile.write(b"thanks")

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://localhost:{self.server.server_address[1]}/hooks?from=regulars"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOKS_PRIVATE = True
    one = Receiver()
    yield one
    one.server.shutdown()
    one.server.server_close()


def happens(name: str, id: str, record: int | None = None, **properties: Any) -> None:
    now = clock.now()
    append([NewEvent(id, name, record, now, now, properties, {"ip": "1.2.3.4"}, "demo")])
    dispatch.number()
    while dispatch.advance(FOLLOWER):
        pass


def test_an_event_arrives_once_with_a_signature_that_holds(db: None, receiver: Receiver) -> None:
    _, secret = add_endpoint(url=receiver.url, events=["Order Completed"], by=SYSTEM)
    happens("Order Completed", "m1", 7, order_id="A1", total=12.5)
    happens("Product Viewed", "m2", 7)
    assert sending.send_due() == 1
    assert sending.send_due() == 0
    ((headers, text),) = receiver.got
    payload = Webhook(secret).verify(text, headers)
    assert payload["type"] == "Order Completed"
    assert payload["data"]["properties"] == {"order_id": "A1", "total": 12.5}
    assert (payload["data"]["customer"], payload["data"]["message_id"]) == (7, "m1")
    assert "ip" not in text
    assert headers["host"].startswith("localhost:")
    (row,) = queries.deliveries()
    assert (row.state, row.attempts, row.key) == ("delivered", 1, headers["webhook-id"])
    (attempt,) = queries.delivery(row.id).attempts
    assert (attempt.status, attempt.excerpt) == (200, "thanks")
    handlers.handle(list(_events()))
    assert len(queries.deliveries()) == 1


def _events() -> Any:
    from regulars.eventlog.queries import recent

    return [row for row in recent() if row.name == "Order Completed"]


def test_failures_are_retried_with_growing_pauses_under_the_same_id(db: None, receiver: Receiver) -> None:
    add_endpoint(url=receiver.url, events=[], by=SYSTEM)
    receiver.status = 503
    start = clock.now() + timedelta(seconds=1)
    happens("Order Completed", "m1", total=1)
    at = start
    for pause in sending.PAUSES:
        with clock.frozen(at):
            assert sending.send_due() == 1
            assert sending.send_due() == 0
        with clock.frozen(at + pause - timedelta(seconds=1)):
            assert sending.send_due() == 0
        at += pause
    with clock.frozen(at):
        assert sending.send_due() == 1
    with clock.frozen(at + timedelta(days=9)):
        assert sending.send_due() == 0
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len(receiver.got) == len(sending.PAUSES) + 1
    (row,) = queries.deliveries()
    assert row.state == "failed" and queries.endpoints()[0].failed == 1
    receiver.status = 204
    resend(delivery_id=row.id, by=SYSTEM)
    assert sending.send_due() == 1
    assert queries.deliveries()[0].state == "delivered"
    assert receiver.got[-1][0]["webhook-id"] == row.key


def test_what_was_claimed_by_a_process_that_died_is_sent_again(db: None, receiver: Receiver) -> None:
    add_endpoint(url=receiver.url, events=[], by=SYSTEM)
    happens("Order Completed", "m1", total=1)
    assert len(sending._claim(10)) == 1
    assert sending.send_due() == 0
    with clock.frozen(clock.now() + sending.CLAIM + timedelta(seconds=1)):
        assert sending.send_due() == 1
    assert queries.deliveries()[0].state == "delivered"


@pytest.mark.django_db(transaction=True)
def test_two_senders_never_send_the_same_delivery(receiver: Receiver) -> None:
    from django.db import connection

    add_endpoint(url=receiver.url, events=[], by=SYSTEM)
    for n in range(12):
        happens("Order Completed", f"m{n}", total=1)

    def work(_: int) -> int:
        try:
            return sum(sending.send_due(3) for _ in range(8))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(work, range(2))) == 12
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == len(receiver.got) == 12


def test_redirects_arent_followed_and_gone_ends_it(db: None, receiver: Receiver) -> None:
    id, _ = add_endpoint(url=receiver.url, events=[], by=SYSTEM)
    receiver.status = 302
    happens("Order Completed", "m1", total=1)
    sending.send_due()
    assert queries.delivery(queries.deliveries()[0].id).attempts[0].status == 302
    receiver.status = 410
    happens("Order Completed", "m2", total=1)
    sending.send_due()
    assert [row.state for row in queries.deliveries()] == ["failed", "waiting"]
    (endpoint,) = queries.endpoints()
    assert (endpoint.active, endpoint.paused_reason) == (False, "410 Gone")
    happens("Order Completed", "m3", total=1)
    assert len(queries.deliveries()) == 2
    change_endpoint(id=id, active=True, by=SYSTEM)
    happens("Order Completed", "m4", total=1)
    assert len(queries.deliveries()) == 3


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x", "https://localhost/x", "https://10.1.2.3/", "https://192.168.0.1", "https://[::1]/",
        "https://169.254.169.254/latest/meta-data", "https://[::ffff:10.0.0.1]/", "https://0.0.0.0/",
        "https://2130706433/", "https://0x7f.1/", "https://100.64.0.1/", "https://[fd00::1]/", "https://224.0.0.1/",
        "https://[64:ff9b::a00:1]/", "http://8.8.8.8/", "ftp://8.8.8.8/", "https://user:pass@8.8.8.8/", "hello", "",
        "https://8.8.8.8:0/", "https://8.8.8.8:99999/", "https:///x", "https://a b/", "https://no-such-host.invalid/",
    ],
)  # fmt: skip
def test_private_and_odd_addresses_are_refused(db: None, url: str) -> None:
    with pytest.raises(Invalid) as problem:
        add_endpoint(url=url, events=[], by=SYSTEM)
    assert problem.value.field == "url" and problem.value.text.zh


def test_a_public_address_is_pinned() -> None:
    target = addresses.resolved("https://8.8.8.8:8443/hooks?x=1")
    assert (target.url, target.authority) == ("https://8.8.8.8:8443/hooks?x=1", "8.8.8.8:8443")


def test_a_name_that_turns_private_later_isnt_reached(db: None, receiver: Receiver, settings: Any) -> None:
    add_endpoint(url=receiver.url.replace("http://", "https://"), events=[], by=SYSTEM)
    settings.WEBHOOKS_PRIVATE = False
    happens("Order Completed", "m1", total=1)
    sending.send_due()
    (attempt,) = queries.delivery(queries.deliveries()[0].id).attempts
    assert attempt.status is None and attempt.error is not None
    assert "private network" in attempt.error.en and "内网" in attempt.error.zh
    assert receiver.got == []


def test_events_are_those_of_the_catalogue_and_those_seen(db: None, receiver: Receiver) -> None:
    with pytest.raises(Invalid, match="events"):
        add_endpoint(url=receiver.url, events=["Sauna Booked"], by=SYSTEM)
    for misspelt in ("order_completed", "Order Compleated", "OrderComplete"):
        with pytest.raises(Invalid, match="Did you mean Order Completed"):
            add_endpoint(url=receiver.url, events=[misspelt], by=SYSTEM)
    happens("Sauna Booked", "m1")
    id, secret = add_endpoint(url=receiver.url, events=["Sauna Booked", "Order Completed"], by=SYSTEM, name="Desk")
    assert queries.endpoints()[0].events == ("Sauna Booked", "Order Completed")
    assert renew_secret(id=id, by=SYSTEM) != secret
    send_test(id=id, by=SYSTEM)
    sending.send_due()
    assert json.loads(receiver.got[0][1])["type"] == "Webhook Test"
    happens("Order Completed", "m2", total=1)
    remove_endpoint(id=id, by=SYSTEM)
    assert sending.send_due() == 0
    assert queries.deliveries()[0].state == "cancelled" and queries.endpoints() == []
    (removed,) = queries.endpoints(removed=True)
    assert (removed.id, removed.name) == (id, "Desk") and removed.removed_at is not None
    assert queries.endpoint(id) == removed and len(queries.deliveries(endpoint=id)) == 2
    with pytest.raises(NotFound):
        change_endpoint(id=id, active=True, by=SYSTEM)
    with pytest.raises(NotFound):
        resend(delivery_id=queries.deliveries()[0].id, by=SYSTEM)


def test_nothing_of_an_erased_person_stays_in_the_log(db: None, receiver: Receiver) -> None:
    (record,) = resolve([Claim((("user_id", "u1"),), {}, clock.now())])
    add_endpoint(url=receiver.url, events=["Order Completed"], by=SYSTEM)
    happens("Order Completed", "m1", record, comment="Ring twice")
    assert record is not None
    erase(customer_id=record, by=SYSTEM)
    happens("Product Viewed", "m2")
    (row,) = queries.deliveries()
    assert (row.state, queries.delivery(row.id).body) == ("cancelled", "{}")


def test_old_deliveries_are_forgotten(db: None, receiver: Receiver) -> None:
    add_endpoint(url=receiver.url, events=[], by=SYSTEM)
    happens("Order Completed", "m1", total=1)
    sending.send_due()
    assert sending.forget() == 0
    with clock.frozen(clock.now() + timedelta(days=31)):
        assert sending.forget() == 1
    assert queries.deliveries() == []


def test_only_those_who_may_edit_webhooks(db: None, actors: dict[str, Any], receiver: Receiver) -> None:
    with pytest.raises(Forbidden):
        add_endpoint(url=receiver.url, events=[], by=actors["marketer"])
