"""Wilson's interval."""

import numpy as np
import pytest

from regulars.stats.intervals import wilson


def test_it_agrees_with_the_published_example():
    # Newcombe (1998), table I: 81 of 263 and 15 of 148 at 95 %.
    low, high = wilson([81, 15], [263, 148])
    assert low == pytest.approx([0.2553, 0.0624], abs=1e-4)
    assert high == pytest.approx([0.3662, 0.1605], abs=1e-4)


def test_none_and_all_stay_within_bounds():
    low, high = wilson([0, 20, 0], [20, 20, 0])
    assert low.tolist() == [0, pytest.approx(0.8389, abs=1e-4), 0]
    assert high.tolist() == [pytest.approx(0.1611, abs=1e-4), 1, 1]


def test_impossible_input_is_refused():
    with pytest.raises(ValueError, match="successes"):
        wilson([3], [2])
    with pytest.raises(ValueError, match="confidence"):
        wilson([1], [2], confidence=95)


def test_it_covers():
    # At one true share coverage jumps about with whole numbers; over all shares it is what was asked for.
    rng = np.random.default_rng(1)
    share = rng.random(40_000)
    low, high = wilson(rng.binomial(80, share), 80, 0.9)
    assert ((low <= share) & (share <= high)).mean() == pytest.approx(0.9, abs=0.01)
