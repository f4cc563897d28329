"""The door: who may send, which shapes and sizes are taken, what is answered under pressure and to browsers."""

import asyncio
import errno
import gzip
import json
import os
import threading
from base64 import b64encode
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regulars.eventlog.ingest import door, envelope, keys

EVENT = {"type": "track", "event": "A", "userId": "u1", "messageId": "m1"}
KINDS = ["identify", "track", "page", "screen", "group", "alias"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_call_has_a_long_and_a_short_path(tracking: Any, kind: str) -> None:
    shop = tracking()
    for path in (f"/v1/{kind}", f"/v1/{kind[0]}", f"/v1/{kind}/"):
        assert shop.post(path, EVENT).status == 200
    assert [placed.record.kind for placed in shop.records()] == [kind] * 3
    assert shop.records()[0].record.key_id == 7


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import"])
def test_a_batch_is_one_record(tracking: Any, path: str) -> None:
    shop = tracking()
    answer = shop.post(path, {"batch": [EVENT, EVENT], "sentAt": None})
    assert (answer.status, answer.json) == (200, {"success": True})
    (placed,) = shop.records()
    assert len(envelope.parse(placed)[0]) == 2


def test_the_write_key_comes_as_basic_bearer_in_the_body_or_in_the_query(tracking: Any) -> None:
    shop = tracking()
    body = json.dumps({**EVENT, "writeKey": "shop"}).encode()
    assert shop.post("/v1/t", EVENT).status == 200
    assert shop.post("/v1/t", EVENT, Authorization="Bearer shop").status == 200
    assert shop.ask("POST", "/v1/t", body).status == 200
    assert shop.post("/v1/t", body, Authorization="Basic !!").status == 200
    assert shop.ask("POST", "/beacon/v1/batch?writeKey=shop", b'{"batch":[]}').status == 200
    assert len(shop.records()) == 5


@pytest.mark.parametrize(
    ("authorization", "key"),
    [
        ("", None),
        ("Basic " + b64encode(b"other:").decode(), None),
        ("", "other"),
        ("", 5),
        ("Digest x", None),
        ("", []),
    ],
)
def test_an_unknown_key_is_told_so_in_both_languages(tracking: Any, authorization: str, key: Any) -> None:
    shop = tracking()
    answer = shop.post("/v1/track", {**EVENT, "writeKey": key}, Authorization=authorization)
    assert (answer.status, answer.json["code"]) == (401, "unknown_key")
    assert set(answer.json["messages"]) == {"en", "zh-hans"}
    assert "www-authenticate" in answer.headers
    assert shop.records() == []


def test_a_key_made_a_moment_ago_works(tracking: Any, wait_for: Any) -> None:
    shop = tracking()
    assert shop.post("/v1/track", EVENT).status == 200
    shop.keys["new"] = 8
    header = "Basic " + b64encode(b"new:").decode()
    wait_for(lambda: shop.post("/v1/track", EVENT, Authorization=header).status == 200, 5, "the new key")
    assert shop.records()[-1].record.key_id == 8


@pytest.mark.parametrize("idle", [False, True])
def test_a_revoked_key_is_refused_within_two_seconds_also_after_a_quiet_time(
    tracking: Any, monkeypatch: pytest.MonkeyPatch, idle: bool
) -> None:
    now = 1000.0
    monkeypatch.setattr(keys, "time", SimpleNamespace(monotonic=lambda: now))
    shop = tracking()
    assert shop.post("/v1/track", EVENT).status == 200
    del shop.keys["shop"]
    if not idle:
        now += keys.FRESH_SECONDS
        assert shop.post("/v1/track", EVENT).status == 200
    now += keys.STALE_SECONDS + 0.001
    assert shop.post("/v1/track", EVENT).status == 401
    assert keys.STALE_SECONDS <= 2


def test_a_database_that_doesnt_answer_holds_a_known_key_up_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, away = 1000.0, threading.Event()
    away.set()
    monkeypatch.setattr(keys, "PATIENCE", 0.01)
    monkeypatch.setattr(keys, "time", SimpleNamespace(monotonic=lambda: now))
    known = keys.WriteKeys(lambda: {"shop": 7} if away.wait() else {})
    header = b"Basic " + b64encode(b"shop:")
    asyncio.run(known.freshen())
    assert known.of_header(header) == 7
    away.clear()
    now += 10
    assert known.of_header(header) is None
    asyncio.run(known.freshen())
    assert known.of_header(header) == 7
    away.set()


def test_while_the_keys_cant_be_read_a_client_is_told_to_come_back_and_not_that_its_key_is_wrong(
    tracking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "AGAIN_SECONDS", -1.0)
    for seconds in ("FRESH_SECONDS", "STALE_SECONDS"):
        monkeypatch.setattr(keys, seconds, float("inf"))
    shop = tracking()
    shop.database_away = True
    answer = shop.post("/v1/track", EVENT)
    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "keys", "2")
    assert set(answer.json["messages"]) == {"en", "zh-hans"}
    assert shop.ask("GET", "/v1/projects/shop/settings").status == 503
    assert shop.post("/v1/track", EVENT, Authorization="").status == 401, "none was sent: that is sure"
    shop.database_away = False
    assert shop.post("/v1/track", EVENT).status == 200
    shop.database_away = True
    assert shop.post("/v1/track", EVENT).status == 200, "what is known goes on working"
    assert shop.post("/v1/track", EVENT, Authorization="Bearer new").status == 503
    shop.database_away = False
    assert shop.post("/v1/track", EVENT, Authorization="Bearer new").status == 401


