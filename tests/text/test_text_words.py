"""Held against Keras itself: its legacy Tokenizer, and pad_sequences."""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras.src.legacy.preprocessing.text import Tokenizer, text_to_word_sequence
from numpy.typing import NDArray

from sentilab import data
from sentilab.data import Dataset
from sentilab.errors import DataError, DataNotFound
from sentilab.text import Encoding, Tokens, Vocabulary, cached_tokens, tokenize, words

# Few letters, so that words repeat and tie; filter characters; and letters whose lower case is
# longer (İ), depends on its place (Σ), or needs more than one byte.
character = st.one_of(
    st.sampled_from("abAB  .,!'\n\t\r\u00a0İΣßé中"), st.characters(exclude_categories=["Cs"])
)
corpora = st.lists(st.text(character, max_size=40), min_size=1, max_size=8)
encodings = st.builds(Encoding, words=st.integers(1, 12), length=st.integers(1, 9))


def rows_of(texts: Sequence[str]) -> NDArray[np.int64]:
    return np.arange(len(texts))


def learn(texts: Sequence[str], encoding: Encoding) -> Vocabulary:
    return Vocabulary.learn(tokenize(texts), rows_of(texts), encoding)


def keras_encoding(
    train: Sequence[str], texts: Sequence[str], encoding: Encoding
) -> NDArray[np.int32]:
    """As keras.datasets.imdb.load_data(num_words) on Tokenizer's ranks, then pad_sequences."""
    tokenizer = Tokenizer()
    tokenizer.fit_on_texts(train)
    ranks = tokenizer.word_index
    sequences = []
    for text in texts:
        plain = [ranks.get(one, 10**9) + 3 for one in text_to_word_sequence(text)]
        sequences.append([1, *(one if one < encoding.words else 2 for one in plain)])
    return keras.utils.pad_sequences(sequences, maxlen=encoding.length)


@given(st.text(character))
def test_words_are_those_of_keras(text: str) -> None:
    assert words.words_of(text) == text_to_word_sequence(text)


@given(corpora, corpora, encodings)
def test_integers_are_those_of_keras(train: list[str], test: list[str], encoding: Encoding) -> None:
    encoded = learn(train, encoding).encode([*train, *test])
    assert encoded.dtype == np.int32
    np.testing.assert_array_equal(encoded, keras_encoding(train, [*train, *test], encoding))


@given(corpora, encodings, st.data())
def test_tokens_and_texts_encode_the_same_in_any_order_of_rows(
    texts: list[str], encoding: Encoding, draw: st.DataObject
) -> None:
    chosen = draw.draw(st.lists(st.integers(0, len(texts) - 1)))
    tokens = tokenize(texts)
    vocabulary = Vocabulary.learn(tokens, np.asarray(chosen, np.int64), encoding)
    encoded = vocabulary.encode_tokens(tokens, np.asarray(chosen, np.int64))
    assert encoded.shape == (len(chosen), encoding.length)
    np.testing.assert_array_equal(encoded, vocabulary.encode([texts[one] for one in chosen]))


@given(corpora)
def test_tokens_hold_every_word_in_order(texts: list[str]) -> None:
    tokens = tokenize(texts)
    spelled = [
        [tokens.words[number] for number in tokens.ids[start:end]]
        for start, end in zip(tokens.offsets, tokens.offsets[1:], strict=False)
    ]
    assert spelled == [text_to_word_sequence(text) for text in texts]
    assert tokens.words == list(dict.fromkeys(one for text in spelled for one in text))
    assert (tokens.ids.dtype, tokens.offsets.dtype) == (np.int32, np.int64)


@given(corpora, encodings)
def test_a_vocabulary_survives_json(texts: list[str], encoding: Encoding) -> None:
    vocabulary = learn(texts, encoding)
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary


@given(st.lists(st.text("abc", min_size=1), max_size=6))
def test_decoding_gives_back_a_short_text_of_known_words(spoken: list[str]) -> None:
    text = " ".join(spoken)
    vocabulary = learn([text], Encoding(words=20, length=8))
    assert vocabulary.decode(vocabulary.encode([text])[0]) == " ".join(["<start>", *spoken])


