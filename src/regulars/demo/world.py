"""The world as tables: who there is, what happens in time order, and what was planted."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from regulars.demo import chain
from regulars.demo.rendering import Renderer
from regulars.demo.simulation import DAY, Simulation

MET = 0.1
"""Of those who browsed before they joined: of how many the shop knew a member card already."""


class World:
    """`customers`: one row each (key, anonymous_id, known, name, phone as +86…, email, member_card, city, birthday,
    joined µs, consents, channel, browsed_first: seen on days before they joined, met: a member card of theirs was known
    by then); those who never become known have nulls but an anonymous_id. `batches` gives what happens; `truths` what
    was planted, by keys.
    """

    def __init__(self, seed: int, customers: int, last_day: date, browsing: float = 1.0) -> None:
        self.seed, self.last_day = seed, last_day
        self._arguments = (seed, customers, last_day, browsing)
        self._simulation = Simulation(*self._arguments)
        self.customers = _customers(seed, self._simulation)

    def batches(self) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        """(events, lines) week by week in time order; schemas in `rendering`. Holds one week in memory."""
        simulation = self._simulation = Simulation(*self._arguments)
        people = simulation.people
        joined = np.where(people.visitor, np.iinfo(np.int64).max, people.joined)
        keys, anonymous = (self.customers[c].combine_chunks() for c in ("key", "anonymous_id"))
        renderer = Renderer(self.seed, keys, anonymous, joined)
        for week in simulation.weeks():
            yield renderer.write(week)

    def truths(self) -> dict[str, Any]:
        """What was planted, ready for JSON: customers by key. Runs the world if nobody has."""
        found = self._simulation.truths()
        keys = self.customers["key"]

        def named(rows: list[int]) -> list[str]:
            names: list[str] = keys.take(pa.array(rows, pa.int64())).to_pylist()
            return names

        for part in (found["leaving"], found["weekly"]):
            part["customers"] = named(part["customers"])
        for part in ("price_sensitive", "quality_oriented", "browsed_first"):
            found[part] = named(found[part])
        return found


def world(seed: int, customers: int, last_day: date, *, browsing: float = 1.0) -> World:
    """Two years of a chain of tea houses up to and with `last_day`. About 50 events a customer; `browsing` scales how
    much people look around (0.2: about 25). The same arguments give the same world, to the byte.
    """
    if customers < 1:
        raise ValueError("a world needs at least one customer")
    return World(seed, customers, last_day, browsing)


def _customers(seed: int, simulation: Simulation) -> pa.Table:
    people = simulation.people
    size = people.size
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 4])))
    index = np.arange(size)
    digits = pc.utf8_lpad(pc.cast(pa.array(index + 1), pa.string()), 7, "0")

    def join(*parts: Any) -> pa.Array:
        return pc.binary_join_element_wise(*parts, "")

    def shown(values: pa.Array, where: np.ndarray) -> pa.Array:
        return pc.if_else(pa.array(where), values, pa.scalar(None, values.type))

    known = ~people.visitor
    surnames, given = pa.array(list(chain.SURNAMES)), pa.array(["", *chain.GIVEN])

    def letter(source: pa.Array, low: int = 0) -> pa.Array:
        return source.take(pa.array(rng.integers(low, len(source), size)))

    weights = np.linspace(3, 0.5, len(surnames))
    surname = surnames.take(pa.array(rng.choice(len(surnames), size, p=weights / weights.sum())))
    second = given.take(pa.array(np.where(rng.random(size) < 0.3, 0, rng.integers(1, len(given), size))))
    name = join(surname, letter(given, 1), second)
    # Distinct numbers that look mixed: a multiplication without common divisor permutes them.
    mixed = (index * 7_654_321 + 1_234_567 + seed % 1000) % 10_000_000
    phone = join("+861990", pc.utf8_lpad(pc.cast(pa.array(mixed), pa.string()), 7, "0"))
    card = (index * 48_271 + 9_973) % 100_000_000
    cities = pa.array([s.city for s in chain.STORES])
    born = -rng.integers(0, 365 * 40, size) + 365 * 36  # 1966 to 2005
    birthday = pc.cast(pa.array(born.astype(np.int32)), pa.date32())
    met = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 5])))
    return pa.table(
        {
            "key": join("demo-", digits),
            "anonymous_id": join(f"anon-{seed}-", digits),
            "known": pa.array(known),
            "name": shown(name, known),
            "phone": shown(phone, known & (rng.random(size) < 0.93)),
            "email": shown(join("guest", digits, "@example.com"), known & (rng.random(size) < 0.4)),
            "member_card": shown(
                join("GL", pc.utf8_lpad(pc.cast(pa.array(card), pa.string()), 8, "0")),
                known & (rng.random(size) < 0.85),
            ),
            "city": cities.take(pa.array(people.home)),
            "birthday": shown(birthday, known & (rng.random(size) < 0.7)),
            "joined": shown(pa.array(people.joined), known),
            "first_seen": pa.array(people.first_seen * DAY - chain.OFFSET_SECONDS * 1_000_000),
            "browsed_first": pa.array(people.browsed_first),
            "met": pa.array(people.browsed_first & (met.random(size) < MET)),
            "consents": pa.array(people.consents),
            "channel": pa.array(chain.MESSAGE_CHANNELS).take(pa.array(people.channel)),
        }
    )
