"""Which rows are taken in, whole or in part, and which aren't: over the whole file, before anything is arranged. The
forecast that people see and the import itself ask the same here.

How a row is understood isn't decided here (understanding), nor what its orders come to (arranging).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import duckdb
import pyarrow as pa
from babel import Locale

from regulars.customers import identities
from regulars.imports.formats import Decided, literal
from regulars.imports.mappings import IDENTITIES, TARGETS, TRAITS, Mapping
from regulars.imports.staging.rejecting import tally
from regulars.imports.staging.understanding import Surroundings, decide, parsed, trait_fault
from regulars.kernel import clock
from regulars.kernel.languages import Text

_PIECE = 5000
_EXAMPLES = 3


def judge(
    database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping, decided: Decided, about: Surroundings,
    check: Callable[[], None], kept: Literal["TABLE", "TEMP TABLE"] = "TABLE",
) -> None:  # fmt: skip
    """Tables `parsed` (every row, with the reason why it isn't taken), `rejects` (row, reason, en, zh) and `unread`
    (kind, said, en, zh: identities that can't be read, details of a customer that can't be kept). As temporary ones
    they shadow those of the import, which stay.
    `check` may raise; it is called every now and then.
    """
    database.execute(f"CREATE OR REPLACE {kept} parsed AS {parsed(database, headers, mapping, decided, about)}")
    check()
    database.execute(
        f"CREATE OR REPLACE {kept} rejects AS SELECT row, reason, '' AS en, '' AS zh FROM parsed "
        "WHERE reason IS NOT NULL UNION ALL SELECT row, reason, '', '' FROM faults"
    )
    database.execute("CREATE UNIQUE INDEX rejected ON rejects (row)")
    if mapping.kind == "orders" and "order_id" in mapping.columns:
        _strangers(database, mapping, about, check)
    check()
    database.execute(f"CREATE OR REPLACE {kept} unread (kind VARCHAR, said VARCHAR, en VARCHAR, zh VARCHAR)")
    mapped = [kind for kind in IDENTITIES if kind in mapping.columns]
    for kind in mapped:
        _read(database, kind, about.region, check)
    traits = [name for name in TRAITS if name in mapping.columns] if mapping.kind == "customers" else []
    for name in traits:
        _keepable(database, name, about.zone, check)
    _in_part(database, mapping, mapped, traits)


def order_key(mapping: Mapping, about: Surroundings) -> dict[str, str]:
    """SQL: what tells orders apart that have numbers: `shop` and, where numbers begin anew each day, `day`."""
    zone = literal(mapping.zone or about.zone)
    day = f"strftime(timezone({zone}, make_timestamptz(micros)), '%Y-%m-%d')" if mapping.repeats == "daily" else "''"
    return {"shop": "coalesce(store, '')", "day": day}


def _strangers(
    database: duckdb.DuckDBPyConnection, mapping: Mapping, about: Surroundings, check: Callable[[], None]
) -> None:
    """Reject rows of another customer than the rows of their order before them, by what identities mean, not how they
    are spelled: one that is missing contradicts nothing, one that both have makes two others no contradiction (a
    person may have two phones; only two user ids never are one person's). Into `also` (number, shop, day, kind, value)
    what an order's rows identify by besides the first value of each kind. Only orders in which some kind isn't written
    the same everywhere are looked at.
    """
    mapped = [kind for kind in IDENTITIES if kind in mapping.columns]
    database.execute(
        "CREATE OR REPLACE TEMP TABLE also (number VARCHAR, shop VARCHAR, day VARCHAR, kind VARCHAR, value VARCHAR)"
    )
    if not mapped:
        return
    key = order_key(mapping, about)
    columns, differ = ", ".join(mapped), " OR ".join(f"min({kind}) <> max({kind})" for kind in mapped)
    found = database.execute(
        f"""WITH whose AS (SELECT row, order_id AS number, {key["shop"]} AS shop, {key["day"]} AS day, {columns}
          FROM parsed WHERE reason IS NULL AND who IS NOT NULL)
        SELECT number, shop, day, row, {columns} FROM whose SEMI JOIN (
          SELECT number, shop, day FROM whose GROUP BY ALL HAVING {differ}) USING (number, shop, day)
        ORDER BY number, shop, day, row"""
    )
    strangers: list[int] = []
    besides: list[tuple[str, str, str, str, str]] = []
    order: tuple[str, str, str] | None = None
    firsts: dict[str, str] = {}
    known: dict[str, list[str]] = {}
    read: dict[tuple[str, str], str | None] = {}  # of one order: its lines mostly say the same
    while values := found.fetchmany(_PIECE):
        check()
        for number, shop, day, row, *cells in values:
            if (number, shop, day) != order:
                order, firsts, known, read = (number, shop, day), {}, {}, {}
            said = {kind: raw for kind, raw in zip(mapped, cells, strict=True) if raw}
            for pair in said.items():
                if pair not in read:
                    read[pair] = identities.usable(*pair, region=about.region)
            means = {pair[0]: value for pair in said.items() if (value := read[pair]) is not None}
            if _contradict(known, means):
                strangers.append(row)
                continue
            for kind, raw in said.items():
                first, value = firsts.setdefault(kind, raw), means.get(kind)
                present = known.setdefault(kind, [])
                if value is not None and value not in present:
                    present.append(value)
                    if first != raw:
                        besides.append((number, shop, day, kind, value))
    if besides:
        names = ["number", "shop", "day", "kind", "value"]
        database.register("coming", pa.table([pa.array(each) for each in zip(*besides, strict=True)], names=names))
        database.execute("INSERT INTO also SELECT * FROM coming")
        database.unregister("coming")
    if strangers:
        database.register("coming", pa.table([pa.array(strangers, pa.int64())], names=["row"]))
        database.execute("INSERT INTO rejects SELECT row, 'customer_differs', '', '' FROM coming")
        database.execute("UPDATE parsed SET reason = 'customer_differs' WHERE row IN (SELECT row FROM coming)")
        database.unregister("coming")


def _contradict(known: dict[str, list[str]], means: dict[str, str]) -> bool:
    """Whether who `means` these identities is another than who is `known` by those; all as `normalised` spells them."""
    differing = [kind for kind, value in means.items() if known.get(kind) and value not in known[kind]]
    if not differing:
        return False
    return "user_id" in differing or not any(value in known.get(kind, ()) for kind, value in means.items())


def _read(database: duckdb.DuckDBPyConnection, kind: str, region: str, check: Callable[[], None]) -> None:
    """Into `unread`: every value under this identity that can't be read. What is plain is told by its form; only the
    rest is looked at, each value once.
    """
    form = f"regexp_replace({kind}, '[ ()-]', '', 'g')" if kind == "phone" else kind
    plain = identities.plain(kind, region)
    doubtful = (
        f"(length({kind}) > {identities.PLAIN_LENGTH} OR NOT regexp_full_match({form}, {literal(plain)}))"
        if plain
        else "TRUE"
    )
    found = database.execute(
        f"SELECT DISTINCT {kind} FROM parsed WHERE {kind} IS NOT NULL AND reason IS NULL AND {doubtful}"
    )
    bad: list[tuple[str, str, Text]] = []
    while values := found.fetchmany(_PIECE):
        check()
        for (value,) in values:
            if fault := identities.fault(kind, value, region=region):
                bad.append((kind, value, fault))
    _mark(database, kind, bad)


_SHORT = 50
"""Characters of a text that every field of a customer takes."""


def _keepable(database: duckdb.DuckDBPyConnection, name: str, zone: str, check: Callable[[], None]) -> None:
    """Into `unread`: every value of this field of a customer that would be left out; each value once, and of texts only
    the long ones.
    """
    said, doubtful = name, f"length({name}) > {_SHORT}"
    if name == "birthday":
        said, doubtful = "dated", f"born IS NULL OR born < '1900-01-01' OR born >= '{clock.today(zone)}'"
    elif name == "gender":
        doubtful = "TRUE"
    value = "coalesce(strftime(born, '%Y-%m-%d'), dated)" if name == "birthday" else name
    found = database.execute(
        f"SELECT DISTINCT {said}, {value} FROM parsed WHERE {said} IS NOT NULL AND reason IS NULL AND ({doubtful})"
    )
    bad: list[tuple[str, str, Text]] = []
    while values := found.fetchmany(_PIECE):
        check()
        bad += [(name, one, fault) for one, kept in values if (fault := trait_fault(name, kept, zone))]
    _mark(database, name, bad)


def _mark(database: duckdb.DuckDBPyConnection, kind: str, bad: list[tuple[str, str, Text]]) -> None:
    if bad:
        label = TARGETS[kind].label
        columns = [
            [kind for kind, _, _ in bad],
            [value for _, value, _ in bad],
            [f"{label.en} “{value[:40]}”: {fault.en}" for _, value, fault in bad],
            [f"{label.zh}“{value[:40]}”：{fault.zh}" for _, value, fault in bad],
        ]
        database.register("coming", pa.table(columns, names=["kind", "said", "en", "zh"]))
        database.execute("INSERT INTO unread SELECT * FROM coming")
        database.unregister("coming")


def _in_part(database: duckdb.DuckDBPyConnection, mapping: Mapping, mapped: list[str], traits: list[str]) -> None:
    """Rows that go in without an identity that can't be read or a detail that can't be kept; in a file of customers,
    one that has no other identity can't.
    """
    given = " + ".join(f"({kind} IS NOT NULL)::INTEGER" for kind in mapped)
    reason = "'partly'"
    if mapping.kind == "customers":
        bad = f"count(*) FILTER (rank < {len(mapped)})"
        reason = f"CASE WHEN {bad} = any_value(given) THEN 'identity_bad' ELSE 'partly' END"
    parts = " UNION ALL ".join(
        f"SELECT row, {rank} AS rank, en, zh, {given} AS given FROM parsed JOIN unread u "
        f"ON u.kind = '{kind}' AND said = {_SAID.get(kind, kind)} WHERE reason IS NULL AND parsed.kind <> 'unpaid'"
        for rank, kind in enumerate([*mapped, *traits])
    )
    if parts:
        database.execute(
            f"INSERT INTO rejects SELECT row, {reason}, string_agg(en, ' ' ORDER BY rank), "
            f"string_agg(zh, '' ORDER BY rank) FROM ({parts}) GROUP BY row"
        )


_SAID = {"birthday": "dated"}
"""The column of `parsed` in which a target stands as the file has it, where it isn't called like it."""
_UNREAD = (
    Text("1 value under “{label}” couldn't be read: {which}.", "“{label}”中有 1 个值无法识别：{which}。"),
    Text("{count} values under “{label}” couldn't be read: {which}.", "“{label}”中有 {count} 个值无法识别：{which}。"),
)
_UNREAD_PHONES = (
    Text(
        "1 value under “{label}” couldn't be read as a number of {country}: {which}.",
        "“{label}”中有 1 个值无法识别为{country}的号码：{which}。",
    ),
    Text(
        "{count} values under “{label}” couldn't be read as numbers of {country}: {which}.",
        "“{label}”中有 {count} 个值无法识别为{country}的号码：{which}。",
    ),
)

_LEFT_OUT = (
    Text("1 value under “{label}” is left out: {which}.", "“{label}”中有 1 个值不会保留：{which}。"),
    Text("{count} values under “{label}” are left out: {which}.", "“{label}”中有 {count} 个值不会保留：{which}。"),
)
_MORE = Text("{which} and more", "{which}等")
CUT = 3
"""Characters of a value that a text may hold which is kept with the import for good."""


def unread(database: duckdb.DuckDBPyConnection, about: Surroundings) -> list[tuple[str, Text]]:
    """After `judge`: for each identity or detail how many rows have one that can't be taken, with the first of them.
    This is kept with the import for good, so all show their beginning only: whole they stand with the rejected rows.
    """
    told = []
    for (kind,) in database.execute("SELECT DISTINCT kind FROM unread ORDER BY 1").fetchall():
        count, which, distinct = _fetched(
            database,
            f"SELECT CAST(sum(n) AS BIGINT), list(said ORDER BY first)[:{_EXAMPLES}], count(*) FROM (SELECT said, "
            f"count(*) AS n, min(row) AS first FROM parsed JOIN unread u ON u.kind = '{kind}' AND said = "
            f"parsed.{_SAID.get(kind, kind)} "
            "WHERE reason IS NULL GROUP BY said)",
        )
        shown = [f"“{value if len(value) <= CUT else f'{value[:CUT]}…'}”" for value in which]
        examples = Text(", ".join(shown), "、".join(shown))
        place = {language: Locale(language).territories.get(about.region, about.region) for language in ("en", "zh")}
        texts = _UNREAD_PHONES if kind == "phone" else _UNREAD if kind in IDENTITIES else _LEFT_OUT
        text = texts[count != 1].filled(
            count=f"{count:,}",
            label=TARGETS[kind].label,
            country=Text(place["en"], place["zh"]),
            which=_MORE.filled(which=examples) if distinct > len(shown) else examples,
        )
        told.append((kind, text))
    return told


def _fetched(database: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    row = database.execute(sql).fetchone()
    assert row
    return row


@dataclass(frozen=True, slots=True)
class Sample:
    """A row that isn't taken in, or not whole (reason "partly"): why, what exactly, and its cells as they stand."""

    row: int
    reason: str
    more: Text
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the import would do to the file's `rows`: `taken` go in, `partly` of these without a part and `again` of
    them only say what is in already; `rejected` (reason → rows) don't; `unread` as (field, text); `samples` a few rows
    of every reason.
    """

    rows: int
    taken: int
    partly: int
    again: int
    rejected: dict[str, int]
    unread: list[tuple[str, Text]]
    samples: list[Sample]


def forecast(
    database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping, about: Surroundings,
    check: Callable[[], None], again: Callable[[], int] = lambda: 0, each: int = 5,
) -> Forecast:  # fmt: skip
    """From all rows of the file, by what the import itself asks. What only the product's own data knows is asked of
    `again`, once the rows are judged: how many say what is in already; it may reject others. Changes nothing of the
    import's own.
    """
    judge(database, headers, mapping, decide(database, headers, mapping), about, check, "TEMP TABLE")
    before = again()
    counts = tally(database)
    columns = ", ".join(f"c{index}" for index in range(len(headers)))
    found = database.execute(
        f"SELECT j.row, j.reason, j.en, j.zh, said, {columns} FROM (SELECT *, row_number() OVER (PARTITION BY reason "
        f"ORDER BY row) AS n FROM rejects QUALIFY n <= {each}) j LEFT JOIN raw ON raw.row = j.row "
        "LEFT JOIN faults ON faults.row = j.row AND raw.row IS NULL "
        "ORDER BY j.reason = 'partly', j.reason, j.row"
    ).fetchall()
    samples = [
        Sample(row, reason, Text(en, zh), [said or "", *([""] * (len(headers) - 1))] if said is not None
               else [(cell or "")[:200] for cell in cells])
        for row, reason, en, zh, said, *cells in found
    ]  # fmt: skip
    return Forecast(
        counts["rows"], sum(counts["kinds"].values()), counts["partly"], before, counts["rejected"],
        unread(database, about), samples,
    )  # fmt: skip
