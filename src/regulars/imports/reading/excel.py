"""Excel workbooks. They are opened in a process of their own (`apart`)."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from regulars.imports.reading.apart import read_apart
from regulars.imports.reading.headers import headed
from regulars.imports.reading.layouts import (
    CHUNK,
    FREE_UNPACKED,
    MAX_RATIO,
    MAX_UNPACKED_EXCEL,
    Batch,
    Layout,
    sound_batch,
)
from regulars.imports.reading.refusals import broken_excel, refusal, too_big
from regulars.kernel.languages import Text


def check_zip(path: Path) -> None:
    """Unpack every part once, counting: the sizes a zip file declares may be lies."""
    packed = path.stat().st_size
    most = min(MAX_UNPACKED_EXCEL, max(FREE_UNPACKED, packed * MAX_RATIO))
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if not any(name.lower() in ("[content_types].xml", "mimetype") for name in names):
                raise refusal(
                    "zip",
                    "This is a zip archive. Unpack it and give the table inside.",
                    "这是 zip 压缩包，请解压后上传其中的表格。",
                )
            if sum(part.file_size for part in archive.infolist()) > most or len(names) > 10_000:
                raise too_big()
            total = 0
            for part in archive.infolist():
                with archive.open(part) as file:
                    while chunk := file.read(CHUNK):
                        total += len(chunk)
                        if total > most:
                            raise too_big()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError):
        raise broken_excel() from None


def is_locked(path: Path) -> bool:
    """Whether an old-style container holds an encrypted workbook: the name of that part stands in its directory."""
    kept, name = b"", "EncryptedPackage".encode("utf-16-le")
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            if name in kept + chunk:
                return True
            kept = chunk[-len(name) :]
    return False


def layout_of(path: Path, sheet: str) -> Layout:
    told = next(read_apart("layout", "excel", path, sheet))
    names, chosen = told["sheets"], told["sheet"]
    before, headers, remarks = headed(told["rows"])
    if not sheet and len(names) > 1:
        text = Text(
            "The file has {count} sheets; “{name}” is read.", "文件有 {count} 个工作表，读取的是“{name}”。"
        ).filled(count=len(names), name=chosen)
        remarks.append((text.en, text.zh))
    return Layout("excel", headers, before + 1, sheet=chosen, sheets=names, rows=told["height"], remarks=remarks)


def batches_of(path: Path, layout: Layout, seen: Callable[[int], None]) -> Iterator[Batch]:
    width = len(layout.headers)
    with closing(read_apart("rows", "excel", path, layout.sheet)) as pieces:
        for start, piece in pieces:
            numbers: list[int] = []
            rows: list[list[str]] = []
            for number, row in enumerate(piece, start):
                if number >= layout.first and any(cell.strip() for cell in row[:width]):
                    numbers.append(number)
                    rows.append(row[:width] + [""] * (width - len(row)))
            if rows:
                yield sound_batch(numbers, rows, [], width, nul=True)
            seen(start + len(piece) - 1)
    seen(layout.rows or 1)
