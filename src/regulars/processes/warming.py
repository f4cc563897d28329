"""What the first visitor after a start would wait for is done beside starting: the console's code is loaded, and what
the first pages ask of the warehouse is compiled and asked."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


@contextmanager
def beside() -> Iterator[None]:
    """Done in a thread of its own, which gives up when the block ends."""
    ended = threading.Event()
    thread = threading.Thread(target=_warm, args=(ended,), name="warming", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(5)


def _warm(ended: threading.Event) -> None:
    try:
        from django.db import connections
        from django.template.loader import get_template
        from django.urls import get_resolver

        _ = get_resolver().url_patterns
        get_template("console/overview/page.html")
        from regulars.warehouse import queries

        for _ in queries.first_asked():
            if ended.is_set():
                break
        connections.close_all()
    except Exception:  # the page will tell who asks for it
        log.warning("the first page could not be prepared", exc_info=True)
