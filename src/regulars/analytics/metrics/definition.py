"""What a metric is."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import ibis.expr.types as ir

from regulars.analytics.cutoffs import Cutoffs
from regulars.kernel.languages import Text


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that people read: one documented function from tables to an aggregate.

    `chinese` says what the function's docstring says in English: definition, formula, edge cases, source. Together
    they are the tooltip in the console: no names of columns, and {names} for the numbers in force (`Cutoffs.said`).
    `keys` are the columns that make a result row unique.
    """

    key: str
    name: Text
    build: Callable[..., ir.Table]
    chinese: str
    keys: tuple[str, ...]

    def explained(self, cutoffs: Cutoffs) -> Text:
        pattern = Text(en=" ".join((inspect.getdoc(self.build) or "").split()), zh=self.chinese)
        return pattern.filled(**cutoffs.said())

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.build).parameters)
