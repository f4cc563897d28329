"""Rules to Ibis predicates: the one reading of a rule for everybody at once; one customer is the same, filtered."""

from collections.abc import Mapping
from functools import reduce

import ibis
import ibis.expr.types as ir

from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text
from regulars.rules.schema import (
    All,
    AnyOf,
    ChannelIn,
    Comparison,
    GroupIn,
    Known,
    Listed,
    Not,
    NumberIs,
    Rule,
    Score,
    StageIn,
    StoreIn,
    TextIs,
    Warned,
)


def predicate(
    rule: Rule,
    table: ir.Table,
    *,
    records: ir.Table | None = None,
    sets: Mapping[str, ir.Table] | None = None,
) -> ir.BooleanValue:
    """Never NULL. `table` is scores, or events for rules of `text` and `number`.

    `sets` holds a table with a column record_id for each of `schema.sets(rule)`; `records` (record_id, customer_id)
    says whose they are. Raises Invalid for a leaf about something that the table hasn't.
    """

    def one(leaf: Rule) -> ir.BooleanValue:
        return predicate(leaf, table, records=records, sets=sets)

    def column(name: str) -> ir.Value:
        if name not in table.columns:
            raise Invalid(
                "rule.column",
                Text(en="“{name}” can't be asked here.", zh="这里不能使用“{name}”。").filled(name=name),
                field=name,
            )
        return table[name]

    def met(condition: ir.Value) -> ir.BooleanValue:
        return ibis.coalesce(condition, False)

    match rule:
        case All():
            return reduce(lambda a, b: a & b, map(one, rule.rules), ibis.literal(True))
        case AnyOf():
            return reduce(lambda a, b: a | b, map(one, rule.rules))
        case Not():
            return ~one(rule.rule)
        case StageIn():
            return met(column("stage").isin(rule.stages))
        case GroupIn():
            return met(column("rfm_group").isin(rule.groups))
        case Score():
            return met(_compared(column(rule.column), rule.comparison, rule.value))
        case StoreIn():
            return ibis.coalesce(column("store"), "").isin(rule.stores)
        case ChannelIn():
            return ibis.coalesce(column("channel"), "").isin(rule.channels)
        case Warned():
            return met(column("warned" if rule.reason == "any" else f"warn_{rule.reason}"))
        case Known():
            return met(column("known"))
        case Listed():
            if records is None or sets is None or rule.key not in sets:
                raise KeyError(f"the set {rule.key} isn't given")
            return column("customer_id").isin(records.semi_join(sets[rule.key], "record_id").customer_id)
        case TextIs(how="one_of"):
            return met(column(rule.column).isin(rule.values))
        case TextIs():
            text = column(rule.column)
            return met(reduce(lambda a, b: a | b, (text.contains(value) for value in rule.values)))
        case NumberIs():
            return met(_compared(column(rule.column), rule.comparison, rule.value))


def _compared(value: ir.Value, comparison: Comparison, bound: int | float) -> ir.Value:
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
