"""Everything that goes wrong, as problem+json (RFC 9457) in the caller's language."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Field, Schema

from regulars.api.wording import said
from regulars.kernel import languages
from regulars.kernel.errors import Problem
from regulars.kernel.languages import Text

TITLES: dict[int, Text] = {
    400: Text("The request can't be read", "无法读取请求"),
    401: Text("Not authenticated", "未通过身份验证"),
    403: Text("Not allowed", "没有权限"),
    404: Text("Not found", "未找到"),
    405: Text("Method not allowed", "不支持该方法"),
    409: Text("Contradicts the present state", "与当前状态冲突"),
    413: Text("Too large", "请求过大"),
    415: Text("Not a kind of content that is taken", "不支持的内容类型"),
    422: Text("Can't be processed", "无法处理"),
    429: Text("Too many requests", "请求过于频繁"),
    500: Text("Something went wrong on our side", "服务器出现问题"),
    503: Text("Not possible at the moment", "暂时无法处理"),
}
NO_KEY = Text(
    "Send an API key as “Authorization: Bearer rk_…”. Keys are made in the console under Data → API.",
    "请以“Authorization: Bearer rk_…”发送 API 密钥。密钥在控制台“数据 → API”中创建。",
)
NO_PLACE = Text("There is nothing at this address. See /api/docs.", "该地址不存在，请查看 /api/docs。")
NO_METHOD = Text("This address doesn't take this method. See /api/docs.", "该地址不支持此方法，请查看 /api/docs。")
BROKEN = Text("Try again; if it goes on, tell your admin.", "请重试；如问题持续，请联系管理员。")
NO_JSON = Text("The body isn't valid JSON.", "请求正文不是有效的 JSON。")
_CHECK = Text("Check the fields named in errors.", "请检查 errors 中列出的字段。")
_MEANING: dict[str, Text] = {
    "missing": Text("This is missing.", "缺少该字段。"),
    "extra_forbidden": Text("There is no such field.", "没有该字段。"),
    "json_invalid": NO_JSON,
}
_WRONG = Text("This value can't be taken: {why}", "该值无效：{why}")


class FieldFault(Schema):
    field: str = Field(description=said("Where: the path to the field.", "位置：字段路径。"))
    message: str = Field(description=said("What is wrong, in the caller's language.", "问题说明（调用方语言）。"))


class ProblemOut(Schema):
    """RFC 9457."""

    type: str = Field(description=said("A name of the kind of problem.", "问题类型的标识。"))
    title: str = Field(description=said("The kind of problem in words.", "问题类型。"))
    status: int = Field(description=said("The HTTP status.", "HTTP 状态码。"))
    detail: str = Field(description=said("What is wrong and what to do.", "问题说明与处理办法。"))
    code: str = Field(description=said("For programs; doesn't change with the language.", "供程序使用，不随语言变化。"))
    field: str | None = Field(None, description=said("Which field, if one.", "相关字段（如有）。"))
    errors: list[FieldFault] | None = Field(None, description=said("Every field that is wrong.", "所有有问题的字段。"))


def answer(
    status: int, code: str, detail: Text, *, field: str | None = None, errors: list[dict[str, str]] | None = None
) -> HttpResponse:
    content: dict[str, Any] = {
        "type": f"urn:regulars:problem:{code}",
        "title": str(TITLES.get(status, TITLES[400])),
        "status": status,
        "detail": str(detail),
        "code": code,
        "field": field,
    }
    if errors is not None:
        content["errors"] = errors
    text = json.dumps(content, ensure_ascii=False)
    response = HttpResponse(text, status=status, content_type="application/problem+json")
    if status == 503:
        response["Retry-After"] = "30"
    response["Content-Language"] = "zh-Hans" if languages.current() == "zh-hans" else "en"
    return response


def of_problem(request: HttpRequest, problem: Problem | type[Problem]) -> HttpResponse:
    assert isinstance(problem, Problem)
    return answer(problem.status, problem.code, problem.text, field=problem.field)


def of_faults(faults: list[dict[str, Any]]) -> HttpResponse:
    """pydantic's list of what doesn't fit the schema."""
    errors = []
    for fault in faults[:50]:
        path = [str(part) for part in fault.get("loc", ())]
        # ninja puts the kind of parameter and its name in Python first: body.data.name is the caller's name
        path = path[2:] if path[:1] == ["body"] and len(path) > 2 else path[1:]
        text = _MEANING.get(str(fault["type"])) or _WRONG.filled(
            why=str(fault["msg"]).replace("{", "(").replace("}", ")")
        )
        errors.append({"field": ".".join(path), "message": str(text)})
    first = errors[0]["field"] if errors else None
    return answer(422, "invalid", _CHECK, field=first, errors=errors)
