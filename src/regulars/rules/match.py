"""Does one event meet a rule? For triggers, where a query per event would be too slow; `compile` is the law, a property
test holds this in agreement with it. Only leaves about the event itself: what is said of customers needs the history.
"""

from collections.abc import Mapping
from typing import Any

from regulars.rules.schema import All, AnyOf, Comparison, Not, NumberIs, Rule, TextIs


def matches(rule: Rule, event: Mapping[str, Any]) -> bool:
    """`event` by the columns of the warehouse's events (name, store, channel, product_id, category, order_id, amount in
    minor units, score); a missing one is no value. Raises TypeError for a leaf about customers.
    """
    match rule:
        case All():
            return all(matches(part, event) for part in rule.rules)
        case AnyOf():
            return any(matches(part, event) for part in rule.rules)
        case Not():
            return not matches(rule.rule, event)
        case TextIs():
            text = event.get(rule.column)
            if text is None:
                return False
            return text in rule.values if rule.how == "one_of" else any(value in text for value in rule.values)
        case NumberIs():
            number = event.get(rule.column)
            return number is not None and _compared(number, rule.comparison, rule.value)
    raise TypeError(f"{rule.kind} is about customers, not about one event")


def _compared(value: int, comparison: Comparison, bound: int) -> bool:
    match comparison:
        case "is":
            return value == bound
        case "at_least":
            return value >= bound
        case "at_most":
            return value <= bound
        case "above":
            return value > bound
        case "below":
            return value < bound
