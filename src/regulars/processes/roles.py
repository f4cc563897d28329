"""What each process does. `regulars serve` is tracking, intake and rest over one data folder; on PostgreSQL `regulars
web` is tracking, intake and console, and `regulars worker` one process that works.

Each is a function of what is stopped, what to call when it does its work, and of what the family shares.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from socket import socket
from typing import TYPE_CHECKING

from regulars.eventlog.wake import Bell
from regulars.kernel.errors import Problem
from regulars.processes.family import Child

if TYPE_CHECKING:
    from regulars.wiring.control import Served

REFUSED = 2
"""The exit code of who has said why it can't start."""

WAITS = 10
"""How nice (nice(2)) processes are to the one that accepts, when there are more of them than cores."""

Ready = Callable[[], None]
Commands = Callable[[], "Sequence[Served]"]


@dataclass(frozen=True, slots=True)
class Shared:
    """Made by the parent: the public port, the socket of the console; who rings when something is accepted, and when
    something is in the log. `commands` are those of the command line that run inside.
    """

    public: socket
    console: socket
    accepted: Bell
    appended: Bell
    commands: Commands


def of_serve(shared: Shared) -> list[Child]:
    """Everything over one data folder."""
    return [
        Child("tracking", tracking, (shared,)),
        Child("intake", intake, (shared,), after=("tracking",)),
        Child("rest", rest, (shared,), after=("tracking",)),
    ]


def of_web(shared: Shared) -> list[Child]:
    """What answers requests; the work is done by workers elsewhere."""
    return [
        Child("tracking", tracking, (shared,)),
        Child("intake", intake, (shared,), after=("tracking",)),
        Child("console", console, (shared,), after=("tracking",)),
    ]


def tracking(stopping: threading.Event, ready: Ready, shared: Shared) -> None:
    """Owns the port: the tracking API with the inbox; every other request goes on to the console's process."""
    _django()
    from regulars import asgi
    from regulars.eventlog.ingest import door
    from regulars.processes import answering, forwarding, health
    from regulars.wiring import control, receiving

    inbox = receiving.open_inbox(shared.accepted.ring)
    with control.reachable(control.console_path()) as address:
        others = health.before(forwarding.forward(address), inbox)
        tracked = receiving.door_to(inbox)
        application = asgi.build(others, tracked, door.serves)
        answering.answer(application, shared.public, stopping=stopping, ready=ready, door=tracked)
    inbox.close()


def intake(stopping: threading.Event, ready: Ready, shared: Shared) -> None:
    """From the inbox into the log. What can wait gives way to accepting: the inbox holds a burst."""
    os.nice(WAITS)
    _django()
    from regulars.eventlog import wake
    from regulars.wiring import loops

    wake.tell(shared.appended)
    loops.start(loops.of_intake(shared.accepted), name="intake")
    ready()
    stopping.wait()
    loops.stop()


def rest(stopping: threading.Event, ready: Ready, shared: Shared) -> None:
    """Console, JSON API and all loops; owns the warehouse."""
    os.nice(WAITS)
    _django()
    from regulars.eventlog import wake
    from regulars.warehouse import agreement
    from regulars.wiring import loops

    try:
        agreement.ensure()
    except Problem as problem:
        sys.stderr.write(f"regulars: {problem.text}\n")
        sys.exit(REFUSED)
    with _asked(shared) as answer:
        wake.hear(shared.appended)
        loops.start(loops.of_work(), name="rest", working=True)
        try:
            answer(stopping, ready)
        finally:
            loops.stop()


def console(stopping: threading.Event, ready: Ready, shared: Shared) -> None:
    """Console and JSON API alone."""
    _django()
    with _asked(shared) as answer:
        answer(stopping, ready)


def work(stopping: threading.Event) -> None:
    """All loops, and nothing that answers."""
    from regulars.wiring import loops

    loops.start(loops.of_work(), name="worker", working=True)
    stopping.wait()
    loops.stop()


@contextlib.contextmanager
def _asked(shared: Shared) -> Iterator[Callable[[threading.Event, Ready], None]]:
    """Commands are answered; gives what answers requests."""
    from django.db import connections

    from regulars import asgi
    from regulars.processes import answering, forwarding, warming
    from regulars.wiring import control

    application = forwarding.arrived(asgi.console())
    with control.listening(shared.commands()):

        def answer(stopping: threading.Event, ready: Ready) -> None:
            with warming.beside():
                answering.answer(application, shared.console, stopping=stopping, ready=ready)

        yield answer
    connections.close_all()


def _django() -> None:
    """For a process that was begun anew; one that was forked has it."""
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
