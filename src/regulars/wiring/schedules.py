"""What happens by the clock. A schedule looks itself whether it is due, by what has been done and not by when the
process started, so that a night without a server is made up for in the morning.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils.module_loading import import_string

from regulars.accounts import attempts
from regulars.accounts.queries import business
from regulars.eventlog import quarantine
from regulars.eventlog import services as eventlog
from regulars.imports import services as imports
from regulars.jobs import worker
from regulars.webhooks import sending as webhooks
from regulars.wiring import exports

log = logging.getLogger(__name__)

SETTLED = timedelta(days=30)  # how long an event that was discarded can be fetched back
HOT_DAYS = 400  # how long events stay in the operational database unless the business set "hot_days"


@dataclass(frozen=True, slots=True)
class Schedule:
    """`step` is called every so many seconds and gives True when there is more to do at once."""

    name: str
    step: Callable[[], bool]
    every: float


def retention() -> bool:
    """Forget events older than the business's window; the warehouse keeps all."""
    days = business().more.get("hot_days", HOT_DAYS)
    count = eventlog.forget(keep=timedelta(days=days))
    if count:
        log.info("%s events older than %s days left the operational database", count, days)
    return count > 0


def tidy() -> bool:
    """Delete what nobody needs any more: turns of jobs that are over, settled events of the quarantine, deliveries of
    webhooks, files of old imports and exports (they hold personal data), counts of logins.
    """
    worker.forget()
    imports.forget_files()
    exports.forget_files()
    quarantine.forget(keep=SETTLED)
    attempts.forget()
    for door in settings.TIDIED_IN_DOORS:
        import_string(door)()
    return webhooks.forget() > 0


SCHEDULES: tuple[Schedule, ...] = (
    Schedule("retention", retention, every=3600),
    Schedule("tidying", tidy, every=3600),
)
