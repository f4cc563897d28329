"""What is done besides answering requests: loops, each a supervised thread, on one screen. Which process runs which
is said in processes.roles.

A loop is a step that is done again and again. One that raises is logged and tried again with back-off; a loop never
ends unseen, and never takes another one with it. What the steps mean is the business of the apps below.
"""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, connections

from regulars.eventlog import dispatch, queries, wake
from regulars.eventlog.wake import Bell
from regulars.jobs import presence, running, worker
from regulars.jobs.presence import OFTEN, LoopView, ProcessView
from regulars.kernel import clock
from regulars.wiring import receiving, turns

log = logging.getLogger(__name__)

# A batch costs the warehouse tens of milliseconds whatever its size: events that come one by one go in together.
GATHER_SECONDS = 0.25
PATIENCE = 20.0  # seconds a loop has to finish its step when the process stops


@dataclass(frozen=True, slots=True)
class Loop:
    """`step` gives True when there is more to do at once; otherwise it is done again after `every` seconds, or as soon
    as events arrive when it `listens`, and `gathers` seconds more for those behind the first. Where several workers
    share a database, loops with the same `turn` run in one of them at a time; those without one share the work.
    """

    name: str
    step: Callable[[], bool]
    every: float = 1.0
    listens: bool = False
    gathers: float = 0.0
    turn: str = ""


@dataclass(slots=True)
class State:
    """How a loop fares, for people who look after the system."""

    name: str
    steps: int = 0
    failures: int = 0
    error: str = ""
    last_at: datetime | None = None
    thread: threading.Thread | None = field(default=None, repr=False)


_stopping = threading.Event()
_states: dict[str, State] = {}
_name = ""  # of this process, if it tells of itself
_told: tuple[float, frozenset[str]] = (0.0, frozenset())  # when (monotonic), and which loops failed then


def of_intake(accepted: Bell) -> list[Loop]:
    """Of each process with an inbox."""
    return [Loop("intake", partial(receiving.step, accepted), every=receiving.COLLECT_SECONDS)]


def of_work() -> list[Loop]:
    """Of the process that works, or of each of several workers. Numbering, dispatch, webhooks and jobs find their work
    by locking or claiming rows.
    """
    from regulars.warehouse import lake, refresh  # a hundred megabytes that an intake does without
    from regulars.warehouse.lake import upkeep
    from regulars.webhooks import sending
    from regulars.wiring import schedules
    from regulars.wiring.subscriptions import SUBSCRIBERS

    # A lake has locks of its own. One feeds it all the same: two would prepare every batch and one of them for nothing.
    warehouse, feed = ("", "feed") if lake.used() else ("warehouse", "warehouse")
    return [
        Loop("numbering", lambda: dispatch.number() > 0, every=0.2, listens=True),
        *(
            Loop(
                f"dispatch {one.name}", partial(_dispatch, one), every=0.5, listens=True,
                gathers=GATHER_SECONDS if one.own_place else 0.0, turn=feed if one.own_place else "",
            )
            for one in SUBSCRIBERS
        ),
        Loop("live refresh", lambda: refresh.live() > 0, every=0.5, turn=warehouse),
        Loop("full refresh", refresh.step, turn=warehouse),
        *([Loop("lake", upkeep.step, turn=warehouse)] if lake.used() else []),
        Loop("webhooks", lambda: sending.send_due() > 0, listens=True),
        *(Loop(f"jobs {place}", lambda: worker.run_ready() > 0, every=0.5) for place in (1, 2)),
        Loop("abandoned jobs", lambda: worker.revive(alone=False) > 0, every=30),
        *(Loop(f"schedule {one.name}", one.step, every=one.every, turn="schedules") for one in schedules.SCHEDULES),
    ]  # fmt: skip


def _dispatch(subscriber: dispatch.Subscriber) -> bool:
    more = dispatch.advance(subscriber)
    dispatch.unpark(subscriber)
    return more


def _views() -> list[LoopView]:
    return [LoopView(one.name, one.failures, one.error, one.last_at) for one in _states.values()]


