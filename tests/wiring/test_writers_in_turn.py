"""Whoever waits to write on SQLite comes before the next transaction of the one who writes now."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection, transaction

from regulars.eventlog.models import Numbering

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has many writers"),
    pytest.mark.skipif(not Path("/proc/locks").exists(), reason="who waits for a lock is seen on Linux only"),
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

    with transaction.atomic():
        place = f":{Path(connection.settings_dict['NAME'] + '.turn').stat().st_ino} "
        waiting = threading.Thread(target=other)
        waiting.start()
        wait_for(
            lambda: any("->" in line and place in line for line in Path("/proc/locks").read_text().splitlines()),
            10, "the other to wait",
        )  # fmt: skip
        write("mine")
    write("mine again")
    waiting.join()
    assert order == ["mine", "other", "mine again"]


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
