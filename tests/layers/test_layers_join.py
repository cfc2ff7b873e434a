import numpy as np
import pytest

from sentilab import layers
from sentilab.errors import SettingsError


@pytest.mark.parametrize("kind", ["add", "concat"])
def test_words_and_ngrams_are_joined_position_by_position(kind: str) -> None:
    rng = np.random.default_rng(0)
    words = rng.normal(0, 1, (2, 3, 4)).astype(np.float32)
    ngrams = rng.normal(0, 1, (2, 3, 2, 4)).astype(np.float32)
    layer = layers.JoinNgrams(kind)  # type: ignore[arg-type]
    found = np.asarray(layer([words, ngrams]))
    for text, position in np.ndindex(2, 3):
        vectors = [words[text, position], *ngrams[text, position]]
        wanted = sum(vectors) if kind == "add" else np.concatenate(vectors)
        np.testing.assert_allclose(found[text, position], wanted, rtol=1e-5, atol=1e-6)
    assert layer.compute_output_shape([words.shape, ngrams.shape]) == found.shape


def test_the_mask_is_that_of_the_words() -> None:
    mask = np.array([[False, True]])
    layer = layers.JoinNgrams()
    assert layer.compute_mask([None, None], [mask, None]) is mask
    assert layer.compute_mask([None, None], None) is None


def test_another_way_of_joining_is_an_error() -> None:
    with pytest.raises(SettingsError, match='"concat"'):
        layers.JoinNgrams("multiply")  # type: ignore[arg-type]
