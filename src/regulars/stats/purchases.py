"""How often a customer will buy: the BG/NBD model of Fader, Hardie & Lee (2005), by maximum likelihood.

While alive a customer buys as a Poisson process with rate λ ~ Gamma(r, α); after every repeat purchase they leave for
good with probability p ~ Beta(a, b). A customer's history is x (repeat purchases), t_x (age at the last of them, 0 when
x = 0) and T (age now), in one unit of time of the caller's choice; T and t_x count from the first purchase.

a = 0 is the same model without leaving (the Gamma-Poisson mixture, NBD): what we fall back to when the data show no
leaving. What a purchase is worth stands in `value`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, digamma, expit, gammaln

from regulars.kernel.languages import Text
from regulars.stats.grouping import Floats, Ints, columns, counted, distinct

TOO_FEW = Text(
    en="Too few customers have bought again to estimate how often people buy ({repeaters}; at least {needed} needed).",
    zh="复购的客户太少，无法估计购买频率（现有 {repeaters} 位，至少需要 {needed} 位）。",
)
TOO_FEW_TO_LEAVE = Text(
    en="Nobody was seen to leave for good, and too few customers have bought again to believe that nobody does "
    "({repeaters}; at least {needed} needed).",
    zh="目前未见客户永久流失，但复购的客户太少，还不足以认定无人流失（现有 {repeaters} 位，至少需要 {needed} 位）。",
)
NO_LEAVING = Text(
    en="The purchases show no sign of customers leaving for good, so the estimate assumes that everybody stays: "
    "purchase rates by the Gamma-Poisson model, without a probability of leaving.",
    zh="从购买记录中看不出客户永久流失的迹象，因此按“所有客户都会留下”估计："
    "购买频率采用 Gamma-Poisson 模型，不计流失概率。",
)
ALIKE_RATES = Text(
    en="Customers buy at nearly the same rate; differences between their rates can't be told from chance.",
    zh="客户的购买频率几乎相同，彼此之间的差异与偶然波动无法区分。",
)
ALIKE_LEAVING = Text(
    en="Customers leave with nearly the same probability after each purchase; differences between them can't be "
    "told from chance.",
    zh="客户每次购买后流失的概率几乎相同，彼此之间的差异与偶然波动无法区分。",
)
UNCERTAIN = Text(
    en="The data don't pin the model's parameters down; take the forecast as a rough one.",
    zh="现有数据不足以确定模型参数，预测仅供粗略参考。",
)

Matrix = tuple[tuple[float, ...], ...]
Cost = Callable[[Floats], tuple[float, Floats]]

NEEDED = 10
"""Repeat buyers below which nothing is estimated."""
NEEDED_TO_STAY = 100
"""Repeat buyers below which it isn't believed that all of them stay: in a young shop everybody would come for ever."""
REACH = 10.0
"""The search stays within e^±REACH of natural units (α: of the mean age); at the edge it is the limit in practice."""


