"""Which events go to whom: every subscriber of the log, on one screen.

A handler is a function of an app's `handlers` module that takes a batch of events in order. Names are kept in the
database with the cursors: don't change them.
"""

from regulars.eventlog import queries
from regulars.eventlog.dispatch import Subscriber
from regulars.warehouse import feed
from regulars.webhooks import handlers as webhooks

SUBSCRIBERS: tuple[Subscriber, ...] = (
    Subscriber("warehouse", feed.handle, own_place=True, read=queries.rows_after),
    Subscriber("webhooks", webhooks.handle),
)
