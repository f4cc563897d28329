"""What happens to every request of the API before it reaches its operation: who asks, how often, and whether it was
asked before. Answers of other addresses pass by.
"""

import logging
from collections.abc import Callable
from hashlib import sha256

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse

from regulars.accounts.actors import Actor
from regulars.accounts.queries import api_key
from regulars.accounts.services import note_use
from regulars.api import limits, problems
from regulars.api.kept import KEPT
from regulars.api.models import StoredAnswer
from regulars.kernel import clock
from regulars.kernel.errors import no_room
from regulars.kernel.languages import Text

log = logging.getLogger(__name__)

PREFIX = "/api/v1/"
_OPEN = frozenset({"/api/v1/openapi.json"})
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})

_TOO_MANY = Text(
    "This key has used up its {limit} requests a minute. Go on in {seconds} {seconds:second|seconds}.",
    "该密钥每分钟 {limit} 次的请求额度已用完，请在 {seconds} 秒后继续。",
)
_TOO_LARGE = Text("The body is larger than 10 MB. Send less at once.", "请求正文超过 10 MB，请分批发送。")
_NOT_JSON = Text(
    "Send JSON, with the header “Content-Type: application/json”.",
    "请发送 JSON，并带上请求头“Content-Type: application/json”。",
)
_LONG_KEY = Text("An Idempotency-Key has 1 to 200 plain characters.", "Idempotency-Key 为 1 到 200 个 ASCII 字符。")
_REUSED = Text(
    "This Idempotency-Key was used for another request. Make a new one for each request.",
    "该 Idempotency-Key 已用于另一请求，请为每个请求生成新的值。",
)

Answer = Callable[[HttpRequest], HttpResponse]


class _Failed(Exception):
    """Carries an answer that keeps nothing out of the transaction."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.response = response


def door(answer: Answer) -> Answer:
    def middleware(request: HttpRequest) -> HttpResponse:
        try:
            return judged(request)
        except Exception as error:
            if not request.path.startswith(PREFIX):
                raise
            if full := no_room(error):
                return problems.of_problem(request, full)
            log.exception("%s %s failed", request.method, request.path)
            return problems.answer(500, "broken", problems.BROKEN)

    def judged(request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(PREFIX) or request.path in _OPEN:
            return answer(request)
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        sent = scheme.lower() == "bearer" and secret.strip()
        key = api_key(sent) if sent else None
        if key is None:
            refused = problems.answer(401, "unauthorized", problems.UNKNOWN_KEY if sent else problems.NO_KEY)
            refused["WWW-Authenticate"] = 'Bearer realm="Regulars"' + (', error="invalid_token"' if sent else "")
            return refused
        limit, remaining, reset = limits.count(key.pk)
        if limit and remaining < 0:
            response = problems.answer(429, "too_many", _TOO_MANY.filled(limit=limit, seconds=reset))
            response["Retry-After"] = str(reset)
        elif int(request.headers.get("Content-Length") or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            response = problems.answer(413, "too_large", _TOO_LARGE)
        elif int(request.headers.get("Content-Length") or 0) and request.content_type not in ("application/json", ""):
            response = problems.answer(415, "no_json", _NOT_JSON)
        else:
            note_use(key)
            request.actor = Actor.of_key(key.pk, key.name, frozenset(key.scopes))  # type: ignore[attr-defined]
            response = _once(request, key.pk, answer)
            if response.status_code == 405:
                allowed = response.get("Allow", "")
                response = problems.answer(405, "method", problems.NO_METHOD)
                response["Allow"] = allowed
        if limit:
            response["RateLimit-Limit"] = str(limit)
            response["RateLimit-Remaining"] = str(max(remaining, 0))
            response["RateLimit-Reset"] = str(reset)
        return response

    return middleware


def _once(request: HttpRequest, api_key: int, answer: Answer) -> HttpResponse:
    """Answer a write with an Idempotency-Key once; the same request again gets the same answer, for 24 hours.

    The answer is kept in the transaction of the change. What failed is kept neither, and may be tried again.
    """
    name = request.headers.get("Idempotency-Key")
    if name is None or request.method not in _WRITES:
        return answer(request)
    if not 1 <= len(name) <= 200 or not name.isascii() or not name.isprintable():
        return problems.answer(422, "idempotency_key", _LONG_KEY, field="Idempotency-Key")
    told = b"\n".join([request.method.encode(), request.get_full_path().encode(), request.body])
    digest = sha256(told).hexdigest()
    fresh = clock.now() - KEPT
    try:
        with transaction.atomic():
            StoredAnswer.objects.filter(api_key=api_key, key=name, at__lt=fresh).delete()
            with transaction.atomic():
                row = StoredAnswer.objects.create(api_key=api_key, key=name, digest=digest)
            response = answer(request)
            if response.status_code >= 400:
                raise _Failed(response)
            StoredAnswer.objects.filter(id=row.pk).update(status=response.status_code, body=response.content.decode())
            return response
    except _Failed as failed:
        return failed.response
    except IntegrityError:
        kept = StoredAnswer.objects.filter(api_key=api_key, key=name).first()
        if kept is None:
            raise
    if kept.digest != digest:
        return problems.answer(422, "idempotency_key_reused", _REUSED, field="Idempotency-Key")
    again = HttpResponse(kept.body, status=kept.status, content_type="application/json; charset=utf-8")
    again["Idempotency-Replayed"] = "true"
    return again
