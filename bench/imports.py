"""Importing a file of orders by the command that people give, into an empty folder, against DuckDB's bare read of the same
file: `python -m bench imports`.

Two files: the real one that REGULARS_ONLINE_RETAIL names (Online Retail, 541,909 lines; whatever the size, left out when
it isn't named) and a made-up one of the same shape, 100,000 lines at size 1. Commas, minutes, a name for every product,
a few orders cancelled. The time is that of the whole command, up to figures that are fresh.
"""

import csv
import gzip
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from bench.figure import Figure, Size, folder

HEADERS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
LINES = 100_000


def orders(file: Path, lines: int, seed: int = 1) -> None:
    """Orders of about twenty lines over a year; a customer has about twelve hundred lines in all."""
    rng = random.Random(seed)
    begun, order, written = datetime(2025, 1, 1, tzinfo=UTC), 500_000, 0
    step = timedelta(days=365) / (lines / 20 + 1)
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(HEADERS)
        while written < lines:
            order, at = order + 1, begun + step * (order - 500_000)
            customer, cancelled = 10_000 + rng.randrange(max(lines // 1200, 50)), rng.random() < 0.01
            for _ in range(min(rng.randint(1, 40), lines - written)):
                product = rng.randrange(4_000)
                writer.writerow((
                    f"{'C' if cancelled else ''}{order}", f"P{product}", f"Thing number {product}, in red",
                    rng.randint(1, 24) * (-1 if cancelled else 1), at.strftime("%Y-%m-%d %H:%M:00"),
                    f"{product % 900 / 100 + 0.5:.2f}", customer, "United Kingdom",
                ))  # fmt: skip
                written += 1


def read_bare(file: Path) -> tuple[int, float]:
    """Rows, and seconds of DuckDB to have them as texts in a table."""
    begun = time.perf_counter()
    with duckdb.connect() as database:
        database.execute("CREATE TABLE t AS FROM read_csv(?, all_varchar = true)", [str(file)])
        rows = database.execute("SELECT count(*) FROM t").fetchall()[0][0]
    return rows, time.perf_counter() - begun


def imported(file: Path, home: Path) -> tuple[float, float]:
    """Seconds on the clock and of CPU until the file is in; raises when the figures know nothing of it."""
    environment = {**os.environ, "REGULARS_HOME": str(home)}
    command = [sys.executable, "-m", "regulars"]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*command, "import", "orders", str(file)], env=environment, check=True, stdout=subprocess.DEVNULL)
    took, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    told = subprocess.run([*command, "figures", "--json"], env=environment, check=True, stdout=subprocess.PIPE)
    assert json.loads(told.stdout)["gross"]["lines"] > 0
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def figures(size: Size) -> Iterator[Figure]:
    with folder("imports") as base:
        made = base / "made.csv"
        orders(made, LINES * size.times)
        files = {"orders, made up": made}
        if real := os.environ.get("REGULARS_ONLINE_RETAIL"):
            whole = base / "online-retail.csv"
            packed = Path(real).read_bytes()
            whole.write_bytes(gzip.decompress(packed) if real.endswith(".gz") else packed)
            files["orders, Online Retail"] = whole
        for number, (what, file) in enumerate(files.items()):
            rows, bare = read_bare(file)
            took, cpu = imported(file, base / f"home-{number}")
            yield Figure(
                what, rows / took, "rows/s", against="DuckDB reads the file", reference=rows / bare,
                note=f"{rows:,} rows, {cpu:.1f} s of CPU",
            )  # fmt: skip
