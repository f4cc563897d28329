"""kill -9 at any step of a backup and of a restore: what is there afterwards is whole, or isn't taken for a backup or a
data folder; and doing it again works.

A step is what Python tells its audit hooks of: a file opened, made, renamed, deleted, a process started. A restore is
killed at every third of them, a backup at every twenty-fifth; REGULARS_TEST_STRIDE=1: both at each.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.house.conftest import ROOT, Server

STRIDE = int(os.environ.get("REGULARS_TEST_STRIDE", "25"))

# Tries in children of one process, so that Python and Django start once. A line for each: the step, whether it was
# killed there, and what is found afterwards.
CHILD = """
import json, os, shutil, signal, sys
from pathlib import Path
from regulars.kernel.errors import Problem
from regulars.wiring import backup

def child(work, last=0):
    pid = os.fork()
    if pid == 0:
        steps = 0
        def step(name, arguments):
            nonlocal steps
            if name.startswith(("open", "os.", "shutil.", "sqlite3.connect", "subprocess.")):
                steps += 1
                if steps == last:
                    os.kill(os.getpid(), signal.SIGKILL)
        if last:
            sys.addaudithook(step)
        try:
            work()
        except Problem as problem:
            (folder / "code").write_text(problem.code)
            os._exit(2)
        except BaseException:
            import traceback; traceback.print_exc()
            os._exit(3)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return (folder / "code").read_text() if status == 2 else status

folder, stride = Path(sys.argv[1]), int(sys.argv[2])

def contents(of):
    return {str(path.relative_to(of)): path.stat().st_size for path in sorted(of.rglob("*")) if path.is_file()}

def restored(source, home):
    shutil.rmtree(home, ignore_errors=True)
    return child(lambda: backup.restore(source, home=home)), contents(home)
"""
RESTORES = """
home = folder / "new"
for number in range(1, 1000, max(1, stride // 8)):
    shutil.rmtree(home, ignore_errors=True)
    status = child(lambda: backup.restore(folder / "copy.tar", home=home), number)
    usable = child(lambda: backup.whole(home))
    there = contents(home) if home.exists() else {}
    again = child(lambda: backup.restore(folder / "copy.tar", home=home))
    print(json.dumps([number, status, usable, there, again, contents(home)]))
    if status == 0:
        break
"""
BACKUPS = """
os.environ["DJANGO_SETTINGS_MODULE"] = "regulars.settings"
import django; django.setup()
from regulars.warehouse import engine, refresh
from regulars.eventlog import queries
target = folder / "made.tar.gz"
for number in range(1, 5000, stride):
    target.unlink(missing_ok=True)
    status = child(lambda: backup.back_up(target), number)
    first = restored(target, folder / "first") if target.exists() else None
    target.unlink(missing_ok=True)
    again = child(lambda: backup.back_up(target))
    left = sorted(path.name for path in folder.glob(".made*"))
    print(json.dumps([number, status, first, again, left, restored(target, folder / "second")]))
    if status == 0:
        break
"""


def ran(server: Server, code: str, folder: Path) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", CHILD + code, str(folder), str(STRIDE)],
        env=server.environment, cwd=ROOT, capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def filled(new_server: Any) -> Server:
    """A folder with a database, a warehouse, an inbox and files of an import."""
    made: Server = new_server()
    assert made.cli("figures", "--json").returncode == 0
    for name in ("inbox/0.segment", "files/imports/7/source", "files/imports/7/rejects.csv"):
        (made.home / name).parent.mkdir(parents=True, exist_ok=True)
        (made.home / name).write_bytes(b"x" * 5000)
    return made


@pytest.mark.timeout(1800)
def test_a_backup_killed_at_any_step_is_whole_or_not_there_and_the_next_one_works(
    filled: Server, tmp_path: Path
) -> None:
    tries = ran(filled, BACKUPS, tmp_path)
    assert len(tries) > 3
    assert tries[-1][1] == 0
    whole = tries[-1][2]
    assert whole[0] == 0
    assert {"regulars.sqlite3", "warehouse.duckdb", "inbox/0.segment", "files/imports/7/source"} <= set(whole[1])
    for number, status, first, again, left, second in tries[:-1]:
        assert status == -9, number
        assert first in (None, whole), number
        assert (again, left, second) == (0, [], whole), number


def test_a_folder_whose_restore_was_killed_at_any_step_is_whole_or_not_worked_with(
    filled: Server, tmp_path: Path
) -> None:
    assert filled.cli("backup", str(tmp_path / "copy.tar")).returncode == 0
    tries = ran(filled, RESTORES, tmp_path)
    assert tries[-1][1] == 0
    whole = tries[-1][3]
    assert {"regulars.sqlite3", "warehouse.duckdb", "inbox/0.segment", "files/imports/7/source"} <= set(whole)
    seen = set()
    for number, status, usable, there, again, afterwards in tries[:-1]:
        assert status == -9, number
        assert usable in (0, "half_restored"), number
        if usable == 0:  # a folder like any: nothing in it, or everything
            assert there in ({}, whole), number
        assert again in (0, "half_restored", "folder_not_empty"), number
        if again == 0:
            assert afterwards == whole, number
        elif again == "folder_not_empty":
            assert there == whole, number
        seen.add((usable, again))
    assert seen >= {(0, 0), ("half_restored", 0), ("half_restored", "half_restored")}


def test_every_command_refuses_a_folder_that_is_half_restored(new_server: Any) -> None:
    server = new_server()
    (server.home / ".restoring").mkdir()
    before = {path.name for path in server.home.iterdir()}
    for language, words in (("en", "isn't done, or was broken off"), ("zh", "尚未完成，或已中断")):
        for command in (("serve", "--port", str(server.port)), ("figures",), ("migrate",), ("restore", "/none.tar")):
            told = server.cli(*command, REGULARS_LANGUAGE=language)
            assert told.returncode == 2 and "Traceback" not in told.stderr, told.stderr
            assert words in told.stderr or command[0] == "restore"
    assert {path.name for path in server.home.iterdir()} == before
