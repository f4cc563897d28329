"""Putting tags on customers and taking them off, one or a hundred thousand."""

from collections.abc import Sequence

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.customers.bulk import pieces
from regulars.customers.identities import cleaned
from regulars.customers.models import Customer, Tag, Tagging
from regulars.eventlog.services import append, compose
from regulars.kernel import clock
from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text


def named(name: str) -> str:
    """A tag's name as it is kept. Raises Invalid."""
    name = cleaned(name)
    if not 1 <= len(name) <= 50:
        raise Invalid("tag", Text("A tag has 1 to 50 characters.", "标签为 1 到 50 个字符。"), field="tag")
    return name


def _changed(action: str, customers: list[int], tag: str, by: Actor) -> None:
    append([compose(action, customer_id=id, properties={"tag": tag}, by=by) for id in customers])
    if customers and by.kind != "system":
        one = customers[0] if len(customers) == 1 else ""
        audit(
            by=by, action=action, object_kind="customer", object_id=one, details={"tag": tag, "count": len(customers)}
        )


@transaction.atomic
def tag(*, customer_ids: Sequence[int], name: str, by: Actor) -> list[int]:
    """Tag customers (ids of any of their records); those newly tagged, so that `untag` of these undoes it."""
    by.require("tags.edit")
    name = named(name)
    row, _ = Tag.objects.get_or_create(key=name.casefold()[:50], defaults={"name": name})
    done: list[int] = []
    for piece in pieces(dict.fromkeys(customer_ids)):
        roots = set(Customer.objects.filter(id__in=piece, erased_at=None).values_list("root_id", flat=True))
        roots -= set(
            Tagging.objects.filter(tag=row, customer__root_id__in=roots).values_list("customer__root_id", flat=True)
        )
        now = clock.now()
        fresh = [Tagging(tag=row, customer_id=root, by=by.ref, at=now) for root in sorted(roots)]
        Tagging.objects.bulk_create(fresh, ignore_conflicts=True)
        done += sorted(roots)
    _changed("Tag Added", done, row.name, by)
    return done


@transaction.atomic
def untag(*, customer_ids: Sequence[int], name: str, by: Actor) -> list[int]:
    """Take a tag off customers; the ids of those that had it, so that `tag` of these undoes it."""
    by.require("tags.edit")
    row = Tag.objects.filter(key=named(name).casefold()[:50]).first()
    done: list[int] = []
    if row is None:
        return done
    for piece in pieces(dict.fromkeys(customer_ids)):
        roots = set(Customer.objects.filter(id__in=piece).values_list("root_id", flat=True))
        taggings = Tagging.objects.filter(tag=row, customer__root_id__in=roots)
        done += sorted(set(taggings.values_list("customer__root_id", flat=True)))
        taggings.delete()
    _changed("Tag Removed", done, row.name, by)
    return done
