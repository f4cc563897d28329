"""BG/NBD: against the paper, against numerical integration, against simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import beta as beta_function
from scipy.special import hyp2f1
from scipy.stats import nbinom

from regulars.stats.grouping import counted
from regulars.stats.purchases import (
    NO_LEAVING,
    BgNbd,
    Rows,
    TooFew,
    fit_bgnbd,
    log_likelihood,
    log_likelihood_staying,
)

from .cdnow import summary

CDNOW = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)


def simulated(rng, model, people, ages, ahead=0.0):
    """Histories of a population that behaves as the model says: x, t_x, T and purchases in the time ahead."""
    rate = rng.gamma(model.r, 1 / model.alpha, people)
    leave = rng.beta(model.a, model.b, people) if model.a else np.zeros(people)
    x, t_x, later = np.zeros(people), np.zeros(people), np.zeros(people)
    clock, there = np.zeros(people), np.arange(people)
    while there.size:
        clock[there] += rng.exponential(1 / rate[there])
        there = there[clock[there] <= ages[there] + ahead]
        now = clock[there] <= ages[there]
        x[there[now]] += 1
        t_x[there[now]] = clock[there[now]]
        later[there[~now]] += 1
        there = there[rng.random(there.size) >= leave[there]]
    return x, t_x, ages, later


def test_cdnow_gives_the_parameters_of_the_paper():
    x, t_x, T, _ = summary()
    fit = fit_bgnbd(x, t_x, T)
    assert x.size == 2357
    assert (fit.r, fit.alpha, fit.a, fit.b) == pytest.approx((0.2426, 4.4136, 0.7929, 2.4259), abs=6e-4)
    assert fit.log_likelihood == pytest.approx(-9582.429, abs=5e-3)
    assert fit.boundary is None
    assert fit.standard_errors == pytest.approx((0.0126, 0.378, 0.186, 0.705), rel=0.01)


def test_the_customer_of_the_paper_is_expected_to_buy_1_226_times():
    # Fader, Hardie & Lee's note on BG/NBD in Excel: x = 2, t_x = 30.43, T = 38.86, 39 weeks ahead.
    assert CDNOW.expected_purchases([2], [30.43], [38.86], 39)[0] == pytest.approx(1.226, abs=1e-3)


def test_expected_purchases_agree_with_the_formula_of_the_paper():
    # Equation 10 as it is written, where it doesn't overflow.
    x, t_x, T, _ = summary()
    m, w = CDNOW, 39 / (CDNOW.alpha + T + 39)
    bracket = 1 - ((m.alpha + T) / (m.alpha + T + 39)) ** (m.r + x) * hyp2f1(m.r + x, m.b + x, m.a + m.b + x - 1, w)
    below = 1 + (x > 0) * m.a / (m.b + x - 1) * ((m.alpha + T) / (m.alpha + t_x)) ** (m.r + x)
    assert m.expected_purchases(x, t_x, T, 39) == pytest.approx(
        (m.a + m.b + x - 1) / (m.a - 1) * bracket / below, rel=1e-8
    )


def test_counts_stand_for_repeated_rows():
    x, t_x, T, _ = summary()
    x, t_x, T = x[:500], t_x[:500], T[:500]
    one, two = fit_bgnbd(np.tile(x, 3), np.tile(t_x, 3), np.tile(T, 3)), fit_bgnbd(x, t_x, T, np.full(500, 3))
    assert two.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-12)
    assert (two.r, two.alpha, two.a, two.b) == pytest.approx((one.r, one.alpha, one.a, one.b), rel=1e-5)


def test_the_unit_of_time_changes_alpha_alone():
    x, t_x, T, _ = summary()
    weeks, days = fit_bgnbd(x, t_x, T), fit_bgnbd(x, t_x * 7, T * 7)
    assert (days.r, days.alpha / 7, days.a, days.b) == pytest.approx((weeks.r, weeks.alpha, weeks.a, weeks.b), rel=1e-4)


logs = st.floats(-4, 4)


@settings(max_examples=60, deadline=None)
@given(st.tuples(logs, logs, logs, logs), st.integers(0, 2**32 - 1))
def test_the_gradients_agree_with_finite_differences(point, seed):
    rng = np.random.default_rng(seed)
    x = rng.poisson(2, 20).astype(float)
    T = rng.uniform(0.1, 50, 20)
    t_x = np.where(x > 0, rng.uniform(0, 1, 20) * T, 0)
    (x, t_x, T), weights = counted((x, t_x, T), None)
    rows = Rows.of(x, t_x, T, weights)
    for function, at in ((log_likelihood, np.array(point)), (log_likelihood_staying, np.array(point[:2]))):
        value, slope = function(at, rows)
        for i in range(at.size):
            step = np.zeros(at.size)
            step[i] = 1e-5
            numeric = (function(at + step, rows)[0] - function(at - step, rows)[0]) / 2e-5
            assert slope[i] == pytest.approx(numeric, rel=1e-4, abs=1e-5 * (1 + abs(value)))


@settings(max_examples=60, deadline=None)
@given(
    r=st.floats(0.05, 5),
    alpha=st.floats(0.5, 200),
    a=st.one_of(st.floats(0.05, 5), st.just(1.0)),
    b=st.floats(0.5, 8),
    x=st.integers(0, 60),
    T=st.floats(0, 400),
    horizon=st.floats(1, 400),
)
def test_expected_purchases_agree_with_numerical_integration(r, alpha, a, b, x, T, horizon):
    # Of somebody alive: the mean of (1 - (1 + p·t/(α+T))^-(r+x)) / p over p ~ Beta(a, b + x).
    z, s = horizon / (alpha + T), r + x

    def integrand(p):
        return -np.expm1(-s * np.log1p(p * z)) / p if p > 0 else s * z

    value = quad(integrand, 0, 1, weight="alg", wvar=(a - 1, b + x - 1), limit=400, epsabs=0, epsrel=1e-10)[0]
    value /= beta_function(a, b + x)
    # A customer who bought at the last moment: P(alive) is known by hand.
    alive = 1 / (1 + a / (b + x - 1)) if x else 1.0
    t_x = T if x else 0
    assert BgNbd(r, alpha, a, b).expected_purchases([x], [t_x], [T], horizon)[0] == pytest.approx(
        value * alive, rel=1e-6
    )


def test_frequent_buyers_do_not_overflow():
    many = CDNOW.expected_purchases([5000, 5000], [52, 10], [52, 52], 52)
    assert 0.5 * 4610 < many[0] < 4610  # at most the past rate, 5000.243 / 56.414 per week
    assert many[1] == 0
    assert CDNOW.purchase_interval([5000], [10], [52], 52) == (0, 0)


def test_without_leaving_it_is_the_negative_binomial():
    model = BgNbd(r=0.8, alpha=10, a=0, b=1)
    assert model.probability_alive([0, 5], [0, 1], [100, 100]).tolist() == [1, 1]
    assert model.expected_purchases([5], [1], [100], 22)[0] == pytest.approx(5.8 / 110 * 22)
    low, high = model.purchase_interval([5], [1], [100], 22)
    assert (low[0], high[0]) == (nbinom.ppf(0.1, 5.8, 110 / 132), nbinom.ppf(0.9, 5.8, 110 / 132))


def test_a_population_that_never_leaves_is_told_so_in_both_languages():
    rng = np.random.default_rng(7)
    stays = BgNbd(r=0.9, alpha=8.0, a=0.0, b=1.0)
    x, t_x, T, _ = simulated(rng, stays, 4000, rng.uniform(5, 50, 4000))
    fit = fit_bgnbd(x, t_x, T)
    assert fit.boundary == NO_LEAVING
    assert fit.a == 0
    assert (fit.r, fit.alpha) == pytest.approx((0.9, 8.0), rel=0.1)
    assert "everybody stays" in fit.boundary.en
    assert "永久流失" in fit.boundary.zh


def test_customers_of_one_rate_are_noticed():
    rng = np.random.default_rng(3)
    rate, T = 0.2, np.full(3000, 40.0)
    x = np.zeros(3000)
    t_x = np.zeros(3000)
    for i in range(3000):
        clock = 0.0
        while (clock := clock + rng.exponential(1 / rate)) <= 40:
            x[i] += 1
            t_x[i] = clock
            if rng.random() < 0.2:
                break
    fit = fit_bgnbd(x, t_x, T)
    assert fit.boundary is not None
    assert fit.r / fit.alpha == pytest.approx(rate, rel=0.05)
    assert fit.a / (fit.a + fit.b) == pytest.approx(0.2, rel=0.1)


def test_too_few_repeat_buyers_is_an_error_that_says_so():
    with pytest.raises(TooFew) as error:
        fit_bgnbd([0] * 50 + [1] * 9, [0] * 50 + [3] * 9, [10] * 59)
    assert "9" in error.value.text.zh
    assert "at least 10" in error.value.text.en


def test_few_who_all_seem_to_stay_are_no_ground_for_a_forecast():
    """A shop three months old: fourteen regulars, nobody seen to leave, say nothing of a year."""
    x, t_x, T = [4] * 14 + [0] * 4, [80] * 14 + [0] * 4, [85] * 18
    with pytest.raises(TooFew) as error:
        fit_bgnbd(x, t_x, T)
    assert "14; at least 100" in error.value.text.en and "至少需要 100 位" in error.value.text.zh
    assert fit_bgnbd(x, t_x, T, [8] * 18).boundary == NO_LEAVING


def test_impossible_rows_are_named():
    with pytest.raises(ValueError, match=r"row 1: x=1\.0, t_x=9\.0, T=5\.0"):
        fit_bgnbd([0, 1], [0, 9], [5, 5])


def test_the_fit_finds_the_parameters_of_a_simulated_population():
    rng = np.random.default_rng(11)
    truth = BgNbd(r=0.6, alpha=9.0, a=0.7, b=2.5)
    x, t_x, T, _ = simulated(rng, truth, 20_000, rng.integers(10, 100, 20_000).astype(float))
    fit = fit_bgnbd(x, t_x, T)
    for found, true, error in zip(
        (fit.r, fit.alpha, fit.a, fit.b), (0.6, 9.0, 0.7, 2.5), fit.standard_errors, strict=True
    ):
        assert abs(found - true) < 3 * error


@pytest.mark.parametrize("truth", [BgNbd(0.6, 9.0, 0.7, 2.5), BgNbd(2.0, 10.0, 1.0, 6.0), BgNbd(0.9, 5.0, 0.0, 1.0)])
def test_intervals_of_purchases_hold_what_they_promise(truth):
    rng = np.random.default_rng(5)
    x, t_x, T, later = simulated(rng, truth, 40_000, rng.integers(10, 100, 40_000).astype(float), ahead=52.0)
    low, high = truth.purchase_interval(x, t_x, T, 52.0, confidence=0.8)
    # Whole numbers: each tail is at most 10 % …
    assert (later > high).mean() < 0.1 + 0.005
    assert (later < low).mean() < 0.1 + 0.005
    # … and one purchase less would be too little.
    assert (later > high - 1).mean() > 0.1 - 0.005
    assert truth.expected_purchases(x, t_x, T, 52.0).sum() == pytest.approx(later.sum(), rel=0.03)


def test_probability_alive_is_calibrated_in_simulation():
    rng = np.random.default_rng(9)
    truth = BgNbd(1.5, 5.0, 0.8, 3.0)
    x, t_x, T, later = simulated(rng, truth, 60_000, np.full(60_000, 50.0), ahead=3000.0)
    alive = truth.probability_alive(x, t_x, T)
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        group = (alive >= low) & (alive < low + 0.2) & (x > 0)
        assert (later[group] > 0).mean() == pytest.approx(alive[group].mean(), abs=0.03)
