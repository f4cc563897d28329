"""Where accepted requests wait, durably: append-only files under HOME/inbox, one writer thread, one sync for all.

One process writes, another may read. The file `written` beside the segments tells the reader which one is still being
written and how far it is on the disk; it is only as good as the page cache, and that is enough: when the machine stops
there is no writer, and the next one begins it anew. A segment that isn't named there may be read to its end.

A segment is a whole file header (magic, when it was made, CRC) and records (length, CRC, payload). It gets its name
when its header is on the disk, so a segment with a short header is damage and is kept aside. A restarted process never
appends to an old segment: a torn tail left by kill -9 is always at the end of a file, behind everything that was
acknowledged. What a record says is `Record`; what the events in it mean isn't known here.
"""

import asyncio
import contextlib
import errno
import fcntl
import json
import logging
import os
import queue
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple
from zlib import crc32

from regulars.kernel import clock, ids

_HEADER = struct.Struct("<8sq")  # magic, made at (epoch µs); its CRC follows
_MAGIC = b"REGINBX1"
_FRAME = struct.Struct("<II")  # length of the payload, CRC of length and payload
_FIXED = struct.Struct("<qIBB")  # received at (µs), write key, kind, length of the Sent-At header
_SUFFIX = ".segment"
_WRITTEN = "written"
_SEAL = struct.Struct("<II")  # length and CRC of what `written` holds: it may be read while it is being replaced
HEADER_BYTES = _HEADER.size + 4
# What a record can be at most: the largest body that the door lets in, and room to spare.
RECORD_LIMIT = 2**20

KINDS = ("identify", "track", "page", "screen", "group", "alias", "batch", "import")

_log = logging.getLogger(__name__)


class Record(NamedTuple):
    """One accepted request: when (epoch µs), by which write key, on which path, and the inflated body as it came."""

    received_at: int
    key_id: int
    kind: str
    sent_at: str
    body: bytes


class Placed(NamedTuple):
    """A record with its place, which names it for ever: segments' names are never used again."""

    segment: str
    offset: int
    record: Record


class Reading(NamedTuple):
    """What `read` found: the records and where to go on. `state` is "end", "more" (read on), "torn" (it ends in a
    record that was never acknowledged) or "damaged" (not what was written; `offset` is behind the damage, read on)."""

    records: list[Placed]
    offset: int
    state: Literal["end", "more", "torn", "damaged"]


@dataclass(frozen=True, slots=True)
class Written:
    """What the writer has told: the segment that is open ("": none), how far it is durable, and how far those are good
    that it gave up when the disk failed.
    """

    open: str = ""
    size: int = 0
    limits: Mapping[str, int] = field(default_factory=dict)

    def end_of(self, segment: str) -> int | None:
        """How far the segment may be read by now; None: to its end, nobody writes to it."""
        return self.size if segment == self.open else self.limits.get(segment)


class Full(Exception):
    """The inbox can't take a record now: `code` is "disk" (write failed) or "backlog" (too much waits)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def packed(*, received_at: int, key_id: int, kind: str, sent_at: str, body: bytes) -> bytes:
    """A record with its frame, as it stands in the file."""
    told = sent_at.encode()[:255]
    payload = _FIXED.pack(received_at, key_id, KINDS.index(kind), len(told)) + told + body
    size = len(payload)
    return _FRAME.pack(size, crc32(payload, size)) + payload


def _unpacked(payload: bytes) -> Record:
    received_at, key_id, kind, told = _FIXED.unpack_from(payload)
    start = _FIXED.size + told
    return Record(
        received_at, key_id, KINDS[kind], payload[_FIXED.size : start].decode(errors="replace"), payload[start:]
    )


def _header(made_at: int) -> bytes:
    told = _HEADER.pack(_MAGIC, made_at)
    return told + crc32(told).to_bytes(4, "little")


def segments(folder: Path) -> list[str]:
    """The names of the segments that wait, oldest first."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(_SUFFIX))
    return []


def written(folder: Path) -> Written:
    """How far the segments may be read. To be asked after `segments`: one that was begun later isn't among those, and
    those before it are closed.
    """
    for _ in range(100):
        try:
            with (folder / _WRITTEN).open("rb") as file:
                data = file.read()
        except FileNotFoundError:
            return Written()
        if len(data) < _SEAL.size:
            return Written()
        length, crc = _SEAL.unpack_from(data)
        told = data[_SEAL.size : _SEAL.size + length]
        if crc32(told) == crc:
            return Written(**json.loads(told))
        time.sleep(0.0001)  # it was being replaced just now
    return Written()  # what a power cut left: nobody writes


def discard(folder: Path, segment: str) -> None:
    """Delete a segment all of whose records were taken in."""
    (folder / segment).unlink(missing_ok=True)
    sync_folder(folder)


def backlog(folder: Path) -> int:
    """How much is in the segments that aren't deleted yet."""
    total = 0
    for name in segments(folder):
        with contextlib.suppress(FileNotFoundError):
            total += (folder / name).stat().st_size
    return total


