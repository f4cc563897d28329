"""Bodies of many layers and numbers of many digits: refused or taken, and never a fault of ours."""

import json

import pytest

from tests.api.conftest import Program

LAYERS = [90, 150, 400, 480, 700, 900, 2000, 100_000]
DIGITS = ["9" * 30, "-" + "9" * 4000, "9" * 5000, "1e400", "NaN", '"\\ud800"', '"\\u0000"']


@pytest.mark.parametrize("pair", ["[]", "{}"], ids=["lists", "objects"])
def test_bodies_of_many_layers_or_digits_are_refused_or_taken(program: Program, pair: str) -> None:
    deep = [(pair[0] + '"a":' * (pair == "{}")) * depth + "1" + pair[1] * depth for depth in LAYERS]
    who = '"identities": [{"kind": "user_id", "value": "u1"}]'
    wrong = []
    for value in deep + DIGITS:
        for path, body in (
            ("/events", f'{{"events": [{{"event": "Sauna Booked", {who}, "properties": {{"a": {value}}}}}]}}'),
            ("/events", f'{{"events": {value}}}'),
            ("/orders", f'{{"orders": [{{"order_id": "1", {who}, "total": {value}}}]}}'),
            ("/customers", f'{{{who}, "attributes": {{"a": {value}}}}}'),
            ("/customers", f'{{"identities": [{{"kind": "user_id", "value": {value}}}]}}'),
        ):
            answer = program.client.generic(
                "POST", f"/api/v1{path}", body.encode(), "application/json",
                headers={"Authorization": f"Bearer {program.secret}"},
            )  # fmt: skip
            told = json.loads(answer.content)
            if answer.status_code not in (200, 201, 400, 409, 422):
                wrong.append((path, body[:90], len(body), answer.status_code, told.get("code")))
    assert wrong == []
