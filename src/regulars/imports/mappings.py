"""Which column of a file is what: a pydantic model, saved by name in the console or given as a JSON file.

Columns are named by their header, so that a mapping fits next month's file too. Nothing here reads files.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text

Kind = Literal["orders", "customers", "events"]
Meaning = Literal["paid", "refunded", "cancelled", "unpaid"]
DateOrder = Literal["auto", "ymd", "dmy", "mdy"]
Decimals = Literal["auto", ".", ","]

KINDS: dict[str, Text] = {
    "orders": Text("Orders", "订单"),
    "customers": Text("Customers", "客户"),
    "events": Text("Events", "事件"),
}
MEANINGS: dict[Meaning, Text] = {
    "paid": Text("a sale", "成交"),
    "refunded": Text("a sale that was refunded", "成交后退款"),
    "cancelled": Text("cancelled: no sale", "已取消：不算成交"),
    "unpaid": Text("not paid: no sale", "未付款：不算成交"),
}
RETURNS: dict[str, Text] = {
    "sign": Text("a negative quantity", "数量为负"),
    "prefix": Text("the beginning of the order number", "订单号的开头字母"),
    "none": Text("nothing: this file has no returns", "没有退货"),
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a column can be. `values` says what must be in it; `kinds` for which imports it is offered."""

    label: Text
    values: Literal["text", "number", "date", "time"]
    kinds: tuple[Kind, ...]
    identity: bool = False
    trait: bool = False


_ALL: tuple[Kind, ...] = get_args(Kind)
_O: tuple[Kind, ...] = ("orders",)
_PEOPLE: tuple[Kind, ...] = ("orders", "customers")

TARGETS: dict[str, Target] = {
    "order_id": Target(Text("Order number", "订单号"), "text", _O),
    "at": Target(Text("Date (and time)", "日期（与时间）"), "date", ("orders", "events")),
    "time": Target(Text("Time of day", "时刻"), "time", ("orders", "events")),
    "quantity": Target(Text("Quantity", "数量"), "number", _O),
    "price": Target(Text("Unit price", "单价"), "number", _O),
    "line_total": Target(Text("Amount of the line", "行金额"), "number", _O),
    "order_total": Target(Text("Amount of the order", "订单金额"), "number", _O),
    "product_id": Target(Text("Product number", "商品编号"), "text", _O),
    "product": Target(Text("Product name", "商品名称"), "text", _O),
    "category": Target(Text("Category", "品类"), "text", _O),
    "store": Target(Text("Store", "门店"), "text", ("orders", "events")),
    "channel": Target(Text("Channel", "渠道"), "text", ("orders", "events")),
    "currency": Target(Text("Currency", "币种"), "text", _O),
    "status": Target(Text("Order status", "订单状态"), "text", _O),
    "event": Target(Text("Event", "事件"), "text", ("events",)),
    "message_id": Target(Text("Event number", "事件编号"), "text", ("events",)),
    "user_id": Target(Text("Customer number", "客户编号"), "text", _ALL, identity=True),
    "phone": Target(Text("Phone", "手机号"), "text", _ALL, identity=True),
    "email": Target(Text("E-mail", "邮箱"), "text", _ALL, identity=True),
    "member_card": Target(Text("Member card", "会员卡号"), "text", _ALL, identity=True),
    "wechat_openid": Target(Text("WeChat openid", "微信 openid"), "text", _ALL, identity=True),
    "wechat_unionid": Target(Text("WeChat unionid", "微信 unionid"), "text", _ALL, identity=True),
    "wecom_external_userid": Target(Text("WeCom external_userid", "企业微信 external_userid"), "text", _ALL, True),
    "anonymous_id": Target(Text("Anonymous id", "匿名编号"), "text", _ALL, identity=True),
    "device": Target(Text("Device", "设备号"), "text", _ALL, identity=True),
    "name": Target(Text("Customer's name", "客户姓名"), "text", _PEOPLE, trait=True),
    "gender": Target(Text("Gender", "性别"), "text", ("customers",), trait=True),
    "birthday": Target(Text("Birthday", "生日"), "date", ("customers",), trait=True),
    "country": Target(Text("Country", "国家"), "text", _PEOPLE, trait=True),
    "province": Target(Text("Province", "省份"), "text", _PEOPLE, trait=True),
    "city": Target(Text("City", "城市"), "text", _PEOPLE, trait=True),
    "tags": Target(Text("Tags", "标签"), "text", ("customers",)),
}
IDENTITIES = tuple(name for name, target in TARGETS.items() if target.identity)
TRAITS = tuple(name for name, target in TARGETS.items() if target.trait)