def test_ranks_go_by_frequency_and_ties_to_the_word_that_training_met_first() -> None:
    tokens = tokenize(["unseen last", "b a", "a c b c c"])
    vocabulary = Vocabulary.learn(tokens, np.asarray([1, 2]), Encoding())
    assert vocabulary.words == ("c", "b", "a")


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("", [0, 0, 0, 1]),
        ("a", [0, 0, 1, 4]),
        ("a b c", [1, 4, 5, 6]),
        ("a b c a", [4, 5, 6, 4]),
        ("a b c a b", [5, 6, 4, 5]),
        ("a x", [0, 1, 4, 2]),
    ],
)
def test_the_start_token_counts_and_the_last_tokens_stay(text: str, encoded: list[int]) -> None:
    vocabulary = learn(["a b c"], Encoding(words=10, length=4))
    assert vocabulary.encode([text]).tolist() == [encoded]


def test_integers_stay_below_the_number_of_words() -> None:
    vocabulary = learn(["a b c"], Encoding(words=6, length=4))
    assert vocabulary.words == ("a", "b")
    assert vocabulary.encode(["a b c"]).tolist() == [[1, 4, 5, 2]]


def test_no_texts_encode_to_no_rows() -> None:
    assert learn(["a"], Encoding(length=4)).encode([]).shape == (0, 4)


def test_decoding_leaves_padding_out_and_marks_what_is_no_word() -> None:
    vocabulary = learn(["good film"], Encoding())
    assert vocabulary.decode([0, 0, 1, 4, 2, 3, 5, 6, -1]) == "<start> good <?> <?> film <?> <?>"


VALID = {"encoding": {"words": 10, "length": 4}, "words": ["a", "b"]}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not valid JSON"),
        ("[]", "nothing else"),
        (json.dumps({"words": []}), "nothing else"),
        (json.dumps(VALID | {"more": 1}), "nothing else"),
        (json.dumps(VALID | {"encoding": {"words": 10}}), '"length"'),
        (json.dumps(VALID | {"encoding": [10, 4]}), '"length"'),
        (json.dumps(VALID | {"encoding": {"words": True, "length": 4}}), "whole numbers"),
        (json.dumps(VALID | {"encoding": {"words": 10, "length": 0}}), "whole numbers"),
        (json.dumps(VALID | {"encoding": {"words": 10.0, "length": 4}}), "whole numbers"),
        (json.dumps(VALID | {"words": "ab"}), "list of texts"),
        (json.dumps(VALID | {"words": ["a", 1]}), "list of texts"),
        (json.dumps(VALID | {"words": list("abcdefg")}), "7 words are more"),
        (json.dumps(VALID | {"words": ["a", "a"]}), "twice"),
        (json.dumps(VALID | {"words": ["a", ""]}), "could meet"),
        (json.dumps(VALID | {"words": ["A"]}), "could meet"),
        (json.dumps(VALID | {"words": ["a b"]}), "could meet"),
    ],
)
def test_what_is_no_vocabulary_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        Vocabulary.from_json(text)


def same(first: Tokens, second: Tokens) -> bool:
    return (
        np.array_equal(first.ids, second.ids)
        and np.array_equal(first.offsets, second.offsets)
        and first.words == second.words
    )


