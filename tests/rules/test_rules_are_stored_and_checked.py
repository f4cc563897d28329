from typing import Any

import pytest

from regulars.analytics import lifecycle, rfm
from regulars.analytics.facts import SCORES
from regulars.kernel.errors import Invalid
from regulars.rules import schema
from regulars.rules.describe import COLUMNS
from regulars.rules.schema import All, AnyOf, Listed, Not, Score, StageIn, Warned


def stored(rule: Any) -> dict[str, Any]:
    return {"version": 1, "rule": rule}


def test_a_rule_comes_back_as_it_was_stored() -> None:
    rule = All(
        rules=(StageIn(stages=("new", "active")), Not(rule=AnyOf(rules=(Warned(), Listed(what="tag", value="VIP")))))
    )
    assert schema.parse(schema.dump(rule)) == rule
    assert schema.dump(rule)["rule"]["rules"][0] == {"kind": "stage", "stages": ["new", "active"]}
    assert schema.sets(rule) == {"tag:VIP"}
    assert [leaf.kind for leaf in schema.leaves(rule)] == ["stage", "warned", "listed"]


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"version": 2, "rule": {"kind": "known"}}, "rule.version", "version"),
        ({}, "rule.version", "version"),
        (stored(None), "rule.invalid", "rule"),
        (stored({"kind": "weather"}), "rule.invalid", "rule"),
        (stored({"kind": "stage", "stages": ["sleepy"]}), "rule.invalid", "stages.0"),
        (
            stored({"kind": "all", "rules": [{"kind": "known"}, {"kind": "stage", "stages": []}]}),
            "rule.invalid",
            "rules.1.stages",
        ),
        (stored({"kind": "score", "column": "net", "value": float("nan")}), "rule.invalid", None),
        (stored({"kind": "score", "column": "height", "value": 1}), "rule.invalid", "column"),
        (stored({"kind": "known", "extra": 1}), "rule.invalid", "extra"),
        (stored({"kind": "all", "rules": [{"kind": "known"}] * 201}), "rule.too_large", "rule"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(given: dict[str, Any], code: str, field: str | None) -> None:
    with pytest.raises(Invalid) as problem:
        schema.parse(given)
    assert problem.value.code == code
    if field is not None:
        assert problem.value.field == field
    assert problem.value.text.zh


def test_a_rule_nested_without_end_is_refused() -> None:
    rule: dict[str, Any] = {"kind": "known"}
    for _ in range(5_000):
        rule = {"kind": "not", "rule": rule}
    with pytest.raises(Invalid) as problem:
        schema.parse(stored(rule))
    assert problem.value.code == "rule.too_large"


def test_the_words_of_rules_are_those_of_analytics() -> None:
    assert set(schema.Stage.__args__) == set(lifecycle.STAGES)
    assert set(schema.Group.__args__) == set(rfm.GROUPS)
    assert set(schema.Column.__args__) <= set(SCORES.columns) & set(COLUMNS)
    assert Score(column="net", value=1).comparison == "at_least"
