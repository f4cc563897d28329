from datetime import date

import pyarrow as pa
import pytest

from regulars.demo.world import World, world

LAST = date(2025, 6, 30)


@pytest.fixture(scope="package")
def small() -> tuple[World, pa.Table, pa.Table]:
    """2,000 customers: the world, its events, its lines."""
    made = world(7, 2000, LAST)
    events, lines = zip(*made.batches(), strict=True)
    return made, pa.Table.from_batches(events), pa.Table.from_batches(lines)
