"""The world in a system: the same rows whether they came directly or through the log, once, and its truths found."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from regulars.accounts.actors import SYSTEM
from regulars.cli.demo import evaluation
from regulars.customers import queries as customers
from regulars.demo import loading
from regulars.demo.evaluation import loaded
from regulars.demo.world import world
from regulars.eventlog import queries as log
from regulars.kernel.errors import NotFound
from regulars.warehouse import engine, feed, refresh

from .conftest import LAST

TABLES = ("events", "lines", "records")


@pytest.fixture
def warehouse(home: Path, db: None) -> Iterator[Path]:
    yield engine.path()
    engine.close()


def contents() -> dict[str, list[tuple[object, ...]]]:
    return {name: engine.read(f"SELECT * FROM {name} ORDER BY ALL") for name in TABLES}


def test_rows_brought_in_directly_are_those_that_the_feed_makes_of_the_log(warehouse: Path) -> None:
    new = loading.load(world(5, 150, LAST), by=SYSTEM)
    assert new > 5000
    direct = contents()
    assert engine.meta("position") == log.last_position()
    engine.close()
    warehouse.unlink()
    feed.catch_up()
    assert contents() == direct


def test_loading_again_changes_nothing_and_a_load_beside_a_server_leaves_the_feed_to_it(warehouse: Path) -> None:
    made = world(5, 60, LAST)
    new = loading.load(made, by=SYSTEM, feeding=False)
    assert not warehouse.exists()
    position = log.last_position()
    assert loading.load(made, by=SYSTEM) == 0
    assert log.last_position() == position
    feed.catch_up()
    assert len(engine.read("SELECT 1 FROM events WHERE name = 'Order Completed'")) > 100
    assert new == sum(events.num_rows for events, _ in made.batches())


def test_people_can_be_found_and_their_timeline_is_theirs(warehouse: Path) -> None:
    made = world(5, 60, LAST)
    loading.load(made, by=SYSTEM)
    told = json.loads(loading.truths_file().read_text(encoding="utf-8"))
    person = next(row for row in made.customers.to_pylist() if row["known"] and row["phone"])
    found = customers.find(person["phone"])
    assert [card.name for card in found] == [person["name"]]
    assert found[0].id == told["records"][person["key"]]


def test_what_was_planted_is_found(warehouse: Path) -> None:
    loading.load(world(5, 1200, LAST), by=SYSTEM)
    refresh.full()
    gone, thrifty, choosy, weekly, store, seasons = loaded()
    assert gone.recall is not None and gone.recall > 0.8
    assert thrifty.precision is not None and thrifty.precision > 0.7
    assert choosy.precision is not None and choosy.precision > 0.7
    assert weekly.precision is not None and weekly.precision > 0.9
    assert weekly.recall is not None and weekly.recall > 0.8
    assert (store.hits, store.planted, store.found) == (1, 1, 1)
    assert seasons.hits >= seasons.planted - 1
    said: list[str] = []
    evaluation().function(said.append)
    assert len(said) == 6


def test_without_a_world_evaluating_says_what_to_do(warehouse: Path) -> None:
    with pytest.raises(NotFound) as error:
        loaded()
    assert "regulars demo" in error.value.text.en
    assert "regulars demo" in error.value.text.zh


def test_the_command_explains_itself() -> None:
    from regulars.cli.demo import command

    shown = CliRunner().invoke(command, ["--help"])
    assert shown.exit_code == 0
    assert "--evaluate" in shown.output
