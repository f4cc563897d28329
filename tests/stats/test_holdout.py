"""What the intervals hold when nobody knows the parameters: fitted to simulated customers, and to real ones (CDNOW) of
whom the next 39 weeks are known. The figures of CDNOW stand in docs/warehouse.md and in the console's explanation.
"""

import numpy as np
import pytest
from scipy.stats import binom

from regulars.console import explanations
from regulars.stats.purchases import BgNbd, fit_bgnbd
from regulars.stats.value import GammaGamma, fit_gamma_gamma, outlook

from .cdnow import MASTER, ROOT, halves
from .test_purchases import simulated

PEOPLE, WORLDS = 500, 12


@pytest.mark.parametrize(
    ("buying", "worth", "gone"),
    [
        (BgNbd(0.6, 9.0, 0.7, 2.5), GammaGamma(6.0, 4.0, 15.0), False),
        (BgNbd(2.0, 10.0, 0.8, 4.0), GammaGamma(2.0, 3.0, 80.0), True),  # so many have left that fewer lie above
    ],
)
def test_fitted_to_500_customers_the_interval_holds_80_percent_within_what_chance_allows(buying, worth, gone):
    rng = np.random.default_rng(20)
    above, below, some = [], 0, 0
    for _ in range(WORLDS):
        x, t_x, T, later = simulated(rng, buying, PEOPLE, rng.integers(30, 100, PEOPLE).astype(float), ahead=52.0)
        rate = rng.gamma(worth.q, 1 / worth.v, PEOPLE)
        mean = np.where(x > 0, rng.gamma(worth.p * np.maximum(x, 1)) / rate / np.maximum(x, 1), 0.0)
        value = np.where(later > 0, rng.gamma(worth.p * np.maximum(later, 1)) / rate, 0.0)
        seen = outlook(fit_bgnbd(x, t_x, T), fit_gamma_gamma(mean, x), x=x, t_x=t_x, T=T, mean_value=mean, horizon=52.0)
        above.append(int((value > seen.value_high).sum()))
        judged = seen.value_low > 0
        below, some = below + int((value < seen.value_low)[judged].sum()), some + int(judged.sum())
        inside = ((value >= seen.value_low) & (value <= seen.value_high)).sum()
        assert inside >= binom.ppf(0.001, PEOPLE, 0.8)
    assert max(above) <= binom.ppf(0.999, PEOPLE, 0.1)
    assert gone or min(above) >= binom.ppf(0.001, PEOPLE, 0.1)
    assert sum(above) <= binom.ppf(0.999, PEOPLE * WORLDS, 0.1)
    assert gone or sum(above) >= binom.ppf(0.001, PEOPLE * WORLDS, 0.1)
    assert binom.ppf(0.001, some, 0.1) <= below <= binom.ppf(0.999, some, 0.1)


@pytest.mark.skipif(not MASTER, reason="shared/data/cdnow/CDNOW_master.txt isn't part of the project")
def test_on_cdnow_the_next_39_weeks_bring_more_than_the_model_promises_and_we_say_how_much(db):
    x, t_x, T, mean, later, value = halves()
    seen = outlook(fit_bgnbd(x, t_x, T), fit_gamma_gamma(mean, x), x=x, t_x=t_x, T=T, mean_value=mean, horizon=273.0)
    again, above, below = x > 0, value > seen.value_high, value < seen.value_low
    assert (x.size, int(again.sum())) == (23_570, 9_451)
    shares = (above.mean(), above[again].mean(), above[~again].mean(), below.mean())
    assert shares == pytest.approx((0.1174, 0.1599, 0.0890, 0.0005), abs=1e-4)
    short = 1 - seen.purchases.sum() / later.sum(), 1 - seen.value.sum() / value.sum()
    assert short == pytest.approx((0.1428, 0.1668), abs=1e-4)
    # The same, where users and operators read it.
    explained = explanations.of("expected_value").text
    for text, told in (
        (
            explained.en,
            ("23,570 customers", f"{shares[0]:.0%}", f"{shares[1]:.0%}", f"{short[0]:.0%}", f"{short[1]:.0%}"),
        ),
        (explained.zh, ("23,570 位", "12% 的客户高于区间", "复购过的客户为 16%", "少 14%", "金额少 17%")),
    ):
        said = text.replace(" %", "%")
        assert all(one in said for one in told), said
    document = (ROOT / "docs/warehouse.md").read_text(encoding="utf-8")
    wanted = [f"{100 * share:.1f} %" for share in (*shares[:3], *short)] + [f"{100 * shares[3]:.2f} %"]
    assert [one for one in wanted if one not in document] == []
