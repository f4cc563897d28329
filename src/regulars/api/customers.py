"""Customers, identities, consent, tags, notes and merges."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_etags
from ninja import Field, Header, Path, Query, Router, Schema

from regulars.api.problems import ProblemOut
from regulars.api.shapes import (
    ERRORS,
    KIND,
    TAGGED,
    Cursor,
    CustomerId,
    CustomerOut,
    CustomerRow,
    IdentityIn,
    IdentityOut,
    Kind,
    Limit,
    Number,
    Page,
    ProfileIn,
    Taken,
    actor,
    cursor_of,
    needs,
    page_by_id,
    values_of,
)
from regulars.api.wording import said
from regulars.customers import queries, services
from regulars.kernel import clock
from regulars.warehouse.queries import customer as scored
from regulars.warehouse.queries import customers as listed
from regulars.warehouse.queries import snapshot
from regulars.wiring import erasures, exports

router = Router(tags=["customers"])
TagName = Annotated[str, Path(min_length=1, max_length=50, description=said("The tag.", "标签。"))]
Channel = Literal["sms", "email", "wechat", "phone", "push"]
Purpose = Literal["marketing", "service", "survey"]


def _last_seen(scores: listed.Scores | None) -> date | None:
    """As the customer's page has it."""
    return None if scores is None or scores.last_seen_day is None else clock.day_of(scores.last_seen_day)


def rows_of(ids: list[int]) -> list[dict[str, Any]]:
    """Customers in a list, in the order of their ids; five queries whatever the number."""
    cards = queries.by_ids(ids)
    identities = queries.identities_of(ids)
    tags = queries.tags_of(ids)
    judged = listed.scores_of(snapshot(), ids)
    return [
        {
            "id": cards[id].id, "name": cards[id].name or None, "known": cards[id].known, "erased": cards[id].erased,
            "city": cards[id].city, "home_store": cards[id].home_store, "identities": identities[id], "tags": tags[id],
            "mood": judged[id].mood if id in judged else None, "taste": judged[id].taste if id in judged else None,
            "created_at": cards[id].created_at, "last_seen_at": _last_seen(judged.get(id)),
        }
        for id in ids
        if id in cards
    ]  # fmt: skip


def full(id: int, response: HttpResponse) -> dict[str, Any]:
    profile = queries.get(id)
    response["ETag"] = f'"{profile.version}"'
    scores = scored.scores(snapshot(), profile.id)
    worth = None
    if scores is not None:
        last = None if scores.last_day is None else clock.day_of(scores.last_day)
        worth = {
            "orders": scores.orders, "net": scores.net, "stage": scores.stage, "rfm_group": scores.rfm_group,
            "r": scores.r, "f": scores.f, "m": scores.m, "warned": scores.warned,
            "expected_value": scores.expected_value, "last_order": last, "mood": scores.mood, "taste": scores.taste,
        }  # fmt: skip
    return {
        "id": profile.id, "profile": profile.fields, "attributes": profile.custom, "known": profile.known,
        "erased_at": profile.erased_at, "created_at": profile.created_at, "last_seen_at": _last_seen(scores),
        "records": list(profile.records), "identities": queries.identities(profile.id),
        "tags": [row.name for row in queries.tags(profile.id)], "worth": worth,
    }  # fmt: skip