def test_endless_spellings_of_a_key_take_no_memory() -> None:
    known = keys.WriteKeys(lambda: {"shop": 7})
    assert asyncio.run(known.look_again())
    spellings = [b"Basic " + b64encode(b"shop:%d" % n) for n in range(3 * keys.HEADERS)]
    assert {known.of_header(one) for one in [*spellings, b"Basic " + b64encode(b"shop:" + b"x" * 5000)]} == {7}
    assert 0 < len(known._told[1]) <= keys.HEADERS
    assert max(map(len, known._told[1])) <= keys.HEADER_BYTES


@pytest.mark.parametrize("label", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("encoding", ["", "gzip", "identity"])
def test_json_is_taken_whatever_it_is_labelled(tracking: Any, label: str, packed: bool, encoding: str) -> None:
    shop = tracking()
    body = json.dumps(EVENT).encode()
    answer = shop.post(
        "/v1/track", gzip.compress(body, mtime=0) if packed else body, Content_Type=label, Content_Encoding=encoding
    )
    assert answer.status == 200
    assert shop.records()[0].record.body == body


def test_a_body_in_pieces_is_put_together(tracking: Any) -> None:
    shop = tracking()
    body = json.dumps(EVENT).encode()
    headers = {"Authorization": "Basic " + b64encode(b"shop:").decode()}
    assert shop.ask("POST", "/v1/track", [body[:5], b"", body[5:]], headers).status == 200
    assert shop.ask("POST", "/v1/track", [b"x" * 200_000] * 4, headers).status == 413
    assert [placed.record.body for placed in shop.records()] == [body]


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tracking: Any) -> None:
    shop = tracking()
    bomb = gzip.compress(b"[" * 40_000_000, 1, mtime=0)
    assert len(bomb) < 512_000
    assert shop.post("/v1/batch", bomb).status == 413
    two = gzip.compress(b'{"batch":[' + b" " * 400_000, mtime=0) + gzip.compress(b" " * 400_000 + b"]}")
    assert shop.post("/v1/batch", two).status == 413
    assert shop.records() == []


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/track", b"", 400, "malformed"),
        ("/v1/track", b"{", 400, "malformed"),
        ("/v1/track", b"[]", 400, "malformed"),
        ("/v1/track", b"null", 400, "malformed"),
        ("/v1/track", b"[" * 100_000, 400, "malformed"),
        ("/v1/track", gzip.compress(b"{}", mtime=0)[:-9], 400, "malformed"),
        ("/v1/track", b"\x1f\x8bnonsense", 400, "malformed"),
        ("/v1/batch", b"{}", 400, "no_batch"),
        ("/v1/batch", b'{"batch":{}}', 400, "no_batch"),
        ("/v1/batch", b'{"batch":[{]}', 400, "malformed"),
        ("/v1/batch", b'{"batch":[]}' + b" " * 512_000, 413, "too_large"),
    ],
)
def test_a_body_that_cant_be_read_is_refused(tracking: Any, path: str, body: bytes, status: int, code: str) -> None:
    shop = tracking()
    answer = shop.post(path, body)
    assert (answer.status, answer.json["code"]) == (status, code)
    assert shop.records() == []


