"""Identifiers that sort by the time of their making (UUID version 7, RFC 9562)."""

import os
import threading

from regulars.kernel import clock

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """A fresh UUIDv7 as 32 hex digits; within a process each is greater than the one before."""
    global _last
    random = int.from_bytes(os.urandom(10), "big")
    stamp = clock.micros() // 1000
    value = (stamp & 0xFFFF_FFFF_FFFF) << 80 | random
    with _lock:
        if value <= _last:  # the same millisecond, or a clock that went back
            value = _last + 1 + (random & 0xFFFF)
        _last = value
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return f"{value:032x}"
