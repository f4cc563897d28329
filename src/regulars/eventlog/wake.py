"""Tells who waits that there is something new, so that they needn't ask the database or the disk all the time.

`up` and `wait` are about the log, among the threads of a process; a Bell carries a ring from one process to another.
"""

import contextlib
import select
import socket
import threading

_bell = threading.Condition()
_rung = 0
_afar: "Bell | None" = None


class Bell:
    """Rung by any process of a family, heard by one. Made by the parent before it has children; a ring that nobody
    hears stays until somebody does, so none is missed when a process is started again.
    """

    def __init__(self) -> None:
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)
        self._there.setblocking(False)

    def ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: it has rung long enough
            self._there.send(b"!")

    def wait(self, seconds: float | None) -> bool:
        """Until it rings, or so many seconds (None: for ever); whether it rang. Forgets the rings before."""
        heard, _, _ = select.select([self._here], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            while self._here.recv(65_536):
                pass
        return bool(heard)


def up() -> None:
    """Something was appended and committed."""
    global _rung
    with _bell:
        _rung += 1
        _bell.notify_all()
    if _afar is not None:
        _afar.ring()


def rung() -> int:
    """How often it has rung; give it to `wait` to miss nothing between looking and waiting."""
    return _rung


def wait(seen: int, seconds: float) -> None:
    """Until it rings once more than `seen`, or so many seconds."""
    with _bell:
        _bell.wait_for(lambda: _rung != seen, seconds)


def tell(bell: Bell) -> None:
    """From now on let another process know, too, what this one appends."""
    global _afar
    _afar = bell


def hear(bell: Bell) -> None:
    """From now on take its rings for what they are: something was appended by another process."""

    def listen() -> None:
        global _rung
        while True:
            bell.wait(None)
            with _bell:
                _rung += 1
                _bell.notify_all()

    threading.Thread(target=listen, name="bell", daemon=True).start()
