"""Service, surveys, messages, loyalty, visits, and what the system itself says of customers and of its decisions.

Payloads carry ids, never names, numbers or addresses: those live with the customer, so that erasing a person doesn't
need a rewrite of the log.
"""

from typing import Any, ClassVar

from regulars.catalog.faults import Fault
from regulars.catalog.payloads import Amount, Column, EventType, Payload, Score, Whole
from regulars.kernel.languages import Text


class Ticket(Payload):
    ticket_id: str | None = None
    category: str | None = None
    priority: str | None = None
    reason: str | None = None
    columns: ClassVar[dict[Column, tuple[str, ...]]] = {"category": ("category",)}


class Survey(Payload):
    """`score` is the answer as given, on the scale of its `kind` (SCALES)."""

    survey_id: str | None = None
    kind: str | None = None
    score: Score | None = None
    order_id: str | None = None
    columns: ClassVar[dict[Column, tuple[str, ...]]] = {
        "score": ("score",),
        "category": ("kind",),
        "order_id": ("order_id",),
    }


SCALES: dict[str, tuple[int, int]] = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 5)}
"""Kind of question → least and highest answer; of other kinds nothing is known but the bounds of Score."""
_NO_SCORE = Text(
    "Survey Answered: {got} is no score of {kind}, which goes from {low} to {high}. Send the score that was given, or "
    "the right kind.",
    "Survey Answered：{got} 不是有效的 {kind} 得分（应为 {low} 到 {high}）。请发送实际得分，或改正 kind。",
)


def _on_its_scale(survey: Any) -> Fault | None:
    if survey.score is None or survey.kind is None:
        return None
    kind = str(survey.kind).strip()
    low, high = SCALES.get(kind.casefold(), (survey.score, survey.score))
    if low <= survey.score <= high:
        return None
    return Fault("out_of_range", "score", _NO_SCORE.filled(got=survey.score, kind=kind.upper(), low=low, high=high))


class Message(Payload):
    message_id: str | None = None
    campaign_id: str | None = None
    journey_id: str | None = None
    template_id: str | None = None
    link: str | None = None
    reason: str | None = None


class Points(Payload):
    points: Whole | None = None
    reason: str | None = None
    order_id: str | None = None
    columns: ClassVar[dict[Column, tuple[str, ...]]] = {"order_id": ("order_id",)}


class Tier(Payload):
    tier: str | None = None
    previous: str | None = None


class CouponHeld(Payload):
    coupon_id: str | None = None
    offer_id: str | None = None
    order_id: str | None = None
    value: Amount | None = None
    columns: ClassVar[dict[Column, tuple[str, ...]]] = {"order_id": ("order_id",), "amount": ("value",)}


class Visit(Payload):
    visit_id: str | None = None
    booking_id: str | None = None
    service: str | None = None
    category: str | None = None
    columns: ClassVar[dict[Column, tuple[str, ...]]] = {"product_id": ("service",), "category": ("category",)}


class Identified(Payload):
    """`kinds`: the kinds of identity that made the record known, such as ["email", "phone"]."""

    kinds: list[str]


class Told(Payload):
    """`traits`: the names of the traits that came; their values are in the profile alone."""

    traits: list[str] | None = None


class Group(Payload):
    group_id: str


class Merge(Payload):
    """Ids of records: `source` is put under `target`; `root` is the customer that both belong to afterwards."""

    source: Whole
    target: Whole
    root: Whole


class Changed(Payload):
    """`fields`: which fields changed, never their values."""

    fields: list[str]


class Consent(Payload):
    """`channel` is how they may be reached (sms, email …), `purpose` what for (marketing …)."""

    channel: str
    purpose: str


class Tag(Payload):
    tag: str


class IdentityChange(Payload):
    """`kind` of the identity (phone, email …), never its value."""

    kind: str


class Erased(Payload):
    """`records`: how many records were erased; nothing that would name the person."""

    records: Whole | None = None


class Membership(Payload):
    segment_id: str
    version: Whole | None = None


class JourneyRun(Payload):
    journey_id: str
    version: Whole | None = None
    run_id: str | None = None


class HeldOut(Payload):
    experiment_id: str
    journey_id: str | None = None
    share: Amount | None = None


