"""Take in what was understood of a file: batches, each one transaction together with the place where it ended."""

import json
import re
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import duckdb
import msgspec
from django.db import transaction

from regulars import catalog
from regulars.accounts.actors import SYSTEM, Actor
from regulars.accounts.queries import actor_of, staff
from regulars.customers import services as customers
from regulars.customers.services import Claim, CustomerRow
from regulars.eventlog import services as eventlog
from regulars.eventlog.services import NewEvent
from regulars.imports import files, mappings, queries, reading, staging
from regulars.imports.mappings import IDENTITIES, TRAITS, Mapping
from regulars.imports.models import Import, Taken
from regulars.imports.services.progress import Progress, Reported
from regulars.imports.services.read import end, fail, unforeseen
from regulars.jobs.progress import Cancelled, Interrupted
from regulars.kernel import clock
from regulars.kernel.errors import Problem
from regulars.kernel.languages import Text

BATCH = 2000
PATIENCE = 120
"""Seconds for whoever looks through a large file in another process to see that its import has begun."""
_ARRANGING = Text("Sorting the rows", "正在整理数据行")
_TAKING = Text("Taking in {done} of {total}", "正在导入：{done} / {total}")
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
        reported.say(0, 1000, _ARRANGING)
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
        while place < last:
            reported.say(begun + place, begun + last, _TAKING.filled(done=f"{place:,}", total=f"{last:,}"))
            batch = following(database, place, BATCH)
            with transaction.atomic():
                take(batch, counts)
                place = batch[-1]["place"]
                Import.objects.filter(id=row.pk).update(place=place, counts=dict(counts))
            reported.check()
        tally = staging.tally(database)
        rejects = staging.write_rejects(database, layout.headers, files.rejects(row.pk))
    told = [{"field": field, "en": text.en, "zh": text.zh} for field, text in doubts]
    final = {**counts, **tally, "in_rejects": rejects}
    total = begun + last
    reported.say(total, total, _TAKING.filled(done=f"{last:,}", total=f"{last:,}"))
    end(row.pk, "done", counts=final, remarks=row.remarks + [one for one in told if one not in row.remarks])
    return final


def _actor(ref: str) -> Actor:
    """Whoever started the import, with what they may do now."""
    kind, _, id = ref.partition(":")
    found = staff().filter(id=id, is_active=True).first() if kind == "staff" else None
    return actor_of(found) if found else SYSTEM


_encode = msgspec.json.Encoder().encode


def digest(*parts: object, size: int = 16) -> str:
    return blake2b(_encode(parts), digest_size=size).hexdigest()


def _identities(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((kind, row[kind]) for kind in IDENTITIES if row[kind])


def _whole(value: float) -> int | float:
    return int(value) if value.is_integer() else value


def _order_properties(order: dict[str, Any], mapping: Mapping) -> dict[str, Any]:
    """As the Segment spec has it. `total` is given where the lines don't say it: then the warehouse adds the rest."""
    products = []
    stated, counted = 0.0, 0.0
    for product_id, product, category, quantity, price, amount, _ in order["lines"]:
        line: dict[str, Any] = {"quantity": _whole(quantity)}
        for name, value in (("product_id", product_id), ("name", product), ("category", category), ("price", price)):
            if value is not None:
                line[name] = value
        products.append(line)
        stated += (amount or 0) / 10_000
        counted += quantity * (price or 0)
    properties: dict[str, Any] = {"order_id": order["number"]}
    for name, value in (
        ("store", order["shop"] or mapping.store),
        ("channel", order["channel"] or mapping.channel),
        ("currency", order["money"] or mapping.currency.upper()),
        ("status", order["status"]),
    ):
        if value:
            properties[name] = value
    if order["order_total"] is not None:
        properties["total"] = float(order["order_total"])
    elif products and abs(stated - counted) >= 0.005:
        properties["total"] = round(stated, 4)
    if products:
        properties["products"] = products
    return properties


class _Orders:
    """An order is one event with its products, its message id made of what the order is called: so it comes once."""

    def __init__(self, row: Import, mapping: Mapping, database: duckdb.DuckDBPyConnection) -> None:
        self.row, self.mapping, self.database = row, mapping, database

    def _key(self, kind: str, order: dict[str, Any]) -> str:
        return "import:" + digest(kind, self.mapping.source, order["shop"], order["day"], order["number"])

    def take(self, batch: list[dict[str, Any]], counts: Counter[str]) -> None:
        keys = [self._key(order["kind"], order) for order in batch]
        sold = {
            key: self._key("sale", order) for key, order in zip(keys, batch, strict=True) if order["kind"] == "cancel"
        }
        wanted = [*keys, *sold.values()]
        known = dict(Taken.objects.filter(key__in=wanted).values_list("key", "content"))
        fresh: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = []
        changed: list[int] = []
        for key, order in zip(keys, batch, strict=True):
            kind = order["kind"]
            if kind == "cancel" and sold[key] not in known:
                counts["cancelled_orders"] += 1  # nothing was sold
                continue
            properties = _order_properties(order, self.mapping)
            content = digest(
                {k: v for k, v in properties.items() if k != "status"}, order["micros"], _identities(order), size=8
            )
            if key not in known:
                fresh.append((key, content, order, properties))
            elif known[key] == content:
                counts[f"{kind}s_same"] += 1
            else:
                counts[f"{kind}s_changed"] += 1
                changed.append(order["place"])
        staging.reject_order(self.database, changed, "changed")
        self._append(fresh, counts)

    def _append(self, fresh: list[tuple[str, str, dict[str, Any], dict[str, Any]]], counts: Counter[str]) -> None:
        claims, owners = [], []
        for index, (_, _, order, _) in enumerate(fresh):
            if identities := _identities(order):
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
                key, _EVENTS[order["kind"]], record, clock.from_micros(order["micros"]), now,
                customers.anonymous(properties, nameless[index]) if index in nameless else properties,
                {"row": order["first_row"]}, f"import:{self.row.pk}", self.row.actor,
            )
            for index, ((key, _, order, properties), record) in enumerate(zip(fresh, records, strict=True))
        ]  # fmt: skip
        for event, is_new, (_, _, order, _) in zip(events, eventlog.append(events), fresh, strict=True):
            counts[f"{order['kind']}s_{'new' if is_new else 'same'}"] += 1
            if is_new and event.customer_id is None:
                counts["anonymous"] += 1
        Taken.objects.bulk_create(
            [Taken(key=key, content=content) for key, content, _, _ in fresh], ignore_conflicts=True, batch_size=400
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
            if row["born"] is not None:
                traits["birthday"] = row["born"].date()
            traits |= self.properties.of(row)
            tags = tuple(tag for tag in re.split(r"[,，;；、|]\s*", row["tags"] or "") if tag.strip())
            given.append(CustomerRow(_identities(row), traits, tags=tags, at=self.row.created_at))
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
        owned = [(index, _identities(row)) for index, (row, _, _) in enumerate(good)]
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
