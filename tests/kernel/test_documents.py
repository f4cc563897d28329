"""Documents that can be held against the code are."""

import re
from pathlib import Path

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
