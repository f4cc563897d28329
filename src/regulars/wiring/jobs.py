"""The kinds of jobs: what people can start, and the function that does it. Names are kept with the jobs."""

from collections.abc import Callable
from typing import Any

from regulars.imports import services as imports
from regulars.wiring import exports, refreshes

KINDS: dict[str, Callable[..., Any]] = {
    "imports.read": imports.read,
    "imports.run": imports.run,
    exports.KIND: exports.export_customers,
    refreshes.KIND: refreshes.refresh_everything,
}
