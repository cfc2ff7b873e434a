import numpy as np
import pytest

from sentilab.training.pretraining.sampling import WordSampler

COUNTS = np.array([0, 40, 1000, 9, 300, 1, 0, 77, 5, 5])


def test_the_probabilities_sum_to_the_sample_and_no_word_that_never_occurs_comes() -> None:
    sampler = WordSampler(COUNTS, 4)
    assert sampler.inclusion.sum() == pytest.approx(4)
    assert sampler.inclusion.max() <= 1
    assert sampler.inclusion[2] == 1  # most occurrences: always there
    assert (sampler.inclusion[COUNTS == 0] == 0).all()
    assert (sampler.inclusion[COUNTS > 0] > 0).all()


def test_below_the_cut_probabilities_go_with_the_power_of_the_count() -> None:
    inclusion = WordSampler(COUNTS, 4).inclusion
    assert inclusion[3] / inclusion[5] == pytest.approx(9**0.75)


def test_a_draw_holds_different_words_and_the_logarithms_of_their_weights() -> None:
    sampler = WordSampler(COUNTS, 5)
    for seed in range(200):
        words, log_weights = sampler.draw((seed,))
        assert len(set(words.tolist())) == 5
        assert np.allclose(np.exp(-log_weights), sampler.inclusion[words], rtol=1e-6)


def test_the_weighted_sum_over_a_sample_has_the_sum_over_all_words_as_its_mean() -> None:
    sampler = WordSampler(COUNTS, 4)
    terms = np.exp(np.random.default_rng(1).normal(size=len(COUNTS))) * (COUNTS > 0)
    estimates = []
    for seed in range(20_000):
        words, log_weights = sampler.draw((7, seed))
        estimates.append((terms[words] * np.exp(log_weights)).sum())
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert error > 0
    assert np.mean(estimates) == pytest.approx(terms.sum(), abs=4 * error)


def test_a_sample_as_large_as_the_vocabulary_is_the_vocabulary() -> None:
    words, log_weights = WordSampler(COUNTS, 100).draw((3,))
    assert sorted(words.tolist()) == np.flatnonzero(COUNTS).tolist()
    assert np.abs(log_weights).max() < 1e-6


def test_the_same_seed_draws_the_same_words() -> None:
    sampler = WordSampler(COUNTS, 4)
    assert np.array_equal(sampler.draw((1, 2))[0], sampler.draw((1, 2))[0])
    assert any(
        not np.array_equal(sampler.draw((1, 2))[0], sampler.draw((1, one))[0]) for one in range(9)
    )
