"""The inbox: what was acknowledged is readable for ever, what wasn't is never read by half."""

import asyncio
import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.eventlog.ingest import inbox
from regulars.eventlog.ingest.inbox import Full, Inbox, packed


def record(number: int, size: int = 20) -> bytes:
    body = f"{number}:".encode() + b"x" * size
    return packed(received_at=number, key_id=1, kind="track", sent_at="", body=body)


async def put(box: Inbox, numbers: list[int], size: int = 20) -> list[bool]:
    """Whether each was acknowledged."""
    waiting = [box.put(record(number, size)) for number in numbers]
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(answer is None or isinstance(answer, Full) for answer in answers)
    return [answer is None for answer in answers]


def numbers_in(folder: Path) -> list[int]:
    found: list[int] = []
    for segment in inbox.segments(folder):
        reading = inbox.read(folder, segment, 0, limit=2**30, end=inbox.written(folder).end_of(segment))
        found += [placed.record.received_at for placed in reading.records]
    return found


def test_what_is_acknowledged_is_read_back_in_order(tmp_path: Path) -> None:
    box = Inbox(tmp_path)
    assert all(asyncio.run(put(box, list(range(1000)))))
    assert numbers_in(tmp_path) == list(range(1000))
    box.close()
    first = inbox.read(tmp_path, inbox.segments(tmp_path)[0], 0, limit=1).records
    assert [placed.offset for placed in first] == [inbox.HEADER_BYTES]
    assert first[0].record == inbox.Record(0, 1, "track", "", b"0:" + b"x" * 20)


def test_many_who_wait_share_one_sync(tmp_path: Path) -> None:
    syncs = []

    def sync(fd: int) -> None:
        syncs.append(fd)
        inbox.sync_data(fd)

    box = Inbox(tmp_path, sync=sync)
    assert all(asyncio.run(put(box, list(range(500)))))
    box.close()
    assert len(syncs) < 100


def test_reading_goes_on_where_it_stopped_and_keeps_to_the_limit(tmp_path: Path) -> None:
    box = Inbox(tmp_path)
    asyncio.run(put(box, list(range(100))))
    box.close()
    (segment,) = inbox.segments(tmp_path)
    found, offset, state = [], 0, "more"
    while state == "more":
        reading = inbox.read(tmp_path, segment, offset, limit=300)
        assert len(reading.records) <= 9
        found += [placed.record.received_at for placed in reading.records]
        offset, state = reading.offset, reading.state
    assert (found, state) == (list(range(100)), "end")


def test_a_segment_that_is_large_enough_is_followed_by_another(tmp_path: Path) -> None:
    box = Inbox(tmp_path, segment_bytes=1000)
    for start in range(0, 100, 10):
        asyncio.run(put(box, list(range(start, start + 10))))
    names = inbox.segments(tmp_path)
    assert len(names) > 3
    assert inbox.written(tmp_path).open == names[-1]
    assert numbers_in(tmp_path) == list(range(100))
    before = inbox.backlog(tmp_path)
    inbox.discard(tmp_path, names[0])
    assert names[0] not in inbox.segments(tmp_path)
    assert inbox.backlog(tmp_path) < before
    box.close()


def test_a_restarted_inbox_never_appends_to_an_old_segment(tmp_path: Path) -> None:
    for start in (0, 5):
        box = Inbox(tmp_path)
        asyncio.run(put(box, list(range(start, start + 5))))
        box.close()
    assert len(inbox.segments(tmp_path)) == 2
    assert numbers_in(tmp_path) == list(range(10))


def test_what_the_reader_deleted_makes_room_again(tmp_path: Path, wait_for: Callable[..., None]) -> None:
    box = Inbox(tmp_path, backlog_bytes=500, segment_bytes=200)

    def accepted() -> bool:
        try:
            return asyncio.run(put(box, [1])) == [True]
        except Full:
            return False

    while accepted():
        pass
    for segment in inbox.segments(tmp_path)[:-1]:
        inbox.discard(tmp_path, segment)
    wait_for(accepted, 10, "the writer to see that there is room")
    box.close()


def test_too_much_that_waits_is_refused(tmp_path: Path) -> None:
    box = Inbox(tmp_path, backlog_bytes=500)
    answers = []
    for number in range(30):
        try:
            answers += asyncio.run(put(box, [number]))
        except Full as full:
            assert full.code == "backlog"
            answers.append(False)
    assert answers == [True] * sum(answers) + [False] * (30 - sum(answers))
    assert numbers_in(tmp_path) == list(range(sum(answers)))
    box.close()


def test_a_file_torn_at_any_byte_gives_the_whole_records_before_it() -> None:
    whole = b"".join(record(number, size=number) for number in range(5))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.segment"
        path.write_bytes(inbox._header(1) + whole)
        starts = [placed.offset for placed in inbox.read(path.parent, path.name, 0, limit=2**20).records]
        ends = [*starts[1:], inbox.HEADER_BYTES + len(whole)]
        for size in range(inbox.HEADER_BYTES + len(whole) + 1):
            path.write_bytes((inbox._header(1) + whole)[:size])
            reading = inbox.read(path.parent, path.name, 0, limit=2**20)
            assert [placed.record.received_at for placed in reading.records] == list(
                range(sum(e <= size for e in ends))
            )
            if size < inbox.HEADER_BYTES:
                assert reading.state == "damaged"
            else:
                assert reading.state == ("end" if size in (inbox.HEADER_BYTES, *ends) else "torn")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.integers(1, 255), st.integers(50, 500))
