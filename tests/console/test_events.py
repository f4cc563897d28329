"""Live events, quarantine with repair and replay, the catalogue, and the subscribers of the log."""

import html
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from regulars.accounts.actors import SYSTEM
from regulars.accounts.services import add_write_key
from regulars.catalog import Fault
from regulars.customers.services import Claim, resolve
from regulars.eventlog import queries
from regulars.eventlog.quarantine import BadEvent, put
from regulars.eventlog.services import NewEvent, append
from regulars.jobs import presence
from regulars.kernel import clock
from regulars.kernel.languages import Text
from regulars.warehouse import engine
from regulars.wiring import loops
from tests.console.world import build


@pytest.fixture
def admin(home: Path, people: dict[str, Any]) -> Iterator[Client]:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(people["admin"])
    yield client
    engine.close()


def aside(**payload: Any) -> int:
    """An order whose total is no number, in quarantine; its id."""
    body = {"type": "track", "event": "Order Completed", "userId": "u1", "messageId": "bad-1"} | payload
    fault = Fault("wrong_type", "total", Text("total should be a number.", "total 应为数字。"))
    put([BadEvent(body, fault, "track:1", clock.now())])
    return queries.quarantined()[0].id


def test_what_arrived_is_listed_newest_first_and_looked_into(admin: Client) -> None:
    build()
    said = admin.get("/events").content.decode()
    assert said.index("Complaint Filed") < said.index("Order Completed")
    inside = admin.get("/events/m0").content.decode()
    assert "王芳" in inside and "curl " in inside and "&quot;order_id&quot;: &quot;A0&quot;" in inside


def test_a_copied_command_names_the_customer_where_it_is_known_and_may_be_seen(admin: Client, as_role: Any) -> None:
    now = clock.now()
    (who,) = resolve([Claim((("user_id", "o'neil $(x)"), ("phone", "13800138009")), {}, now)])
    append([NewEvent("m0", "Cup Broken", who, now, now, {}, {}, "track:1")])
    (shown,) = re.findall(r'data-text="([^"]*)"', admin.get("/events/m0").content.decode())
    command = shlex.split(html.unescape(shown))
    assert command[2:4] == ["-u", "WRITEKEY:"]
    body = json.loads(command[-1])
    assert body["userId"] == "o'neil $(x)" and "anonymousId" not in body
    said = as_role("analyst").get("/events/m0").content.decode()
    assert "YOUR-CUSTOMER" in said and "neil" not in said


def test_only_what_came_since_is_sent_to_a_page_that_waits(admin: Client) -> None:
    build()
    newest = queries.recent(limit=2)
    said = admin.get(f"/events?since={newest[1].id}", headers={"HX-Request": "true"}).content.decode()
    assert said.count("<tr data-href") == 1 and "<html" not in said


def test_a_bad_event_is_repaired_and_taken(admin: Client) -> None:
    id = aside(properties={"order_id": "A1", "total": "twelve"})
    assert "total should be a number." in admin.get("/events/quarantine").content.decode()
    broken = admin.post(f"/events/quarantine/one/{id}", {"payload": '{"type": "track",'})
    assert broken.status_code == 422
    assert (
        "look at line 1" in broken.content.decode()
        and "{&quot;type&quot;: &quot;track&quot;," in broken.content.decode()
    )
    still = queries.quarantined_event(id).payload
    answer = admin.post(f"/events/quarantine/one/{id}", {"payload": json.dumps(still)})
    assert answer.status_code == 422
    good = still | {"properties": {"order_id": "A1", "total": 12}}
    taken = admin.post(f"/events/quarantine/one/{id}", {"payload": json.dumps(good)})
    assert taken.status_code == 302 and "code=wrong_type&field=total" in taken["Location"]  # to the others of this kind
    assert queries.by_message_id("bad-1").properties["total"] == 12
    assert queries.quarantined() == []


