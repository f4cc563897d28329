"""How a file is made, its rows in batches, and what is said of files that are no tables. All formats share it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Format = Literal["csv", "excel", "parquet"]
BATCH = 20_000
MAX_COLUMNS = 500
MAX_LINE = 1_000_000
MAX_UNPACKED_EXCEL = 1 << 30
MAX_RATIO = 200  # unpacked : packed; honest tables stay below 50
FREE_UNPACKED = 64 << 20  # below this size the ratio doesn't matter
CHUNK = 1 << 20


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


def sound_batch(numbers: list[int], rows: list[list[str]], faults: list[Fault], width: int, *, nul: bool) -> Batch:
    bad = {index for index, row in enumerate(rows) if any("\0" in cell for cell in row)} if nul else set()
    for index in sorted(bad):
        faults.append(Fault(numbers[index], "nul", " ".join(rows[index]).replace("\0", "�")[:2000]))
    if bad:
        numbers = [number for index, number in enumerate(numbers) if index not in bad]
        rows = [row for index, row in enumerate(rows) if index not in bad]
    columns: list[Sequence[str | None]] = list(zip(*rows, strict=True)) if rows else [() for _ in range(width)]
    return Batch(numbers, columns, faults)
