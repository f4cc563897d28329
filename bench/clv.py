"""Customer lifetime value against lifetimes' BetaGeoFitter, in the same run: `python bench/clv.py [customers]`.

The same simulated population for both (days, two years); what is asked is what a refresh asks: fit, P(alive), expected
purchases in the coming year. Lifetimes has no intervals; ours are timed apart.
"""

import sys
import time
import warnings

import numpy as np
import pandas as pd

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


def timed(what: str, function):
    begun = time.perf_counter()
    result = function()
    took = time.perf_counter() - begun
    print(f"{what:<48}{took:8.2f} s")
    return result, took


def main() -> None:
    warnings.simplefilter("ignore")
    from lifetimes import BetaGeoFitter

    customers = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    x, t_x, T, value = population(customers)
    print(f"{customers:,} customers, {len(np.unique(np.stack([x, t_x, T]), axis=1).T):,} distinct histories")
    ours, fit = timed("regulars: fit", lambda: fit_bgnbd(x, t_x, T))
    _, a = timed("regulars: P(alive)", lambda: ours.probability_alive(x, t_x, T))
    expected, e = timed("regulars: purchases in a year", lambda: ours.expected_purchases(x, t_x, T, 365))
    worth, _ = timed("regulars: Gamma-Gamma", lambda: fit_gamma_gamma(value, x))
    timed(
        "regulars: value in a year with 80 % intervals",
        lambda: outlook(ours, worth, x=x, t_x=t_x, T=T, mean_value=value, horizon=365),
    )
    rows = pd.DataFrame({"x": x, "t": t_x, "T": T})
    theirs = BetaGeoFitter()
    _, fit2 = timed("lifetimes: fit", lambda: theirs.fit(rows.x, rows.t, rows["T"]))
    _, a2 = timed("lifetimes: P(alive)", lambda: theirs.conditional_probability_alive(x, t_x, T))
    expected2, e2 = timed(
        "lifetimes: purchases in a year",
        lambda: theirs.conditional_expected_number_of_purchases_up_to_time(365, rows.x, rows.t, rows["T"]),
    )
    print(f"lifetimes' time / ours: fit {fit2 / fit:.1f}, P(alive) {a2 / a:.1f}, purchases {e2 / e:.1f}, "
          f"all {(fit2 + a2 + e2) / (fit + a + e):.1f}")  # fmt: skip
    for name, params in (("regulars", (ours.r, ours.alpha, ours.a, ours.b)), ("lifetimes", theirs.params_)):
        point = np.log(np.array([float(v) for v in params]))
        fitness = log_likelihood(point, Rows.of(x, t_x, T, np.ones(x.size)))[0]
        print(f"{name}: r, α, a, b = {', '.join(f'{v:.5f}' for v in np.exp(point))}, log-likelihood {fitness:.4f}")
    same = type(ours)(*(float(v) for v in theirs.params_))
    apart = np.abs(same.expected_purchases(x, t_x, T, 365) - expected2)
    print(f"purchases with the same parameters: largest difference {np.nanmax(apart):.1e}")
    for name, values in (("regulars", expected), ("lifetimes", expected2)):
        print(f"{name}: {int((~np.isfinite(values)).sum())} values not finite")


if __name__ == "__main__":
    main()
