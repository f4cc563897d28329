"""Tells the loops of this process that there are new events, so that they needn't ask the database all the time."""

import threading

_bell = threading.Condition()
_rung = 0


def up() -> None:
    """Something was appended and committed."""
    global _rung
    with _bell:
        _rung += 1
        _bell.notify_all()


def rung() -> int:
    """How often it has rung; give it to `wait` to miss nothing between looking and waiting."""
    return _rung


def wait(seen: int, seconds: float) -> None:
    """Until it rings once more than `seen`, or so many seconds."""
    with _bell:
        _bell.wait_for(lambda: _rung != seen, seconds)