def _tell() -> bool:
    """Say in the database how the loops fare: every few seconds, and when one begins to fail or fails no more."""
    global _told
    at, before = _told
    ill = frozenset(state.name for state in _states.values() if state.failures >= OFTEN)
    if ill != before or time.monotonic() - at >= presence.EVERY.total_seconds():
        presence.report(**_who(), loops=_views())
        _told = time.monotonic(), ill
    return False


def _who() -> dict[str, str]:
    return {"host": socket.gethostname(), "folder": str(settings.HOME), "name": _name}


def _pause(failures: int) -> float:
    """1, 2, 4 … seconds, a minute at most."""
    return float(min(2 ** min(failures - 1, 6), 60))


def _run(loop: Loop, state: State) -> None:
    while not _stopping.is_set():
        heard = wake.rung()
        more = False
        try:
            close_old_connections()
            more = turns.mine(loop.turn) and loop.step()
            state.steps, state.failures, state.error = state.steps + 1, 0, ""
        except BaseException as error:  # also SystemExit out of a library: a loop doesn't end unseen
            state.failures += 1
            state.error = f"{type(error).__name__}: {error}"[:500]
            log.exception("the loop %r failed, %s times in a row; it goes on", loop.name, state.failures)
        state.last_at = clock.now()
        if state.failures:
            _stopping.wait(_pause(state.failures))
        elif more:
            continue
        elif loop.listens and not _stopping.is_set():
            wake.wait(heard, loop.every)
            if loop.gathers and wake.rung() != heard:
                _stopping.wait(loop.gathers)
        else:
            _stopping.wait(loop.every)
    connections.close_all()


def start(loops: Sequence[Loop], *, name: str = "", working: bool = False) -> None:
    """Begin loops. `working`: this process runs jobs and hands events on; what ran when the last one died is put in
    line again first. With a `name` the process tells how its loops fare.
    """
    global _name, _told
    _stopping.clear()
    _states.clear()
    _name, _told = name, (float("-inf"), frozenset())
    if name:
        loops = [*loops, Loop("signs of life", _tell)]
    running.begin()
    if working:
        from regulars.webhooks import sending
        from regulars.wiring.jobs import KINDS
        from regulars.wiring.subscriptions import SUBSCRIBERS

        alone = connection.vendor == "sqlite"
        running.kinds(KINDS)
        worker.revive(alone=alone)
        if alone:
            sending.revive()
        dispatch.follow(SUBSCRIBERS)
    turns.begin({loop.turn for loop in loops} - {""})
    for loop in loops:
        state = _states[loop.name] = State(loop.name)
        state.thread = threading.Thread(target=_run, args=(loop, state), name=loop.name, daemon=True)
        state.thread.start()


def stop() -> list[str]:
    """Let every loop finish its step, for PATIENCE seconds at most; the names of those that didn't. Nothing is lost by
    leaving one behind: each step is one transaction.
    """
    _stopping.set()
    running.stop()
    wake.up()
    deadline = time.monotonic() + PATIENCE
    late = []
    for state in _states.values():
        assert state.thread is not None
        state.thread.join(max(deadline - time.monotonic(), 0.01))
        if state.thread.is_alive():
            late.append(state.name)
    turns.end()
    if _name:
        with contextlib.suppress(DatabaseError):  # its row goes by itself
            presence.leave(**_who())
        connections.close_all()
    if late:
        log.warning("these loops didn't finish in time: %s", ", ".join(late))
    return late


def processes() -> list[ProcessView]:
    """All processes that are at work and how their loops fare: this one as it is, others as they last told."""
    host, folder, name = _who().values()
    own = [ProcessView(name, host, folder, clock.now(), False, tuple(_views()))] if _states else []
    return [
        *own,
        *(one for one in presence.processes() if not own or (one.host, one.folder, one.name) != (host, folder, name)),
    ]


def failing() -> list[str]:
    """What fails again and again at present, by loops' names: of all processes, and of subscribers that are held up."""
    ill = {loop.name for one in processes() if not one.silent for loop in one.loops if loop.failing}
    return sorted(ill | {f"dispatch {name}" for name in queries.held()})


def states() -> list[State]:
    """How the loops of this process fare; none in a process without loops."""
    return list(_states.values())
