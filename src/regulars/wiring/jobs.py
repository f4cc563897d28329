"""The kinds of jobs: what people can start, and the function that does it. Names are kept with the jobs."""

from collections.abc import Callable
from typing import Any

KINDS: dict[str, Callable[..., Any]] = {}