@router.get(
    "/customers",
    response={200: Page[CustomerRow], **ERRORS},
    **needs(
        "customers.view",
        said("List or find customers", "列出或查找客户"),
        said(
            "The youngest first. Of several filters all have to hold. Who was erased is left out unless asked for.",
            "新客户在前。提供多个筛选条件时须全部满足。默认不含个人信息已删除的客户。",
        ),
    ),
)
def list_customers(
    request: HttpRequest,
    q: Annotated[
        str | None,
        Query(
            max_length=200,
            description=said(
                "Whose number, identity or beginning of the name it is.", "按编号、任一标识或姓名开头查找。"
            ),
        ),
    ] = None,
    tag: Annotated[str | None, Query(max_length=50, description=said("With this tag.", "带有此标签。"))] = None,
    known: Annotated[
        bool | None, Query(description=said("Known ones only, or the others.", "仅已识别或未识别客户。"))
    ] = None,
    mood: Annotated[
        Literal["happy", "neutral", "unhappy"] | None,
        Query(description=said("Who feels so, by the last refresh of the figures.", "按最近一次指标计算的情绪。")),
    ] = None,
    taste: Annotated[
        Literal["price", "quality"] | None,
        Query(description=said("Who buys by price, or by quality.", "价格敏感或品质导向的客户。")),
    ] = None,
    erased: Annotated[
        Literal["false", "true", "include"],
        Query(
            description=said(
                "true: only who was erased; include: them as well. What is left of them is a number and figures.",
                "true：仅个人信息已删除的客户；include：一并列出。他们只保留编号与统计数字。",
            )
        ),
    ] = "false",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Any:
    actor(request, "customers.view")
    gone = {"false": False, "true": True, "include": None}[erased]
    if mood is not None or taste is not None:
        filters = listed.Filters(
            moods=(mood,) if mood else (), tastes=(taste,) if taste else (), known=None if known else known,
            named=bool(known), erased=gone, ids=None if q is None else tuple(queries.matching(q)),
        )  # fmt: skip
        filters = exports.with_tag(filters, tag) if tag else filters
        page = listed.page(snapshot(), filters=filters, sort="customer_id", after=cursor, limit=limit)
        return {"data": rows_of([row.customer_id for row in page.rows]), "next_cursor": page.after}
    before = values_of(cursor, int)[0] if cursor else None
    cards = queries.page(before=before, limit=limit + 1, known=known, tag=tag or "", text=q, erased=gone)
    ids = [card.id for card in cards]
    return page_by_id(rows_of(ids), ids, limit)


class CustomerIn(Taken):
    identities: list[IdentityIn] = Field(
        min_length=1, max_length=20, description=said("At least one.", "至少一个标识。")
    )
    profile: ProfileIn = Field(
        default_factory=lambda: ProfileIn.model_validate({}), description=said("Profile fields.", "资料字段。")
    )
    attributes: dict[str, Any] = Field(
        default_factory=dict, max_length=100, description=said("Attributes of your own.", "自定义属性。")
    )


@router.post(
    "/customers",
    response={201: CustomerOut, **ERRORS},
    **needs(
        "customers.edit",
        said("Add a customer", "新增客户"),
        said("409 when an identity leads to somebody already.", "若标识已属于其他客户，返回 409。"),
        headers={201: TAGGED},
    ),
)
def add_customer(request: HttpRequest, data: CustomerIn, response: HttpResponse) -> Any:
    by = actor(request, "customers.edit")
    fields = data.attributes | data.profile.model_dump(exclude_unset=True)
    identities = [(one.kind, one.value) for one in data.identities]
    return 201, full(services.add_customer(identities=identities, fields=fields, by=by), response)


@router.get(
    "/customers/lookup",
    response={200: CustomerOut, **ERRORS},
    **needs("customers.view", said("Get a customer by an identity", "按标识获取客户"), headers={200: TAGGED}),
)
def look_up(
    request: HttpRequest,
    response: HttpResponse,
    kind: Annotated[Kind, Query(description=KIND)],
    value: Annotated[
        str, Query(min_length=1, max_length=300, description=said("In any usual spelling.", "任何常见写法。"))
    ],
) -> Any:
    actor(request, "customers.view")
    return full(queries.with_identity(kind, value), response)


@router.get(
    "/customers/{int:customer_id}",
    response={200: CustomerOut, **ERRORS},
    **needs(
        "customers.view",
        said("Get a customer", "获取客户"),
        said(
            "Of who was erased: erased_at, the number and figures, so that references still lead somewhere.",
            "个人信息已删除的客户只返回 erased_at、编号与统计数字，以便原有引用仍可查到。",
        ),
        headers={200: TAGGED},
    ),
)
def get_customer(request: HttpRequest, customer_id: CustomerId, response: HttpResponse) -> Any:
    actor(request, "customers.view")
    return full(customer_id, response)


class CustomerChange(Taken):
    profile: ProfileIn = Field(
        default_factory=lambda: ProfileIn.model_validate({}),
        description=said("Fields to set; null clears.", "要设置的字段；null 为清除。"),
    )
    attributes: dict[str, Any] = Field(
        default_factory=dict,
        max_length=100,
        description=said("Attributes; null clears.", "自定义属性；null 为清除。"),
    )


@router.patch(
    "/customers/{int:customer_id}",
    response={200: CustomerOut, 412: ProblemOut, **ERRORS},
    **needs(
        "customers.edit",
        said("Change a customer's profile", "修改客户资料"),
        said(
            "What isn't named stays as it is. With If-Match nothing is overwritten that you haven't read: 412 when the "
            "profile or an attribute has changed since.",
            "未提及的字段保持不变。带上 If-Match 可避免覆盖您未读到的修改：若资料或属性此后已变化，返回 412。",
        ),
        headers={200: TAGGED},
    ),
)
def change_customer(
    request: HttpRequest,
    customer_id: CustomerId,
    data: CustomerChange,
    response: HttpResponse,
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match",
            max_length=2000,
            description=said(
                "The ETag that came with the customer, or several; * for whichever. Left out: no condition.",
                "获取客户时返回的 ETag，可多个；* 表示任意版本。不带则无条件执行。",
            ),
        ),
    ] = None,
) -> Any:
    by = actor(request, "customers.edit")
    fields = data.attributes | data.profile.model_dump(exclude_unset=True)
    tags = None if if_match is None else parse_etags(if_match)
    # A weak one (W/"…") never matches here (RFC 9110, 13.1.1).
    versions = None if tags is None or tags == ["*"] else [tag.strip('"') for tag in tags if tag.startswith('"')]
    services.update_profile(customer_id=customer_id, fields=fields, versions=versions, by=by)
    return full(customer_id, response)