def read(folder: Path, segment: str, offset: int, *, limit: int, end: int | None = None) -> Reading:
    """Whole records of a segment from `offset` (0 begins), about `limit` bytes of them, none reaching beyond `end`.

    `end` is the durable size of a segment that is being written. Raises FileNotFoundError.
    """
    with (folder / segment).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        stop = size if end is None else min(end, size)
        intact = True
        if offset < HEADER_BYTES:
            first = file.read(HEADER_BYTES)
            intact = len(first) == HEADER_BYTES and first == _header(_HEADER.unpack_from(first)[1])
            offset = HEADER_BYTES
        file.seek(offset)
        data = file.read(max(0, min(limit + RECORD_LIMIT, stop - offset)))
    if not intact:
        return Reading([], offset, "damaged")
    found: list[Placed] = []
    at, have = 0, len(data)
    while at < limit:
        if offset + at >= stop:
            return Reading(found, offset + at, "end")
        after = _whole(data, at)
        if after is None:
            if offset + have < stop and have - at < _FRAME.size + RECORD_LIMIT:
                break  # it may reach beyond what was read this time
            behind = next((place for place in range(at + 1, have) if _whole(data, place)), None)
            if behind is not None:
                return Reading(found, offset + behind, "damaged")
            if offset + have < stop:
                return Reading(found, offset + have - _FRAME.size - RECORD_LIMIT, "damaged")
            return Reading(found, stop, "torn")
        payload = data[at + _FRAME.size : after]
        found.append(Placed(segment, offset + at, _unpacked(payload)))
        at = after
    return Reading(found, offset + at, "more")


def _whole(data: bytes, at: int) -> int | None:
    """The end of the record that begins at `at`; None when there is no whole and unharmed one."""
    if at + _FRAME.size > len(data):
        return None
    length, crc = _FRAME.unpack_from(data, at)
    after: int = at + _FRAME.size + length
    if not _FIXED.size <= length <= RECORD_LIMIT or after > len(data):
        return None
    return after if crc32(memoryview(data)[at + _FRAME.size : after], length) == crc else None


def keep_aside(folder: Path, segment: str) -> None:
    """Keep a damaged segment under another name, for a person to look at, and say so in the log."""
    path = folder / segment
    aside = path.with_suffix(".damaged")
    if not aside.exists():
        aside.hardlink_to(path)
        sync_folder(folder)
    _log.error("The inbox file %s is damaged; it is kept as %s. All that can be read is taken in.", path, aside.name)


def sync_data(fd: int) -> None:
    """Make what was written to the file durable. macOS leaves it in the drive's own memory unless told otherwise."""
    if sys.platform == "darwin":
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)


