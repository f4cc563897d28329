"""Customers, identities, consent, tags, notes and merges over the API."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from regulars.eventlog import dispatch
from regulars.warehouse import feed, refresh
from tests.api.conftest import Program

LI = {
    "identities": [{"kind": "phone", "value": "138 1234 5678"}],
    "profile": {"name": "李"},
    "attributes": {"vip": True},
}


def test_a_customer_is_added_found_changed_and_read(program: Program) -> None:
    status, made = program.post("/customers", LI)
    assert status == 201
    assert made["profile"]["name"] == "李" and made["attributes"] == {"vip": True}
    assert [(row["kind"], row["value"]) for row in made["identities"]] == [("phone", "+8613812345678")]
    id = made["id"]
    assert program.get(f"/customers/{id}") == (200, made)
    assert program.get("/customers/lookup?kind=phone&value=%2B86-138-1234-5678")[1]["id"] == id
    assert program.get("/customers/lookup?kind=phone&value=13912345678")[0] == 404
    status, found = program.get("/customers?q=%E6%9D%8E")
    assert (status, [row["id"] for row in found["data"]]) == (200, [id])
    status, changed = program.ask(
        "PATCH",
        f"/customers/{id}",
        {"profile": {"city": "杭州", "birthday": "1990-05-31"}, "attributes": {"vip": None}},
    )
    assert status == 200 and changed["attributes"] == {}
    assert (changed["profile"]["city"], changed["profile"]["birthday"]) == ("杭州", "1990-05-31")
    assert program.post("/customers", LI)[1]["code"] == "identity_taken"
    status, receipt = program.ask("DELETE", f"/customers/{id}")
    assert (status, receipt["records"], receipt["rows"]) == (200, 1, 0)
    assert receipt["remains"][0]["until"] > receipt["at"]
    status, gone = program.get(f"/customers/{id}")
    assert gone["erased_at"] is not None and gone["identities"] == [] and gone["profile"]["name"] is None
    assert program.ask("PATCH", f"/customers/{id}", {"profile": {"city": "x"}})[0] == 409
    living = program.post("/customers", {"identities": [{"kind": "user_id", "value": "u9"}]})[1]
    assert living["last_seen_at"] is None  # nothing was done yet
    for query, ids in (("", [living["id"]]), ("erased=true", [id]), ("erased=include", [living["id"], id])):
        assert [row["id"] for row in program.get(f"/customers?{query}")[1]["data"]] == ids
    assert program.get("/customers?q=%23" + str(id))[1]["data"] == []
    assert program.get("/customers?erased=maybe")[0] == 422


def test_lists_come_in_pages(program: Program) -> None:
    ids = [
        program.post("/customers", {"identities": [{"kind": "user_id", "value": f"u{n}"}]})[1]["id"] for n in range(5)
    ]
    seen, cursor = [], ""
    while True:
        status, page = program.get(f"/customers?limit=2{cursor}")
        assert status == 200
        seen += [row["id"] for row in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == sorted(ids, reverse=True)
    assert program.get("/customers?cursor=nonsense")[1]["field"] == "cursor"


def test_lists_and_details_tell_of_a_customer_alike_and_last_seen_as_the_page_has_it(program: Program) -> None:
    """One without a name has none in the list either: neither an identity nor "Visitor 7" stands in for it."""
    order = {"order_id": "A-1", "total": 20, "at": "2026-02-28T18:30:00Z"}  # the first of March in Shanghai
    for kind, value, name in (
        ("user_id", "u1", "李雷"),
        ("email", "a@example.com", None),
        ("anonymous_id", "a1", None),
    ):
        identities = [{"kind": kind, "value": value}]
        id = program.post("/customers", {"identities": identities, "profile": {"name": name} if name else {}})[1]["id"]
        program.ask("PUT", f"/customers/{id}/consents/sms/marketing", {"given": True})  # today: no sign of life
        if kind == "email":
            assert program.post("/orders", {**order, "identities": identities})[1]["accepted"] == 1
    dispatch.number()
    feed.catch_up()
    refresh.full()
    rows = program.get("/customers")[1]["data"]
    assert [(row["name"], row["last_seen_at"]) for row in rows] == [
        (None, None), (None, "2026-03-01"), ("李雷", None),
    ]  # fmt: skip
    for row in rows:
        detail = program.get(f"/customers/{row['id']}")[1]
        assert (detail["profile"]["name"], detail["last_seen_at"]) == (row["name"], row["last_seen_at"])
    assert program.get("/customers/lookup?kind=email&value=a@example.com")[1]["worth"]["last_order"] == "2026-03-01"


def test_all_filters_of_a_list_hold_at_once_page_after_page(program: Program) -> None:
    """Five called Zed, of whom the even ones are gold; one of them is known by a browser alone. And a golden Ann."""
    ids = []
    for n, name in enumerate(["Zed A", "zed b", "ZED C", "Zed D", "Zed E", "Ann"]):
        kind = "anonymous_id" if n == 4 else "user_id"
        made = {"identities": [{"kind": kind, "value": f"u{n}"}], "profile": {"name": name}}
        ids.append(program.post("/customers", made)[1]["id"])
        if n % 2 == 0 or name == "Ann":
            program.ask("PUT", f"/customers/{ids[n]}/tags/gold")

    def found(query: str) -> list[int]:
        rows: list[int] = []
        cursor = ""
        while True:
            status, page = program.get(f"/customers?limit=1&{query}{cursor}")
            assert status == 200 and len(page["data"]) <= 1, page
            rows += [ids.index(row["id"]) for row in page["data"]]
            if page["next_cursor"] is None:
                return rows
            cursor = f"&cursor={page['next_cursor']}"

    assert found("q=Zed") == [4, 3, 2, 1, 0]
    assert found("q=Zed&tag=gold") == [4, 2, 0]
    assert found("q=Zed&known=false") == [4]
    assert found("q=Zed&tag=gold&known=true") == [2, 0]
    assert found("tag=gold&known=true") == [5, 2, 0]
    assert found("q=u3") == found(f"q=%23{ids[3]}") == [3]
    assert found("q=u3&tag=gold") == found("q=nobody") == found("q=") == found("q=%20") == []
    program.post(f"/customers/{ids[0]}/merge", {"source": ids[5]})
    assert found("q=Ann") == found("q=u5&tag=gold") == [0]


@pytest.mark.parametrize(("language", "said"), [("en", "There is no such parameter."), ("zh-CN", "没有该参数。")])
def test_a_parameter_that_an_operation_has_not_is_refused_by_name(
    language: str, said: str, with_scopes: Callable[..., Program]
) -> None:
    program = with_scopes("customers.view", "customers.edit", language=language)
    status, problem = program.get("/customers?limit=2&tga=gold&Q=x")
    assert (status, problem["code"], problem["field"]) == (422, "invalid", "tga")
    assert [fault["field"] for fault in problem["errors"]] == ["tga", "Q"]
    assert problem["errors"][0]["message"].startswith(said)
    assert re.findall(r"[a-z]+", problem["errors"][0]["message"])[-8:] == [
        "q", "tag", "known", "mood", "taste", "erased", "cursor", "limit"
    ]  # fmt: skip
    status, problem = program.post("/customers?dry_run=1", LI)
    assert (status, problem["field"]) == (422, "dry_run") and problem["errors"][0]["message"].startswith(said)
    assert program.get("/customers")[1]["data"] == []


def test_consent_tags_notes_and_identities(program: Program) -> None:
    id = program.post("/customers", LI)[1]["id"]
    status, consents = program.ask("PUT", f"/customers/{id}/consents/sms/marketing", {"given": True, "source": "form"})
    assert status == 200 and consents[0]["given"] and consents[0]["source"] == "form"
    assert program.ask("PUT", f"/customers/{id}/consents/sms/marketing", {"given": False})[1][0]["given"] is False
    assert program.ask("PUT", f"/customers/{id}/consents/fax/marketing", {"given": True})[0] == 422
    assert program.ask("PUT", f"/customers/{id}/tags/VIP") == (200, ["VIP"])
    assert program.get("/tags")[1]["data"] == [{"name": "VIP", "customers": 1}]
    assert program.get("/customers?tag=vip")[1]["data"][0]["tags"] == ["VIP"]
    assert program.ask("DELETE", f"/customers/{id}/tags/VIP") == (200, [])
    status, note = program.post(f"/customers/{id}/notes", {"text": "Likes oolong"})
    assert status == 201 and note["by"] == f"key:{program.key.pk}"
    assert [row["text"] for row in program.get(f"/customers/{id}/notes")[1]["data"]] == ["Likes oolong"]
    assert program.ask("DELETE", f"/notes/{note['id']}") == (200, {"done": True})
    status, identities = program.post(f"/customers/{id}/identities", {"kind": "email", "value": "LI@Example.com"})
    assert status == 200 and [row["value"] for row in identities] == ["+8613812345678", "li@example.com"]
    status, identities = program.ask("DELETE", f"/customers/{id}/identities/{identities[1]['id']}")
    assert status == 200 and [row["value"] for row in identities] == ["+8613812345678"]
    assert program.ask("DELETE", f"/customers/{id}/identities/99999")[0] == 404


def test_a_deleted_note_comes_back(program: Program) -> None:
    id = program.post("/customers", {"identities": [{"kind": "user_id", "value": "u1"}]})[1]["id"]
    note = program.post(f"/customers/{id}/notes", {"text": "Likes the window"})[1]
    assert program.ask("DELETE", f"/notes/{note['id']}") == (200, {"done": True})
    assert program.get(f"/customers/{id}/notes")[1]["data"] == []
    assert program.post(f"/notes/{note['id']}/restore") == (200, {"done": True})
    assert program.get(f"/customers/{id}/notes")[1]["data"] == [note]
    assert program.post("/notes/999/restore")[0] == 404


def test_tags_come_in_pages_by_name(program: Program) -> None:
    id = program.post("/customers", {"identities": [{"kind": "user_id", "value": "u1"}]})[1]["id"]
    for name in ("VIP", "tea", "早茶"):
        program.ask("PUT", f"/customers/{id}/tags/{name}")
    found, cursor = [], ""
    while cursor is not None:
        page = program.get(f"/tags?limit=1{cursor and '&cursor='}{cursor}")[1]
        found += page["data"]
        cursor = page["next_cursor"]
    assert found == [{"name": name, "customers": 1} for name in ("tea", "VIP", "早茶")]


def test_two_are_merged_and_taken_apart(program: Program) -> None:
    a = program.post("/customers", LI)[1]["id"]
    b = program.post("/customers", {"identities": [{"kind": "user_id", "value": "u1"}]})[1]["id"]
    status, merged = program.post(f"/customers/{b}/merge", {"source": a})
    assert status == 200 and merged["customer"] == b
    assert program.get(f"/customers/{a}")[1]["records"] == [b, a]
    assert program.post(f"/merges/{merged['merge']}/undo") == (200, {"customer": a})
    assert program.get(f"/customers/{a}")[1]["records"] == [a]


def test_a_key_does_what_its_scopes_allow_and_no_more(with_scopes: Callable[..., Program]) -> None:
    reader = with_scopes("customers.view", language="zh-CN")
    assert reader.get("/customers")[0] == 200
    status, problem = reader.post("/customers", LI)
    assert status == 403 and "权限范围 customers.edit（" in problem["detail"] and problem["title"] == "没有权限"
    assert reader.last["Content-Type"] == "application/problem+json"
    for method, path in (("GET", "/events"), ("GET", "/figures"), ("GET", "/webhooks"), ("DELETE", "/customers/1")):
        assert reader.ask(method, path)[0] == 403, path
    assert reader.post("/events", {"events": [{"event": "X", "identities": LI["identities"]}]})[0] == 403


def test_what_is_wrong_is_said_in_the_callers_language(program: Program) -> None:
    status, problem = program.post("/customers", {"identities": [{"kind": "fax"}], "nme": "x"})
    assert status == 422
    assert {row["field"] for row in problem["errors"]} == {"identities.0.kind", "identities.0.value", "nme"}
    assert {row["field"]: row["message"] for row in problem["errors"]}["nme"] == "There is no such field."
    program.language = "zh-CN"
    assert program.post("/customers", {})[1]["errors"] == [{"field": "identities", "message": "缺少该字段。"}]
    status, problem = program.post("/customers", {"identities": [{"kind": "phone", "value": "12"}]})
    assert (status, problem["field"]) == (422, "phone") and "电话" in problem["detail"]
    bad = program.client.post(
        "/api/v1/customers", b"{", "application/json", headers={"Authorization": f"Bearer {program.secret}"}
    )
    assert bad.status_code == 400 and bad["Content-Type"] == "application/problem+json"
    assert program.get("/nothing")[0] == 404 and program.last["Content-Type"] == "application/problem+json"
    assert program.ask("PUT", "/customers")[0] == 405 and "GET" in program.last["Allow"]


def test_nobody_gets_in_without_a_key(program: Program, db: None) -> None:
    from regulars.accounts.actors import SYSTEM
    from regulars.accounts.services import revoke_api_key

    for secret in ("", "rk_wrong", program.secret[:-1]):
        program.secret, kept = secret, program.secret
        assert program.get("/customers")[0] == 401
        program.secret = kept
    assert program.client.get("/api/v1/customers").status_code == 401
    revoke_api_key(id=program.key.pk, by=SYSTEM)
    assert program.get("/customers")[0] == 401


def test_the_same_write_twice_is_done_once(program: Program) -> None:
    first = program.post("/customers", LI, **{"Idempotency-Key": "k1"})
    assert "Idempotency-Replayed" not in program.last
    assert program.post("/customers", LI, **{"Idempotency-Key": "k1"}) == first
    assert program.last["Idempotency-Replayed"] == "true"
    status, problem = program.post("/customers", {**LI, "attributes": {}}, **{"Idempotency-Key": "k1"})
    assert (status, problem["code"]) == (422, "idempotency_key_reused")
    id = first[1]["id"]
    note: Any = {"text": "Once"}
    assert program.post(f"/customers/{id}/notes", {"text": ""}, **{"Idempotency-Key": "k2"})[0] == 422
    program.post(f"/customers/{id}/notes", note, **{"Idempotency-Key": "k2"})
    program.post(f"/customers/{id}/notes", note, **{"Idempotency-Key": "k2"})
    assert len(program.get(f"/customers/{id}/notes")[1]["data"]) == 1
    assert program.post("/customers", LI, **{"Idempotency-Key": "x" * 201})[0] == 422


def test_a_kept_answer_is_forgotten_after_a_day(program: Program) -> None:
    from datetime import timedelta

    from regulars.kernel import clock

    id = program.post("/customers", LI)[1]["id"]
    program.post(f"/customers/{id}/notes", {"text": "A"}, **{"Idempotency-Key": "k"})
    with clock.frozen(clock.now() + timedelta(hours=25)):
        program.post(f"/customers/{id}/notes", {"text": "A"}, **{"Idempotency-Key": "k"})
    assert len(program.get(f"/customers/{id}/notes")[1]["data"]) == 2


def test_a_key_has_so_many_requests_a_minute(program: Program, settings: Any) -> None:
    from datetime import UTC, datetime, timedelta

    from regulars.kernel import clock

    settings.API_RATE = 2
    at = datetime(2026, 1, 5, 9, 0, 15, tzinfo=UTC)
    with clock.frozen(at):
        assert program.get("/tags")[0] == 200
        told = {name: program.last[name] for name in ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")}
        assert told == {"RateLimit-Limit": "2", "RateLimit-Remaining": "1", "RateLimit-Reset": "45"}
        assert program.get("/tags")[0] == 200
        status, problem = program.get("/tags")
        assert (status, problem["code"], program.last["Retry-After"]) == (429, "too_many", "45")
    with clock.frozen(at + timedelta(minutes=1)):
        assert program.get("/tags")[0] == 200


def test_a_change_can_be_bound_to_what_was_read(program: Program) -> None:
    id = program.post("/customers", LI)[1]["id"]
    made = program.last["ETag"]
    program.get(f"/customers/{id}")
    assert program.last["ETag"] == made
    program.get("/customers/lookup?kind=phone&value=13812345678")
    assert program.last["ETag"] == made
    change = {"profile": {"city": "杭州"}}
    assert program.ask("PATCH", f"/customers/{id}", change, **{"If-Match": f'"other", {made}'})[0] == 200
    changed = program.last["ETag"]
    assert changed != made
    for outdated in (made, f"W/{changed}", "nonsense"):
        status, problem = program.ask("PATCH", f"/customers/{id}", {"attributes": {"vip": 1}}, **{"If-Match": outdated})
        assert (status, problem["code"]) == (412, "outdated")
        assert program.last["Content-Type"] == "application/problem+json"
    assert program.get(f"/customers/{id}")[1]["attributes"] == {"vip": True}
    assert program.ask("PATCH", f"/customers/{id}", {"attributes": {"vip": 1}}, **{"If-Match": "*"})[0] == 200
    assert program.ask("PATCH", f"/customers/{id}", change)[0] == 200


def test_all_fields_that_are_wrong_are_named_at_once(program: Program) -> None:
    identities = [{"kind": "phone", "value": "x"}, {"kind": "email", "value": "y"}]
    status, problem = program.post("/customers", {"identities": identities, "profile": {"name": "李"}})
    assert (status, problem["field"]) == (422, "phone")
    assert [fault["field"] for fault in problem["errors"]] == ["phone", "email"]
