"""The write keys in memory. The only place of the ingest that asks Django."""

import asyncio
import logging
import threading
import time
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import Future

_log = logging.getLogger(__name__)
FRESH_SECONDS = 1.0  # keys older than this are read again beside the requests that use them …
STALE_SECONDS = 2.0  # … and those older than this before one is answered, so a revoked key works no longer
PATIENCE = 1.0  # seconds that requests wait for a database that doesn't answer; then what we know goes on working
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
        # Ids by key, and by header: replaced together, so that a revoked key isn't put among the headers of new keys.
        self._told: tuple[dict[str, int], dict[bytes, int]] = {}, {}
        self._looked = self._excused = float("-inf")
        self._known = False  # whether the last look saw the keys
        self._starting = threading.Lock()
        self._looking: Future[None] | None = None

    def of_header(self, authorization: bytes) -> int | None:
        """The id for a Basic Authorization header "KEY:" (a Bearer KEY is taken too); None too while keys are stale."""
        ids, headers = self._told
        known = headers.get(authorization)
        if self._older(FRESH_SECONDS):
            if self._older(STALE_SECONDS):
                return None  # nobody sent anything for a while: `freshen` first
            self._look_in_background()
        if known is not None:
            return known
        key = key_in(authorization)
        found = ids.get(key) if key else None
        if found is not None and len(authorization) <= HEADER_BYTES:
            if len(headers) >= HEADERS:
                headers.clear()
            headers[authorization] = found
        return found

    def of_key(self, key: str) -> int | None:
        """The id of the key, or None."""
        if self._older(FRESH_SECONDS):
            self._look_in_background()
        return self._told[0].get(key)

    async def freshen(self) -> None:
        """Before a request is answered: no key counts that nobody has looked for within STALE_SECONDS."""
        if self._older(STALE_SECONDS):
            look = asyncio.wrap_future(self._look_in_background())
            await asyncio.wait({look}, timeout=PATIENCE)
            if not look.done():
                self._excused = time.monotonic()

    async def look_again(self) -> bool:
        """Before refusing a key: it may have been made a moment ago. False when the keys couldn't be read, so that
        nobody can say whether a key is unknown.
        """
        if time.monotonic() - self._looked > AGAIN_SECONDS:
            await asyncio.wait({asyncio.wrap_future(self._look_in_background())})
        return self._known

    def _older(self, seconds: float) -> bool:
        return time.monotonic() - max(self._looked, self._excused) > seconds

    def _look_in_background(self) -> Future[None]:
        """Done when somebody has looked; all who ask meanwhile wait for the same look."""
        with self._starting:
            if self._looking is None or self._looking.done():
                self._looking = Future()
                threading.Thread(target=self._look, args=(self._looking,), name="write-keys", daemon=True).start()
            return self._looking

    def _look(self, done: Future[None]) -> None:
        try:
            fresh = self._load()
        except Exception:  # the database is busy or away: what we know goes on working
            _log.exception("The write keys couldn't be read")
            self._known = False
        else:
            if fresh != self._told[0]:
                self._told = fresh, {}
            self._known = True
        self._looked = time.monotonic()
        done.set_result(None)


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
