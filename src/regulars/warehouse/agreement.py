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
from regulars.warehouse import engine

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
