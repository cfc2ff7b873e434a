"""The loss against a softmax over all words computed by itself, and its gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sentilab.training.pretraining.language_model import LanguageModel, Sampled, Sizes, Trainer

COUNTS = np.array([0, 9, 4, 2, 30, 12, 7, 3, 3, 1, 0, 0])
SIZES = Sizes(words=12, embedding=6, units=5)
ALL = Sampled(np.flatnonzero(COUNTS).astype(np.int32), np.zeros((COUNTS > 0).sum(), np.float32))
IDS = np.random.default_rng(5).integers(1, 10, (3, 7)).astype(np.int32)


def model(seed: int = 3) -> LanguageModel:
    return LanguageModel(SIZES, COUNTS, precision="float32", seed=seed)


def values(of: LanguageModel) -> list[jax.Array]:
    random = np.random.default_rng(1)
    # Larger than the first weights, so that no term is too small to be missed.
    return [
        jnp.asarray(np.asarray(one.value) + random.normal(0, 0.3, one.shape).astype(np.float32))
        for one in of.variables.values()
    ]


def lstm(x: np.ndarray, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> np.ndarray:
    def sigmoid(a: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-a))

    h = c = np.zeros(len(recurrent))
    states = []
    for step in x:
        i, f, g, o = np.split(step @ kernel + h @ recurrent + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


def by_hand(of: LanguageModel, arrays: list[jax.Array]) -> float:
    """Mean cross-entropy of every word but the first by those before it, and but the last by those after."""
    w = {n: np.asarray(a, np.float64) for n, a in zip(of.variables, arrays, strict=True)}
    losses = []
    for row in IDS:
        for half, ids in (("forward", row), ("backward", row[::-1])):
            names = (f"{half}/{one}" for one in ("kernel", "recurrent_kernel", "bias"))
            states = lstm(w["embedding"][ids], *(w[name] for name in names))
            for state, right in zip(states[:-1], ids[1:], strict=True):
                scores = w["embedding"] @ (state @ w[f"{half}/projection"]) + w["bias"]
                scores[COUNTS == 0] = -np.inf
                losses.append(np.log(np.exp(scores).sum()) - scores[right])
    return float(np.mean(losses))


def test_with_all_words_sampled_the_loss_is_that_of_the_full_softmax() -> None:
    of = model()
    arrays = values(of)
    assert float(of.loss(arrays, IDS, ALL)) == pytest.approx(by_hand(of, arrays), rel=1e-5)
    assert float(of.full_loss(arrays, IDS)) == pytest.approx(by_hand(of, arrays), rel=1e-5)
    assert of.perplexity(arrays, IDS, 2) == pytest.approx(np.exp(by_hand(of, arrays)), rel=1e-5)


def test_its_gradient_is_that_of_finite_differences() -> None:
    of = model()
    arrays = values(of)
    gradients = jax.grad(of.loss)(arrays, IDS, ALL)
    random = np.random.default_rng(2)
    for number, (name, gradient) in enumerate(zip(of.variables, gradients, strict=True)):
        direction = random.normal(size=gradient.shape)
        moved = []
        for sign in (1, -1):
            other = [np.asarray(one, np.float64) for one in arrays]
            other[number] = other[number] + sign * 1e-5 * direction
            moved.append(by_hand(of, other))
        slope = (moved[0] - moved[1]) / 2e-5
        found = float((np.asarray(gradient, np.float64) * direction).sum())
        assert found == pytest.approx(slope, rel=2e-3, abs=2e-5), name


def test_the_right_word_has_one_term_whether_it_was_sampled_or_not() -> None:
    of = model()
    arrays = values(of)
    ids = np.full((1, 4), 4, np.int32)
    others = ALL.words[ALL.words != 4]
    without = Sampled(others, np.zeros(len(others), np.float32))
    heavy = Sampled(ALL.words, np.where(ALL.words == 4, 3.0, 0.0).astype(np.float32))
    assert float(of.loss(arrays, ids, without)) == pytest.approx(float(of.loss(arrays, ids, ALL)))
    assert float(of.loss(arrays, ids, heavy)) == pytest.approx(float(of.loss(arrays, ids, ALL)))


def test_neither_direction_sees_the_word_that_it_predicts() -> None:
    of = model()
    arrays = values(of)
    named = dict(zip(of.variables, arrays, strict=True))
    changed = IDS.copy()
    changed[:, 3] = np.where(IDS[:, 3] == 5, 6, 5)
    none = jnp.zeros(0, jnp.int32)
    before, after = (
        np.asarray(of._read(named, ids, none)[0].predicted).reshape(2, 3, 6, SIZES.embedding)
        for ids in (IDS, changed)
    )
    # Forward, position p holds what is predicted of word p + 1; backward, of word p.
    assert np.array_equal(before[0][:, :3], after[0][:, :3])
    assert not np.array_equal(before[0][:, 3:], after[0][:, 3:])
    assert np.array_equal(before[1][:, 3:], after[1][:, 3:])
    assert not np.array_equal(before[1][:, :3], after[1][:, :3])


def test_steps_on_a_stream_with_a_pattern_learn_it() -> None:
    of = model()
    trainer = Trainer(of, 0.03, 120)
    rows = np.tile(np.array([4, 5, 6, 7], np.int32), (8, 5))
    first = of.perplexity(trainer.values, rows, 8)
    for _ in range(120):
        trainer.step(rows, *ALL)
    assert trainer.take_total() / 120 < np.log(first)
    assert of.perplexity(trainer.values, rows, 8) < 1.3 < 4 < first


def test_the_state_put_into_another_trainer_goes_on_to_the_same_bits() -> None:
    one, other = Trainer(model(), 0.01, 10), Trainer(model(seed=4), 0.01, 10)
    for _ in range(3):
        one.step(IDS, *ALL)
    other.restore(one.arrays())
    for trainer in (one, other):
        trainer.step(IDS, *ALL)
    ours, theirs = one.arrays(), other.arrays()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