EVENTS: tuple[EventType, ...] = (
    EventType("Ticket Opened", Ticket, "service", Text("Opened a ticket", "新建工单"), Text(
        "When a customer's request becomes a ticket.", "客户请求生成工单时。"), by_customer=True),
    EventType("Ticket Replied", Ticket, "service", Text("Ticket answered", "回复工单"), Text(
        "When a colleague answers in a ticket.", "同事在工单中回复客户时。"), by_customer=False),
    EventType("Ticket Resolved", Ticket, "service", Text("Ticket resolved", "解决工单"), Text(
        "When a ticket is marked as resolved.", "工单标记为已解决时。"), by_customer=False),
    EventType("Complaint Filed", Ticket, "service", Text("Complained", "投诉"), Text(
        "When a customer complains, wherever they do.", "客户投诉时（不限渠道）。"), by_customer=True),
    EventType("Survey Answered", Survey, "surveys", Text("Answered a survey", "回答调研"), Text(
        "When a customer answers a survey. `score` is 0 to 10 where `kind` is nps, 1 to 5 for csat and ces, 0 to 100 "
        "for others.",
        "客户提交调研时。`score` 的范围：`kind` 为 nps 时 0 到 10，csat 与 ces 时 1 到 5，其他为 0 到 100。"),
        by_customer=True, sense=_on_its_scale),
    EventType("Message Sent", Message, "messages", Text("Message sent", "发送消息"), Text(
        "When a message has been handed to the carrier.", "消息已交给发送通道时。"), by_customer=False),
    EventType("Message Opened", Message, "messages", Text("Opened a message", "打开消息"), Text(
        "When a message is opened.", "消息被打开时。"), by_customer=True),
    EventType("Message Clicked", Message, "messages", Text("Clicked in a message", "点击消息"), Text(
        "When a link of a message is followed.", "消息中的链接被点击时。"), by_customer=True),
    EventType("Points Earned", Points, "loyalty", Text("Earned points", "获得积分"), Text(
        "When points are credited.", "积分入账时。"), by_customer=False),
    EventType("Points Redeemed", Points, "loyalty", Text("Redeemed points", "兑换积分"), Text(
        "When points are spent.", "使用积分时。"), by_customer=True),
    EventType("Tier Changed", Tier, "loyalty", Text("Tier changed", "等级变更"), Text(
        "When a customer comes into another tier.", "客户会员等级变化时。"), by_customer=False),
    EventType("Coupon Issued", CouponHeld, "coupons", Text("Coupon issued", "发放优惠券"), Text(
        "When a customer is given a coupon.", "向客户发放优惠券时。"), by_customer=False),
    EventType("Coupon Redeemed", CouponHeld, "coupons", Text("Coupon redeemed", "核销优惠券"), Text(
        "When a coupon is used up.", "优惠券被核销时。"), by_customer=True),
    EventType("Visit Checked In", Visit, "visits", Text("Checked in", "到店签到"), Text(
        "When a customer arrives at a store and is checked in.", "客户到店并签到时。"), by_customer=True),
    EventType("Booking Made", Visit, "visits", Text("Booked", "预约"), Text(
        "When a customer books a service.", "客户预约服务时。"), by_customer=True),
    EventType("Booking Cancelled", Visit, "visits", Text("Cancelled a booking", "取消预约"), Text(
        "When a booking is called off.", "预约被取消时。"), by_customer=True),
    EventType("Customer Identified", Identified, "profile", Text("Became known", "身份识别"), Text(
        "When a record gets its first identity that names a person (user id, phone, e-mail, WeChat, member card).",
        "记录首次获得可指认个人的身份（用户 ID、手机号、邮箱、微信、会员卡）时。"), by_customer=False, reserved=True),
    EventType("Customer Unidentified", Identified, "profile", Text("No longer known", "不再可识别"), Text(
        "When the last identity that named a person is taken away from a customer by hand.",
        "客户最后一个可指认个人的标识被手动移除时。"), by_customer=False, reserved=True),
    EventType("Traits Updated", Told, "profile", Text("Told about itself", "上报资料"), Text(
        "When a tracking client tells who somebody is (an identify call).",
        "跟踪 SDK 上报客户身份与资料时（由 identify 调用产生）。"), by_customer=False),
    EventType("Identities Linked", Payload, "profile", Text("Linked identities", "关联身份"), Text(
        "When a tracking client says that two ids are one customer's (an alias call).",
        "跟踪 SDK 上报两个 ID 属于同一客户时（由 alias 调用产生）。"), by_customer=False),
    EventType("Group Joined", Group, "profile", Text("Joined a group", "加入群组"), Text(
        "When a tracking client puts a customer into a group, such as a company (a group call).",
        "跟踪 SDK 将客户归入某个群组（如公司）时（由 group 调用产生）。"), by_customer=False),
    EventType("Identity Added", IdentityChange, "profile", Text("Identity added", "添加标识"), Text(
        "When somebody adds an identity to a customer by hand, or puts one back.", "手动为客户添加或恢复标识时。"),
        by_customer=False, reserved=True),
    EventType("Identity Removed", IdentityChange, "profile", Text("Identity removed", "移除标识"), Text(
        "When an identity added by hand or in a file is taken away again.", "移除手动添加或导入的标识时。"),
        by_customer=False, reserved=True),
    EventType("Customers Merged", Merge, "profile", Text("Merged", "合并客户"), Text(
        "When two customers turn out to be one and are merged.", "确认两位客户为同一人并合并时。"),
        by_customer=False, reserved=True),
    EventType("Customers Unmerged", Merge, "profile", Text("Unmerged", "撤销合并"), Text(
        "When a merge is undone.", "撤销合并时。"), by_customer=False, reserved=True),
    EventType("Profile Updated", Changed, "profile", Text("Profile changed", "更新资料"), Text(
        "When fields of a profile are changed.", "客户资料字段变更时。"), by_customer=False, reserved=True),
    EventType("Consent Given", Consent, "profile", Text("Gave consent", "同意接收"), Text(
        "When a customer agrees to be contacted by a channel for a purpose.", "客户同意以某渠道、为某目的接收联系时。"),
        by_customer=False, reserved=True),
    EventType("Consent Withdrawn", Consent, "profile", Text("Withdrew consent", "撤回同意"), Text(
        "When a customer withdraws such a consent.", "客户撤回上述同意时。"), by_customer=False, reserved=True),
    EventType("Consent Undone", Consent, "profile", Text("Consent entry undone", "撤销同意登记"), Text(
        "When an entry of consent made by mistake is taken back.", "撤销误登记的同意或撤回记录时。"),
        by_customer=False, reserved=True),
    EventType("Tag Added", Tag, "profile", Text("Tagged", "添加标签"), Text(
        "When a tag is put on a customer.", "给客户添加标签时。"), by_customer=False, reserved=True),
    EventType("Tag Removed", Tag, "profile", Text("Tag removed", "移除标签"), Text(
        "When a tag is taken off a customer.", "移除客户标签时。"), by_customer=False, reserved=True),
    EventType("Customer Erased", Erased, "profile", Text("Erased", "删除个人信息"), Text(
        "When a person's data are erased; the figures stay, nothing that names the person does.",
        "删除个人信息时；保留统计数字，不再保留可指认个人的内容。"), by_customer=False, reserved=True),
    EventType("Segment Entered", Membership, "decisions", Text("Entered a segment", "进入分群"), Text(
        "When a customer begins to match a segment.", "客户开始符合分群规则时。"), by_customer=False, reserved=True),
    EventType("Segment Exited", Membership, "decisions", Text("Left a segment", "离开分群"), Text(
        "When a customer no longer matches a segment.", "客户不再符合分群规则时。"), by_customer=False, reserved=True),
    EventType("Journey Entered", JourneyRun, "decisions", Text("Entered a journey", "进入旅程"), Text(
        "When a customer begins a journey.", "客户进入旅程时。"), by_customer=False, reserved=True),
    EventType("Held Out", HeldOut, "decisions", Text("Held out", "进入对照组"), Text(
        "When a customer falls into the control group and is deliberately not contacted.",
        "客户落入对照组、按设计不触达时。"), by_customer=False, reserved=True),
)  # fmt: skip
