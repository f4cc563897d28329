"""Merging two customers by hand, and undoing any merge: pointers and the choice of fields, nothing else moves."""

from collections.abc import Collection

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.customers import display, profiles
from regulars.customers.bulk import alone, update
from regulars.customers.models import Customer, Merge
from regulars.customers.queries import live_root
from regulars.customers.services.resolve import begin_generation
from regulars.eventlog.services import record
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, Invalid, NotFound
from regulars.kernel.languages import Text


@transaction.atomic
def merge(*, source: int, target: int, by: Actor, keep_from_source: Collection[str] = ()) -> int:
    """Make two customers one; the merge's id (for unmerge). `keep_from_source`: fields and attributes whose value the
    source's stays, even where the target's was written later; of the others the target's does where both have one.

    Raises NotFound, and Conflict when they are one already or the person is erased.
    """
    by.require("customers.merge")
    alone()
    under, over = live_root(source), live_root(target)
    if under.pk == over.pk:
        raise Conflict("same_customer", Text("These are one customer already.", "他们已经是同一位客户。"))
    theirs, ours = _shown(under), _shown(over)
    unknown = sorted(set(keep_from_source) - theirs.keys())
    if unknown:
        raise Invalid(
            "fields",
            Text("The customer has no {field} to keep.", "该客户没有可保留的“{field}”。").filled(field=unknown[0]),
            field=unknown[0],
        )
    now = clock.now()
    stamp = clock.micros(now)
    chosen = {name: theirs[name] if name in keep_from_source else ours[name] for name in theirs.keys() & ours.keys()}
    chosen |= {name: theirs[name] for name in keep_from_source}
    row = Merge.objects.create(
        source=under, target=over, by=by.ref, at=now, fields={name: [value, stamp] for name, value in chosen.items()}
    )
    Customer.objects.filter(root_id=under.pk).update(root_id=over.pk)
    Customer.objects.filter(id=under.pk).update(merged_into=over)
    display.refresh([over.pk])
    record(
        "Customers Merged",
        customer_id=over.pk,
        properties={"source": under.pk, "target": over.pk, "root": over.pk},
        by=by,
        at=now,
        message_id=f"merged:{row.pk}",
    )
    return row.pk


def _shown(customer: Customer) -> dict[str, object]:
    """What is shown of a root, as facts are kept."""
    fields: dict[str, object] = {name: getattr(customer, name) for name in ("name", "gender", "city", "language")}
    fields["birthday"] = customer.birthday.isoformat() if customer.birthday else None
    fields["home_store"] = customer.home_store.code if customer.home_store else None
    assert fields.keys() == profiles.FIELDS.keys()
    return {name: value for name, value in (fields | customer.custom).items() if value not in (None, "")}


@transaction.atomic
def unmerge(*, merge_id: int, by: Actor) -> int:
    """Take two customers apart again: everything is back with whom it was made for. The id of the customer that comes
    free. They are never merged again but by hand. Raises NotFound, and Conflict when it is undone already.
    """
    by.require("customers.merge")
    alone()
    row = Merge.objects.select_related("source").filter(id=merge_id).first()
    if row is None:
        raise NotFound("merge", Text("There is no such merge.", "没有这次合并。"))
    if row.undone_at is not None:
        raise Conflict("undone", Text("This merge has been undone already.", "这次合并已经撤销。"))
    if row.source.erased_at is not None:
        raise Conflict(
            "erased",
            Text("The person was erased; there is nothing to take apart.", "该客户的个人信息已删除，无法撤销合并。"),
        )
    root = row.source.root_id
    parent = dict(Customer.objects.filter(root_id=root).values_list("id", "merged_into_id"))
    free = {row.source_id}
    rest = set(parent) - free
    while moving := {id for id in rest if parent[id] in free}:
        free |= moving
        rest -= moving
    now = clock.now()
    Merge.objects.filter(id=row.pk).update(undone_at=now, undone_by=by.ref)
    Customer.objects.filter(id=row.source_id).update(merged_into=None)
    update(Customer, ("root_id",), [(row.source_id, id) for id in sorted(free)])
    begin_generation()
    display.refresh([root, row.source_id])
    record(
        "Customers Unmerged",
        customer_id=root,
        properties={"source": row.source_id, "target": row.target_id, "root": root},
        by=by,
        at=now,
        message_id=f"unmerged:{row.pk}",
    )
    return row.source_id
