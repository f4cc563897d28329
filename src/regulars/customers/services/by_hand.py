"""Identities added by hand and taken away again; customers made by hand. What comes with events: services.resolve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.queries import business
from regulars.customers import display, profiles
from regulars.customers.bulk import alone
from regulars.customers.identities import KINDS, NAMES_A_PERSON, normalised
from regulars.customers.models import Customer, Identity, Merge, Removed
from regulars.customers.queries import live_root
from regulars.customers.services.profile import update_profile
from regulars.customers.services.removing import keep
from regulars.customers.services.resolve import Claim, begin_generation, resolve
from regulars.eventlog.services import record
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, Faults, Invalid, NotFound
from regulars.kernel.languages import Text

_TAKEN = Text(
    "Another customer has this already ({kind}). Open that customer, or merge the two.",
    "该标识（{kind}）已属于另一位客户。请打开那位客户，或合并两位客户。",
)


@transaction.atomic
def add_identity(*, customer_id: int, kind: str, value: str, by: Actor) -> int | None:
    """Let a value lead to this customer; its id, by which `remove_identity` undoes it, None when it did already.
    Raises Invalid for what can't be one, Conflict when it leads to another.
    """
    by.require("customers.edit")
    root = live_root(customer_id, lock=True)
    kept = normalised(kind, value, region=business().region)
    present = Identity.objects.filter(kind=kind, value=kept).values_list("customer__root_id", flat=True).first()
    if present == root.pk:
        return None
    _may_lead(kind, root.pk, present)
    row = Identity.objects.create(kind=kind, value=kept, customer=root, first_seen=clock.now(), by=by.ref)
    record("Identity Added", customer_id=root.pk, properties={"kind": kind}, by=by)
    _identified(root, {kind}, by)
    return row.pk


def _identified(row: Customer, kinds: set[str], by: Actor) -> None:
    named = sorted(kinds & NAMES_A_PERSON)
    if named and row.identified_at is None:
        Customer.objects.filter(id=row.pk).update(identified_at=clock.now())
        display.refresh([row.root_id])
        record(
            "Customer Identified", customer_id=row.pk, properties={"kinds": named}, by=by,
        )  # fmt: skip


def _unidentified(root: int, kind: str, by: Actor) -> None:
    """Nobody is known any more of whom no identity names a person: all the customer's records are a visitor's again."""
    if kind not in NAMES_A_PERSON:
        return
    if Identity.objects.filter(customer__root_id=root, kind__in=NAMES_A_PERSON).exists():
        return
    known = Customer.objects.filter(root_id=root).exclude(identified_at=None).order_by("id")
    records = list(known.values_list("id", flat=True))
    known.update(identified_at=None)
    display.refresh([root])
    for id in records:  # one or two
        record("Customer Unidentified", customer_id=id, properties={"kinds": [kind]}, by=by)


def _may_lead(kind: str, root: int, present: int | None) -> None:
    """Raise Conflict where the value leads to somebody (`present`), or the customer would have two user ids."""
    if present is not None:
        raise Conflict("identity_taken", _TAKEN.filled(kind=KINDS[kind]), field=kind)
    if kind == "user_id" and Identity.objects.filter(kind=kind, customer__root_id=root).exists():
        raise Conflict("user_id", Text("The customer has a user id already.", "该客户已有用户 ID。"), field="user_id")


@dataclass(frozen=True, slots=True)
class RemovedIdentity:
    """`removal` is what `restore_identity` takes; `merged`: merges that rest on it still stand."""

    customer_id: int
    kind: str
    removal: str
    merged: bool


@transaction.atomic
def remove_identity(*, identity_id: int, by: Actor, customer_id: int | None = None) -> RemovedIdentity:
    """Take an identity away that was added by hand or in a file: from now on it leads nowhere. Merges that rest on it
    stay, each can be undone by itself. Who is left without any that names a person is known no more.

    Raises NotFound (also when it isn't of `customer_id`), and Conflict for one that came with events: it would be back
    with the next one.
    """
    by.require("customers.edit")
    alone()
    row = Identity.objects.select_related("customer").filter(id=identity_id).first()
    if row is None or (customer_id is not None and row.customer.root_id != live_root(customer_id).pk):
        raise NotFound("identity", Text("This identity isn't there any more.", "该标识已不存在。"))
    if not row.by:
        raise Conflict(
            "came_with_events",
            Text(
                "This identity came with events and would be back with the next one. Where it made one customer of "
                "two, undo the merge.",
                "该标识来自事件数据，移除后会随下一个事件再次出现。如果它误将两位客户合并，请撤销合并。",
            ),
        )
    columns = ("kind", "value", "seen_with", "shared", "settled", "by")
    kept = {name: getattr(row, name) for name in columns} | {
        "id": row.pk, "apart": row.apart_id, "first_seen": row.first_seen.isoformat(),
        "flagged_at": row.flagged_at and row.flagged_at.isoformat(),
    }  # fmt: skip
    removal = keep("identity", [(row.customer_id, kept)], by=by)
    merged = Merge.objects.filter(automatic=True, undone_at=None, grounds__identity=row.pk).exists()
    row.delete()
    begin_generation()
    record("Identity Removed", customer_id=row.customer.root_id, properties={"kind": row.kind}, by=by)
    _unidentified(row.customer.root_id, row.kind, by)
    return RemovedIdentity(row.customer.root_id, row.kind, removal, merged)


@transaction.atomic
def restore_identity(*, removal: str, by: Actor) -> int:
    """Undo `remove_identity`: back with the very record it was of; the customer. Raises NotFound when it is back or
    the person was erased, Conflict when the value leads to somebody by now.
    """
    by.require("customers.edit")
    alone()
    gone = Removed.objects.select_related("customer").filter(removal=removal, what="identity").first()
    if gone is None:
        raise NotFound("identity", Text("There is nothing to put back.", "没有可恢复的内容。"))
    kept, root = gone.kept, gone.customer.root_id
    same = Identity.objects.filter(kind=kept["kind"], value=kept["value"])
    _may_lead(kept["kind"], root, same.values_list("customer__root_id", flat=True).first())
    apart = Customer.objects.filter(id=kept["apart"], erased_at=None).first()
    moments = {name: kept[name] and datetime.fromisoformat(kept[name]) for name in ("first_seen", "flagged_at")}
    Identity.objects.create(**kept | moments | {"apart": apart, "customer": gone.customer})
    gone.delete()
    begin_generation()
    record("Identity Added", customer_id=root, properties={"kind": kept["kind"]}, by=by)
    _identified(gone.customer, {kept["kind"]}, by)
    return root


@transaction.atomic
def add_customer(*, identities: Sequence[tuple[str, str]], fields: Mapping[str, Any], by: Actor) -> int:
    """A new customer. Raises Invalid for a bad value, Conflict when an identity leads to somebody already."""
    by.require("customers.edit")
    own, faults = business(), Faults()
    keys: list[tuple[str, str]] = []
    for kind, value in identities:
        with faults.caught():
            keys.append((kind, normalised(kind, value, region=own.region)))
    with faults.caught():
        checked = profiles.all_checked(fields, today=clock.today(own.zone))
    for kind, value in keys:
        with faults.caught():
            if Identity.objects.filter(kind=kind, value=value).exists():
                raise Conflict("identity_taken", _TAKEN.filled(kind=KINDS[kind]), field=kind)
    with faults.caught():
        if not identities:
            raise Invalid(
                "identities",
                Text("Give at least one: phone, e-mail, member card …", "请至少填写一项：手机号、邮箱、会员卡等。"),
                field="identities",
            )
    faults.tell()
    if len({kind for kind, _ in keys if kind == "user_id"}) != len([kind for kind, _ in keys if kind == "user_id"]):
        raise Invalid("user_id", Text("A customer has one user id.", "一位客户只有一个用户 ID。"), field="user_id")
    (id,) = resolve([Claim(tuple(keys), {}, clock.now())], by=by.ref)
    assert id is not None
    if checked:
        update_profile(customer_id=id, fields=checked, by=by)
    return id
