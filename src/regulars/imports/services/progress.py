"""What the work of an import reports through, whoever does it: a job, or a command at a terminal."""

from typing import Protocol

from regulars.imports.models import Import
from regulars.jobs.progress import Cancelled
from regulars.kernel import clock
from regulars.kernel.languages import Text

EVERY = 300_000  # µs between two writes


class Progress(Protocol):
    def report(
        self, done: int, total: int | None = None, note: Text | None = None, *, at_once: bool = False
    ) -> None: ...
    def check_cancelled(self) -> None: ...


class Silent:
    """For a caller who doesn't watch."""

    def report(self, done: int, total: int | None = None, note: Text | None = None, *, at_once: bool = False) -> None:
        pass

    def check_cancelled(self) -> None:
        pass


class Reported:
    """Passes on to `progress` and keeps it with the import, for its page. `check` raises Cancelled."""

    def __init__(self, import_id: int, progress: Progress) -> None:
        self.import_id, self.progress = import_id, progress
        self._written = 0

    def say(self, done: int, total: int, note: Text, *, at_once: bool = False) -> None:
        """So much of the whole work, of which `note` is being done; `at_once` where that begins."""
        self.progress.report(done, total, note, at_once=at_once)
        now = clock.micros()
        if now - self._written >= EVERY or done >= total or at_once:
            self._written = now
            Import.objects.filter(id=self.import_id).update(done=done, total=total)

    def check(self) -> None:
        self.progress.check_cancelled()
        if Import.objects.filter(id=self.import_id, cancel=True).exists():
            raise Cancelled
