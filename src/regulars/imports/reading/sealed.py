"""A program of its own: reads one Excel or Parquet file and writes to stdout what is in it, a JSON value a line.

These formats are read by libraries in other languages. A file made for it lets them ask for all the memory there is, or
abort the process that they run in; that must be this one, which may only have so much, and not the server's. So it
imports nothing of the product and is started by its path; `reading` starts it and says what went wrong.

    sealed.py layout|rows excel|parquet PATH SHEET BYTES

layout: {"sheets", "sheet", "rows" (the first 50), "height"} of Excel, {"names", "height"} of Parquet.
rows: of Excel [number of the first, [row, …]], of Parquet a list of columns; texts all. {"problem": code} ends it.
"""

import contextlib
import resource
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

BATCH = 20_000
FIRST = 50
MAX_ROW = 1_000_000  # characters
MAX_COLUMNS = 500
MAX_GROUP = 2 << 30  # bytes of a Parquet file's row group
PIECE = 8_000_000  # characters, about, of what is written at once


class Refused(Exception):
    """A code of `reading`, and what it tells."""

    def __init__(self, code: str, **told: Any) -> None:
        super().__init__(code)
        self.told = {"problem": code, **told}


def main(what: str, kind: str, path: str, sheet: str, memory: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # when the machine's memory ends, this goes first
    found = {"excel": (_excel_layout, _excel_rows), "parquet": (_parquet_layout, _parquet_rows)}[kind]
    try:
        for one in [found[0](path, sheet)] if what == "layout" else found[1](path, sheet):
            sys.stdout.buffer.write(_encoded(one) + b"\n")
    except BrokenPipeError:
        return
    except Refused as refused:
        sys.stdout.buffer.write(_encoded(refused.told) + b"\n")
    except MemoryError:
        sys.stdout.buffer.write(b'{"problem":"memory"}\n')
    except BaseException:  # each library has a dozen kinds of error, and those of Rust panic past Exception
        sys.stdout.buffer.write(b'{"problem":"broken"}\n')
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()


_encoded = msgspec.json.encode


def said(value: Any) -> str:
    """A cell as text, so that nothing is lost and dates can be told."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        case datetime():
            naive = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
            return naive.isoformat(" ")
        case date() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case Decimal():
            return format(value, "f")
        case None:
            return ""
        case bytes():
            return value.decode("utf-8", "replace")
        case _:
            return str(value)


# --- Excel


def _workbook(path: str) -> Any:
    import python_calamine

    try:
        return python_calamine.CalamineWorkbook.from_path(path)
    except python_calamine.PasswordError:
        raise Refused("password") from None


def _rows(book: Any, sheet: str) -> Iterator[list[str]]:
    for number, row in enumerate(book.get_sheet_by_name(sheet).iter_rows(), 1):
        texts = [said(cell) for cell in row]
        if sum(map(len, texts)) > MAX_ROW:
            raise Refused("line_too_long", number=number)
        yield texts


def _excel_layout(path: str, sheet: str) -> dict[str, Any]:
    book = _workbook(path)
    names = list(book.sheet_names)
    if sheet and sheet not in names:
        raise Refused("sheet")
    best, most = None, 0  # the first with a table: a cover of notes has one column, a table several
    for name in [sheet] if sheet else names:
        rows = [row for _, row in zip(range(FIRST), _rows(book, name), strict=False)]
        width = max((sum(1 for cell in row if cell.strip()) for row in rows), default=0)
        if min(width, 2) > most:
            best, most = (name, rows), min(width, 2)
        if most == 2:
            break
    if best is None:
        raise Refused("empty")
    name, rows = best
    return {"sheets": names, "sheet": name, "rows": rows, "height": book.get_sheet_by_name(name).total_height}


def _excel_rows(path: str, sheet: str) -> Iterator[list[Any]]:
    rows: list[list[str]] = []
    first, size = 1, 0
    for row in _rows(_workbook(path), sheet):
        while row and not row[-1]:  # a sheet is as wide as its widest row
            row.pop()
        rows.append(row)
        size += sum(map(len, row))
        if len(rows) == BATCH or size > PIECE:
            yield [first, rows]
            first, size, rows = first + len(rows), 0, []
    if rows:
        yield [first, rows]


# --- Parquet


def _parquet_layout(path: str, _: str) -> dict[str, Any]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        about = file.metadata
        if any(about.row_group(index).total_byte_size > MAX_GROUP for index in range(file.num_row_groups)):
            raise Refused("memory")
        return {"names": list(file.schema_arrow.names), "height": about.num_rows}


def _parquet_rows(path: str, _: str) -> Iterator[list[list[str | None]]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        behind = 0
        for part in file.iter_batches(BATCH, use_threads=False):
            columns = [_texts(column) for column in part.columns[:MAX_COLUMNS]]
            size = sum(len(value) for column in columns for value in column if value)
            step = part.num_rows
            if size > PIECE:
                step = max(1, step * PIECE // size)
                for number, row in enumerate(zip(*columns, strict=True), behind + 1):
                    if sum(len(value) for value in row if value) > MAX_ROW:
                        raise Refused("line_too_long", number=number)
            for start in range(0, part.num_rows, step):
                yield columns if step == part.num_rows else [column[start : start + step] for column in columns]
            behind += part.num_rows


def _texts(column: Any) -> list[str | None]:
    import pyarrow as pa

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        values = column.to_pylist()
    elif pa.types.is_timestamp(column.type):  # microseconds are exact in Python; a zone becomes UTC, said by "Z"
        stamps = _listed(column.cast(pa.timestamp("us", tz=column.type.tz), safe=False))
        zoned = "Z" if column.type.tz else ""
        values = [None if stamp is None else said(stamp) + zoned for stamp in stamps]
    else:
        values = [None if value is None else said(value) for value in _listed(column)]
    return [value.replace("\0", "�") if value and "\0" in value else value for value in values]


def _listed(column: Any) -> list[Any]:
    """As Python's values; what Python can't hold (the year 292278) as Arrow writes it."""
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError):
        return [_one(value) for value in column]


def _one(value: Any) -> Any:
    try:
        return value.as_py()
    except (ValueError, OverflowError):
        return str(value.value) if value.is_valid else None


if __name__ == "__main__":
    main(*sys.argv[1:])
