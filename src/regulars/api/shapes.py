"""The shapes that several operations give and take: pages, customers, and who is asking."""

import base64
import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from django.http import HttpRequest
from ninja import Field, Path, Query, Schema
from pydantic import ConfigDict

from regulars.accounts.actors import Actor
from regulars.api.problems import ProblemOut
from regulars.api.wording import said
from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text

T = TypeVar("T")
Kind = Literal[
    "user_id", "member_card", "wechat_unionid", "wechat_openid", "wecom_external_userid", "phone", "email",
    "anonymous_id", "device",
]  # fmt: skip
KIND = said("The kind of identity.", "标识类型。")

CustomerId = Annotated[
    int,
    Path(
        ge=1,
        le=2**63 - 1,
        description=said(
            "A customer's number; the number of any record merged into it does as well.",
            "客户编号；已并入的记录编号也可以。",
        ),
    ),
]
Number = Annotated[int, Path(ge=1, le=2**63 - 1, description=said("Its number.", "编号。"))]
Cursor = Annotated[
    str | None,
    Query(max_length=500, description=said("next_cursor of the page before.", "上一页的 next_cursor。")),
]
Limit = Annotated[int, Query(ge=1, le=100, description=said("Rows a page.", "每页行数。"))]

ERRORS = dict.fromkeys((400, 401, 403, 404, 409, 422, 429, 500), ProblemOut)


class Taken(Schema):
    """What is taken: unknown fields are refused, so that a slip of the pen doesn't go unseen."""

    model_config = ConfigDict(extra="forbid")


class Page(Schema, Generic[T]):
    data: list[T] = Field(description=said("The rows of this page.", "本页数据。"))
    next_cursor: str | None = Field(
        description=said("Where the next page begins; null at the end.", "下一页游标；末页为 null。")
    )


TAGGED = {
    "ETag": {
        "schema": {"type": "string"},
        "description": said(
            "The version of the profile and the attributes, for If-Match. The rest of the answer doesn't change it.",
            "资料与自定义属性的版本，用于 If-Match；响应的其他部分变化时不改变。",
        ),
    }
}
"""The header of answers with a customer in full. Worth moves with every refresh: no reason to refuse a change."""


def needs(
    scope: str, summary: str, description: str = "", *, headers: dict[int, dict[str, Any]] | None = None
) -> dict[str, Any]:
    """What an operation says of itself: its summary, the scope a key needs for it, headers of its answers by status."""
    text = said(f"Needs the scope {scope}.", f"需要权限范围 {scope}。")
    return {
        "summary": summary,
        "description": f"{description}\n\n{text}".strip(),
        "openapi_extra": {"x-scope": scope}
        | ({"responses": {status: {"headers": own} for status, own in headers.items()}} if headers else {}),
    }


def actor(request: HttpRequest, scope: str) -> Actor:
    """Who asks. Raises Forbidden without the scope."""
    who: Actor = request.actor  # type: ignore[attr-defined]
    who.require(scope)
    return who


