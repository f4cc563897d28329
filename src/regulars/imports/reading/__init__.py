"""A file of any make → its layout and its rows as text, in batches, in bounded memory.

CSV in any common encoding (also gzipped), Excel, Parquet. What a value means isn't decided here. Nothing in a file
can do harm: its size when unpacked, the length of a line and the number of columns are bounded, and what can't be
read is a Problem that says where and what to do.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from regulars.imports.reading import delimited, excel, parquet
from regulars.imports.reading.encodings import ENCODINGS
from regulars.imports.reading.layouts import MAX_UNPACKED_EXCEL, Batch, Layout
from regulars.imports.reading.refusals import locked, not_a_table, refusal, too_big

__all__ = ["ENCODINGS", "Batch", "Layout", "batches", "layout", "size"]


def layout(path: Path, *, encoding: str = "", sheet: str = "") -> Layout:
    """Look at the file. Raises Invalid for what can't be read at all.

    Reads a CSV once from end to end, for an encoding is proven by the whole file, not by its beginning.
    """
    with path.open("rb") as file:
        magic = file.read(8)
    if not magic:
        raise refusal("empty", "The file is empty.", "文件是空的。")
    if magic.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        excel.check_zip(path)
        return excel.layout_of(path, sheet)
    if magic.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        if path.stat().st_size > MAX_UNPACKED_EXCEL // 8:
            raise too_big()
        if excel.is_locked(path):
            raise locked()
        return excel.layout_of(path, sheet)
    if magic.startswith(b"PAR1"):
        return parquet.layout_of(path)
    if magic.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"Rar!", b"7z\xbc\xaf", b"BZh", b"\x28\xb5\x2f\xfd")):
        raise not_a_table()
    return delimited.layout_of(path, packed=magic.startswith(b"\x1f\x8b"), encoding=encoding)


def batches(path: Path, layout: Layout, seen: Callable[[int], None] = lambda done: None) -> Iterator[Batch]:
    """The rows below the header. `seen` is told how many bytes of the file (CSV) or rows are behind."""
    match layout.format:
        case "csv":
            return delimited.batches_of(path, layout, seen)
        case "excel":
            return excel.batches_of(path, layout, seen)
        case "parquet":
            return parquet.batches_of(path, layout, seen)


def size(path: Path, layout: Layout) -> int:
    """What `seen` counts up to."""
    return path.stat().st_size if layout.format == "csv" else layout.rows or 1
