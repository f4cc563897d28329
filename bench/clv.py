"""Customer lifetime value against lifetimes' BetaGeoFitter, in the same run: `python -m bench clv`.

The same simulated population for both (days, two years); what is asked is what a refresh asks: fit, P(alive), expected
purchases in the coming year. Lifetimes has no intervals; ours are timed apart.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from bench.figure import Figure, Size
from regulars.stats.purchases import Rows, fit_bgnbd, log_likelihood
from regulars.stats.value import fit_gamma_gamma, outlook


def population(customers: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, t_x, T in whole days and mean value, of people who behave as the model says (r .6, α 40, a .6, b 3)."""
    rng = np.random.default_rng(seed)
    rate, leave = rng.gamma(0.6, 1 / 40.0, customers), rng.beta(0.6, 3.0, customers)
    age = rng.integers(1, 730, customers).astype(float)
    x, t_x, clock = np.zeros(customers), np.zeros(customers), np.zeros(customers)
    there = np.arange(customers)
    while there.size:
        clock[there] += rng.exponential(1 / rate[there])
        there = there[clock[there] <= age[there]]
        x[there] += 1
        t_x[there] = np.maximum(np.floor(clock[there]), 1)
        there = there[rng.random(there.size) >= leave[there]]
    value = rng.gamma(4.0 * np.maximum(x, 1)) / rng.gamma(3.5, 1 / 9000.0, customers) / np.maximum(x, 1)
    return x, np.minimum(t_x, age), age, value


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    result = function()
    return result, time.perf_counter() - begun


def figures(size: Size) -> Iterator[Figure]:
    warnings.simplefilter("ignore")
    from lifetimes import BetaGeoFitter

    customers = 20_000 * size.times
    x, t_x, T, value = population(customers)
    rows = pd.DataFrame({"x": x, "t": t_x, "T": T})
    ours, fit = timed(lambda: fit_bgnbd(x, t_x, T))
    _, alive = timed(lambda: ours.probability_alive(x, t_x, T))
    expected, purchases = timed(lambda: ours.expected_purchases(x, t_x, T, 365))
    theirs = BetaGeoFitter()
    _, fit_2 = timed(lambda: theirs.fit(rows.x, rows.t, rows["T"]))
    _, alive_2 = timed(lambda: theirs.conditional_probability_alive(x, t_x, T))
    expected_2, purchases_2 = timed(
        lambda: theirs.conditional_expected_number_of_purchases_up_to_time(365, rows.x, rows.t, rows["T"])
    )

    def fitness(params: Any) -> float:
        point = np.log(np.array([float(v) for v in params]))
        return log_likelihood(point, Rows.of(x, t_x, T, np.ones(x.size)))[0]

    same = type(ours)(*(float(v) for v in theirs.params_))
    apart = np.nanmax(np.abs(same.expected_purchases(x, t_x, T, 365) - expected_2))
    likelihood = (
        f"log-likelihood {fitness((ours.r, ours.alpha, ours.a, ours.b)):.3f}, lifetimes {fitness(theirs.params_):.3f}"
    )
    yield Figure(
        "fit of BG/NBD, standard errors included", fit, "s", "lifetimes", fit_2, "< 1", fit < fit_2, note=likelihood
    )
    yield Figure("P(alive)", alive, "s", "lifetimes", alive_2)
    bad = (
        f"not finite: {(~np.isfinite(expected)).sum()}, lifetimes {(~np.isfinite(expected_2)).sum()}; apart {apart:.0e}"
    )
    yield Figure("purchases in a year", purchases, "s", "lifetimes", purchases_2, note=bad)
    both, both_2 = fit + alive + purchases, fit_2 + alive_2 + purchases_2
    yield Figure("all three", both, "s", "lifetimes", both_2, "< 1", both < both_2)
    worth, took = timed(lambda: fit_gamma_gamma(value, x))
    yield Figure("fit of Gamma-Gamma", took, "s")
    _, took = timed(lambda: outlook(ours, worth, x=x, t_x=t_x, T=T, mean_value=value, horizon=365))
    yield Figure("value in a year with 80 % intervals", took, "s")
