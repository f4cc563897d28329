"""The ASGI door: who sends, is it whole, is it small enough, then into the inbox; and what browser clients ask before.

What an event means isn't judged here (unless the client asks for it with X-Strict-Mode: 1): a request whose events are
faulty is accepted, and the events go to quarantine.
"""

import asyncio
import math
import time
import zlib
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

import msgspec
from django.http.request import split_domain_port, validate_host

from regulars.accounts.capabilities import KEYS_PLACE
from regulars.eventlog.ingest import envelope
from regulars.eventlog.ingest.inbox import KINDS, Full, Inbox, Record, packed
from regulars.eventlog.ingest.keys import WriteKeys, key_in
from regulars.kernel import clock
from regulars.kernel.languages import Text

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

CALLS = {f"/v1/{kind}": kind for kind in KINDS} | {
    f"/v1/{kind[0]}": kind for kind in ("identify", "track", "page", "screen", "group", "alias", "batch")
}
CALLS["/beacon/v1/batch"] = "batch"  # RudderStack's beacon: write key in the query
CALLS |= {f"{path}/": kind for path, kind in CALLS.items()}
PATIENCE = 30.0  # seconds for a whole body to come
DROPPED = 32 << 20  # bytes read in vain of a body that is too large, so that the client gets to read the answer
BUSY_SECONDS = 2  # what a client is asked to wait when the inbox can't take more

_JSON = (b"content-type", b"application/json")
_DONE = b'{"success":true}'
_NO_KEY = Text(
    "The write key is missing or unknown. Send it as the user of Basic authentication; "
    "you find it in the console under {place}.",
    "缺少写入密钥，或密钥无效。请将其作为 Basic 认证的用户名发送；密钥可在控制台“{place}”中查看。",
).filled(place=KEYS_PLACE)
_MALFORMED = Text(
    "The body can't be read: {why}. Send one JSON object, plain or as gzip.",
    "无法解析请求内容：{why}。请发送一个 JSON 对象（可用 gzip 压缩）。",
)
_NO_BATCH = Text('A batch needs a list of events in "batch".', "批量请求须在 batch 中提供事件列表。")
_LARGE = Text(
    f"The body has more than {envelope.BATCH_BYTES // 1024} KB (unpacked). Send smaller batches.",
    f"请求内容（解压后）超过 {envelope.BATCH_BYTES // 1024} KB。请减小每批的大小。",
)
_BUSY = Text(
    "The server can't accept more at the moment. Try again later.", "服务器暂时无法接收更多数据。请稍后重试。"
)  # fmt: skip
_FAST = Text(
    "This key sends more events than it may. Send again after Retry-After seconds.",
    "该密钥发送事件过快。请在 Retry-After 指定的秒数之后重试。",
)
_CUT_SHORT = Text("The body ends before it is whole.", "请求内容不完整。")
_SLOW = Text("The body didn't come in time. Send it again.", "请求内容未能及时送达，请重新发送。")
_METHOD = Text("Use POST here.", "此地址请使用 POST。")
_HOST = Text(
    "This server isn't asked for under this name. Whoever runs it adds the name to REGULARS_HOSTS (docs/settings.md).",
    "此服务器不接受以该域名访问。请管理员将该域名加入 REGULARS_HOSTS（见 docs/settings.md）。",
)
_HOSTS = Text("The request names more than one host.", "请求中含有多个 Host 请求头。")
_NOWHERE = Text("There is nothing at this address.", "此地址不存在。")
_FAULTY = Text(
    "Nothing was stored: some events are faulty (strict mode).", "未保存任何事件：部分事件有误（严格模式）。"
)  # fmt: skip


class _Single(msgspec.Struct):
    writeKey: Any = None  # noqa: N815 (the wire's name)


class _Batch(msgspec.Struct):
    batch: list[msgspec.Raw]
    writeKey: Any = None  # noqa: N815


_single = msgspec.json.Decoder(_Single).decode
_batch = msgspec.json.Decoder(_Batch).decode


class Asked(NamedTuple):
    """What a request for events says besides its body; `kind` is which call it is."""

    kind: str
    authorization: bytes = b""
    origin: bytes = b""
    sent_at: str = ""
    strict: bool = False
    query: bytes = b""


class Answer(NamedTuple):
    """What goes back: JSON or nothing."""

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]]

    def head(self) -> list[tuple[bytes, bytes]]:
        if self.status == 204:
            return self.headers
        return [_JSON, (b"content-length", str(len(self.body)).encode()), *self.headers]


