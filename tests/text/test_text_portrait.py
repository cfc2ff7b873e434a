import json
from dataclasses import replace

import numpy as np
import pytest

from sentilab.data import Dataset
from sentilab.text import Encoding, Portrait, Vocabulary, portrait, tokenize
from sentilab.text.portrait import EXAMPLE_CHARACTERS


def test_a_portrait_counts_what_it_says() -> None:
    texts = ["a b c d e f", "a b", "a", "zzz yyy"]
    labels = np.array([0, 1, 1, 0])
    data = Dataset("d", "memory", "f", ["0", "1", "2", "3"], texts, labels, ("no", "yes"))
    tokens = tokenize(texts)
    train, test = np.array([0, 1, 2]), np.array([3])
    vocabulary = Vocabulary.learn(tokens, train, Encoding(words=6, length=4))
    look = portrait(data, tokens, vocabulary, train, test)
    assert look.texts == {"train": 3, "test": 1}
    assert look.labels == {"no": {"train": 1, "test": 1}, "yes": {"train": 2, "test": 0}}
    assert look.distinct_words == 6
    # With the start token the texts are 7, 3 and 2 long; 4 are kept of each.
    assert look.mean_length == 4
    assert look.truncated_share == pytest.approx(1 / 3)
    assert look.padding_share == pytest.approx((0 + 1 + 2) / 12)
    # Of 9 words, the vocabulary of "a" and "b" knows 3 + 2.
    assert look.frequent_words == [["a", 4], ["b", 5]]
    assert look.unknown_share == pytest.approx(4 / 9)
    assert sum(look.length_histogram["counts"]) == 3
    assert look.example["text"] in texts[:3]
    assert json.loads(json.dumps(look.to_json())) == look.to_json()


def look(data: Dataset, train: list[int], test: list[int], encoding: Encoding) -> Portrait:
    tokens = tokenize(data.texts)
    rows = np.asarray(train, np.int64)
    vocabulary = Vocabulary.learn(tokens, rows, encoding)
    return portrait(data, tokens, vocabulary, rows, np.asarray(test, np.int64))


def small(texts: list[str]) -> Dataset:
    ids = [f"t{number}" for number in range(len(texts))]
    labels = np.arange(len(texts)) % 2
    return Dataset("small", "here", "0" * 64, ids, texts, labels, ("no", "yes"))


def test_the_example_is_a_short_text_with_its_integers() -> None:
    seen = look(small(["a a b", "a", "b c d e f g"]), [0, 1, 2], [], Encoding(words=6, length=4))
    assert seen.example == {
        "id": "t1",
        "label": "yes",
        "text": "a",
        "encoded": [0, 0, 1, 4],
        "decoded": "<start> a",
    }


def test_a_long_example_is_shown_by_its_start() -> None:
    seen = look(small(["long " * 1000, "longer " * 2000]), [0, 1], [], Encoding(length=20))
    shown = seen.example["text"]
    assert shown.startswith("long long")
    assert shown.endswith(" …")
    assert len(shown) <= EXAMPLE_CHARACTERS + 2


def test_the_histogram_holds_every_training_text_however_long(corpus: Dataset) -> None:
    data = replace(
        corpus,
        texts=[*corpus.texts, "word " * 5000],
        ids=[*corpus.ids, "long"],
        labels=np.append(corpus.labels, 0),
    )
    seen = look(data, list(range(len(data))), [], Encoding(length=12))
    edges, counts = seen.length_histogram["edges"], seen.length_histogram["counts"]
    assert len(edges) == len(counts) + 1
    assert edges == sorted(edges)
    assert sum(counts) == len(data)
    assert counts[-1] >= 1


def test_texts_without_a_word_have_a_portrait_too() -> None:
    seen = look(small(["!", ""]), [0, 1], [], Encoding(length=4))
    assert (seen.distinct_words, seen.unknown_share, seen.padding_share) == (0, 0, 0.75)


def test_the_keys_are_the_documented_ones() -> None:
    plain = look(small(["a", "b"]), [0, 1], [], Encoding(length=4)).to_json()
    assert " ".join(plain) == (
        "texts labels distinct_words mean_length length_quantiles length_histogram length words "
        "padding_share truncated_share unknown_share frequent_words example"
    )
    assert list(plain["length_quantiles"]) == ["0.05", "0.25", "0.5", "0.75", "0.95", "1.0"]
