"""Rows that are alike are computed once: a million customers have far fewer distinct histories."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
        values, place = np.unique(column, return_inverse=True)
        if kinds * values.size > 2**62:  # pragma: no cover - needs billions of distinct rows
            _, code = np.unique(code, return_inverse=True)
            kinds = rows
        code = code * values.size + place
        kinds *= values.size
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    return first.astype(np.int64), inverse.astype(np.int64)


def counted(arrays: tuple[Floats, ...], counts: ArrayLike | None) -> tuple[tuple[Floats, ...], Floats]:
    """The distinct rows of the columns and how often (by `counts`, else one each) every one occurs."""
    weights = np.ones(arrays[0].size) if counts is None else np.asarray(counts, dtype=np.float64).ravel()
    if weights.size != arrays[0].size:
        raise ValueError(f"{weights.size} counts for {arrays[0].size} rows")
    first, inverse = distinct(*arrays)
    totals: Floats = np.bincount(inverse, weights=weights, minlength=first.size).astype(np.float64)
    return tuple(a[first] for a in arrays), totals
