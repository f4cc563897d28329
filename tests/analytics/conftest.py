from collections.abc import Iterator

import duckdb
import pytest

from regulars.analytics import engines, facts
from regulars.analytics.engines.duck import Duck
from tests.analytics.world import World, arrow


class Shop(Duck):
    """A DuckDB with a world in it, and its purchases folded."""

    def hold(self, world: World) -> "Shop":
        for name, table in world.tables().items():
            self.register({f"{name}_given": table})
            self.connection.execute(f'CREATE OR REPLACE TABLE {name} AS FROM "{name}_given"')
        for empty in (facts.FIGURES, facts.SCORES):
            self.register({"given": arrow(empty, [])})
            self.connection.execute(f"CREATE OR REPLACE TABLE {empty.get_name()} AS FROM given")
        self.keep("purchases", engines.sql(facts.purchases))
        return self


@pytest.fixture
def shop() -> Iterator[Shop]:
    with duckdb.connect() as connection:
        yield Shop(connection)


@pytest.fixture
def world() -> World:
    return World()
