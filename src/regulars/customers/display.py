"""What is shown of a customer, kept on the root's row: folded from all its records whenever one of them changed."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from typing import Any

from regulars.customers import profiles
from regulars.customers.bulk import pieces, update
from regulars.customers.models import Customer, Merge, Store

_COLUMNS = (
    "name", "name_key", "birthday", "gender", "city", "language", "home_store", "custom", "known",
)  # fmt: skip


def _stores(codes: Collection[str]) -> dict[str, int]:
    """Code → id; a store that is named for the first time comes into being."""
    found = dict(Store.objects.filter(code__in=codes).values_list("code", "id"))
    new = [code for code in codes if code not in found]
    if new:
        Store.objects.bulk_create([Store(code=code) for code in new], ignore_conflicts=True)
        found |= dict(Store.objects.filter(code__in=new).values_list("code", "id"))
    return found


def refresh(roots: Collection[int]) -> None:
    """Fold these customers anew. A few queries for each 5,000."""
    for piece in pieces(sorted(set(roots))):
        facts: dict[int, list[tuple[int, profiles.Facts]]] = defaultdict(list)
        known: dict[int, bool] = dict.fromkeys(piece, False)
        root_of: dict[int, int] = {}
        members = Customer.objects.filter(root_id__in=piece)
        for id, root, own, identified in members.values_list("id", "root_id", "facts", "identified_at"):
            root_of[id] = root
            facts[root].append((id, own))
            known[root] = known[root] or identified is not None
        merged = [id for id, root in root_of.items() if id != root]
        for some in pieces(merged):
            active = Merge.objects.filter(source__in=some, undone_at=None).exclude(fields={})
            for source, chosen in active.values_list("source_id", "fields"):
                facts[root_of[source]].append((source, chosen))
        shown = {root: profiles.folded(facts[root]) for root in piece}
        stores = _stores({fields["home_store"] for fields in shown.values() if "home_store" in fields})
        update(Customer, _COLUMNS, [_row(root, fields, stores, known[root]) for root, fields in shown.items()])


def _row(root: int, fields: dict[str, Any], stores: dict[str, int], known: bool) -> tuple[Any, ...]:
    birthday = fields.get("birthday")
    name = fields.get("name", "")
    return (
        name, profiles.name_key(name), date.fromisoformat(birthday) if birthday else None, fields.get("gender", ""),
        fields.get("city", ""), fields.get("language", ""), stores.get(fields.get("home_store", "")),
        {field: value for field, value in fields.items() if field not in profiles.FIELDS}, known, root,
    )  # fmt: skip
