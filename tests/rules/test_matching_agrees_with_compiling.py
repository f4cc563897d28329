from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.analytics.engines.duck import Duck
from regulars.analytics.facts import EVENTS
from regulars.rules.compile import predicate
from regulars.rules.match import matches
from regulars.rules.schema import All, AnyOf, Known, Not, NumberIs, Rule, TextIs
from tests.analytics.world import arrow

WORDS = ("Order Completed", "茶", "tea", "green tea", "O'Hare", 'a"b', "50%_", "", "\\")
words = st.sampled_from(WORDS)
numbers = st.integers(-3, 3) | st.sampled_from([2**53, -(2**53)])
leaves = st.builds(
    TextIs,
    column=st.sampled_from(("name", "store", "channel", "product_id", "category", "order_id")),
    how=st.sampled_from(("one_of", "contains")),
    values=st.lists(words, min_size=1, max_size=3).map(tuple),
) | st.builds(
    NumberIs,
    column=st.sampled_from(("amount", "score")),
    comparison=st.sampled_from(("is", "at_least", "at_most", "above", "below")),
    value=numbers,
)
rules = st.recursive(
    leaves,
    lambda inner: (
        st.builds(All, rules=st.lists(inner, max_size=3).map(tuple))
        | st.builds(AnyOf, rules=st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(Not, rule=inner)
    ),
    max_leaves=6,
)
texts = st.none() | words
events = st.fixed_dictionaries(
    {
        "name": words,
        "store": texts,
        "channel": texts,
        "product_id": texts,
        "category": texts,
        "order_id": texts,
        "amount": st.none() | numbers,
        "score": st.none() | st.integers(-3, 3),
    }
)


@settings(max_examples=60, deadline=None)
@given(rule=rules, happened=st.lists(events, min_size=1, max_size=8))
def test_one_event_is_matched_as_all_events_are_filtered(rule: Rule, happened: list[dict[str, Any]]) -> None:
    rows = [row | {"position": n, "at": 0, "day": 0, "month": 0} for n, row in enumerate(happened)]
    with duckdb.connect() as connection:
        duck = Duck(connection)
        duck.register({"events": arrow(EVENTS, rows)})
        answers = duck.read(EVENTS.select("position", met=predicate(rule, EVENTS)))
    assert dict(answers) == {row["position"]: matches(rule, row) for row in rows}


def test_what_is_said_of_customers_cannot_be_matched_by_an_event() -> None:
    with pytest.raises(TypeError, match="known"):
        matches(Known(), {})
