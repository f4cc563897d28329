"""Adding and changing endpoints, and sending something again."""

import base64
import difflib
import re
import secrets
from collections.abc import Sequence

from django.db import transaction

from regulars import catalog
from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.eventlog.queries import names_seen
from regulars.kernel import clock, ids
from regulars.kernel.errors import Conflict, Faults, Invalid, NotFound
from regulars.kernel.languages import Text
from regulars.webhooks import addresses
from regulars.webhooks.models import Delivery, Endpoint

_NO_ENDPOINT = Text("There is no such webhook.", "没有这个 Webhook。")


def _secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


_UNKNOWN = Text(
    "There is no event called {name}. Choose from the catalogue or from events that have arrived.",
    "没有名为“{name}”的事件，请从事件目录或已收到的事件中选择。",
)
_UNKNOWN_NEAR = Text(
    "There is no event called {name}. Did you mean {near}? Choose from the catalogue or from events that have arrived.",
    "没有名为“{name}”的事件。您是否想填“{near}”？请从事件目录或已收到的事件中选择。",
)


def _nearest(name: str) -> str | None:
    """The name of the catalogue that was probably meant: order_completed, Order Compleated."""
    plain = {entry.replace(" ", "").lower(): entry for entry in catalog.CATALOG}
    meant = re.sub(r"[^a-z0-9]", "", name[:200].lower())
    found = difflib.get_close_matches(meant, plain, n=1, cutoff=0.7)
    return plain[found[0]] if found else None


def _names(events: Sequence[str]) -> list[str]:
    """Event names that exist: those of the catalogue, and those seen in the log."""
    names = list(dict.fromkeys(name.strip() for name in events))
    if names == [""]:
        raise Invalid("events", Text("Choose at least one event.", "请至少选择一个事件。"), field="events")
    unknown = [name for name in names if name not in catalog.CATALOG]
    if unknown:
        seen = names_seen(unknown)
        unknown = [name for name in unknown if name not in seen]
    if unknown:
        near = _nearest(unknown[0])
        raise Invalid(
            "events",
            (_UNKNOWN_NEAR if near else _UNKNOWN).filled(name=unknown[0][:100], near=near),
            field="events",
        )
    return names


def _label(name: str) -> str:
    if len(name.strip()) > 100:
        text = Text("A name has 100 characters at most.", "名称最多 100 个字符。")
        raise Invalid("name", text, field="name")
    return name.strip()


def _fill(row: Endpoint, *, url: str | None, name: str | None, events: Sequence[str] | None) -> None:
    """What is given. Raises Invalid with all that is wrong."""
    faults = Faults()
    with faults.caught():
        if url is not None:
            addresses.resolved(url)
            row.url = addresses.checked(url)
    with faults.caught():
        if name is not None:
            row.name = _label(name)
    with faults.caught():
        if events is not None:
            row.events = _names(events)
    faults.tell()


@transaction.atomic
def add_endpoint(*, url: str, events: Sequence[str], by: Actor, name: str = "") -> tuple[int, str]:
    """The endpoint's id and the secret that signs. `events` empty: all. Raises Invalid for an address that can't be
    reached from here or is private, and for events that don't exist.
    """
    by.require("webhooks.edit")
    row = Endpoint(secret=_secret())
    _fill(row, url=url, name=name, events=events)
    row.save()
    audit(by=by, action="Webhook Added", object_kind="webhook", object_id=row.pk, details={"events": row.events})
    return row.pk, row.secret


def _row(id: int) -> Endpoint:
    row = Endpoint.objects.select_for_update().filter(id=id, removed_at=None).first()
    if row is None:
        raise NotFound("webhook", _NO_ENDPOINT)
    return row


@transaction.atomic
def change_endpoint(
    *, id: int, by: Actor, url: str | None = None, events: Sequence[str] | None = None, name: str | None = None,
    active: bool | None = None,
) -> None:  # fmt: skip
    """Change what is given. What waits stays in line and goes to the new address."""
    by.require("webhooks.edit")
    row = _row(id)
    _fill(row, url=url, name=name, events=events)
    if active is not None:
        row.active, row.paused_reason = active, ""
    row.save()
    details = {"url": url is not None, "events": row.events, "active": row.active}
    audit(by=by, action="Webhook Changed", object_kind="webhook", object_id=id, details=details)


@transaction.atomic
def renew_secret(*, id: int, by: Actor) -> str:
    """A new secret; what is sent from now on is signed with it."""
    by.require("webhooks.edit")
    row = _row(id)
    row.secret = _secret()
    row.save()
    audit(by=by, action="Webhook Secret Renewed", object_kind="webhook", object_id=id)
    return row.secret


@transaction.atomic
def remove_endpoint(*, id: int, by: Actor) -> None:
    """Send nothing more to it, not even what waits. Its log stays."""
    by.require("webhooks.edit")
    row = _row(id)
    row.active, row.removed_at = False, clock.now()
    row.save()
    Delivery.objects.filter(endpoint=row, state__in=("waiting", "sending")).update(state="cancelled")
    audit(by=by, action="Webhook Removed", object_kind="webhook", object_id=id)


@transaction.atomic
def resend(*, delivery_id: int, by: Actor) -> None:
    """Put a delivery in line again, under the same webhook-id, with all its retries."""
    by.require("webhooks.edit")
    row = Delivery.objects.select_for_update().select_related("endpoint").filter(id=delivery_id).first()
    if row is None or row.endpoint.removed_at is not None:
        raise NotFound("delivery", Text("There is no such delivery.", "没有这次投递。"))
    if row.state == "sending" and row.due_at > clock.now():
        raise Conflict("sending", Text("It is being sent at this moment.", "正在发送中。"))
    Delivery.objects.filter(id=delivery_id).update(state="waiting", due_at=clock.now(), tries=0)
    audit(by=by, action="Webhook Resent", object_kind="webhook", object_id=row.endpoint_id, details={"key": row.key})


@transaction.atomic
def send_test(*, id: int, by: Actor) -> int:
    """Send an event of the type "Webhook Test"; the delivery's id."""
    by.require("webhooks.edit")
    row = _row(id)
    key = ids.new_id()
    body = f'{{"type":"Webhook Test","timestamp":"{clock.now().isoformat()}","data":{{"webhook":{row.pk}}}}}'
    made = Delivery.objects.create(key=key, endpoint=row, message_id=f"test:{key}", event="Webhook Test", body=body)
    return made.pk
