from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentilab.probe import Classifier
from sentilab.probe.attributions import Explainer, is_word
from sentilab.probe.faithfulness import SHARES, areas, estimate, faithfulness
from sentilab.text import Encoding, Vocabulary

LENGTH, WORDS = 20, 60
# Tokens that alone decide: towards the second label and towards the first.
FOR, AGAINST = 7, 8


@pytest.fixture(scope="module")
def planted() -> Explainer:
    """A model that adds 3 for each FOR and takes 3 for each AGAINST, and reads nothing else."""
    words = keras.Input((LENGTH,), dtype="int32")
    x = keras.layers.Flatten()(keras.layers.Embedding(WORDS, 1, name="table")(words))
    model: Any = keras.Model(words, keras.layers.Dense(1, activation="sigmoid", name="sum")(x))
    table = np.zeros((WORDS, 1))
    table[FOR], table[AGAINST] = 3, -3
    model.get_layer("table").set_weights([table])
    model.get_layer("sum").set_weights([np.ones((LENGTH, 1)), np.zeros(1)])
    vocabulary = Vocabulary(tuple(f"w{n}" for n in range(WORDS - 4)), Encoding(WORDS, LENGTH))
    return Explainer(Classifier(model, vocabulary, ("negative", "positive")))


def texts() -> Any:
    """Twelve texts whose answers rest on two words each, half of them padded."""
    random = np.random.default_rng(0)
    x = random.integers(10, WORDS, (12, LENGTH)).astype(np.int32)
    for row in range(12):
        x[row, random.choice(np.arange(8, LENGTH), 2, replace=False)] = FOR if row % 2 else AGAINST
        if row > 5:
            x[row, :6], x[row, 6] = 0, 1
    return x


def test_deleting_the_decisive_words_first_beats_a_random_order(planted: Explainer) -> None:
    x = texts()
    answered = np.arange(12) % 2
    labels = np.ones(12, np.int64)
    gradients = planted.integrated_gradients(x, labels, steps=3).values
    by_order = {
        one.order: one for one in faithfulness(planted, x, answered, labels, {"ig": gradients})
    }
    for order in ("ig", "occlusion"):
        found = by_order[order]  # type: ignore[index]
        # The two words are gone, or back, after a tenth of the text: then p is that of none, 1/2,
        # and of all, 1 / (1 + exp(-6)).
        assert found.deletion[0] == pytest.approx(1 / (1 + np.exp(-6)), abs=1e-4)
        assert found.deletion[4] == pytest.approx(0.5, abs=1e-4)
        assert found.insertion[4] == pytest.approx(found.deletion[0], abs=1e-4)
        assert found.deletion_gain.low > 0.05
        assert found.insertion_gain.low > 0.05
    chance = by_order["random"]
    assert chance.deletion_gain.mean == chance.insertion_gain.mean == 0
    assert chance.deletion_area.mean > by_order["ig"].deletion_area.mean + 0.05


def test_the_curves_end_where_they_must_and_padding_is_left_alone(planted: Explainer) -> None:
    x = texts()
    answered = np.arange(12) % 2
    found = areas(planted, x, answered, np.random.default_rng(0).random(x.shape))
    whole = planted.log_odds(x, answered)
    deleted = np.where(is_word(x), Encoding.OUT_OF_VOCABULARY, x)
    nothing = planted.log_odds(deleted, answered)
    for curve, first, last in (
        (found.deletion, whole, nothing),
        (found.insertion, nothing, whole),
    ):
        assert curve.shape == (12, len(SHARES))
        np.testing.assert_allclose(curve[:, 0], 1 / (1 + np.exp(-first)), atol=1e-6)
        np.testing.assert_allclose(curve[:, -1], 1 / (1 + np.exp(-last)), atol=1e-6)
    # Every curve lies between 0 and 1, and so does the area beneath it.
    assert ((found.below_deletion > 0) & (found.below_deletion < 1)).all()


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30))
def test_an_estimate_lies_within_its_interval(values: list[float]) -> None:
    found = estimate(values)
    assert found.low - 1e-9 <= found.mean <= found.high + 1e-9


def test_an_interval_is_students() -> None:
    found = estimate([1.0, 2.0, 3.0])
    # t(0.975, 2) = 4.3027, standard error 1 / sqrt(3)
    assert found.high - found.mean == pytest.approx(4.3027 / np.sqrt(3), abs=1e-4)
    with pytest.raises(ValueError, match="two"):
        estimate([1.0])
