"""Parquet files. They are opened in a process of their own (`apart`)."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from regulars.imports.reading.apart import read_apart
from regulars.imports.reading.headers import named
from regulars.imports.reading.layouts import Batch, Layout
from regulars.imports.reading.refusals import refusal


def layout_of(path: Path) -> Layout:
    told = next(read_apart("layout", "parquet", path))
    if not told["height"]:
        raise refusal("empty", "The file has no rows.", "文件中没有任何数据行。")
    headers, remarks = named(told["names"])
    return Layout("parquet", headers, 1, rows=told["height"], remarks=remarks)


def batches_of(path: Path, layout: Layout, seen: Callable[[int], None]) -> Iterator[Batch]:
    number = 0
    with closing(read_apart("rows", "parquet", path)) as pieces:
        for columns in pieces:
            height = len(columns[0])
            yield Batch(list(range(number + 1, number + height + 1)), columns[: len(layout.headers)], [])
            number += height
            seen(number)
