"""A copy of the data folder while the system works, as of one moment, and putting it back into an empty folder.

What has to agree: the database knows how far the inbox was taken in, the warehouse how far the log was. So a full
refresh that runs is waited for, and intake and whoever writes to the warehouse wait while these three are copied;
pages, tracking and everything else go on. An event accepted meanwhile is in the copied inbox, to be taken in after the
restore, or not in the copy at all: then it wasn't acknowledged when the backup began. The warehouse can't be ahead of
the log, nor lack what retention has taken out of it.

The copy is a folder or a tar of plain files with `backup.json`, which names each with its size and SHA-256. Restoring
needs no settings and no database: it makes them.
"""

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from regulars import __version__
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, Invalid, Problem, no_room
from regulars.kernel.languages import Text

FORMAT = 1
CONTENTS = "backup.json"
TARS = (".tar", ".tar.gz", ".tgz")
DATABASE, WAREHOUSE, INBOX = "regulars.sqlite3", "warehouse.duckdb", "inbox"
HALF = ".restoring"  # within the new folder, until everything is there and found whole

# Belongs to the process that runs, or is copied in its own way.
_NOT_COPIED = {"control.sock", "console.sock", "serve.lock", "intake.gate", "intake.lock", INBOX, HALF, CONTENTS}
_NOT_COPIED |= {f"{DATABASE}{end}" for end in ("", "-wal", "-shm", "-journal")}
_NOT_COPIED |= {WAREHOUSE, f"{WAREHOUSE}.wal", "warehouse.spill"}


