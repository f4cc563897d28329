"""From a record of the inbox to drafts of events: pure, no clock, no database, never raises for what a client sent.

One bad event never harms its neighbours: it comes back as `Bad` with the reason. What identities and traits mean for
customers, and whether a message was seen before, isn't known here.
"""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

import msgspec

from regulars import catalog
from regulars.catalog import Fault
from regulars.eventlog.ingest.inbox import Placed, Record
from regulars.eventlog.rows import NewEvent, unpriced, written
from regulars.kernel import clock
from regulars.kernel.languages import Text

_log = logging.getLogger(__name__)

EVENT_BYTES = 32 * 1024
BATCH_BYTES = 500 * 1024
DEPTH = 100  # objects within objects: whoever goes through an event again must not run out of stack
MESSAGE_ID_LENGTH = 100
NAME_LENGTH = 200
IDENTITY_LENGTH = 200
FUTURE = timedelta(hours=24)  # a clock that goes ahead by less is taken back to the moment of receipt
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)

# What `identify`, `group` and `alias` are called in the log (their traits go to the profile, not into the log).
IDENTIFY, GROUP, ALIAS = "Traits Updated", "Group Joined", "Identities Linked"

# What sloppy clients send for "nobody"; taken for an identity they would make one customer of all the world.
NOBODY = frozenset(
    {
        "", "0", "-1", "null", "none", "nil", "nan", "undefined", "true", "false", "anonymous", "guest", "unknown",
        "n/a", "id", "user_id", "userid", "distinct_id", "[object object]",
    }
)  # fmt: skip
_LONGEST = max(map(len, NOBODY))

# Traits that name a person, by the kinds of identity that customers know; the first that has a value is taken.
_KIND_OF_TRAIT = {
    "email": "email",
    "phone": "phone",
    "phoneNumber": "phone",
    "phone_number": "phone",
    "mobile": "phone",
    "wechat_openid": "wechat_openid",
    "wechatOpenid": "wechat_openid",
    "wechatOpenId": "wechat_openid",
    "openid": "wechat_openid",
    "wechat_unionid": "wechat_unionid",
    "wechatUnionid": "wechat_unionid",
    "wechatUnionId": "wechat_unionid",
    "unionid": "wechat_unionid",
    "wecom_external_userid": "wecom_external_userid",
    "wecomExternalUserid": "wecom_external_userid",
    "wecomExternalUserId": "wecom_external_userid",
    "external_userid": "wecom_external_userid",
    "member_card": "member_card",
    "memberCard": "member_card",
    "card_number": "member_card",
}
# Of the context these name a person or a device and stay out of the log, so that erasing needs no rewrite of it.
_PERSONAL = frozenset({"traits", "ip", "externalId"})
_TELLING = _PERSONAL | {"device"}
_OF_DEVICE = ("type", "manufacturer", "model", "name")

_NOTHING: dict[str, Any] = {}
_CALLS = ("track", "page", "identify", "screen", "group", "alias")
_TOGETHER = ("batch", "import")


class Draft(NewEvent, gc=False):
    """An event that can be taken: what the log gets (properties and context as JSON text: small, and made while the
    objects are at hand; `customer_id` is for intake to fill in), and the claim for customers (identities, traits; those
    are `remembered` that any other call than identify carries in its context). `came`: the record and the place in it.
    """

    identities: tuple[tuple[str, str], ...] = ()
    traits: dict[str, Any] = _NOTHING
    came: tuple[Placed, int] | None = None
    remembered: bool = False


class _Call(msgspec.Struct, gc=False):
    """What is read of an event as it came; whatever a client put there."""

    type: Any = None
    messageId: Any = None  # noqa: N815 (the wire's names)
    userId: Any = None  # noqa: N815
    anonymousId: Any = None  # noqa: N815
    event: Any = None
    properties: Any = None
    context: Any = None
    timestamp: Any = None
    sentAt: Any = None  # noqa: N815
    name: Any = None
    category: Any = None
    traits: Any = None
    channel: Any = None
    originalTimestamp: Any = None  # noqa: N815
    groupId: Any = None  # noqa: N815
    previousId: Any = None  # noqa: N815


class Bad(msgspec.Struct):
    """An event that can't be taken, and why. `payload` is the event as far as it could be read, else its text."""

    payload: Any
    fault: Fault
    received_at: datetime
    source: str
    index: int


class _Batch(msgspec.Struct):
    batch: list[_Call]
    sentAt: Any = None  # noqa: N815 (the wire's name)
    context: Any = None


