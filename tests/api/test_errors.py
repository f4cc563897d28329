"""Whatever goes wrong at the API's door is problem+json in the caller's language; a write is done once."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pydantic_core._pydantic_core import list_all_errors

from regulars.accounts.actors import SYSTEM
from regulars.accounts.capabilities import CAPABILITIES
from regulars.accounts.services import add_api_key, revoke_api_key
from regulars.api import limits, problems
from regulars.api.kept import forget
from regulars.api.models import StoredAnswer
from regulars.customers.models import Customer
from regulars.kernel import clock
from tests.api.conftest import Program

LI = {"identities": [{"kind": "user_id", "value": "u1"}]}


def test_a_revoked_key_is_told_the_same_as_an_unknown_one_and_not_to_send_what_was_sent(
    program: Program, actors: dict[str, Any]
) -> None:
    def asked(**headers: str) -> tuple[str, str]:
        answer = program.client.get("/api/v1/tags", headers=headers)
        assert answer.status_code == 401
        return answer.json()["detail"], answer["WWW-Authenticate"]

    key, secret = add_api_key(name="till", scopes=["customers.view"], by=actors["admin"])
    revoke_api_key(id=key.pk, by=actors["admin"])
    revoked = asked(Authorization=f"Bearer {secret}")
    assert revoked == asked(Authorization="Bearer rk_wrong")
    assert revoked[0].startswith("This API key is unknown or revoked.")
    assert revoked[1] == 'Bearer realm="Regulars", error="invalid_token"'
    assert asked()[0].startswith("Send an API key as") and asked()[1] == 'Bearer realm="Regulars"'


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_fault_is_problem_json_in_the_callers_language(
    language: str, program: Program, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(
        method: str, path: str, status: int, data: bytes = b"", kind: str = "application/json", **more: str
    ) -> str:
        headers = {"Authorization": f"Bearer {program.secret}", "Accept-Language": language, **more}
        answer = program.client.generic(method, path, data, kind, headers=headers)
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json"), path
        problem = answer.json()
        assert problem["status"] == status and problem["detail"]
        chinese = any("\u4e00" <= letter <= "\u9fff" for letter in problem["title"] + problem["detail"])
        assert chinese == (language == "zh-CN"), problem
        return str(problem["code"])

    asked("GET", "/api/v1/customers/999", 404)
    asked("GET", "/api/v1/nothing", 404)
    asked("GET", "/api/v1/customers/99999999999999999999999", 422)
    asked("PUT", "/api/v1/customers", 405)
    asked("POST", "/api/v1/customers", 400, b"{")
    asked("POST", "/api/v1/customers", 415, b"<li/>", "text/xml")
    asked("POST", "/api/v1/customers", 422, b'{"identities": []}')
    asked("POST", "/api/v1/customers", 401, b"{}", Authorization="Bearer rk_wrong")
    asked("GET", "/api/v1/customers", 401, Authorization="Basic rk_wrong")
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    asked("POST", "/api/v1/customers", 413, b'{"identities": []}')
    with monkeypatch.context() as patch:
        patch.setattr("regulars.api.customers.queries.page", lambda **_: 1 / 0)
        asked("GET", "/api/v1/customers", 500)
    settings.API_RATE = 1
    limits._counts.clear()
    with clock.frozen(clock.now()):
        assert program.get("/tags")[0] == 200
        assert asked("GET", "/api/v1/tags", 429) == "too_many"


@pytest.mark.parametrize("kind", list_all_errors(), ids=lambda kind: str(kind["type"]))
def test_whatever_pydantic_finds_is_said_in_one_language(kind: Any) -> None:
    context = {name: 1 if value is None else value for name, value in (kind["example_context"] or {}).items()}
    said = problems.meaning(kind["type"], context | {"expected": "'sms', 'email' or 'push'"})
    assert re.search(r"[\u4e00-\u9fff]", said.zh) and not re.search(r"[\u4e00-\u9fff]", said.en)
    assert set(re.findall(r"[a-z]{2,}", said.zh)) <= {"true", "false", "sms", "email", "push"}


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "en", "zh"),
    [
        ("GET", "/customers?limit=many", None, "limit", "This must be a whole number.", "应为整数。"),
        ("GET", "/customers?limit=0", None, "limit", "This must be 1 or more.", "不得小于 1。"),
        ("GET", "/customers?limit=101", None, "limit", "This must be 100 or less.", "不得大于 100。"),
        ("GET", "/customers?known=maybe", None, "known", "This must be true or false.", "应为 true 或 false。"),
        ("GET", f"/customers?tag={'x' * 51}", None, "tag", "This has more than 50 characters.", "不得超过 50 个字符。"),
        ("GET", "/customers?mood=angry", None, "mood", "This must be one of: happy, neutral, unhappy.",
         "只能是以下之一：happy、neutral、unhappy。"),
        ("GET", "/customers/lookup?kind=phone", None, "value", "This is missing.", "缺少该字段。"),
        ("POST", "/customers", {"identities": []}, "identities", "This has too few entries; the least is 1.", "至少 1 项。"),
        ("POST", "/customers", LI | {"profile": {"birthday": "soon"}}, "profile.birthday",
         "This must be a date, such as 2026-05-31.", "应为日期，如 2026-05-31。"),
        ("POST", "/customers", LI | {"profile": 3}, "profile", "This must be an object of JSON.", "应为 JSON 对象。"),
        ("POST", "/customers", LI | {"colour": "red"}, "colour", "There is no such field.", "没有该字段。"),
        ("POST", "/orders", LI | {"order_id": "A1", "at": "soon"}, "at",
         "This must be a time of ISO 8601, such as 2026-05-31T18:30:00+08:00.",
         "应为 ISO 8601 时间，如 2026-05-31T18:30:00+08:00。"),
        ("POST", "/orders", LI | {"order_id": "A1", "total": "dear"}, "total", "This must be a number.", "应为数字。"),
        ("POST", "/orders", LI | {"order_id": "A1", "currency": "yuan"}, "currency",
         "This doesn't fit the pattern ^[A-Z]{3}$", "格式不符，应匹配 ^[A-Z]{3}$"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_taken_is_explained(
    method: str, path: str, body: Any, field: str, en: str, zh: str, program: Program
) -> None:
    for program.language, said in (("en", en), ("zh-CN", zh)):
        status, problem = program.ask(method, path, body)
        assert (status, problem["errors"]) == (422, [{"field": field, "message": said}])


def test_another_request_under_the_same_key_is_refused_and_kept_answers_go_after_a_day(program: Program) -> None:
    made = program.post("/customers", LI, **{"Idempotency-Key": "one"})
    assert made[0] == 201
    # The answer is in the database: another process, or this one after a restart, gives it again.
    program.client = Client(raise_request_exception=False)
    assert program.post("/customers", LI, **{"Idempotency-Key": "one"}) == made
    assert program.last["Idempotency-Replayed"] == "true"
    other = {"identities": [{"kind": "user_id", "value": "u2"}]}
    status, problem = program.post("/customers", other, **{"Idempotency-Key": "one"})
    assert (status, problem["code"]) == (422, "idempotency_key_reused")
    with clock.frozen(clock.now() + forget.__globals__["KEPT"]):
        assert forget() == 1
    assert Customer.objects.count() == 1 and StoredAnswer.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_under_one_key_one_is_done_and_all_are_answered_alike(warehouse_home: None) -> None:
    _, secret = add_api_key(name="shop", scopes=list(CAPABILITIES), by=SYSTEM)
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "one"}

    def ask(_: int) -> tuple[int, bytes]:
        try:
            answer = Client().post("/api/v1/customers", LI, content_type="application/json", headers=headers)
            return answer.status_code, answer.content
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(6)))
    assert {status for status, _ in answers} == {201} and len(set(answers)) == 1
    assert Customer.objects.count() == 1
