"""A world into a system: its people through customers, its events into the log, and the same rows straight into the
warehouse. Loading the same world again changes nothing; a load that was cut off is finished by the next.
"""

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.conf import settings
from numpy.typing import NDArray

from regulars.accounts.actors import Actor
from regulars.customers.services import Claim, CustomerRow, import_customers, resolve, save_store
from regulars.demo import chain
from regulars.demo.world import World
from regulars.eventlog import queries as log
from regulars.eventlog.services import NewEvent, append
from regulars.kernel import clock
from regulars.warehouse import engine, feed, lake

Report = Callable[[str, int], None]
"""Told what is being loaded ("customers", "events") and how many are in."""

CHUNK = 20_000
PEOPLE = 5_000


def load(world: World, *, by: Actor, feeding: bool = True, report: Report | None = None) -> int:
    """Bring the world in; how many of its events are new.

    `feeding`: nobody else feeds the warehouse meanwhile, so that rows may go there directly. Otherwise, and where the
    log numbers events later (PostgreSQL), holds part of them already or workers elsewhere feed too (a lake), the
    warehouse is left to its feed.
    """
    tell = report or (lambda what, many: None)
    for store in chain.STORES:
        save_store(code=store.name, name=store.name, by=by)
    records, earlier = _people(world, by, tell)
    if feeding:
        feed.catch_up()
    new = read = 0
    for events, lines in _chunks(world):
        before = log.last_position()
        added = sum(append(_for_log(events, records)))
        new, read = new + added, read + events.num_rows
        whole = added == events.num_rows and log.last_position() == before + added
        if feeding and whole and not lake.used() and engine.meta("position", 0) == before:
            feed.bulk(**for_warehouse(events, lines, records, before), position=before + added)
        tell("events", read)
    if feeding:
        feed.catch_up()
    _begun_file().unlink(missing_ok=True)
    keys = world.customers["key"].to_pylist()
    told = {"truths": world.truths(), "records": dict(zip(keys, records.tolist(), strict=True)), **earlier}
    truths_file().write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    return new


def begin(*, customers: int, seed: int, last_day: date) -> None:
    """Note which world is about to be loaded, for the case that its load is cut off."""
    told = {"customers": customers, "seed": seed, "last_day": last_day.isoformat()}
    _begun_file().write_text(json.dumps(told), encoding="utf-8")


def cut_off() -> tuple[int, int, date] | None:
    """Customers, seed and last day of the world whose load was begun and didn't come to its end."""
    try:
        told = json.loads(_begun_file().read_text(encoding="utf-8"))
        return told["customers"], told["seed"], date.fromisoformat(told["last_day"])
    except (OSError, ValueError):  # none, or cut off itself: nothing was loaded yet
        return None


def _begun_file() -> Path:
    return Path(settings.HOME) / "demo-begun.json"


def truths_file() -> Path:
    """Where `load` leaves what was planted: {"truths": as of World, "records": customer's key → record id, "browsers"
    and "desks": the same of what was made of their device or member card alone, before them}."""
    return Path(settings.HOME) / "demo-truths.json"