def cursor_of(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def values_of(cursor: str, *kinds: type) -> list[Any]:
    """The values in a cursor. Raises Invalid for one that isn't ours."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
        if [type(value) for value in values] != list(kinds) or any(
            isinstance(value, int) and not 0 <= value < 2**63 for value in values
        ):
            raise ValueError(cursor)
    except (ValueError, TypeError):
        raise Invalid(
            "cursor", Text("This cursor isn't one of ours. Begin again.", "游标无效，请从头开始。"), field="cursor"
        ) from None
    return list(values)


def page_by_id(rows: Sequence[T], ids: Sequence[int], limit: int) -> dict[str, Any]:
    """A page of rows asked for with one more than the limit, keyed by id."""
    more = len(rows) > limit
    return {"data": rows[:limit], "next_cursor": cursor_of(ids[limit - 1]) if more else None}


class IdentityIn(Taken):
    kind: Kind = Field(description=KIND)
    value: str = Field(
        min_length=1,
        max_length=300,
        description=said(
            "In any usual spelling; phones become E.164, e-mail small letters.",
            "任何常见写法均可；手机号转为 E.164 格式，邮箱转为小写。",
        ),
        examples=["138 1234 5678"],
    )


class IdentityOut(Schema):
    id: int = Field(description=said("Number.", "编号。"))
    kind: str = Field(description=KIND)
    value: str = Field(description=said("In its normal spelling.", "规范写法。"))
    first_seen: datetime = Field(description=said("When it first came.", "首次出现时间。"))
    shared: bool = Field(
        description=said("Used by several people; it leads to nobody.", "多人共用，不再用于识别客户。")
    )
    removable: bool = Field(
        description=said("Added by hand or in a file: it can be removed.", "手动添加或随文件导入，可以移除。")
    )


class ProfileIn(Taken):
    name: str | None = Field(None, max_length=200, description=said("Name.", "姓名。"), examples=["王伟"])
    birthday: date | None = Field(None, description=said("Birthday.", "生日。"))
    gender: Literal["female", "male", "other"] | None = Field(None, description=said("Gender.", "性别。"))
    city: str | None = Field(None, max_length=100, description=said("City.", "城市。"))
    language: str | None = Field(
        None,
        max_length=20,
        description=said("Language, a tag as BCP 47 has it: zh-Hans, en-GB.", "语言，BCP 47 代码，如 zh-Hans、en-GB。"),
    )
    home_store: str | None = Field(None, max_length=100, description=said("Code of the home store.", "归属门店编码。"))


class ProfileOut(Schema):
    name: str | None = Field(description=said("Name.", "姓名。"))
    birthday: date | None = Field(description=said("Birthday.", "生日。"))
    gender: str | None = Field(description=said("female, male or other.", "female、male 或 other。"))
    city: str | None = Field(description=said("City.", "城市。"))
    language: str | None = Field(description=said("Language, a tag as BCP 47 has it.", "语言，BCP 47 代码。"))
    home_store: str | None = Field(description=said("Code of the home store.", "归属门店编码。"))


ADJUSTMENTS = said(
    "Discounts (negative) and fees such as postage, minor units: gross + adjustments - refunds = net.",
    "优惠（负数）与运费等费用（分）：gross ＋ adjustments － refunds ＝ net。",
)
LAST_SEEN = said(
    "Day of the last sign of life in the business's zone: what the customer did, not what was noted about them. Null "
    "before the figures know them.",
    "最近互动日期（营业时区）：客户自己的行为，不含对客户资料的登记。指标尚未计入该客户时为 null。",
)


class CustomerRow(Schema):
    """A customer in a list. · 列表中的客户。"""

    id: int = Field(description=said("Number.", "编号。"))
    name: str | None = Field(description=said("Name; null if unknown.", "姓名；未知为 null。"))
    known: bool = Field(description=said("Has an identity that names a person.", "已有可指认个人的标识。"))
    erased: bool = Field(description=said("Was erased.", "个人信息已删除。"))
    city: str = Field(description=said("City; empty if unknown.", "城市；未知则为空。"))
    home_store: str = Field(description=said("Home store; empty if unknown.", "归属门店；未知则为空。"))
    identities: list[IdentityOut] = Field(description=said("All identities.", "全部标识。"))
    tags: list[str] = Field(description=said("Tags.", "标签。"))
    mood: str | None = Field(
        description=said("happy, neutral or unhappy; null: unknown.", "happy、neutral 或 unhappy；未知为 null。")
    )
    taste: str | None = Field(description=said("price or quality; null: unknown.", "price 或 quality；未知为 null。"))
    created_at: datetime = Field(description=said("Customer since.", "成为客户的时间。"))
    last_seen_at: date | None = Field(description=LAST_SEEN)


class Worth(Schema):
    """What the last refresh of the figures says; money in minor units. · 指标计算的结果，金额以最小货币单位计。"""

    orders: int = Field(description=said("Orders.", "订单数。"))
    net: int = Field(description=said("Money after refunds, minor units.", "净消费（分）。"))
    stage: str = Field(description=said("Stage of life: potential, new, active, dormant, lost.", "生命周期阶段。"))
    rfm_group: str | None = Field(description=said("RFM group; null for non-buyers.", "RFM 分组；未购买者为 null。"))
    r: int | None = Field(description=said("Recency class, 5 is best.", "R 分，5 为最佳。"))
    f: int | None = Field(description=said("Frequency class.", "F 分。"))
    m: int | None = Field(description=said("Money class.", "M 分。"))
    warned: bool = Field(
        description=said(
            "Warned of leaving: silent and spending less, or late by their own rhythm. It stays true of the lost; "
            "about to leave is who is warned of and whose stage isn’t lost.",
            "有流失预警：久未互动且消费下降，或按自身节奏已逾期。流失的客户仍为 true；"
            "“即将流失”指有预警且阶段不是“流失”的客户。",
        )
    )
    expected_value: int | None = Field(
        description=said("Expected spend in the next twelve months, minor units.", "预计未来 12 个月消费（分）。")
    )
    mood: Literal["happy", "neutral", "unhappy"] | None = Field(
        description=said("What they let us know last, within a year.", "一年内最近一次表态：满意、一般或不满。")
    )
    taste: Literal["price", "quality"] | None = Field(
        description=said(
            "Price-sensitive or quality-oriented; from three orders on.", "价格敏感或品质导向；满三单后判断。"
        )
    )
    last_order: date | None = Field(description=said("Day of the last order.", "最近下单日期。"))


class CustomerOut(Schema):
    """A customer in full. · 客户的完整信息。"""

    id: int = Field(description=said("Number.", "编号。"))
    profile: ProfileOut = Field(description=said("Profile fields.", "资料字段。"))
    attributes: dict[str, Any] = Field(description=said("Attributes of your own.", "自定义属性。"))
    known: bool = Field(description=said("Has an identity that names a person.", "已有可指认个人的标识。"))
    erased_at: datetime | None = Field(description=said("When the person was erased.", "个人信息删除时间。"))
    created_at: datetime = Field(description=said("Customer since.", "成为客户的时间。"))
    last_seen_at: date | None = Field(description=LAST_SEEN)
    records: list[int] = Field(description=said("Numbers of its records, its own first.", "所含记录编号，主记录在前。"))
    identities: list[IdentityOut] = Field(description=said("All identities.", "全部标识。"))
    tags: list[str] = Field(description=said("Tags.", "标签。"))
    worth: Worth | None = Field(
        description=said("Worth; null before the first refresh of the figures.", "价值；指标首次计算前为 null。")
    )