class Remaining(Schema):
    what: str = Field(description=said("What is left, in the caller's language.", "暂时保留的内容（调用方语言）。"))
    until: datetime = Field(description=said("When it is gone at the latest.", "最迟删除时间。"))


class Erased(Schema):
    records: int = Field(description=said("How many records were erased.", "删除的记录数。"))
    rows: int = Field(
        description=said("Rows of files and kept answers that named the person.", "指认此人的文件行与暂存响应数。")
    )
    at: datetime = Field(description=said("When.", "删除时间。"))
    remains: list[Remaining] = Field(description=said("What is left for a while.", "暂时保留的内容。"))


@router.delete(
    "/customers/{int:customer_id}",
    response={200: Erased, **ERRORS},
    **needs(
        "customers.erase",
        said("Erase a person", "删除个人信息"),
        said(
            "For good: whatever names the person goes, figures stay. What comes late of the time before is kept "
            "without a name; what they do later begins a new customer.",
            "不可恢复：删除所有可指认个人的内容，统计数字保留。此后迟到的旧事件仅匿名保留；新的行为将产生新客户。",
        ),
    ),
)
def erase(request: HttpRequest, customer_id: CustomerId) -> Any:
    by = actor(request, "customers.erase")
    told = erasures.erase(customer_id=customer_id, by=by)
    remains = [{"what": str(one.what), "until": one.until} for one in told.remains]
    return {"records": told.records, "rows": told.rows, "at": told.at, "remains": remains}


@router.get(
    "/customers/{int:customer_id}/identities",
    response={200: list[IdentityOut], **ERRORS},
    **needs("customers.view", said("A customer's identities", "客户的标识")),
    tags=["identities"],
)
def list_identities(request: HttpRequest, customer_id: CustomerId) -> Any:
    actor(request, "customers.view")
    return queries.identities(customer_id)


@router.post(
    "/customers/{int:customer_id}/identities",
    response={200: list[IdentityOut], **ERRORS},
    **needs("customers.edit", said("Add an identity", "新增标识")),
    tags=["identities"],
)
def add_identity(request: HttpRequest, customer_id: CustomerId, data: IdentityIn) -> Any:
    by = actor(request, "customers.edit")
    services.add_identity(customer_id=customer_id, kind=data.kind, value=data.value, by=by)
    return queries.identities(customer_id)


@router.delete(
    "/customers/{int:customer_id}/identities/{int:identity_id}",
    response={200: list[IdentityOut], **ERRORS},
    **needs(
        "customers.edit",
        said("Remove an identity", "移除标识"),
        said(
            "One added by hand or in a file. What came with events would come again and is refused (409). Merges that "
            "rest on it stay.",
            "仅限手动添加或随文件导入的标识。来自事件数据的标识会再次出现，因此拒绝移除（409）。基于它的合并保持不变。",
        ),
    ),
    tags=["identities"],
)
def remove_identity(request: HttpRequest, customer_id: CustomerId, identity_id: Number) -> Any:
    by = actor(request, "customers.edit")
    services.remove_identity(identity_id=identity_id, customer_id=customer_id, by=by)
    return queries.identities(customer_id)


