"""Putting tags on customers and taking them off, one or a hundred thousand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.customers.bulk import pieces
from regulars.customers.identities import cleaned
from regulars.customers.models import Customer, Removed, Tag, Tagging
from regulars.customers.queries import live_root
from regulars.customers.services.removing import keep
from regulars.eventlog.services import append, compose
from regulars.kernel import clock, ids
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


@dataclass(frozen=True, slots=True)
class Tagged:
    """The customers newly tagged, and what `undo_tag` takes."""

    customer_ids: list[int]
    addition: str


@transaction.atomic
def tag(*, customer_ids: Sequence[int], name: str, by: Actor) -> Tagged:
    """Tag customers (ids of any of their records). Who has the tag already is left as they are, and of several who was
    erased. Raises NotFound or Conflict where nobody is left to be tagged.
    """
    by.require("tags.edit")
    name = named(name)
    live: set[int] = set()
    for piece in pieces(dict.fromkeys(customer_ids)):
        live |= set(Customer.objects.filter(id__in=piece, erased_at=None).values_list("root_id", flat=True))
    if customer_ids and not live:
        live_root(customer_ids[0])
    row, _ = Tag.objects.get_or_create(key=name.casefold()[:50], defaults={"name": name})
    done: list[int] = []
    now = clock.now()
    for piece in pieces(sorted(live)):
        roots = set(piece)
        roots -= set(
            Tagging.objects.filter(tag=row, customer__root_id__in=roots).values_list("customer__root_id", flat=True)
        )
        fresh = [Tagging(tag=row, customer_id=root, by=by.ref, at=now) for root in sorted(roots)]
        Tagging.objects.bulk_create(fresh, ignore_conflicts=True)
        done += sorted(roots)
    _changed("Tag Added", done, row.name, by)
    return Tagged(done, f"{row.pk}-{clock.micros(now)}")


@transaction.atomic
def undo_tag(*, addition: str, by: Actor) -> list[int]:
    """Undo `tag`: the taggings that it made go and no others, so that whoever had the tag by another record, merged
    with since, keeps it. The customers that don't have it any more. Only who tagged can undo it so.
    """
    by.require("tags.edit")
    id, _, at = addition.partition("-")
    if not (id.isascii() and id.isdigit() and len(id) < 19 and at.isascii() and at.isdigit() and len(at) < 17):
        return []
    made = Tagging.objects.filter(tag=int(id), by=by.ref, at=clock.from_micros(int(at)))
    roots = sorted(set(made.values_list("customer__root_id", flat=True)))
    name = Tag.objects.filter(id=int(id)).values_list("name", flat=True).first() or ""
    made.delete()
    done: list[int] = []
    for piece in pieces(roots):
        have = Tagging.objects.filter(tag=int(id), customer__root_id__in=piece)
        done += sorted(set(piece) - set(have.values_list("customer__root_id", flat=True)))
    _changed("Tag Removed", done, name, by)
    return done


@dataclass(frozen=True, slots=True)
class Untagged:
    """The customers a tag was taken off, and what `retag` takes to undo it."""

    customer_ids: list[int]
    removal: str


@transaction.atomic
def untag(*, customer_ids: Sequence[int], name: str, by: Actor) -> Untagged:
    """Take a tag off customers, from all their records. Which taggings went (whose, by whom, when) is kept: tagging
    anew instead would leave the tag with the wrong record once a merge is undone.
    """
    by.require("tags.edit")
    row = Tag.objects.filter(key=named(name).casefold()[:50]).first()
    done: list[int] = []
    removal = ids.new_id()
    if row is None:
        return Untagged(done, removal)
    for piece in pieces(dict.fromkeys(customer_ids)):
        roots = set(Customer.objects.filter(id__in=piece).values_list("root_id", flat=True))
        taggings = Tagging.objects.filter(tag=row, customer__root_id__in=roots)
        gone = list(taggings.values_list("id", "customer_id", "customer__root_id", "by", "at"))
        kept = [(record, {"tag": row.pk, "by": who, "at": at.isoformat()}) for _, record, _, who, at in gone]
        keep("tagging", kept, by=by, removal=removal)
        Tagging.objects.filter(id__in=[id for id, *_ in gone]).delete()
        done += sorted({root for _, _, root, _, _ in gone})
    _changed("Tag Removed", done, row.name, by)
    return Untagged(done, removal)


@transaction.atomic
def retag(*, removal: str, by: Actor) -> list[int]:
    """Undo `untag`: every tagging is back on the record it was of, as it was. The customers that have the tag again.
    Who was erased or tagged anew since is left as they are.
    """
    by.require("tags.edit")
    done: list[int] = []
    tag_name = ""
    gone = Removed.objects.filter(removal=removal, what="tagging").order_by("id")
    for piece in pieces(gone.values_list("id", flat=True)):
        rows = list(Removed.objects.filter(id__in=piece).select_related("customer"))
        row = Tag.objects.get(id=rows[0].kept["tag"])
        tag_name = row.name
        roots = {one.customer.root_id for one in rows}
        have = Tagging.objects.filter(tag=row, customer__root_id__in=roots)
        roots -= set(have.values_list("customer__root_id", flat=True)) | set(done)
        back = [
            Tagging(tag=row, customer=one.customer, by=one.kept["by"], at=datetime.fromisoformat(one.kept["at"]))
            for one in rows
        ]
        Tagging.objects.bulk_create(back, ignore_conflicts=True)
        Removed.objects.filter(id__in=piece).delete()
        done += sorted(roots)
    _changed("Tag Added", done, tag_name, by)
    return done
