"""Profile fields changed by hand, traced so that each change can be shown and undone. Two who change one profile at the
same time don't overwrite each other unseen: each says what it was when they began.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.queries import business
from regulars.customers import display, profiles
from regulars.customers.models import Customer, ProfileChange
from regulars.customers.queries import live_root
from regulars.eventlog.services import record
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, Invalid, NotFound, Outdated
from regulars.kernel.languages import Text

_CONTESTED = Text(
    "Somebody else changed this profile while you were editing it. Nothing of yours is saved yet.",
    "您编辑期间，其他人修改了此资料。您的修改尚未保存。",
)
_OUTDATED = Text(
    "The profile has changed since you read it. Read it again, then send your change with the new ETag.",
    "资料在您读取之后已被修改。请重新读取，再带上新的 ETag 提交。",
)
_LATEST = 100  # changes by hand looked through for who it was


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What a field holds now, and who made it so and when; "" and None where that isn't told, as after a merge."""

    value: Any
    by: str
    at: datetime | None


class Contested(Conflict):
    """Fields that somebody else changed otherwise since the editor saw them."""

    def __init__(self, fields: Mapping[str, Meanwhile]) -> None:
        super().__init__("contested", _CONTESTED)
        self.fields = fields


@transaction.atomic
def update_profile(
    *, customer_id: int, fields: Mapping[str, Any], by: Actor, seen: Mapping[str, Any] | None = None,
    versions: Collection[str] | None = None,
) -> int | None:  # fmt: skip
    """Set fields (profiles.FIELDS, else custom attributes; None clears); the change's id for undo, None when nothing
    changes. `seen` is what fields held when the editor began: one left as it was then stays as it is now, whoever
    changed it. `versions`: do it only if the profile is one of these (profiles.version).

    Raises Invalid for values that can't be taken, Contested where somebody else changed a field to something else
    since it was seen, Outdated when the profile is none of `versions`.
    """
    by.require("customers.edit")
    root = live_root(customer_id, lock=True)
    shown = _shown(root)
    if versions is not None and profiles.version(shown) not in versions:
        raise Outdated("outdated", _OUTDATED)
    if seen is not None:  # what was left as it stood is nobody's fault, whatever it is
        fields = {
            name: value for name, value in fields.items() if name not in seen or (value or None) != (seen[name] or None)
        }
    checked = profiles.all_checked(fields, today=clock.today(business().zone))
    if seen is not None:
        began = {name: seen[name] or None for name in checked if name in seen}
        checked = {name: value for name, value in checked.items() if name not in began or value != began[name]}
        contested = [
            name for name, value in checked.items() if name in began and shown.get(name) not in (began[name], value)
        ]
        if contested:
            raise Contested(_meanwhile(root, {name: shown.get(name) for name in contested}))
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


def _meanwhile(root: Customer, shown: Mapping[str, Any]) -> dict[str, Meanwhile]:
    """For each field what it holds, with who made it so by hand, else when the data said so."""
    stamps: dict[str, int] = {}
    for facts in Customer.objects.filter(root_id=root.pk).values_list("facts", flat=True):
        for name, (value, at) in facts.items():
            if name in shown and value == shown[name]:
                stamps[name] = max(profiles.said_at(at), stamps.get(name, 0))
    found = {
        name: Meanwhile(value, "", clock.from_micros(stamps[name]) if name in stamps else None)
        for name, value in shown.items()
    }
    changes = ProfileChange.objects.filter(customer__root_id=root.pk).order_by("-id")[:_LATEST]
    for change in reversed(changes):
        for name, (value, _) in change.after.items():
            if change.undone_at is None and name in shown and value == shown[name]:
                found[name] = Meanwhile(value, change.by, change.at)
    return found


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
