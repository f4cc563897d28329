"""A file of any make → its layout and its rows as text, in batches, in bounded memory.

CSV in any common encoding (also gzipped), Excel, Parquet. What a value means isn't decided here. Nothing in a file
can do harm: its size when unpacked, the length of a line and the number of columns are bounded, and what can't be
read is a Problem that says where and what to do.
"""

import codecs
import csv
import gzip
import io
import os
import re
import signal
import subprocess
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import msgspec

from regulars.kernel.errors import Invalid, Problem
from regulars.kernel.languages import Text

Format = Literal["csv", "excel", "parquet"]

BATCH = 20_000
MAX_COLUMNS = 500
MAX_LINE = 1_000_000
MAX_UNPACKED_EXCEL = 1 << 30
MAX_RATIO = 200  # unpacked : packed; honest tables stay below 50
FREE_UNPACKED = 64 << 20  # below this size the ratio doesn't matter
CHUNK = 1 << 20
SAMPLE = 256 << 10
SEALED_MEMORY = 4 << 30  # address space; an honest sheet of a million rows and 25 columns takes 3 GB

ENCODINGS = {
    "utf-8": "UTF-8", "gb18030": "GB18030 / GBK", "utf-16": "UTF-16", "big5": "Big5", "cp1252": "Windows-1252",
    "cp1251": "Windows-1251", "cp1250": "Windows-1250", "shift_jis": "Shift JIS", "euc_kr": "EUC-KR",
    "latin_1": "ISO 8859-1",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is made. `headers` are unique; `first` is the number of the first row of data in the file, from 1.
    `remarks`: what its owner should know. Survives JSON (`asdict`, `Layout.of`).
    """

    format: Format
    headers: list[str]
    first: int
    packed: bool = False
    encoding: str = ""
    torn: bool = False
    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    sheet: str = ""
    sheets: list[str] = field(default_factory=list)
    rows: int | None = None
    remarks: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, data: dict[str, Any]) -> "Layout":
        return cls(**{**data, "remarks": [(en, zh) for en, zh in data["remarks"]]})

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that can't be read: where, why (a key of staging.REASONS), and what stands there."""

    row: int
    reason: str
    text: str


@dataclass(slots=True)
class Batch:
    """Up to BATCH rows. `numbers`: line (CSV) or row of each; `columns`: the texts under each header."""

    numbers: list[int]
    columns: Sequence[Sequence[str | None]]
    faults: list[Fault]


def _told(code: str, en: str, zh: str, **values: object) -> Invalid:
    return Invalid(code, Text(en, zh).filled(**values), field="file")


def layout(path: Path, *, encoding: str = "", sheet: str = "") -> Layout:
    """Look at the file. Raises Invalid for what can't be read at all.

    Reads a CSV once from end to end, for an encoding is proven by the whole file, not by its beginning.
    """
    with path.open("rb") as file:
        magic = file.read(8)
    if not magic:
        raise _told("empty", "The file is empty.", "文件是空的。")
    if magic.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        _checked_zip(path)
        return _excel_layout(path, sheet)
    if magic.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        if path.stat().st_size > MAX_UNPACKED_EXCEL // 8:
            raise _too_big()
        if _is_locked(path):
            raise _locked()
        return _excel_layout(path, sheet)
    if magic.startswith(b"PAR1"):
        return _parquet_layout(path)
    if magic.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"Rar!", b"7z\xbc\xaf", b"BZh", b"\x28\xb5\x2f\xfd")):
        raise _not_a_table()
    return _csv_layout(path, packed=magic.startswith(b"\x1f\x8b"), encoding=encoding)


def batches(path: Path, layout: Layout, seen: Callable[[int], None] = lambda done: None) -> Iterator[Batch]:
    """The rows below the header. `seen` is told how many bytes of the file (CSV) or rows are behind."""
    match layout.format:
        case "csv":
            return _csv_batches(path, layout, seen)
        case "excel":
            return _excel_batches(path, layout, seen)
        case "parquet":
            return _parquet_batches(path, layout, seen)


def size(path: Path, layout: Layout) -> int:
    """What `seen` counts up to."""
    return path.stat().st_size if layout.format == "csv" else layout.rows or 1


# --- what all have in common