class Refusal(Exception):
    """An answer other than yes."""

    def __init__(self, status: int, code: str, text: Text, *, retry_after: int = 0, faults: Any = None) -> None:
        super().__init__(code)
        self.status, self.code, self.text, self.retry_after, self.faults = status, code, text, retry_after, faults


class Rate:
    """A bucket of tokens for each write key: `per_second` events, twice that at once. 0 is no limit."""

    def __init__(self, per_second: float) -> None:
        self._rate = per_second
        self._buckets: dict[int, tuple[float, float]] = {}

    def wait(self, key_id: int, events: int) -> int:
        """0 when so many events may come now, else the whole seconds to wait."""
        if not self._rate:
            return 0
        now = time.monotonic()
        tokens, at = self._buckets.get(key_id, (2 * self._rate, now))
        tokens = min(2 * self._rate, tokens + (now - at) * self._rate)
        if tokens <= 0:  # a large batch may go into debt, so that it can come at all
            self._buckets[key_id] = (tokens, now)
            return max(1, math.ceil((1 - tokens) / self._rate))
        self._buckets[key_id] = (tokens - events, now)
        return 0


def serves(path: str) -> bool:
    """Whether the path belongs to the tracking API (the rest is Django's)."""
    return (
        path in CALLS
        or (path.startswith("/v1/projects/") and path.endswith("/settings"))
        or path in ("/sourceConfig", "/sourceConfig/")
    )


class Door:
    """The tracking API over an inbox, whatever brings the requests. `url` is the public address ("https://…"); without
    one, the Host header is taken where an answer says an address, if it is one of `hosts` (as Django's ALLOWED_HOSTS).
    """

    def __init__(
        self, inbox: Inbox, keys: WriteKeys, *, events_per_second: float = 0, url: str = "",
        hosts: Sequence[str] = ("localhost", "127.0.0.1", "[::1]"),
    ) -> None:  # fmt: skip
        self._inbox, self._keys, self._url, self._hosts = inbox, keys, url, hosts
        self._rate = Rate(events_per_second)

    def put(self, asked: Asked, body: bytes) -> "asyncio.Future[None] | None":
        """A future that is done when the events are durable; None when the header doesn't say a known key, so that
        `answer` has to look further. Raises Refusal; the future may raise Full.
        """
        key_id = self._keys.of_header(asked.authorization) if asked.authorization else None
        if key_id is None:
            return None
        body, _, events = _skimmed(asked.kind, body)
        return self._put(asked, body, key_id, events)

    async def answer(self, asked: Asked, body: bytes) -> Answer:
        """What the sender gets to know, when the events are durable or won't be."""
        try:
            body, in_body, events = _skimmed(asked.kind, body)
            await self._keys.freshen()
            key_id = self._keys.of_header(asked.authorization) if asked.authorization else None
            if key_id is None:
                key_id = await _key(asked.authorization, in_body, asked.query, self._keys)
            try:
                await self._put(asked, body, key_id, events)
            except Full as full:
                raise full_up(full) from None
        except Refusal as refusal:
            return refused(refusal, asked.origin)
        return self.yes(asked)

    @staticmethod
    def yes(asked: Asked) -> Answer:
        """When all is durable."""
        return Answer(200, _DONE, _cors(asked.origin))

    def _put(self, asked: Asked, body: bytes, key_id: int, events: int) -> "asyncio.Future[None]":
        if asked.strict:
            faults = envelope.faults(Record(clock.micros(), key_id, asked.kind, asked.sent_at, body))
            if faults:
                raise Refusal(400, "faulty", _FAULTY, faults=faults)
        wait = self._rate.wait(key_id, events)
        if wait:
            raise Refusal(429, "too_fast", _FAST, retry_after=wait)
        try:
            return self._inbox.put(
                packed(
                    received_at=clock.micros(), key_id=key_id, kind=asked.kind, sent_at=asked.sent_at, body=body
                )
            )  # fmt: skip
        except Full as full:
            raise full_up(full) from None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The same as an ASGI application: for what doesn't come in the usual shape."""
        kind = CALLS.get(scope["path"])
        if kind is None or scope["method"] != "POST":
            await _aside(scope, receive, send, self._keys, self._url, self._hosts)
            return
        authorization = origin = sent_at = b""
        strict = False
        hosts = 0
        for name, value in scope["headers"]:
            if name == b"host":
                hosts += 1
            elif name == b"authorization":
                authorization = value
            elif name == b"origin":
                origin = value
            elif name == b"sentat":
                sent_at = value
            elif name == b"x-strict-mode":
                strict = value.strip() == b"1"
        asked = Asked(
            kind, authorization, origin, sent_at.decode(errors="replace"), strict, scope.get("query_string", b"")
        )
        try:
            if hosts > 1:
                raise Refusal(400, "hosts", _HOSTS)
            body = await _rest(receive)
        except Refusal as refusal:
            await _send(send, refused(refusal, origin))
            return
        await _send(send, await self.answer(asked, body))


