"""Events as lines of a timeline: what happened, said in a few words from the event's own properties."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from regulars import catalog
from regulars.accounts.queries import names_of
from regulars.console import explanations, formatting
from regulars.customers.consents import CHANNELS, PURPOSES
from regulars.customers.identities import KINDS
from regulars.customers.profiles import FIELDS
from regulars.eventlog.rows import EventRow
from regulars.kernel import languages, money
from regulars.kernel.languages import Text

ICONS = {
    "browsing": "eye", "cart": "shopping-cart", "orders": "receipt", "coupons": "ticket", "sharing": "share",
    "visits": "map-pin", "service": "headset", "surveys": "star", "messages": "mail", "loyalty": "medal",
    "profile": "user-edit", "decisions": "route", "other": "point",
}  # fmt: skip
_GOOD, _BAD = "good", "bad"


@dataclass(frozen=True, slots=True)
class Line:
    event: EventRow
    icon: str
    title: Text
    text: str
    amount: str
    mood: str  # good, bad or ""
    by: str


def lines(events: Iterable[EventRow]) -> list[Line]:
    rows = list(events)
    names = names_of({row.actor for row in rows if row.actor})
    return [_line(row, names.get(row.actor, "")) for row in rows]


def _line(row: EventRow, by: str) -> Line:
    entry = catalog.CATALOG.get(row.name)
    properties = row.properties
    icon = ICONS.get(entry.group if entry else "other", "point")
    back = "−" if row.name in ("Order Refunded", "Order Cancelled") else ""
    amount = _amount(properties, row.context)
    title, text = catalog.title(row.name), _text(row.name, properties)
    return Line(row, icon, title, text, back + amount if amount else "", _mood(row), by)


def _mood(row: EventRow) -> str:
    score = row.properties.get("score")
    if row.name in ("Complaint Filed", "Order Refunded", "Order Cancelled"):
        return _BAD
    if row.name == "Survey Answered" and isinstance(score, int | float):
        low, worst, best, high = (1, 2, 4, 5) if row.properties.get("kind") == "csat" else (0, 6, 9, 10)
        return "" if not low <= score <= high else _GOOD if score >= best else _BAD if score <= worst else ""
    return ""


def _amount(properties: dict[str, Any], context: dict[str, Any]) -> str:
    """What the event says it was worth; where it says no total, the sum of its products."""
    try:
        told = properties.get("currency") or context.get("amounts_in") or formatting.business().currency
        currency = str(told).upper()
        for name in ("total", "revenue", "value"):
            if properties.get(name) not in (None, ""):
                return money.formatted(money.to_minor(str(properties[name]), currency), currency)
        products = properties.get("products")
        if not isinstance(products, list) or not any("price" in product for product in products):
            return ""
        each = (
            Decimal(str(product.get("price") or 0)) * Decimal(str(product.get("quantity", 1))) for product in products
        )
        return money.formatted(money.to_minor(sum(each, Decimal(0)), currency), currency)
    except (InvalidOperation, ValueError, LookupError, TypeError, AttributeError):
        return ""


def _text(name: str, properties: dict[str, Any]) -> str:
    """The few words; "" where the title says all."""
    parts: list[str] = []
    said = properties.get
    products = said("products")
    if isinstance(products, list) and products:
        names = [str(p.get("name") or p.get("product_id") or "") for p in products if isinstance(p, dict)]
        parts.append(_listed([n for n in dict.fromkeys(names) if n]))  # two lines of one product name it once
    elif said("name") or said("product_id") or said("title"):
        parts.append(str(said("name") or said("title") or said("product_id")))
    if said("score") is not None:
        kind = str(said("kind") or "").upper()
        parts.append(f"{kind} {said('score')}".strip())
    if name.startswith("Consent"):
        channel, purpose = str(said("channel")), str(said("purpose"))
        parts.append(f"{CHANNELS.get(channel, channel)} · {PURPOSES.get(purpose, purpose)}")
    if name == "Profile Updated":
        parts.append(_listed([str(FIELDS.get(f, f)) for f in said("fields") or []]))
    if name in ("Customer Identified", "Customer Unidentified"):
        parts.append(_listed([str(KINDS.get(k, k)) for k in said("kinds") or []]))
    if name in ("Customers Merged", "Customers Unmerged"):
        parts.append(f"#{said('source')} → #{said('target')}")
    for key in ("tag", "query", "reason", "service", "subject", "path", "coupon_name", "coupon_id", "points", "tier"):
        value = said(key)
        if value not in (None, "") and str(value) not in parts:
            parts.append(str(value))
    if said("stage"):
        parts.append(str(explanations.stage_text(str(said("stage")))))
    for key in ("store", "store_id", "channel"):
        value = said(key)
        if isinstance(value, str) and value and not name.startswith("Consent"):
            parts.append(str(explanations.channel_text(value)) if key == "channel" else value)
            if key == "store":
                break
    return " · ".join(part for part in parts if part)[:300]


def _listed(names: list[str]) -> str:
    mark = "、" if languages.current() == "zh-hans" else ", "
    more = (
        Text(" and {n} more", " 等 {all} 项").filled(n=len(names) - 3, all=len(names))
        if len(names) > 3
        else Text("", "")
    )
    return mark.join(names[:3]) + str(more)


def quantity(thousandths: int) -> str:
    """Thousandths of a piece as people write it: 2, 0.5."""
    return f"{(Decimal(thousandths) / 1000).normalize():f}"
