from pathlib import Path

import keras
import numpy as np
import pytest

from sentilab import layers
from sentilab.errors import SettingsError


def test_in_training_words_become_padding_at_the_given_rate() -> None:
    x = np.random.default_rng(0).integers(1, 1_000, (100, 400), dtype=np.int32)
    found = np.asarray(layers.WordDropout(0.3, seed=1)(x, training=True))
    dropped = found == 0
    np.testing.assert_array_equal(found[~dropped], x[~dropped])
    # The share of 40,000 independent draws has a standard deviation of 0.0023.
    assert dropped.mean() == pytest.approx(0.3, abs=0.012)


def test_other_words_are_dropped_at_each_call() -> None:
    x, layer = np.ones((4, 50), np.int32), layers.WordDropout(0.5, seed=1)
    first, second = (np.asarray(layer(x, training=True)) for _ in range(2))
    assert (first != second).any()


@pytest.mark.parametrize(("rate", "training"), [(0.3, False), (0.0, True)])
def test_nothing_is_dropped_outside_of_training_or_at_rate_0(rate: float, training: bool) -> None:
    x = np.arange(20, dtype=np.int32).reshape(2, 10)
    np.testing.assert_array_equal(layers.WordDropout(rate)(x, training=training), x)


def test_a_saved_layer_drops_at_the_same_rate(tmp_path: Path) -> None:
    words = keras.Input((None,), dtype="int32")
    keras.Model(words, layers.WordDropout(0.4, name="drop")(words)).save(tmp_path / "drop.keras")
    assert layers.load_model(tmp_path / "drop.keras").get_layer("drop").rate == 0.4


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_rate_that_cannot_be_is_refused(rate: float) -> None:
    with pytest.raises(SettingsError, match="Word dropout"):
        layers.WordDropout(rate)
