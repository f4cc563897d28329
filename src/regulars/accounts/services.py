"""Changing staff, keys and settings; writing the audit trail."""

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Any
from zoneinfo import available_timezones

from babel import Locale
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.capabilities import CAPABILITIES, ROLES
from regulars.accounts.models import ApiKey, AuditEntry, Settings, Staff, WriteKey
from regulars.accounts.queries import REGIONS
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, Faults, Invalid, NotFound
from regulars.kernel.languages import Text


def audit(*, by: Actor, action: str, object_kind: str = "", object_id: object = "", details: Any = None) -> None:
    """Add to the audit trail, in the caller's transaction. `details` holds no secrets and no personal data."""
    AuditEntry.objects.create(
        actor=by.ref, action=action, object_kind=object_kind, object_id=str(object_id), details=details or {}
    )


def _named(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise Invalid("name", Text("Give a name of 1 to 100 characters.", "请填写 1 到 100 个字的名称。"), field="name")
    return name


def _with_role(role: str) -> str:
    if role not in ROLES:
        raise Invalid("role", Text("Choose one of the roles.", "请选择一个角色。"), field="role")
    return role


_NOT_PRESENT = Text("This isn't your present password.", "当前密码不正确。")


def _checked_password(password: str, staff: Staff) -> None:
    try:
        validate_password(password, staff)
    except ValidationError:
        raise Invalid(
            "password",
            Text(
                "Choose a password of at least 10 characters that isn't common and isn't like the name or address.",
                "密码至少 10 个字符，不能太常见，也不能与姓名或邮箱相近。",
            ),
            field="password",
        ) from None


@transaction.atomic
def add_staff(*, email: str, name: str, role: str, password: str, by: Actor) -> Staff:
    by.require("staff.edit")
    email, faults = email.strip().lower(), Faults()
    staff = Staff(email=email)
    with faults.caught():
        staff.name = _named(name)
    with faults.caught():
        try:
            validate_email(email)
        except ValidationError:
            not_one = Text("This isn't an e-mail address.", "这不是有效的邮箱地址。")
            raise Invalid("email", not_one, field="email") from None
        if Staff.objects.filter(email__iexact=email).exists():
            raise Conflict("email_taken", Text("Somebody has this address already.", "该邮箱已被使用。"), field="email")
    with faults.caught():
        staff.role = _with_role(role)
    with faults.caught():
        _checked_password(password, staff)
    faults.tell()
    staff.set_password(password)
    staff.save()
    audit(by=by, action="Staff Added", object_kind="staff", object_id=staff.pk, details={"role": role})
    return staff


@transaction.atomic
def change_staff(*, id: int, role: str | None = None, active: bool | None = None, by: Actor) -> Staff:
    """Change role or leave; there is always one active admin."""
    by.require("staff.edit")
    staff = Staff.objects.select_for_update().filter(id=id).first()
    if staff is None:
        raise NotFound("staff", Text("There is nobody of this number.", "没有这位员工。"))
    before = {"role": staff.role, "active": staff.is_active}
    staff.role = staff.role if role is None else _with_role(role)
    staff.is_active = staff.is_active if active is None else active
    staff.save()
    if not Staff.objects.filter(role="admin", is_active=True).exists():
        raise Conflict(
            "last_admin",
            Text("Somebody has to stay an admin. Make another one first.", "至少保留一位管理员，请先另设一位。"),
            field="active" if role is None else "role",
        )
    details = {"before": before, "after": {"role": staff.role, "active": staff.is_active}}
    audit(by=by, action="Staff Changed", object_kind="staff", object_id=id, details=details)
    return staff


@transaction.atomic
def set_password(*, id: int, password: str, by: Actor) -> None:
    """For oneself, or for others with staff.edit."""
    if not (by.kind == "staff" and by.id == id):
        by.require("staff.edit")
    staff = Staff.objects.filter(id=id).first()
    if staff is None:
        raise NotFound("staff", Text("There is nobody of this number.", "没有这位员工。"))
    _checked_password(password, staff)
    staff.set_password(password)
    staff.save()
    audit(by=by, action="Password Set", object_kind="staff", object_id=id)


def change_password(*, present: str, password: str, by: Actor) -> None:
    """One's own, by whoever knows the present one. Raises Invalid for both at once, with `present` and `password`."""
    assert by.kind == "staff" and by.id is not None
    staff, faults = Staff.objects.get(id=by.id), Faults()
    with faults.caught():
        if not staff.check_password(present):
            raise Invalid("password", _NOT_PRESENT, field="present")
    with faults.caught():
        _checked_password(password, staff)
    faults.tell()
    set_password(id=staff.pk, password=password, by=by)


@transaction.atomic
def add_write_key(*, name: str, by: Actor, key: str = "") -> WriteKey:
    by.require("keys.edit")
    row = WriteKey.objects.create(name=_named(name), key=key or "rw_" + secrets.token_urlsafe(24))
    audit(by=by, action="Write Key Added", object_kind="write key", object_id=row.pk)
    return row


@transaction.atomic
def revoke_write_key(*, id: int, by: Actor) -> None:
    by.require("keys.edit")
    if WriteKey.objects.filter(id=id, revoked_at=None).update(revoked_at=clock.now()):
        audit(by=by, action="Write Key Revoked", object_kind="write key", object_id=id)


@transaction.atomic
def add_api_key(*, name: str, scopes: list[str], by: Actor) -> tuple[ApiKey, str]:
    """The key and its secret, which is shown this once."""
    by.require("keys.edit")
    faults = Faults()
    with faults.caught():
        name = _named(name)
    with faults.caught():
        if not scopes or set(scopes) - set(CAPABILITIES):
            raise Invalid(
                "scopes",
                Text("Choose at least one of the scopes offered.", "请至少选择一个给出的权限范围。"),
                field="scopes",
            )
    faults.tell()
    secret = "rk_" + secrets.token_urlsafe(32)
    row = ApiKey.objects.create(
        name=name, prefix=secret[:10], digest=sha256(secret.encode()).hexdigest(), scopes=sorted(set(scopes))
    )
    audit(by=by, action="API Key Added", object_kind="api key", object_id=row.pk, details={"scopes": row.scopes})
    return row, secret


@transaction.atomic
def revoke_api_key(*, id: int, by: Actor) -> None:
    by.require("keys.edit")
    if ApiKey.objects.filter(id=id, revoked_at=None).update(revoked_at=clock.now()):
        audit(by=by, action="API Key Revoked", object_kind="api key", object_id=id)


def checked_settings(*, name: str | None, zone: str | None, currency: str | None, region: str | None) -> None:
    """Raises Invalid for what `change_settings` can't take, with all that is wrong."""
    faults = Faults()
    with faults.caught():
        _named("-" if name is None else name)
    with faults.caught():
        if zone is not None and zone not in available_timezones():
            raise Invalid("zone", Text("There is no such time zone.", "没有这个时区。"), field="zone")
    with faults.caught():
        if currency is not None and currency.upper() not in Locale("en").currencies:
            raise Invalid("currency", Text("There is no such currency.", "没有这种货币。"), field="currency")
    with faults.caught():
        if region is not None and region.upper() not in REGIONS:
            raise Invalid("region", Text("There is no such country.", "没有这个国家或地区。"), field="region")
    faults.tell()


@transaction.atomic
def change_settings(
    *, by: Actor, name: str | None = None, zone: str | None = None, currency: str | None = None,
    region: str | None = None, more: dict[str, Any] | None = None, currency_was_wrong: bool = False,
) -> None:  # fmt: skip
    """Change what is given. `more` is laid over what is there, key by key; its values are checked by the caller.

    Amounts that came without a currency keep the one that was set when they came; `currency_was_wrong`: the old
    setting was a mistake, and they were in the new one all along.
    """
    by.require("settings.edit")
    checked_settings(name=name, zone=zone, currency=currency, region=region)
    row, _ = Settings.objects.select_for_update().get_or_create(id=1, defaults={"name": "Regulars"})
    if name is not None:
        row.name = _named(name)
    if zone is not None:
        row.zone = zone
    if currency is not None:
        if currency_was_wrong and currency.upper() != row.currency:
            correction = {"from": row.currency, "to": currency.upper(), "at": clock.micros()}
            row.more["currency_corrections"] = [*row.more.get("currency_corrections", []), correction]
        row.currency = currency.upper()
    if region is not None:
        row.region = region.upper()
    row.more |= more or {}
    row.version += 1
    row.save()
    changed = {"name": name, "zone": zone, "currency": currency, "region": region, "more": more}
    details: dict[str, Any] = {key: value for key, value in changed.items() if value is not None}
    details |= {"currency_was_wrong": True} if currency_was_wrong else {}
    audit(by=by, action="Settings Changed", object_kind="settings", object_id=1, details=details)


def note_use(key: ApiKey) -> None:
    """Remember that a key was used, to the minute."""
    now = clock.now()
    if key.last_used_at is None or now - key.last_used_at > timedelta(minutes=1):
        ApiKey.objects.filter(id=key.pk).update(last_used_at=now)
