"""What an entry of the catalogue is made of: the base of payloads and the types of their fields.

Types are lenient where clients are sloppy and nothing is lost by it (a number as a text, an id as a number), because
tracked events come from programs that we don't write. Money in properties is in major units (12.5 yuan), as tracking
clients send it; the warehouse turns it into minor units.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from regulars.catalog.faults import Fault
from regulars.kernel.languages import Text

Amount = Annotated[Decimal, Field(ge=-1_000_000_000_000, le=1_000_000_000_000, allow_inf_nan=False)]
Quantity = Annotated[Decimal, Field(ge=-1_000_000_000, le=1_000_000_000, allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]
Score = Annotated[int, Field(ge=0, le=100)]

Column = Literal["store", "channel", "product_id", "category", "order_id", "amount", "score"]
COMMON: dict[Column, tuple[str, ...]] = {"store": ("store", "store_id", "affiliation"), "channel": ("channel",)}


class Payload(BaseModel):
    """Properties of an event. `columns` says which properties fill the typed columns of the warehouse, the first that
    has a value wins; store and channel are taken from every event. Other properties stay in the JSON.
    """

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True, frozen=True)
    columns: ClassVar[dict[Column, tuple[str, ...]]] = {}

    store: str | None = None
    store_id: str | None = None
    affiliation: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class EventType:
    """An entry of the catalogue. `when` says when the event is recorded. A `reserved` one is recorded by the system
    alone and isn't taken from tracking clients.

    `by_customer`: the customer did it, and it counts as a sign of life. So does what they were there for, whoever rang
    it up (an order, a visit, an answer); what staff, the system or a program noted about them or did to them doesn't.

    `sense` looks at what no field shows alone: given a payload whose fields are right (a `Payload`, or its narrower
    twin of `exact`), what is wrong with it.
    """

    name: str
    payload: type[Payload]
    group: str
    title: Text
    when: Text
    _: KW_ONLY
    by_customer: bool
    reserved: bool = False
    version: int = 1
    sense: Callable[[Any], Fault | None] | None = None

    @property
    def columns(self) -> dict[Column, tuple[str, ...]]:
        """Typed column of the warehouse → the properties it is filled from, in order of preference."""
        return {**COMMON, **self.payload.columns}


GROUPS: dict[str, Text] = {
    "browsing": Text("Browsing", "浏览"),
    "cart": Text("Cart and checkout", "购物车与结账"),
    "orders": Text("Orders", "订单"),
    "coupons": Text("Coupons", "优惠券"),
    "sharing": Text("Sharing and reviews", "分享与评价"),
    "visits": Text("Visits and bookings", "到店与预约"),
    "service": Text("Service", "客服"),
    "surveys": Text("Surveys", "调研"),
    "messages": Text("Messages", "消息"),
    "loyalty": Text("Loyalty", "会员与积分"),
    "profile": Text("Profile and consent", "资料与同意"),
    "decisions": Text("Segments and journeys", "分群与旅程"),
    "other": Text("Other", "其他"),
}
