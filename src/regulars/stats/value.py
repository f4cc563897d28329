"""What customers will be worth: the Gamma-Gamma model of an order's value (Fader & Hardie 2013) by maximum likelihood,
and its combination with the number of orders (`purchases`) to the value of the coming time, with intervals.

A customer's orders are Gamma(p, ν) with their own rate ν ~ Gamma(q, v), independent of how often they buy. A history
is x orders of mean value m > 0, any unit of money. For customers with x = 0, m isn't looked at.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincinv, digamma, gammaln

from regulars.kernel.languages import Text
from regulars.stats.grouping import Floats, Ints, columns, counted, distinct
from regulars.stats.purchases import (
    NEEDED,
    TOO_FEW,
    BgNbd,
    Cost,
    Matrix,
    TooFew,
    covariance_of,
    histories,
    least,
    rows_of,
    sampled,
)

HEAVY_TAIL = Text(
    en="A few customers' orders are so far above the rest that the average of the population isn't well defined; "
    "values of customers with few orders are rough.",
    zh="少数客户的订单金额远高于其他人，整体均值难以可靠估计；订单较少的客户，其价值预测仅供粗略参考。",
)
ALIKE_VALUES = Text(
    en="Customers spend nearly the same per order; differences between them can't be told from chance.",
    zh="客户的单笔金额几乎相同，彼此之间的差异与偶然波动无法区分。",
)
STEADY_VALUES = Text(
    en="Each customer's orders are nearly all of the same value, so the past average is taken as it is.",
    zh="每位客户的单笔金额几乎不变，因此直接采用其历史平均金额。",
)
UNCERTAIN_VALUES = Text(
    en="The data don't pin the model of order values down; take forecasts of value as rough ones.",
    zh="现有数据不足以确定订单金额模型，价值预测仅供粗略参考。",
)

LEAST_Q = 1.05
"""The population's mean p·v/(q-1) exists for q > 1 only; the search stops here."""
REACH = 10.0


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """A fitted model; `covariance` is of (p, q, v); `boundary` says in words what is wrong with the fit, else None."""

    p: float
    q: float
    v: float
    log_likelihood: float = float("nan")
    covariance: Matrix = ()
    boundary: Text | None = None

    @property
    def standard_errors(self) -> tuple[float, ...]:
        """Of p, q, v."""
        return tuple(float(np.sqrt(row[i])) for i, row in enumerate(self.covariance))

    @property
    def mean(self) -> float:
        """Mean value of an order over the population of customers: p·v/(q-1)."""
        return self.p * self.v / (self.q - 1)

    def expected_average_value(self, mean_value: ArrayLike, x: ArrayLike) -> Floats:
        """E(mean value of a customer's future orders | x, m): p(v + x·m)/(p·x + q - 1), equation 5 of the note."""
        mean_value, x = columns(mean_value, x)
        return self.p * (self.v + np.where(x > 0, x * mean_value, 0.0)) / (self.p * x + self.q - 1)


@dataclass(frozen=True, slots=True)
class Outlook:
    """Of the coming time, one element per customer. Low and high are ends of equal-tailed predictive intervals."""

    p_alive: Floats
    purchases: Floats
    average_value: Floats
    value: Floats
    value_low: Floats
    value_high: Floats


def log_likelihood(
    log_parameters: Floats, group: Ints, of_group: Floats, total: Floats, counts: Floats
) -> tuple[float, Floats]:
    """Log-likelihood of the rows' mean values and its gradient by (ln p, ln q, ln v).

    Equation 1a of Fader & Hardie (2013). `of_group` are the distinct x, `group` each row's place among them (the gamma
    functions are needed once per distinct x), `total` = x·m.
    """
    p, q, v = np.exp(log_parameters)
    x, mean = of_group[group], total / of_group[group]
    weight = np.bincount(group, weights=counts, minlength=of_group.size)
    px = p * of_group
    by_x = gammaln(px + q) - gammaln(px) - gammaln(q) + q * np.log(v) + px * np.log(of_group)
    log_sum = np.log(total + v)
    log_mean = np.log(mean)
    rest = (p * x - 1) * log_mean - (p * x + q) * log_sum
    many = float(counts.sum())
    sum_log = float(counts @ log_sum)
    both = digamma(px + q)
    by_p = weight @ (of_group * (both - digamma(px) + np.log(of_group))) + (counts * x) @ (log_mean - log_sum)
    by_q = weight @ both + many * (np.log(v) - digamma(q)) - sum_log
    by_v = many * q / v - counts @ ((p * x + q) / (total + v))
    return float(weight @ by_x + counts @ rest), np.array([p * by_p, q * by_q, v * by_v])


