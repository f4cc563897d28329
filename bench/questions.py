"""What each question of a page costs when nothing is remembered: milliseconds of processor time of all threads, at a
million customers. A busy machine makes them larger, but not as much as the time on the clock.

    PYTHONPATH=src python -m bench.questions --home COPY [--refresh] [--rounds 5] [--only WORDS]

`--home` is a folder that `python -m bench.refresh HOME` made. `--refresh` runs a full refresh first: needed once. Prints
the first time (SQL is compiled too), and the median and the 95th percentile of the others.
"""

import argparse
import os
import resource
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def spent() -> float:
    """Milliseconds of processor time of this process: Python's and the engine's threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1000


def questions() -> dict[str, Callable[[Any], Any]]:
    from regulars.warehouse.queries import (
        cohorts,
        customer,
        customers,
        lifecycle,
        notices,
        overview,
        rfm,
        rhythm,
        risk,
        sales,
        snapshot,
        voice,
    )

    now = snapshot()
    one = customers.page(now, limit=1).rows[0].customer_id
    tagged = tuple(range(1, 800_001, 2))
    later = customers.page(now).after
    asked: dict[str, Callable[[Any], Any]] = {
        "overview.today": overview.today,
        "overview.series 56": lambda s: overview.series(s, days=56),
        "notices": notices,
        "customers.page": customers.page,
        "customers.page 2": lambda s: customers.page(s, after=later),
        "customers.page dormant, Store 3, by last_day": lambda s: customers.page(
            s, filters=customers.Filters(stages=("dormant",), stores=("Store 3",)), sort="last_day"
        ),
        "customers.page of 400,000 tagged": lambda s: customers.page(s, filters=customers.Filters(ids=tagged)),
        "customers.count": customers.count,
        "customers.count of 400,000 tagged": lambda s: customers.count(s, filters=customers.Filters(ids=tagged)),
        "customers.stores_and_channels": customers.stores_and_channels,
        "customer.scores": lambda s: customer.scores(s, one),
        "customer.visits": lambda s: customer.visits(s, one),
        "customer.orders": lambda s: customer.orders(s, one),
        "customer.mood": lambda s: customer.mood(s, one),
        "customer.spend_by_month": lambda s: customer.spend_by_month(s, one),
        "rfm.matrix": rfm.matrix,
        "rfm.groups": rfm.groups,
        "lifecycle.stages": lifecycle.stages,
        "lifecycle.flow": lifecycle.flow,
        "cohorts.retention": cohorts.retention,
        "rhythm.gaps": rhythm.gaps,
        "rhythm.second_orders": rhythm.second_orders,
        "risk.totals": risk.totals,
        "risk.at_risk": risk.at_risk,
        "voice.nps": voice.nps,
        "voice.nps_by_month": voice.nps_by_month,
        "voice.nps_by_store": voice.nps_by_store,
        "voice.csat": voice.csat,
    }
    for days in (7, 28, 90):
        asked[f"overview.figures {days}"] = lambda s, days=days: overview.figures(s, days=days)
    for days in (28, 90, 365, None):
        since, name = (None, "all") if days is None else (now.as_of - days, str(days))
        for period in ("day",) if days in (28, 90) else ("week",) if days else ("day", "week", "month"):
            asked[f"sales.by_period {period} {name}"] = lambda s, since=since, period=period: sales.by_period(
                s, period=period, since=since
            )
            asked[f"sales.new_and_returning {period} {name}"] = lambda s, since=since, period=period: (
                sales.new_and_returning(s, by=period, since=since)
            )
        for dimension in sales.DIMENSIONS:
            asked[f"sales.by {dimension} {name}"] = lambda s, since=since, dimension=dimension: sales.by(
                s, dimension=dimension, since=since
            )
            asked[f"sales.new_and_returning {dimension} {name}"] = lambda s, since=since, dimension=dimension: (
                sales.new_and_returning(s, by=dimension, since=since)
            )
    return asked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--refresh", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    os.environ["REGULARS_HOME"] = str(options.home)
    os.environ["DJANGO_SETTINGS_MODULE"] = "regulars.settings"
    import django

    django.setup()
    from importlib import import_module

    from django.core.management import call_command

    from regulars.kernel import clock
    from regulars.warehouse import queries, refresh

    moment = import_module("regulars.warehouse.queries.snapshot")
    with clock.frozen(datetime(2026, 7, 1, 3, tzinfo=UTC)):
        if options.refresh:
            call_command("migrate", verbosity=0)
            begun = spent()
            refresh.full()
            print(f"full refresh {spent() - begun:.0f} ms")
        print("| question | first | p50 | p95 |\n|---|---|---|---|")
        for name, ask in questions().items():
            if options.only not in name:
                continue
            took = []
            for _ in range(1 + options.rounds):
                moment._answers.clear()
                now = queries.snapshot()
                begun = spent()
                ask(now)
                took.append(spent() - begun)
                if took[-1] > 2000 and len(took) > 1:
                    break
            rest = sorted(took[1:])
            worst = rest[min(len(rest) - 1, round(0.95 * len(rest)))]
            print(f"| {name} | {took[0]:.0f} | {statistics.median(rest):.0f} | {worst:.0f} |", flush=True)


if __name__ == "__main__":
    main()