class _Pieces(_Batch):
    """Each event for itself, so that one that can't be read harms no other."""

    batch: list[msgspec.Raw]  # type: ignore[assignment]


_decode = msgspec.json.Decoder().decode
_decode_call = msgspec.json.Decoder(_Call).decode
_decode_batch = msgspec.json.Decoder(_Batch).decode
_decode_pieces = msgspec.json.Decoder(_Pieces).decode

_UNREADABLE = Text(
    "The event isn't valid JSON ({why}). Encode it with a JSON library, as UTF-8.",
    "事件不是有效的 JSON（{why}）。请用 JSON 库生成，并采用 UTF-8 编码。",
)
_NOT_AN_OBJECT = Text("The event isn't a JSON object. Send {…}.", "事件不是 JSON 对象。请发送 {…}。")
_TOO_LARGE = Text(
    "The event has {size} bytes, more than {limit} allowed. Send less, for example references instead of contents.",
    "事件大小为 {size} 字节，超过上限 {limit} 字节。请精简内容，例如只发送引用而不是全文。",
)
_TOO_DEEP = Text(
    "The event has objects or lists nested more than {limit} deep. Send flatter properties.",
    "事件中的对象或列表嵌套超过 {limit} 层。请发送层级较浅的属性。",
)
_UNKNOWN_TYPE = Text(
    "type is {got}; it has to be track, page, screen, identify, group or alias.",
    "type 为 {got}，应为 track、page、screen、identify、group 或 alias。",
)
_NO_NAME = Text(
    'A track call needs the name of the event as a text in "event", such as "Order Completed".',
    "track 调用须在 event 中以文本给出事件名称，例如 “Order Completed”。",
)
_LONG = Text("{field} has {size} characters, more than {limit}.", "{field} 长度为 {size} 个字符，超过上限 {limit}。")
_NOT_TEXT = Text("{field} is {got}; send a text.", "{field} 为 {got}，应为文本。")
_NO_OBJECT = Text("{field} is {got}; send an object or leave it out.", "{field} 为 {got}，应为对象，或不发送该字段。")
_NOBODY = Text(
    "Nobody is named: userId and anonymousId are both empty. Send at least one of them.",
    "未指明客户：userId 与 anonymousId 均为空。请至少发送其中一个。",
)
_BAD_TIME = Text(
    "{field} is {got}; send a time such as 2026-05-01T08:30:00Z.",
    "{field} 为 {got}，应为 2026-05-01T08:30:00Z 这样的时间。",
)
_FAR_TIME = Text(
    "The event's time {got} is before 1990 or more than a day in the future. Correct the time it is sent with.",
    "事件时间 {got} 早于 1990 年或晚于当前一天以上。请更正发送的时间。",
)
_NO_GROUP = Text("A group call needs a groupId.", "group 调用须提供 groupId。")
_NO_PREVIOUS = Text("An alias call needs a previousId and a userId.", "alias 调用须提供 previousId 和 userId。")


class _Refused(Exception):  # carries a fault from a check to the place where the event is judged
    def __init__(self, code: str, field: str, text: Text, /, **values: object) -> None:
        super().__init__(code)
        self.fault = Fault(code, field, text.filled(**{k: _short(v) for k, v in values.items()}) if values else text)


def _short(value: object) -> object:
    if isinstance(value, int | Text):
        return value
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


