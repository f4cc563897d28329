"""One folder, one owner: the lock of the data folder, and the socket through which commands ask the running server.

Only one process may open the warehouse's file. A command that needs it is `served`: it runs in the server when one
runs on the same folder, and here otherwise, under the same lock.

On the socket (readable by the folder's owner alone) each side writes JSON, a line each. To the server: {"command",
"arguments", "language"}. Back: any number of {"say": text}, then {"result": …} or {"problem": {code, en, zh, field}}.
"""

import contextlib
import fcntl
import json
import logging
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader

from regulars.kernel import languages
from regulars.kernel.errors import Conflict, Problem, no_room
from regulars.kernel.languages import Text

log = logging.getLogger(__name__)

Say = Callable[[str], None]
Function = Callable[..., Any]
STARTING = 15.0  # seconds a command waits for a server that is just starting


def _socket_path() -> Path:
    return Path(settings.HOME) / "control.sock"


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """The path, or a short way to it: the system takes about a hundred bytes for a socket's path."""
    if len(os.fsencode(path)) < 100:
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="rg") as folder:
        way = Path(folder) / "h"
        way.symlink_to(path.parent)
        yield str(way / path.name)


def console_path() -> Path:
    """The socket of the console's process, for the one that owns the port."""
    return Path(settings.HOME) / "console.sock"


@contextmanager
def opened(path: Path) -> Iterator[socket.socket]:
    """A socket that is listened on, readable by the folder's owner alone; one that a dead process left is replaced.
    Only for who holds the folder's lock.
    """
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with reachable(path) as address:
        mask = os.umask(0o177)
        try:
            door.bind(address)
        finally:
            os.umask(mask)
    door.listen(128)
    try:
        yield door
    finally:
        path.unlink(missing_ok=True)
        door.close()


