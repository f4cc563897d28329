"""A backup of a running system, restored: every acknowledged order once, in the log and in the figures."""

import io
import json
import shutil
import sqlite3
import tarfile
import threading
from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from regulars.kernel.errors import Problem
from regulars.wiring import backup
from tests.house.conftest import Server

NewServer = Callable[[], Server]


def order(till: int, number: int) -> dict[str, Any]:
    """Worth as many yuan as its number."""
    return {
        "type": "track", "event": "Order Completed", "userId": f"u{till}", "messageId": f"t{till}-{number}",
        "properties": {"order_id": f"t{till}-{number}", "total": number, "currency": "CNY"},
    }  # fmt: skip


class Till(threading.Thread):
    """Sends orders one by one, two in a request, until told to stop; knows which were acknowledged."""

    def __init__(self, url: str, key: str, number: int) -> None:
        super().__init__(daemon=True)
        self.url, self.key, self.number = url, key, number
        self.acknowledged: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        with httpx.Client(auth=(self.key, ""), timeout=30) as client:
            place = 1
            while not self.over.is_set():
                both = [order(self.number, place), order(self.number, place + 1)]
                if client.post(f"{self.url}/v1/batch", json={"batch": both}).status_code == 200:
                    self.acknowledged += [one["messageId"] for one in both]
                    place += 2


def figures(server: Server) -> dict[str, Any]:
    done = server.cli("figures", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def log(server: Server) -> list[Any]:
    with sqlite3.connect(server.home / "regulars.sqlite3") as database:
        return database.execute(
            "SELECT position, message_id, name, record_id, at, received_at, properties, context, source, actor "
            "FROM eventlog_event ORDER BY position"
        ).fetchall()


def orders(server: Server) -> list[str]:
    return [row[1] for row in log(server) if row[2] == "Order Completed"]


def worth(ids: list[str]) -> tuple[int, Decimal]:
    return len(ids), Decimal(sum(int(id.rpartition("-")[2]) for id in ids))


def test_a_backup_during_traffic_restored_has_every_order_once_and_goes_on(
    new_server: NewServer, wait_for: Callable[..., None], tmp_path: Path
) -> None:
    server = new_server()
    key = server.cli("key", "add", "till").stdout.strip()
    (server.home / "files" / "imports" / "7").mkdir(parents=True)
    (server.home / "files" / "imports" / "7" / "rejects.csv").write_text("kept")
    server.start()
    tills = [Till(server.url, key, number) for number in range(3)]
    for till in tills:
        till.start()
    wait_for(lambda: all(len(till.acknowledged) > 40 for till in tills), 30, "traffic")
    before = [id for till in tills for id in list(till.acknowledged)]
    made = server.cli("backup", str(tmp_path / "copy.tar"))
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith(f"{tmp_path / 'copy.tar'}: ")
    sent = {till.number: len(till.acknowledged) + 2 for till in tills}
    for till in tills:
        till.over.set()
        till.join(30)
    assert "Traceback" not in server.log
    assert (tmp_path / "copy.tar").stat().st_mode & 0o777 == 0o600
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".copy")]

    other = new_server()
    shutil.rmtree(other.home)
    restored = other.cli("restore", str(tmp_path / "copy.tar"), "--home", str(other.home))
    assert restored.returncode == 0, restored.stderr
    assert f"regulars --home {other.home} serve" in restored.stdout
    assert (other.home / "files" / "imports" / "7" / "rejects.csv").read_text() == "kept"
    assert (other.home / "secret.key").read_text() == (server.home / "secret.key").read_text()
    other.start()
    wait_for(lambda: not waiting(other), 30, "the copied inbox to be taken in")
    there = orders(other)
    assert len(there) == len(set(there))
    assert set(before) <= set(there) <= {f"t{t}-{n}" for t, count in sent.items() for n in range(1, count + 1)}
    gross = figures(other)["gross"]
    assert (gross["orders"], Decimal(gross["revenue"])) == worth(there)

    again = {"batch": [order(9, 5000), order(0, 1)]}  # new; and one that it has
    assert httpx.post(f"{other.url}/v1/batch", json=again, auth=(key, ""), timeout=30).status_code == 200
    wait_for(lambda: "t9-5000" in orders(other), 30, "the new order")
    gross = figures(other)["gross"]
    assert (gross["orders"], Decimal(gross["revenue"])) == worth([*there, "t9-5000"])
    assert "Traceback" not in other.log


def waiting(server: Server) -> bool:
    """Whether the inbox has requests that aren't in the log yet: segments of a former process go when they are."""
    with sqlite3.connect(server.home / "regulars.sqlite3") as database:
        places = dict(database.execute("SELECT segment, offset FROM eventlog_intakecursor"))
    segments = [path for path in (server.home / "inbox").glob("*.segment") if path.stat().st_size > 20]
    return any(places.get(path.name, 0) < path.stat().st_size for path in segments)