def test_discarding_can_be_undone(admin: Client) -> None:
    id = aside(properties={"total": "x"})
    admin.post("/events/quarantine/discard", {"id": [id]})
    assert queries.quarantined() == []
    admin.post("/events/quarantine/restore", {"ids": str(id)})
    assert [row.id for row in queries.quarantined()] == [id]


def test_nothing_is_sent_in_again_or_discarded_unless_it_is_chosen(admin: Client) -> None:
    aside(properties={"total": "x"})
    for what in ("replay", "discard", "restore"):
        said = admin.post(f"/events/quarantine/{what}", {"next": "/events/quarantine"}, follow=True).content.decode()
        assert "Choose the events first." in said
    assert len(queries.quarantined()) == 1


def test_a_filter_that_no_event_meets_is_told_from_a_log_without_any(admin: Client) -> None:
    assert "Nothing has arrived yet" in admin.get("/events").content.decode()
    build()
    found = admin.get("/events?name=Drone+Landed").content.decode()
    assert "No such event" in found and "Nothing has arrived yet" not in found


def test_an_event_says_by_which_key_it_came(admin: Client) -> None:
    key = add_write_key(name="web shop", by=SYSTEM)
    now = clock.now()
    append([NewEvent("k1", "Page Viewed", None, now, now, {}, {}, f"track:{key.pk}")])
    assert "Tracking · web shop" in admin.get("/events").content.decode()


def test_a_whole_reason_is_sent_in_again_at_once(admin: Client) -> None:
    aside(properties={"order_id": "A1", "total": 5})
    group = queries.quarantine_groups()[0]
    admin.post("/events/quarantine/replay", {"code": group.code, "field": group.field, "name": group.name})
    assert queries.quarantined() == []
    assert queries.by_message_id("bad-1").properties["order_id"] == "A1"


def test_the_catalogue_and_the_subscribers_are_shown(admin: Client) -> None:
    assert "Order Completed" in admin.get("/events/catalogue").content.decode()
    assert admin.get("/events/subscribers").status_code == 200


def test_work_in_the_background_is_told_in_the_language_in_use(admin: Client) -> None:
    loop = presence.LoopView("dispatch warehouse", 3, "OSError: no room", clock.now())
    presence.report(host="till", folder="/srv", name="worker", loops=[loop])
    told = {code: told_in(admin, code) for code in ("en", "zh-hans")}
    assert "Handing events to the warehouse</th>" in told["en"] and "Worker · till" in told["en"]
    assert re.search("Work in the background keeps failing: [^<.]*Handing events to the warehouse", told["en"])
    assert "向分析库分发事件</th>" in told["zh-hans"] and "后台进程 · till" in told["zh-hans"]
    assert "dispatch warehouse" not in told["en"] + told["zh-hans"]


def told_in(admin: Client, language: str) -> str:
    admin.cookies["regulars_language"] = language
    return admin.get("/events/subscribers").content.decode()


def test_an_analyst_watches_but_repairs_nothing(admin: Client, people: dict[str, Any]) -> None:
    id = aside(properties={"total": "x"})
    admin.force_login(people["analyst"])
    assert admin.get("/events").status_code == 200
    assert admin.get("/events/quarantine").status_code == 403
    assert admin.post("/events/quarantine/discard", {"id": [id]}).status_code == 403
    assert len(queries.quarantined()) == 1


def test_those_who_may_repair_are_told_on_every_page_what_keeps_failing(
    as_role: Any, home: Path, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step() -> bool:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(loops, "_pause", lambda failures: 0.01)
    loops.start([loops.Loop("full refresh", step)])
    try:
        wait_for(lambda: loops.states()[0].failures >= loops.OFTEN)
        for language, said in (("en", "keeps failing: Full refresh."), ("zh", "后台任务持续失败：全量刷新。")):
            assert said in as_role("manager", language).get("/customers").content.decode()
        assert "Full refresh" not in as_role("agent").get("/customers").content.decode()
    finally:
        loops.stop()
        loops.start([])  # forgets how that one fared
    assert "keeps failing" not in as_role("manager").get("/customers").content.decode()
