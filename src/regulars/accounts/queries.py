"""Reading staff, keys, settings and the audit trail."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from django.db.models import QuerySet
from phonenumbers import SUPPORTED_REGIONS

from regulars.accounts.actors import Actor
from regulars.accounts.models import ApiKey, AuditEntry, Settings, Staff, WriteKey

REGIONS: frozenset[str] = frozenset(SUPPORTED_REGIONS)
"""Where a business may be (ISO 3166-1): countries and regions with a numbering plan, for phones are read by it."""


@dataclass(frozen=True, slots=True)
class Business:
    """What the owner has set. `more` may hold "cutoffs" and "group_names" (see analytics)."""

    name: str = "Regulars"
    zone: str = "Asia/Shanghai"
    currency: str = "CNY"
    region: str = "CN"
    more: dict[str, Any] = field(default_factory=dict)
    version: int = 0


def business() -> Business:
    """The business's settings, or the defaults before the owner has set any. One indexed read."""
    row = Settings.objects.filter(id=1).first()
    if row is None:
        return Business()
    return Business(row.name, row.zone, row.currency, row.region, row.more, row.version)


def actor_of(staff: Staff) -> Actor:
    return Actor.of_staff(staff.pk, staff.name, staff.role)


def staff() -> QuerySet[Staff]:
    return Staff.objects.order_by("-is_active", "name", "id")


def write_keys() -> QuerySet[WriteKey]:
    return WriteKey.objects.order_by("-id")


def active_write_keys() -> dict[str, int]:
    """Key → id of those not revoked."""
    return dict(WriteKey.objects.filter(revoked_at=None).values_list("key", "id"))


def api_keys() -> QuerySet[ApiKey]:
    return ApiKey.objects.order_by("-id")


def api_key(secret: str) -> ApiKey | None:
    """The key with this secret unless it is revoked."""
    return ApiKey.objects.filter(digest=sha256(secret.encode()).hexdigest(), revoked_at=None).first()


def audit(
    *, before: int | None = None, actor: str = "", action: str = "", object_kind: str = "", object_id: str = "",
    limit: int = 50,
) -> list[AuditEntry]:  # fmt: skip
    """The newest entries first, before the entry `before` (key pagination), narrowed by what is given."""
    rows = AuditEntry.objects.order_by("-id")
    given = {"actor": actor, "action": action, "object_kind": object_kind, "object_id": object_id}
    rows = rows.filter(**{name: value for name, value in given.items() if value})
    return list(rows.filter(id__lt=before)[:limit] if before else rows[:limit])


def names_of(refs: set[str]) -> dict[str, str]:
    """Actor refs ("staff:7") to names people know; one query a kind."""
    found = {"system": "Regulars"}
    for kind, model in (("staff", Staff), ("key", ApiKey)):
        ids = [int(ref.partition(":")[2]) for ref in refs if ref.startswith(f"{kind}:")]
        if ids:
            found |= {f"{kind}:{id}": name for id, name in model.objects.filter(id__in=ids).values_list("id", "name")}
    return found
