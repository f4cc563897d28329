"""Keeps the lake in order beside everybody's work: few files instead of many, nothing of who was erased, no garbage.

Files are written anew outside the turn and exchanged in it, if they still count then.
"""

import math
import time
import uuid
from collections.abc import Mapping
from itertools import pairwise

import duckdb

from regulars.warehouse.lake import changes, files, replica

TOGETHER = 8
"""So many runs of one size become one of the next: each row is written anew log₈ of the history's size times, and one
customer's rows lie in as many places as there are runs, however long the history."""
LARGEST = 4_000_000
"""Rows in a file; a longer run is several files, each with a range of records, so that erasing writes little anew."""
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
                of=files.run(name),
            )  # fmt: skip
    finally:
        pen.close()
    with changes.writing():
        if set(touched) <= set(replica.names("events")):
            changes.add(add={"events": made}, drop=touched, tables={"erased": gone})
    return True


def _mergeable(names: Mapping[str, int]) -> dict[str, int]:
    """The files, with their rows, of the smallest runs of one size that are enough of them."""
    runs: dict[str, dict[str, int]] = {}
    for name, rows in names.items():
        runs.setdefault(files.run(name), {})[name] = rows
    sizes: dict[int, list[dict[str, int]]] = {}
    for run in runs.values():
        sizes.setdefault(int(math.log(max(sum(run.values()), 1) / 1000 + 1, TOGETHER)), []).append(run)
    found = next((found for _, found in sorted(sizes.items()) if len(found) >= TOGETHER), [])
    return {name: rows for run in found for name, rows in run.items()}


def compact(kind: str) -> bool:
    """Make one run of several, in the order of records."""
    names = _mergeable(replica.names(kind))
    if not names:
        return False
    pen = replica.cursor()
    try:
        source = f"FROM read_parquet({files.listed(names)}, union_by_name = true)"
        ordered = f"ORDER BY record_id, position{', line' * (kind == 'lines')}"
        pieces, of, made = math.ceil(sum(names.values()) / LARGEST), uuid.uuid4().hex, dict[str, int]()
        for where in _ranges(pen, source, pieces):
            written = files.copy(pen, kind, f"{source} {where} {ordered}", of=of)
            made |= {name: rows for name, rows in written.items() if rows}
    finally:
        pen.close()
    with changes.writing():
        if set(names) <= set(replica.names(kind)):
            changes.add(add={kind: made}, drop=names)
    return True


def _ranges(pen: duckdb.DuckDBPyConnection, source: str, pieces: int) -> list[str]:
    """Conditions that cut rows into so many ranges of records of about one size, and those of nobody."""
    if pieces == 1:
        return [""]
    shares = [place / pieces for place in range(1, pieces)]
    cuts = pen.execute(f"SELECT approx_quantile(record_id, {shares}) {source}").fetchall()[0][0]
    bounds = sorted(set(cuts or []))
    if not bounds:
        return [""]
    between = [f"record_id > {low} AND record_id <= {high}" for low, high in pairwise(bounds)]
    return [
        f"WHERE {where}"
        for where in (f"record_id <= {bounds[0]}", *between, f"record_id > {bounds[-1]}", "record_id IS NULL")
    ]


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