def fit_gamma_gamma(mean_value: ArrayLike, x: ArrayLike, counts: ArrayLike | None = None) -> GammaGamma:
    """Maximum likelihood over customers with x orders of mean value m (each row `counts` times).

    Rows with x = 0 or m ≤ 0 say nothing about order values and are left out. Raises TooFew when fewer than NEEDED
    remain. The model takes value and frequency to be independent; look at their correlation before trusting it.
    """
    (mean, x), weights = counted(columns(mean_value, x), counts)
    kept = (x > 0) & (mean > 0) & (weights > 0)
    mean, x, weights = mean[kept], x[kept], weights[kept]
    people = float(weights.sum())
    if people < NEEDED:
        raise TooFew(TOO_FEW.filled(repeaters=int(people), needed=NEEDED))
    middle = float(weights @ mean) / people
    unit = np.array([0.0, 0.0, np.log(middle)])

    def cost_of(rows: NDArray[np.bool_] | slice) -> Cost:
        of_group, group = np.unique(x[rows], return_inverse=True)
        total, counts = (x * mean)[rows], weights[rows]
        many = float(counts.sum())

        def cost(point: Floats) -> tuple[float, Floats]:
            value, slope = log_likelihood(point + unit, group, of_group, total, counts)
            return -value / many, -slope / many

        return cost

    limits = [(-REACH, REACH), (float(np.log(LEAST_Q)), REACH), (-REACH, REACH)]
    starts = [(1.5, 1.3, -0.5), (0.0, 1.0, 0.5)]
    first, cost = cost_of(sampled(weights)), cost_of(slice(None))
    _, begin = min((least(first, start, limits) for start in starts), key=lambda f: f[0])
    value, point = least(cost, begin, limits)
    estimate = np.exp(point + unit)
    covariance, loose = covariance_of(cost, point, estimate, people)
    boundary: Text | None = None
    if point[1] < limits[1][0] + 1e-3:
        boundary = HEAVY_TAIL
    elif point[0] > REACH - 0.1 or point[2] < -REACH + 0.1:
        boundary = STEADY_VALUES
    elif point[1] > REACH - 0.1 or (point[1] > 4 and loose):
        boundary = ALIKE_VALUES
    elif loose or np.abs(point).max() > REACH - 0.1:
        boundary = UNCERTAIN_VALUES
    p, q, v = (float(e) for e in estimate)
    return GammaGamma(p, q, v, -value * people, rows_of(covariance), boundary)


def outlook(
    purchases: BgNbd,
    values: GammaGamma,
    *,
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,
    mean_value: ArrayLike,
    horizon: float,
    confidence: float = 0.8,
) -> Outlook:
    """Number and value of each customer's purchases in the `horizon` (unit of t_x) after T; undiscounted.

    Intervals are equal-tailed and predictive, with the parameters held at their estimates (for those of the number see
    `BgNbd.purchase_interval`). Given n purchases, V / (v + x·m) is beta prime (p·n, p·x + q), so
    up to that scale its distribution depends on (x, T) and P(alive) alone; the mixture over n is taken at 24 equally
    likely values of n, on a grid of V, for cells of x and T whose width is 2 %. The ends are thus right to about 2 %.
    """
    x, t_x, T = histories(x, t_x, T)
    x, t_x, T, mean_value = columns(x, t_x, T, mean_value)
    first, inverse = distinct(x, t_x, T)
    few = x[first], t_x[first], T[first]
    alive = purchases.probability_alive(*few)
    number = purchases.expected_purchases(*few, horizon)
    tail = (1 - confidence) / 2
    scale = values.v + np.where(x > 0, x * mean_value, 0.0)
    worth_low, worth_high = _relative_values(purchases, values, few[0], few[2], alive, horizon, (tail, 1 - tail))
    average = values.expected_average_value(mean_value, x)
    return Outlook(
        p_alive=alive[inverse],
        purchases=number[inverse],
        average_value=average,
        value=number[inverse] * average,
        value_low=worth_low[inverse] * scale,
        value_high=worth_high[inverse] * scale,
    )


