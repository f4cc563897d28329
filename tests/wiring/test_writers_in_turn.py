"""Whoever waits to write on SQLite comes before the next transaction of the one who writes now."""

import fcntl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection, transaction

from regulars.eventlog.models import Numbering

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has many writers"),
]


def test_a_writer_who_begins_again_at_once_lets_those_in_who_wait(wait_for: Callable[..., None]) -> None:
    order: list[str] = []

    def write(name: str) -> None:
        with transaction.atomic():
            Numbering.objects.update_or_create(id=1)
            order.append(name)

    def other() -> None:
        write("other")
        connection.close()

    with transaction.atomic(), Path(f"{connection.settings_dict['NAME']}.gate").open() as gate:

        def waited_for() -> bool:
            try:
                fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            fcntl.flock(gate, fcntl.LOCK_UN)
            return False

        waiting = threading.Thread(target=other)
        waiting.start()
        wait_for(waited_for, 10, "the other to wait")
        write("mine")
    write("mine again")
    waiting.join()
    assert order == ["mine", "other", "mine again"]


def test_who_has_waited_long_enough_asks_sqlite_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regulars.sqlite.base.LONGEST", 0.01)
    with transaction.atomic():
        Numbering.objects.update_or_create(id=1)
    with Path(f"{connection.settings_dict['NAME']}.turn").open() as stuck:
        fcntl.flock(stuck, fcntl.LOCK_EX)
        with transaction.atomic():
            Numbering.objects.update_or_create(id=1)


def test_a_transaction_that_fails_or_whose_connection_is_closed_gives_its_turn_away() -> None:
    def write() -> None:
        with transaction.atomic():
            Numbering.objects.update_or_create(id=1)
        connection.close()

    for fail in (lambda: 1 / 0, connection.close):
        with pytest.raises(Exception), transaction.atomic():  # noqa: B017 (whatever it is)
            fail()
            Numbering.objects.count()
        thread = threading.Thread(target=write)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