async def _rest(receive: Receive) -> bytes:
    """The whole body. Raises Refusal when it is too large, slow, or ends early; who went away won't read that."""
    parts: list[bytes] = []
    size = 0
    more = True
    try:
        async with asyncio.timeout(PATIENCE):
            while more and size <= DROPPED:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise cut_short()
                part = message.get("body", b"")
                size += len(part)
                if size <= envelope.BATCH_BYTES:
                    parts.append(part)
                more = message.get("more_body", False)
    except TimeoutError:
        raise slow() from None
    if size > envelope.BATCH_BYTES:
        raise Refusal(413, "too_large", _LARGE)
    return b"".join(parts)


def inflated(body: bytes) -> bytes:
    """The body unpacked if it is gzip, whatever the headers say. Raises Refusal when it is too large or broken."""
    limit = envelope.BATCH_BYTES
    parts: list[bytes] = []
    while body[:2] == b"\x1f\x8b" and limit >= 0:
        member = zlib.decompressobj(31)
        try:
            parts.append(member.decompress(body, limit + 1))
        except zlib.error as error:
            raise Refusal(400, "malformed", _MALFORMED.filled(why=error)) from None
        limit -= len(parts[-1])
        if limit < 0:
            break
        if not member.eof:
            raise Refusal(400, "malformed", _MALFORMED.filled(why="gzip"))
        body = member.unused_data
    else:
        if not parts:
            parts, limit = [body], limit - len(body)
    if limit < 0:
        raise Refusal(413, "too_large", _LARGE)
    return b"".join(parts)


def _skimmed(kind: str, body: bytes) -> tuple[bytes, Any, int]:
    """The body (unpacked, mended where a reader of JSON would refuse it), its writeKey, and how many events it has."""
    if len(body) > envelope.BATCH_BYTES or body[:2] == b"\x1f\x8b":
        body = inflated(body)
    try:
        try:
            return _skim(kind, body)
        except (msgspec.DecodeError, RecursionError, ValueError):
            body = envelope.mended(body)
            return _skim(kind, body)
    except msgspec.ValidationError:
        if kind in ("batch", "import"):
            raise Refusal(400, "no_batch", _NO_BATCH) from None
        raise Refusal(400, "malformed", _MALFORMED.filled(why="not an object")) from None
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise Refusal(400, "malformed", _MALFORMED.filled(why=error)) from None


def _skim(kind: str, body: bytes) -> tuple[bytes, Any, int]:
    if kind == "batch" or kind == "import":
        batch = _batch(body)
        return body, batch.writeKey, len(batch.batch)
    return body, _single(body).writeKey, 1


async def _key(authorization: bytes, in_body: Any, query: bytes, keys: WriteKeys) -> int:
    """The id of the key in the header, the body or the query. Raises Refusal."""
    asked = parse_qs(query.decode(errors="replace")).get("writeKey", [""])[0]
    for key in (key_in(authorization), in_body, asked):
        if key and isinstance(key, str):
            found = keys.of_key(key)
            if found is None:
                sure = await keys.look_again()
                found = keys.of_key(key)
                if found is None and not sure:  # 401 would make clients throw their events away
                    raise Refusal(503, "keys", _BUSY, retry_after=BUSY_SECONDS)
            if found is not None:
                return found
    raise Refusal(401, "unknown_key", _NO_KEY)