def _people(world: World, by: Actor, tell: Report) -> tuple[NDArray[np.int64], dict[str, dict[str, int]]]:
    """Everybody's record, by row of world.customers; and, by key, what devices and member cards made before them.

    Who browsed first comes as a device, some with a member card as well, and only then as themselves: that all of it is
    one customer is for resolving to find out.
    """
    ids = np.zeros(world.customers.num_rows, dtype=np.int64)
    before: dict[str, dict[str, int]] = {"browsers": {}, "desks": {}}
    done = 0
    for batch in world.customers.to_batches(max_chunksize=PEOPLE):
        known: list[tuple[int, dict[str, Any]]] = []
        others: list[tuple[int, dict[str, Any]]] = []
        for place, row in enumerate(batch.to_pylist(), done):
            (known if row["known"] else others).append((place, row))
        people = [row for _, row in (*others, *known)]
        devices = [row for row in people if not row["known"] or row["browsed_first"]]
        cards = [row for row in devices if row["met"] and row["member_card"]]
        for name, kind, rows in (("browsers", "anonymous_id", devices), ("desks", "member_card", cards)):
            claims = [Claim(((kind, row[kind]),), {}, clock.from_micros(row["first_seen"])) for row in rows]
            made = [record for record in resolve(claims) if record is not None]
            before[name] |= dict(zip((row["key"] for row in rows), made, strict=True))
        outcomes = import_customers([_row(row) for _, row in known], by=by)
        for (place, _), outcome in zip(known, outcomes, strict=True):
            assert outcome.customer_id is not None, outcome.problems
            ids[place] = outcome.customer_id
        for place, row in others:
            ids[place] = before["browsers"][row["key"]]
        done += batch.num_rows
        tell("customers", done)
    return ids, before


def _row(person: dict[str, Any]) -> CustomerRow:
    at = clock.from_micros(person["joined"])
    given = {"user_id": person["key"], "anonymous_id": person["anonymous_id"]}
    given |= {kind: person[kind] for kind in ("phone", "email", "member_card") if person[kind] is not None}
    traits = {name: person[name] for name in ("name", "city", "birthday") if person[name] is not None}
    consents = ((person["channel"], "marketing", True),) if person["consents"] else ()
    return CustomerRow(tuple(given.items()), traits, consents=consents, at=at, since=at)


def _chunks(world: World) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The world's batches, put together or cut to about CHUNK events."""
    waiting: list[tuple[pa.RecordBatch, pa.RecordBatch]] = []
    for batch in world.batches():
        waiting.append(batch)
        if sum(events.num_rows for events, _ in waiting) >= CHUNK:
            yield _together(waiting)
            waiting = []
    if waiting:
        yield _together(waiting)


def _together(parts: list[tuple[pa.RecordBatch, pa.RecordBatch]]) -> tuple[pa.Table, pa.Table]:
    events, lines = zip(*parts, strict=True)
    return pa.Table.from_batches(events), pa.Table.from_batches(lines)


def _for_log(events: pa.Table, records: NDArray[np.int64]) -> list[NewEvent]:
    decode = msgspec.json.Decoder().decode
    moment: Callable[[int], datetime] = clock.from_micros
    of = records[events["customer"].to_numpy()].tolist()
    columns = (events[name].to_pylist() for name in ("message_id", "name", "at", "properties"))
    made = []
    for record, message_id, name, at, properties in zip(of, *columns, strict=True):
        when = moment(at)
        made.append(NewEvent(message_id, name, record, when, when, decode(properties), {}, "demo"))
    return made


def for_warehouse(events: pa.Table, lines: pa.Table, records: NDArray[np.int64], before: int) -> dict[str, pa.Table]:
    """Batches of the world as rows of the warehouse: what its feed would make of the same events in the log, the first
    at position before + 1. `records` by row of the world's customers."""
    shift = before + 1 - events["number"][0].as_py()

    def shaped(table: pa.Table, schema: pa.Schema) -> pa.Table:
        mine = {
            "position": pc.add(table["number"], shift),
            "record_id": pa.array(records[table["customer"].to_numpy()]),
        }
        return pa.table({f.name: mine[f.name] if f.name in mine else table[f.name] for f in schema}, schema=schema)

    who, first = np.unique(records[events["customer"].to_numpy()], return_index=True)
    seen = {
        "record_id": pa.array(who),
        "customer_id": pa.array(who),
        "known": pa.array(np.zeros(who.size, dtype=bool)),
        "erased": pa.array(np.zeros(who.size, dtype=bool)),
        "created_day": events["day"].take(pa.array(first)),  # in time order: the first is the earliest
    }
    return {
        "events": shaped(events, feed.EVENTS),
        "lines": shaped(lines, feed.LINES),
        "records": pa.table(seen, schema=feed.RECORDS),
    }
