"""What is known of a person besides identities: the fields, what a value has to look like, and which write wins.

Pure: no database here. Each record keeps its own facts, {field: [value, written at in µs]}, for ever; what is shown of
a customer is folded from the facts of all its records. Therefore a merge moves nothing and undoing it restores nothing.
"""

import json
import math
from collections.abc import Iterable, Mapping
from datetime import date
from hashlib import sha256
from typing import Any

from regulars.customers import spoken
from regulars.customers.identities import cleaned
from regulars.kernel.errors import Faults, Invalid
from regulars.kernel.languages import Text

Facts = dict[str, list[Any]]

FIELDS: dict[str, Text] = {
    "name": Text("Name", "姓名"),
    "birthday": Text("Birthday", "生日"),
    "gender": Text("Gender", "性别"),
    "city": Text("City", "城市"),
    "language": Text("Language", "语言"),
    "home_store": Text("Home store", "归属门店"),
}
GENDERS: dict[str, Text] = {
    "female": Text("Female", "女"),
    "male": Text("Male", "男"),
    "other": Text("Other", "其他"),
}
_GENDERS = {
    "f": "female", "female": "female", "woman": "female", "女": "female", "女士": "female", "女性": "female",
    "m": "male", "male": "male", "man": "male", "男": "male", "先生": "male", "男性": "male",
    "o": "other", "other": "other", "其他": "other",
}  # fmt: skip
_LENGTH = {"name": 200, "city": 100, "language": 20, "home_store": 100}
MAX_ATTRIBUTES = 200

# Names under which tracking clients send them (the Segment spec for identify).
_ALIASES = {
    "dateOfBirth": "birthday", "birthDate": "birthday", "sex": "gender", "homeStore": "home_store",
    "store": "home_store", "locale": "language", "fullName": "name",
}  # fmt: skip
_PARTS = frozenset({"firstName", "lastName", "first_name", "last_name"})
IDENTIFYING = {"email": "email", "phone": "phone"}
"""Traits that are identities, not facts."""


def checked(field: str, value: Any, *, today: date) -> Any:
    """The value as it is kept (a birthday as ISO text, None to clear it). `today` is the business's: nobody is born
    after it. Raises Invalid with the field.
    """
    if value is None or (isinstance(value, str) and not cleaned(value)):
        return None
    if field == "birthday":
        try:
            day = value if isinstance(value, date) else date.fromisoformat(cleaned(str(value))[:10].replace("/", "-"))
        except ValueError:
            raise Invalid(
                "birthday",
                Text("Write the birthday as year-month-day, such as 1990-05-31.", "生日请写成 1990-05-31 这样的格式。"),
                field=field,
            ) from None
        born = date(day.year, day.month, day.day)
        if born.year < 1900:
            raise Invalid("birthday", Text("Check the year of the birthday.", "请检查生日的年份。"), field=field)
        if born > today:
            raise Invalid("birthday", Text("This birthday is in the future.", "生日不能晚于今天。"), field=field)
        return born.isoformat()
    if field == "gender":
        found = _GENDERS.get(cleaned(str(value)).lower())
        if found is None:
            raise Invalid(
                "gender",
                Text("Gender is one of female, male and other.", "性别应为女、男或其他。"),
                field=field,
            )
        return found
    if field in FIELDS:
        if not isinstance(value, str | int | float):
            raise Invalid(field, Text("Write this as a text.", "请填写文本。"), field=field)
        text = cleaned(str(value))
        if len(text) > _LENGTH[field]:
            limit = _LENGTH[field]
            raise Invalid(
                field,
                Text("This is longer than {limit} characters.", "长度超过 {limit} 个字符。").filled(limit=limit),
                field=field,
            )
        if field == "language":
            tag = spoken.tag(text)
            if tag is None:
                raise Invalid("language", spoken.FAULT, field=field)
            return tag
        return text
    if not 1 <= len(field) <= 100 or field != cleaned(field):
        raise Invalid(
            "attribute",
            Text("The name of an attribute has 1 to 100 characters.", "自定义属性的名称为 1 到 100 个字符。"),
            field=field,
        )
    return _storable(value, field)


def all_checked(fields: Mapping[str, Any], *, today: date) -> dict[str, Any]:
    """`checked` for each. Raises Invalid at the first that can't be taken, with the others."""
    faults, kept = Faults(), {}
    for name, value in fields.items():
        with faults.caught():
            kept[name] = checked(name, value, today=today)
    faults.tell()
    return kept


