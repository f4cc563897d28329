"""Taking an erased person out of the files of imports."""

import csv
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from regulars.imports import files
from regulars.imports.models import Import
from regulars.imports.services.cancel import KEPT


def forget_person(named_in: Callable[[str], bool]) -> tuple[int, datetime | None]:
    """Take the rows that name the person out of the rejected rows of every import, and the names of files that do: how
    many. And until when files that aren't imported to their end yet are kept at most (None: there are none): those are
    left as they are.
    """
    rows = sum(_forget(id, named_in) for id in files.kept()) + _rename(named_in)
    waiting = Import.objects.filter(state__in=("uploaded", "mapped", "running"), id__in=files.kept())
    last = waiting.order_by("-created_at").values_list("created_at", flat=True).first()
    return rows, None if last is None else last + KEPT


def _rename(named_in: Callable[[str], bool]) -> int:
    named = [row for row in Import.objects.only("id", "name").iterator() if named_in(row.name)]
    for row in named:
        row.name = f"{row.pk}{Path(row.name).suffix}"
    return Import.objects.bulk_update(named, ["name"], batch_size=500)


def _forget(id: int, named_in: Callable[[str], bool]) -> int:
    path = files.rejects(id)
    if not path.is_file():
        return 0
    gone, half = 0, path.with_suffix(".less")
    with path.open(encoding="utf-8-sig", newline="") as old, half.open("w", encoding="utf-8-sig", newline="") as new:
        out = csv.writer(new)
        for row in csv.reader(old):
            if any(named_in(cell) for cell in row):
                gone += 1
            else:
                out.writerow(row)
    if gone:
        half.replace(path)
    else:
        half.unlink()
    return gone