def back_up(target: Path, *, say: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Write a copy of this process's data folder to `target`, which must not exist: a folder, or a tar by its ending.

    Gives {"events": last position of the log, "bytes": size of what was copied, "paused_ms": how long intake waited}.
    Raises what `check` raises, and Problem when writing fails.
    """
    from django.conf import settings

    check(target)
    home, target = Path(settings.HOME).resolve(), target.absolute()
    half = target.with_name(f".{target.name}.half")
    packed = target.with_name(f".{target.name}.packed")
    try:
        half.mkdir(mode=0o700, exist_ok=True)
        with _alone(half):
            try:
                for left in (packed, *half.iterdir()):  # by one that was killed
                    _remove(left)
                told = _copied(home, half)
                told |= {"format": FORMAT, "regulars": __version__, "made_at": clock.now().isoformat()}
                say(str(Text("Copied; checking and packing.", "复制完成，正在校验并打包。")))
                told["files"] = {
                    str(path.relative_to(half)): {"size": path.stat().st_size, "sha256": _digest(path)}
                    for path in _files(half)
                }
                (half / CONTENTS).write_text(json.dumps(told, indent=1))
                if target.name.endswith(TARS):
                    _pack(half, packed, compressed=not target.name.endswith(".tar"))
                    packed.rename(target)
                else:
                    half.rename(target)
                _sync(target.parent)
            finally:
                _remove(half)
                _remove(packed)
    except (OSError, sqlite3.Error, subprocess.CalledProcessError) as error:
        full = no_room(error) or no_room(OSError(_why(error)))  # the words of another process
        raise full or Problem(
            "backup_failed",
            Text(
                "The backup couldn't be written to {target}: {why}. Nothing of it was kept.",
                "无法将备份写入 {target}：{why}。未保留任何内容。",
            ).filled(target=target, why=_why(error)),
        ) from error
    size = sum(file["size"] for file in told["files"].values())
    return {"events": told["events"], "bytes": size, "paused_ms": told["paused_ms"]}


def check(target: Path) -> None:
    """Whether a backup can be made there at all; opens nothing. Raises Conflict on PostgreSQL, Invalid for a target
    that exists, lies in the data folder or in no folder.
    """
    from django.conf import settings
    from django.db import connection

    home, target = Path(settings.HOME).resolve(), target.absolute()
    if settings.LAKE is not None:
        raise Conflict(
            "backup_by_pg_dump",
            Text(
                "The data is in PostgreSQL and in {folders}. While everything runs, first dump the database (pg_dump "
                "--format=custom), then copy these folders: docs/scaling.md, Backup, has the commands.",
                "数据保存在 PostgreSQL 与 {folders} 中。无需停止服务：请先转储数据库（pg_dump --format=custom），"
                "再复制这些目录；命令见 docs/scaling.md 的 Backup 一节。",
            ).filled(folders=", ".join(str(one) for one in (settings.LAKE, settings.FILES) if one)),
        )
    if connection.vendor != "sqlite":
        raise Conflict(
            "backup_by_pg_dump",
            Text(
                "The data is in PostgreSQL: stop the server, back the database up with pg_dump, and copy the folder "
                "{home} beside it (see docs/backup.md).",
                "数据保存在 PostgreSQL 中：请停止服务，用 pg_dump 备份数据库，并复制目录 {home}（见 docs/backup.md）。",
            ).filled(home=home),
        )
    if target.exists():
        raise Invalid(
            "target_exists",
            Text("{target} exists already. Choose another name.", "{target} 已存在，请换一个名称。").filled(
                target=target
            ),
            field="target",
        )
    if not target.parent.is_dir():
        raise Invalid(
            "no_folder",
            Text("There is no folder {folder}. Make it first.", "没有目录 {folder}，请先创建。").filled(
                folder=target.parent
            ),
            field="target",
        )
    if target.resolve().is_relative_to(home):
        raise Invalid(
            "target_inside",
            Text(
                "{target} lies in the data folder itself. Choose a place outside of it.",
                "{target} 位于数据目录之内，请选择目录之外的位置。",
            ).filled(target=target),
            field="target",
        )


def _why(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return (error.stderr or "").strip().rpartition("\n")[2] or str(error)
    return getattr(error, "strerror", None) or str(error)


def _copied(home: Path, half: Path) -> dict[str, Any]:
    """Everything into `half`; what the contents say of it."""
    from regulars.eventlog.queries import last_position
    from regulars.warehouse import engine, refresh
    from regulars.wiring import receiving

    _copy_others(home, half)
    with refresh.idle(), receiving.paused(), engine.still() as warehouse:
        begun = clock.micros()
        events = last_position()
        _copy_database(home / DATABASE, half / DATABASE)
        for path in (warehouse, warehouse.with_name(f"{WAREHOUSE}.wal")):
            if path.exists():
                _copy_apart(path, half / path.name)
        _copy_inbox(home / INBOX, half / INBOX)
        paused = clock.micros() - begun
    _copy_others(home, half)  # a file that came meanwhile, of which the database may know by now
    return {"events": events, "paused_ms": paused // 1000}


def _copy_database(source: Path, target: Path) -> None:
    """In one step, which sees one state of the database while others go on writing.

    Never by opening the file otherwise: closing it again would drop the locks that SQLite holds in this process.
    """
    reading = sqlite3.connect(f"file:{source}?mode=ro", uri=True)
    writing = sqlite3.connect(target)
    try:
        writing.execute("PRAGMA synchronous=OFF")  # synced as a whole below
        reading.backup(writing, pages=-1)
    finally:
        writing.close()
        reading.close()


def _copy_apart(source: Path, target: Path) -> None:
    """By another process, because closing the file in this one would drop the lock that DuckDB holds on it."""
    code = "import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])"
    command = [sys.executable, "-I", "-c", code, str(source), str(target)]
    subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 (our own interpreter)


def _copy_inbox(source: Path, target: Path) -> None:
    """Segments only grow at their ends; a record that is cut off was never acknowledged."""
    target.mkdir()
    if source.is_dir():
        for path in sorted(source.iterdir()):
            if path.suffix != ".half" and path.name != "written":
                shutil.copyfile(path, target / path.name)


def _copy_others(home: Path, half: Path) -> None:
    """Whatever else lies in the folder, brought up to date with what was copied before. Left out are databases of
    imports that run: they are made again from their files.
    """
    for folder, folders, names in os.walk(home, followlinks=True):
        there = half / Path(folder).relative_to(home)
        if folder == str(home):
            folders[:] = [name for name in folders if name not in _NOT_COPIED]
            names = [name for name in names if name not in _NOT_COPIED]
        for name in names:
            source, target = Path(folder) / name, there / name
            if name.endswith((".duckdb", ".duckdb.wal", ".half")) or not source.is_file():
                continue
            try:
                now = source.stat()
                if target.exists() and (target.stat().st_size, target.stat().st_mtime_ns) == (
                    now.st_size,
                    now.st_mtime_ns,
                ):
                    continue
                there.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
            except FileNotFoundError:  # its import ended
                target.unlink(missing_ok=True)


def _pack(folder: Path, target: Path, *, compressed: bool) -> None:
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz" if compressed else "w") as tar:
            for path in (folder / CONTENTS, *(path for path in _files(folder) if path.name != CONTENTS)):
                tar.add(path, arcname=str(path.relative_to(folder)), recursive=False)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One at a time writes there. Raises Conflict."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                "busy",
                Text(
                    "Another backup or restore is writing to {folder} just now. Wait until it is done.",
                    "另一个备份或恢复正在写入 {folder}，请等待其完成。",
                ).filled(folder=folder),
            ) from None
        yield
    finally:
        os.close(handle)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _digest(path: Path) -> str:
    """Its SHA-256; the file is on the disk afterwards."""
    with path.open("rb") as file:
        found = sha256()
        while chunk := file.read(1 << 20):
            found.update(chunk)
        os.fsync(file.fileno())
    return found.hexdigest()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def restore(source: Path, *, home: Path) -> dict[str, Any]:
    """Put a backup into `home`, a folder that is empty or doesn't exist; what `back_up` told of it.

    Everything is checked before the folder looks like a data folder. Raises Invalid or Conflict.
    """
    if not source.exists():
        raise Invalid(
            "no_backup",
            Text("There is no backup {source}.", "没有备份 {source}。").filled(source=source),
            field="source",
        )
    home = home.absolute()
    _empty(home)
    half = home / HALF
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(home):
            told = _checked(source, half)
            for path in sorted(half.iterdir()):
                path.rename(home / path.name)
            _sync(home)
            half.rmdir()  # last: as long as it is there, `whole` keeps everybody out
            _sync(home)
    except OSError as error:
        raise Problem(
            "restore_failed",
            Text("{source} couldn't be restored: {why}.", "无法恢复 {source}：{why}。").filled(
                source=source, why=_why(error)
            ),
        ) from error
    return told


def _checked(source: Path, half: Path) -> dict[str, Any]:
    """The backup, found whole, in `half`; what it tells of itself. Leaves nothing when it raises."""
    try:
        _remove(half)
        half.mkdir(mode=0o700)
        return _unpacked(source, half)
    except Exception as error:
        _remove(half)
        if isinstance(error, Problem | OSError):
            raise
        raise _damaged(source, str(error)) from error


def whole(home: Path) -> None:
    """Raises Conflict when a restore into this folder didn't come to its end: half of it mustn't be worked with."""
    if (home / HALF).exists():
        raise Conflict(
            "half_restored",
            Text(
                "Restoring a backup into {home} isn't done, or was broken off. If none is running, delete the folder "
                "and restore the backup again.",
                "向 {home} 恢复备份尚未完成，或已中断。如果没有恢复正在进行，请删除该目录并重新恢复备份。",
            ).filled(home=home),
            field="home",
        )


def _empty(home: Path) -> None:
    if home.exists() and (not home.is_dir() or {path.name for path in home.iterdir()} - {HALF}):
        whole(home)
        raise Conflict(
            "folder_not_empty",
            Text(
                "The folder {home} isn't empty. A backup is restored into an empty folder; choose another with --home.",
                "目录 {home} 不为空。备份只能恢复到空目录，请用 --home 指定其他目录。",
            ).filled(home=home),
            field="home",
        )


def _unpacked(source: Path, half: Path) -> dict[str, Any]:
    """The files of a backup, found whole, in `half`."""
    if source.is_dir():
        told = _understood((source / CONTENTS).read_text() if (source / CONTENTS).is_file() else "", source)
        for name in told["files"]:
            (half / name).parent.mkdir(parents=True, exist_ok=True)
            if not (source / name).is_file():
                raise _damaged(source, name)
            shutil.copyfile(source / name, half / name)
    else:
        try:
            archive = tarfile.open(source)  # noqa: SIM115 (entered below)
        except tarfile.ReadError:
            raise _not_ours(source) from None
        with archive as tar:
            first = tar.next()
            content = tar.extractfile(first) if first is not None and first.name == CONTENTS else None
            told = _understood(content.read().decode() if content else "", source)
            for member in tar:
                if member.name in told["files"] and member.isfile():
                    tar.extract(member, half, filter="data")
    for name, file in told["files"].items():
        path = half / name
        if not path.is_file() or path.stat().st_size != file["size"] or _digest(path) != file["sha256"]:
            raise _damaged(source, name)
        path.chmod(0o600)
    (half / INBOX).mkdir(exist_ok=True)
    return told


def _not_ours(source: Path) -> Invalid:
    text = Text("{source} isn't a backup of Regulars.", "{source} 不是熟客的备份。").filled(source=source)
    return Invalid("not_a_backup", text, field="source")


def _understood(text: str, source: Path) -> dict[str, Any]:
    try:
        told = json.loads(text)
        version = int(told["format"])
        files = {str(name): (int(file["size"]), str(file["sha256"])) for name, file in told["files"].items()}
        told |= {"events": int(told.get("events", 0)), "made_at": str(told.get("made_at", ""))}
        outside = [name for name in files if Path(name).is_absolute() or ".." in Path(name).parts]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise _not_ours(source) from None
    if version > FORMAT:
        raise Invalid(
            "backup_too_new",
            Text(
                "{source} was made by a newer version ({version}). Restore it with that one.",
                "{source} 由更新的版本（{version}）生成，请用该版本恢复。",
            ).filled(source=source, version=told.get("regulars", "?")),
            field="source",
        )
    if outside or DATABASE not in files:
        raise _damaged(source, outside[0] if outside else DATABASE)
    return dict(told)


def _damaged(source: Path, what: str) -> Invalid:
    return Invalid(
        "backup_damaged",
        Text(
            "The backup {source} is damaged ({what}). Nothing was restored; use another copy.",
            "备份 {source} 已损坏（{what}）。未恢复任何内容，请使用其他备份。",
        ).filled(source=source, what=what),
        field="source",
    )
