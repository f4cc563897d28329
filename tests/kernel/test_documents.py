"""Documents that can be held against the code are."""

import re
from pathlib import Path

from regulars.accounts.capabilities import KEYS_PLACE
from regulars.console.navigation import SECTIONS

ROOT = Path(__file__).parents[2]


def test_every_variable_of_the_environment_is_documented() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    used = {name for name in re.findall(r"\bREGULARS_[A-Z_]+\b", source) if not name.startswith("REGULARS_TEST")}
    documented = set(re.findall(r"^\| `(REGULARS_[A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text(), re.M))
    assert documented == used


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        (path.name, target)
        for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").rglob("*.md")]
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text())
        if not (path.parent / target).exists()
    ]
    assert broken == []


def test_both_readmes_have_the_same_parts_and_commands() -> None:
    english, chinese = ((ROOT / name).read_text() for name in ("README.md", "README.zh.md"))
    for pattern in (r"^#+ ", r"^(?:make|\.venv)[^\n]*$"):
        assert len(re.findall(pattern, english, re.M)) == len(re.findall(pattern, chinese, re.M))


def test_places_of_the_console_that_are_named_are_there() -> None:
    """“Data → Keys and API” and the like, in documents and in what programs are answered."""
    there = {
        f"{section.text.in_language(language)} → {entry.text.in_language(language)}"
        for section in SECTIONS if section.text
        for entry in section.entries
        for language in ("en", "zh-hans")
    }  # fmt: skip
    assert {KEYS_PLACE.en, KEYS_PLACE.zh} <= there
    texts = [path.read_text() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md"))]
    named = {place for text in texts for place in re.findall(r"\*\*([^*\n]+ → [^*\n]+)\*\*", text)}
    assert len(named) >= 4 and named <= there
