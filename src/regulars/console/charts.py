"""Pictures: what a chart shows, as data. static/console/charts.js draws it with the one theme of light and dark.

Colours are named, never written: "@accent", "@good", "@warning", "@bad", "@quiet", "@stage-active", "@group-loyal" …
are CSS variables (--rg-…) of console.css, so that a change of theme redraws. A data item with "url" leads there on a
click. Every chart carries its table. Axes of bars start at zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from regulars.console import formatting
from regulars.kernel import money

Unit = Literal["number", "money", "percent"]


class Linked(str):
    """A figure in a chart's table that leads to `url`."""

    url: str


def _linked(text: str, url: str) -> str:
    if not url:
        return text
    cell = Linked(text)
    cell.url = url
    return cell


@dataclass(frozen=True, slots=True)
class Chart:
    """`option` is ECharts' own; values of unit money are in major units, of percent shares of 1.

    `head` and `rows` are the table alternative, written out for people; the first column names the row.
    """

    title: str
    option: dict[str, Any]
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    unit: Unit = "number"
    height: int = 280
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> dict[str, Any]:
        """What charts.js reads."""
        return {"option": self.option, "unit": self.unit, "currency": formatting.business().currency} | self.extra


def value(amount: float | int | None, unit: Unit) -> float | None:
    """A figure as it is drawn: money from minor to major units."""
    if amount is None:
        return None
    return float(money.major(int(amount), formatting.business().currency)) if unit == "money" else float(amount)


def written(amount: float | int | None, unit: Unit) -> str:
    """The same figure in the table."""
    if unit == "money":
        return formatting.money(None if amount is None else int(amount))
    return formatting.percent(amount) if unit == "percent" else formatting.number(amount)


def _axes(
    title: str,
    labels: Sequence[str],
    series: Sequence[tuple[str, Sequence[float | int | None], str]],
    drawn: dict[str, Any],
    *,
    unit: Unit,
    height: int,
    sideways: bool = False,
    stacked: bool = False,
    urls: Sequence[Sequence[str]] = (),
    first: str = "",
) -> Chart:
    across = {"type": "category", "data": list(labels)} | ({"inverse": True} if sideways else {})
    up = {"type": "value"}
    each = [
        {
            "name": name,
            "color": colour,
            "data": [
                {"value": value(v, unit), "url": urls[which][i]} if urls and urls[which][i] else value(v, unit)
                for i, v in enumerate(values)
            ],
        }
        | ({"stack": "all"} if stacked else {})
        | drawn
        for which, (name, values, colour) in enumerate(series)
    ]
    option = {
        "xAxis": up if sideways else across,
        "yAxis": across if sideways else up,
        "series": each,
        "legend": {"show": len(series) > 1},
    }
    rows = [
        [
            label,
            *(_linked(written(values[i], unit), urls[n][i] if urls else "") for n, (_, values, _) in enumerate(series)),
        ]
        for i, label in enumerate(labels)
    ]
    return Chart(title, option, [first, *(name for name, _, _ in series)], rows, unit, height)


def lines(
    title: str,
    labels: Sequence[str],
    series: Sequence[tuple[str, Sequence[float | int | None], str]],
    *,
    unit: Unit = "number",
    height: int = 280,
    urls: Sequence[Sequence[str]] = (),
    first: str = "",
) -> Chart:
    """Over time: series of (name, values, colour) over the labels of the moments; `urls` as for `bars`."""
    return _axes(title, labels, series, {"type": "line"}, unit=unit, height=height, urls=urls, first=first)


def bars(
    title: str,
    labels: Sequence[str],
    series: Sequence[tuple[str, Sequence[float | int | None], str]],
    *,
    unit: Unit = "number",
    height: int = 280,
    sideways: bool = False,
    stacked: bool = False,
    urls: Sequence[Sequence[str]] = (),
    first: str = "",
) -> Chart:
    """For comparison; `urls` (for each series one a label, "" for none) lead to the people behind a bar."""
    return _axes(
        title, labels, series, {"type": "bar"}, unit=unit, height=height, sideways=sideways, stacked=stacked,
        urls=urls, first=first,
    )  # fmt: skip


def spark(title: str, values: Sequence[float | int | None], *, unit: Unit = "number", colour: str = "@accent") -> Chart:
    """A line of a few pixels beside a figure, without axes; the figure itself is its text."""
    return Chart(
        title,
        {"series": [{"type": "line", "color": colour, "data": [value(v, unit) for v in values]}]},
        unit=unit,
        height=36,
        extra={"spark": True},
    )


def heat(
    title: str,
    across: Sequence[str],
    down: Sequence[str],
    cells: Sequence[Sequence[float | int | None]],
    *,
    unit: Unit = "number",
    height: int = 360,
    urls: Sequence[Sequence[str]] = (),
    first: str = "",
    top: float | None = None,
) -> Chart:
    """A matrix: cells[row][column]; None stays empty. `top` fixes the darkest colour's value. Shares begin with the
    lowest one's colour: they lie close together, and what one looks for is where they differ.
    """
    data = [
        {"value": [x, y, value(cell, unit)]} | ({"url": urls[y][x]} if urls else {})
        for y, row in enumerate(cells)
        for x, cell in enumerate(row)
        if cell is not None
    ]
    found = [item["value"][2] or 0 for item in data]
    highest = top if top is not None else max(found, default=1)
    lowest = min(found, default=0) if unit == "percent" else 0
    option = {
        "xAxis": {"type": "category", "data": list(across), "position": "top"},
        "yAxis": {"type": "category", "data": list(down), "inverse": True},
        "legend": {"show": False},
        "visualMap": {"min": lowest, "max": highest or 1, "show": False},
        "series": [{"type": "heatmap", "data": data, "name": title}],
    }
    rows = [
        [
            label,
            *(_linked(written(c, unit), urls[y][x] if urls and c is not None else "") for x, c in enumerate(cells[y])),
        ]
        for y, label in enumerate(down)
    ]
    return Chart(title, option, [first, *across], rows, unit, height)


def sankey(
    title: str,
    nodes: Sequence[tuple[str, str, str]],
    links: Sequence[tuple[str, str, float | int]],
    *,
    unit: Unit = "number",
    height: int = 420,
    head: Sequence[str] = (),
    urls: dict[str, str] | None = None,
    columns: dict[str, int] | None = None,
) -> Chart:
    """A flow: nodes of (key, label, colour), links of (key from, key to, value); `columns` says where nodes stand."""
    labels = {key: label for key, label, _ in nodes}
    option = {
        "series": [
            {
                "type": "sankey",
                "data": [
                    {"name": key, "label_text": label, "itemStyle": {"color": colour}}
                    | ({"url": urls[key]} if urls and key in urls else {})
                    | ({"depth": columns[key]} if columns else {})
                    | ({"label": {"position": "left"}} if columns and columns[key] == max(columns.values()) else {})
                    for key, label, colour in nodes
                ],
                "links": [{"source": a, "target": b, "value": value(v, unit)} for a, b, v in links if v],
            }
        ]
    }
    rows = [[labels[a], _linked(labels[b], (urls or {}).get(b, "")), written(v, unit)] for a, b, v in links if v]
    return Chart(title, option, head, rows, unit, height)
