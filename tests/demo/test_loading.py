"""The world in a system: the same rows whether they came directly or through the log, once, and its truths found."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from regulars.accounts.actors import SYSTEM
from regulars.cli.demo import evaluation
from regulars.customers import queries as customers
from regulars.customers import services
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
    findings = loaded()
    # Everybody who was planted is counted; of whom never bought, nothing can be known.
    assert [(one.planted, one.knowable) for one in findings] == [
        (272, 226), (313, 267), (200, 171), (71, 71), (587, 587), (43, 43), (1, 1), (8, 8),
    ]  # fmt: skip
    # The least of precision and recall: a point or two below what was measured.
    floors = [(0.52, 0.90), (0.82, 0.57), (0.52, 0.49), (0.97, 0.87), (1, 1), (1, 1), (1, 1), (1, 1)]
    for one, (precision, recall) in zip(findings, floors, strict=True):
        assert one.precision is not None and one.precision >= precision, one
        assert one.recall is not None and one.recall >= recall, one
    said: list[str] = []
    evaluation().function(said.append)
    assert len(said) == len(findings)
    price = findings[1]
    assert said[1] == (
        "价格敏感（偏好）：埋设 313，其中 267 可知（其余从未购买），"
        f"找到 {price.found}，其中正确 {price.hits}：查准率 {price.precision:.0%}，查全率 {price.recall:.0%}"
    )
    assert said[4].startswith("后来确认为客户的匿名访客：埋设 587，找到 587，其中正确 587：")


def test_the_evaluation_holds_the_products_own_answer_against_the_truths(warehouse: Path) -> None:
    loading.load(world(5, 150, LAST), by=SYSTEM)
    refresh.full()
    with engine.writing() as pen:  # a product that takes everybody for a bargain hunter, and knows no rhythm
        pen.execute("UPDATE scores SET taste = 'price', gap_days = 60")
        pen.execute("UPDATE events SET score = 0 WHERE name = 'Survey Answered'")
    _, thrifty, choosy, weekly, _, _, store, _ = loaded()
    assert (thrifty.recall, choosy.found, weekly.found) == (1, 0, 0)
    assert thrifty.hits == thrifty.knowable < thrifty.planted
    assert thrifty.precision is not None and thrifty.precision < 0.5
    assert (store.found, store.hits) == (0, 0)  # too few answers in a world so small


def test_two_people_taken_for_one_or_one_for_two_are_told(warehouse: Path) -> None:
    loading.load(world(5, 150, LAST), by=SYSTEM)
    refresh.full()
    told = json.loads(loading.truths_file().read_text(encoding="utf-8"))
    whole = {one.what.en: one for one in loaded()}["Browsers that turned out to be customers"]
    key, other = told["truths"]["browsed_first"][:2]
    two = customers.roots_of(told["records"][key] for key in (key, other))
    services.merge(source=two[told["records"][other]], target=two[told["records"][key]], by=SYSTEM)
    feed.catch_up()
    refresh.full()
    after = {one.what.en: one for one in loaded()}["Browsers that turned out to be customers"]
    assert (whole.hits, whole.planted) == (whole.planted, whole.knowable)
    assert after.hits == whole.hits - 2


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