def sync_folder(folder: Path) -> None:
    """Make names given and taken in the folder durable."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Inbox:
    """The one writer of a folder. `put` from any event loop; `ring` is called when there is something new to read.

    An open segment is closed when it is `open_for` µs old, so that what is in the log doesn't stay here for months.
    `write` and `sync` are the calls of the operating system, so that tests can let the disk be full.
    """

    def __init__(
        self, folder: Path, *, ring: Callable[[], None] = lambda: None, segment_bytes: int = 16 * 2**20,
        waiting_bytes: int = 32 * 2**20, backlog_bytes: int = 2**30, open_for: int = 3_600_000_000,
        write: Callable[[int, memoryview], int] = os.write, sync: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        self.folder = folder
        self._segment_bytes, self._waiting_bytes, self._backlog_bytes = segment_bytes, waiting_bytes, backlog_bytes
        self._write, self._sync, self._ring, self._open_for = write, sync or sync_data, ring, open_for
        self._queue: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._entered = self._left = 0  # bytes: the first is counted by the loop, the second by the writer
        self._fd = -1
        self._name = ""
        self._size = 0
        self._failures = 0  # writes in a row
        self._made_at = 0  # of the open segment, epoch µs
        self._limits: dict[str, int] = {}  # segments given up in this process: how far each is good
        folder.mkdir(parents=True, exist_ok=True)
        for half in folder.glob("*.half"):
            half.unlink()
        self._told = os.open(folder / _WRITTEN, os.O_RDWR | os.O_CREAT, 0o600)
        self._tell()
        self._on_disk = backlog(folder)
        self._measured = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)
        self._thread.start()

    def put(self, record: bytes) -> "asyncio.Future[None]":
        """A future that is done when the (packed) record is on the disk. Raises Full, or the future does."""
        if self._entered - self._left > self._waiting_bytes or self._overflows():
            raise Full("backlog")
        future = asyncio.get_running_loop().create_future()
        self._entered += len(record)
        self._queue.put((record, future))
        return future

    @property
    def failing(self) -> bool:
        """Whether the last write failed."""
        return self._failures > 0

    def takes(self) -> bool:
        """Whether a record would be taken now. After a failed write that is tried out beside the segments, so that one
        who sends nothing more finds out when the disk is well again. Blocks; for any thread.
        """
        if self._entered - self._left > self._waiting_bytes or backlog(self.folder) > self._backlog_bytes:
            return False
        if not self.failing:
            return True
        trial = self.folder / "trial"
        try:
            fd = os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                self._write_all(fd, b"0" * 65_536)
                self._sync(fd)
            finally:
                os.close(fd)
                trial.unlink()
        except OSError:
            return False
        return True

    def _overflows(self) -> bool:
        """Whether too much waits; the reader's progress is looked for once a second at most."""
        if self._on_disk > self._backlog_bytes and time.monotonic() - self._measured > 1:
            self._on_disk, self._measured = backlog(self.folder), time.monotonic()
        return self._on_disk > self._backlog_bytes

    def _tell(self) -> None:
        """Publish how far the reader may go. Before an answer goes out, and before a new segment gets its name."""
        for name in [name for name in self._limits if not (self.folder / name).exists()]:
            del self._limits[name]
        told = json.dumps({"open": self._name, "size": self._size, "limits": self._limits}).encode()
        os.pwrite(self._told, _SEAL.pack(len(told), crc32(told)) + told, 0)

    def close(self) -> None:
        """Write what waits, then stop the writer."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_:
            try:
                first = self._queue.get(timeout=self._until_closing())
            except queue.Empty:
                self._shut()
                continue
            if first is None:
                break
            group = [first]
            size = len(first[0])
            with contextlib.suppress(queue.Empty):
                while size < 4 * 2**20:
                    item = self._queue.get_nowait()
                    if item is None:
                        open_ = False
                        break
                    group.append(item)
                    size += len(item[0])
            fault = self._store(b"".join([record for record, _ in group]))
            self._left += size
            self._answer([future for _, future in group], fault)
        self._shut()
        os.close(self._told)

    def _until_closing(self) -> float | None:
        """Seconds until the open segment is old enough; None when none is open."""
        if self._fd < 0:
            return None
        left = self._made_at + self._open_for - clock.micros()
        return max(0.0, min(left, self._open_for) / 1e6)  # the clock may have gone back

    def _shut(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._name, self._size = -1, "", 0
        with contextlib.suppress(OSError):
            self._tell()
        self._ring()

    def _store(self, data: bytes) -> Full | None:
        """Append and sync, or leave no trace: nothing that wasn't acknowledged stays readable."""
        try:
            full = self._size + len(data) > max(self._segment_bytes, HEADER_BYTES + len(data))
            if full or self._until_closing() in (None, 0):
                self._rotate()
            self._write_all(self._fd, data)
            self._sync(self._fd)
        except OSError as error:
            self._failures += 1
            if self._failures & (self._failures - 1) == 0:  # 1st, 2nd, 4th …: the log may lie on the same disk
                _log.error("The inbox couldn't write to %s, %s in a row: %s", self.folder, self._failures, error)
            self._give_up()
            return Full("disk")
        self._failures = 0
        self._size += len(data)
        self._on_disk += len(data)
        with contextlib.suppress(OSError):  # the disk is full, for what isn't written in place: told with the next one
            self._tell()
        self._ring()
        return None

    def _write_all(self, fd: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:  # a nearly full disk takes a part without an error; the rest then says what is wrong
            taken = self._write(fd, rest)
            if taken <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            rest = rest[taken:]

    def _rotate(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._name, self._size = -1, "", 0
        name = ids.new_id() + _SUFFIX
        half = self.folder / f"{name}.half"
        fd = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            self._made_at = clock.micros()
            self._write_all(fd, _header(self._made_at))
            self._sync(fd)
            self._name, self._size = name, HEADER_BYTES
            self._tell()  # first: whoever sees the name mustn't take the segment for one that nobody writes to
            half.rename(self.folder / name)
            sync_folder(self.folder)
        except OSError:
            os.close(fd)
            self._name, self._size = "", 0
            with contextlib.suppress(OSError):
                half.unlink(missing_ok=True)
            raise
        self._fd = fd
        self._on_disk += HEADER_BYTES

    def _give_up(self) -> None:
        """After a failed write: cut the file back to what is acknowledged and begin another one next time."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
                os.fsync(self._fd)
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._limits[self._name] = self._size
        self._fd, self._name, self._size = -1, "", 0
        with contextlib.suppress(OSError):
            self._tell()

    @staticmethod
    def _answer(futures: Sequence["asyncio.Future[None]"], fault: Full | None) -> None:
        loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        for future in futures:
            loops.setdefault(future.get_loop(), []).append(future)
        for loop, its in loops.items():
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, its, fault)


def _settle(futures: Sequence["asyncio.Future[None]"], fault: Full | None) -> None:
    for future in futures:
        if future.done():  # the client went away
            continue
        if fault is None:
            future.set_result(None)
        else:
            future.set_exception(fault)
