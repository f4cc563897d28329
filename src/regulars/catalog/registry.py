"""The catalogue itself, and checking events against it."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from pydantic import ValidationError

from regulars.catalog import care, commerce
from regulars.catalog.exact import exact
from regulars.catalog.faults import Fault
from regulars.catalog.payloads import COMMON, Column, EventType, Payload
from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text

CATALOG: dict[str, EventType] = {entry.name: entry for entry in (*commerce.EVENTS, *care.EVENTS)}
_VALIDATORS = {name: entry.payload.__pydantic_validator__ for name, entry in CATALOG.items()}
_EXACT = {name: exact(entry.payload) for name, entry in CATALOG.items()}

# pydantic's kind of error → what should be there, and an example of it
_NUMBER = (Text("a number", "数字"), "12.5")
_WHOLE = (Text("a whole number", "整数"), "3")
_TEXT = (Text("a text", "文本"), '"A-1001"')
_LIST = (Text("a list", "列表"), "[…]")
_OBJECT = (Text("an object", "对象"), '{"product_id": "A-1001"}')
_EXPECTED: dict[str, tuple[Text, str]] = {
    "decimal_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "finite_number": _NUMBER,
    "int_parsing": _WHOLE,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": _WHOLE,
    "string_type": _TEXT,
    "list_type": _LIST,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dict_type": _OBJECT,
}
_WRONG = Text(
    "{name}: {field} should be {expected}, but {got} came. Send it as {example}, or leave it out.",
    "{name}：{field} 应为{expected}，收到的是{got}。请改为{example}这样的值，或不发送该字段。",
)
_MISSING = Text(
    "{name}: {field} is missing. Send it with the event.", "{name}：缺少 {field}。请随事件一起发送。"
)  # fmt: skip
_RANGE = Text(
    "{name}: {field} is {got}, which is outside what is possible ({bound}). Send the right value, or leave it out.",
    "{name}：{field} 为{got}，超出允许范围（{bound}）。请发送正确的值，或不发送该字段。",
)
_RESERVED = Text(
    "{name} is recorded by the system itself and can't be sent by a tracking client. Use the console or the JSON API.",
    "{name} 由系统自行记录，不能由跟踪 SDK 发送。请使用控制台或 JSON API。",
)
_UNKNOWN_FIELD = Text("{name} has no field {field}.", "{name} 没有字段 {field}。")


def _in_chinese(value: str) -> str:
    """A value as JSON writes it behind a Chinese word: a text in Chinese quotes, anything else after a space."""
    return "“" + value[1:].removesuffix('"') + "”" if value.startswith('"') else f" {value}"


def _fault(name: str, error: ValidationError) -> Fault:
    """The first thing that is wrong (the others show once it is repaired)."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    kind = first["type"]
    got = json.dumps(first["input"], ensure_ascii=False, default=str) if kind != "missing" else ""
    got = got if len(got) <= 60 else got[:59] + "…"
    said = Text(got, _in_chinese(got))
    if kind == "missing":
        return Fault("missing", field, _MISSING.filled(name=name, field=field))
    if kind in _EXPECTED:
        expected, sample = _EXPECTED[kind]
        shown = _in_chinese(sample)
        example = Text(sample, shown if shown.startswith("“") else f"{shown} ")
        text = _WRONG.filled(name=name, field=field, expected=expected, got=said, example=example)
        return Fault("wrong_type", field, text)
    limits = first.get("ctx", {})
    bound = " ".join(f"{sign} {limits[key]}" for key, sign in (("ge", "≥"), ("le", "≤")) if key in limits) or kind
    return Fault("out_of_range", field, _RANGE.filled(name=name, field=field, got=said, bound=bound))


def check(name: str, properties: Mapping[str, Any], *, tracked: bool = True) -> Fault | None:
    """What is wrong with an event, or None. Names that aren't catalogued are fine, whatever they carry.

    `tracked`: it came from outside, where reserved names aren't taken. Half a microsecond for a small payload.
    """
    validator = _VALIDATORS.get(name)
    if validator is None:
        return None
    entry = CATALOG[name]
    if tracked and entry.reserved:
        return Fault("reserved", "", _RESERVED.filled(name=name))
    try:
        payload = msgspec.convert(properties, _EXACT[name])  # nearly all pass, at a fifth of the cost
    except msgspec.ValidationError:
        try:
            payload = validator.validate_python(properties)
        except ValidationError as error:
            return _fault(name, error)
    return entry.sense(payload) if entry.sense is not None else None


def require(name: str, properties: Mapping[str, Any]) -> None:
    """For the system's own events: raise LookupError if the name isn't catalogued, Invalid if the payload doesn't fit
    or has a field that isn't declared.
    """
    entry = CATALOG.get(name)
    if entry is None:
        raise LookupError(f"{name!r} isn't in the catalogue of events")
    fault = check(name, properties, tracked=False)
    if fault is None:
        undeclared = properties.keys() - entry.payload.model_fields.keys()
        if undeclared:
            field = min(undeclared)
            fault = Fault("unknown_field", field, _UNKNOWN_FIELD.filled(name=name, field=field))
    if fault is not None:
        raise Invalid(f"event_{fault.code}", fault.text, field=fault.field)


def parse(name: str, properties: Mapping[str, Any]) -> Payload:
    """The typed payload of a catalogued event that has been checked. Raises KeyError or ValidationError otherwise."""
    return CATALOG[name].payload.model_validate(properties)


def columns(name: str) -> dict[Column, tuple[str, ...]]:
    """Typed column of the warehouse → the properties that fill it, also for events that aren't catalogued."""
    entry = CATALOG.get(name)
    return entry.columns if entry else dict(COMMON)


def title(name: str) -> Text:
    """What people call it; the name itself when it isn't catalogued."""
    entry = CATALOG.get(name)
    return entry.title if entry else Text(name, name)


def names_of(group: str) -> frozenset[str]:
    """The catalogued names of a group (keys of GROUPS), for filters."""
    return frozenset(entry.name for entry in CATALOG.values() if entry.group == group)
