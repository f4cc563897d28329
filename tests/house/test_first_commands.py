"""The first command ever given on an empty folder, as the README has it."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.house.conftest import ROOT

FIRST = {
    "a person": ("user", "add", "me@example.com", "--password", "first-password-1"),
    "a write key": ("key", "add", "Shop"),
}
READING = {
    "figures": ("figures", "--json"),
    "refresh": ("refresh",),
    "a backup": ("backup", "copy.tar"),
}


def given(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "regulars", "--home", str(home), *arguments]


def around() -> dict[str, Any]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REGULARS_", "DJANGO"))}
    return {"env": kept | {"PYTHONPATH": str(ROOT / "src"), "LANG": "en"}, "cwd": ROOT, "text": True}


def ran(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(given(home, *arguments), **around(), capture_output=True, timeout=120, check=False)


@pytest.mark.parametrize("arguments", FIRST.values(), ids=FIRST)
def test_a_command_that_writes_may_be_the_first(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = ran(tmp_path / "new", *arguments)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", READING.values(), ids=READING)
def test_a_command_that_reads_makes_no_folder(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    home = tmp_path / "mistyped"
    done = ran(home, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"regulars: There is no data folder at {home}. Name the one to read with --home.\n"
    assert not home.exists()


def test_what_cant_be_a_data_folder_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = ran(tmp_path / "file", "serve")
    assert done.returncode == 2
    assert done.stderr.startswith("regulars: ") and done.stderr.count("\n") == 1 and "--home" in done.stderr


def test_a_demo_that_was_broken_off_is_loaded_to_its_end_by_the_next(tmp_path: Path) -> None:
    home = tmp_path / "new"
    first = subprocess.Popen(
        given(home, "demo", "--customers", "300", "--seed", "7"), **around(), stderr=subprocess.PIPE
    )
    assert first.stderr
    assert "customers are in" in first.stderr.readline()
    first.send_signal(signal.SIGINT)
    first.stderr.close()
    assert first.wait(60) != 0
    again = ran(home, "demo", "--if-empty")
    assert again.returncode == 0 and "it goes on" in again.stderr, again.stderr
    assert "demo@example.com" in again.stdout
    (told,) = re.findall(r"([\d,]+) events are in", again.stderr)
    with closing(sqlite3.connect(home / "regulars.sqlite3")) as database:
        ((stored,),) = database.execute("SELECT count(*) FROM eventlog_event WHERE source = 'demo'").fetchall()
    assert f"{stored:,}" == told and "new events" in again.stdout  # 0 of them where all had come before the break
    third = ran(home, "demo", "--if-empty")
    assert "goes on" not in third.stderr and "new events" not in third.stdout