_LONE = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def mended(body: bytes) -> bytes:
    """The body without what JavaScript writes and JSON readers refuse: a byte order mark, halves of surrogate pairs."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    if b"\\u" not in body:
        return body
    return _LONE.sub(lambda found: b"\\ufffd" if found[1] else found[0], body)


def parse(placed: Placed) -> tuple[list[Draft], list[Bad]]:
    """The events of a record. The same record gives the same drafts, with the same message ids, for ever."""
    record = placed.record
    received_at = clock.from_micros(record.received_at)
    source = f"track:{record.key_id}"
    historical = record.kind == "import"
    drafts: list[Draft] = []
    bad: list[Bad] = []
    calls, sent_at, together = _events(record)
    for index, came in enumerate(calls):
        try:
            call = came if came.__class__ is _Call else _read(came)
            if _unnamed(call.messageId):
                call.messageId = _place_digest(placed, index)
            if call.sentAt is None:
                call.sentAt = sent_at
            if record.kind not in _TOGETHER:
                call.type = record.kind
            elif call.type not in _CALLS:
                raise _Refused("unknown_type", "type", _UNKNOWN_TYPE, got=call.type)
            elif together:
                call.context = _shared(together, call.context)
            drafts.append(_draft(call, received_at, source, historical, (placed, index)))
        except Exception as error:
            if isinstance(error, _Refused):
                fault = error.fault
            else:  # a mistake of ours in reading this one: it must not hold up the others
                _log.exception("An event of %s at %s can't be read", placed.segment, placed.offset)
                fault = Fault("unforeseen", "", _UNREADABLE.filled(why=type(error).__name__))
            bad.append(Bad(_sent(placed, index), fault, received_at, source, index))
    return drafts, bad


def sent(one: Draft) -> Any:
    """The event of a draft as it came, for quarantine should it fail later."""
    return None if one.came is None else _sent(*one.came)


def _sent(placed: Placed, index: int) -> Any:
    """An event with what its request says of it; as text when it isn't a JSON object that can be read."""
    record = placed.record
    raw, sent_at, together = record.body, record.sent_at or None, None
    batch = _pieces(record.body) if record.kind in _TOGETHER else None
    if batch is not None:
        raw, sent_at, together = bytes(batch.batch[index]), _sent_at(batch, record), batch.context
    try:
        payload = _object_in(raw)
    except _Refused:
        return raw.decode(errors="replace")
    if _unnamed(payload.get("messageId")):
        payload["messageId"] = _place_digest(placed, index)
    if sent_at is not None and payload.get("sentAt") is None:
        payload["sentAt"] = sent_at
    if record.kind not in _TOGETHER:
        payload["type"] = record.kind
    elif together.__class__ is dict and together:
        with suppress(_Refused):
            payload["context"] = _shared(together, payload.get("context"))
    return payload


def _events(record: Record) -> tuple[Sequence[Any], Any, Any]:
    """The events of a record (read, or as bytes), the time it was sent, and the context that they share."""
    if record.kind in _TOGETHER:
        batch = _opened(record.body)
        if batch is not None:  # the door doesn't let such a one in; if it ever does, nothing is lost
            return batch.batch, _sent_at(batch, record), batch.context if batch.context.__class__ is dict else None
    return [record.body], record.sent_at or None, None


def _sent_at(batch: _Batch, record: Record) -> Any:
    told = batch.sentAt if isinstance(batch.sentAt, str | int | float) else None
    return told or record.sent_at or None


def _shared(together: dict[str, Any], context: Any) -> Any:
    """The context of an event with that of its request."""
    if not isinstance(context, dict | None):
        return context
    _flat(together)
    return {**together, **(context or {})}


