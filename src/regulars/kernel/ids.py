"""Identifiers that sort by the time of their making (UUID version 7, RFC 9562)."""

import os
import threading

from regulars.kernel import clock

_lock = threading.Lock()
_last = 0  # of the latest: 48 bits of milliseconds, 74 of chance, without version and variant


def new_id() -> str:
    """A fresh UUIDv7 as 32 hex digits; within a process each is greater than the one before."""
    global _last
    chance = int.from_bytes(os.urandom(10), "big")
    stamp = clock.micros() // 1000
    value = (stamp & 0xFFFF_FFFF_FFFF) << 74 | chance >> 6
    with _lock:
        if value <= _last:  # the same millisecond, or a clock that went back
            value = _last + 1 + (chance & 0xFFFF)
        _last = value
    # Version and variant are put between the bits, not over them: over them they'd undo the order.
    return f"{value >> 62 >> 12:012x}7{value >> 62 & 0xFFF:03x}{0x2 << 62 | value & (1 << 62) - 1:016x}"