def test_a_wrong_byte_anywhere_costs_one_record_at_most_and_is_noticed(place: int, flip: int, limit: int) -> None:
    whole = inbox._header(1) + b"".join(record(number, size=number * 5) for number in range(6))
    data = bytearray(whole)
    place %= len(data)
    data[place] ^= flip
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.segment").write_bytes(data)
        found, states, offset = [], ["more"], 0
        while states[-1] in ("more", "damaged"):
            reading = inbox.read(Path(folder), "a.segment", offset, limit=limit)
            assert reading.offset > offset or reading.state == "end"
            found += [placed.record.received_at for placed in reading.records]
            offset = reading.offset
            states.append(reading.state)
    harmed = [] if place < inbox.HEADER_BYTES else [n for n in range(6) if n not in found]
    assert found == [n for n in range(6) if n not in harmed]
    assert len(harmed) == (place >= inbox.HEADER_BYTES)
    if harmed != [5]:  # in the last record it looks like a torn tail
        assert "damaged" in states


def test_space_that_nobody_wrote_is_a_torn_tail_and_not_damage(tmp_path: Path) -> None:
    (tmp_path / "a.segment").write_bytes(inbox._header(1) + record(1) + b"\0" * 4096)
    reading = inbox.read(tmp_path, "a.segment", 0, limit=2**20)
    assert (len(reading.records), reading.state) == (1, "torn")


class Disk:
    """Takes part of a write without an error, or fails, as its plan says; a plan that is used up works well."""

    def __init__(self, plan: list[str]) -> None:
        self.plan = plan

    def write(self, fd: int, data: memoryview) -> int:
        does = self.plan.pop(0) if self.plan else "all"
        if does == "full":
            raise OSError(errno.ENOSPC, "No space left on device")
        if does == "part":
            return os.write(fd, data[: max(1, len(data) // 2)])
        if does == "none":
            return 0
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        if self.plan and self.plan[0] == "sync fails":
            self.plan.pop(0)
            raise OSError(errno.EIO, "Input/output error")
        inbox.sync_data(fd)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["all", "part", "full", "none", "sync fails"]), max_size=25))
def test_on_a_failing_disk_exactly_what_was_acknowledged_is_read(plan: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk(list(plan))
        box = Inbox(Path(folder), write=disk.write, sync=disk.sync, segment_bytes=400)
        acknowledged = []
        for number in range(25):
            if asyncio.run(put(box, [number]))[0]:
                acknowledged.append(number)
        assert numbers_in(Path(folder)) == acknowledged
        box.close()
        assert numbers_in(Path(folder)) == acknowledged
        assert len(acknowledged) >= 25 - len(plan)


FULL_CHILD = """
import asyncio, resource, signal, sys
from pathlib import Path
from regulars.eventlog.ingest.inbox import Full, Inbox, packed
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
box = Inbox(Path(sys.argv[1]))

async def put(number):
    try:
        await box.put(packed(received_at=number, key_id=1, kind="track", sent_at="", body=b"x" * 300))
    except Full:
        return
    print(number, flush=True)

for number in range(60):
    asyncio.run(put(number))
"""


def test_a_file_that_may_not_grow_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.run(
        [sys.executable, "-c", FULL_CHILD, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    )
    acknowledged = [int(line) for line in child.stdout.split()]
    assert len(acknowledged) >= 50
    assert numbers_in(tmp_path) == acknowledged
    assert len(inbox.segments(tmp_path)) > 1


def test_a_damaged_segment_is_kept_aside_and_reported(tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "a.segment").write_bytes(inbox._header(1)[:7])
    assert inbox.read(tmp_path, "a.segment", 0, limit=100).state == "damaged"
    inbox.keep_aside(tmp_path, "a.segment")
    inbox.keep_aside(tmp_path, "a.segment")
    assert (tmp_path / "a.damaged").read_bytes() == inbox._header(1)[:7]
    assert "a.damaged" in caplog.text


def test_a_segment_whose_header_never_became_whole_isnt_seen(tmp_path: Path) -> None:
    (tmp_path / "b.segment.half").write_bytes(b"REG")
    box = Inbox(tmp_path)
    box.close()
    assert [path.name for path in tmp_path.iterdir()] == ["written"]


KILLED_CHILD = """
import asyncio, sys
from pathlib import Path
from regulars.eventlog.ingest.inbox import Inbox, packed
box = Inbox(Path(sys.argv[1]), segment_bytes=20_000)

async def one(number):
    await box.put(packed(received_at=number, key_id=1, kind="track", sent_at="", body=b"x" * 300))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()

async def all():
    number = 0
    while True:
        await asyncio.gather(*[one(number + i) for i in range(10)])
        number += 10

asyncio.run(all())
"""


@pytest.mark.parametrize("after", [1, 30, 200, 700])
def test_what_was_acknowledged_before_a_kill_is_there(tmp_path: Path, after: int) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED_CHILD, str(tmp_path)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    acknowledged = [int(child.stdout.readline()) for _ in range(after)]
    child.kill()
    rest = child.stdout.read()
    acknowledged += [int(line) for line in rest.split("\n")[:-1]]
    child.wait()
    child.stdout.close()
    there = numbers_in(tmp_path)
    assert len(there) == len(set(there))
    assert set(acknowledged) <= set(there)
