import numpy as np
import pytest

from sentilab.compare import honest_best


def test_the_best_of_many_equals_is_reported_as_one_of_them() -> None:
    random = np.random.default_rng(1)
    correct = (random.random((40, 500)) < 0.7).astype(float)
    assert correct.mean(axis=1).max() > 0.73
    mean, interval = honest_best(correct, correct)
    assert mean == pytest.approx(0.7, abs=0.015)
    assert interval.low < mean < interval.high


def test_one_that_is_far_better_loses_nothing() -> None:
    random = np.random.default_rng(2)
    correct = (random.random((10, 1000)) < 0.6).astype(float)
    correct[3] = random.random(1000) < 0.9
    mean, _ = honest_best(correct, correct)
    assert mean == pytest.approx(correct[3].mean(), abs=0.005)


def test_what_chooses_need_not_be_what_is_reported() -> None:
    judged = np.stack([np.ones(50), np.zeros(50)])
    reported = np.stack([np.full(50, 0.25), np.full(50, 0.75)])
    assert honest_best(judged, reported)[0] == pytest.approx(0.25)


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="shapes"):
        honest_best(np.ones((2, 3)), np.ones((2, 4)))
