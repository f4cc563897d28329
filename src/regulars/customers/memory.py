"""What this process remembers of identities resolved before, so that the next event of the same browser costs nothing.

Only what is committed is kept (services.resolve sees to it), and only under the generation it was true in: whatever
may change where identities lead to changes the generation in the same transaction, and then everything is forgotten.
"""

import threading
from collections.abc import Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """The latest entries, between `size` and twice as many: when the young are full they become the old ones, and the
    old ones go. Reading asks for no lock.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.young: dict[Key, Value] = {}
        self.old: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        found = self.young.get(key)
        if found is None:
            found = self.old.get(key)
            if found is not None:
                self.young[key] = found
        return found

    def keep(self, entries: Mapping[Key, Value]) -> None:
        self.young.update(entries)
        if len(self.young) >= self.size:
            self.old, self.young = self.young, {}


Claimed = tuple[tuple[str, str], ...]
_AS_MANY = 50_000  # who isn't among the latest costs a look into the database

_lock = threading.Lock()
_generation = ""
_records: Recent[Claimed, int] = Recent(_AS_MANY)


def under(generation: str) -> Recent[Claimed, int]:
    """What is remembered if it was learnt in this generation: identities as claimed → record."""
    global _generation, _records
    with _lock:
        if generation != _generation:
            _generation, _records = generation, Recent(_AS_MANY)
        return _records


def keep(generation: str, records: Mapping[Claimed, int]) -> None:
    """Remember what was committed, unless the generation is over."""
    with _lock:
        if generation == _generation:
            _records.keep(records)


def forget() -> None:
    """Start anew, as after a restart of the process."""
    under("")
