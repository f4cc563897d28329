"""Rules as data: a tree discriminated on `kind`, stored as JSON with a version, validated on the way in and out.

Leaves about customers: stage, rfm_group, score, store, channel, warned, known, listed. Leaves about an event: text,
number. Stages and groups have their keys here; analytics names and computes them. Money is in minor units.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text

VERSION = 1
MOST_LEAVES = 200
MOST_DEPTH = 12

# In the order of life, and of worth.
Stage = Literal["potential", "new", "active", "dormant", "lost"]
Group = Literal["champions", "loyal", "potential", "new", "needs_attention", "dormant", "lost"]
Column = Literal[
    "orders",
    "gross",
    "net",
    "spend_recent",
    "spend_before",
    "recency_days",
    "silent_days",
    "gap_days",
    "first_day",
    "last_day",
    "last_seen_day",
    "r",
    "f",
    "m",
    "p_alive",
    "expected_orders",
    "expected_value",
]
Comparison = Literal["is", "at_least", "at_most", "above", "below"]
Word = Annotated[str, Field(max_length=200)]


class _Node(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class All(_Node):
    """Every rule holds; without any it is met by everybody."""

    kind: Literal["all"] = "all"
    rules: tuple["Rule", ...] = ()


class AnyOf(_Node):
    kind: Literal["any"] = "any"
    rules: tuple["Rule", ...] = Field(min_length=1)


class Not(_Node):
    kind: Literal["not"] = "not"
    rule: "Rule"


class StageIn(_Node):
    kind: Literal["stage"] = "stage"
    stages: tuple[Stage, ...] = Field(min_length=1)


class GroupIn(_Node):
    kind: Literal["rfm_group"] = "rfm_group"
    groups: tuple[Group, ...] = Field(min_length=1)


class Score(_Node):
    """A column of scores compared: days, counts, minor units; p_alive between 0 and 1; *_day since 1970-01-01."""

    kind: Literal["score"] = "score"
    column: Column
    comparison: Comparison = "at_least"
    value: int | float = Field(allow_inf_nan=False, ge=-(2**53), le=2**53)


class StoreIn(_Node):
    """The usual store is one of these; "" stands for none."""

    kind: Literal["store"] = "store"
    stores: tuple[Word, ...] = Field(min_length=1)


class ChannelIn(_Node):
    kind: Literal["channel"] = "channel"
    channels: tuple[Word, ...] = Field(min_length=1)


class Warned(_Node):
    """Warned at all, or (a reason given) this reason applies, whether it suffices for a warning or not."""

    kind: Literal["warned"] = "warned"
    reason: Literal["any", "silent", "spend", "overdue"] = "any"


class Known(_Node):
    """Has an identity that names a person."""

    kind: Literal["known"] = "known"


class Listed(_Node):
    """One of the customer's records is in a set that comes from outside: who has a tag, who consented."""

    kind: Literal["listed"] = "listed"
    what: Literal["tag", "consent", "segment"]
    value: Word

    @property
    def key(self) -> str:
        """What the caller gives the set by: "tag:VIP"."""
        return f"{self.what}:{self.value}"


class TextIs(_Node):
    """A text of the event is one of these, or contains one of them (case matters)."""

    kind: Literal["text"] = "text"
    column: Literal["name", "store", "channel", "product_id", "category", "order_id"]
    how: Literal["one_of", "contains"] = "one_of"
    values: tuple[Word, ...] = Field(min_length=1)


class NumberIs(_Node):
    """A number of the event compared: amount in minor units, score as given."""

    kind: Literal["number"] = "number"
    column: Literal["amount", "score"]
    comparison: Comparison = "at_least"
    value: int = Field(ge=-(2**53), le=2**53)


Rule = Annotated[
    All | AnyOf | Not | StageIn | GroupIn | Score | StoreIn | ChannelIn | Warned | Known | Listed | TextIs | NumberIs,
    Field(discriminator="kind"),
]
for _node in (All, AnyOf, Not):
    _node.model_rebuild()

_RULE: TypeAdapter[Rule] = TypeAdapter(Rule)


def parse(stored: Mapping[str, Any]) -> Rule:
    """The rule in {"version": 1, "rule": {…}}. Raises Invalid, whose field is the path of what is wrong."""
    if stored.get("version") != VERSION:
        raise Invalid(
            "rule.version",
            Text(
                en="The rule is of version {found}; this program reads version {ours}.",
                zh="规则版本为 {found}，本程序只能读取版本 {ours}。",
            ).filled(found=repr(stored.get("version")), ours=VERSION),
            field="version",
        )
    given = stored.get("rule")
    if _depth(given) > MOST_DEPTH:
        raise _too_large()
    try:
        rule = _RULE.validate_python(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Invalid(
            "rule.invalid",
            Text(en="The rule is wrong at {where}: {why}.", zh="规则有误，位置：{where}（{why}）。").filled(
                where=_path(first["loc"]) or "rule", why=first["msg"]
            ),
            field=_path(first["loc"]) or "rule",
        ) from None
    if sum(1 for _ in leaves(rule)) > MOST_LEAVES:
        raise _too_large()
    return rule


def dump(rule: Rule) -> dict[str, Any]:
    """What is stored; `parse` reads it back to an equal rule."""
    return {"version": VERSION, "rule": rule.model_dump(mode="json")}


def leaves(rule: Rule) -> Iterator[Rule]:
    """All conditions of a rule that hold no others."""
    match rule:
        case All() | AnyOf():
            for part in rule.rules:
                yield from leaves(part)
        case Not():
            yield from leaves(rule.rule)
        case _:
            yield rule


def sets(rule: Rule) -> frozenset[str]:
    """The keys of the sets of records that the rule asks for ("tag:VIP")."""
    return frozenset(leaf.key for leaf in leaves(rule) if isinstance(leaf, Listed))


def _depth(node: Any) -> int:
    """How deep nested data is, without recursing deeper than is allowed."""
    level, depth = [node], 0
    while level and depth <= 2 * MOST_DEPTH:
        depth += 1
        inside = [part.get("rules", part.get("rule")) for part in level if isinstance(part, dict)]
        level = [one for part in inside if part for one in (part if isinstance(part, list | tuple) else [part])]
    return depth


def _path(where: tuple[int | str, ...]) -> str:
    """all → rules → 0 → stage → stages becomes rules.0.stages: pydantic names the kinds on the way."""
    kinds = {
        "all",
        "any",
        "not",
        "stage",
        "rfm_group",
        "store",
        "channel",
        "warned",
        "known",
        "listed",
        "text",
        "number",
    }
    return ".".join(str(part) for part in where if part not in kinds | {"score"})


def _too_large() -> Invalid:
    return Invalid(
        "rule.too_large",
        Text(
            en="At most {leaves} conditions in {depth} levels.",
            zh="最多 {leaves} 个条件、{depth} 层嵌套。",
        ).filled(leaves=MOST_LEAVES, depth=MOST_DEPTH),
        field="rule",
    )