class TooFew(ValueError):
    """Not enough customers for an estimate; `text` says so to a person."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


@dataclass(frozen=True, slots=True)
class BgNbd:
    """A fitted model. `covariance` is of (r, α, a, b), by the observed information and the delta method; NaN where a
    parameter isn't estimated. `boundary` says in words what is wrong with the fit, None when nothing is."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float = float("nan")
    covariance: Matrix = ()
    boundary: Text | None = None

    @property
    def standard_errors(self) -> tuple[float, ...]:
        """Of r, α, a, b."""
        return tuple(float(np.sqrt(row[i])) for i, row in enumerate(self.covariance))

    def probability_alive(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
        """P(still a customer at T | x, t_x, T). Always 1 for x = 0: the model lets people leave only after a repeat
        purchase. Fader, Hardie & Lee (2008), "Computing P(alive) using the BG/NBD model"."""
        x, t_x, T = histories(x, t_x, T)
        odds = np.log(np.maximum((self.alpha + T) / (self.alpha + t_x), 1.0)) * (self.r + x)
        with np.errstate(over="ignore", divide="ignore"):
            gone = self.a / np.maximum(self.b + x - 1, 1e-300) * np.exp(odds)
        return np.where(x > 0, 1 / (1 + gone), 1.0)

    def expected_purchases(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, horizon: float) -> Floats:
        """Mean number of purchases in the `horizon` after T (equation 10 of the paper, rearranged: see `_if_alive`)."""
        x, t_x, T = histories(x, t_x, T)
        first, inverse = distinct(x, T)
        return self._if_alive(x[first], T[first], horizon)[inverse] * self.probability_alive(x, t_x, T)

    def purchase_quantile(
        self,
        x: ArrayLike,
        t_x: ArrayLike,
        T: ArrayLike,
        horizon: float,
        level: ArrayLike,
    ) -> Floats:
        """Smallest n with P(at most n purchases in the `horizon` after T) ≥ level, elementwise.

        Exact under the model with its parameters held at their estimates: n + 1 purchases happen when the Poisson
        clock rings n + 1 times and the customer stays after each of the first n, which are independent, so
        P(Y > n) = P(alive) · E[(1 - p)^n] · P(NB > n).
        """
        x, t_x, T = histories(x, t_x, T)
        alive = self.probability_alive(x, t_x, T)
        x, T, alive, level = columns(x, T, alive, level)
        # P(Y > n) = alive · P(Y > n | alive) ≤ 1 - level
        return self.quantile_if_alive(x, T, horizon, 1 - (1 - level) / np.maximum(alive, 1e-300))

    def quantile_if_alive(self, x: Floats, T: Floats, horizon: float, level: Floats) -> Floats:
        """Smallest n with P(at most n purchases in the horizon | alive at T) ≥ level, elementwise; by bisection."""
        first, inverse = distinct(x, T, level)
        x, T, above = x[first], T[first], 1 - level[first]
        least = np.full(first.size, -1.0)  # P(Y ≤ least) < level ≤ P(Y ≤ most)
        most = np.zeros(first.size)
        todo = np.flatnonzero(self.more_than(most, x, T, horizon) > above)
        while todo.size:
            least[todo] = most[todo]
            most[todo] = 2 * most[todo] + 1
            over = self.more_than(most[todo], x[todo], T[todo], horizon) > above[todo]
            todo = todo[over & (most[todo] < 1e9)]
        todo = np.flatnonzero(most - least > 1)
        while todo.size:
            middle = np.floor((least[todo] + most[todo]) / 2)
            over = self.more_than(middle, x[todo], T[todo], horizon) > above[todo]
            least[todo] = np.where(over, middle, least[todo])
            most[todo] = np.where(over, most[todo], middle)
            todo = todo[most[todo] - least[todo] > 1]
        return most[inverse]

    def purchase_interval(
        self,
        x: ArrayLike,
        t_x: ArrayLike,
        T: ArrayLike,
        horizon: float,
        confidence: float = 0.8,
    ) -> tuple[Floats, Floats]:
        """Equal-tailed predictive interval (low, high) of the number of purchases in the `horizon` after T. Counts are
        whole, so it holds at least `confidence`."""
        tail = (1 - confidence) / 2
        return (
            self.purchase_quantile(x, t_x, T, horizon, tail),
            self.purchase_quantile(x, t_x, T, horizon, 1 - tail),
        )

    def more_than(self, n: Floats, x: Floats, T: Floats, horizon: float) -> Floats:
        """P(more than n purchases in the horizon | alive at T), elementwise."""
        stay = gammaln(self.b + x + n) - gammaln(self.b + x) - gammaln(self.a + self.b + x + n)
        stay += gammaln(self.a + self.b + x)
        return np.exp(stay) * betainc(n + 1, self.r + x, horizon / (self.alpha + T + horizon))

    def _if_alive(self, x: Floats, T: Floats, horizon: float) -> Floats:
        """Mean purchases in the horizon of somebody alive at T.

        The paper has (a+b+x-1)/(a-1) · [1 - (1-w)^(r+x) · 2F1(r+x, b+x; a+b+x-1; w)] with w = t/(α+T+t), which
        overflows for frequent buyers and is 0/0 at a = 1 and at a+b+x = 1. Euler's transformation leaves
        (1-w)^(a-1) · 2F1(a+b-1-r, a-1; a+b+x-1; w); with the 1 of its series and the factor a-1 taken out,
        every term is finite, of moderate size, and the rest converges as w^n.
        """
        if horizon <= 0:
            return np.zeros(x.size)
        w = horizon / (self.alpha + T + horizon)
        shift, low = self.a - 1, self.a + self.b - 1 - self.r
        top = self.a + self.b + x - 1
        log_rest = np.log1p(-w)
        lead = -log_rest if abs(shift) < 1e-12 else -np.expm1(shift * log_rest) / shift
        total = np.zeros(x.size)
        term = low * w
        total += term
        active = np.arange(x.size)
        part, ratio, c = term, w, top
        n = 1.0
        while active.size and n < 200_000:
            part = part * ((low + n) * (shift + n) / (n + 1)) / (c + n) * ratio
            total[active] += part
            n += 1
            if n % 8 == 0:
                small = np.abs(part) <= 1e-13 * (np.abs(total[active]) + 1e-12) * (1 - ratio)
                keep = ~small
                active, part, ratio, c = active[keep], part[keep], ratio[keep], c[keep]
        return np.maximum(top * lead - np.exp(shift * log_rest) * total, 0.0)


def histories(x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """The three columns as floats of one length. Raises ValueError where 0 ≤ t_x ≤ T or x ≥ 0 doesn't hold."""
    x, t_x, T = columns(x, t_x, T)
    bad = ~((x >= 0) & (t_x >= 0) & (t_x <= T) & np.isfinite(T))
    if bad.any():
        i = int(np.argmax(bad))
        raise ValueError(f"row {i}: x={x[i]}, t_x={t_x[i]}, T={T[i]}: x ≥ 0 and 0 ≤ t_x ≤ T have to hold")
    return x, t_x, T


@dataclass(frozen=True, slots=True)
class Rows:
    """Distinct histories with their counts. Each column is kept as its distinct values and every row's place among
    them, because special functions and logarithms are needed once per distinct value."""

    x: Floats
    x_at: Ints
    t_x: Floats
    t_x_at: Ints
    T: Floats
    T_at: Ints
    counts: Floats
    of_x: Floats
    """Counts by distinct x."""

    @classmethod
    def of(cls, x: Floats, t_x: Floats, T: Floats, counts: Floats) -> "Rows":
        xs, x_at = np.unique(x, return_inverse=True)
        t_xs, t_x_at = np.unique(t_x, return_inverse=True)
        Ts, T_at = np.unique(T, return_inverse=True)
        of_x: Floats = np.bincount(x_at, weights=counts, minlength=xs.size).astype(np.float64)
        return cls(xs, x_at, t_xs, t_x_at, Ts, T_at, counts, of_x)


def log_likelihood(log_parameters: Floats, rows: Rows) -> tuple[float, Floats]:
    """Log-likelihood of the rows and its gradient by (ln r, ln α, ln a, ln b).

    Equation 6 of Fader, Hardie & Lee (2005), A1 + A2 + ln(e^A3 + [x > 0] e^A4), with the sum taken as
    A3 + ln(1 + e^(A4 - A3)).
    """
    r, alpha, a, b = np.exp(log_parameters)
    xs, weight = rows.x, rows.of_x
    before = np.where(xs > 0, b + xs - 1, 1.0)
    lead = np.where(xs > 0, np.log(a) - np.log(before), -np.inf)
    by_x = gammaln(r + xs) - gammaln(r) + r * np.log(alpha)
    by_x += gammaln(a + b) - gammaln(a + b + xs) + gammaln(b + xs) - gammaln(b)
    power = (r + xs)[rows.x_at]
    log_T, log_t_x = np.log(alpha + rows.T)[rows.T_at], np.log(alpha + rows.t_x)[rows.t_x_at]
    apart = log_T - log_t_x
    difference = lead[rows.x_at] + power * apart
    counts = rows.counts
    gone = counts * expit(difference)
    value = weight @ by_x - counts @ (power * log_T) + counts @ np.logaddexp(0.0, difference)
    gone_x = np.bincount(rows.x_at, weights=gone, minlength=xs.size)
    inverse_T, inverse_t_x = (1 / (alpha + rows.T))[rows.T_at], (1 / (alpha + rows.t_x))[rows.t_x_at]
    people = weight.sum()
    by_r = weight @ digamma(r + xs) + people * (np.log(alpha) - digamma(r)) - counts @ log_T + gone @ apart
    by_alpha = people * r / alpha - power @ (counts * inverse_T + gone * (inverse_t_x - inverse_T))
    shared = people * digamma(a + b) - weight @ digamma(a + b + xs)
    by_a = shared + gone_x.sum() / a
    by_b = shared + weight @ digamma(b + xs) - people * digamma(b) - (gone_x / before).sum()
    return float(value), np.array([r * by_r, alpha * by_alpha, a * by_a, b * by_b])


def log_likelihood_staying(log_parameters: Floats, rows: Rows) -> tuple[float, Floats]:
    """The same with a = 0 (nobody leaves), by (ln r, ln α)."""
    r, alpha = np.exp(log_parameters)
    xs, weight, people = rows.x, rows.of_x, rows.of_x.sum()
    log_T = np.log(alpha + rows.T)[rows.T_at]
    power = rows.counts * (r + xs)[rows.x_at]
    value = weight @ gammaln(r + xs) + people * (r * np.log(alpha) - gammaln(r)) - power @ log_T
    by_r = weight @ digamma(r + xs) + people * (np.log(alpha) - digamma(r)) - rows.counts @ log_T
    by_alpha = people * r / alpha - power @ (1 / (alpha + rows.T))[rows.T_at]
    return float(value), np.array([r * by_r, alpha * by_alpha])


def fit_bgnbd(
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,
    counts: ArrayLike | None = None,
) -> BgNbd:
    """Maximum likelihood over the rows (each `counts` times).

    When the best fit lies on the edge of what the model can be, `boundary` says which edge. If the edge is that nobody
    leaves, the model comes back without leaving (a = 0). Raises TooFew with fewer than NEEDED repeat buyers, or
    than NEEDED_TO_STAY in that case; ValueError for impossible rows.
    """
    (x, t_x, T), weights = counted(histories(x, t_x, T), counts)
    kept = weights > 0
    x, t_x, T, weights = x[kept], t_x[kept], T[kept], weights[kept]
    repeaters = float(weights[x > 0].sum())
    if repeaters < NEEDED:
        raise TooFew(TOO_FEW.filled(repeaters=int(repeaters), needed=NEEDED))
    people = float(weights.sum())
    age = float(weights @ T) / people
    unit = np.array([0.0, np.log(age), 0.0, 0.0])

    def costs(rows: Rows) -> tuple[Cost, Cost]:
        """Minus the log-likelihood per person, with leaving and without."""
        many = float(rows.counts.sum())

        def full(point: Floats) -> tuple[float, Floats]:
            value, slope = log_likelihood(point + unit, rows)
            return -value / many, -slope / many

        def staying(point: Floats) -> tuple[float, Floats]:
            value, slope = log_likelihood_staying(point + unit[:2], rows)
            return -value / many, -slope / many

        return full, staying

    limits = [(-REACH, REACH)] * 4
    rate = float(weights @ x) / people  # purchases per mean age
    starts = [(-0.7, -0.7 - np.log(rate), 0.0, 0.9), (0.5, 0.5 - np.log(rate), -2.0, 1.0)]
    few = sampled(weights)
    first, first_staying = costs(Rows.of(x[few], t_x[few], T[few], weights[few]))
    _, begin = min((least(first, start, limits) for start in starts), key=lambda f: f[0])
    _, begin_staying = least(first_staying, starts[0][:2], limits[:2])
    cost, cost_staying = costs(Rows.of(x, t_x, T, weights))
    value, point = least(cost, begin, limits)
    value0, point0 = least(cost_staying, begin_staying, limits[:2])
    if (value0 - value) * people < 2 or point[2] <= -REACH + 0.1 or point[2] - point[3] < -8.5:
        # Two more parameters have to gain over two units of log-likelihood (Akaike), else nobody was seen to leave.
        if repeaters < NEEDED_TO_STAY:
            raise TooFew(TOO_FEW_TO_LEAVE.filled(repeaters=int(repeaters), needed=NEEDED_TO_STAY))
        covariance = np.full((4, 4), np.nan)
        estimate = np.exp(point0 + unit[:2])
        covariance[:2, :2] = covariance_of(cost_staying, point0, estimate, people)[0]
        return BgNbd(
            float(estimate[0]), float(estimate[1]), 0.0, 1.0, -value0 * people, rows_of(covariance), boundary=NO_LEAVING
        )
    estimate = np.exp(point + unit)
    covariance, loose = covariance_of(cost, point, estimate, people)
    boundary: Text | None = None
    if max(point[0], point[1]) > REACH - 0.1 or (point[0] > 3 and loose):
        boundary = ALIKE_RATES
    elif max(point[2], point[3]) > REACH - 0.1 or (min(point[2], point[3]) > 3 and loose):
        boundary = ALIKE_LEAVING
    elif loose or np.abs(point).max() > REACH - 0.1:
        boundary = UNCERTAIN
    r, alpha, a, b = (float(v) for v in estimate)
    return BgNbd(r, alpha, a, b, -value * people, rows_of(covariance), boundary)


def least(cost: Cost, start: Sequence[float] | Floats, limits: Sequence[tuple[float, float]]) -> tuple[float, Floats]:
    """Minimise a cost that gives its gradient along, within the limits: (value, point).

    Newton's steps where the start is good enough for them, L-BFGS-B otherwise, then Newton's again for the last digits.
    """
    point = np.clip(np.asarray(start, dtype=np.float64), *np.array(limits).T)
    point, near = _newton(cost, point, limits)
    if not near:
        from scipy.optimize import minimize  # here: 0.2 s that no start of a process should wait for

        found = minimize(
            cost,
            point,
            jac=True,
            method="L-BFGS-B",
            bounds=limits,
            options={"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-7, "maxcor": 20},
        )
        point, _ = _newton(cost, np.asarray(found.x, dtype=np.float64), limits)
    return cost(point)[0], point


def _newton(cost: Cost, point: Floats, limits: Sequence[tuple[float, float]]) -> tuple[Floats, bool]:
    """Up to six of Newton's steps, as long as they stay within the limits and go down: (point, whether it is least)."""
    low, high = np.array(limits).T
    value, slope = cost(point)
    for _ in range(6):
        if np.abs(slope).max() < 1e-10:
            return point, True
        # One-sided differences will do to find the way; the slope says where it ends.
        rows = [(cost(point + move)[1] - slope) / 1e-5 for move in np.eye(point.size) * 1e-5]
        curvature = (np.array(rows) + np.array(rows).T) / 2
        if float(np.linalg.eigvalsh(curvature)[0]) <= 1e-9:
            break
        step = np.linalg.solve(curvature, slope)
        target = point - step
        if np.abs(step).max() > 1 or (target <= low).any() or (target >= high).any():
            break
        new, slope_there = cost(target)
        if new > value + 1e-12 * (1 + abs(value)):
            break
        point, value, slope = target, new, slope_there
        if np.abs(step).max() < 1e-7:
            return point, True
    return point, False


def curvature_of(cost: Cost, point: Floats) -> Floats:
    """Second derivatives of the cost, by differences of its gradient."""
    step = 1e-4
    rows = [(cost(point + move)[1] - cost(point - move)[1]) / (2 * step) for move in np.eye(point.size) * step]
    found = np.array(rows)
    return (found + found.T) / 2


SAMPLE = 5_000
"""Distinct rows that the search begins with; what it finds there is where the search over all rows starts."""


def sampled(counts: Floats) -> NDArray[np.bool_]:
    """Which rows to begin with: evenly spread ones."""
    return np.arange(counts.size) % max(1, counts.size // SAMPLE) == 0


def covariance_of(cost: Cost, point: Floats, estimate: Floats, people: float) -> tuple[Floats, bool]:
    """Covariance in natural units by the observed information (`cost` is per person, in logarithms), and whether the
    data leave some direction open."""
    information = curvature_of(cost, point) * people
    if float(np.linalg.eigvalsh(information)[0]) < 1e-3:
        return np.full((point.size, point.size), np.nan), True
    in_logs = np.linalg.inv(information)
    # A standard error of a logarithm above 1.5 means a factor of twenty either way.
    return in_logs * np.outer(estimate, estimate), bool(np.sqrt(np.diag(in_logs)).max() > 1.5)


def rows_of(matrix: Floats) -> Matrix:
    return tuple(tuple(float(v) for v in row) for row in matrix)