def _held(file: Path) -> int | None:
    """The lock's descriptor, or None when another process has it. The lock goes when the process dies, however."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


@contextmanager
def owning() -> Iterator[int]:
    """Own the data folder; gives the lock's descriptor, for children that are to hold it too. Raises Conflict when
    another process does. The children of one that was killed get a moment to end.
    """
    file = Path(settings.HOME) / "serve.lock"
    descriptor = _held(file)
    for _ in range(100):
        if descriptor is not None or _lives(file):
            break
        threading.Event().wait(0.1)
        descriptor = _held(file)
    if descriptor is None:
        owner = file.read_text().strip() or "?"
        raise Conflict(
            "folder_in_use",
            Text(
                "Another Regulars (process {owner}) uses the folder {home}. Stop it first, or choose another folder "
                "with --home.",
                "另一个 Regulars（进程 {owner}）正在使用数据目录 {home}。请先停止它，或用 --home 指定其他目录。",
            ).filled(owner=owner, home=settings.HOME),
        )
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _lives(file: Path) -> bool:
    """Whether the process that took the lock does, as far as can be told."""
    try:
        os.kill(int(file.read_text()), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError):
        return True
    return True


class Served:
    """A command that runs where the folder is owned. Called with the arguments of its function but for `say`."""

    def __init__(self, name: str, function: Function) -> None:
        self.name, self.function = name, function
        self.__doc__ = function.__doc__

    def __call__(self, *, say: Say = lambda line: None, **arguments: Any) -> Any:
        return run(self, say, arguments)


def served(name: str) -> Callable[[Function], Served]:
    """Make function(say, **arguments) → result a command of this name. Arguments and result are what JSON can hold;
    `say` tells the person a line meanwhile. It has to be in the list that `serve` gives to `listening`.
    """
    return lambda function: Served(name, function)


def run(command: Served, say: Say, arguments: Mapping[str, Any]) -> Any:
    """Run it in the server of this folder, or here when none runs. Raises what it raises, as a Problem."""
    pause = threading.Event()
    for _ in range(int(STARTING / 0.1)):
        line = _connected()
        if line is not None:
            with line:
                return _ask(line, command, say, arguments)
        with contextlib.suppress(Conflict), owning():
            return _here(command, say, arguments)
        pause.wait(0.1)
    with owning():  # says who has it
        return _here(command, say, arguments)


def _here(command: Served, say: Say, arguments: Mapping[str, Any]) -> Any:
    try:
        bring_up_to_date()
        return command.function(say, **arguments)
    except Conflict as problem:  # a Conflict of the command isn't one about the folder
        raise Problem(problem.code, problem.text, field=problem.field) from problem


def _connected() -> socket.socket | None:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reachable(_socket_path()) as address:
            line.connect(address)
    except (FileNotFoundError, ConnectionRefusedError):
        line.close()
        return None
    return line


def _ask(line: socket.socket, command: Served, say: Say, arguments: Mapping[str, Any]) -> Any:
    asked = {"command": command.name, "arguments": dict(arguments), "language": languages.current()}
    with line.makefile("rw", encoding="utf-8", newline="\n") as stream:
        stream.write(json.dumps(asked, ensure_ascii=False) + "\n")
        stream.flush()
        for answer in stream:
            said = json.loads(answer)
            if "say" in said:
                say(said["say"])
            elif "problem" in said:
                problem = said["problem"]
                raise Problem(problem["code"], Text(problem["en"], problem["zh"]), field=problem["field"])
            else:
                return said["result"]
    raise Problem(
        "server_gone",
        Text("The server stopped meanwhile. Try again.", "服务在执行过程中停止了，请重试。"),
    )


def bring_up_to_date(*, owner: bool = True) -> None:
    """Create or upgrade the database and see, as the folder's owner, that the warehouse agrees with it. Raises Conflict
    for a database of a newer version, before anything is changed, and what `agreement.ensure` raises.
    """
    with _one_at_a_time():
        _not_newer()
        call_command("migrate", verbosity=0, interactive=False)
    if owner:
        from regulars.warehouse import agreement

        agreement.ensure()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Of several processes that start at once on PostgreSQL, one upgrades and the others wait."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(7120252)")
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(7120252)")


def _not_newer() -> None:
    own = {app.label for app in apps.get_app_configs() if app.name.startswith("regulars.")}
    loader = MigrationLoader(connection)
    unknown = {(app, name) for app, name in loader.applied_migrations if app in own} - set(loader.disk_migrations)
    if unknown:
        raise Conflict(
            "database_too_new",
            Text(
                "The database was written by a newer version of Regulars ({what}). Upgrade the program, or restore a "
                "backup made by this version; nothing was changed.",
                "数据库由更新版本的熟客写入（{what}）。请升级程序，或恢复当前版本生成的备份；未作任何更改。",
            ).filled(what=", ".join(sorted(f"{app} {name}" for app, name in unknown))),
        )


@contextmanager
def listening(commands: Sequence[Served]) -> Iterator[None]:
    """Answer commands on the folder's socket, each in a thread of its own, until the block ends."""
    known = {command.name: command for command in commands}
    with opened(_socket_path()) as door:
        threading.Thread(target=_accept, args=(door, known), name="control", daemon=True).start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept


def _accept(door: socket.socket, known: Mapping[str, Served]) -> None:
    while True:
        try:
            line, _ = door.accept()
        except OSError:
            return  # closed: the server stops
        threading.Thread(target=_serve, args=(line, known), name="command", daemon=True).start()


def _serve(line: socket.socket, known: Mapping[str, Served]) -> None:
    """Answer one command; the caller going away ends it at its next word."""
    try:
        with line, line.makefile("rw", encoding="utf-8", newline="\n") as stream:

            def send(message: dict[str, Any]) -> None:
                stream.write(json.dumps(message, ensure_ascii=False) + "\n")
                stream.flush()

            try:
                send({"result": _answer(json.loads(stream.readline()), known, lambda line: send({"say": line}))})
            except Problem as problem:
                text = problem.text
                send({"problem": {"code": problem.code, "en": text.en, "zh": text.zh, "field": problem.field}})
    except (BrokenPipeError, ConnectionResetError):
        log.info("a command's caller went away")
    finally:
        connections.close_all()


def _answer(asked: dict[str, Any], known: Mapping[str, Served], say: Say) -> Any:
    languages.use(asked["language"])
    command = known.get(asked["command"])
    if command is None:
        raise Problem(
            "unknown_command",
            Text(
                "The running server is of another version and doesn't know this command. Restart it.",
                "正在运行的服务版本不同，不支持该命令。请重启服务。",
            ),
        )
    try:
        return command.function(say, **asked["arguments"])
    except (Problem, BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:
        if full := no_room(error):
            raise full from error
        log.exception("the command %s failed", command.name)
        raise Problem(
            "failed",
            Text("The command failed inside the server; its log says how.", "命令在服务内部执行失败，详见服务日志。"),
        ) from error
