import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from scipy.stats import t as student

from sentilab.compare.critical import (
    chance_of_exceeding,
    critical_value,
    equivalent_freedom,
    p_value,
)

SHARES = np.linspace(0, 1, 41)
shares = st.floats(0, 1)
freedoms = st.sampled_from([1, 2, 4, 9])


# What the module's documentation says; beyond two seeds, coverage within 94.9 to 95.1%.
@pytest.mark.parametrize(
    ("freedom", "lowest", "highest"),
    [(1, 0.041, 0.064), (2, 0.049, 0.051), (4, 0.0498, 0.0502), (29, 0.0498, 0.0502)],
)
def test_the_error_rate_is_the_level_at_every_true_share(
    freedom: int, lowest: float, highest: float
) -> None:
    rates = chance_of_exceeding(freedom, 0.05, SHARES)
    assert lowest <= rates.min()
    assert rates.max() <= highest


def test_the_error_rate_holds_at_the_levels_of_many_comparisons_too() -> None:
    for alpha in (0.01, 0.0028):
        assert chance_of_exceeding(2, alpha, SHARES).max() <= 1.2 * alpha
        assert chance_of_exceeding(4, alpha, SHARES).max() <= 1.05 * alpha


def test_chance_of_exceeding_agree_with_simulation() -> None:
    random = np.random.default_rng(1)
    simulations, share, freedom = 20_000, 0.6, 2
    seeds_part = share * random.chisquare(freedom, simulations) / freedom
    total = seeds_part + 1 - share
    critical = [critical_value(float(one), freedom, 0.05) for one in seeds_part / total]
    exceeding = np.abs(random.standard_normal(simulations)) > critical * np.sqrt(total)
    # Three standard errors: 3 * sqrt(0.05 * 0.95 / 20000).
    assert exceeding.mean() == pytest.approx(
        float(chance_of_exceeding(freedom, 0.05, np.array([share]))[0]), abs=0.0046
    )


@given(freedoms, st.floats(0.0001, 0.5))
def test_it_is_the_normals_without_seeds_part_and_students_without_the_texts(
    freedom: int, alpha: float
) -> None:
    assert critical_value(0, freedom, alpha) == pytest.approx(norm.isf(alpha / 2), rel=1e-6)
    assert critical_value(1, freedom, alpha) == pytest.approx(student.isf(alpha / 2, freedom))


@given(freedoms, shares, shares, st.floats(0.0001, 0.5))
def test_it_never_falls_as_the_seeds_share_rises(
    freedom: int, one: float, other: float, alpha: float
) -> None:
    low, high = sorted((one, other))
    assert critical_value(low, freedom, alpha) <= critical_value(high, freedom, alpha) + 1e-9


@given(freedoms, shares, st.floats(0.001, 0.5))
def test_the_p_value_of_a_critical_value_is_its_level(
    freedom: int, share: float, alpha: float
) -> None:
    found = p_value(critical_value(share, freedom, alpha), share, freedom)
    assert found == pytest.approx(alpha, rel=1e-4)


def test_p_values_of_no_difference_and_of_a_huge_one() -> None:
    assert p_value(0, 0.4, 2) == 1
    assert p_value(1e6, 0, 2) <= 1e-100
    assert p_value(-3, 1, 4) == pytest.approx(2 * student.sf(3, 4))


def test_equivalent_degrees_of_freedom_give_the_critical_value_back() -> None:
    assert equivalent_freedom(float(student.isf(0.025, 7.5)), 0.05) == pytest.approx(7.5)
    assert math.isinf(equivalent_freedom(float(norm.isf(0.025)), 0.05))


@pytest.mark.parametrize("seeds", range(2, 31))
def test_a_difference_beyond_all_doubt_has_the_smallest_p_value(seeds: int) -> None:
    # As between models that come out alike with every seed: the texts alone decide.
    for share in (0.0, 1e-12, 1e-3):
        for t in (60.0, 1e3, 1e6):
            assert 0 < p_value(t, share, seeds - 1) <= 1
    assert p_value(60.0, 0.0, seeds - 1) <= 1e-99
