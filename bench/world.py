"""The made-up world in a data folder, for pieces that need a business at work: 20,000 customers as `regulars demo` makes
them, and for larger sizes the same lives many times over, each with identities, messages and orders of its own (which
takes minutes where loading would take hours). Kept between runs in REGULARS_BENCH_WORLDS, or under /tmp. Whoever adds
more than a few events works on a copy.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import duckdb

from bench.figure import Size

LOAD = """
import sys
from datetime import date
from pathlib import Path
from bench.figure import django_on
django_on(Path(sys.argv[1]))
from regulars.accounts.actors import SYSTEM
from regulars.demo import loading, people
from regulars.demo.world import world
from regulars.warehouse import engine
people.employ(by=SYSTEM)
loading.load(world(1, 20_000, date.fromisoformat(sys.argv[2]), browsing=0.15), by=SYSTEM)
engine.close()
"""
REFRESH = """
import sys
from pathlib import Path
from bench.figure import django_on
django_on(Path(sys.argv[1]))
from regulars.eventlog import queries
from regulars.eventlog.models import Cursor
from regulars.warehouse import engine, refresh
from regulars.wiring.subscriptions import SUBSCRIBERS
refresh.full()
for one in SUBSCRIBERS:  # a business at work has handed on what is in its log
    Cursor.objects.update_or_create(name=one.name, defaults={"position": queries.last_position()})
engine.close()
"""
# Nothing is due while pages are measured: neither the refresh of the day nor what is answered in advance.
SETTLE = """
import sys
from pathlib import Path
from bench.figure import django_on
django_on(Path(sys.argv[1]))
from regulars.warehouse import engine, refresh
while refresh.step():
    pass
