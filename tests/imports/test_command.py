"""`regulars import` in processes of its own: killed and begun again, and its options. The real file is tests/warehouse/test_online_retail.py's."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.imports.worlds import written


def command(home: Path, *arguments: str) -> subprocess.Popen[str]:
    source = str(Path(__file__).parents[2] / "src")
    environment = {**os.environ, "REGULARS_HOME": str(home), "PYTHONPATH": source, "REGULARS_LANGUAGE": "en"}
    for name in ("REGULARS_DATABASE_URL", "REGULARS_TEST_DATABASE"):
        environment.pop(name, None)
    return subprocess.Popen(
        [sys.executable, "-m", "regulars", "--home", str(home), *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(home: Path, *arguments: str, code: int = 0) -> tuple[str, str]:
    process = command(home, *arguments)
    out, err = process.communicate(timeout=250)
    assert process.returncode == code, out + err
    return out, err


def asked(home: Path, sql: str) -> list[tuple[object, ...]]:
    """From the database of another process; nothing while it isn't there yet."""
    file = home / "regulars.sqlite3"
    if not file.exists():
        return []
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=20)) as database:
        try:
            return database.execute(sql).fetchall()
        except sqlite3.OperationalError:
            return []


def many(folder: Path, orders: int) -> Path:
    lines = ["order,date,quantity,price,sku,customer id\n"]
    for n in range(orders):
        lines += [f"{n},2024-01-{n % 28 + 1:02} 10:{n % 60:02},{k},9.5,p{k},c{n % 900}\n" for k in (1, 2)]
    return written(folder, "".join(lines))


EVENTS = "SELECT message_id, properties FROM eventlog_event WHERE source LIKE 'import:%' ORDER BY message_id"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that tests share, for making its database takes seconds."""
    return tmp_path_factory.mktemp("home")


def test_killed_again_and_again_an_import_goes_on_and_takes_each_order_once(
    tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    path = many(tmp_path, 12_000)
    home = tmp_path / "home"
    home.mkdir()

    def place() -> int:
        rows = asked(home, "SELECT place FROM imports_import ORDER BY id DESC LIMIT 1")
        return int(str(rows[0][0])) if rows else 0

    before = 0
    for _ in range(2):
        process = command(home, "import", "orders", str(path))
        wait_for(lambda: place() > before or process.poll() is not None, 120, "a batch")  # noqa: B023
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = place()
    taken = asked(home, "SELECT count(*) FROM eventlog_event WHERE source LIKE 'import:%'")
    assert taken == [(before,)]
    out, err = done(home, "import", "orders", str(path), "--json")
    assert "goes on where it stopped" in err or before == 12_000  # on a very quick machine it may have ended
    counts = json.loads(out)
    assert (counts["rows"], counts["sales_new"], counts["rejected"]) == (24_000, 12_000, {})
    assert asked(
        home, "SELECT count(*), count(DISTINCT message_id) FROM eventlog_event WHERE source LIKE 'import:%'"
    ) == [(12_000, 12_000)]
    assert asked(home, "SELECT count(*), max(state) FROM imports_import") == [(1, "done")]
    events = asked(home, EVENTS)
    out, _ = done(home, "import", "orders", str(path), "--json")
    assert json.loads(out)["sales_same"] == 12_000
    assert asked(home, EVENTS) == events


def test_a_dry_run_shows_the_mapping_that_a_file_can_give_back(tmp_path: Path, folder: Path) -> None:
    home = folder
    path = written(
        tmp_path, "order,date,price,member id\n1,2024-05-01 08:00,9.5,c1\n2,soon,9.5,c1\n3,2024-05-01,5,c1\n"
    )
    out, _ = done(home, "import", "orders", str(path), "--dry-run")
    mapping, end = json.JSONDecoder().raw_decode(out)
    assert mapping["columns"] == {"order_id": "order", "at": "date", "price": "price", "user_id": "member id"}
    assert "2024-05-01 08:00:00" in out[end:]
    assert "✗ The date can't be read." in out[end:]
    assert asked(home, "SELECT count(*) FROM eventlog_event") == [(0,)]
    assert asked(home, "SELECT count(*) FROM imports_import") == [(0,)]
    given = written(tmp_path, json.dumps({**mapping, "store": "East"}), "mapping.json")
    rejects = tmp_path / "rejects.csv"
    out, _ = done(home, "import", "orders", str(path), "--mapping", str(given), "--rejects", str(rejects))
    assert "           2  new orders\n" in out
    assert "1 row rejected:\n           1  The date can't be read.\n" in out
    assert rejects.read_text("utf-8-sig").splitlines()[1] == "2,soon,9.5,c1,3,The date can't be read.,无法识别日期。"
    assert '"store":"East"' in str(
        asked(home, "SELECT properties FROM eventlog_event WHERE name = 'Order Completed'")[0][0]
    )
    _, err = done(home, "import", "orders", str(path), "--mapping", "no such", code=2)
    assert "There is no mapping “no such” for Orders." in err


def test_money_in_another_currency_is_refused_without_a_word_for_it(tmp_path: Path, folder: Path) -> None:
    home = folder
    path = written(tmp_path, "order,date,price,member id,currency\nX1,2024-05-01 08:00,9.5,c1,GBP\n")
    _, err = done(home, "import", "orders", str(path), code=2)
    assert "GBP (1)" in err
    assert "--foreign" in err
    assert "Traceback" not in err
    out, _ = done(home, "import", "orders", str(path), "--foreign")
    assert "1 row read.\n           1  new order\n" in out
