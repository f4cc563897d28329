"""Sending what is due. A delivery is claimed by a conditional update, sent outside of any transaction, and noted.

A process that dies in between leaves its claim behind; when that has run out the same delivery is sent again under the
same webhook-id, by which the receiver knows it. At least once from here, once where the receiver looks.
"""

import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import httpx
from django.db import transaction
from django.db.models import F, Q
from standardwebhooks import Webhook

from regulars.kernel import clock
from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text
from regulars.webhooks import addresses
from regulars.webhooks.models import Attempt, Delivery, Endpoint

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))
"""After each failed try, as Standard Webhooks advises; when they are used up the delivery has failed."""

CLAIM = timedelta(seconds=60)
TIMEOUT = 10.0
AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class _Outcome:
    status: int | None
    milliseconds: int
    error: Text | None = None
    excerpt: str = ""

    @property
    def good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def send_due(limit: int = AT_ONCE) -> int:
    """Send what is due, `limit` at most, side by side; how many were tried."""
    claimed = _claim(limit)
    if not claimed:
        return 0
    with ThreadPoolExecutor(max_workers=min(len(claimed), AT_ONCE)) as pool:
        outcomes = list(pool.map(_send, claimed))
    for delivery, outcome in zip(claimed, outcomes, strict=True):
        _note(delivery, outcome)
    return len(claimed)


def _claim(limit: int) -> list[Delivery]:
    now = clock.now()
    # What waits for a paused endpoint goes on waiting.
    due = Delivery.objects.filter(state__in=("waiting", "sending"), endpoint__active=True)
    # Nothing is put off for longer than the longest pause: what is due later was set by a clock that ran ahead.
    due = due.filter(Q(due_at__lte=now) | Q(due_at__gt=now + PAUSES[-1] + CLAIM))
    mine = []
    for id, due_at in list(due.order_by("due_at", "id").values_list("id", "due_at")[:limit]):
        # Whoever changes the row from what was read has it; the others find it changed.
        claimed = Delivery.objects.filter(id=id, due_at=due_at, state__in=("waiting", "sending")).update(
            state="sending", due_at=now + CLAIM, attempts=F("attempts") + 1, tries=F("tries") + 1
        )
        if claimed:
            mine.append(id)
    return list(Delivery.objects.filter(id__in=mine).select_related("endpoint").order_by("id"))


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates that are trusted. Reading them is 30 ms of work, most of what sending costs."""
    return httpx.create_ssl_context(trust_env=False)


def _send(delivery: Delivery) -> _Outcome:
    """Make the request. Touches no database: it runs in threads."""
    began = time.perf_counter()

    def outcome(status: int | None = None, error: Text | None = None, excerpt: str = "") -> _Outcome:
        return _Outcome(status, int((time.perf_counter() - began) * 1000), error, excerpt[:500])

    now = clock.now()
    try:
        target = addresses.resolved(delivery.endpoint.url)
        headers = {
            "Host": target.authority,
            "Content-Type": "application/json",
            "User-Agent": "Regulars-Webhooks/1",
            "webhook-id": delivery.key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(delivery.endpoint.secret).sign(delivery.key, now, delivery.body),
        }
        with (
            httpx.Client(verify=_trusted(), timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client,
            client.stream(
                "POST",
                target.url,
                content=delivery.body.encode(),
                headers=headers,
                extensions={"sni_hostname": target.host},
            ) as answer,
        ):
            text = b""
            for piece in answer.iter_bytes(500):
                text += piece
                if len(text) >= 500:
                    break
            return outcome(answer.status_code, excerpt=text.decode("utf-8", "replace").replace("\0", ""))
    except Invalid as problem:
        return outcome(error=problem.text)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return outcome(error=_why(error))


_SLOW = Text("No answer within {seconds} {seconds:second|seconds}.", "{seconds} 秒内没有响应。")
_UNTRUSTED = Text("The certificate can't be trusted: {why}", "无法信任对方的证书：{why}")
_NOBODY = Text("Nobody takes the connection: {why}", "无法建立连接：{why}")
_BROKEN_OFF = Text("The connection broke off: {why}", "连接中断：{why}")
_OTHER = Text("It couldn't be sent: {why}", "无法发送：{why}")


def _why(error: Exception) -> Text:
    """In words; what the system below says of it is quoted as it is."""
    if isinstance(error, httpx.TimeoutException):
        return _SLOW.filled(seconds=round(TIMEOUT))
    why = str(error)[:200].replace("\0", "") or type(error).__name__
    if isinstance(error, httpx.ConnectError):
        return (_UNTRUSTED if "CERTIFICATE" in why.upper() else _NOBODY).filled(why=why)
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return _BROKEN_OFF.filled(why=why)
    return _OTHER.filled(why=why)


@transaction.atomic
def _note(delivery: Delivery, outcome: _Outcome) -> None:
    now = clock.now()
    Attempt.objects.create(
        delivery=delivery, at=now, status=outcome.status, milliseconds=outcome.milliseconds,
        error=None if outcome.error is None else {"en": outcome.error.en, "zh": outcome.error.zh},
        excerpt=outcome.excerpt,
    )  # fmt: skip
    row = Delivery.objects.filter(id=delivery.pk, state="sending", tries=delivery.tries)
    if outcome.good:
        row.update(state="delivered", delivered_at=now)
    elif outcome.status == 410:  # Gone: the receiver doesn't want any more
        row.update(state="failed")
        gone = Endpoint.objects.filter(id=delivery.endpoint_id)
        gone.update(active=False, paused_reason="410 Gone")
    elif delivery.tries > len(PAUSES):
        row.update(state="failed")
    else:
        row.update(state="waiting", due_at=now + PAUSES[delivery.tries - 1])


def revive() -> int:
    """Put in line at once what a process that died was sending, instead of waiting until its claims run out; how many.
    For a process that knows to be the only one.
    """
    return Delivery.objects.filter(state="sending").update(state="waiting", due_at=clock.now())


def forget(*, keep: timedelta = timedelta(days=30), limit: int = 5000) -> int:
    """Delete what was settled longer than `keep` ago, `limit` at most; how many."""
    settled = Delivery.objects.filter(state__in=("delivered", "failed", "cancelled"), created_at__lt=clock.now() - keep)
    ids = list(settled.order_by("id").values_list("id", flat=True)[:limit])
    Delivery.objects.filter(id__in=ids).delete()
    return len(ids)
