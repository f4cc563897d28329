"""Profile fields changed by hand, traced so that each change can be shown and undone; customers and identities added by
hand.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.queries import business
from regulars.customers import display, profiles
from regulars.customers.identities import KINDS, NAMES_A_PERSON, normalised
from regulars.customers.models import Customer, Identity, ProfileChange
from regulars.customers.queries import live_root
from regulars.customers.services.resolve import Claim, resolve
from regulars.eventlog.services import record
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, Invalid, NotFound
from regulars.kernel.languages import Text

_TAKEN = Text(
    "Another customer has this already ({kind}). Open that customer, or merge the two.",
    "该标识（{kind}）已属于另一位客户。请打开那位客户，或合并两位客户。",
)


@transaction.atomic
def update_profile(*, customer_id: int, fields: Mapping[str, Any], by: Actor) -> int | None:
    """Set fields (profiles.FIELDS, else custom attributes; None clears); the change's id for undo, None when nothing
    changes. Raises Invalid at the first field that can't be taken.
    """
    by.require("customers.edit")
    root = live_root(customer_id, lock=True)
    checked = {name: profiles.checked(name, value) for name, value in fields.items()}
    shown = _shown(root)
    checked = {name: value for name, value in checked.items() if shown.get(name) != value}
    if not checked:
        return None
    now = clock.now()
    # A fact of any record may bear a later time (events from a clock that goes ahead): what a person writes wins.
    latest = max(
        (
            fact[1]
            for facts in Customer.objects.filter(root_id=root.pk).values_list("facts", flat=True)
            for name, fact in facts.items()
            if name in checked
        ),
        default=0,
    )
    stamp = max(clock.micros(now), latest + 1)
    before = {name: root.facts.get(name) for name in checked}
    for name, value in checked.items():
        if name not in root.facts and len(root.facts) >= profiles.MAX_ATTRIBUTES:
            raise Invalid(
                "attributes", Text("A customer has 200 attributes at most.", "每位客户最多 200 个属性。"), field=name
            )
        root.facts[name] = [value, stamp]
    after = {name: root.facts[name] for name in checked}
    Customer.objects.filter(id=root.pk).update(facts=root.facts)
    change = ProfileChange.objects.create(customer=root, before=before, after=after, by=by.ref, at=now)
    display.refresh([root.pk])
    record("Profile Updated", customer_id=root.pk, properties={"fields": sorted(checked)}, by=by, at=now)
    return change.pk


def _shown(root: Customer) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": root.name, "gender": root.gender, "city": root.city, "language": root.language}
    shown["birthday"] = root.birthday.isoformat() if root.birthday else None
    shown["home_store"] = root.home_store.code if root.home_store else None
    own: dict[str, Any] = root.custom
    return {name: value or None for name, value in shown.items()} | own


@transaction.atomic
def undo_profile_change(*, change_id: int, by: Actor) -> None:
    """Put back what the fields held before. Raises Conflict when one of them was changed again since."""
    by.require("customers.edit")
    change = ProfileChange.objects.select_for_update().filter(id=change_id).first()
    if change is None:
        raise NotFound("change", Text("There is no such change.", "没有这次修改。"))
    if change.undone_at is not None:
        raise Conflict("undone", Text("This change has been undone already.", "这次修改已经撤销。"))
    row = Customer.objects.select_for_update().get(id=change.customer_id)
    if row.erased_at is not None or any(row.facts.get(name) != fact for name, fact in change.after.items()):
        raise Conflict(
            "changed_since",
            Text("The profile was changed again since. Edit it instead.", "资料之后又被修改过，请直接编辑。"),
        )
    for name, fact in change.before.items():
        if fact is None:
            row.facts.pop(name, None)
        else:
            row.facts[name] = fact
    Customer.objects.filter(id=row.pk).update(facts=row.facts)
    ProfileChange.objects.filter(id=change_id).update(undone_at=clock.now())
    display.refresh([row.root_id])
    record("Profile Updated", customer_id=row.root_id, properties={"fields": sorted(change.before)}, by=by)


@transaction.atomic
def add_identity(*, customer_id: int, kind: str, value: str, by: Actor) -> None:
    """Let a value lead to this customer. Raises Invalid for what can't be one, Conflict when it leads to another."""
    by.require("customers.edit")
    root = live_root(customer_id, lock=True)
    kept = normalised(kind, value, region=business().region)
    present = Identity.objects.filter(kind=kind, value=kept).values_list("customer__root_id", flat=True).first()
    if present == root.pk:
        return
    owned = Identity.objects.filter(kind="user_id", customer__root_id=root.pk).exists()
    if present is not None or (kind == "user_id" and owned):
        if present is None:
            raise Conflict(
                "user_id", Text("The customer has a user id already.", "该客户已有用户 ID。"), field="user_id"
            )
        raise Conflict("identity_taken", _TAKEN.filled(kind=KINDS[kind]), field=kind)
    now = clock.now()
    Identity.objects.create(kind=kind, value=kept, customer=root, first_seen=now)
    _identified(root, {kind}, by)


def _identified(root: Customer, kinds: set[str], by: Actor) -> None:
    named = sorted(kinds & NAMES_A_PERSON)
    if named and root.identified_at is None:
        Customer.objects.filter(id=root.pk).update(identified_at=clock.now())
        display.refresh([root.pk])
        record(
            "Customer Identified", customer_id=root.pk, properties={"kinds": named}, by=by,
            message_id=f"identified:{root.pk}",
        )  # fmt: skip


@transaction.atomic
def add_customer(*, identities: Sequence[tuple[str, str]], fields: Mapping[str, Any], by: Actor) -> int:
    """A new customer. Raises Invalid for a bad value, Conflict when an identity leads to somebody already."""
    by.require("customers.edit")
    region = business().region
    keys = tuple((kind, normalised(kind, value, region=region)) for kind, value in identities)
    if not keys:
        raise Invalid(
            "identities",
            Text("Give at least one: phone, e-mail, member card …", "请至少填写一项：手机号、邮箱、会员卡等。"),
            field="identities",
        )
    if len({kind for kind, _ in keys if kind == "user_id"}) != len([kind for kind, _ in keys if kind == "user_id"]):
        raise Invalid("user_id", Text("A customer has one user id.", "一位客户只有一个用户 ID。"), field="user_id")
    checked = {name: profiles.checked(name, value) for name, value in fields.items()}
    for kind, value in keys:
        if Identity.objects.filter(kind=kind, value=value).exists():
            raise Conflict("identity_taken", _TAKEN.filled(kind=KINDS[kind]), field=kind)
    (id,) = resolve([Claim(keys, {}, clock.now())])
    assert id is not None
    if checked:
        update_profile(customer_id=id, fields=checked, by=by)
    return id