async def _aside(
    scope: Scope, receive: Receive, send: Send, keys: WriteKeys, url: str, hosts: Sequence[str]
) -> None:  # fmt: skip
    """Everything but events: preflights, the settings that browser clients load first, wrong addresses."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin", b"")
    path, method, query = scope["path"], scope["method"], scope.get("query_string", b"")
    if method == "OPTIONS":
        asked = headers.get(b"access-control-request-headers", b"authorization, content-type")
        allowed = [
            (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
            (b"access-control-allow-headers", asked[:1000]),
            (b"access-control-max-age", b"86400"),
        ]
        await _send(send, Answer(204, b"", [*_cors(origin or b"*"), *allowed]))
        return
    try:
        if sum(name == b"host" for name, _ in scope["headers"]) > 1:
            raise Refusal(400, "hosts", _HOSTS)
        if method not in ("GET", "HEAD") or path in CALLS:
            raise Refusal(405 if serves(path) else 404, "method", _METHOD if serves(path) else _NOWHERE)
        if path.startswith("/v1/projects/"):
            await _key(b"", unquote(path.split("/")[3]), query, keys)
            told = _segment_settings(path.split("/")[3], url or _asked_at(scope, headers, hosts))
        elif path.startswith("/sourceConfig"):
            id = await _key(headers.get(b"authorization", b""), None, query, keys)
            told = _rudder_settings(id)
        else:
            raise Refusal(404, "nowhere", _NOWHERE)
    except Refusal as refusal:
        await _send(send, refused(refusal, origin))
        return
    body = msgspec.json.encode(told)
    # Who may keep it: everybody only if it is the same for everybody.
    kept = b"public" if url and b"authorization" not in headers else b"private"
    vary = [] if origin else [(b"vary", b"Origin")]
    await _send(send, Answer(200, body, [*_cors(origin), *vary, (b"cache-control", kept + b", max-age=300")]))


def _asked_at(scope: Scope, headers: dict[bytes, bytes], hosts: Sequence[str]) -> str:
    """Our address as the client knows it. Raises Refusal when it isn't one of ours."""
    host = headers.get(b"host", b"").decode("latin-1")
    name, _ = split_domain_port(host)
    if not name or not validate_host(name, hosts):
        raise Refusal(400, "host", _HOST)
    scheme = scope.get("scheme", "http")
    forwarded = headers.get(b"x-forwarded-proto", b"").decode("latin-1")
    return f"{forwarded if forwarded in ('http', 'https') else scheme}://{host}"


def _segment_settings(key: str, url: str) -> dict[str, Any]:
    """What @segment/analytics-next loads from its CDN: send to us, no other destinations, no plugins."""
    protocol, _, host = url.rstrip("/").partition("://")
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": key,
                "apiHost": f"{host}/v1",
                "protocol": protocol,
                "unbundledIntegrations": [],
                "addBundledMetadata": True,
                "maybeBundledConfigIds": {},
                "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
            }
        },
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }


def _rudder_settings(key_id: int) -> dict[str, Any]:
    """What @rudderstack/analytics-js loads from its control plane: a source without destinations and reporting."""
    return {
        "source": {
            "id": f"source-{key_id}",
            "name": "Regulars",
            "writeKey": "",
            "enabled": True,
            "workspaceId": "regulars",
            "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
            "destinations": [],
            "connections": [],
            "sourceDefinition": {"name": "Javascript"},
            "dataplanes": {},
        },
        "updatedAt": "2026-01-01T00:00:00.000Z",
        "consentManagementMetadata": {"providers": []},
    }


def _cors(origin: bytes) -> list[tuple[bytes, bytes]]:
    if not origin:
        return []
    allowed = [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]
    return allowed if origin == b"*" else [*allowed, (b"access-control-allow-credentials", b"true")]


def full_up(full: Full) -> Refusal:
    """What a sender is told when the inbox couldn't take it."""
    return Refusal(503, full.code, _BUSY, retry_after=BUSY_SECONDS)


def slow() -> Refusal:
    """For a body that didn't come within PATIENCE."""
    return Refusal(408, "slow", _SLOW)


def cut_short() -> Refusal:
    """For a body behind which the connection ends before it is whole."""
    return Refusal(400, "cut_short", _CUT_SHORT)


def refused(refusal: Refusal, origin: bytes) -> Answer:
    """The answer for a refusal."""
    text = refusal.text
    told: dict[str, Any] = {  # code and message at the top: the Python clients look for them before they give up
        "success": False,
        "code": refusal.code,
        "message": text.en,
        "messages": {"en": text.en, "zh-hans": text.zh},
    }
    if refusal.faults:
        told["faults"] = [
            {
                "index": index, "code": fault.code, "field": fault.field,
                "messages": {"en": fault.text.en, "zh-hans": fault.text.zh},
            }
            for index, fault in refusal.faults
        ]  # fmt: skip
    extra = _cors(origin)
    if refusal.retry_after:
        extra.append((b"retry-after", str(refusal.retry_after).encode()))
        if origin:
            extra.append((b"access-control-expose-headers", b"Retry-After"))
    if refusal.status == 401:
        extra.append((b"www-authenticate", b'Basic realm="write key"'))
    if refusal.status == 405:
        extra.append((b"allow", b"POST, OPTIONS"))
    return Answer(refusal.status, msgspec.json.encode(told), extra)


async def _send(send: Send, answer: Answer) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.head()})
    await send({"type": "http.response.body", "body": answer.body})
