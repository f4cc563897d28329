"""What customers will be worth in the coming year: the models of stats fitted to figures, and applied to them.

A customer's history is counted in visits (days with a purchase): x repeat visits, t_x and T days since the first, and
the mean net of a visit. Parameters are fitted by the full refresh and kept; applying them needs one customer's figures
only, so that live equals full.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from regulars.kernel.languages import Text
from regulars.stats.grouping import Floats, Ints
from regulars.stats.purchases import BgNbd, TooFew, fit_bgnbd
from regulars.stats.value import GammaGamma, fit_gamma_gamma, outlook

HORIZON = 365.0
CONFIDENCE = 0.8
SAMPLE = 10_000
"""Customers that parameters are fitted to: with so many their standard errors are far below what matters."""
TOGETHER = 50_000
"""Of so many customers the predictions are computed in one thread."""

_HISTORIES = """
    SELECT customer_id, (visits - 1)::DOUBLE AS x, (last_day - first_day)::DOUBLE AS t_x,
           ({as_of} - first_day)::DOUBLE AS T, greatest(net, 0)::DOUBLE / visits AS mean_value
    FROM {figures} WHERE visits > 0
"""
_SCHEMA = pa.schema(
    [
        ("customer_id", pa.int64()), ("p_alive", pa.float64()), ("expected_orders", pa.float64()),
        ("expected_value", pa.int64()), ("value_low", pa.int64()), ("value_high", pa.int64()),
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Model:
    """What was fitted; without `purchases` nothing is predicted, without `value` no money. `notes` say what isn't as
    it should be."""

    purchases: BgNbd | None = None
    value: GammaGamma | None = None
    notes: tuple[Text, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "purchases": {n: getattr(self.purchases, n) for n in ("r", "alpha", "a", "b")} if self.purchases else None,
            "value": {n: getattr(self.value, n) for n in ("p", "q", "v")} if self.value else None,
            "notes": [asdict(note) for note in self.notes],
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Model":
        return cls(
            BgNbd(**stored["purchases"]) if stored.get("purchases") else None,
            GammaGamma(**stored["value"]) if stored.get("value") else None,
            tuple(Text(**note) for note in stored.get("notes", ())),
        )


def fit(pen: duckdb.DuckDBPyConnection, *, as_of: int, figures: str = "figures") -> Model:
    """The models of the customers in a table of figures."""
    sql = _HISTORIES.format(as_of=as_of, figures=figures)
    count = pen.execute(f"SELECT count(*) FROM ({sql})").fetchone()  # noqa: S608 (our own text)
    share = max(1, (count[0] if count else 0) // SAMPLE)
    sql += f" AND hash(customer_id) % {share} = 0"
    rows = pen.execute(
        f"SELECT x, t_x, T, count(*)::DOUBLE AS n FROM ({sql}) GROUP BY ALL ORDER BY ALL"  # noqa: S608
    ).fetchnumpy()
    notes: list[Text] = []
    purchases = value = None
    try:
        purchases = fit_bgnbd(rows["x"], rows["t_x"], rows["T"], rows["n"])
        notes += [purchases.boundary] if purchases.boundary else []
        rows = pen.execute(f"SELECT mean_value, x FROM ({sql}) ORDER BY ALL").fetchnumpy()  # noqa: S608
        value = fit_gamma_gamma(rows["mean_value"], rows["x"])
        notes += [value.boundary] if value.boundary else []
    except TooFew as few:
        notes.append(few.text)
    return Model(purchases, value, tuple(notes))


def predicted(pen: duckdb.DuckDBPyConnection, model: Model, *, as_of: int, figures: str = "figures") -> pa.Table:
    """(customer_id, p_alive, expected_orders, expected_value, value_low, value_high) of the buyers in the table: the
    coming 365 days, money in minor units, the interval that holds 80 % if the model
    does (on real data: docs/warehouse.md). No p_alive after a single visit."""
    if model.purchases is None:
        return _SCHEMA.empty_table()
    rows = pen.execute(_HISTORIES.format(as_of=as_of, figures=figures)).fetchnumpy()
    columns = [np.ma.getdata(rows[n]) for n in ("customer_id", "x", "t_x", "T", "mean_value")]
    many = columns[0].size
    if many <= TOGETHER:
        return _predicted(model, *columns)
    # Each customer's rows say what they say alone, and NumPy lets go of the interpreter: a part for every core.
    count = min(many // TOGETHER + 1, os.cpu_count() or 1)
    with ThreadPoolExecutor(count) as threads:
        parts = zip(*(np.array_split(column, count) for column in columns), strict=True)
        return pa.concat_tables(threads.map(lambda part: _predicted(model, *part), parts))


def _predicted(model: Model, ids: Ints, x: Floats, t_x: Floats, age: Floats, mean_value: Floats) -> pa.Table:
    """As predicted, of one part of the buyers."""
    assert model.purchases is not None
    if model.value is None:
        p_alive = model.purchases.probability_alive(x, t_x, age)
        orders = model.purchases.expected_purchases(x, t_x, age, HORIZON)
        money = [pa.nulls(ids.size, pa.int64())] * 3
    else:
        found = outlook(
            model.purchases, model.value, x=x, t_x=t_x, T=age, mean_value=mean_value, horizon=HORIZON,
            confidence=CONFIDENCE,
        )  # fmt: skip
        p_alive, orders = found.p_alive, found.purchases
        money = [_given(np.rint(np.minimum(v, 1e15))) for v in (found.value, found.value_low, found.value_high)]
        money = [column.cast(pa.int64()) for column in money]
    # After a single visit the model calls everybody alive: for a second one nobody has had the time to stay away.
    p_alive = np.where(x > 0, p_alive, np.nan)
    # Six digits are more than is known, and end the noise of the last bits between one machine's code path and another.
    return pa.table([pa.array(ids), _given(np.round(p_alive, 6)), _given(np.round(orders, 6)), *money], schema=_SCHEMA)


def _given(values: Floats) -> pa.Array:
    """Numbers, and nothing where the model has no finite one."""
    return pa.array(values, mask=~np.isfinite(values))
