"""Every piece of work in order: `python -m bench [WORK …] [--times N] [--record]`, each at the size its aim speaks of if
none is named.

Prints for each figure: value, floor or peer measured in the same run, ratio, peak memory, load average before. All of it
goes as JSON lines to bench/results/ (not in git); with --record also to bench/recorded.jsonl, from which the table of
bench/README.md is made anew. Record on a quiet machine.
"""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench.figure import Figure, Size

HERE = Path(__file__).parent
WORKS = {"ingest": 1, "intake": 1, "imports": 1, "refresh": 50, "scaled": 1, "live": 1, "pages": 50, "clv": 1}
"""In the order in which they run, with the size that its aim speaks of."""
OWN = ("README.md", "recorded.jsonl", "growth.jsonl", "pictures")
"""What measuring itself writes: changes there don't make the measured code another."""
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


class Memory:
    """The peak of what a process and all its descendants hold, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        self.process = psutil.Process(pid)
        self.peak = 0
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            self._look()

    def _look(self) -> None:
        held = 0
        try:
            for one in (self.process, *self.process.children(recursive=True)):
                held += one.memory_info().rss
        except psutil.Error:
            return  # one of them has just ended
        self.peak = max(self.peak, held)

    def since(self) -> int:
        self._look()
        peak, self.peak = self.peak, 0
        return peak

    def end(self) -> None:
        self._ended.set()


def machine() -> str:
    named = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")  # where there is one it has the name
    if cpuinfo.exists():
        named = next(
            (ln.split(":", 1)[1].strip() for ln in cpuinfo.read_text().splitlines() if "model name" in ln), named
        )
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} × {named}, {memory:.0f} GB, {platform.system()}, Python {platform.python_version()}"


def measure(work: str, size: Size) -> list[dict[str, Any]]:
    """The figures of one piece, printed as they come. Raises CalledProcessError when it fails."""
    told: list[dict[str, Any]] = []
    load = os.getloadavg()[0]
    read, write = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-m", "bench", work, "--times", str(size.times), "--into", str(write)],
        pass_fds=[write],
        stdout=sys.stderr,
    )
    os.close(write)
    memory = Memory(child.pid)
    try:
        with os.fdopen(read, encoding="utf-8") as lines:
            for line in lines:
                figure = Figure(**json.loads(line))
                row = {
                    "work": work, "times": size.times, **asdict(figure), "ratio": figure.ratio,
                    "memory": figure.memory or memory.since(), "load": load,
                    "at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), "commit": commit(),
                }  # fmt: skip
                told.append(row)
                print(" | ".join(cells(row)), flush=True)
    finally:
        memory.end()
        if child.wait() and sys.exc_info()[0] is None:
            raise subprocess.CalledProcessError(child.returncode, child.args)
    return told


def commit() -> str:
    """The commit that is measured, with a mark when files differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", HERE, *arguments], capture_output=True, text=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "..", *(f":!{name}" for name in OWN))
        return git("describe", "--always") + ("-dirty" if changed else "")
    except FileNotFoundError:
        return ""


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cells(row: dict[str, Any]) -> list[str]:
    reached = {True: " ✓", False: " ✗", None: ""}[row["reached"]]
    return [
        f"{row['work']} {row['times']}×",
        row["what"] + (f" ({row['note']})" if row["note"] else ""),
        f"{number(row['value'])} {row['unit']}",
        f"{row['against']}: {number(row['reference'])} {row['unit']}" if row["reference"] is not None else "",
        f"{row['ratio']:.2f}" if row["ratio"] is not None else "",
        f"{row['aim']}{reached}",
        f"{row['memory'] / 2**20:,.0f} MB",
        f"{row['load']:.1f}",
    ]


def record(
    rows: list[dict[str, Any]], *, file: Path = HERE / "recorded.jsonl", readme: Path = HERE / "README.md"
) -> None:
    """Into what is recorded, in place of what the same pieces said at the same size, and into the README's table."""
    kept = [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
    new = {(row["work"], row["times"]) for row in rows}
    kept = [row for row in kept if (row["work"], row["times"]) not in new] + rows
    order = list(WORKS)
    kept = sorted(
        (row for row in kept if row["work"] in WORKS), key=lambda row: (order.index(row["work"]), row["times"])
    )
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), encoding="utf-8")
    heads = ("work", "what", "figure", "floor or peer", "ratio", "aim", "peak memory", "load before", "day, commit")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    lines += ["| " + " | ".join([*cells(row), f"{row['at'][:10]} {row['commit']}"]) + " |" for row in kept]
    machines = sorted({row["machine"] for row in kept})
    head, rest = readme.read_text("utf-8").split(BEGIN)
    tail = rest.split(END)[1]
    table = "\n".join(["", f"Measured on {'; '.join(machines)}.", "", *lines, ""])
    readme.write_text(f"{head}{BEGIN}{table}{END}{tail}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", nargs="*", metavar="WORK", help=", ".join(WORKS))
    parser.add_argument("--times", type=int, help="20,000 customers and 400,000 events, so many times")
    parser.add_argument("--record", action="store_true", help="renew the table of bench/README.md")
    parser.add_argument("--into", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.works) - set(WORKS)
    if unknown:
        parser.error(f"no such piece of work: {', '.join(sorted(unknown))}; there are {', '.join(WORKS)}")
    if options.into is not None:
        with os.fdopen(options.into, "w", encoding="utf-8") as out:
            for figure in importlib.import_module(f"bench.{options.works[0]}").figures(Size(options.times)):
                print(json.dumps(asdict(figure), ensure_ascii=False), file=out, flush=True)
        return
    rows, failed = [], []
    (HERE / "results").mkdir(exist_ok=True)
    results = HERE / "results" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl"
    print(machine(), flush=True)
    for work in options.works or WORKS:
        try:
            told = measure(work, Size(options.times or WORKS[work]))
        except subprocess.CalledProcessError as error:
            print(f"{work}: failed, exit code {error.returncode}", flush=True)
            failed.append(work)
            continue
        rows += told
        with results.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in told)
    print(f"Results: {results}", flush=True)
    if options.record:
        record(rows)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
