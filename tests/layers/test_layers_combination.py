from pathlib import Path

import keras
import numpy as np
import pytest

from sentilab import layers


def test_log_odds_of_two_labels_are_weighed_and_added() -> None:
    first, second = np.array([[0.9], [0.2]], "float32"), np.array([[0.6], [0.5]], "float32")
    layer = layers.Combination()
    layer([first, second])
    layer.set_weighing(np.array([0.7, 2.0]), np.array([-0.3]))
    odds = [np.log(p / (1 - p)) for p in (first, second)]
    np.testing.assert_allclose(
        layer([first, second]), 0.7 * odds[0] + 2 * odds[1] - 0.3, rtol=1e-5, atol=1e-6
    )


def test_log_probabilities_of_more_labels_are_weighed_and_added() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.dirichlet(np.ones(3), (2, 5)).astype("float32")
    scores = layers.Combination()([first, second])
    np.testing.assert_allclose(scores, np.log(first * second) / 2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("answers", [1, 3])
def test_scores_give_what_their_probabilities_give(answers: int) -> None:
    scores = np.random.default_rng(2).normal(0, 2, (2, 6, answers)).astype("float32")
    link = keras.ops.sigmoid if answers == 1 else keras.ops.softmax
    found = layers.Combination("scores")(list(scores))
    wanted = layers.Combination()([link(one) for one in scores])
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_scores_keep_what_probabilities_near_1_have_lost() -> None:
    scores = [np.array([[12.3456]], "float32"), np.array([[-12.0]], "float32")]
    found = layers.Combination("scores")(scores)
    np.testing.assert_allclose(found, [[0.1728]], rtol=1e-4)
    far = layers.Combination("scores")([np.array([[40.0]], "float32")])
    np.testing.assert_allclose(far, [[np.log((1 - 1e-7) / 1e-7)]], rtol=1e-6)


@pytest.mark.parametrize("answers", [1, 3])
def test_certain_answers_stay_finite(answers: int) -> None:
    certain = np.eye(max(answers, 2), answers, dtype="float32")
    assert np.isfinite(layers.Combination()([certain, 1 - certain])).all()


def test_a_saved_model_keeps_the_weights(tmp_path: Path) -> None:
    first, second = keras.Input((1,)), keras.Input((1,))
    layer = layers.Combination()
    model = keras.Model([first, second], layer([first, second]))
    layer.set_weighing(np.array([0.25, 0.5]), np.array([1.0]))
    model.save(tmp_path / "model.keras")
    x = [np.array([[0.3]], "float32"), np.array([[0.8]], "float32")]
    again = layers.load_model(tmp_path / "model.keras")
    assert not again.trainable_weights
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
