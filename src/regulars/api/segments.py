"""Segments of the RFM and lifecycle kind, and who is in them."""

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Path, Router, Schema

from regulars.analytics import lifecycle as stages
from regulars.analytics import rfm as groups
from regulars.api.customers import rows_of
from regulars.api.shapes import ERRORS, Cursor, CustomerRow, Limit, Page, actor, needs
from regulars.api.wording import said
from regulars.kernel.errors import NotFound
from regulars.kernel.languages import Text
from regulars.warehouse.queries import customers, lifecycle, rfm, snapshot

router = Router(tags=["segments"])


class Segment(Schema):
    key: str = Field(description=said("rfm:… or stage:…", "rfm:… 或 stage:…"), examples=["rfm:champions"])
    title: str = Field(description=said("Its name, in the caller's language.", "名称（调用方语言）。"))
    customers: int = Field(
        description=said(
            "How many are in it; erased people count here, but aren't listed.",
            "客户数；个人信息已删除的客户计入，但不会列出。",
        )
    )
    net: int = Field(description=said("What they have spent, minor units.", "净消费（分）。"))


@router.get(
    "/segments",
    response={200: list[Segment], **ERRORS},
    **needs("insights.view", said("RFM groups and stages of life", "RFM 分组与生命周期阶段")),
)
def list_segments(request: HttpRequest) -> Any:
    actor(request, "insights.view")
    now = snapshot()
    of_rfm = [
        {"key": f"rfm:{row.key}", "title": str(groups.GROUPS[row.key]), "customers": row.customers, "net": row.net}
        for row in rfm.groups(now)
    ]
    of_life = [
        {"key": f"stage:{row.key}", "title": str(stages.STAGES[row.key]), "customers": row.customers, "net": row.net}
        for row in lifecycle.stages(now)
    ]
    return of_rfm + of_life


@router.get(
    "/segments/{key}/customers",
    response={200: Page[CustomerRow], **ERRORS},
    **needs(
        "customers.view",
        said("Customers of a segment", "分群中的客户"),
        said("Those who have spent most first.", "消费最高者在前。"),
    ),
)
def list_members(
    request: HttpRequest,
    key: Annotated[str, Path(max_length=60, description=said("rfm:… or stage:…", "rfm:… 或 stage:…"))],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Any:
    actor(request, "customers.view")
    kind, _, name = key.partition(":")
    if kind == "rfm" and name in groups.GROUPS:
        filters = customers.Filters(groups=(name,))
    elif kind == "stage" and name in stages.STAGES:
        filters = customers.Filters(stages=(name,))
    else:
        raise NotFound("segment", Text("There is no such segment. See /segments.", "没有这个分群，请查看 /segments。"))
    page = customers.page(snapshot(), filters=filters, after=cursor, limit=limit)
    return {"data": rows_of([row.customer_id for row in page.rows]), "next_cursor": page.after}
