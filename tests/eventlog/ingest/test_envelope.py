"""From a request to drafts: names, identities, times, ids, and what is wrong with what can't be taken."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.eventlog.ingest import envelope
from regulars.eventlog.ingest.envelope import Bad, Draft
from regulars.eventlog.ingest.inbox import Placed, Record
from regulars.kernel import clock

NOW = datetime(2026, 5, 1, 8, 0, 0, tzinfo=UTC)


def parsed(body: Any, kind: str = "batch", sent_at: str = "") -> tuple[list[Draft], list[Bad]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return envelope.parse(Placed("a.segment", 28, Record(clock.micros(NOW), 7, kind, sent_at, data)))


def one(event: dict[str, Any], kind: str = "track") -> Draft:
    drafts, bad = parsed({"userId": "u1", "event": "Coat Tried On", **event}, kind)
    assert bad == []
    return drafts[0]


def fault(event: Any, kind: str = "track") -> tuple[str, str]:
    drafts, bad = parsed(
        {"userId": "u1", "event": "Coat Tried On", **event} if isinstance(event, dict) else event, kind
    )
    assert drafts == []
    assert bad[0].fault.text.en and bad[0].fault.text.zh
    return bad[0].fault.code, bad[0].fault.field


def test_a_track_call_becomes_an_event_with_its_name_and_properties() -> None:
    draft = one({"messageId": "m1", "properties": {"size": "L"}, "context": {"library": {"name": "x"}}})
    assert (draft.message_id, draft.name, json.loads(draft.properties)) == ("m1", "Coat Tried On", {"size": "L"})
    assert (draft.at, draft.received_at, draft.source) == (NOW, NOW, "track:7")
    assert (draft.identities, draft.traits) == ((("user_id", "u1"),), {})
    assert json.loads(draft.context) == {"library": {"name": "x"}}


@pytest.mark.parametrize(
    ("kind", "event", "name", "properties"),
    [
        ("page", {"name": "Home", "category": "Shop", "properties": {"url": "https://x/"}}, "Page Viewed",
         {"name": "Home", "category": "Shop", "url": "https://x/"}),
        ("page", {"name": "Home", "properties": {"name": "Start"}}, "Page Viewed", {"name": "Start"}),
        ("screen", {"name": "Cart"}, "Screen Viewed", {"name": "Cart"}),
        ("identify", {"traits": {"email": "a@b.cn", "name": "李雷"}}, "Traits Updated", {"traits": ["email", "name"]}),
        ("identify", {}, "Traits Updated", {}),
        ("group", {"groupId": "g1", "traits": {"plan": "gold"}}, "Group Joined",
         {"group_id": "g1", "traits": {"plan": "gold"}}),
        ("alias", {"previousId": "old"}, "Identities Linked", {}),
    ],
)  # fmt: skip
def test_each_call_has_its_name_in_the_log(
    kind: str, event: dict[str, Any], name: str, properties: dict[str, Any]
) -> None:
    draft = one(event, kind)
    assert (draft.name, json.loads(draft.properties)) == (name, properties)
    (same,) = parsed({"batch": [{"userId": "u1", "type": kind, **event}]})[0]
    assert (same.name, json.loads(same.properties)) == (name, properties)


def test_identities_are_found_wherever_clients_put_them() -> None:
    draft = one(
        {
            "userId": 42,
            "anonymousId": "a1",
            "context": {
                "traits": {"email": "a@b.cn", "mobile": 13800138000, "wechatOpenId": "o1", "unionid": "n1"},
                "device": {"id": "d1", "model": "P50", "advertisingId": "ad1"},
                "externalId": [{"type": "member_card", "id": "c1"}, {"type": "brazeId", "id": "no"}, 3],
            },
        }
    )
    assert set(draft.identities) == {
        ("user_id", "42"), ("anonymous_id", "a1"), ("email", "a@b.cn"), ("phone", "13800138000"),
        ("wechat_openid", "o1"), ("wechat_unionid", "n1"), ("member_card", "c1"), ("device", "d1"),
    }  # fmt: skip
    assert json.loads(draft.context) == {"device": {"model": "P50"}}
    assert draft.remembered and draft.traits["email"] == "a@b.cn"


def test_traits_of_identify_go_to_the_profile_and_not_into_the_log() -> None:
    draft = one(
        {"traits": {"email": "a@b.cn", "city": "杭州"}, "context": {"traits": {"city": "上海", "vip": True}}},
        "identify",
    )
    assert draft.traits == {"city": "杭州", "vip": True, "email": "a@b.cn"}
    assert b"a@b.cn" not in draft.properties + draft.context
    assert ("email", "a@b.cn") in draft.identities


def test_an_alias_links_both() -> None:
    assert one({"previousId": "a1"}, "alias").identities == (("user_id", "u1"), ("anonymous_id", "a1"))
    assert fault({"previousId": None}, "alias") == ("no_previous", "previousId")


@pytest.mark.parametrize("nobody", [None, "", "  ", "null", "undefined", "NaN", "[object Object]", "0", 0])
def test_a_placeholder_names_nobody(nobody: Any) -> None:
    assert fault({"userId": nobody, "anonymousId": None}) == ("nobody", "userId")
    assert one({"userId": nobody, "anonymousId": "a1"}).identities == (("anonymous_id", "a1"),)


def test_a_device_alone_names_nobody() -> None:
    assert fault({"userId": None, "context": {"device": {"id": "d1"}}}) == ("nobody", "userId")


@pytest.mark.parametrize(
    ("event", "minutes"),
    [
        ({}, 0),
        ({"timestamp": "2026-05-01T07:50:00Z"}, -10),
        ({"timestamp": "2026-05-01T15:50:00+08:00"}, -10),
        ({"timestamp": "2026-05-01T07:50:00"}, -10),
        ({"timestamp": 1777621800000}, -10),
        ({"timestamp": 1777621800}, -10),
        ({"timestamp": "2026-05-01T07:50:00Z", "sentAt": "2026-05-01T07:55:00Z"}, -5),
        ({"timestamp": "2031-05-01T07:50:00Z", "sentAt": "2031-05-01T07:52:00Z"}, -2),
        ({"originalTimestamp": "2026-05-01T07:50:00Z", "timestamp": "2020-01-01T00:00:00Z",
          "sentAt": "2026-05-01T07:51:00Z"}, -1),
        ({"timestamp": "2026-05-01T07:50:00Z", "sentAt": "soon"}, -10),
        ({"timestamp": "2026-05-01T08:30:00Z"}, 0),
    ],
)  # fmt: skip
def test_the_clients_clock_is_corrected_by_when_it_sent(event: dict[str, Any], minutes: int) -> None:
    assert one(event).at == NOW + timedelta(minutes=minutes)


def test_sent_at_of_the_batch_or_of_the_header_counts_for_its_events() -> None:
    event = {"type": "track", "event": "A", "userId": "u", "timestamp": "2026-05-01T07:50:00Z"}
    (draft,), _ = parsed({"batch": [event], "sentAt": "2026-05-01T07:53:00Z"})
    assert draft.at == NOW - timedelta(minutes=3)
    (draft,), _ = parsed(event, "track", sent_at="2026-05-01T07:54:00Z")
    assert draft.at == NOW - timedelta(minutes=4)


def test_history_keeps_its_times() -> None:
    event = {"type": "track", "event": "A", "userId": "u", "timestamp": "2020-05-01T07:50:00Z"}
    (draft,), _ = parsed({"batch": [event], "sentAt": "2026-05-01T07:53:00Z"}, "import")
    assert draft.at == datetime(2020, 5, 1, 7, 50, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"event": None}, ("no_name", "event")),
        ({"event": " "}, ("no_name", "event")),
        ({"event": 5}, ("no_name", "event")),
        ({"event": "x" * 201}, ("too_long", "event")),
        ({"messageId": "x" * 101}, ("too_long", "messageId")),
        ({"messageId": {}}, ("wrong_type", "messageId")),
        ({"messageId": True}, ("wrong_type", "messageId")),
        ({"userId": "x" * 201}, ("too_long", "userId")),
        ({"userId": ["u"]}, ("wrong_type", "userId")),
        ({"properties": [1]}, ("wrong_type", "properties")),
        ({"properties": "x"}, ("wrong_type", "properties")),
        ({"context": 5}, ("wrong_type", "context")),
        ({"timestamp": "yesterday"}, ("bad_time", "timestamp")),
        ({"timestamp": {}}, ("bad_time", "timestamp")),
        ({"timestamp": "1970-01-01T00:00:00Z"}, ("far_time", "timestamp")),
        ({"timestamp": "2026-05-03T08:00:00Z"}, ("far_time", "timestamp")),
        ({"timestamp": "0001-01-01T00:00:00Z", "sentAt": "9999-12-31T23:59:59Z"}, ("far_time", "timestamp")),
        ({"properties": {"text": "x" * 33_000}}, ("too_large", "")),
        ({"event": "Customers Merged"}, ("reserved", "")),
        ({"event": "Order Completed", "properties": {"order_id": "o1", "total": "much"}}, ("wrong_type", "total")),
        (b"[1]", ("not_an_object", "")),
        (b'{"event":"A","userId":"u","properties":{"a":"\xff"}}', ("unreadable", "")),
    ],
)  # fmt: skip
def test_what_cant_be_taken_says_what_is_wrong_and_where(event: Any, expected: tuple[str, str]) -> None:
    assert fault(event) == expected


def test_a_bad_event_harms_no_other_in_its_batch() -> None:
    good = {"type": "track", "event": "A", "userId": "u", "messageId": "m1"}
    drafts, bad = parsed({"batch": [5, good, {"type": "charge"}, None, {**good, "messageId": "m2"}]})
    assert [draft.message_id for draft in drafts] == ["m1", "m2"]
    assert [(one.index, one.fault.code) for one in bad] == [
        (0, "not_an_object"),
        (2, "unknown_type"),
        (3, "not_an_object"),
    ]


def test_a_missing_message_id_comes_from_the_records_place() -> None:
    event = {"type": "track", "event": "A", "userId": "u", "messageId": None}
    first, again = parsed({"batch": [event, event]})[0], parsed({"batch": [event, event]})[0]
    assert [draft.message_id for draft in first] == [draft.message_id for draft in again]
    assert len({draft.message_id for draft in first}) == 2
    assert all(len(draft.message_id) <= 100 for draft in first)


def test_what_json_readers_refuse_is_mended() -> None:
    halves = (
        b'{"userId":"u","event":"A","properties":{"a":"\\ud800x","b":"\\\\ud800","c":"\\ud83d\\ude00","d":"\\u0000"}}'
    )
    (draft,), bad = parsed(envelope.mended(b"\xef\xbb\xbf" + halves), "track")
    assert bad == []
    assert json.loads(draft.properties) == {"a": "�x", "b": "\\ud800", "c": "😀", "d": "�"}


def test_a_quarantined_event_is_judged_as_it_was_and_taken_when_repaired() -> None:
    _, (bad,) = parsed({"batch": [{"type": "track", "event": "", "userId": "u"}]})
    still = envelope.judge(bad.payload, received_at=NOW, source=bad.source)
    assert not isinstance(still, Draft) and still.code == "no_name"
    draft = envelope.judge({**bad.payload, "event": "A"}, received_at=NOW, source=bad.source)
    assert isinstance(draft, Draft)
    assert (draft.message_id, draft.name) == (bad.payload["messageId"], "A")
    assert isinstance(envelope.judge('{"type":"track","event":"A","userId":"u"}', received_at=NOW, source="x"), Draft)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20) | st.sampled_from(["2026-05-01T08:00:00Z", "track", "u1", "null"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
FIELDS = [
    "userId",
    "anonymousId",
    "event",
    "messageId",
    "properties",
    "context",
    "traits",
    "timestamp",
    "sentAt",
    "originalTimestamp",
    "groupId",
    "previousId",
    "name",
    "category",
    "channel",
]
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "page", "screen", "identify", "group", "alias"]) | ANYTHING},
    optional=dict.fromkeys(FIELDS, ANYTHING),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS | ANYTHING, max_size=6), ANYTHING)
def test_whatever_comes_each_event_is_taken_or_put_aside(events: list[Any], sent_at: Any) -> None:
    drafts, bad = parsed({"batch": events, "sentAt": sent_at})
    assert len(drafts) + len(bad) == len(events)
    for draft in drafts:
        assert 0 < len(draft.message_id) <= 100 and 0 < len(draft.name) <= 200
        assert draft.identities and draft.at <= draft.received_at
        assert all(value and len(value) <= 200 for _, value in draft.identities)
    for one in bad:
        assert one.fault.code != "unforeseen" and one.fault.text.en != one.fault.text.zh


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["track", "batch", "import", "identify"]))
def test_bytes_that_arent_json_are_put_aside_whole(body: bytes, kind: str) -> None:
    drafts, bad = parsed(body, kind)
    assert len(drafts) + len(bad) <= 1 or kind in ("batch", "import")
