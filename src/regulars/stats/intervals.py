"""Intervals for simple quantities. What belongs to a model lives with the model."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri


def wilson(
    successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval of a proportion by Wilson's score (1927), without continuity correction; elementwise.

    Returns (low, high) in [0, 1]; without trials nothing is known: (0, 1). Raises ValueError for impossible input.
    """
    k, n = np.broadcast_arrays(np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64))
    if not 0 < confidence < 1:
        raise ValueError(f"confidence has to lie between 0 and 1, not {confidence}")
    if (k < 0).any() or (k > n).any():
        raise ValueError("successes have to lie between 0 and the number of trials")
    z = float(ndtri(0.5 + confidence / 2))
    m = np.maximum(n, 1)
    share = k / m
    middle = (share + z * z / (2 * m)) / (1 + z * z / m)
    half = z / (1 + z * z / m) * np.sqrt(share * (1 - share) / m + z * z / (4 * m * m))
    low = np.where((n == 0) | (k == 0), 0.0, np.maximum(middle - half, 0.0))
    high = np.where((n == 0) | (k == n), 1.0, np.minimum(middle + half, 1.0))
    return low, high
