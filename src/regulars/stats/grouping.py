"""Rows that are alike are computed once: a million customers have far fewer distinct histories."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

SPAN = 2**20
"""Whole numbers that lie no further apart are told apart without sorting them."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def columns(*arrays: ArrayLike) -> tuple[Floats, ...]:
    """The arrays as float64, broadcast to one common length. Raises ValueError when they don't fit together."""
    wide = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64).ravel() for a in arrays))
    return tuple(np.ascontiguousarray(a) for a in wide)


def distinct(*arrays: Floats) -> tuple[Ints, Ints]:
    """Distinct rows of columns of equal length: (index of one example of each, number of its kind for every row)."""
    rows = arrays[0].size
    code = np.zeros(rows, dtype=np.int64)
    kinds = 1
    for column in arrays:
        place, size = _places(column)
        if kinds * size > 2**62:  # pragma: no cover - needs billions of distinct rows
            _, code = np.unique(code, return_inverse=True)
            kinds = rows
        code = code * size + place
        kinds *= size
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    return first.astype(np.int64), inverse.astype(np.int64)


def _places(column: Floats) -> tuple[Ints, int]:
    """The place of each value among so many, in order. Counts and days are their own places: nothing is sorted."""
    if column.size:
        least, most = float(column.min()), float(column.max())
        if most - least < SPAN and abs(least) < 2**52:
            place = (column - least).astype(np.int64)
            if np.array_equal(place + least, column):
                return place, int(most - least) + 1
    values, found = np.unique(column, return_inverse=True)
    return found.astype(np.int64), values.size


def counted(arrays: tuple[Floats, ...], counts: ArrayLike | None) -> tuple[tuple[Floats, ...], Floats]:
    """The distinct rows of the columns and how often (by `counts`, else one each) every one occurs."""
    weights = np.ones(arrays[0].size) if counts is None else np.asarray(counts, dtype=np.float64).ravel()
    if weights.size != arrays[0].size:
        raise ValueError(f"{weights.size} counts for {arrays[0].size} rows")
    first, inverse = distinct(*arrays)
    totals: Floats = np.bincount(inverse, weights=weights, minlength=first.size).astype(np.float64)
    return tuple(a[first] for a in arrays), totals
