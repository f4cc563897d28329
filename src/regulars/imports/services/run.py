"""Take in what was understood of a file: batches, each one transaction together with the place where it ended."""

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import duckdb
from django.db import transaction

from regulars import catalog
from regulars.accounts.actors import SYSTEM, Actor
from regulars.accounts.queries import actor_of, staff
from regulars.customers import services as customers
from regulars.customers.services import Claim, CustomerRow
from regulars.eventlog import services as eventlog
from regulars.eventlog.services import NewEvent
from regulars.imports import already, files, mappings, queries, reading, staging
from regulars.imports.already import BATCH, Judged, digest, identities_of
from regulars.imports.mappings import TRAITS, Mapping
from regulars.imports.models import Import, Taken
from regulars.imports.services.progress import Progress, Reported
from regulars.imports.services.read import end, fail, unforeseen
from regulars.jobs.progress import Cancelled, Interrupted
from regulars.kernel import clock
from regulars.kernel.errors import Problem
from regulars.kernel.languages import Text

PATIENCE = 120
"""Seconds for whoever looks through a large file in another process to see that its import has begun."""
_ARRANGING = Text("Sorting the rows", "正在整理数据行")
_TAKING = Text("Taking in {done} of {total}", "正在导入：{done} / {total}")
_CLOSING = Text("Writing down what wasn't taken in", "正在记录未导入的行")
_EVENTS = {"sale": "Order Completed", "refund": "Order Refunded", "cancel": "Order Cancelled"}


def run(progress: Progress, import_id: int) -> dict[str, Any]:
    """running → done with its counts, or failed or cancelled (also raised). Goes on where it stopped; called again
    after its end it changes nothing.
    """
    row = Import.objects.get(id=import_id)
    if row.state != "running":
        return dict(row.counts)
    reported = Reported(import_id, progress)
    try:
        counts = _run(row, reported)
    except Problem as problem:
        fail(import_id, problem)
        raise
    except Cancelled:
        end(import_id, "cancelled")
        raise
    except Interrupted:
        raise
    except Exception as error:
        fail(import_id, unforeseen(error))
        raise
    return counts