STRATA, GRID = 24, 40


def _relative_values(
    purchases: BgNbd,
    values: GammaGamma,
    x: Floats,
    T: Floats,
    alive: Floats,
    horizon: float,
    levels: tuple[float, ...],
) -> tuple[Floats, ...]:
    """Quantiles of V / (v + x·m) for histories with their P(alive); see `outlook`."""
    cell_x = np.where(x <= 25, x, np.round(np.exp(np.round(np.log(np.maximum(x, 1)) * 50) / 50)))
    cell_age = np.exp(np.round(np.log(purchases.alpha + T) * 50) / 50) - purchases.alpha
    cell_age = np.maximum(cell_age, 0.0)
    first, inverse = distinct(cell_x, cell_age)
    cx, age = cell_x[first], cell_age[first]
    nothing = 1 - purchases.more_than(np.zeros(cx.size), cx, age, horizon)  # P(Y = 0 | alive)
    middles = (np.arange(STRATA) + 0.5) / STRATA
    at = (nothing[:, None] + (1 - nothing)[:, None] * middles).ravel()
    n = purchases.quantile_if_alive(np.repeat(cx, STRATA), np.repeat(age, STRATA), horizon, at).reshape(-1, STRATA)
    n = np.maximum(n, 1.0)
    shape = values.p * cx + values.q
    least_u = betaincinv(values.p * n[:, 0], shape, 0.002)
    most_u = betaincinv(values.p * n[:, -1], shape, 0.9995)
    from_, to = logit(np.asarray(least_u, dtype=np.float64)), logit(np.asarray(most_u, dtype=np.float64))
    grid = from_[:, None] + (to - from_)[:, None] * np.linspace(0, 1, GRID)  # ln(V / scale)
    rest = 1 / (1 + np.exp(grid))  # 1 - u
    above = np.zeros_like(grid)
    for k in range(STRATA):
        above += betainc(shape[:, None], values.p * n[:, k : k + 1], rest)
    above *= (1 - nothing)[:, None] / STRATA  # P(V > grid | alive), falling
    some = purchases.more_than(np.zeros(x.size), x, T, horizon)
    out = []
    for level in levels:
        found = np.zeros(x.size)
        wanted = (1 - level) / np.maximum(alive, 1e-300)  # P(V > answer | alive)
        todo = np.flatnonzero(wanted < some)
        cell, wanted = inverse[todo], wanted[todo]
        # The first place from 1 on where the falling curve isn't above what is wanted, at most the last one.
        place, end = np.ones(cell.size, dtype=np.int64), np.full(cell.size, GRID - 1)
        for _ in range(GRID.bit_length()):
            middle = (place + end) // 2
            over = (above[cell, middle] > wanted) & (place < end)
            place, end = np.where(over, middle + 1, place), np.where(over, end, middle)
        y0, y1 = above[cell, place - 1], above[cell, place]
        part = np.clip((y0 - wanted) / np.maximum(y0 - y1, 1e-300), 0, 1)
        g0, g1 = grid[cell, place - 1], grid[cell, place]
        found[todo] = np.exp(g0 + part * (g1 - g0))
        out.append(found)
    return tuple(out)


def logit(u: Floats) -> Floats:
    kept: Floats = np.clip(u, 1e-12, 1 - 1e-12)
    return np.log(kept) - np.log1p(-kept)
