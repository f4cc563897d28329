"""How records became one customer, and what merging two more would do."""

from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

from django.db.models import Q

from regulars.customers.consents import CHANNELS, PURPOSES, Entry, states
from regulars.customers.models import Merge, Note
from regulars.customers.queries.consent import consent_history, consent_states
from regulars.customers.queries.identity import IdentityRow, identities
from regulars.customers.queries.profile import Card, Profile, by_ids, get
from regulars.customers.queries.record import live_root, members
from regulars.customers.queries.tag import tags
from regulars.kernel.errors import Conflict
from regulars.kernel.languages import Text


@dataclass(frozen=True, slots=True)
class MergeRow:
    """`source` and `target` are records; `kind` the kind of identity an automatic merge rests on, "" for one by hand.
    Active ones can be undone (services.unmerge).
    """

    id: int
    source: int
    target: int
    automatic: bool
    kind: str
    by: str
    at: datetime
    undone_at: datetime | None


def merges(customer_id: int) -> list[MergeRow]:
    """Those that made this customer what it is, and those undone that one of its records was part of; latest first."""
    ids = members(customer_id)
    return [
        merge_row(row) for row in Merge.objects.filter(Q(source__in=ids) | Q(target__in=ids)).order_by("-at", "-id")
    ]


def merge_row(row: Merge) -> MergeRow:
    return MergeRow(
        row.pk, row.source_id, row.target_id, row.automatic, row.grounds.get("kind", ""), row.by, row.at, row.undone_at,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Agreed:
    """What will hold of consent by a channel for a purpose, and by which entry; and what each side says now, if
    anything.
    """

    channel: str
    purpose: str
    source: Entry | None
    target: Entry | None
    counts: Entry


@dataclass(frozen=True, slots=True)
class MergePreview:
    """What merging would do: who goes under whom, where their fields differ ((source's, target's) value; the target's
    stays unless chosen otherwise), what comes along; `warnings` for a person to think about.
    """

    source: Card
    target: Card
    differing: dict[str, tuple[Any, Any]]
    filled: dict[str, Any]
    identities: int
    tags: int
    notes: int
    consents: int
    warnings: tuple[Text, ...]
    of_source: list[IdentityRow]
    of_target: list[IdentityRow]
    agreed: list[Agreed]


def merge_preview(*, source: int, target: int) -> MergePreview:
    """Raises NotFound, and Conflict where merging isn't possible."""
    under, over = live_root(source), live_root(target)
    if under.pk == over.pk:
        raise Conflict("same_customer", Text("These are one customer already.", "他们已经是同一位客户。"))
    theirs, ours = _given(get(under.pk)), _given(get(over.pk))
    of_source, of_target = identities(under.pk), identities(over.pk)
    warnings = []
    if all(any(row.kind == "user_id" for row in rows) for rows in (of_source, of_target)):
        warnings.append(
            Text(
                "Both have a user id of their own. Are they one person?",
                "两位客户各有自己的用户 ID，确定是同一个人吗？",
            )
        )
    if theirs.get("birthday") and ours.get("birthday") and theirs["birthday"] != ours["birthday"]:
        warnings.append(Text("Their birthdays differ.", "两位客户的生日不同。"))
    cards = by_ids([under.pk, over.pk])
    return MergePreview(
        cards[under.pk],
        cards[over.pk],
        {name: (theirs[name], ours[name]) for name in theirs if name in ours and theirs[name] != ours[name]},
        {name: value for name, value in theirs.items() if name not in ours},
        len(of_source),
        len(tags(under.pk)),
        Note.objects.filter(customer__root_id=under.pk, deleted_at=None).count(),
        len(consent_states(under.pk)),
        tuple(warnings),
        of_source,
        of_target,
        _agreed(under.pk, over.pk),
    )


def _agreed(source: int, target: int) -> list[Agreed]:
    """In the order of the channels and purposes, those of which either side says anything."""
    theirs, ours = consent_history(source), consent_history(target)
    of_source, of_target, counting = states(theirs), states(ours), states([*theirs, *ours])
    return [
        Agreed(*key, of_source.get(key), of_target.get(key), counting[key])
        for key in product(CHANNELS, PURPOSES)
        if key in counting
    ]


def _given(profile: Profile) -> dict[str, Any]:
    return {name: value for name, value in (profile.fields | profile.custom).items() if value is not None}
