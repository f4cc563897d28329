"""Everything that goes wrong, as problem+json (RFC 9457) in the caller's language."""

import json
import re
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Field, Schema

from regulars.accounts.capabilities import KEYS_PLACE
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
    412: Text("Changed since it was read", "读取之后已被修改"),
    413: Text("Too large", "请求过大"),
    415: Text("Not a kind of content that is taken", "不支持的内容类型"),
    422: Text("Can't be processed", "无法处理"),
    429: Text("Too many requests", "请求过于频繁"),
    500: Text("Something went wrong on our side", "服务器出现问题"),
    503: Text("Not possible at the moment", "暂时无法处理"),
}
NO_KEY = Text(
    "Send an API key as “Authorization: Bearer rk_…”. Keys are made in the console under {place}.",
    "请以“Authorization: Bearer rk_…”发送 API 密钥。密钥在控制台“{place}”中创建。",
).filled(place=KEYS_PLACE)
UNKNOWN_KEY = Text(
    "This API key is unknown or revoked. Keys are made in the console under {place}.",
    "此 API 密钥不存在或已吊销。密钥在控制台“{place}”中创建。",
).filled(place=KEYS_PLACE)
NO_PLACE = Text("There is nothing at this address. See /api/docs.", "该地址不存在，请查看 /api/docs。")
NO_METHOD = Text("This address doesn't take this method. See /api/docs.", "该地址不支持此方法，请查看 /api/docs。")
BROKEN = Text("Try again; if it goes on, tell your admin.", "请重试；如问题持续，请联系管理员。")
NO_JSON = Text("The body isn't valid JSON.", "请求正文不是有效的 JSON。")
_CHECK = Text("Check the fields named in errors.", "请检查 errors 中列出的字段。")
_STRING = Text("This must be a text.", "应为文本。")
_WHOLE = Text("This must be a whole number.", "应为整数。")
_NUMBER = Text("This must be a number.", "应为数字。")
_BOOLEAN = Text("This must be true or false.", "应为 true 或 false。")
_OBJECT = Text("This must be an object of JSON.", "应为 JSON 对象。")
_LIST = Text("This must be a list.", "应为列表。")
_DATE = Text("This must be a date, such as 2026-05-31.", "应为日期，如 2026-05-31。")
_TIME = Text(
    "This must be a time of ISO 8601, such as 2026-05-31T18:30:00+08:00.",
    "应为 ISO 8601 时间，如 2026-05-31T18:30:00+08:00。",
)
_CHOICE = Text("This must be one of: {choices}.", "只能是以下之一：{choices}。")
_MEANING: dict[str, Text] = {
    "missing": Text("This is missing.", "缺少该字段。"),
    "extra_forbidden": Text("There is no such field.", "没有该字段。"),
    "json_invalid": NO_JSON,
    "string_type": _STRING,
    "string_unicode": Text("This must be a text in UTF-8.", "应为 UTF-8 文本。"),
    "string_too_short": Text("This has too few characters; the least is {min_length}.", "至少 {min_length} 个字符。"),
    "string_too_long": Text("This has more than {max_length} characters.", "不得超过 {max_length} 个字符。"),
    "string_pattern_mismatch": Text("This doesn't fit the pattern {pattern}", "格式不符，应匹配 {pattern}"),
    "int_type": _WHOLE, "int_parsing": _WHOLE, "int_from_float": _WHOLE,
    "int_parsing_size": Text("This number is too large.", "数字过大。"),
    "float_type": _NUMBER, "float_parsing": _NUMBER, "decimal_type": _NUMBER, "decimal_parsing": _NUMBER,
    "finite_number": Text("This must be a finite number.", "应为有限数。"),
    "decimal_max_digits": Text("This has more than {max_digits} digits.", "不得超过 {max_digits} 位数字。"),
    "decimal_max_places": Text("This has more than {decimal_places} decimals.", "小数不得超过 {decimal_places} 位。"),
    "greater_than": Text("This must be greater than {gt}.", "必须大于 {gt}。"),
    "greater_than_equal": Text("This must be {ge} or more.", "不得小于 {ge}。"),
    "less_than": Text("This must be less than {lt}.", "必须小于 {lt}。"),
    "less_than_equal": Text("This must be {le} or less.", "不得大于 {le}。"),
    "bool_type": _BOOLEAN, "bool_parsing": _BOOLEAN,
    "dict_type": _OBJECT, "model_type": _OBJECT, "model_attributes_type": _OBJECT,
    "list_type": _LIST,
    "too_short": Text("This has too few entries; the least is {min_length}.", "至少 {min_length} 项。"),
    "too_long": Text("This has more than {max_length} entries.", "不得超过 {max_length} 项。"),
    "literal_error": _CHOICE, "enum": _CHOICE,
    "date_type": _DATE, "date_parsing": _DATE, "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "datetime_type": _TIME, "datetime_parsing": _TIME, "datetime_from_date_parsing": _TIME,
    "datetime_object_invalid": _TIME,
    "timezone_aware": Text("This time needs an offset, such as +08:00.", "时间须带时区偏移，如 +08:00。"),
}  # fmt: skip
"""What pydantic finds → what it means, with what pydantic knows of it (docs.pydantic.dev/latest/errors)."""
_WRONG = Text("This value can't be taken.", "该值无效。")
_NO_PARAMETER = Text(
    "There is no such parameter. This operation takes: {taken}.", "没有该参数。此操作的参数有：{taken}。"
)
_NO_PARAMETERS = Text("There is no such parameter. This operation takes none.", "没有该参数。此操作不接受查询参数。")


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
    every = [{"field": one.field or "", "message": str(one.text)} for one in (problem, *problem.others)]
    errors = every if problem.others else None
    return answer(problem.status, problem.code, problem.text, field=problem.field, errors=errors)


def meaning(kind: str, context: dict[str, Any]) -> Text:
    """Of one of pydantic's errors, by its type and what comes with it."""
    given: dict[str, Any] = dict(context)
    if kind in ("literal_error", "enum"):
        # "'sms', 'email' or 'push'"
        choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        given["choices"] = Text(", ".join(choices), "、".join(choices))
    return _MEANING.get(kind, _WRONG).filled(**given)


def of_faults(faults: list[dict[str, Any]]) -> HttpResponse:
    """pydantic's list of what doesn't fit the schema."""
    errors = []
    for fault in faults[:50]:
        path = [str(part) for part in fault.get("loc", ())]
        # ninja puts the kind of parameter and its name in Python first: body.data.name is the caller's name
        path = path[2:] if path[:1] == ["body"] and len(path) > 2 else path[1:]
        text = meaning(str(fault["type"]), fault.get("ctx") or {})
        errors.append({"field": ".".join(path), "message": str(text)})
    first = errors[0]["field"] if errors else None
    return answer(422, "invalid", _CHECK, field=first, errors=errors)


def of_unknown(unknown: list[str], taken: list[str]) -> HttpResponse:
    """Query parameters that an operation hasn't."""
    names = Text(", ".join(taken), "、".join(taken))
    text = _NO_PARAMETER.filled(taken=names) if taken else _NO_PARAMETERS
    errors = [{"field": name[:100], "message": str(text)} for name in unknown[:50]]
    return answer(422, "invalid", _CHECK, field=errors[0]["field"], errors=errors)
