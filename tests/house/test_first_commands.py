"""The first command ever given on an empty folder, as the README has it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.conftest import ROOT

FIRST = {
    "a person": ("user", "add", "me@example.com", "--password", "first-password-1"),
    "a write key": ("key", "add", "Shop"),
    "figures": ("figures", "--json"),
}


@pytest.mark.parametrize("arguments", FIRST.values(), ids=FIRST)
def test_any_command_may_be_the_first(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("REGULARS_", "DJANGO"))}
    done = subprocess.run(
        [sys.executable, "-m", "regulars", "--home", str(tmp_path / "new"), *arguments],
        env=environment | {"PYTHONPATH": str(ROOT / "src")}, cwd=ROOT, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
