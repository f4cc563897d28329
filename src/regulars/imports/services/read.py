"""Look at an uploaded file, bring its rows into the import's stage and propose a mapping."""

from typing import Any

import duckdb

from regulars.accounts.queries import business
from regulars.imports import files, guessing, queries, reading, staging
from regulars.imports.mappings import Mapping
from regulars.imports.models import Import
from regulars.imports.services.progress import Progress, Reported
from regulars.jobs.progress import Cancelled, Interrupted
from regulars.kernel import clock
from regulars.kernel.errors import Problem, no_room
from regulars.kernel.languages import Text

_BROKEN = Text(
    "Something went wrong inside; the log of the server says what. Import the file again: what is in stays, and "
    "nothing comes twice.",
    "内部出错，详见服务器日志。请重新导入该文件：已导入的部分会保留，且不会重复。",
)
READING = Text("Reading the file", "正在读取文件")
_COLUMNS = Text("Finding out what each column is", "正在识别各列的含义")


def read(progress: Progress, import_id: int, encoding: str = "", sheet: str = "") -> None:
    """uploaded → mapped, or failed with the reason (also raised). Done before, it does nothing."""
    row = Import.objects.get(id=import_id)
    if row.state != "uploaded":
        return
    reported = Reported(import_id, progress)
    try:
        layout = _load(row, reported, encoding, sheet)
    except Problem as problem:
        fail(import_id, problem)
        raise
    except Cancelled:
        end(import_id, "cancelled")
        raise
    except Interrupted:
        raise
    except Exception as error:
        fail(import_id, unforeseen(error))
        raise
    reported.say(3, 4, _COLUMNS, at_once=True)
    with staging.opened(files.stage(import_id)) as database:
        mapping, doubts = guessing.guess(database, layout.headers, row.kind)  # type: ignore[arg-type]
        mapping, more = _with_currency(mapping, staging.currencies(database, layout.headers, mapping))
        if before := queries.before(row, layout.headers):
            mapping, doubts = _as_before(database, layout.headers, mapping, doubts, before)
    remarks = [{"field": "file", "en": en, "zh": zh} for en, zh in layout.remarks]
    remarks += [{"field": field, "en": text.en, "zh": text.zh} for field, text in (*doubts, *more)]
    mapping = mapping.model_copy(update={"encoding": encoding, "sheet": sheet})
    Import.objects.filter(id=import_id, state="uploaded").update(
        state="mapped", mapping=mapping.model_dump(mode="json"), remarks=remarks
    )


def _load(row: Import, reported: Reported, encoding: str, sheet: str) -> reading.Layout:
    path = files.source(row.pk)
    reported.say(0, 1, READING, at_once=True)
    layout = reading.layout(path, encoding=encoding, sheet=sheet)
    total = max(reading.size(path, layout), 1)
    whole = total * 4 // 3 + 1  # finding out what the columns are comes after it

    def seen(done: int) -> None:
        reported.say(min(done, total), whole, READING)
        reported.check()

    files.stage(row.pk).unlink(missing_ok=True)
    with staging.opened(files.stage(row.pk)) as database:
        count, faults = staging.load(database, path, layout, seen)
    Import.objects.filter(id=row.pk).update(layout=layout.as_json(), rows=count + faults)
    return layout


def _as_before(
    database: duckdb.DuckDBPyConnection, headers: list[str], guessed: Mapping, doubts: list[tuple[str, Text]],
    before: tuple[str, Mapping],
) -> tuple[Mapping, list[tuple[str, Text]]]:  # fmt: skip
    """What was chosen for a file of the same columns, statuses that it hadn't as they are guessed. Of the guess's
    doubts stay those about what nobody has chosen.
    """
    name, chosen = before
    mapping = chosen.model_copy(update={"statuses": guessed.statuses | chosen.statuses})
    told = [("file", _AS_BEFORE.filled(name=name)), *guessing.unknown_statuses(database, headers, mapping)]
    same = mapping.columns == guessed.columns and mapping.repeats == guessed.repeats
    return mapping, told + [one for one in doubts if same and one[0] != "status"]


_AS_BEFORE = Text(
    "“{name}” had the same columns: what was chosen for it is chosen here, too.",
    "“{name}”的列与此文件相同，已沿用当时的选择。",
)


def _with_currency(mapping: Mapping, found: dict[str, int]) -> tuple[Mapping, list[tuple[str, Text]]]:
    """A sign at the prices says the currency where no column does; $ and ¥ are the business's own if it has such."""
    if mapping.kind != "orders" or "currency" in mapping.columns or not found:
        return mapping, []
    own = business().currency
    sharing = {"USD": {"USD", "HKD", "TWD", "SGD", "AUD", "CAD", "NZD"}, "CNY": {"CNY", "JPY"}}
    code = max(found, key=lambda one: found[one])
    if own in sharing.get(code, {code}):
        return mapping, []
    text = Text("The prices carry the sign of {code}.", "价格带有 {code} 的货币符号。").filled(code=code)
    return mapping.model_copy(update={"currency": code}), [("currency", text)]


def fail(import_id: int, problem: Problem) -> None:
    said: dict[str, Any] = {"code": problem.code, "en": problem.text.en, "zh": problem.text.zh, "field": problem.field}
    end(import_id, "failed", error=said)


def unforeseen(error: Exception) -> Problem:
    """What an import that ends by a fault of ours, or for want of room, says: it mustn't look as if it went on. If not
    even that can be written, its job counts as running, and is taken up again after a minute.
    """
    return no_room(error) or Problem("broken", _BROKEN)


def end(import_id: int, state: str, **more: Any) -> None:
    """An import is over: its files go, the rejected rows stay."""
    Import.objects.filter(id=import_id).update(state=state, finished_at=clock.now(), **more)
    files.clear(import_id)