class Returns(BaseModel):
    """How a return is told from a sale: by "sign" of the quantity, by "prefix" of the order number, or "none"."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    by: Literal["sign", "prefix", "none"] = "sign"
    prefix: str = Field(default="", max_length=10)

    @model_validator(mode="after")
    def _prefix_given(self) -> "Returns":
        if self.by == "prefix" and not self.prefix:
            raise ValueError("returns.prefix is needed when returns.by is prefix")
        return self


class Mapping(BaseModel):
    """`columns`: target (a key of TARGETS) → header. `properties`: further headers kept under their own names
    (as customer attributes or event properties). `statuses`: each status found → what it is taken for; rows with
    another status are rejected. `source` is the namespace of order numbers: the same number from another source is
    another order. `store`, `channel`, `event` apply to every row when no column gives them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: Literal[1] = 1
    kind: Kind
    columns: dict[str, str]
    properties: tuple[str, ...] = ()
    dates: DateOrder = "auto"
    decimals: Decimals = "auto"
    zone: str = ""
    currency: str = ""
    foreign: bool = False
    returns: Returns = Returns()
    statuses: dict[str, Meaning] = Field(default_factory=dict)
    repeats: Literal["never", "daily"] = "never"
    store: str = Field(default="", max_length=200)
    channel: str = Field(default="", max_length=200)
    event: str = Field(default="", max_length=100)
    source: str = Field(default="", max_length=100)
    encoding: str = ""
    sheet: str = ""

    @field_validator("columns")
    @classmethod
    def _known(cls, columns: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(columns) - set(TARGETS)):
            raise ValueError(f"unknown targets: {', '.join(unknown)}")
        return {target: header for target, header in columns.items() if header}


def parsed(data: Any) -> Mapping:
    """The mapping in JSON data. Raises Invalid saying which part is wrong."""
    try:
        return Mapping.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "mapping"
        raise Invalid(
            "mapping",
            Text("The mapping can't be read: {where}: {what}.", "无法读取该映射：{where}：{what}。").filled(
                where=where, what=first["msg"]
            ),
            field=where,
        ) from None


def missing(mapping: Mapping, headers: list[str]) -> list[Invalid]:
    """What keeps the mapping from being run on a file with these headers, each fault at its field."""
    faults = []
    for target, header in mapping.columns.items():
        if header not in headers:
            text = Text("The file has no column “{header}”.", "文件中没有“{header}”列。").filled(header=header)
            faults.append(Invalid("column", text, field=target))
    has = mapping.columns.keys()
    if mapping.kind == "orders":
        if "at" not in has:
            faults.append(
                Invalid("date_needed", Text("Say which column is the date.", "请指定哪一列是日期。"), field="at")
            )
        if not has & {"price", "line_total", "order_total"}:
            text = Text("Say which column is the price or the amount.", "请指定哪一列是单价或金额。")
            faults.append(Invalid("amount_needed", text, field="price"))
        if mapping.returns.by == "prefix" and "order_id" not in has:
            text = Text("A prefix needs a column with order numbers.", "按前缀识别退货需要订单号列。")
            faults.append(Invalid("order_id_needed", text, field="order_id"))
    if mapping.kind == "customers" and not has & set(IDENTITIES):
        text = Text(
            "Say which column tells customers apart: number, phone, e-mail, member card …",
            "请指定用哪一列识别客户：客户编号、手机号、邮箱、会员卡号等。",
        )
        faults.append(Invalid("identity_needed", text, field="user_id"))
    if mapping.kind == "events":
        if "at" not in has:
            faults.append(
                Invalid("date_needed", Text("Say which column is the date.", "请指定哪一列是日期。"), field="at")
            )
        if "event" not in has and not mapping.event:
            text = Text("Say which column names the event, or name it for all.", "请指定事件名称所在的列，或统一填写。")
            faults.append(Invalid("event_needed", text, field="event"))
    return faults
