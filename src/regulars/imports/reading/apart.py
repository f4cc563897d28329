"""Reads what libraries of other languages read in a process of its own, `sealed`: it mustn't harm the server."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal

import msgspec

from regulars.imports.reading.layouts import CHUNK, MAX_LINE
from regulars.imports.reading.refusals import broken_excel, broken_parquet, locked, refusal, too_big
from regulars.kernel.errors import Invalid, Problem
from regulars.kernel.languages import Text

SEALED_MEMORY = 4 << 30  # address space; an honest sheet of a million rows and 25 columns takes 3 GB


def read_apart(what: Literal["layout", "rows"], kind: str, path: Path, sheet: str = "") -> Generator[Any, None, None]:
    """What the program `sealed` says of the file, value by value. Raises Invalid for what it refuses, and when it dies
    of the file.
    """
    program = str(Path(__file__).with_name("sealed.py"))
    command = [sys.executable, "-I", program, what, kind, str(path), sheet, str(SEALED_MEMORY)]
    environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system", "RUST_BACKTRACE": "0"}
    child = subprocess.Popen(  # noqa: S603 (our own program)
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, bufsize=CHUNK
    )
    assert child.stdout
    ended = False
    try:
        for line in child.stdout:
            told = msgspec.json.decode(line)
            if isinstance(told, dict) and "problem" in told:
                raise _refused(kind, sheet, told["problem"], told.get("number", 0))
            yield told
        ended = True
    finally:
        if not ended:
            child.kill()
        code = child.wait()
        child.stdout.close()
    if code:
        raise _refused(kind, sheet, "memory" if code in (-signal.SIGABRT, -signal.SIGKILL) else "broken", 0)


def _refused(kind: str, sheet: str, problem: str, number: int) -> Problem:
    match problem:
        case "empty":
            return refusal("empty", "The file has no rows.", "文件中没有任何数据行。")
        case "sheet":
            text = Text("There is no sheet “{sheet}”.", "没有名为“{sheet}”的工作表。").filled(sheet=sheet)
            return Invalid("sheet", text, field="sheet")
        case "password":
            return locked()
        case "memory":
            return too_big()
        case "line_too_long":
            return refusal(
                "line_too_long",
                "Row {number} has more than {most} characters: this isn't a table of orders, customers or events.",
                "第 {number} 行超过 {most} 个字符：这不是订单、客户或事件的表格。",
                number=number,
                most=f"{MAX_LINE:,}",
            )
    return broken_excel() if kind == "excel" else broken_parquet()
