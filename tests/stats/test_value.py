"""Gamma-Gamma and the value of the coming time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.stats.purchases import BgNbd, TooFew
from regulars.stats.value import HEAVY_TAIL, GammaGamma, fit_gamma_gamma, log_likelihood, outlook

from .cdnow import summary
from .test_purchases import simulated


def test_cdnow_gives_the_parameters_of_the_note():
    x, _, _, mean = summary()
    fit = fit_gamma_gamma(mean, x)
    assert (x > 0).sum() == 946
    assert (fit.p, fit.q, fit.v) == pytest.approx((6.25, 3.74, 15.45), abs=0.01)
    assert fit.boundary is None
    assert fit.mean == pytest.approx(35.1, abs=0.2)


def test_a_customers_expected_value_lies_between_their_own_mean_and_everybodys():
    model = GammaGamma(p=6.25, q=3.74, v=15.44)
    # (q-1)/(px+q-1) of the population's mean and px/(px+q-1) of one's own
    assert model.expected_average_value([100.0, 100.0], [0, 2]) == pytest.approx(
        [6.25 * 15.44 / 2.74, (2.74 * (6.25 * 15.44 / 2.74) + 12.5 * 100) / 15.24]
    )


@settings(max_examples=60, deadline=None)
@given(st.tuples(st.floats(-3, 4), st.floats(-3, 4), st.floats(-3, 4)), st.integers(0, 2**32 - 1))
def test_the_gradient_agrees_with_finite_differences(point, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(1, 9, 15).astype(float)
    total = x * rng.gamma(2, 3, 15) + 0.01
    of_group, group = np.unique(x, return_inverse=True)
    counts = rng.integers(1, 5, 15).astype(float)
    at = np.array(point)
    value, slope = log_likelihood(at, group, of_group, total, counts)
    for i in range(3):
        step = np.zeros(3)
        step[i] = 1e-5
        up, down = (log_likelihood(at + s, group, of_group, total, counts)[0] for s in (step, -step))
        assert slope[i] == pytest.approx((up - down) / 2e-5, rel=1e-4, abs=1e-5 * (1 + abs(value)))


def test_the_fit_finds_the_parameters_of_a_simulated_population():
    rng = np.random.default_rng(2)
    x = rng.integers(1, 12, 20_000).astype(float)
    rate = rng.gamma(3.5, 1 / 40.0, x.size)
    mean = rng.gamma(4.0 * x) / rate / x
    fit = fit_gamma_gamma(mean, x)
    for found, true, error in zip((fit.p, fit.q, fit.v), (4.0, 3.5, 40.0), fit.standard_errors, strict=True):
        assert abs(found - true) < 3 * error


def test_a_population_without_a_mean_is_told_so():
    rng = np.random.default_rng(4)
    x = rng.integers(1, 5, 3000).astype(float)
    mean = rng.gamma(3.0 * x) / rng.gamma(0.6, 1 / 40.0, x.size) / x
    fit = fit_gamma_gamma(mean, x)
    assert fit.boundary == HEAVY_TAIL
    assert np.isfinite(fit.expected_average_value(mean, x)).all()


def test_customers_who_spend_alike_are_noticed():
    rng = np.random.default_rng(8)
    x = rng.integers(1, 5, 3000).astype(float)
    fit = fit_gamma_gamma(rng.gamma(4.0 * x, 10.0) / x, x)
    assert fit.boundary is not None
    assert fit.mean == pytest.approx(40, rel=0.03)
    constant = fit_gamma_gamma(rng.lognormal(3, 0.5, 3000), x)
    assert np.isfinite([constant.p, constant.q, constant.v]).all()


def test_too_few_is_an_error_that_says_so():
    with pytest.raises(TooFew):
        fit_gamma_gamma([10.0] * 9 + [0.0] * 5, [1] * 14)


@pytest.mark.parametrize(
    ("buying", "worth"),
    [
        (BgNbd(0.6, 9.0, 0.7, 2.5), GammaGamma(6.0, 4.0, 15.0)),
        (BgNbd(2.0, 10.0, 0.0, 1.0), GammaGamma(2.0, 3.0, 80.0)),
    ],
)
def test_intervals_of_value_hold_what_they_promise(buying, worth):
    rng = np.random.default_rng(6)
    people = 40_000
    x, t_x, T, later = simulated(rng, buying, people, rng.integers(10, 100, people).astype(float), ahead=52.0)
    rate = rng.gamma(worth.q, 1 / worth.v, people)
    mean = np.where(x > 0, rng.gamma(worth.p * np.maximum(x, 1)) / rate / np.maximum(x, 1), 0.0)
    value = np.where(later > 0, rng.gamma(worth.p * np.maximum(later, 1)) / rate, 0.0)
    seen = outlook(buying, worth, x=x, t_x=t_x, T=T, mean_value=mean, horizon=52.0, confidence=0.8)
    assert (value > seen.value_high).mean() == pytest.approx(0.1, abs=0.008)
    some = seen.value_low > 0
    assert (value < seen.value_low)[some].mean() == pytest.approx(0.1, abs=0.003 + 0.9 / some.sum() ** 0.5)
    frequent = x >= 5
    assert (value > seen.value_high)[frequent].mean() == pytest.approx(0.1, abs=0.012)
    assert seen.value.sum() == pytest.approx(value.sum(), rel=0.04)
    assert (seen.value_low <= seen.value_high).all()
    fewest, _ = buying.purchase_interval(x, t_x, T, 52.0, 0.8)
    assert np.array_equal(fewest == 0, seen.value_low == 0)


def test_outlook_does_not_depend_on_the_order_of_rows():
    x, t_x, T, mean = (c[:300] for c in summary())
    buying, worth = BgNbd(0.243, 4.414, 0.793, 2.426), GammaGamma(6.25, 3.74, 15.44)
    one = outlook(buying, worth, x=x, t_x=t_x, T=T, mean_value=mean, horizon=52)
    back = outlook(buying, worth, x=x[::-1], t_x=t_x[::-1], T=T[::-1], mean_value=mean[::-1], horizon=52)
    assert np.array_equal(one.value_high, back.value_high[::-1])
    assert np.array_equal(one.value, back.value[::-1])