def version(shown: Mapping[str, Any]) -> str:
    """Changes with what is shown of a customer's profile, fields and attributes, and with nothing else."""
    present = {name: value for name, value in shown.items() if value is not None}
    told = json.dumps(present, sort_keys=True, default=str)  # a birthday is its ISO text
    return sha256(told.encode()).hexdigest()[:32]


def _storable(value: Any, field: str) -> Any:
    """A value of JSON that every database takes: no NUL, no halves of characters, no infinite numbers."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        raise Invalid("number", Text("This isn't a finite number.", "这不是有限的数。"), field=field)
    if isinstance(value, dict):
        return {str(_storable(key, field)): _storable(item, field) for key, item in value.items()}
    return [_storable(item, field) for item in value] if isinstance(value, list | tuple) else value


def from_traits(traits: Mapping[str, Any], *, today: date) -> dict[str, Any]:
    """The fields that an identify call sets: known ones checked (a value that can't be one is left out), nested
    addresses opened for their city, everything else as custom attributes.
    """
    given: dict[str, Any] = {}
    for key, value in traits.items():
        if key in IDENTIFYING or key in _PARTS:
            continue
        if key == "address" and isinstance(value, dict):
            if value.get("city"):
                given.setdefault("city", value["city"])
            continue
        given[_ALIASES.get(key, key)] = value
    if "name" not in given and _PARTS & traits.keys():
        first = str(traits.get("firstName") or traits.get("first_name") or "").strip()
        last = str(traits.get("lastName") or traits.get("last_name") or "").strip()
        western = (first + last).isascii()
        given["name"] = f"{first} {last}".strip() if western else last + first
    fields: dict[str, Any] = {}
    for key, value in given.items():
        try:
            fields[key] = checked(key, value, today=today)
        except Invalid:
            continue
    return fields


REMEMBERED = 2**52
"""µs taken from the time of a fact that a client only remembers: older than anything that was ever said, in their own
order among themselves; JSON holds it exactly."""


def said_at(at: int) -> int:
    """When (µs) a fact of this time was said or remembered."""
    return at if at >= 0 else at + REMEMBERED


def remembered(traits: Mapping[str, Any], *, today: date) -> dict[str, Any]:
    """The known fields among what a client sends along of its user with every event (Segment's `context.traits`). What
    else stands there goes to nobody's profile: only identify makes attributes.
    """
    return {name: value for name, value in from_traits(traits, today=today).items() if name in FIELDS and value}


def written(facts: Facts, fields: Mapping[str, Any], at: int) -> bool:
    """Write the fields into a record's facts as of `at` (µs), in place: a later fact stays, of two at the same moment
    the one written last does. Whether anything changed. What is only remembered comes with every event: said again, it
    changes nothing.
    """
    changed = False
    for field, value in fields.items():
        present = facts.get(field)
        if at < 0 and present is not None and present[0] == value:
            continue
        if present is None and field not in FIELDS and len(facts) >= MAX_ATTRIBUTES:
            continue
        if present is None or (at >= present[1] and present != [value, at]):
            facts[field] = [value, at]
            changed = True
    return changed


def folded(facts: Iterable[tuple[int, Facts]]) -> dict[str, Any]:
    """What is shown of a customer: for each field the latest of all its records' facts, given as (record id, facts);
    of two at the same moment that of the younger record.
    """
    latest: dict[str, tuple[int, int, Any]] = {}
    for record, own in facts:
        for field, (value, at) in own.items():
            present = latest.get(field)
            if present is None or (at, record) > present[:2]:
                latest[field] = (at, record, value)
    return {field: value for field, (_, _, value) in latest.items() if value is not None}


def name_key(name: str) -> str:
    """What a search for a name compares: without case and width."""
    return cleaned(name).casefold()[:200]


_LONG = (
    "欧阳上官司马诸葛夏侯皇甫尉迟公孙慕容司徒令狐东方南宫长孙宇文端木独孤西门百里呼延歐陽司馬諸葛長孫東方南宮獨孤西門"
)
_FAMILY_NAMES = frozenset(_LONG[at : at + 2] for at in range(0, len(_LONG), 2))
"""Chinese family names of two characters."""


def name_rest(name: str) -> str:
    """What else people search by: the last word of a name, of one without spaces that isn't written in Latin letters
    what comes after the family name; "" where that is nothing."""
    key = name_key(name)
    if " " in key:
        return key.rsplit(" ", 1)[1]
    if not key or key[0] < "\u2e80":
        return ""
    return key[2 if key[:2] in _FAMILY_NAMES and len(key) > 2 else 1 :]