def _opened(body: bytes) -> _Batch | None:
    """The events of a batch: read already where none can be too large, too deep or hold what has to go, else raw."""
    try:
        if len(body) <= EVENT_BYTES and not _with_nul(body) and body.count(b"{") + body.count(b"[") <= DEPTH:
            return _decode_batch(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        pass
    return _pieces(body)


def _pieces(body: bytes) -> _Pieces | None:
    try:
        return _decode_pieces(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None


def _place_digest(placed: Placed, index: int) -> str:
    return "place-" + sha256(f"{placed.segment}/{placed.offset}/{index}".encode()).hexdigest()[:40]


def _with_nul(data: bytes) -> bool:
    return b"\\" in data and b"\\u0000" in data  # the first is found or not in a third of the time


def _read(raw: Any) -> _Call:
    data = bytes(raw)
    if len(data) > EVENT_BYTES:
        raise _Refused("too_large", "", _TOO_LARGE, size=len(data), limit=EVENT_BYTES)
    if not _with_nul(data) and data.count(b"{") + data.count(b"[") <= DEPTH:
        try:
            return _decode_call(data)
        except (msgspec.DecodeError, RecursionError, ValueError):
            pass  # why is said below
    return msgspec.convert(_object_in(data), _Call)


def _object_in(data: bytes) -> dict[str, Any]:
    try:
        payload = _decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        try:
            payload = _decode(mended(data))
        except (msgspec.DecodeError, RecursionError, ValueError):
            raise _Refused("unreadable", "", _UNREADABLE, why=str(error)) from None
    if not isinstance(payload, dict):
        raise _Refused("not_an_object", "", _NOT_AN_OBJECT)
    _flat(payload)
    return _without_nul(payload) if _with_nul(data) else payload


def _flat(payload: Any) -> None:
    """Raises _Refused when it is nested more than DEPTH deep. Level by level: no recursion."""
    level = [payload]
    for _ in range(DEPTH + 1):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise _Refused("too_deep", "", _TOO_DEEP, limit=DEPTH)


def _without_nul(value: Any) -> Any:
    """PostgreSQL can't hold the character NUL; the replacement character shows where it was."""
    if isinstance(value, str):
        return value.replace("\0", "�")
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    return value


def _draft(
    call: _Call, received_at: datetime, source: str, historical: bool = False, came: tuple[Placed, int] | None = None
) -> Draft:
    """The draft of one event ("type" says what call it was). Raises for what can't be taken; `judge` gives the reason.

    `historical`: its time is taken as it is, without correcting the client's clock.
    """
    kind = call.type
    message_id = _text(call.messageId, "messageId", MESSAGE_ID_LENGTH)
    user = _identity(call.userId, "userId")
    anonymous = _identity(call.anonymousId, "anonymousId")
    context = call.context
    if context.__class__ is not dict:
        context = _object(context, "context")
    properties = call.properties
    if properties.__class__ is not dict:
        properties = _object(properties, "properties")
    traits = _NOTHING

    if kind == "track":
        name = _name(call.event)
    elif kind == "page" or kind == "screen":
        name = "Page Viewed" if kind == "page" else "Screen Viewed"
        if call.name and call.name.__class__ is str:
            properties = {"name": call.name, **properties}
        if call.category and call.category.__class__ is str:
            properties = {"category": call.category, **properties}
    elif kind == "identify":
        name = IDENTIFY
        traits = {**_object(context.get("traits"), "context.traits"), **_object(call.traits, "traits")}
        properties = {"traits": sorted(traits)} if traits else {}
    elif kind == "group":
        name = GROUP
        group = _text(call.groupId, "groupId", IDENTITY_LENGTH)
        if not group:
            raise _Refused("no_group", "groupId", _NO_GROUP)
        of_group = _object(call.traits, "traits")
        properties = {"group_id": group, **({"traits": of_group} if of_group else {})}
    else:
        name = ALIAS
        properties = {}

    identities = _pair(user, anonymous)
    if kind == "alias":
        previous = _identity(call.previousId, "previousId")
        if not user or not previous:
            raise _Refused("no_previous", "previousId", _NO_PREVIOUS)
        if previous != anonymous and previous != user:
            identities = (identities[0], ("anonymous_id", previous), *identities[1:])
    bare = context.keys().isdisjoint(_TELLING)
    if traits or not bare:
        named = traits if kind == "identify" else _object(context.get("traits"), "context.traits")
        traits = named
        more = [*_identities_in(named), *_outside(context.get("externalId"))]
        if identities or more:  # a device alone names nobody
            more += _device(context.get("device"))
        identities = tuple(dict.fromkeys([*identities, *more]))
    if not identities:
        raise _Refused("nobody", "userId", _NOBODY)

    fault = catalog.check(name, properties)
    if fault is not None:
        raise _Refused(fault.code, fault.field, fault.text)
    channel = call.channel
    return Draft(
        message_id,
        name,
        None,
        _time(call, received_at, historical),
        received_at,
        written(properties),
        written(context if bare and not channel else _kept(context, channel)),
        source,
        "",
        unpriced(name, properties),
        identities,
        traits,
        came,
        kind != "identify",
    )


def judge(payload: Any, *, received_at: datetime, source: str) -> Draft | Fault:
    """One event from quarantine, as it was put there or repaired: its draft, or what is (still) wrong with it."""
    try:
        if isinstance(payload, str):
            payload = _object_in(payload.encode())
        if not isinstance(payload, dict):
            raise _Refused("not_an_object", "", _NOT_AN_OBJECT)
        _flat(payload)
        try:
            size = len(msgspec.json.encode(payload))
        except (OverflowError, UnicodeEncodeError) as error:
            raise _Refused("unreadable", "", _UNREADABLE, why=error) from None
        if size > EVENT_BYTES:
            raise _Refused("too_large", "", _TOO_LARGE, size=size, limit=EVENT_BYTES)
        call = msgspec.convert(payload, _Call)
        if call.type not in _CALLS:
            raise _Refused("unknown_type", "type", _UNKNOWN_TYPE, got=call.type)
        if _unnamed(call.messageId):
            call.messageId = "body-" + sha256(msgspec.json.encode(payload)).hexdigest()[:40]
        return _draft(call, received_at, source)
    except _Refused as refused:
        return refused.fault


def _unnamed(id: Any) -> bool:
    return id is None or (id.__class__ is str and not id.strip())


def _text(value: Any, field: str, limit: int) -> str:
    if value.__class__ is not str:
        if value is None:
            return ""
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _Refused("wrong_type", field, _NOT_TEXT, field=field, got=value)
        value = str(value)
    if len(value) > limit:
        raise _Refused("too_long", field, _LONG, field=field, size=len(value), limit=limit)
    text: str = value.strip()
    return text


def _identity(value: Any, field: str) -> str:
    if value is None:
        return ""
    usual = value.__class__ is str and len(value) <= IDENTITY_LENGTH
    text: str = value.strip() if usual else _text(value, field, IDENTITY_LENGTH)
    return text if len(text) > _LONGEST or text.lower() not in NOBODY else ""


@lru_cache(maxsize=8192)
def _pair(user: str, anonymous: str) -> tuple[tuple[str, str], ...]:
    """The same object for all events of a visit."""
    both = (("user_id", user), ("anonymous_id", anonymous))
    return tuple(pair for pair in both if pair[1])


def _object(value: Any, field: str) -> dict[str, Any]:
    if value.__class__ is dict:
        return value
    if value is None or value == [] or value == "":  # PHP writes an empty object as []
        return {}
    raise _Refused("wrong_type", field, _NO_OBJECT, field=field, got=value)


def _name(value: Any) -> str:
    if value.__class__ is not str or not value.strip():
        raise _Refused("no_name", "event", _NO_NAME)
    return _text(value, "event", NAME_LENGTH)


def _identities_in(traits: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    found: dict[str, str] = {}
    for trait, kind in _KIND_OF_TRAIT.items():
        value = traits.get(trait)
        if (value.__class__ is str or value.__class__ is int) and kind not in found:
            text = _identity(value, f"traits.{trait}")
            if text:
                found[kind] = text
    return found.items()


def _outside(entries: Any) -> list[tuple[str, str]]:
    """RudderStack's context.externalId: [{"type": "wechat_openid", "id": "o6_…"}]."""
    if entries.__class__ is not list:
        return []
    return [
        (_KIND_OF_TRAIT[str(entry.get("type"))], text)
        for entry in entries
        if isinstance(entry, dict) and str(entry.get("type")) in _KIND_OF_TRAIT
        for text in [_identity(entry.get("id"), "context.externalId")]
        if text
    ]


def _device(device: Any) -> list[tuple[str, str]]:
    id = _identity(device.get("id"), "context.device.id") if device.__class__ is dict else ""
    return [("device", id)] if id else []


def _kept(context: dict[str, Any], channel: Any) -> dict[str, Any]:
    kept = {key: value for key, value in context.items() if key not in _PERSONAL}
    device = kept.get("device")
    if device is not None:
        kept["device"] = {key: device[key] for key in _OF_DEVICE if key in device} if isinstance(device, dict) else {}
    if channel and isinstance(channel, str):
        kept["channel"] = channel
    return kept


@lru_cache(maxsize=4096)
def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is UTC:
            return moment
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _read_time(value: Any, field: str) -> datetime | None:
    if value is None or value == "":
        return None
    moment = None
    if value.__class__ is str:
        moment = _moment(value)
    elif isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e14:
        moment = clock.from_micros(int(value * (1000 if value > 1e11 else 1_000_000)))  # milliseconds, or seconds
    if moment is None:
        raise _Refused("bad_time", field, _BAD_TIME, field=field, got=value)
    return moment


def _time(call: _Call, received_at: datetime, historical: bool) -> datetime:
    """When it happened by our clock: received - (sent - happened), the last two by the client's clock.

    Formula: Segment, "Timestamps in the Segment spec". Without a sentAt that can be read, the client's time as it is.
    """
    field, told = "timestamp", call.timestamp
    if call.originalTimestamp:
        field, told = "originalTimestamp", call.originalTimestamp
    happened = _read_time(told, field)
    if happened is None:
        return received_at
    if not historical:
        if call.sentAt == told:
            return received_at
        try:
            sent = _read_time(call.sentAt, "sentAt")
        except _Refused:
            sent = None
        if sent is not None:
            try:
                happened = received_at - (sent - happened)
            except OverflowError:
                raise _Refused("far_time", field, _FAR_TIME, got=told) from None
    if not EARLIEST <= happened <= received_at + FUTURE:
        raise _Refused("far_time", field, _FAR_TIME, got=told)
    return happened if happened < received_at else received_at


def faults(record: Record) -> list[tuple[int, Fault]]:
    """What is wrong with a request's events, by their index; for the door in strict mode."""
    return [(bad.index, bad.fault) for bad in parse(Placed("", 0, record))[1]]