def _run(row: Import, reported: Reported) -> dict[str, Any]:
    layout = reading.Layout.of(row.layout)
    mapping = mappings.parsed(row.mapping)
    about = queries.surroundings()
    with staging.opened(files.stage(row.pk), patience=PATIENCE) as database:
        if not staging.loaded(database):  # the process died while the file was read, or the stage was lost
            staging.load(database, files.source(row.pk), layout, lambda done: reported.check())
        reported.say(0, 1000, _ARRANGING, at_once=True)
        last, decided = staging.arrange(database, layout.headers, mapping, about, reported.check)
        doubts = queries.doubts(database, layout.headers, mapping, decided) + staging.unread(database, about)
        reported.check()
        if mapping.kind == "orders":
            take, following = _Orders(row, mapping, database).take, staging.taken
        elif mapping.kind == "customers":
            take, following = _Customers(row, mapping, layout.headers, database).take, staging.rows
        else:
            take, following = _Events(row, mapping, layout.headers, database).take, staging.rows
        place, counts = row.place, Counter[str](row.counts)
        begun = max(last // 9, 1)  # sorting is about a tenth of the work
        total = begun + last + max(last // 50, 1)
        while place < last:
            reported.say(begun + place, total, _TAKING.filled(done=f"{place:,}", total=f"{last:,}"))
            batch = following(database, place, BATCH)
            with transaction.atomic():
                take(batch, counts)
                place = batch[-1]["place"]
                Import.objects.filter(id=row.pk).update(place=place, counts=dict(counts))
            reported.check()
        reported.say(begun + last, total, _CLOSING, at_once=True)
        tally = staging.tally(database)
        rejects = staging.write_rejects(database, layout.headers, files.rejects(row.pk))
    told = [{"field": field, "en": text.en, "zh": text.zh} for field, text in doubts]
    final = {**counts, **tally, "in_rejects": rejects}
    reported.say(total, total, _TAKING.filled(done=f"{last:,}", total=f"{last:,}"))
    end(row.pk, "done", counts=final, remarks=row.remarks + [one for one in told if one not in row.remarks])
    return final


def _actor(ref: str) -> Actor:
    """Whoever started the import, with what they may do now."""
    kind, _, id = ref.partition(":")
    found = staff().filter(id=id, is_active=True).first() if kind == "staff" else None
    return actor_of(found) if found else SYSTEM


class _Orders:
    """An order is one event with its products; each comes once."""

    def __init__(self, row: Import, mapping: Mapping, database: duckdb.DuckDBPyConnection) -> None:
        self.row, self.mapping, self.database = row, mapping, database

    def take(self, batch: list[dict[str, Any]], counts: Counter[str]) -> None:
        fresh: list[Judged] = []
        changed: list[int] = []
        for one in already.judged(batch, self.mapping):
            if one.standing == "nothing":
                counts["cancelled_orders"] += 1
            elif one.standing == "new":
                fresh.append(one)
            else:
                counts[f"{one.order['kind']}s_{one.standing}"] += 1
                if one.standing == "changed":
                    changed.append(one.order["place"])
        staging.reject_order(self.database, changed, "changed")
        self._append(fresh, counts)

    def _append(self, fresh: list[Judged], counts: Counter[str]) -> None:
        claims, owners = [], []
        for index, order in enumerate(one.order for one in fresh):
            if identities := identities_of(order):
                traits = {name: order[name] for name in TRAITS if order[name]}
                claims.append(Claim(identities, traits, clock.from_micros(order["micros"])))
                owners.append(index)
        records: list[int | None] = [None] * len(fresh)
        late: set[int] = set()
        for index, record in zip(owners, customers.resolve(claims, late=late), strict=True):
            records[index] = record
        nameless = {owners[place]: claims[place] for place in late}
        now = clock.now()
        events = [
            NewEvent(
                one.key, _EVENTS[one.order["kind"]], record, clock.from_micros(one.order["micros"]), now,
                customers.anonymous(one.properties, nameless[index]) if index in nameless else one.properties,
                {"row": one.order["first_row"]}, f"import:{self.row.pk}", self.row.actor,
            )
            for index, (one, record) in enumerate(zip(fresh, records, strict=True))
        ]  # fmt: skip
        for event, is_new, one in zip(events, eventlog.append(events), fresh, strict=True):
            counts[f"{one.order['kind']}s_{'new' if is_new else 'same'}"] += 1
            if is_new and event.customer_id is None:
                counts["anonymous"] += 1
        Taken.objects.bulk_create(
            [Taken(key=one.key, content=one.content) for one in fresh], ignore_conflicts=True, batch_size=400
        )


_NUMBER = re.compile(r"^-?(0|[1-9]\d{0,14})(\.\d{1,6})?$")


def _value(text: str) -> Any:
    """A property out of a cell: numbers written plainly, true and false, JSON lists and objects; else the text."""
    if _NUMBER.match(text):
        return float(text) if "." in text else int(text)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if text[:1] in "[{" and text[-1:] in "]}":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


class _Properties:
    """The further columns of a mapping, as they stand in an arranged row."""

    def __init__(self, mapping: Mapping, headers: list[str]) -> None:
        self.columns = [(f"p{i}", name) for i, name in enumerate(mapping.properties) if name in headers]

    def of(self, row: dict[str, Any], value: Callable[[str], Any] = str) -> dict[str, Any]:
        return {name: value(row[column]) for column, name in self.columns if row[column] is not None}


class _Customers:
    def __init__(self, row: Import, mapping: Mapping, headers: list[str], database: duckdb.DuckDBPyConnection) -> None:
        self.row, self.database = row, database
        self.properties = _Properties(mapping, headers)
        self.by = _actor(row.actor)

    def take(self, batch: list[dict[str, Any]], counts: Counter[str]) -> None:
        given = []
        for row in batch:
            traits = {name: row[name] for name in TRAITS if row[name] and name != "birthday"}
            if row["dated"]:  # one that can't be read comes as it stands, and is told
                traits["birthday"] = row["born"].date() if row["born"] else row["dated"]
            traits |= self.properties.of(row)
            tags = tuple(tag for tag in re.split(r"[,，;；、|]\s*", row["tags"] or "") if tag.strip())
            given.append(CustomerRow(identities_of(row), traits, tags=tags, at=self.row.created_at))
        rejected: list[tuple[int, str, Text | None]] = []
        for row, outcome in zip(batch, customers.import_customers(given, by=self.by), strict=True):
            said = _together([problem.text for problem in outcome.problems])
            if outcome.customer_id is None:
                rejected.append((row["row"], "identity_bad", said))
                continue
            counts["customers_new" if outcome.new else "customers_known"] += 1
            if outcome.problems:
                rejected.append((row["row"], "partly", said))
        staging.reject(self.database, rejected)


def _together(texts: list[Text]) -> Text | None:
    return Text(" ".join(text.en for text in texts), "".join(text.zh for text in texts)) if texts else None


class _Events:
    def __init__(self, row: Import, mapping: Mapping, headers: list[str], database: duckdb.DuckDBPyConnection) -> None:
        self.row, self.mapping, self.database = row, mapping, database
        self.properties = _Properties(mapping, headers)

    def take(self, batch: list[dict[str, Any]], counts: Counter[str]) -> None:
        good: list[tuple[dict[str, Any], str, dict[str, Any]]] = []
        rejected: list[tuple[int, str, Text | None]] = []
        for row in batch:
            name = (row["event"] or self.mapping.event)[:200]
            properties = self.properties.of(row, _value)
            for common in ("store", "channel"):
                if value := row[common] or getattr(self.mapping, common):
                    properties[common] = value
            if fault := catalog.check(name, properties):
                rejected.append((row["row"], "event_bad", fault.text))
            else:
                good.append((row, name, properties))
        staging.reject(self.database, rejected)
        owned = [(index, identities_of(row)) for index, (row, _, _) in enumerate(good)]
        claims = {
            index: Claim(identities, {}, clock.from_micros(good[index][0]["micros"]))
            for index, identities in owned
            if identities
        }
        places: set[int] = set()
        records = dict(zip(claims, customers.resolve(list(claims.values()), late=places), strict=True))
        late = {index for place, index in enumerate(claims) if place in places}
        now = clock.now()
        events = [
            NewEvent(
                self._message_id(row, name), name, records.get(index), clock.from_micros(row["micros"]), now,
                customers.anonymous(properties, claims[index]) if index in late else properties,
                {"row": row["row"]}, f"import:{self.row.pk}", self.row.actor,
            )
            for index, (row, name, properties) in enumerate(good)
        ]  # fmt: skip
        answers = Counter(eventlog.append(events))
        counts["events_new"] += answers[True]
        counts["events_same"] += answers[False]

    def _message_id(self, row: dict[str, Any], name: str) -> str:
        """What the file calls it; else its content and how many times that stood before."""
        given = row["message_id"]
        if given:
            return given if len(given) <= 100 else "import:" + digest("given", given)
        return "import:" + digest("event", self.mapping.source, name, row["content"], row["copy"])
