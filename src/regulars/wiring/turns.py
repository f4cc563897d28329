"""Who of several workers does what one only may do at a time: advisory locks of PostgreSQL, held as long as it lives.

A worker that dies, however, loses its connection and with it its turns; another one has them within two seconds. One
that is cut off from the database gives up LOST seconds later at the latest, before the server (tcp_keepalives in
settings) does. A step that is under way then goes on: what it writes has to be a transaction that can't follow another
one's (a cursor moved from where it was read).

On SQLite there is one worker, whose turn it always is.
"""

import logging
import threading
import time
from collections.abc import Collection
from zlib import crc32

from django.db import connection

log = logging.getLogger(__name__)

EVERY = 1.0
LOST = 10.0
_SPACE = 7120251  # of our locks among others'

_held: dict[str, float] = {}  # turn → when it was last known to be ours
_stopping = threading.Event()
_thread: threading.Thread | None = None


def mine(name: str) -> bool:
    """Whether this process may do now what one only may."""
    if not name or connection.vendor == "sqlite":
        return True
    return time.monotonic() - _held.get(name, float("-inf")) < LOST


def begin(names: Collection[str]) -> None:
    """Try to have these turns, until `end`."""
    global _thread
    _stopping.clear()
    if names and connection.vendor == "postgresql":
        _thread = threading.Thread(target=_keep, args=(sorted(names),), name="turns", daemon=True)
        _thread.start()


def end() -> None:
    """Give them back."""
    global _thread
    _stopping.set()
    if _thread is not None:
        _thread.join(5)
    _thread = None


def _keep(names: Collection[str]) -> None:
    while not _stopping.is_set():
        try:
            with connection.cursor() as cursor:
                for name in names:
                    asked = time.monotonic()
                    if name in _held:
                        cursor.execute("SELECT 1")
                    else:
                        number = crc32(name.encode()) - 2**31
                        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_SPACE, number])
                        if not cursor.fetchone()[0]:
                            continue
                        log.info("this process takes over: %s", name)
                    _held[name] = asked
        except Exception:
            if _held:
                log.warning("the connection that holds our turns is lost", exc_info=True)
            _held.clear()
            connection.close()
        _stopping.wait(EVERY)
    _held.clear()
    connection.close()
