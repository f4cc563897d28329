"""`regulars import`: bring a file in. Runs here, beside a running server or without one; stopped or killed, the same
command goes on where it was.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from regulars.kernel.languages import Text

if TYPE_CHECKING:
    from regulars.imports.mappings import Kind, Mapping
    from regulars.imports.models import Import

    CHUNK = 1 << 20


CHUNK = 1 << 20


@click.group()
def command() -> None:
    """Import orders, customers or events from a CSV, Excel or Parquet file."""


def _options(function: Any) -> Any:
    for option in reversed(
        [
            click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
            click.option("--mapping", help="A saved mapping's name, or a JSON file with one. Guessed without it."),
            click.option("--dry-run", is_flag=True, help="Show the mapping and the first rows as understood; stop."),
            click.option("--rejects", type=click.Path(path_type=Path), help="Where to write the rejected rows."),
            click.option("--encoding", default="", help="Of a CSV, when it is guessed wrongly."),
            click.option("--sheet", default="", help="Of an Excel file; the first with rows without it."),
            click.option("--source", default=None, help="Namespace of order numbers (another till, another shop)."),
            click.option("--foreign", is_flag=True, help="Take in amounts of other currencies without asking."),
            click.option("--json", "as_json", is_flag=True, help="The summary for programs."),
        ]
    ):
        function = option(function)
    return function


@command.command()
@_options
def orders(**given: Any) -> None:
    """Orders, with or without their lines: one row a line."""
    _import("orders", **given)


@command.command()
@_options
def customers(**given: Any) -> None:
    """Customers: one row each."""
    _import("customers", **given)


@command.command()
@_options
def events(**given: Any) -> None:
    """Events of any kind: one row each."""
    _import("events", **given)


def _import(
    kind: "Kind", *, file: Path, mapping: str | None, dry_run: bool, rejects: Path | None, encoding: str, sheet: str,
    source: str | None, foreign: bool, as_json: bool,
) -> None:  # fmt: skip
    from regulars.accounts.actors import SYSTEM
    from regulars.imports import queries, services
    from regulars.wiring import control

    control.bring_up_to_date(owner=False)
    wanted = _wanted(mapping, kind)
    terminal = _Terminal()
    row = queries.unfinished(digest=_digest(file), kind=kind, actor=SYSTEM.ref) if not dry_run else None
    if row is None:
        row = services.upload(kind=kind, name=file.name, chunks=_chunks(file), by=SYSTEM)
        services.read(terminal, row.pk, encoding=encoding, sheet=sheet)
        if wanted is not None:
            services.choose_mapping(id=row.pk, mapping=wanted, by=SYSTEM)
        row = queries.get(row.pk)
        _settle(row, source=source, foreign=foreign)
        terminal.end()
        row = queries.get(row.pk)
        if dry_run:
            _show(row)
            services.forget(id=row.pk, by=SYSTEM)
            return
        _tell_doubts(row)
        services.start(id=row.pk, by=SYSTEM, in_a_job=False)
    else:
        click.echo(str(_GOES_ON.filled(name=row.name)), err=True)
    services.run(terminal, row.pk)
    terminal.end()
    row = queries.get(row.pk)
    found = queries.rejects_file(row)
    if rejects is not None and found is not None:
        shutil.copyfile(found, rejects)
    if as_json:
        click.echo(json.dumps({"import": row.pk, **row.counts}, ensure_ascii=False, indent=2))
        return
    _summarise(row, rejects or found)


def _wanted(mapping: str | None, kind: "Kind") -> "Mapping | None":
    from regulars.imports import mappings, queries
    from regulars.kernel.errors import Invalid

    if not mapping:
        return None
    if not Path(mapping).is_file():
        return queries.saved_mapping(mapping, kind)
    try:
        data = json.loads(Path(mapping).read_text(encoding="utf-8-sig"))
    except (ValueError, OSError):
        text = Text("The mapping file {name} isn't JSON.", "映射文件 {name} 不是有效的 JSON。").filled(name=mapping)
        raise Invalid("mapping", text, field="mapping") from None
    return mappings.parsed(data)


def _settle(row: "Import", *, source: str | None, foreign: bool) -> None:
    """Lay the command's options over the mapping; ask at a terminal about other currencies."""
    from regulars.accounts.actors import SYSTEM
    from regulars.imports import mappings, queries, services
    from regulars.kernel.errors import Problem

    chosen = mappings.parsed(row.mapping)
    changes: dict[str, Any] = {"foreign": chosen.foreign or foreign}
    if source is not None:
        changes["source"] = source
    chosen = services.choose_mapping(id=row.pk, mapping=chosen.model_copy(update=changes), by=SYSTEM)
    try:
        queries.ready(queries.get(row.pk))
    except Problem as problem:
        if problem.code != "foreign_currency" or not sys.stdin.isatty():
            if problem.code == "foreign_currency":
                problem.text = Text("{text} (--foreign)", "{text}（--foreign）").filled(text=problem.text)
            services.cancel(id=row.pk, by=SYSTEM)
            raise
        click.echo(str(problem.text), err=True)
        if not click.confirm(str(_GO_ON), err=True):
            services.cancel(id=row.pk, by=SYSTEM)
            sys.exit(1)
        services.choose_mapping(id=row.pk, mapping=chosen.model_copy(update={"foreign": True}), by=SYSTEM)


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while chunk := source.read(CHUNK):
            yield chunk


