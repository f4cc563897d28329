"""A parent and its children: started together, watched, started again when one dies, ended together.

The parent does nothing else and stays small. A child that dies is started again, at once the first time and then after
longer and longer pauses, also while it starts. Before all have been up, everything ends when one says that it can't or
has failed by itself a few times in a row. Children hold a copy of the folder's lock, so that nobody else can have the
folder while one of them lives; when the parent dies however (SIGKILL), they see the end of a pipe that only the parent
can write to, and end too.

Children are forked where that is safe (Linux: the parent has one thread and no connection), which shares what has been
imported; elsewhere they are begun anew (macOS).
"""

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import connection, reduction
from multiprocessing.connection import Connection
from typing import Any

log = logging.getLogger(__name__)

PATIENCE = 30.0  # seconds a child has to end by itself
STEADY = 60.0  # a child that lived so long has not failed in a row
ATTEMPTS = 3
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_FAULTS = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}  # of who gets them


class Descriptor:
    """An open file that children share (the folder's lock); None for none."""

    def __init__(self, number: int | None) -> None:
        self.number = number

    def __reduce__(self) -> Any:
        return _arrived, (None if self.number is None else reduction.DupFd(self.number),)


def _arrived(duplicate: Any) -> Descriptor:
    return Descriptor(None if duplicate is None else duplicate.detach())


@dataclass(frozen=True, slots=True)
class Child:
    """`work(stopping, ready, *arguments)` runs in a process of its own until `stopping` is set; it calls `ready` once
    it does its work. `after`: whose ending is waited for before this one is told to end.
    """

    name: str
    work: Callable[..., None]
    arguments: tuple[Any, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(slots=True)
class _Life:
    child: Child
    process: Any = None
    told: Connection | None = None
    ready: bool = False
    began: float = 0.0
    failures: int = 0
    faults: int = 0  # by itself, in a row
    again_at: float | None = None
    asked: bool = field(default=False)


class Ended(Exception):
    """A child was given up before all were ready; `code` is its exit code."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"the process {name!r} can't start ({_how(code)})")
        self.name, self.code = name, code


def run(
    children: Sequence[Child], *, lock: int | None, up: Callable[[], None], refused: int | None = None,
    method: str | None = None,
) -> None:  # fmt: skip
    """Start all, call `up` when they are ready, keep them running, and end them on SIGTERM or SIGINT. A child that ends
    with `refused` has said why it can't start.

    Raises Ended when one doesn't even start. Only for the main thread of a process without other threads.
    """
    context = multiprocessing.get_context(method or ("fork" if sys.platform == "linux" else "spawn"))
    alive_reading, alive_writing = context.Pipe(duplex=False)
    lives = [_Life(child) for child in children]
    announced = False
    with _signals() as signalled:
        try:
            for life in lives:
                _start(context, life, (alive_reading, alive_writing), lock)
            while True:
                told = {life.told: life for life in lives if life.told is not None}
                ended = {life.process.sentinel: life for life in lives if life.process is not None}
                due = [life.again_at for life in lives if life.again_at is not None]
                pause = max(0.0, min(due) - time.monotonic()) if due else None
                woken = connection.wait([signalled, *told, *ended], pause)
                if signalled in woken:
                    break
                for source in woken:
                    if source in told:
                        _heard(told[source])
                    elif source in ended and ended[source].process is not None:
                        _died(ended[source], announced, refused)
                for life in lives:
                    if life.again_at is not None and time.monotonic() >= life.again_at:
                        _start(context, life, (alive_reading, alive_writing), lock)
                if not announced and all(life.ready for life in lives):
                    announced = True
                    up()
        finally:
            _end(lives)
            alive_reading.close()
            alive_writing.close()


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Something to wait for that has something to read once a signal came."""
    here, there = socket.socketpair()
    here.setblocking(False)
    there.setblocking(False)
    before = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
    descriptor = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
    try:
        yield here
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, handler in before.items():
            signal.signal(number, handler)
        here.close()
        there.close()


def _start(context: Any, life: _Life, alive: tuple[Connection, Connection], lock: int | None) -> None:
    child = life.child
    reading, writing = context.Pipe(duplex=False)
    forked = context.get_start_method() == "fork"
    kept = (alive[0], alive[1] if forked else None, writing, Descriptor(lock))
    # A signal that comes before the child has handlers of its own waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        process = context.Process(target=_live, args=(child.work, child.arguments, *kept), name=child.name)
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    writing.close()
    life.process, life.told, life.began, life.again_at = process, reading, time.monotonic(), None
    life.ready = False


def _heard(life: _Life) -> None:
    assert life.told is not None
    with contextlib.suppress(EOFError):
        life.told.recv()
        life.ready = True
    life.told.close()
    life.told = None


def _died(life: _Life, announced: bool, refused: int | None) -> None:
    life.process.join()
    code, life.process, life.ready = life.process.exitcode, None, False
    if life.told is not None:
        life.told.close()
        life.told = None
    if time.monotonic() - life.began > STEADY:
        life.failures = life.faults = 0
    life.failures += 1
    life.faults = life.faults + 1 if code > 0 or -code in _FAULTS else 0
    if not announced and (code == refused or life.faults >= ATTEMPTS):
        raise Ended(life.child.name, code)
    pause = min(2 ** (life.failures - 2), 60) if life.failures > 1 else 0
    life.again_at = time.monotonic() + pause
    log.error("the process %r ended (%s); it is started again in %s s", life.child.name, _how(code), pause)


def _how(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def _end(lives: Sequence[_Life]) -> None:
    """Tell each child to end as soon as those before it have; kill those that don't."""
    deadline = time.monotonic() + PATIENCE
    while running := {life.child.name: life for life in lives if life.process is not None}:
        for life in running.values():
            if not life.asked and not running.keys() & set(life.child.after):
                life.asked = True
                life.process.terminate()
        connection.wait([life.process.sentinel for life in running.values()], max(0.0, deadline - time.monotonic()))
        for name, life in running.items():
            if time.monotonic() >= deadline and life.process.is_alive():
                log.error("the process %r didn't end in time; it is killed", name)
                life.process.kill()
                life.process.join()
            if not life.process.is_alive():
                life.process.join()
                life.process = None
    for life in lives:
        if life.told is not None:
            life.told.close()


def _live(
    work: Callable[..., None], arguments: tuple[Any, ...], alive: Connection, others: Connection | None,
    told: Connection, lock: Descriptor,
) -> None:  # fmt: skip
    """In the child: `lock` is only held. Ctrl-C goes to everybody at a terminal; the parent passes it on."""
    stopping = threading.Event()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    if others is not None:
        others.close()
    threading.Thread(target=_end_with, args=(alive,), name="parent", daemon=True).start()

    def ready() -> None:
        with contextlib.suppress(BrokenPipeError):
            told.send(True)
        told.close()

    work(stopping, ready, *arguments)


def _end_with(alive: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        alive.recv()
    os._exit(1)  # the parent is dead: at once, as it was, so that another one can begin
