"""Text tables: CSV in any common encoding and with any common mark between cells."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from regulars.imports.reading.encodings import SAMPLE, Bounded, encoding_of, opened
from regulars.imports.reading.headers import headed
from regulars.imports.reading.layouts import BATCH, Batch, Fault, Layout, sound_batch
from regulars.imports.reading.refusals import refusal, with_nul
from regulars.kernel.errors import Invalid


def _text(path: Path, layout: Layout) -> tuple[Bounded, io.TextIOWrapper]:
    raw, file = opened(path, layout.packed)
    errors = "replace" if layout.torn else "strict"
    return raw, io.TextIOWrapper(file, encoding=layout.encoding, errors=errors, newline="")


def _rows_of(lines: Iterable[str], layout: Layout) -> Any:
    return csv.reader(
        lines,
        delimiter=layout.delimiter,
        quotechar=layout.quote,
        escapechar=layout.escape or None,
        doublequote=not layout.escape,
        skipinitialspace=layout.delimiter == " ",
    )


def layout_of(path: Path, *, packed: bool, encoding: str) -> Layout:
    name, torn, remarks = encoding_of(path, packed, encoding)
    bare = Layout("csv", [], 1, packed=packed, encoding=name, torn=torn)
    _, text = _text(path, bare)
    sample: list[str] = []
    with text:
        length = 0
        for line in text:
            sample.append(line)
            length += len(line)
            if length > SAMPLE or len(sample) > 2000:
                break
    if sample and sample[0].lower().startswith("sep=") and len(sample[0].strip()) == 5:
        delimiter = sample[0].strip()[4]
    else:
        delimiter = _delimiter(sample)
    joined = "".join(sample)
    escape = "\\" if joined.count('\\"') > joined.count('""') else ""
    quote = '"'
    if '"' not in joined and sample and re.match(rf"^\s*'[^']*'(?:{re.escape(delimiter)}'[^']*')+\s*$", sample[0]):
        quote = "'"
    tried = Layout("csv", [], 1, encoding=name, delimiter=delimiter, quote=quote, escape=escape)
    reader = _rows_of(sample, tried)
    rows: list[list[str]] = []
    ends: list[int] = []
    try:
        for row in reader:
            rows.append(row)
            ends.append(reader.line_num)
            if len(rows) == 50:
                break
    except csv.Error:
        raise _unclosed(ends[-1] + 1 if ends else 1) from None
    skipped = 1 if sample and sample[0].lower().startswith("sep=") else 0
    before, headers, said = headed(rows[skipped:])
    before += skipped
    for place, line in enumerate(sample[: ends[before - 1] if before else 0]):
        if "\0" in line:  # further down, the row is refused and told
            raise with_nul(place + 1)
    return Layout(
        "csv", headers, (ends[before - 1] if before else 0) + 1, packed=packed, encoding=name, torn=torn,
        delimiter=delimiter, quote=quote, escape=escape, remarks=remarks + said,
    )  # fmt: skip


def _delimiter(sample: list[str]) -> str:
    """The mark that cuts most lines into the same number of cells; of two alike, the one that gives more."""
    best, chosen = (0.0, 0), ","
    lines = sample[:500]
    for mark in (",", ";", "\t", "|", "，", " "):
        if not any(mark in line for line in lines):
            continue
        try:
            widths = [
                len(row)
                for row in csv.reader(lines, delimiter=mark, skipinitialspace=mark == " ")
                if any(cell.strip() for cell in row)
            ]
        except csv.Error:
            continue
        if not widths:
            continue
        width, times = Counter(widths).most_common(1)[0]
        share = times / len(widths)
        if width < 2 or (mark == " " and share < 0.95):
            continue
        rating = (round(share, 1), width)
        if rating > best and not (mark == " " and best[0] >= 0.8):
            best, chosen = rating, mark
    return chosen


def _unclosed(line: int) -> Invalid:
    return refusal(
        "unclosed_quote",
        "A quotation mark in or after line {line} is never closed, or a cell there is longer than {most} characters. "
        "Mend the file there, or export it again.",
        "第 {line} 行或其后有引号没有配对，或有单元格超过 {most} 个字符。请修正后重试，或重新导出。",
        line=line,
        most=f"{csv.field_size_limit():,}",
    )


def batches_of(path: Path, layout: Layout, seen: Callable[[int], None]) -> Iterator[Batch]:
    raw, text = _text(path, layout)
    with text:
        for _ in range(layout.first - 1):
            text.readline()
        reader = _rows_of(text, layout)
        base = layout.first - 1
        more = True
        while more:
            rows: list[list[str]] = []
            ends = [reader.line_num]
            try:
                for row in reader:
                    rows.append(row)
                    ends.append(reader.line_num)
                    if len(rows) == BATCH:
                        break
                else:
                    more = False
            except csv.Error:
                raise _unclosed(base + ends[-1] + 1) from None
            batch = _sound(rows, [base + end + 1 for end in ends[:-1]], ends, layout, nul=raw.nul)
            if batch.numbers or batch.faults:
                yield batch
            seen(raw.behind())


def _sound(rows: list[list[str]], numbers: list[int], ends: list[int], layout: Layout, *, nul: bool) -> Batch:
    """The rows that have the header's cells; the others are faults, empty ones nothing. Row i begins in line
    numbers[i] and ends where ends[i + 1] says.
    """
    width = len(layout.headers)
    odd = [index for index, row in enumerate(rows) if len(row) != width or not any(row)]
    faults: list[Fault] = []
    gone = set()
    for index in odd:
        row = rows[index]
        if not any(cell.strip() for cell in row):
            gone.add(index)
        elif len(row) > width and not any(row[width:]):
            rows[index] = row[:width]  # trailing delimiters
        else:
            gone.add(index)
            reason = "open_quote" if ends[index + 1] - ends[index] > 20 else "cells"
            faults.append(Fault(numbers[index], reason, layout.delimiter.join(row[: width + 20])[:2000]))
    if gone:
        numbers = [number for index, number in enumerate(numbers) if index not in gone]
        rows = [row for index, row in enumerate(rows) if index not in gone]
    return sound_batch(numbers, rows, faults, width, nul=nul)
