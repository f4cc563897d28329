"""Whether warehouse and log agree, looked at before work begins, and building the warehouse anew where they can't.

They part when one of the two was restored, lost or damaged without the other. The warehouse keeps events that the log
has forgotten by age; so it is only thrown away (set aside) when the log still has all of them.
"""

import logging
from pathlib import Path

import duckdb

from regulars.eventlog import dispatch
from regulars.eventlog import queries as log
from regulars.kernel import ids
from regulars.kernel.errors import Conflict, no_room
from regulars.kernel.languages import Text
from regulars.warehouse import engine, lake
from regulars.warehouse.lake import files, replica

_log = logging.getLogger(__name__)

SUBSCRIBER = "warehouse"
_AHEAD = Text("has events that the log lacks: an older database was restored beside it",
              "包含日志中没有的事件：恢复了较旧的数据库")  # fmt: skip
_DAMAGED = Text("is damaged", "已损坏")
_BEHIND = Text("lacks events that the log has forgotten: an older warehouse was restored",
               "缺少日志中已清理的事件：恢复了较旧的数据仓库")  # fmt: skip


def ensure() -> None:
    """Call it before loops or commands use the warehouse, by the process that owns the data folder.

    An older or missing one catches up; one that is ahead of the log or damaged is set aside and built anew. Raises
    Conflict where the log doesn't have everything that would take, and Unavailable when the disk is full.
    """
    if lake.used():
        _over_lake()
        return
    file = engine.path()
    first, last = log.first_position(), log.last_position()
    whole = first <= 1
    if not file.exists():
        if dispatch.put_back(SUBSCRIBER, 0):
            _log.warning("The warehouse %s is missing; it is built anew from the log.", file)
            if not whole:
                _log.error("The log begins at event %s: what happened before isn't in the figures.", first)
        return
    try:
        position = engine.meta("position", 0)
    except duckdb.Error as error:
        if full := no_room(error):
            raise full from None
        _log.error("The warehouse %s can't be opened: %s", file, error)
        position, why = 0, _DAMAGED
    else:
        if position <= last:
            if position + 1 < first:
                raise _parted(file, _BEHIND)
            dispatch.put_back(SUBSCRIBER, position)
            return
        why = _AHEAD
    if not whole:
        raise _parted(file, why)
    engine.close()
    aside = file.with_name(f"{file.name}.{ids.new_id()}.aside")
    for end in ("", ".wal"):
        source = file.with_name(f"{file.name}{end}")
        if source.exists():
            source.rename(aside.with_name(f"{aside.name}{end}"))
    _log.warning("The warehouse %s %s. It is kept as %s and built anew from the log.", file, why.en, aside.name)
    dispatch.put_back(SUBSCRIBER, 0)


def _over_lake() -> None:
    """As `ensure`. Log and names of files are in one database and can't part; but the folder may be another one, not
    mounted here, or restored without them. Nothing is set aside then: it belongs to other processes too.
    """
    try:
        position = engine.meta("position", 0)
        named = {name for kind in (*replica.BASES, *replica.STATE) for name in replica.names(kind)}
        missing = sorted(named - set(files.there()))
    except duckdb.Error as error:
        if full := no_room(error):
            raise full from None
        missing = [str(error).partition("\n")[0]]
    if missing:
        raise Conflict(
            "lake_lacks_files",
            Text(
                "The folder {folder} (REGULARS_LAKE) lacks what the database names: {what}. Is it mounted here, and "
                "the same for all processes? Otherwise restore it from the backup of the same time (docs/scaling.md).",
                "目录 {folder}（REGULARS_LAKE）缺少数据库所记录的文件：{what}。请确认该目录已在本机挂载，且所有进程使用"
                "同一目录；否则请从同一时间的备份恢复（见 docs/scaling.md）。",
            ).filled(folder=lake.folder(), what=missing[0] + (" …" if len(missing) > 1 else "")),
        )
    dispatch.put_back(SUBSCRIBER, position)
    if not position and log.first_position() > 1:
        _log.error("The log begins at event %s: what happened before isn't in the figures.", log.first_position())


def _parted(file: Path, why: Text) -> Conflict:
    return Conflict(
        "warehouse_and_log",
        Text(
            "The warehouse {file} {why}. The log doesn't have all events any more, so it can't be built from "
            "it. Restore both from one backup; or move the file away to begin with what the log still has.",
            "数据仓库 {file} {why}。日志已不含全部事件，无法据此重建数据仓库。请从同一份备份恢复两者；"
            "或移走该文件，仅从日志现有的事件重新开始。",
        ).filled(file=file, why=why),
    )
