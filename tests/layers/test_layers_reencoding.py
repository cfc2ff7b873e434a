"""A member of an ensemble must see what its own vocabulary would have given."""

from pathlib import Path

import jax
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentilab import layers
from sentilab.errors import SettingsError
from sentilab.text import Encoding, Vocabulary, tokenize

WORDS = [f"w{number}" for number in range(12)]
texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=15).map(" ".join), min_size=1)


@settings(max_examples=50)
@given(texts, st.integers(5, 20), st.integers(1, 12), st.integers(0, 5), st.integers(0, 8))
def test_ids_become_those_of_the_smaller_vocabulary_and_shorter_text(
    texts: list[str], words: int, length: int, more_words: int, more_tokens: int
) -> None:
    tokens = tokenize(texts)
    rows = np.arange(len(texts))
    own = Vocabulary.learn(tokens, rows, Encoding(words, length))
    larger = Vocabulary.learn(tokens, rows, Encoding(words + more_words, length + more_tokens))
    found = jax.jit(layers.Reencoding(words, length))(larger.encode(texts))
    np.testing.assert_array_equal(found, own.encode(texts))


def test_a_table_gives_any_other_vocabularys_ids() -> None:
    layer = layers.Reencoding(4, 3, table_size=6)
    layer.set_table(np.array([0, 1, 2, 2, 2, 4], np.int32))
    np.testing.assert_array_equal(layer(np.array([[0, 1, 5, 4]])), [[1, 4, 2]])


def test_a_saved_model_keeps_the_table(tmp_path: Path) -> None:
    ids = keras.Input((None,), dtype="int32")
    layer = layers.Reencoding(4, 3, table_size=6)
    model = keras.Model(ids, layer(ids))
    layer.set_table(np.array([0, 1, 2, 2, 2, 4], np.int32))
    model.save(tmp_path / "model.keras")
    x = np.array([[0, 1, 5, 4]], np.int32)
    again = layers.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), [[1, 4, 2]])


def test_lengths_are_known_where_the_texts_have_one() -> None:
    layer = layers.Reencoding(9, 4)
    for given_length, length in ((None, None), (3, 3), (10, 4)):
        ids = layer(keras.Input((given_length,), dtype="int32"))
        assert (ids.shape, ids.dtype) == ((None, length), "int32")


@pytest.mark.parametrize("settings", [(2, 5, 0), (9, 0, 0), (9, 5, -1)])
def test_an_encoding_that_cannot_be_is_refused(settings: tuple[int, int, int]) -> None:
    with pytest.raises(SettingsError, match="there must be more than 2 words"):
        layers.Reencoding(*settings)
