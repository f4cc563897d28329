"""The description of the API: valid, complete, as it was agreed; and every operation keeps to it."""

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.test import Client
from django.test.client import ClientHandler
from hypothesis import HealthCheck, Phase, given
from openapi_spec_validator import validate
from schemathesis.checks import (
    not_a_server_error,
)
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from regulars.accounts.capabilities import CAPABILITIES
from tests.api.conftest import Program
from tools import openapi

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip
EXAMPLES = int(os.environ.get("REGULARS_EXAMPLES", 0))
"""How many of each operation, at random, in a long run; else a few, and always the same."""
DESCRIBED = json.loads(openapi.described())


def test_the_description_is_as_it_was_agreed() -> None:
    """If the change is meant: python -m tools.openapi writes it down."""
    assert openapi.described() == openapi.PATH.read_text()


def test_the_description_is_openapi_3_1() -> None:
    validate(DESCRIBED)
    assert DESCRIBED["openapi"].startswith("3.1")


def _operations() -> Iterator[tuple[str, Any]]:
    for path, methods in DESCRIBED["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_parameter_and_property_is_described_in_both_languages() -> None:
    bare = []
    for name, operation in _operations():
        if " · " not in operation.get("summary", ""):
            bare.append(name)
        if operation.get("x-scope") not in CAPABILITIES:
            bare.append(f"{name}: x-scope")
        for parameter in operation.get("parameters", []):
            if "$ref" not in parameter and " · " not in parameter.get("description", ""):
                bare.append(f"{name}: {parameter['name']}")
    for name, schema in DESCRIBED["components"]["schemas"].items():
        for field, about in schema.get("properties", {}).items():
            if " · " not in about.get("description", ""):
                bare.append(f"{name}.{field}")
    assert bare == []


def test_the_documentation_page_asks_nobody_else(db: None) -> None:
    client = Client()
    page = client.get("/api/docs")
    assert page.status_code == 200
    text = page.content.decode()
    assert set(re.findall(r'(?:src|href)="([^"]+)"', text)) == {
        "/", "data:,", "/api/v1/openapi.json", "?lang=zh-Hans", "/static/ninja/swagger-ui.css", "/static/api/docs.css",
        "/static/ninja/swagger-ui-bundle.js", "/static/api/docs.js",
    }  # fmt: skip
    assert client.get("/static/ninja/swagger-ui-bundle.js").status_code == 200
    assert client.get("/api/v1/openapi.json").json()["openapi"].startswith("3.1")


@pytest.mark.parametrize(
    ("asked", "accepts", "lang"),
    [("", "zh-CN", "zh-Hans"), ("", "en-GB", "en"), ("?lang=en", "zh-CN", "en"), ("?lang=zh-CN", "en", "zh-Hans")],
)
def test_the_documentation_speaks_one_language(asked: str, accepts: str, lang: str, db: None) -> None:
    page = Client(headers={"Accept-Language": accepts}).get(f"/api/docs{asked}")
    text = page.content.decode()
    assert page["Content-Language"] == lang and f'<html lang="{lang}">' in text
    told = json.loads(text.partition('id="description" type="application/json">')[2].partition("</script>")[0])
    assert told["paths"].keys() == DESCRIBED["paths"].keys()
    assert told["info"]["description"].strip().count("\n\n") == 1  # both its paragraphs, none of the other language's
    chinese, words = lang == "zh-Hans", list(_words(told))
    assert len(words) > 400 and not any(" · " in word for word in words)
    assert [word for word in words if bool(re.search(r"[\u4e00-\u9fff]", word)) != chinese and len(word) > 12] == []


def _words(part: Any) -> Iterator[str]:
    """All descriptions and summaries of operations, parameters, properties and answers."""
    if isinstance(part, list):
        for item in part:
            yield from _words(item)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key in ("description", "summary") and isinstance(value, str):
                yield value
            else:
                yield from _words(value)


_SITE = ClientHandler(enforce_csrf_checks=False)  # one for all requests: to begin, it looks at every static file


def _application(environ: Any, start_response: Any) -> list[bytes]:
    """The site as a WSGI application within the test's transaction: Django's own test handler keeps the connection."""
    response = _SITE(environ)
    start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
    return [response.getvalue()]


@pytest.mark.parametrize("tag", sorted({operation["tags"][0] for _, operation in _operations()}))
def test_every_operation_keeps_to_its_description(tag: str, program: Program, settings: Any) -> None:
    """Whatever comes, fitting or not, the answer is one of those described and never a fault of ours."""
    settings.API_RATE = 0
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", _application)
    told = {"Authorization": f"Bearer {program.secret}"}
    for name, described in _operations():
        if described["tags"][0] != tag:
            continue
        method, path = name.split(" ")
        operation = schema[path][method]
        program.post("/customers", {"identities": [{"kind": "user_id", "value": name}]})
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @given(case=operation.as_strategy(generation_mode=mode))
            @hypothesis.settings(
                max_examples=EXAMPLES or 3, phases=[Phase.generate], deadline=None, derandomize=not EXAMPLES,
                database=None, suppress_health_check=list(HealthCheck), print_blob=True,
            )  # fmt: skip
            def keeps(case: Any) -> None:
                case.call_and_validate(headers=told, checks=CHECKS)

            keeps()


def test_a_place_that_does_not_exist_answers_problem_json_whatever_the_method(db: None) -> None:
    from django.test import Client

    answer = Client(enforce_csrf_checks=True).post("/api/v9/nothing", {"a": 1}, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
