"""Keeps the lake in order beside everybody's work: few files instead of many, nothing of who was erased, no garbage.

Files are written anew outside the turn and exchanged in it, if they still count then.
"""

import math
import time
from collections.abc import Mapping

from regulars.warehouse.lake import changes, files, replica

TOGETHER = 8
"""So many files of one size become one of the next: each row is written anew log₈ of the number of files times."""
LARGEST = 4_000_000
"""Files of more rows stay as they are."""
FOLLOWED = 200
"""After so many changes one is written that says everything."""
SWEEP_SECONDS = 600.0

_swept = 0.0


def step() -> bool:
    """One turn of the loop; True when there is more to do at once."""
    global _swept
    erasing = replica.cursor().execute("SELECT count(*) FROM erasing").fetchall()[0][0]
    due = erasing or any(_mergeable(replica.names(kind)) for kind in ("events", "lines"))
    due = due or changes.since_whole() > FOLLOWED or time.monotonic() - _swept > SWEEP_SECONDS
    if not due:
        return False
    with changes.alone("upkeep") as mine:
        if not mine:
            return False
        done = emptied() or compact("events") or compact("lines") or settle()
        if time.monotonic() - _swept > SWEEP_SECONDS:
            _swept = time.monotonic()
            sweep()
    return done


def emptied() -> bool:
    """Write the files anew in which erased people's properties still stand."""
    pen = replica.cursor()
    try:
        pen.execute("CREATE TEMP TABLE gone AS FROM erasing")
        gone = pen.execute("FROM gone").to_arrow_table()
        if not gone.num_rows:
            return False
        there = replica.names("events")
        touched = []
        if there:
            rows = pen.execute(
                f"""SELECT DISTINCT filename FROM read_parquet({files.listed(there)}, filename = true) f
                    JOIN gone e ON f.record_id = e.record_id AND f.position < e.until WHERE properties <> '{{}}'"""  # noqa: S608
            ).fetchall()
            found = {row[0] for row in rows}
            touched = [name for name in there if str(files.path(name)) in found]
        made: dict[str, int] = {}
        for name in touched:
            made |= files.copy(
                pen, "events",
                f"""SELECT f.* REPLACE (CASE WHEN until IS NULL THEN properties ELSE '{{}}' END AS properties)
                    FROM read_parquet({files.listed([name])}) f
                    LEFT JOIN gone e ON f.record_id = e.record_id AND f.position < e.until
                    ORDER BY f.record_id, f.position""",  # noqa: S608
            )  # fmt: skip
    finally:
        pen.close()
    with changes.writing():
        if set(touched) <= set(replica.names("events")):
            changes.add(add={"events": made}, drop=touched, tables={"erased": gone})
    return True


def _mergeable(names: Mapping[str, int]) -> list[str]:
    """Files of one size, smallest first, if there are enough of them."""
    sizes: dict[int, list[str]] = {}
    for name, rows in names.items():
        if rows < LARGEST:
            sizes.setdefault(int(math.log(max(rows, 1) / 1000 + 1, TOGETHER)), []).append(name)
    return next((found for _, found in sorted(sizes.items()) if len(found) >= TOGETHER), [])


def compact(kind: str) -> bool:
    """Make one file of several, in the order of records."""
    names = _mergeable(replica.names(kind))
    if not names:
        return False
    pen = replica.cursor()
    try:
        source = f"read_parquet({files.listed(names)}, union_by_name = true)"
        made = files.copy(pen, kind, f"FROM {source} ORDER BY record_id, position{', line' * (kind == 'lines')}")
    finally:
        pen.close()
    with changes.writing():
        if set(names) <= set(replica.names(kind)):
            changes.add(add={kind: made}, drop=names)
    return True


def settle() -> bool:
    """Say everything in one change, once there are many to follow."""
    if changes.since_whole() <= FOLLOWED:
        return False
    with changes.writing():
        pen = replica.cursor()
        try:
            changes.whole(pen, meta={})
        finally:
            pen.close()
    return True


def sweep() -> int:
    """Delete what nobody has named for a while; how many files."""
    there = files.there()  # before the names: what is named meanwhile isn't among them
    replica.current()
    named = {name for kind in (*replica.BASES, *replica.STATE) for name in replica.names(kind)}
    return files.sweep(name for name in there if name not in named)
