"""Django's SQLite, with one thing more: transactions wait for each other in a queue.

SQLite lets one writer in and leaves the others to look again every so often, a tenth of a second apart at last. Beside
one that begins its next transaction right after the last, as intake does with a backlog, they would look in vain for
seconds. So whoever begins a transaction takes the turn first, a file's lock, and holds the gate while waiting for it,
another one, so that the one who gives the turn away can't take it again before. It is courtesy: what keeps writers
apart is SQLite's own lock still, and whoever has waited LONGEST goes and asks for that one.
"""

import fcntl
import os
import time
from typing import Any

from django.db.backends.sqlite3 import base

LONGEST = 30.0  # seconds
PAUSE = 0.002


class DatabaseWrapper(base.DatabaseWrapper):
    _queue: tuple[int, int] | None = None  # descriptors: the gate's, the turn's

    def _start_transaction_under_autocommit(self) -> None:
        if not self.is_in_memory_db():
            if self._queue is None:
                self._queue = self._file("gate"), self._file("turn")
            gate, turn = self._queue
            until = time.monotonic() + LONGEST
            try:
                _lock(gate, until)
                _lock(turn, until)
            finally:
                fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._give_away()
            raise

    def _file(self, kind: str) -> int:
        return os.open(f"{self.settings_dict['NAME']}.{kind}", os.O_RDWR | os.O_CREAT, 0o600)

    def _give_away(self) -> None:
        if self._queue is not None:
            fcntl.flock(self._queue[1], fcntl.LOCK_UN)

    def _commit(self) -> Any:
        done = super()._commit()  # type: ignore[misc]
        self._give_away()  # after an error Django rolls back
        return done

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]
        finally:
            self._give_away()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]
        finally:
            if self._queue is not None:
                for descriptor in self._queue:
                    os.close(descriptor)
                self._queue = None


def _lock(descriptor: int, until: float) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return
        time.sleep(PAUSE)
