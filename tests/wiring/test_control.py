"""Commands that run where the folder is owned: in the server when one runs, here otherwise."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from regulars.kernel import languages
from regulars.kernel.errors import Conflict, Invalid, Problem
from regulars.kernel.languages import Text
from regulars.wiring import control
from regulars.wiring.control import Say, served


@served("add")
def add(say: Say, a: int, b: int) -> dict[str, Any]:
    """Says its steps, and where it runs."""
    say(str(Text("adding…", "正在相加……")))
    say("100 %")
    return {"sum": a + b, "thread": threading.current_thread().name}


@served("complain")
def complain(say: Say) -> None:
    raise Invalid("file", Text("The file is empty.", "文件是空的。"), field="path")


@served("break")
def break_(say: Say) -> None:
    raise ZeroDivisionError


@served("new")
def new(say: Say) -> None:
    """Of a version that the server doesn't have."""


@pytest.fixture
def running(home: Path) -> Iterator[None]:
    with control.owning(), control.listening([add, complain, break_]):
        yield


def test_without_a_server_it_runs_here(home: Path, transactional_db: None) -> None:
    said: list[str] = []
    assert add(say=said.append, a=1, b=2) == {"sum": 3, "thread": threading.current_thread().name}
    assert len(said) == 2


def test_with_a_server_it_runs_there_and_says_its_steps_in_the_callers_language(running: None) -> None:
    said: list[str] = []
    languages.use("zh-hans")
    assert add(say=said.append, a=1, b=2) == {"sum": 3, "thread": "command"}
    assert said == ["正在相加……", "100 %"]
    languages.use("en")
    add(say=said.append, a=1, b=2)
    assert said[2] == "adding…"


def test_a_problem_comes_back_as_it_was_raised(running: None) -> None:
    with pytest.raises(Problem) as raised:
        complain()
    assert (raised.value.code, raised.value.text, raised.value.field) == (
        "file", Text("The file is empty.", "文件是空的。"), "path",
    )  # fmt: skip


def test_a_fault_of_the_program_is_told_without_its_trace(running: None) -> None:
    with pytest.raises(Problem) as raised:
        break_()
    assert raised.value.code == "failed"


def test_a_server_of_another_version_says_so(running: None) -> None:
    with pytest.raises(Problem) as raised:
        new()
    assert raised.value.code == "unknown_command"


def test_several_ask_at_once(running: None) -> None:
    sums: list[int] = []
    threads = [threading.Thread(target=lambda n=n: sums.append(add(a=n, b=n)["sum"])) for n in range(10)]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(sums) == list(range(0, 20, 2))


def test_a_folder_has_one_owner_at_a_time(home: Path) -> None:
    with control.owning(), pytest.raises(Conflict) as refused, control.owning():
        pass
    assert str(home) in refused.value.text.zh
    with control.owning():
        pass


def test_a_folder_owned_by_something_that_does_not_answer_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "STARTING", 0.2)
    with control.owning(), pytest.raises(Conflict) as refused:
        add(a=1, b=2)
    assert refused.value.code == "folder_in_use"


def test_a_command_waits_for_a_server_that_is_just_starting(home: Path, wait_for: Callable[..., None]) -> None:
    results: list[Any] = []
    with ExitStack() as server:
        server.enter_context(control.owning())
        thread = threading.Thread(target=lambda: results.append(add(a=1, b=2)["thread"]))
        thread.start()
        server.enter_context(control.listening([add]))
        thread.join(20)
    assert results == ["command"]


def test_a_socket_left_behind_by_a_killed_server_is_not_in_the_way(home: Path, transactional_db: None) -> None:
    import socket

    stale = socket.socket(socket.AF_UNIX)
    with control.reachable(home / "control.sock") as address:
        stale.bind(address)
    stale.close()
    assert add(a=1, b=2)["sum"] == 3
    with control.owning(), control.listening([add]):
        assert add(a=1, b=2)["thread"] == "command"


def test_a_folder_with_a_long_path_works(tmp_path: Path, settings: Any) -> None:
    settings.HOME = tmp_path / ("熟客" * 30) / ("x" * 60)
    settings.HOME.mkdir(parents=True)
    with control.owning(), control.listening([add]):
        assert add(a=1, b=2)["thread"] == "command"
    assert not (settings.HOME / "control.sock").exists()


def test_only_the_owner_of_the_folder_may_ask(running: None, home: Path) -> None:
    assert (home / "control.sock").stat().st_mode & 0o077 == 0