def only_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def test_tokens_are_computed_once_and_then_read(
    corpus: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    computed = cached_tokens(corpus, tmp_path)
    monkeypatch.delattr(words, "tokenize")
    assert same(cached_tokens(corpus, tmp_path), computed)
    assert same(computed, tokenize(corpus.texts))
    assert not caplog.records


def test_other_data_have_a_cache_of_their_own(corpus: Dataset, tmp_path: Path) -> None:
    cached_tokens(corpus, tmp_path)
    other = replace(corpus, texts=["other texts"], fingerprint="0" * 64)
    assert cached_tokens(other, tmp_path).words == ["other", "texts"]
    assert len(list(tmp_path.iterdir())) == 2


def test_without_a_folder_nothing_is_kept(
    corpus: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert same(cached_tokens(corpus, None), tokenize(corpus.texts))
    assert not list(tmp_path.iterdir())


def test_a_truncated_cache_is_rebuilt_with_a_notice(
    corpus: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = cached_tokens(corpus, tmp_path)
    whole = only_file(tmp_path).read_bytes()
    for kept in (0, 7, 100, len(whole) // 2, len(whole) - 1):
        caplog.clear()
        only_file(tmp_path).write_bytes(whole[:kept])
        assert same(cached_tokens(corpus, tmp_path), tokens)
        assert "damaged" in caplog.text
        assert only_file(tmp_path).read_bytes() == whole


def test_no_changed_byte_of_a_cache_is_ever_trusted(
    corpus: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    small = replace(corpus, texts=["a b a", "c d", ""])
    tokens = cached_tokens(small, tmp_path)
    whole = only_file(tmp_path).read_bytes()
    for place in range(len(whole)):
        for change in (0x01, 0x0F):
            damaged = bytearray(whole)
            damaged[place] ^= change
            only_file(tmp_path).write_bytes(bytes(damaged))
            assert same(cached_tokens(small, tmp_path), tokens), place


def test_a_cache_that_cannot_be_written_is_done_without(
    corpus: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("no folder")
    assert same(cached_tokens(corpus, occupied), tokenize(corpus.texts))
    assert "cannot be kept" in caplog.text


@pytest.fixture(scope="module")
def imdb() -> Dataset:
    try:
        return data.load("imdb", download=False)
    except DataNotFound as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def imdb_tokens(imdb: Dataset) -> Tokens:
    return tokenize(imdb.texts)


def training_rows(imdb: Dataset) -> NDArray[np.int64]:
    assert imdb.splits is not None
    return np.flatnonzero(imdb.splits == "train")


@pytest.mark.real_data
def test_the_imdb_reviews_have_the_words_that_keras_knows(
    imdb: Dataset, imdb_tokens: Tokens
) -> None:
    # keras.datasets.imdb has 88,584 and 238.714: a few characters were decoded differently there.
    ids, lengths = imdb_tokens.of(training_rows(imdb))
    assert len(np.unique(ids)) == 88_581
    assert (lengths + 1).mean() == pytest.approx(238.701, abs=0.0005)
    vocabulary = Vocabulary.learn(imdb_tokens, training_rows(imdb), Encoding())
    assert len(vocabulary.words) == 20_000 - 4
    frequent = "the and a of to is br in it i this that was as for with movie but film on"
    assert " ".join(vocabulary.words[:20]) == frequent


@pytest.mark.real_data
def test_the_imdb_reviews_encode_as_keras_encodes_them(imdb: Dataset, imdb_tokens: Tokens) -> None:
    train = training_rows(imdb)
    vocabulary = Vocabulary.learn(imdb_tokens, train, Encoding())
    some = np.random.default_rng(0).choice(len(imdb), 300, replace=False)
    encoded = vocabulary.encode_tokens(imdb_tokens, some)
    train_texts = [imdb.texts[int(one)] for one in train]
    texts = [imdb.texts[int(one)] for one in some]
    np.testing.assert_array_equal(encoded, keras_encoding(train_texts, texts, Encoding()))
    np.testing.assert_array_equal(encoded, vocabulary.encode(texts))


# Keras ships this review as 1, 14, 22, 16, 43, 530, 973. Its last two words here are "brilliant",
# as frequent as "viewer", and "casting", as frequent as "leading" and "apart": their integers hang
# on which of the tied words the training rows bring first, and so on the order of the rows.
@pytest.mark.real_data
def test_the_best_known_review_opens_as_in_keras_but_for_ties(
    imdb: Dataset, imdb_tokens: Tokens
) -> None:
    train = training_rows(imdb)
    vocabulary = Vocabulary.learn(imdb_tokens, train, Encoding(length=3_000))
    row = list(imdb.ids).index("train/pos/576")
    encoded = vocabulary.encode_tokens(imdb_tokens, np.asarray([row]))[0]
    assert encoded[encoded != 0][:7].tolist() == [1, 14, 22, 16, 43, 529, 973]
    ids, _ = imdb_tokens.of(train)
    counts = dict(zip(imdb_tokens.words, np.bincount(ids).tolist(), strict=False))
    assert counts["brilliant"] == counts["viewer"]
    assert counts["casting"] == counts["leading"] == counts["apart"]
