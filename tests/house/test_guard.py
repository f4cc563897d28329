"""What a server finds when it starts over a folder that isn't as it left it: it refuses clearly, or mends and says so."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from regulars.eventlog.services import NewEvent, append
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, Unavailable
from regulars.warehouse import agreement, engine, feed, refresh
from regulars.wiring import control
from tests.house.conftest import Server

NewServer = Callable[[], Server]


def orders(server: Server) -> int:
    done = server.cli("figures", "--json")
    assert done.returncode == 0, done.stderr
    found: int = json.loads(done.stdout)["anonymous"]["orders_sold"]
    return found


def test_a_server_builds_a_lost_warehouse_anew_and_refuses_a_database_of_a_newer_version(
    new_server: NewServer, wait_for: Callable[..., None]
) -> None:
    from tests.house.test_serve import append as append_orders

    server = new_server()
    append_orders(server, "a", 7)
    assert orders(server) == 7
    (server.home / "warehouse.duckdb").write_bytes(b"half a page of something else" * 100)
    (server.home / "warehouse.duckdb.wal").unlink(missing_ok=True)
    (server.home / "secret.key").write_text("")
    server.start()

    def fed() -> bool:
        with sqlite3.connect(server.home / "regulars.sqlite3") as database:
            return database.execute("SELECT position FROM eventlog_cursor WHERE name = 'warehouse'").fetchone() == (7,)

    wait_for(fed, 60, "the warehouse to be built anew without anything new happening")
    assert orders(server) == 7
    assert "is damaged. It is kept as warehouse.duckdb." in server.log and "built anew from the log" in server.log
    assert len((server.home / "secret.key").read_text()) > 40
    assert server.stop() == 0

    file = server.home / "regulars.sqlite3"
    with closing(sqlite3.connect(file)) as database, database:
        row = "('eventlog', '0999_more', '2030-01-01')"
        database.execute(f"INSERT INTO django_migrations(app, name, applied) VALUES {row}")
    before = dump(file)
    english, chinese = "written by a newer version of Regulars (eventlog 0999_more)", "更新版本的熟客"
    for language, words, *command in (
        ("zh", chinese, "serve", "--port", str(server.port)),
        ("en", english, "migrate"),
        ("en", english, "figures"),
    ):
        told = server.cli(*command, REGULARS_LANGUAGE=language)
        assert told.returncode == 2 and words in told.stderr and "Traceback" not in told.stderr, told.stderr
    assert dump(file) == before


def dump(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as database:
        return list(database.iterdump())


# --- in this process


@pytest.fixture
def seven(home: Path, transactional_db: None) -> Any:
    """A folder whose log and warehouse have seven orders."""
    _sell(7)
    feed.catch_up()
    refresh.full()
    yield home
    engine.close()


def _sell(count: int, first: int = 0) -> None:
    now = clock.now()
    append([
        NewEvent(f"m{n}", "Order Completed", n % 3 + 1, now, now, {"order_id": f"{n}", "total": 5}, {}, "track:1")
        for n in range(first, first + count)
    ])  # fmt: skip
    from regulars.eventlog import dispatch

    dispatch.number()
    dispatch.follow([dispatch.Subscriber("warehouse", feed.handle, own_place=True)])
    _cursor().update(position=first + count)


def _cursor() -> Any:
    from regulars.eventlog.models import Cursor

    return Cursor.objects.filter(name="warehouse")


def _forget(upto: int) -> None:
    from regulars.eventlog.models import Event

    Event.objects.filter(position__lte=upto).delete()


def _ahead() -> None:
    """As when an older database is put beside it."""
    with engine.writing() as pen:
        engine.keep(pen, {"position": 9})


def _position() -> int:
    found: int = _cursor().get().position
    return found


def test_an_older_or_missing_warehouse_catches_up(seven: Path) -> None:
    engine.close()
    shutil.copy(seven / "warehouse.duckdb", seven / "older")
    _sell(2, 7)
    feed.catch_up()
    agreement.ensure()
    assert _position() == 9, "nothing to do"
    engine.close()
    shutil.copy(seven / "older", seven / "warehouse.duckdb")
    agreement.ensure()
    assert _position() == 7
    engine.close()
    (seven / "warehouse.duckdb").unlink()
    agreement.ensure()
    assert _position() == 0
    feed.catch_up()
    assert engine.read("SELECT count(*), count(DISTINCT position) FROM events") == [(9, 9)]


def test_one_that_is_ahead_of_the_log_is_set_aside_and_built_anew(seven: Path) -> None:
    _ahead()
    agreement.ensure()
    assert _position() == 0
    assert len(list(seven.glob("warehouse.duckdb.*.aside"))) == 1
    feed.catch_up()
    assert engine.read("SELECT count(*) FROM events") == [(7,)]


@pytest.mark.parametrize("how", ["ahead", "damaged", "behind"])
def test_where_the_log_has_forgotten_what_it_would_take_it_refuses_and_touches_nothing(seven: Path, how: str) -> None:
    engine.close()
    file = seven / "warehouse.duckdb"
    if how == "ahead":
        _ahead()
    elif how == "damaged":
        file.write_bytes(b"x" * 9000)
    else:
        _sell(3, 7)
    _forget(9 if how == "behind" else 4)
    engine.close()
    before = file.read_bytes()
    with pytest.raises(Conflict) as refused:
        agreement.ensure()
    assert refused.value.code == "warehouse_and_log"
    assert str(file) in refused.value.text.en and str(file) in refused.value.text.zh
    engine.close()
    assert file.read_bytes() == before


def test_a_full_disk_isnt_taken_for_damage(seven: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Path) -> Any:
        raise duckdb.IOException('Could not write file "warehouse.duckdb.wal": No space left on device')

    engine.close()
    monkeypatch.setattr(engine, "_connect", full)
    with pytest.raises(Unavailable):
        agreement.ensure()
    assert not list(seven.glob("*.aside"))


def test_bringing_up_to_date_twice_changes_nothing(seven: Path) -> None:
    control.bring_up_to_date()
    control.bring_up_to_date()
    assert _position() == 7