engine.close()
"""
# What differs between the copies, by table and column: {t} copies, this one the {k}th. Everything else is as it was.
# Ids interleave, so that time order stays as it is in a business that grew: the log is appended in time order.
ID = "({c} - 1) * {t} + k"
NAME = "CASE WHEN k = 1 THEN {c} ELSE {c} || '-' || k END"
OPERATIONS = {
    "customers_customer": {"id": ID, "root_id": ID, "merged_into_id": ID},
    "customers_identity": {"id": ID, "customer_id": ID, "seen_with": "'{{}}'", "value": NAME},
    "customers_consent": {"id": ID, "customer_id": ID},
    "eventlog_event": {"id": ID, "position": ID, "record_id": ID, "message_id": NAME},
}
WAREHOUSE = {
    "events": {"position": ID, "record_id": ID, "order_id": NAME},
    "lines": {"position": ID, "record_id": ID, "order_id": NAME},
    "records": {"record_id": ID, "customer_id": ID},
}


def loaded(size: Size) -> Path:
    """The data folder of a world of that size (25 events a customer, everybody who works in the demo)."""
    base = Path(os.environ.get("REGULARS_BENCH_WORLDS") or Path(tempfile.gettempdir()) / "regulars-worlds")
    one = base / "world"
    if not one.with_suffix(".done").exists():
        from regulars.kernel import clock

        shutil.rmtree(one, ignore_errors=True)
        yesterday = clock.now().date() - timedelta(days=1)
        subprocess.run([sys.executable, "-c", LOAD, one, yesterday.isoformat()], check=True)
        one.with_suffix(".done").touch()
    home = base / f"world-{size.times}"
    if not home.with_suffix(".done").exists():
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(one, home)
        if size.times > 1:
            _grow_operations(home / "regulars.sqlite3", one / "regulars.sqlite3", size.times)
            _grow_warehouse(home / "warehouse.duckdb", one / "warehouse.duckdb", size.times)
        subprocess.run([sys.executable, "-c", REFRESH, home], check=True)
        home.with_suffix(".done").touch()
    furnish(home)
    subprocess.run([sys.executable, "-c", SETTLE, home], check=True)
    return home


# What customers leave behind besides their events, of which lists are long: table, columns, rows by the customer, and
# values of the :kth of :most rows for :n customers, a second after the one before.
NUMBERS = """WITH RECURSIVE counted(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM counted WHERE k < :most), t AS (
    SELECT k, strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || (:most - k) || ' seconds') AS moment FROM counted)"""
FURNITURE = (
    ("accounts_auditentry", "at, actor, action, object_kind, object_id, details", 0.5, """moment, 'staff:' || (k % 5 + 1),
        CASE k % 4 WHEN 0 THEN 'Identity Shown' WHEN 1 THEN 'Logged In' WHEN 2 THEN 'Customers Exported' ELSE
        'Settings Changed' END, CASE k % 4 WHEN 0 THEN 'customer' WHEN 1 THEN 'staff' WHEN 2 THEN 'job' ELSE 'settings'
        END, k % 50000 + 1, '{}'"""),
    ("eventlog_quarantined", "digest, source, received_at, name, payload, code, field, reason_en, reason_zh, state, "
        "changed_at", 0.2, """'bench-' || k, 'track:1', moment, CASE k % 9 WHEN 0 THEN 'Order Refunded' ELSE
        'Order Completed' END, '{"event": "Order Completed"}', 'required', CASE k % 3 WHEN 0 THEN 'total' ELSE
        'order_id' END, 'It is missing.', '缺少该字段。', CASE k % 10 WHEN 0 THEN 'discarded' ELSE 'open' END, moment"""),
    ("jobs_job", "id, kind, title, arguments, actor, state, done, saved, cancel, runs, created_at", 0.02,
        """printf('%032d', k), 'customers.export', '{"en": "Export of customers", "zh": "导出客户"}', '{}',
        'staff:' || (k % 5 + 1), 'done', 1, '{}', 0, 1, moment"""),
    ("customers_tag", "name, key", 0.0003, "'tag ' || k, 'tag ' || k"),
    ("customers_tagging", "by, at, customer_id, tag_id", 1.2, """'staff:1', moment,
        CASE WHEN k <= :n * 0.4 THEN k * 2 ELSE k % (:n - 7) + 3 END,
        CASE WHEN k <= :n * 0.4 THEN (SELECT id FROM customers_tag WHERE key = 'regular') ELSE k % 40 + 2 END"""),
)  # fmt: skip


def furnish(home: Path) -> None:
    """Make the lists long that the demo leaves short: the audit trail, quarantine, jobs, tags. Once."""
    database = sqlite3.connect(home / "regulars.sqlite3", isolation_level=None)
    if not database.execute("SELECT 1 FROM customers_tag WHERE key = 'regular'").fetchone():
        customers: int = database.execute("SELECT count(*) FROM customers_customer").fetchone()[0]
        database.execute("BEGIN")
        database.execute("INSERT INTO customers_tag (name, key) VALUES ('regular', 'regular')")
        for table, columns, share, values in FURNITURE:
            most = max(int(customers * share), 50)
            database.execute(
                f"INSERT OR IGNORE INTO {table} ({columns}) {NUMBERS} SELECT {values} FROM t",
                {"most": most, "n": customers},
            )
        database.execute("COMMIT")
        database.execute("ANALYZE")
    database.close()


def _shown(columns: list[str], changed: dict[str, str], times: int) -> str:
    return ", ".join(changed[c].format(c=f'"{c}"', t=times) if c in changed else f'"{c}"' for c in columns)


def _grow_operations(file: Path, source: Path, times: int) -> None:
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -1000000")
    database.execute("ATTACH ? AS source", [str(source)])
    database.execute("CREATE TEMP TABLE copies AS WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n "
                     f"WHERE k < {times}) SELECT k FROM n")  # fmt: skip
    for table, changed in OPERATIONS.items():
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        indexes = database.execute(
            "SELECT name, sql FROM main.sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
            [table],
        ).fetchall()
        for name, _ in indexes:
            database.execute(f'DROP INDEX main."{name}"')
        database.execute(f"DELETE FROM main.{table}")
        database.execute(
            f"INSERT INTO main.{table} ({', '.join(columns)}) SELECT {_shown(columns, changed, times)} "
            f"FROM source.{table} s CROSS JOIN copies ORDER BY s.id, k"
        )
        for _, sql in indexes:
            database.execute(sql)
    database.execute(f"UPDATE eventlog_numbering SET last = last * {times}")
    database.execute(f"UPDATE eventlog_cursor SET position = position * {times}")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("ANALYZE")
    database.close()


def _grow_warehouse(file: Path, source: Path, times: int) -> None:
    with duckdb.connect(str(file)) as database:
        database.execute(f"ATTACH '{source}' AS source (READ_ONLY)")
        for table, changed in WAREHOUSE.items():
            columns = [row[0] for row in database.execute(f"DESCRIBE {table}").fetchall()]
            shown = _shown(columns, changed, times)
            database.execute(f"DELETE FROM {table}")
            database.execute(f"INSERT INTO {table} SELECT {shown} FROM source.{table}, range(1, {times + 1}) copies(k) "
                             "ORDER BY 1")  # fmt: skip
        for table in ("purchases", "scores", "pending"):
            database.execute(f"DELETE FROM {table}")
        database.execute(f"UPDATE meta SET value = (value::BIGINT * {times})::VARCHAR WHERE key = 'position'")