def test_without_a_server_a_folder_is_made_and_the_restored_is_the_same(
    new_server: NewServer, wait_for: Callable[..., None], tmp_path: Path
) -> None:
    server = new_server()
    key = server.cli("key", "add", "till").stdout.strip()
    server.start()
    batch = {"batch": [order(n % 7, n) for n in range(1, 201)]}
    assert httpx.post(f"{server.url}/v1/batch", json=batch, auth=(key, ""), timeout=30).status_code == 200
    wait_for(lambda: len(orders(server)) == 200, 30, "the orders")
    was = figures(server)
    assert server.stop() == 0
    made = server.cli("backup", str(tmp_path / "copy"))
    assert made.returncode == 0, made.stderr
    other = new_server()
    shutil.rmtree(other.home)
    assert other.cli("restore", str(tmp_path / "copy"), "--home", str(other.home)).returncode == 0
    assert log(other) == log(server)
    assert figures(other) == was
    assert Decimal(was["gross"]["revenue"]) == sum(range(1, 201))


# --- what is refused, in this process


@pytest.fixture
def folder(home: Path, transactional_db: None, settings: Any) -> Path:
    """A data folder with a small database, and the backup of it in `copy.tar` beside."""
    with sqlite3.connect(home / "regulars.sqlite3") as database:
        database.execute("CREATE TABLE a (b)")
    (home / "secret.key").write_text("secret")
    backup.back_up(home.parent / "copy.tar")
    return home


def refused(call: Callable[[], Any]) -> Problem:
    with pytest.raises(Problem) as caught:
        call()
    assert caught.value.text.en != caught.value.text.zh
    return caught.value


def test_a_folder_with_anything_in_it_isnt_restored_over(folder: Path, tmp_path: Path) -> None:
    for name in ("secret.key", "inbox"):
        new = tmp_path / f"new-{name}"
        new.mkdir()
        (new / name).mkdir()
        assert refused(lambda new=new: backup.restore(tmp_path / "copy.tar", home=new)).code == "folder_not_empty"
        assert [path.name for path in new.iterdir()] == [name]
    assert refused(lambda: backup.restore(tmp_path / "copy.tar", home=folder)).code == "folder_not_empty"


def test_targets_that_cant_be_are_refused_before_anything_is_copied(folder: Path, tmp_path: Path) -> None:
    assert refused(lambda: backup.back_up(tmp_path / "copy.tar")).code == "target_exists"
    assert refused(lambda: backup.back_up(folder / "x.tar")).code == "target_inside"
    assert refused(lambda: backup.back_up(tmp_path / "no" / "x.tar")).code == "no_folder"


def test_a_damaged_backup_restores_nothing(folder: Path, tmp_path: Path) -> None:
    whole = (tmp_path / "copy.tar").read_bytes()
    place = whole.index(b"SQLite format 3")
    damaged = {
        "changed": whole[:place] + b"x" + whole[place + 1 :],
        "cut": whole[: place + 100],
        "header": whole[:place].replace(b"regulars.sqlite3", b"regulars.sqlite4") + whole[place:],
    }
    for name, data in damaged.items():
        (tmp_path / name).write_bytes(data)
        new = tmp_path / f"of-{name}"
        assert refused(lambda name=name, new=new: backup.restore(tmp_path / name, home=new)).code in (
            "backup_damaged",
            "not_a_backup",
        )
        assert list(new.iterdir()) == []


def test_what_isnt_a_backup_is_told_so(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.tar").write_text("hello")
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.add(folder / "secret.key", arcname="secret.key")
    for name, code in (("none", "no_backup"), ("empty", "not_a_backup"), ("other.tar", "not_a_backup")):
        assert refused(lambda name=name: backup.restore(tmp_path / name, home=tmp_path / "new")).code == code
    assert refused(lambda: backup.restore(tmp_path / "text.tar", home=tmp_path / "new")).code == "not_a_backup"


def test_a_backup_with_paths_that_lead_outside_writes_nothing_there(folder: Path, tmp_path: Path) -> None:
    told = {"format": 1, "events": 0, "made_at": "", "files": {"../outside": {"size": 0, "sha256": ""}}}
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "backup.json").write_text(json.dumps(told))
    (tmp_path / "outside").unlink(missing_ok=True)
    assert refused(lambda: backup.restore(tmp_path / "evil", home=tmp_path / "new")).code == "backup_damaged"
    assert not (tmp_path / "outside").exists()


