"""How each piece of work grows: measured at 1, 10 and 50 times the events, drawn on one chart for each piece, both axes
logarithmic: `python -m bench.growth [WORK …] [--times 1,10,50]`. `--draw` draws what was measured before.

What was measured is kept in bench/growth.jsonl, the charts are bench/pictures/*.svg, shown in bench/README.md. A line
that climbs as steeply as the dotted one is proportional to the events; a flat one doesn't care how many there are.
"""

import argparse
import json
import math
from collections import defaultdict
from html import escape
from typing import Any

from bench.__main__ import HERE, WORKS, measure
from bench.figure import Size

KEPT = HERE / "growth.jsonl"
GROWING = ("intake", "imports", "refresh", "scaled", "live", "pages")
"""The pieces that are made of customers and events."""
COLOURS = ("#0b7285", "#c2255c", "#e67700", "#5f3dc4", "#2b8a3e", "#364fc7", "#862e9c", "#5c940d")
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 340, 64, 40, 300, 40
SECONDS = {"s": 1.0, "ms": 0.001}


def lines_of(rows: list[dict[str, Any]]) -> dict[str, dict[int, float]]:
    """What is drawn of a piece: seconds (its times; of rates, what a million takes) by name and times."""
    drawn: dict[str, dict[int, float]] = defaultdict(dict)
    for row in rows:
        if row["unit"] in SECONDS:
            drawn[row["what"]][row["times"]] = row["value"] * SECONDS[row["unit"]]
        elif row["unit"].endswith("/s") and row["value"]:
            drawn[f"{row['what']}: a million {row['unit'][:-2]}"][row["times"]] = 1e6 / row["value"]
    return {name: found for name, found in drawn.items() if len(found) > 1 and all(v > 0 for v in found.values())}


def picture(work: str, rows: list[dict[str, Any]]) -> str:
    """An SVG of seconds over events."""
    drawn = lines_of(rows)
    times = sorted({at for found in drawn.values() for at in found})
    values = [value for found in drawn.values() for value in found.values()]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)
    high = max(high, low + 1)
    first, last = math.log10(times[0]), math.log10(times[-1])

    def x(at: float) -> float:
        return LEFT + (math.log10(at) - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - math.log10(value)) / (high - low) * (HEIGHT - TOP - BOTTOM)

    said = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-size="12" '
        f'font-family="system-ui, sans-serif" aria-label="{escape(work)}: seconds by number of events">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-size="14" font-weight="600">{escape(work)}: seconds, by number of events</text>',
    ]
    for power in range(low, high + 1):
        shown = f"{10.0**power:g}"
        said.append(f'<path d="M{LEFT} {y(10**power):.1f}H{WIDTH - RIGHT}" stroke="#e9ecef"/>'
                    f'<text x="{LEFT - 8}" y="{y(10**power) + 4:.1f}" text-anchor="end" fill="#495057">{shown}</text>')  # fmt: skip
    for at in times:
        events = Size(at).events
        shown = f"{events / 1e6:g}M" if events >= 1e6 else f"{events / 1e3:g}k"
        said.append(
            f'<text x="{x(at):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle" fill="#495057">{shown}</text>'
        )
    # As steep as the events, through the lower left corner as far as it stays inside.
    reach = min(times[-1] / times[0], 10 ** (high - low))
    said.append(f'<path d="M{x(times[0]):.1f} {y(10**low):.1f}L{x(times[0] * reach):.1f} {y(10**low * reach):.1f}" '
                'stroke="#adb5bd" stroke-dasharray="2 4"/>')  # fmt: skip
    for place, (name, found) in enumerate(drawn.items()):
        colour = COLOURS[place % len(COLOURS)]
        points = " ".join(f"{x(at):.1f},{y(found[at]):.1f}" for at in sorted(found))
        said.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        said += [f'<circle cx="{x(at):.1f}" cy="{y(found[at]):.1f}" r="3" fill="{colour}"/>' for at in found]
        height = TOP + 6 + 20 * place
        label = name if len(name) <= 44 else f"{name[:43]}…"
        said.append(f'<path d="M{WIDTH - RIGHT + 14} {height}h16" stroke="{colour}" stroke-width="2"/>'
                    f'<text x="{WIDTH - RIGHT + 36}" y="{height + 4}">{escape(label)}</text>')  # fmt: skip
    return "\n".join([*said, "</svg>", ""])


def draw(rows: list[dict[str, Any]]) -> list[str]:
    """The charts, and the README's part that shows them; the names of the works drawn."""
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    drawn = []
    for work in WORKS:
        mine = [row for row in rows if row["work"] == work]
        if lines_of(mine):
            (folder / f"{work}.svg").write_text(picture(work, mine), encoding="utf-8")
            drawn.append(work)
    readme = HERE / "README.md"
    begin, end = "<!-- growth -->", "<!-- end of growth -->"
    head, rest = readme.read_text("utf-8").split(begin)
    shown = "\n".join(f"![How {work} grows](pictures/{work}.svg)\n" for work in drawn)
    readme.write_text(f"{head}{begin}\n{shown}{end}{rest.split(end)[1]}", encoding="utf-8")
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", nargs="*", metavar="WORK")
    parser.add_argument("--times", default="1,10,50")
    parser.add_argument("--draw", action="store_true")
    options = parser.parse_args()
    kept = [json.loads(line) for line in KEPT.read_text("utf-8").splitlines()] if KEPT.exists() else []
    for work in () if options.draw else options.works or GROWING:
        for times in map(int, options.times.split(",")):
            told = measure(work, Size(times))
            kept = [row for row in kept if (row["work"], row["times"]) != (work, times)] + told
            KEPT.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), encoding="utf-8")
    print("drawn:", ", ".join(draw(kept)))


if __name__ == "__main__":
    main()