def _digest(file: Path) -> str:
    from hashlib import sha256

    found = sha256()
    for chunk in _chunks(file):
        found.update(chunk)
    return found.hexdigest()


_GO_ON = Text("Import them all the same?", "仍要导入吗？")
_GOES_ON = Text("{name} was begun before: it goes on where it stopped.", "{name} 此前未导入完，从上次中断处继续。")
# Of one, of more.
_ROWS = (Text("1 row read.", "共读取 1 行。"), Text("{count:,} rows read.", "共读取 {count:,} 行。"))
_REJECTED = (Text("1 row rejected:", "1 行被拒绝："), Text("{count:,} rows rejected:", "{count:,} 行被拒绝："))
_PARTLY = (
    Text("1 row taken in without a part of it.", "1 行仅部分导入。"),
    Text("{count:,} rows taken in without a part of them.", "{count:,} 行仅部分导入。"),
)
_WHERE = Text("Rejected rows with their reasons: {path}", "被拒绝的行及原因：{path}")


class _Terminal:
    """A bar on stderr while somebody watches."""

    def __init__(self) -> None:
        self.watched, self.shown = sys.stderr.isatty(), False

    def report(self, done: int, total: int | None = None, note: Text | None = None, *, at_once: bool = False) -> None:
        if self.watched and total:
            filled = int(30 * min(done / total, 1))
            line = f"\r\033[K{'█' * filled}{'░' * (30 - filled)} {done / total:4.0%}  {note or ''}"
            click.echo(line, nl=False, err=True)
            self.shown = True

    def check_cancelled(self) -> None:
        pass

    def end(self) -> None:
        if self.shown:
            click.echo("\r\033[K", nl=False, err=True)
            self.shown = False


def _tell_doubts(row: "Import") -> None:
    from regulars.imports import queries

    for _, text in queries.preview(row).doubts:
        click.echo(f"! {text}", err=True)


def _show(row: "Import") -> None:
    """The mapping as it would be given with --mapping, and the first rows as understood."""
    from regulars.accounts.queries import business
    from regulars.imports import mappings, queries, staging
    from regulars.imports.mappings import TARGETS

    chosen = mappings.parsed(row.mapping)
    click.echo(json.dumps(chosen.model_dump(mode="json"), ensure_ascii=False, indent=2))
    preview = queries.preview(row)
    for _, text in preview.doubts:
        click.echo(f"! {text}")
    click.echo("\t".join(str(TARGETS[target].label) for target in chosen.columns))
    for one in preview.rows:
        cells = [_cell(target, one.values.get(target), business().zone) for target in chosen.columns]
        click.echo("\t".join(cells) + (f"\t✗ {staging.REASONS[one.reason]}" if one.reason else ""))


def _cell(target: str, value: Any, zone: str) -> str:
    from decimal import Decimal
    from zoneinfo import ZoneInfo

    from regulars.kernel import clock

    if value is None:
        return ""
    if target == "at":
        return f"{clock.from_micros(value).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def _counted(texts: tuple[Text, Text], count: int) -> str:
    return str(texts[count != 1].filled(count=count))


def _summarise(row: "Import", rejects: Path | None) -> None:
    from regulars.imports import queries

    click.echo(_counted(_ROWS, row.counts["rows"]))
    for text, count in queries.summary(row):
        click.echo(f"{count:>12,}  {text}")
    reasons = queries.reasons(row)
    if reasons:
        click.echo(_counted(_REJECTED, sum(count for _, count in reasons)))
        for text, count in reasons:
            click.echo(f"{count:>12,}  {text}")
    if row.counts.get("partly"):
        click.echo(_counted(_PARTLY, row.counts["partly"]))
    if rejects is not None and row.counts.get("in_rejects"):
        click.echo(str(_WHERE.filled(path=rejects)))