class ConsentOut(Schema):
    channel: str = Field(description=said("How they may be reached.", "联系渠道。"))
    purpose: str = Field(description=said("What for.", "用途。"))
    given: bool = Field(description=said("Given, or withdrawn.", "已同意或已撤回。"))
    at: datetime = Field(description=said("Since when.", "起始时间。"))
    source: str = Field(description=said("Where it was given.", "来源。"))


@router.get(
    "/customers/{int:customer_id}/consents",
    response={200: list[ConsentOut], **ERRORS},
    **needs(
        "customers.view",
        said("A customer's consents", "客户的同意状态"),
        said("What isn't listed is unknown.", "未列出的组合为未知。"),
    ),
    tags=["consent"],
)
def list_consents(request: HttpRequest, customer_id: CustomerId) -> Any:
    actor(request, "customers.view")
    states = queries.consent_states(customer_id)
    return [states[key] for key in sorted(states)]


class ConsentIn(Taken):
    given: bool = Field(description=said("true: they agree. false: they don't.", "true 为同意，false 为不同意。"))
    source: str = Field("", max_length=100, description=said("Where: a form, a store …", "来源：表单、门店等。"))
    at: datetime | None = Field(None, description=said("When; now if left out.", "时间；缺省为现在。"))


@router.put(
    "/customers/{int:customer_id}/consents/{channel}/{purpose}",
    response={200: list[ConsentOut], **ERRORS},
    **needs("consent.edit", said("Record a consent or its withdrawal", "登记同意或撤回")),
    tags=["consent"],
)
def record_consent(
    request: HttpRequest,
    customer_id: CustomerId,
    channel: Annotated[Channel, Path(description=said("How they may be reached.", "联系渠道。"))],
    purpose: Annotated[Purpose, Path(description=said("What for.", "用途。"))],
    data: ConsentIn,
) -> Any:
    by = actor(request, "consent.edit")
    change = services.give_consent if data.given else services.withdraw_consent
    at = data.at if data.at is None or data.at.tzinfo else data.at.replace(tzinfo=clock.now().tzinfo)
    change(customer_id=customer_id, channel=channel, purpose=purpose, by=by, source=data.source, at=at)
    states = queries.consent_states(customer_id)
    return [states[key] for key in sorted(states)]


@router.put(
    "/customers/{int:customer_id}/tags/{tag}",
    response={200: list[str], **ERRORS},
    **needs("tags.edit", said("Tag a customer", "添加标签")),
    tags=["tags"],
)
def add_tag(request: HttpRequest, customer_id: CustomerId, tag: TagName) -> Any:
    by = actor(request, "tags.edit")
    services.tag(customer_ids=[queries.root_of(customer_id)], name=tag, by=by)
    return [row.name for row in queries.tags(customer_id)]


@router.delete(
    "/customers/{int:customer_id}/tags/{tag}",
    response={200: list[str], **ERRORS},
    **needs("tags.edit", said("Take a tag off", "移除标签")),
    tags=["tags"],
)
def remove_tag(request: HttpRequest, customer_id: CustomerId, tag: TagName) -> Any:
    by = actor(request, "tags.edit")
    services.untag(customer_ids=[queries.root_of(customer_id)], name=tag, by=by)
    return [row.name for row in queries.tags(customer_id)]


class TagOut(Schema):
    name: str = Field(description=said("The tag.", "标签。"))
    customers: int = Field(description=said("How often it was put on.", "使用次数。"))


@router.get(
    "/tags",
    response={200: Page[TagOut], **ERRORS},
    **needs("customers.view", said("All tags, by name", "所有标签（按名称排序）")),
    tags=["tags"],
)
def list_tags(request: HttpRequest, cursor: Cursor = None, limit: Limit = 50) -> Any:
    actor(request, "customers.view")
    after = values_of(cursor, str)[0] if cursor else ""
    rows = [{"name": name, "customers": count} for name, count in queries.all_tags(after=after, limit=limit + 1)]
    more = len(rows) > limit
    return {"data": rows[:limit], "next_cursor": cursor_of(rows[limit - 1]["name"]) if more else None}


