"""Say which column is what, and keep mappings by name."""

from typing import Any

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.imports import mappings, queries
from regulars.imports.mappings import Mapping
from regulars.imports.models import Import, SavedMapping
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, Invalid, NotFound
from regulars.kernel.languages import Text


@transaction.atomic
def choose_mapping(*, id: int, mapping: Mapping | dict[str, Any], by: Actor) -> Mapping:
    """The mapping this import is to be run with. It may be incomplete: `start` says what is missing."""
    by.require("imports.run")
    row = queries.get(id)
    if row.state != "mapped":
        raise Conflict("state", Text("This import has begun already.", "该导入已经开始。"))
    chosen = mapping if isinstance(mapping, Mapping) else mappings.parsed(mapping)
    if chosen.kind != row.kind:
        text = Text("This mapping is for {kind}.", "该映射用于{kind}。").filled(kind=mappings.KINDS[chosen.kind])
        raise Invalid("kind", text, field="mapping")
    Import.objects.filter(id=id).update(mapping=chosen.model_dump(mode="json"))
    return chosen


@transaction.atomic
def save_mapping(*, name: str, mapping: Mapping, by: Actor) -> None:
    """Keep it under a name; one of this name is replaced."""
    by.require("imports.run")
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise Invalid("name", Text("Give a name of 1 to 100 characters.", "请填写 1 到 100 个字的名称。"), field="name")
    SavedMapping.objects.update_or_create(
        name=name, kind=mapping.kind, defaults={"mapping": mapping.model_dump(mode="json"), "changed_at": clock.now()}
    )
    audit(by=by, action="Mapping Saved", object_kind="mapping", object_id=name[:60], details={"kind": mapping.kind})


@transaction.atomic
def delete_mapping(*, id: int, by: Actor) -> Mapping:
    """The mapping that was deleted, so that it can be saved again."""
    by.require("imports.run")
    row = SavedMapping.objects.filter(id=id).first()
    if row is None:
        raise NotFound("mapping", Text("There is no such mapping.", "没有这个映射。"))
    row.delete()
    audit(by=by, action="Mapping Deleted", object_kind="mapping", object_id=row.name[:60])
    return mappings.parsed(row.mapping)
