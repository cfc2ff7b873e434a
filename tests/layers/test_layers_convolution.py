from pathlib import Path

import keras
import numpy as np
import pytest

from sentilab import layers
from sentilab.errors import SettingsError


def vectors(length: int = 7) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((3, length, 4)).astype(np.float32)


def test_each_window_ends_at_its_position() -> None:
    x, layer = vectors(), layers.Conv1D(5, 3)
    found = np.asarray(layer(x))
    kernel, bias = (np.asarray(one) for one in layer.get_weights())
    padded = np.pad(x, ((0, 0), (2, 0), (0, 0)))
    for position in range(7):
        window = padded[:, position : position + 3]
        exact = np.einsum("bkd,kdf->bf", window, kernel) + bias
        np.testing.assert_allclose(found[:, position], exact, rtol=1e-4, atol=1e-5)


def test_masked_positions_in_front_change_nothing() -> None:
    x, layer = vectors(), layers.Conv1D(5, 3, activation="relu")
    mask = np.ones((3, 7), bool)
    alone = np.asarray(layer(x, mask=mask))
    # What stands in the padding is not zero: an Embedding's row 0 is a vector like any other.
    more = np.concatenate([vectors(11), x], axis=1)
    found = layer(more, mask=np.pad(mask, ((0, 0), (11, 0))))
    np.testing.assert_allclose(np.asarray(found)[:, 11:], alone, rtol=1e-5, atol=1e-6)


def test_without_a_mask_it_is_keras_own() -> None:
    x, own, stock = vectors(), layers.Conv1D(5, 2), keras.layers.Conv1D(5, 2, padding="causal")
    stock.build(x.shape)
    own.build(x.shape)
    own.set_weights(stock.get_weights())
    np.testing.assert_array_equal(np.asarray(own(x)), np.asarray(stock(x)))


def test_a_saved_layer_answers_as_before_padding_included(tmp_path: Path) -> None:
    words = keras.Input((None,), dtype="int32")
    x = layers.Embedding(20, 4, mask_zero=True)(words)
    x = layers.Pooling("max")(layers.Conv1D(5, 3)(x))
    model = keras.Model(words, x)
    model.save(tmp_path / "windows.keras")
    texts = np.asarray([[0, 0, 0, 5, 6], [7, 8, 9, 10, 11]], np.int32)
    loaded = layers.load_model(tmp_path / "windows.keras")
    np.testing.assert_array_equal(loaded.predict(texts, verbose=0), model.predict(texts, verbose=0))


@pytest.mark.parametrize("settings", [{"padding": "same"}, {"strides": 2}])
def test_settings_that_masks_do_not_fit_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="has padding"):
        layers.Conv1D(5, 3, **settings)
