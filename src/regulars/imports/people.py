"""Whether a column names people or numbers them: two customers may share a name. By the values, since headers like
“Customer” say neither. Nothing is decided here: guessing does, and people.
"""

import duckdb

from regulars.imports.mappings import IDENTITIES, TARGETS, Mapping
from regulars.kernel.languages import Text

SAMPLE = 2000
MOST = 0.5
"""Share of the filled cells from which on a column is one of names."""

_WORD = r"[\p{L}\p{M}*][\p{L}\p{M}*'’`.-]*"
WORDS = f"{_WORD}(,? {_WORD}){{0,5}},?"
"""A regular expression (RE2) for what may be a name or a login: words of letters, some starred out."""
NAMES = (
    f"{_WORD}(,? {_WORD}){{1,5}}|"
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}ー々〇*·•・ ]{2,20}|[\p{L}]*\p{Han}[\p{L}*]*"
)
"""For what is nothing but a name: several words, or in Chinese, Japanese or Korean."""


def doubts(database: duckdb.DuckDBPyConnection, headers: list[str], mapping: Mapping) -> list[tuple[str, Text]]:
    """(field, text) where nothing tells customers apart, or names would."""
    if not mapping.columns.keys() & set(IDENTITIES):
        return [("user_id", _NOBODY)] if mapping.kind == "orders" else []
    told = []
    for target in ("user_id", "member_card"):
        header = mapping.columns.get(target)
        if header in headers and (examples := names(database, headers.index(header))):
            which = Text(", ".join(examples), "、".join(examples))
            told.append((target, _NAMES.filled(which=which, name=TARGETS["name"].label)))
    return told


def names(database: duckdb.DuckDBPyConnection, index: int) -> list[str]:
    """Two examples, if most of the first cells of this column are names; else none."""
    row = database.execute(
        "SELECT count(*) FILTER (named) >= ? * count(*), list(DISTINCT x ORDER BY x) FILTER (named) FROM ("
        "SELECT x, regexp_full_match(x, ?) AS named FROM ("
        f"SELECT tidy(c{index}) AS x FROM raw ORDER BY row LIMIT {SAMPLE}) WHERE x IS NOT NULL)",
        [MOST, NAMES],
    ).fetchone()
    assert row
    return [name[:30] for name in row[1][:2]] if row[0] and row[1] else []


_NOBODY = Text(
    "No column tells customers apart: all sales would be anonymous.",
    "没有可识别客户的列，所有销售都将记为匿名。",
)
_NAMES = Text(
    "These look like names ({which}). Two people of one name would become one customer: unless each name stands for "
    "one person only, choose “{name}”.",
    "这些值看起来像姓名（{which}）。同名的人会被当成同一位客户；除非每个姓名只对应一个人，否则请选择“{name}”。",
)