def test_of_a_tar_only_plain_files_that_the_contents_name_are_unpacked(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "copy.tar") as tar:
        (contents, *others) = [(member, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    told = json.loads(contents[1])

    def tar_of(name: str, *members: tarfile.TarInfo, files: dict[str, Any] | None = None, all: bool = True) -> Path:
        data = json.dumps(told | {"files": told["files"] | (files or {})}).encode()
        with tarfile.open(tmp_path / name, "w") as tar:
            first = tarfile.TarInfo(contents[0].name)
            first.size = len(data)
            tar.addfile(first, io.BytesIO(data))
            for member in members:
                tar.addfile(member, io.BytesIO(b"evil"))
            for member, content in others if all else ():
                tar.addfile(member, io.BytesIO(content))
        return tmp_path / name

    def member(name: str, kind: bytes = tarfile.REGTYPE, to: str = "") -> tarfile.TarInfo:
        made = tarfile.TarInfo(name)
        made.type, made.linkname, made.size = kind, to, 4 if kind == tarfile.REGTYPE else 0
        return made

    (tmp_path / "outside").mkdir()
    evil = {"size": 4, "sha256": sha256(b"evil").hexdigest()}
    absolute = str(tmp_path / "outside" / "absolute")
    harmless = tar_of(
        "harmless.tar", member("../outside/above"), member(absolute), member("link", tarfile.SYMTYPE, "../outside"),
        member("link/through"), member("hard", tarfile.LNKTYPE, "secret.key"), member("pipe", tarfile.FIFOTYPE),
    )  # fmt: skip
    backup.restore(harmless, home=tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "inbox", "regulars.sqlite3", "secret.key", "warehouse.duckdb",
    ]  # fmt: skip
    for number, name in enumerate(("../outside/above", absolute)):
        named = tar_of(f"named{number}.tar", member(name), files={name: evil})
        assert refused(lambda named=named: backup.restore(named, home=tmp_path / "none")).code == "backup_damaged"
    linked = tar_of(
        "linked.tar", member("link", tarfile.SYMTYPE, str(tmp_path / "outside")), member("link/through"),
        files={"link/through": evil},
    )  # fmt: skip
    backup.restore(linked, home=tmp_path / "beside")
    assert (tmp_path / "beside" / "link" / "through").read_bytes() == b"evil"
    assert list((tmp_path / "outside").iterdir()) == []
    instead = tar_of("instead.tar", member("regulars.sqlite3", tarfile.SYMTYPE, "/etc/passwd"), all=False)
    assert refused(lambda: backup.restore(instead, home=tmp_path / "none")).code == "backup_damaged"


@pytest.mark.parametrize(
    "told",
    [
        "[]", "1", '{"format": 1e999, "files": {}}', '{"format": 1, "files": []}', '{"format": 1, "files": {}}',
        '{"format": 1, "files": {"a": {}}}', '{"format": 1, "events": "many", "files": {}}', "[" * 100_000,
        '{"format": 1, "files": {"regulars.sqlite3": {"size": 0, "sha256": ""}, "a\\u0000b": {"size": 0, "sha256": ""}}}',
        '{"format": 1, "files": {"regulars.sqlite3": {"size": 1e999, "sha256": ""}}}',
    ],
    ids=str,
)  # fmt: skip
def test_contents_that_mean_nothing_are_refused(told: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "backup.json").write_text(told)
    (tmp_path / "evil" / "regulars.sqlite3").touch()
    problem = refused(lambda: backup.restore(tmp_path / "evil", home=tmp_path / "new"))
    assert problem.code in ("not_a_backup", "backup_damaged")
    assert list((tmp_path / "new").iterdir()) == []


def test_two_that_write_to_the_same_place_dont_mix(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[str] = []
    once = iter([True])

    def again(*_: Any) -> None:
        if next(once, False):
            codes.append(refused(lambda: backup.back_up(tmp_path / "two.tar")).code)

    monkeypatch.setattr(backup, "_copy_inbox", lambda *both, real=backup._copy_inbox: (again(), real(*both)))
    backup.back_up(tmp_path / "two.tar")
    real = backup._unpacked
    monkeypatch.setattr(
        backup,
        "_unpacked",
        lambda *both: (
            codes.append(refused(lambda: backup.restore(tmp_path / "two.tar", home=tmp_path / "new")).code),
            real(*both),
        )[1],
    )
    backup.restore(tmp_path / "two.tar", home=tmp_path / "new")
    assert codes == ["busy", "busy"]
    assert (tmp_path / "new" / "secret.key").read_text() == "secret"


def test_one_of_a_newer_version_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "backup.json").write_text(json.dumps({"format": 2, "regulars": "9.9", "files": {}}))
    problem = refused(lambda: backup.restore(tmp_path / "newer", home=tmp_path / "new"))
    assert problem.code == "backup_too_new" and "9.9" in problem.text.zh


def test_on_postgresql_one_is_told_of_pg_dump(new_server: NewServer, tmp_path: Path) -> None:
    server = new_server()
    lake = str(tmp_path / "lake")
    for language, more, words in (
        ("en", {}, "back the database up with pg_dump"),
        ("zh", {"REGULARS_LAKE": lake}, f"数据保存在 PostgreSQL 与 {lake} 中。无需停止服务：请先转储数据库"),
    ):
        more |= {"REGULARS_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REGULARS_LANGUAGE": language}
        told = server.cli("backup", str(tmp_path / "x.tar"), **more)
        assert told.returncode == 2
        assert words in told.stderr and "Traceback" not in told.stderr
