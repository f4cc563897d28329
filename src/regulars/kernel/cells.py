"""What may stand in a cell of a table that people open in a spreadsheet."""

import re

_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"[+-]?[\d.,]+")


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP: CSV injection): an apostrophe before what could be one.
    Numbers stay, phones too: they compute nothing, and whoever reads the file again gets what it said.
    """
    return "'" + text if text.startswith(_BEGINNINGS) and not _NUMBER.fullmatch(text) else text
