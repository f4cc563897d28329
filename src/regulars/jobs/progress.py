"""What the work of a job is given: a place to report to, to save its state, and to learn that it should leave."""

import threading
from collections.abc import Mapping
from typing import Any

from regulars.jobs.models import Job
from regulars.kernel import clock
from regulars.kernel.languages import Text

EVERY = 500_000  # µs between two writes of the progress, and between two looks at the flag to cancel


class Cancelled(Exception):
    """Somebody cancelled the job: leave, having put away what is half done."""


class Interrupted(Exception):
    """The process stops: leave; the job goes on from its saved state when the next one runs."""


def in_both(text: Text) -> dict[str, str]:
    return {"en": text.en, "zh": text.zh}


class Progress:
    """What a job's function gets. `state` is what it last saved, {} at first."""

    def __init__(self, job_id: str, saved: Mapping[str, Any], stopping: threading.Event) -> None:
        self.job_id, self.state = job_id, dict(saved)
        self._stopping, self._written, self._looked = stopping, 0, 0

    def report(self, done: int, total: int | None = None, note: Text | None = None, *, at_once: bool = False) -> None:
        """How much is done of how much. Cheap to call often: written at most twice a second, `at_once` where something
        else is being done now, and when done = total.
        """
        now = clock.micros()
        if 0 <= now - self._written < EVERY and done != total and not at_once:
            return
        self._written = now
        given = {"done": done, "alive_at": clock.now()}
        given |= {"total": total} if total is not None else {}
        given |= {"note": in_both(note)} if note is not None else {}
        Job.objects.filter(id=self.job_id).update(**given)

    def save_state(self, state: dict[str, Any]) -> None:
        """Keep the place, in the caller's transaction: work and place are committed together."""
        self.state = dict(state)
        Job.objects.filter(id=self.job_id).update(saved=self.state, alive_at=clock.now())

    def check_cancelled(self) -> None:
        """Raises Cancelled, or Interrupted when the process is stopping; to be called between two steps."""
        if self._stopping.is_set():
            raise Interrupted
        now = clock.micros()
        if not 0 <= now - self._looked < EVERY:  # or the clock went back
            self._looked = now
            if Job.objects.filter(id=self.job_id, cancel=True).exists():
                raise Cancelled