def _not_a_table() -> Invalid:
    return _told(
        "not_a_table",
        "This isn't a table. Give a CSV, Excel (.xlsx, .xls) or Parquet file.",
        "这不是表格文件，请提供 CSV、Excel（.xlsx、.xls）或 Parquet 文件。",
    )


def _too_big() -> Invalid:
    return _told(
        "unpacked_too_big",
        "Unpacked, this file is far bigger than it looks. Save the table as CSV and import that.",
        "文件解压后体积异常庞大，请另存为 CSV 后再导入。",
    )


def _named(cells: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Headers made unique and complete, with a remark for each that was not."""
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) > MAX_COLUMNS:
        raise _told(
            "too_many_columns",
            "The file has {count} columns; {most} are possible. Is the delimiter right?",
            "文件有 {count} 列，最多支持 {most} 列。请检查分隔符是否正确。",
            count=len(cells),
            most=MAX_COLUMNS,
        )
    names: list[str] = []
    remarks = []
    for number, cell in enumerate(cells, 1):
        name = " ".join(cell.replace("\0", " ").split())[:200]
        if not name:
            name = f"Column {number}"
            remarks.append(Text("Column {number} has no header.", "第 {number} 列没有标题。").filled(number=number))
        if name in names:
            fresh = next(f"{name} ({n})" for n in range(2, MAX_COLUMNS + 2) if f"{name} ({n})" not in names)
            remarks.append(
                Text(
                    "The header “{name}” stands more than once; the one in column {number} is called “{fresh}” here.",
                    "标题“{name}”重复出现，第 {number} 列在此改称“{fresh}”。",
                ).filled(name=name, number=number, fresh=fresh)
            )
            name = fresh
        names.append(name)
    return names, [(text.en, text.zh) for text in remarks]


_VALUE = re.compile(r"^[\s¥￥$£€(+-]*\d[\d\s.,:/\-年月日TZ+()%]*$")


def _is_header(cells: list[str]) -> bool:
    """Whether a row names columns: it has words, and nothing that is a number or a date."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return bool(filled) and not any(_VALUE.match(cell) for cell in filled)


def _header_at(rows: list[list[str]]) -> tuple[int, bool]:
    """(index, is there a header): the first of the first rows that is as wide as the table and holds names.

    Reports often have titles above the table: those rows are narrow.
    """
    width = max((sum(1 for cell in row if cell.strip()) for row in rows), default=0)
    for index, row in enumerate(rows[:10]):
        if sum(1 for cell in row if cell.strip()) >= max(1, width * 0.6):
            return index, _is_header(row)
    return 0, False


def _headed(rows: list[list[str]]) -> tuple[int, list[str], list[tuple[str, str]]]:
    """(rows before the data, headers, remarks). Without a header the columns are called by number."""
    if not rows or not any(cell.strip() for row in rows for cell in row):
        raise _told("empty", "The file has no rows.", "文件中没有任何数据行。")
    index, headed = _header_at(rows)
    if headed:
        headers, remarks = _named(rows[index])
        return index + 1, headers, remarks
    width = len(rows[index])
    headers, _ = _named([f"Column {number}" for number in range(1, width + 1)])
    text = Text("The file has no header: the columns are called by their number.", "文件没有标题行，各列按序号命名。")
    return index, headers, [(text.en, text.zh)]


# --- CSV


class _Bounded(io.RawIOBase):
    """Unpacked bytes, stopped when they grow out of proportion to the packed file or a line has no end. `nul`: there
    was a zero byte.
    """

    def __init__(self, path: Path, packed: bool) -> None:
        self.file: BinaryIO = path.open("rb")
        self.inner = cast(BinaryIO, gzip.GzipFile(fileobj=self.file)) if packed else self.file
        self.most = max(FREE_UNPACKED, path.stat().st_size * MAX_RATIO) if packed else None
        self.given = 0
        self.lines = 0
        self.since_line = 0
        self.nul = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self.inner.read(len(buffer))
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise _told(
                "broken_gzip",
                "The compressed file is broken or only half there. Copy or export it again.",
                "压缩文件已损坏或不完整，请重新复制或导出。",
            ) from None
        buffer[: len(data)] = data
        self.given += len(data)
        self.nul = self.nul or b"\0" in data
        end = max(data.rfind(b"\n"), data.rfind(b"\r"))
        self.since_line = self.since_line + len(data) if end < 0 else len(data) - end - 1
        self.lines += data.count(b"\n")
        if self.since_line > MAX_LINE:
            raise _told(
                "line_too_long",
                "Line {number} is longer than {most} bytes: this isn't a table, or a quotation mark is missing.",
                "第 {number} 行超过 {most} 字节：这可能不是表格，或缺少引号。",
                number=self.lines + 1,
                most=f"{MAX_LINE:,}",
            )
        if self.most is not None and self.given > self.most:
            raise _too_big()
        return len(data)

    def behind(self) -> int:
        return self.file.tell()

    def close(self) -> None:
        self.file.close()
        super().close()


def _opened(path: Path, packed: bool) -> tuple[_Bounded, io.BufferedReader]:
    raw = _Bounded(path, packed)
    return raw, io.BufferedReader(raw, CHUNK)


def _chunks(path: Path, packed: bool) -> Iterator[bytes]:
    _, file = _opened(path, packed)
    with file:
        while chunk := file.read(CHUNK):
            yield chunk


def _decodes(path: Path, packed: bool, encoding: str) -> Literal["whole", "torn", "no"]:
    """Whether the whole file is valid in the encoding; torn: but for a character cut off at its end."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        for chunk in _chunks(path, packed):
            decoder.decode(chunk)
    except UnicodeError:
        return "no"
    try:
        decoder.decode(b"", final=True)
    except UnicodeError:
        return "torn"
    return "whole"


def _looks_chinese(data: bytes) -> bool:
    """Whether the bytes above ASCII are mostly pairs of common Chinese characters or full-width marks (GB 2312
    rows 1–55). Western text that happens to be valid GB18030 pairs accents with letters instead.
    """
    pairs = re.findall(rb"[\x81-\xfe][\x30-\x39\x40-\xfe]", data)
    common = sum(1 for a, b in pairs if (0xA1 <= a <= 0xA9 or 0xB0 <= a <= 0xD7) and b >= 0xA1)
    return bool(pairs) and common >= 0.85 * len(pairs)


def _encoding(path: Path, packed: bool, wanted: str) -> tuple[str, bool, list[tuple[str, str]]]:
    """(Python's name of the encoding, is the last character torn off, remarks)."""
    head = next(_chunks(path, packed), b"")
    if not head:
        raise _told("empty", "The file is empty.", "文件是空的。")
    if head.startswith((b"PK\x03\x04", b"PAR1", b"\x1f\x8b", b"\xd0\xcf\x11\xe0")) or b"ustar" in head[257:263]:
        raise _told(
            "packed_twice",
            "There is another packed file inside. Unpack it first.",
            "压缩包内还是压缩文件，请先解压。",
        )
    try:
        wanted = codecs.lookup(wanted).name if wanted else ""
    except LookupError:
        raise Invalid("encoding", Text("There is no such encoding.", "没有这种编码。"), field="encoding") from None
    marks = [
        (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"), (b"\x84\x31\x95\x33", "gb18030"),
    ]  # fmt: skip
    marked = next((name for mark, name in marks if head.startswith(mark)), "")
    if wanted and not marked:
        choices = [wanted]
    elif marked:
        choices = [marked]
    else:
        even, odd = head[:4096:2].count(0), head[1:4096:2].count(0)
        if even + odd > 0.2 * min(len(head), 4096):
            if max(even, odd) < 4 * min(even, odd) + 1:
                raise _not_a_table()
            choices = ["utf-16-le" if odd > even else "utf-16-be"]
        else:
            choices = ["utf-8"]
    for name in choices:
        if (answer := _decodes(path, packed, name)) != "no":
            return name, answer == "torn", []
    if not wanted and not marked:
        beyond = b"".join(line for line in head.splitlines() if any(byte > 127 for byte in line))
        if not beyond:  # the accents begin later: look at all of the file for them
            for chunk in _chunks(path, packed):
                beyond += b"".join(line for line in chunk.splitlines() if any(byte > 127 for byte in line))
                if len(beyond) > SAMPLE:
                    break
        guesses = ["gb18030"] if _looks_chinese(beyond) else []
        guesses += _other_encodings(beyond[:SAMPLE])
        for name in guesses:
            if (answer := _decodes(path, packed, name)) != "no":
                text = Text(
                    "Read as {name}. If letters look wrong, choose another encoding.",
                    "按 {name} 读取。如有乱码，请选择其他编码。",
                ).filled(name=ENCODINGS.get(name, name))
                return name, answer == "torn", [(text.en, text.zh)]
    if b"\0" in head and not wanted and not marked:
        raise _not_a_table()
    raise Invalid(
        "encoding",
        Text(
            "The file's characters can't be read: it isn't written in {names}. Save it as “CSV UTF-8” and try again.",
            "无法识别文件的字符编码（不是 {names}）。请另存为“CSV UTF-8”后重试。",
        ).filled(names=marked or wanted or "UTF-8, GB18030"),
        field="encoding",
    )


def _other_encodings(data: bytes) -> list[str]:
    from charset_normalizer import from_bytes

    found = from_bytes(data, cp_isolation=[name for name in ENCODINGS if name not in ("utf-8", "utf-16")])
    ranked = [match.encoding for match in found]
    return [*ranked, *(name for name in ("gb18030", "cp1252") if name not in ranked)]


def _text(path: Path, layout: Layout) -> tuple[_Bounded, io.TextIOWrapper]:
    raw, file = _opened(path, layout.packed)
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


def _csv_layout(path: Path, *, packed: bool, encoding: str) -> Layout:
    name, torn, remarks = _encoding(path, packed, encoding)
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
    if any("\0" in line for line in sample[:5]):
        raise _not_a_table()
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
    before, headers, said = _headed(rows[skipped:])
    before += skipped
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
    return _told(
        "unclosed_quote",
        "A quotation mark in or after line {line} is never closed, or a cell there is longer than {most} characters. "
        "Mend the file there, or export it again.",
        "第 {line} 行或其后有引号没有配对，或有单元格超过 {most} 个字符。请修正后重试，或重新导出。",
        line=line,
        most=f"{csv.field_size_limit():,}",
    )


def _csv_batches(path: Path, layout: Layout, seen: Callable[[int], None]) -> Iterator[Batch]:
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
    return _batch(numbers, rows, faults, width, nul=nul)


def _batch(numbers: list[int], rows: list[list[str]], faults: list[Fault], width: int, *, nul: bool) -> Batch:
    bad = {index for index, row in enumerate(rows) if any("\0" in cell for cell in row)} if nul else set()
    for index in sorted(bad):
        faults.append(Fault(numbers[index], "nul", " ".join(rows[index]).replace("\0", "�")[:2000]))
    if bad:
        numbers = [number for index, number in enumerate(numbers) if index not in bad]
        rows = [row for index, row in enumerate(rows) if index not in bad]
    columns: list[Sequence[str | None]] = list(zip(*rows, strict=True)) if rows else [() for _ in range(width)]
    return Batch(numbers, columns, faults)


# --- Excel


def _checked_zip(path: Path) -> None:
    """Unpack every part once, counting: the sizes a zip file declares may be lies."""
    packed = path.stat().st_size
    most = min(MAX_UNPACKED_EXCEL, max(FREE_UNPACKED, packed * MAX_RATIO))
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if not any(name.lower() in ("[content_types].xml", "mimetype") for name in names):
                raise _told(
                    "zip",
                    "This is a zip archive. Unpack it and give the table inside.",
                    "这是 zip 压缩包，请解压后上传其中的表格。",
                )
            if sum(part.file_size for part in archive.infolist()) > most or len(names) > 10_000:
                raise _too_big()
            total = 0
            for part in archive.infolist():
                with archive.open(part) as file:
                    while chunk := file.read(CHUNK):
                        total += len(chunk)
                        if total > most:
                            raise _too_big()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError):
        raise _broken_excel() from None


def _locked() -> Invalid:
    return _told(
        "password",
        "The Excel file is locked with a password. Open it, remove the password and save it, or save it as CSV.",
        "Excel 文件设有密码。请打开文件、取消密码并保存，或另存为 CSV。",
    )


def _is_locked(path: Path) -> bool:
    """Whether an old-style container holds an encrypted workbook: the name of that part stands in its directory."""
    kept, name = b"", "EncryptedPackage".encode("utf-16-le")
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            if name in kept + chunk:
                return True
            kept = chunk[-len(name) :]
    return False


def _broken_excel() -> Invalid:
    return _told(
        "broken_excel",
        "The Excel file is broken or only half there. Open and save it again, or save it as CSV.",
        "Excel 文件已损坏或不完整。请重新打开并保存，或另存为 CSV。",
    )


def _excel_layout(path: Path, sheet: str) -> Layout:
    told = next(_sealed("layout", "excel", path, sheet))
    names, chosen = told["sheets"], told["sheet"]
    before, headers, remarks = _headed(told["rows"])
    if not sheet and len(names) > 1:
        text = Text(
            "The file has {count} sheets; “{name}” is read.", "文件有 {count} 个工作表，读取的是“{name}”。"
        ).filled(count=len(names), name=chosen)
        remarks.append((text.en, text.zh))
    return Layout("excel", headers, before + 1, sheet=chosen, sheets=names, rows=told["height"], remarks=remarks)


def _excel_batches(path: Path, layout: Layout, seen: Callable[[int], None]) -> Iterator[Batch]:
    width = len(layout.headers)
    with closing(_sealed("rows", "excel", path, layout.sheet)) as pieces:
        for start, piece in pieces:
            numbers: list[int] = []
            rows: list[list[str]] = []
            for number, row in enumerate(piece, start):
                if number >= layout.first and any(cell.strip() for cell in row[:width]):
                    numbers.append(number)
                    rows.append(row[:width] + [""] * (width - len(row)))
            if rows:
                yield _batch(numbers, rows, [], width, nul=True)
            seen(start + len(piece) - 1)
    seen(layout.rows or 1)


# --- Parquet


def _broken_parquet() -> Invalid:
    return _told(
        "broken_parquet",
        "The Parquet file is broken or only half there. Copy or export it again.",
        "Parquet 文件已损坏或不完整，请重新复制或导出。",
    )


def _parquet_layout(path: Path) -> Layout:
    told = next(_sealed("layout", "parquet", path))
    if not told["height"]:
        raise _told("empty", "The file has no rows.", "文件中没有任何数据行。")
    headers, remarks = _named(told["names"])
    return Layout("parquet", headers, 1, rows=told["height"], remarks=remarks)


def _parquet_batches(path: Path, layout: Layout, seen: Callable[[int], None]) -> Iterator[Batch]:
    number = 0
    with closing(_sealed("rows", "parquet", path)) as pieces:
        for columns in pieces:
            height = len(columns[0])
            yield Batch(list(range(number + 1, number + height + 1)), columns[: len(layout.headers)], [])
            number += height
            seen(number)


# --- what libraries read that mustn't harm the server


def _sealed(what: Literal["layout", "rows"], kind: str, path: Path, sheet: str = "") -> Generator[Any, None, None]:
    """What the program `sealed` says of the file, value by value. Raises Invalid for what it refuses, and when it dies
    of the file.
    """
    program = str(Path(__file__).with_name("sealed.py"))
    command = [sys.executable, "-I", program, what, kind, str(path), sheet, str(SEALED_MEMORY)]
    environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system", "RUST_BACKTRACE": "0"}
    child = subprocess.Popen(  # noqa: S603 (our own program)
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, bufsize=CHUNK
    )
    assert child.stdout
    ended = False
    try:
        for line in child.stdout:
            told = msgspec.json.decode(line)
            if isinstance(told, dict) and "problem" in told:
                raise _refused(kind, sheet, told["problem"], told.get("number", 0))
            yield told
        ended = True
    finally:
        if not ended:
            child.kill()
        code = child.wait()
        child.stdout.close()
    if code:
        raise _refused(kind, sheet, "memory" if code in (-signal.SIGABRT, -signal.SIGKILL) else "broken", 0)


def _refused(kind: str, sheet: str, problem: str, number: int) -> Problem:
    match problem:
        case "empty":
            return _told("empty", "The file has no rows.", "文件中没有任何数据行。")
        case "sheet":
            text = Text("There is no sheet “{sheet}”.", "没有名为“{sheet}”的工作表。").filled(sheet=sheet)
            return Invalid("sheet", text, field="sheet")
        case "password":
            return _locked()
        case "memory":
            return _too_big()
        case "line_too_long":
            return _told(
                "line_too_long",
                "Row {number} has more than {most} characters: this isn't a table of orders, customers or events.",
                "第 {number} 行超过 {most} 个字符：这不是订单、客户或事件的表格。",
                number=number,
                most=f"{MAX_LINE:,}",
            )
    return _broken_excel() if kind == "excel" else _broken_parquet()
