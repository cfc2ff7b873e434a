import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from sentilab.compare import accuracy_interval, mcnemar_exact, mean_interval, paired_difference

answers = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def arrays(pairs: list[tuple[bool, bool]]) -> tuple[np.ndarray, np.ndarray]:
    both = np.asarray(pairs, bool).reshape(-1, 2)
    return both[:, 0], both[:, 1]


@given(answers)
def test_mcnemar_is_the_binomial_test_on_discordant_pairs(pairs: list[tuple[bool, bool]]) -> None:
    first, second = arrays(pairs)
    b, c = int((first & ~second).sum()), int((~first & second).sum())
    expected = min(1.0, 2 * binom.cdf(min(b, c), b + c, 0.5)) if b + c else 1.0
    assert mcnemar_exact(first, second) == pytest.approx(expected)


@given(answers)
def test_a_difference_lies_in_its_interval_and_turns_with_the_order(
    pairs: list[tuple[bool, bool]],
) -> None:
    first, second = arrays(pairs)
    found, turned = paired_difference(first, second), paired_difference(second, first)
    assert found.interval.low <= found.difference <= found.interval.high
    assert found.difference == -turned.difference
    assert found.interval.low == pytest.approx(-turned.interval.high)
    assert found.p_value == turned.p_value


def test_newcombes_own_example() -> None:
    """Table II of the paper, case (36, 12, 2, 0): method 10 gives 0.0569 to 0.3404."""
    first = np.repeat([True, True, False, False], [36, 12, 2, 0])
    second = np.repeat([True, False, True, False], [36, 12, 2, 0])
    found = paired_difference(first, second)
    assert found.difference == pytest.approx(0.2)
    assert found.interval.low == pytest.approx(0.0569, abs=1e-4)
    assert found.interval.high == pytest.approx(0.3404, abs=1e-4)


def test_wilsons_interval_agrees_with_the_textbook() -> None:
    """81 of 263: 0.2553 to 0.3662 (Newcombe 1998, table I)."""
    low, high = accuracy_interval(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


SIMULATIONS = 2_000
# Three standard errors of a simulated share near 0.95: 3 * sqrt(0.95 * 0.05 / 2000).
ERROR = 0.015


def simulated(random: np.random.Generator, texts: int, p: tuple[float, float, float]) -> tuple:
    """Answers of two classifiers: right together, only the first, only the second, neither."""
    kind = random.choice(4, texts, p=[*p, 1 - sum(p)])
    return np.isin(kind, (0, 1)), np.isin(kind, (0, 2))


@pytest.mark.parametrize("p", [(0.8, 0.06, 0.06), (0.8, 0.08, 0.05), (0.6, 0.2, 0.1)])
def test_interval_covers_the_planted_difference_in_95_percent_of_simulations(
    p: tuple[float, float, float],
) -> None:
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(SIMULATIONS):
        low, high = paired_difference(*simulated(random, 400, p)).interval
        covered += low <= p[1] - p[2] <= high
    assert 0.95 - ERROR <= covered / SIMULATIONS <= 0.95 + 2 * ERROR


def test_false_alarms_stay_at_or_below_five_percent() -> None:
    random = np.random.default_rng(2)
    alarms = sum(
        mcnemar_exact(*simulated(random, 400, (0.8, 0.06, 0.06))) <= 0.05
        for _ in range(SIMULATIONS)
    )
    assert alarms / SIMULATIONS <= 0.05 + ERROR


def test_accuracy_interval_covers_the_true_accuracy_in_95_percent_of_simulations() -> None:
    random = np.random.default_rng(3)
    right = random.binomial(500, 0.87, SIMULATIONS)
    intervals = [accuracy_interval(int(one), 500) for one in right]
    covered = np.mean([low <= 0.87 <= high for low, high in intervals])
    assert 0.95 - ERROR <= covered <= 0.95 + ERROR


def test_interval_over_seeds_covers_the_mean_in_95_percent_of_simulations() -> None:
    random = np.random.default_rng(4)
    covered = 0
    for seeds in random.normal(0.87, 0.005, (SIMULATIONS, 5)):
        _, _, (low, high) = mean_interval(list(seeds))
        covered += low <= 0.87 <= high
    assert 0.95 - ERROR <= covered / SIMULATIONS <= 0.95 + ERROR


def test_input_that_cannot_be_compared_is_refused() -> None:
    three, two = np.ones(3, bool), np.ones(2, bool)
    with pytest.raises(ValueError, match="shapes"):
        mcnemar_exact(three, two)
    with pytest.raises(ValueError, match="no texts"):
        paired_difference(np.ones(0, bool), np.ones(0, bool))
    with pytest.raises(ValueError, match="two"):
        mean_interval([0.5])