def test_a_batch_of_just_500_kb_and_an_event_that_is_too_large_are_accepted(tracking: Any) -> None:
    shop = tracking()
    body = b'{"batch":[]' + b" " * (500 * 1024 - 12) + b"}"
    assert len(body) == 500 * 1024
    assert shop.post("/v1/batch", body).status == 200
    assert shop.post("/v1/track", {**EVENT, "properties": {"x": "y" * 33_000}}).status == 200
    assert [fault.code for _, fault in envelope.faults(shop.records()[1].record)] == ["too_large"]


def test_a_faulty_event_is_accepted_unless_the_client_is_strict(tracking: Any) -> None:
    shop = tracking()
    batch = {"batch": [EVENT, {**EVENT, "event": ""}, {"type": "charge"}]}
    answer = shop.post("/v1/batch", batch, X_Strict_Mode="1")
    assert answer.status == 400
    assert [(fault["index"], fault["code"], fault["field"]) for fault in answer.json["faults"]] == [
        (1, "no_name", "event"), (2, "unknown_type", "type"),
    ]  # fmt: skip
    assert all(set(fault["messages"]) == {"en", "zh-hans"} for fault in answer.json["faults"])
    assert shop.records() == []
    assert shop.post("/v1/batch", batch).status == 200
    assert shop.post("/v1/batch", {"batch": [EVENT]}, X_Strict_Mode="1").status == 200
    assert len(shop.records()) == 2


def test_a_full_disk_is_answered_503_with_when_to_come_back_and_works_again(tracking: Any) -> None:
    full = [False]

    def write(fd: int, data: memoryview) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(fd, data)

    shop = tracking(write=write)
    answers = []
    for now in (False, True, True, False):
        full[0] = now
        answers.append(shop.post("/v1/track", EVENT))
    assert [answer.status for answer in answers] == [200, 503, 503, 200]
    assert answers[1].headers["retry-after"] == str(door.BUSY_SECONDS)
    assert len(shop.records()) == 2


def test_a_long_backlog_is_answered_503(tracking: Any) -> None:
    shop = tracking(backlog_bytes=200)
    statuses = [shop.post("/v1/track", EVENT).status for _ in range(5)]
    assert statuses[0] == 200 and statuses[-1] == 503
    assert len(shop.records()) == statuses.count(200)


def test_a_key_that_sends_too_fast_is_answered_429(tracking: Any) -> None:
    shop = tracking(events_per_second=0.5)
    answers = [shop.post("/v1/batch", {"batch": [EVENT] * 3}), shop.post("/v1/track", EVENT)]
    assert [answer.status for answer in answers] == [200, 429]
    assert int(answers[1].headers["retry-after"]) in (5, 6)


def test_a_bucket_fills_with_time() -> None:
    rate = door.Rate(1000)
    assert rate.wait(1, 1990) == 0
    assert rate.wait(1, 1) == 0
    assert rate.wait(2, 10_000) == 0
    assert rate.wait(2, 1) >= 8
    assert door.Rate(0).wait(1, 10**9) == 0


@pytest.mark.parametrize("path", ["/v1/t", "/v1/batch", "/v1/projects/shop/settings", "/sourceConfig/"])
def test_a_preflight_is_answered_with_what_it_asks_for(tracking: Any, path: str) -> None:
    asked = "anonymousid,authorization,content-type,sentat"
    answer = tracking().ask(
        "OPTIONS", path, b"", {"Origin": "https://shop.example", "Access-Control-Request-Headers": asked}
    )
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["access-control-allow-headers"] == asked
    assert "POST" in answer.headers["access-control-allow-methods"]


def test_answers_to_a_browser_may_be_read_by_it(tracking: Any) -> None:
    shop = tracking()
    for path, body in (("/v1/t", EVENT), ("/v1/t", b"{"), ("/v1/batch", EVENT)):
        answer = shop.post(path, body, Origin="https://shop.example")
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert answer.headers["vary"] == "Origin"


