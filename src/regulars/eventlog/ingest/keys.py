"""The write keys in memory. The only place of the ingest that asks Django."""

import asyncio
import logging
import threading
import time
from base64 import b64decode
from collections.abc import Callable

_log = logging.getLogger(__name__)
FRESH_SECONDS = 5.0  # a revoked key works no longer than this
AGAIN_SECONDS = 0.5  # unknown keys make us look this often at most
# Headers remembered: one key has endless spellings (a password behind it, bytes that Base64 skips).
HEADERS, HEADER_BYTES = 1000, 500


def from_database() -> dict[str, int]:
    """Write key → id of those not revoked."""
    from django.db import connection

    from regulars.accounts.queries import active_write_keys

    try:
        return active_write_keys()
    finally:
        connection.close()  # the thread that looks is a passing one


class WriteKeys:
    """Answers from memory which id a key has; looks again by itself, and sooner when a key is unknown."""

    def __init__(self, load: Callable[[], dict[str, int]] = from_database) -> None:
        self._load = load
        self._ids: dict[str, int] = {}
        self._of_header: dict[bytes, int] = {}
        self._looked = float("-inf")
        self._known = False  # whether the last look saw the keys
        self._looking = threading.Lock()

    def of_header(self, authorization: bytes) -> int | None:
        """The id for a Basic Authorization header "KEY:" (a Bearer KEY is taken too), or None."""
        known = self._of_header.get(authorization)
        if time.monotonic() - self._looked > FRESH_SECONDS:
            self._look_in_background()
        if known is not None:
            return known
        key = key_in(authorization)
        found = self._ids.get(key) if key else None
        if found is not None and len(authorization) <= HEADER_BYTES:
            if len(self._of_header) >= HEADERS:
                self._of_header = {}
            self._of_header[authorization] = found
        return found

    def of_key(self, key: str) -> int | None:
        """The id of the key, or None."""
        if time.monotonic() - self._looked > FRESH_SECONDS:
            self._look_in_background()
        return self._ids.get(key)

    async def look_again(self) -> bool:
        """Before refusing a key: it may have been made a moment ago. False when the keys couldn't be read, so that
        nobody can say whether a key is unknown.
        """
        if time.monotonic() - self._looked > AGAIN_SECONDS:
            await asyncio.to_thread(self._look)
        return self._known

    def _look_in_background(self) -> None:
        if not self._looking.locked():
            threading.Thread(target=self._look, name="write-keys", daemon=True).start()

    def _look(self) -> None:
        before = self._looked
        with self._looking:
            if self._looked != before:
                return  # another thread looked while this one waited
            try:
                fresh = self._load()
            except Exception:  # the database is busy or away: what we know goes on working
                _log.exception("The write keys couldn't be read")
                self._known, self._looked = False, time.monotonic()
                return
            if fresh != self._ids:
                self._ids, self._of_header = fresh, {}
            self._known, self._looked = True, time.monotonic()


def key_in(authorization: bytes) -> str:
    """The key in an Authorization header; "" when there is none."""
    scheme, _, value = authorization.strip().partition(b" ")
    if scheme.lower() == b"bearer":
        return value.strip().decode(errors="replace")
    if scheme.lower() != b"basic":
        return ""
    try:
        return b64decode(value.strip(), validate=False).decode().partition(":")[0]
    except ValueError:
        return ""
