"""How many requests a key may make: so many in each minute of the clock, counted in this process: a
write to the database for each request would cost more than the limit saves, so with n web processes a key has n times
as many."""

import threading

from django.conf import settings

from regulars.kernel import clock

_lock = threading.Lock()
_counts: dict[int, tuple[int, int]] = {}


def count(key: int) -> tuple[int, int, int]:
    """Count one request: (limit, how many remain, seconds until the next minute); remaining is -1 when it is too many.
    A limit of 0 is none.
    """
    seconds = clock.micros() // 1_000_000
    minute, reset = seconds // 60, 60 - seconds % 60
    limit = settings.API_RATE
    with _lock:
        begun, used = _counts.get(key, (minute, 0))
        used = used + 1 if begun == minute else 1
        _counts[key] = minute, used
    return limit, max(limit - used, -1), int(reset)