def test_browser_clients_get_their_settings(tracking: Any) -> None:
    shop = tracking(hosts=["t.example"])
    told = shop.ask("GET", "/v1/projects/shop/settings", b"", {"Host": "t.example:8000", "Origin": "https://s"})
    assert (told.headers["cache-control"], told.headers["vary"]) == ("private, max-age=300", "Origin")
    segment = told.json
    assert segment["integrations"]["Segment.io"]["apiKey"] == "shop"
    assert segment["integrations"]["Segment.io"]["apiHost"] == "t.example:8000/v1"
    assert segment["integrations"]["Segment.io"]["protocol"] == "http"
    told = tracking(url="https://track.example/").ask(
        "GET", "/v1/projects/shop/settings", b"", {"Host": "evil.example"}
    )
    assert (told.headers["cache-control"], told.headers["vary"]) == ("public, max-age=300", "Origin")
    public = told.json
    assert public["integrations"]["Segment.io"]["apiHost"] == "track.example/v1"
    assert public["integrations"]["Segment.io"]["protocol"] == "https"
    rudder = shop.ask("GET", "/sourceConfig/?p=npm&writeKey=shop").json
    assert rudder["source"]["destinations"] == [] and rudder["source"]["enabled"] is True
    assert shop.ask("GET", "/v1/projects/other/settings").status == 401
    assert shop.ask("GET", "/sourceConfig/?writeKey=other").status == 401


@pytest.mark.parametrize("host", ["evil.example", "localhost:1@evil.example", "", "localhost/x"])
def test_an_address_that_nobody_allowed_isnt_told_to_browser_clients(tracking: Any, host: str) -> None:
    answer = tracking().ask("GET", "/v1/projects/shop/settings", b"", {"Host": host, "X-Forwarded-Proto": "https"})
    assert (answer.status, answer.json["code"]) == (400, "host")
    assert "REGULARS_HOSTS" in answer.json["messages"]["zh-hans"]


def test_a_request_for_two_hosts_is_refused(tracking: Any) -> None:
    shop, hosts = tracking(), {"Host": "localhost", "HOST": "evil.example"}
    asked = [("GET", "/v1/projects/shop/settings"), ("GET", "/sourceConfig/?writeKey=shop"), ("POST", "/v1/track")]
    assert [shop.ask(method, path, b"{}", hosts).json["code"] for method, path in asked] == ["hosts"] * 3
    assert shop.records() == []


def test_other_methods_and_addresses(tracking: Any) -> None:
    shop = tracking()
    assert shop.ask("GET", "/v1/track").status == 405
    assert shop.ask("GET", "/v1/track").headers["allow"] == "POST, OPTIONS"
    assert shop.ask("POST", "/v1/charge", b"{}").status == 404
    assert [door.serves(path) for path in ("/v1/t", "/v1/projects/k/settings", "/sourceConfig/", "/", "/api/v1/x")] == [
        True, True, True, False, False,
    ]  # fmt: skip


BODIES = st.binary(max_size=40) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["batch", "writeKey", "sentAt", "type", "event", "userId", "x"]), inner, max_size=4),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(BODIES, st.sampled_from(["track", "batch", "i", "import"]), st.booleans(), st.booleans()), max_size=8
    )
)
def test_whatever_is_sent_is_refused_or_kept_and_never_a_server_error(tracking: Any, requests: Any) -> None:
    shop = tracking()
    kept = []
    for body, kind, packed, strict in requests:
        answer = shop.post(
            f"/v1/{kind}", gzip.compress(body, mtime=0) if packed else body, X_Strict_Mode="1" if strict else ""
        )
        assert answer.status in (200, 400)
        if answer.status == 200:
            kept.append(body)
    records = shop.records()
    assert len(records) == len(kept)
    for placed, body in zip(records, kept, strict=True):
        events = json.loads(body)["batch"] if placed.record.kind in ("batch", "import") else [body]
        drafts, bad = envelope.parse(placed)
        assert len(drafts) + len(bad) == len(events)


def test_a_body_that_doesnt_come_in_time_is_ended_and_one_that_ends_early_is_refused(
    tracking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "PATIENCE", 0.01)
    shop, told = tracking(), list[Any]()
    scope = {"type": "http", "method": "POST", "path": "/v1/track", "query_string": b"", "headers": []}

    async def nothing() -> Any:
        await asyncio.Event().wait()

    async def half() -> Any:
        return {"type": "http.disconnect"} if told else {"type": "http.request", "body": b"{", "more_body": True}

    async def send(message: Any) -> None:
        told.append(message.get("status"))

    async def two_slow_ones() -> None:
        await asyncio.gather(*(shop.application(scope, nothing, send) for _ in range(2)))

    asyncio.run(two_slow_ones())
    asyncio.run(shop.application(scope, half, send))
    assert told == [408, None, 408, None, 400, None]
    assert shop.records() == []
