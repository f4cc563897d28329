"""Gathers what templates and code hand to gettext into the catalogue, compiles it, and refuses what lacks Chinese.

python tools/translations.py           gather into the .po (sorted, without places, so that it merges by union)
python tools/translations.py compile   write the .mo
python tools/translations.py check     fail on what is missing, untranslated, stale or written with half-width marks
"""

import re
import sys
from pathlib import Path

import polib

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "regulars"
PO = SOURCE / "console" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
PLAIN = re.compile(r"""\{%-?\s*trans(?:late)?\s+(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")
IN_CALL = re.compile(r"""(?<![\w.])_\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')\s*\)""")
BLOCK = re.compile(
    r"\{%-?\s*blocktrans(?:late)?\b([^%]*)%\}(.*?)(?:\{%\s*plural\s*%\}(.*?))?\{%\s*endblocktrans(?:late)?\s*%\}", re.S
)
CODE = re.compile(r"""(?<![\w.])(?:gettext|gettext_lazy|_)\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')\s*[,)]""")
SLIPS = [
    (re.compile(r"[\u4e00-\u9fff][,;:!?](?:\s|[\u4e00-\u9fff]|$)"), "half-width mark after Chinese"),
    (
        re.compile(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]"),
        "no space between Chinese and Latin or digits",
    ),
]


def _block(options: str, body: str) -> str:
    body = re.sub(r"\{\{\s*(\w+)\s*\}\}", r"%(\1)s", body.replace("%", "%%"))
    if "trimmed" in options.split():
        body = " ".join(line.strip() for line in body.splitlines() if line.strip())
    return body


def gathered() -> set[tuple[str, str]]:
    """(singular, plural or "") of every message in templates and code."""
    found: set[tuple[str, str]] = set()
    for path in [*SOURCE.rglob("*.html"), *SOURCE.rglob("*.txt")]:
        text = path.read_text()
        for pattern in (PLAIN, IN_CALL):
            found |= {((a or b).replace('\\"', '"').replace("\\'", "'").replace("%", "%%") if pattern is PLAIN else (a or b), "")
                      for a, b in pattern.findall(text)}  # fmt: skip
        found |= {(_block(o, one), _block(o, many) if many else "") for o, one, many in BLOCK.findall(text)}
    for path in SOURCE.rglob("*.py"):
        found |= {((a or b).encode().decode("unicode_escape").encode("latin-1").decode(), "")
                  for a, b in CODE.findall(path.read_text()) if "gettext" in path.read_text()}  # fmt: skip
    return found


def gather() -> None:
    """Add what is new, drop what is gone; what is translated stays."""
    book = polib.pofile(str(PO)) if PO.exists() else polib.POFile()
    known = {entry.msgid: entry for entry in book}
    fresh = polib.POFile(wrapwidth=120)
    fresh.metadata = {
        "Language": "zh_Hans", "MIME-Version": "1.0", "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit", "Plural-Forms": "nplurals=1; plural=0;",
    }  # fmt: skip
    for one, many in sorted(gathered()):
        entry = known.get(one)
        if many:
            said = (entry.msgstr_plural.get(0) or entry.msgstr) if entry else ""
            fresh.append(
                polib.POEntry(
                    msgid=one, msgid_plural=many, msgstr_plural={0: said}, flags=["python-format"] * ("%(" in one)
                )
            )
        else:
            said = (entry.msgstr or entry.msgstr_plural.get(0, "")) if entry else ""
            fresh.append(polib.POEntry(msgid=one, msgstr=said, flags=["python-format"] * ("%(" in one)))
    fresh.save(str(PO))


def compile() -> None:
    polib.pofile(str(PO)).save_as_mofile(str(PO.with_suffix(".mo")))


def check() -> int:
    book = polib.pofile(str(PO))
    said = {entry.msgid: entry.msgstr or entry.msgstr_plural.get(0, "") for entry in book}
    wanted = {one for one, _ in gathered()}
    faults = [f"not in the catalogue (make translations): {text!r}" for text in sorted(wanted - set(said))]
    faults += [f"not used any more (make translations): {text!r}" for text in sorted(set(said) - wanted)]
    faults += [f"without Chinese: {text!r}" for text, chinese in said.items() if not chinese]
    for text, chinese in said.items():
        if set(re.findall(r"%\(\w+\)s", text)) != set(re.findall(r"%\(\w+\)s", chinese)) and chinese:
            faults.append(f"other placeholders: {text!r} → {chinese!r}")
        faults += [
            f"{what}: {chinese!r}" for pattern, what in SLIPS if pattern.search(re.sub(r"%\(\w+\)s", " ", chinese))
        ]
    for path in SOURCE.rglob("*.html"):  # a template with Chinese in it has a string outside gettext
        if CHINESE.search(re.sub(r"\{#.*?#\}|\{% comment %\}.*?\{% endcomment %\}", "", path.read_text(), flags=re.S)):
            faults.append(f"Chinese written into a template: {path.relative_to(ROOT)}")
    print("\n".join(faults) or f"{len(said)} messages in both languages")
    return 1 if faults else 0


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "gather"
    sys.exit({"gather": gather, "compile": compile, "check": check}[what]())
