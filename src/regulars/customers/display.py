"""What is shown of a customer, kept on the root's row: folded from all its records whenever one of them changed."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from typing import Any

import msgspec

from regulars.customers import profiles
from regulars.customers.bulk import pieces, rows, update
from regulars.customers.models import Customer, Store

_COLUMNS = (
    "name", "name_key", "name_rest", "birthday", "gender", "city", "language", "home_store", "custom", "known",
)  # fmt: skip
_decode = msgspec.json.Decoder().decode


def _stores(codes: Collection[str]) -> dict[str, int]:
    """Code → id; a store that is named for the first time comes into being."""
    if not codes:
        return {}
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
        members = rows(
            "SELECT id, root_id, facts, identified_at IS NOT NULL FROM customers_customer WHERE root_id {among}",
            piece, "bigint",
        )  # fmt: skip
        for id, root, own, identified in members:
            root_of[id] = root
            facts[root].append((id, _decode(own)))
            known[root] = known[root] or bool(identified)
        chosen = rows(
            "SELECT source_id, fields FROM customers_merge WHERE undone_at IS NULL AND fields <> '{}' AND "
            "source_id {among}", [id for id, root in root_of.items() if id != root], "bigint",
        )  # fmt: skip
        for source, fields in chosen:
            facts[root_of[source]].append((source, _decode(fields)))
        shown = {root: profiles.folded(facts[root]) for root in piece}
        stores = _stores({fields["home_store"] for fields in shown.values() if "home_store" in fields})
        update(Customer, _COLUMNS, [_row(root, fields, stores, known[root]) for root, fields in shown.items()])


def _row(root: int, fields: dict[str, Any], stores: dict[str, int], known: bool) -> tuple[Any, ...]:
    birthday = fields.get("birthday")
    name = fields.get("name", "")
    return (
        name, profiles.name_key(name), profiles.name_rest(name), date.fromisoformat(birthday) if birthday else None,
        fields.get("gender", ""), fields.get("city", ""), fields.get("language", ""),
        stores.get(fields.get("home_store", "")),
        {field: value for field, value in fields.items() if field not in profiles.FIELDS}, known, root,
    )  # fmt: skip
