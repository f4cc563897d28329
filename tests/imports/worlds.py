"""Small files, and the way of an import from upload to its end, for the tests of imports."""

import json
from pathlib import Path
from typing import Any

from django.db import connection

from regulars.accounts.actors import SYSTEM
from regulars.imports import mappings, queries, services
from regulars.imports.models import Import


def written(folder: Path, text: str | bytes, name: str = "orders.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def uploaded(path: Path, kind: str = "orders") -> Import:
    return services.upload(kind=kind, name=path.name, chunks=[path.read_bytes()], by=SYSTEM)  # type: ignore[arg-type]


def mapped(path: Path, kind: str = "orders", **changes: Any) -> Import:
    """Read, with the guessed mapping and these changes to it."""
    row = uploaded(path, kind)
    services.read(services.Silent(), row.pk)
    row = queries.get(row.pk)
    if changes:
        chosen = mappings.parsed({**row.mapping, **changes})
        services.choose_mapping(id=row.pk, mapping=chosen, by=SYSTEM)
    return queries.get(row.pk)


def imported(path: Path, kind: str = "orders", **changes: Any) -> Import:
    row = mapped(path, kind, **changes)
    services.start(id=row.pk, by=SYSTEM, in_a_job=False)
    services.run(services.Silent(), row.pk)
    return queries.get(row.pk)


def log() -> list[dict[str, Any]]:
    """Every sale, refund or tracked event in the log, in order, without the system's own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, record_id, at, properties, message_id FROM eventlog_event WHERE source LIKE 'import:%%' ORDER BY id"
        )
        return [
            {
                "name": name,
                "record": record,
                "at": str(at)[:19],
                "properties": json.loads(properties) if isinstance(properties, str) else properties,
                "id": message_id,
            }
            for name, record, at, properties, message_id in cursor.fetchall()
        ]


def rejects(row: Import) -> list[list[str]]:
    """The file of rejected rows, header first."""
    import csv

    path = queries.rejects_file(row)
    assert path is not None
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))
