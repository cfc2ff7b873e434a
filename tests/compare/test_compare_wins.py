import numpy as np
import pytest
from scipy.stats import nct, norm

from sentilab.compare import winning


def test_the_interval_inverts_the_noncentral_t() -> None:
    differences = np.array([0.011, 0.004, 0.013, 0.009])
    estimate, interval = winning(differences)
    size = differences.mean() / differences.std(ddof=1)
    assert interval is not None
    assert estimate == pytest.approx(norm.cdf(size))
    for end, tail in zip(interval, (0.975, 0.025), strict=True):
        assert nct.cdf(2 * size, 3, 2 * norm.ppf(end)) == pytest.approx(tail, abs=1e-5)


@pytest.mark.parametrize("seeds", [2, 5])
def test_the_interval_holds_the_chance_in_95_percent_of_simulations(seeds: int) -> None:
    random = np.random.default_rng(seeds)
    held = 0
    for _ in range(2000):
        _, interval = winning(random.normal(0.5, 1, seeds))
        assert interval is not None
        held += interval.low <= norm.cdf(0.5) <= interval.high
    # Three standard errors: 3 * sqrt(0.95 * 0.05 / 2000).
    assert held / 2000 == pytest.approx(0.95, abs=0.015)


def test_seeds_that_change_nothing_say_nothing() -> None:
    assert winning(np.full(3, 0.1)) == (None, None)
    assert winning(np.zeros(3)) == (None, None)


def test_one_that_always_wins_by_far_wins_surely() -> None:
    estimate, interval = winning(np.array([0.1, 0.1001, 0.0999]))
    assert estimate == pytest.approx(1)
    assert interval is not None
    assert interval.low > 0.99
