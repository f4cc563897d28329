"""The API put together: its operations, its description, and what an error becomes."""

import logging
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.params.models import QueryModel
from ninja.parser import Parser
from ninja.security import HttpBearer

import regulars
from regulars.accounts.actors import Actor
from regulars.api import problems
from regulars.api.shapes import ERRORS
from regulars.api.wording import said
from regulars.kernel.errors import Problem, no_room

log = logging.getLogger(__name__)

DEPTH = 100

_ABOUT = """Read and write customers, identities, consent, tags, notes, events and orders; read figures and segments.

Authenticate with `Authorization: Bearer rk_…`. A key has scopes; an operation says which one it needs (`x-scope`).
Lists come in pages: ask again with `cursor=next_cursor` until it is null. Send an `Idempotency-Key` with a write, and
sending it again within 24 hours does nothing twice. Send the `ETag` of a customer back as `If-Match` with a change of
the profile, and it is refused (412) if somebody changed it since. Errors are `application/problem+json` in the
language of `Accept-Language`. Money is in minor units (fen, cents), times are ISO 8601 with an offset.

读写客户、标识、同意、标签、备注、事件与订单；读取指标与分群。

使用 `Authorization: Bearer rk_…` 验证身份。密钥带有权限范围，各操作以 `x-scope` 标明所需范围。
列表分页返回：以 `cursor=next_cursor` 继续请求，直到其为 null。
写请求可带 `Idempotency-Key`，24 小时内重发不会重复执行。
修改资料时可将客户的 `ETag` 作为 `If-Match` 带上，若此后已被他人修改，则拒绝执行（412）。
错误以 `application/problem+json` 返回，语言取自 `Accept-Language`。
金额以最小货币单位（分）表示，时间为带时区的 ISO 8601。
"""


class Key(HttpBearer):
    """Declares how to authenticate. The middleware has done it before any operation is called."""

    openapi_scheme = "bearer"

    def authenticate(self, request: HttpRequest, token: str) -> Actor | None:
        return getattr(request, "actor", None)


class Flat(Parser):
    """JSON that whoever goes through it again can: what is nested deeper would exhaust the stack, now or when read."""

    def parse_body(self, request: HttpRequest) -> Any:
        level = [data := super().parse_body(request)]
        for _ in range(DEPTH if request.body.count(b"[") + request.body.count(b"{") > DEPTH else 0):
            level = [
                inner
                for one in level
                if isinstance(one, dict | list)
                for inner in (one.values() if isinstance(one, dict) else one)
            ]
        if level and level[0] is not data:
            raise ValueError(f"nested more than {DEPTH} deep")
        return data


def only_known(run: Any) -> Any:
    """Refuses query parameters that the operation hasn't: one misspelt would otherwise be a filter that isn't there.
    `run` is the bound method of a ninja operation.
    """
    taken = [
        name
        for model in run.__self__.models
        if issubclass(model, QueryModel)
        for name in getattr(model, "__ninja_flatten_map__", ())
    ]

    @wraps(run)
    def checked(request: HttpRequest, **values: Any) -> Any:
        unknown = [name for name in request.GET if name not in taken]
        return problems.of_unknown(unknown, taken) if unknown else run(request, **values)

    return checked


class Api(NinjaAPI):
    def get_openapi_schema(self, *args: Any, **kwargs: Any) -> Any:
        """What ninja describes, and what it can't know: problem+json, headers that all operations take and give."""
        schema = super().get_openapi_schema(*args, **kwargs)
        parts = schema["components"]
        parts["headers"] = _RATE
        parts["parameters"] = {"Accept-Language": _LANGUAGE, "Idempotency-Key": _IDEMPOTENCY}
        parts["responses"] = {
            f"Problem{status}": {
                "description": said(problems.TITLES[status].en, problems.TITLES[status].zh),
                "headers": _RATE_HEADERS,
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemOut"}}},
            }
            for status in (*ERRORS, *_OF_WRITES, *_OF_CONDITIONS)
        }
        for path in schema["paths"].values():
            for method, operation in path.items():
                names = ["Accept-Language"] + ["Idempotency-Key"] * (method in ("post", "put", "patch", "delete"))
                operation.setdefault("parameters", []).extend(
                    {"$ref": f"#/components/parameters/{name}"} for name in names
                )
                if "requestBody" in operation:
                    operation["responses"] |= {status: {} for status in _OF_WRITES}
                for status, response in operation["responses"].items():
                    response["headers"] = _RATE_HEADERS | response.get("headers", {})
                    if int(status) in (*ERRORS, *_OF_WRITES, *_OF_CONDITIONS):
                        operation["responses"][status] = {"$ref": f"#/components/responses/Problem{status}"}
        return schema


_LANGUAGE = {
    "in": "header", "name": "Accept-Language", "required": False, "schema": {"type": "string"}, "example": "zh-CN",
    "description": said("The language of errors and titles: zh or en.", "错误与标题的语言：zh 或 en。"),
}  # fmt: skip
_IDEMPOTENCY = {
    "in": "header", "name": "Idempotency-Key", "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    "description": said(
        "The same key with the same request within 24 hours gets the same answer and does nothing twice.",
        "24 小时内以相同的值重发同一请求，将得到相同的结果，不会重复执行。",
    ),
}  # fmt: skip
_RATE = {
    "RateLimit-Limit": {"schema": {"type": "integer"}, "description": said("Requests a minute.", "每分钟请求数上限。")},
    "RateLimit-Remaining": {
        "schema": {"type": "integer"}, "description": said("How many are left in this minute.", "本分钟剩余请求数。")
    },
    "RateLimit-Reset": {
        "schema": {"type": "integer"}, "description": said("Seconds until the next minute.", "距下一分钟的秒数。")
    },
}  # fmt: skip

_OF_WRITES = (413, 415)
_OF_CONDITIONS = (412,)
_RATE_HEADERS = {name: {"$ref": f"#/components/headers/{name}"} for name in _RATE}


def build() -> Api:
    from regulars.api import customers, events, figures, orders, segments, webhooks

    api = Api(
        title=said("Regulars", "熟客"),
        version=regulars.__version__,
        description=_ABOUT,
        auth=Key(),
        docs_url=None,
        parser=Flat(),
        openapi_url="/openapi.json",
        urls_namespace="api-v1",
    )
    api.add_decorator(only_known, mode="view")
    for module in (customers, events, orders, figures, segments, webhooks):
        api.add_router("", module.router)

    @api.exception_handler(Problem)
    def _problem(request: HttpRequest, problem: Any) -> HttpResponse:
        return problems.of_problem(request, problem)

    @api.exception_handler(ValidationError)
    def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
        return problems.of_faults(error.errors)

    @api.exception_handler(HttpError)
    def _http(request: HttpRequest, error: Any) -> HttpResponse:
        detail = (
            problems.NO_JSON if error.status_code == 400 else problems.TITLES.get(error.status_code, problems.BROKEN)
        )
        return problems.answer(error.status_code, "unreadable", detail)

    @api.exception_handler(Exception)
    def _broken(request: HttpRequest, error: Any) -> HttpResponse:
        if full := no_room(error):
            return problems.of_problem(request, full)
        log.error("%s %s failed", request.method, request.path, exc_info=error)
        return problems.answer(500, "broken", problems.BROKEN)

    return api


api = build()
