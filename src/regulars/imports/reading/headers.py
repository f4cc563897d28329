"""Which row of a table names its columns, and what the columns are called."""

import re

from regulars.imports.reading.layouts import MAX_COLUMNS
from regulars.imports.reading.refusals import refusal
from regulars.kernel.languages import Text


def named(cells: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Headers made unique and complete, with a remark for each that was not."""
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) > MAX_COLUMNS:
        raise refusal(
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


def headed(rows: list[list[str]]) -> tuple[int, list[str], list[tuple[str, str]]]:
    """(rows before the data, headers, remarks). Without a header the columns are called by number."""
    if not rows or not any(cell.strip() for row in rows for cell in row):
        raise refusal("empty", "The file has no rows.", "文件中没有任何数据行。")
    index, headed = _header_at(rows)
    if headed:
        headers, remarks = named(rows[index])
        return index + 1, headers, remarks
    width = len(rows[index])
    headers, _ = named([f"Column {number}" for number in range(1, width + 1)])
    text = Text("The file has no header: the columns are called by their number.", "文件没有标题行，各列按序号命名。")
    return index, headers, [(text.en, text.zh)]
