from dataclasses import replace

import numpy as np
import pytest
from planted import Planted

from sentilab.compare import (
    Difference,
    Interval,
    difference_of,
    seeds_to_detect,
    seeds_to_settle,
    verdict,
)
from sentilab.compare.power import power

# Five seeds, each 0.5 points apart from the next; half of the variance is the texts'.
FOUND = Difference(
    metric="accuracy",
    first=0.86,
    second=0.865,
    difference=0.005,
    interval=Interval(-0.001, 0.011),
    p_value=0.09,
    seeds=5,
    texts=25_000,
    degrees_of_freedom=9.0,
    seed_deviation=0.005,
    seed_share=0.5,
    wins=0.84,
    wins_interval=Interval(0.4, 0.99),
    mcnemar=(),
    covers="test texts and seeds",
    standard_error=np.sqrt(2 * 0.005**2 / 5),
    level=0.95,
)


def at(low: float, high: float, p: float = 0.001, **changes: object) -> Difference:
    middle = (low + high) / 2
    return replace(FOUND, difference=middle, interval=Interval(low, high), p_value=p, **changes)


def test_an_interval_without_zero_is_a_difference() -> None:
    found = verdict(at(0.004, 0.02), names=("A", "B"))
    assert found.kind == "better"
    assert found.sentence == (
        "B is better than A: its accuracy is 1.20 points above "
        "(95% interval +0.40 to +2.00, p = 0.001)."
    )
    assert verdict(at(-0.02, -0.004)).kind == "worse"


def test_less_log_loss_is_better() -> None:
    found = verdict(at(-0.02, -0.01, metric="log_loss"))
    assert found.kind == "better"
    assert "0.0150 nats below (95% interval −0.0200 to −0.0100" in found.sentence


def test_a_corrected_p_value_above_five_percent_takes_a_difference_back() -> None:
    assert verdict(at(0.001, 0.021, 0.03), adjusted_p=0.3).kind == "unclear"
    assert verdict(at(0.001, 0.009, 0.03), adjusted_p=0.3).kind == "same"


def test_an_interval_within_the_margin_is_no_difference_that_matters() -> None:
    found = verdict(at(-0.004, 0.009, 0.4))
    assert found.kind == "same"
    assert found.sentence.startswith("No difference larger than 1 point: ")
    assert verdict(at(-0.004, 0.009, 0.4), margin=0.005).kind == "unclear"


def test_one_seed_never_says_more_than_of_these_runs() -> None:
    first, second = Planted(0.05).runs(np.random.default_rng(1), 1)
    found = verdict(difference_of(first, second))
    assert found.kind == "better"
    assert "better than A on these runs" in found.sentence
    assert found.sentence.endswith("Another seed may turn it.")
    open_ = verdict(difference_of(first, first[:1]), margin=1e-9)
    assert open_.more_seeds is None


def test_an_open_comparison_asks_for_the_seeds_that_would_resolve_it() -> None:
    wide = at(-0.015, 0.025, 0.5, seed_deviation=0.01, standard_error=0.0045, seed_share=0.98)
    found = verdict(wide)
    assert found.kind == "unclear"
    assert found.more_seeds == (seeds_to_detect(wide, 0.01) or 0) - 5 > 0
    assert f"about {found.more_seeds} more seeds would resolve" in found.sentence
    corrected = verdict(wide, adjusted_p=1.0)
    assert (corrected.more_seeds or 0) > found.more_seeds


def test_too_few_texts_are_not_made_good_by_seeds() -> None:
    found = verdict(at(-0.02, 0.02, 1.0, texts=300, standard_error=0.01, seed_share=0.1))
    assert found.more_seeds is None
    assert "300 test texts are too few" in found.sentence


def test_a_difference_that_is_smaller_than_what_was_resolvable_asks_for_a_short_interval() -> None:
    close = at(-0.001, 0.0105, 0.09, seed_deviation=0.004, standard_error=0.0025, seed_share=0.5)
    assert (seeds_to_detect(close, 0.01) or 99) <= 5
    found = verdict(close)
    assert found.kind == "unclear"
    assert "would probably have shown" in found.sentence
    needed = seeds_to_settle(close, 0.01)
    assert found.more_seeds == (None if needed is None else max(needed - 5, 1))


def test_power_is_the_level_without_a_difference_and_near_one_with_a_large_one() -> None:
    assert power(0, 1e-5, 1e-5, 5, 0.05) == pytest.approx(0.05, abs=0.002)
    assert power(0.05, 1e-5, 1e-5, 5, 0.05) > 0.999


def test_the_seeds_asked_for_find_the_difference_in_80_percent_of_simulations() -> None:
    random = np.random.default_rng(2)
    deviation, texts_part = 0.01, 1e-5
    wide = at(-0.02, 0.02, 1.0, seed_deviation=deviation)
    total = deviation**2 / 5 + texts_part
    wide = replace(wide, standard_error=np.sqrt(total), seed_share=deviation**2 / 5 / total)
    seeds = seeds_to_detect(wide, 0.01)
    assert seeds is not None
    from sentilab.compare.critical import p_value

    found = 0
    for _ in range(1000):
        means = 0.01 + random.normal(0, np.sqrt(texts_part)) + random.normal(0, deviation, seeds)
        part = means.var(ddof=1) / seeds
        t = means.mean() / np.sqrt(part + texts_part)
        found += p_value(t, part / (part + texts_part), seeds - 1) <= 0.05
    # Three standard errors, 3 * sqrt(0.8 * 0.2 / 1000), and what the next whole seed adds.
    assert 0.8 - 0.038 <= found / 1000 <= 0.8 + 0.038 + 0.02