class NoteOut(Schema):
    id: int = Field(description=said("Number.", "编号。"))
    text: str = Field(description=said("What it says.", "内容。"))
    by: str = Field(description=said("Who wrote it: staff:7, key:3.", "作者，如 staff:7、key:3。"))
    at: datetime = Field(description=said("When.", "时间。"))


class NoteIn(Taken):
    text: str = Field(min_length=1, max_length=5000, description=said("What it says.", "内容。"))


@router.get(
    "/customers/{int:customer_id}/notes",
    response={200: Page[NoteOut], **ERRORS},
    **needs("customers.view", said("Notes about a customer", "客户备注")),
    tags=["notes"],
)
def list_notes(request: HttpRequest, customer_id: CustomerId, cursor: Cursor = None, limit: Limit = 50) -> Any:
    actor(request, "customers.view")
    before = values_of(cursor, int)[0] if cursor else None
    rows = queries.notes(customer_id, before=before, limit=limit + 1)
    return page_by_id(rows, [row.id for row in rows], limit)


@router.post(
    "/customers/{int:customer_id}/notes",
    response={201: NoteOut, **ERRORS},
    **needs("notes.edit", said("Write a note", "写备注")),
    tags=["notes"],
)
def add_note(request: HttpRequest, customer_id: CustomerId, data: NoteIn) -> Any:
    by = actor(request, "notes.edit")
    id = services.add_note(customer_id=customer_id, text=data.text, by=by)
    return 201, next(row for row in queries.notes(customer_id, before=id + 1, limit=1))


class Done(Schema):
    done: bool = Field(True, description=said("It is done.", "已完成。"))


@router.delete(
    "/notes/{int:note_id}",
    response={200: Done, **ERRORS},
    **needs("notes.edit", said("Delete a note", "删除备注")),
    tags=["notes"],
)
def delete_note(request: HttpRequest, note_id: Number) -> Any:
    by = actor(request, "notes.edit")
    services.delete_note(note_id=note_id, by=by)
    return {"done": True}


@router.post(
    "/notes/{int:note_id}/restore",
    response={200: Done, **ERRORS},
    **needs(
        "notes.edit",
        said("Bring a deleted note back", "恢复已删除的备注"),
        said("A note of an erased person stays gone.", "个人信息已删除的客户，其备注无法恢复。"),
    ),
    tags=["notes"],
)
def restore_note(request: HttpRequest, note_id: Number) -> Any:
    by = actor(request, "notes.edit")
    services.restore_note(note_id=note_id, by=by)
    return {"done": True}


class MergeIn(Taken):
    source: int = Field(
        ge=1, le=2**63 - 1, description=said("Who comes under this customer.", "并入此客户的另一客户编号。")
    )
    keep_from_source: list[str] = Field(
        default_factory=list, max_length=50,
        description=said("Fields whose value the source's stays.", "保留对方取值的字段。"),
    )  # fmt: skip


class MergeOut(Schema):
    merge: int = Field(description=said("The merge's number, to undo it.", "合并编号，用于撤销。"))
    customer: int = Field(description=said("Whom both are now.", "合并后的客户编号。"))


@router.post(
    "/customers/{int:customer_id}/merge",
    response={200: MergeOut, **ERRORS},
    **needs("customers.merge", said("Merge another customer into this one", "将另一客户并入此客户")),
    tags=["identities"],
)
def merge(request: HttpRequest, customer_id: CustomerId, data: MergeIn) -> Any:
    by = actor(request, "customers.merge")
    id = services.merge(source=data.source, target=customer_id, by=by, keep_from_source=data.keep_from_source)
    return {"merge": id, "customer": queries.root_of(customer_id)}


class Freed(Schema):
    customer: int = Field(description=said("Who is a customer of their own again.", "重新独立的客户编号。"))


@router.post(
    "/merges/{int:merge_id}/undo",
    response={200: Freed, **ERRORS},
    **needs("customers.merge", said("Undo a merge", "撤销合并")),
    tags=["identities"],
)
def unmerge(request: HttpRequest, merge_id: Number) -> Any:
    by = actor(request, "customers.merge")
    return {"customer": services.unmerge(merge_id=merge_id, by=by)}
