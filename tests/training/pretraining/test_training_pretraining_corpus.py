import numpy as np
import pytest

from sentilab.errors import SettingsError
from sentilab.text import Encoding, tokenize
from sentilab.training.pretraining.reading import read

LABELLED = ["good film", "bad film", "dull plot", "great plot twist", "good good cast"]
PILE = ["a strange film", "Bad film!", "a fine cast", "the plot", "good cast", "a plot"]
ENCODING = Encoding(words=20, length=8)


def reading(labelled: bool = True, train: tuple[int, ...] = (0, 2)):  # type: ignore[no-untyped-def]
    return read(tokenize(LABELLED), np.array(train), tokenize(PILE), ENCODING, labelled=labelled)


def decoded(vocabulary, ids):  # type: ignore[no-untyped-def]
    return vocabulary.decode(ids).split("<start>")


def test_every_text_that_is_read_begins_with_the_start_token() -> None:
    vocabulary, corpus = reading()
    texts = [one.strip() for one in decoded(vocabulary, corpus.ids)[1:]]
    assert texts == ["good film", "dull plot", "a fine cast", "the plot", "good cast", "a plot"]
    assert [
        vocabulary.decode(corpus.ids[begin:end]).removeprefix("<start> ")
        for begin, end in zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True)
    ] == texts
    assert decoded(vocabulary, corpus.held_out)[1:] == [" a strange film"]


def test_an_unlabelled_text_that_repeats_a_held_out_one_is_not_read() -> None:
    vocabulary, corpus = reading()
    assert "bad" not in vocabulary.words
    assert "bad" not in vocabulary.decode(np.concatenate([corpus.ids, corpus.held_out]))


def test_other_held_out_texts_leave_vocabulary_and_corpus_as_they_are() -> None:
    vocabulary, corpus = reading()
    changed = ["good film", "bad film", "dull plot", "xyzzy plugh", "plugh plugh the"]
    again, other = read(
        tokenize(changed), np.array([0, 2]), tokenize(PILE), ENCODING, labelled=True
    )
    assert again.words == vocabulary.words
    assert other.fingerprint == corpus.fingerprint


def test_without_the_labelled_texts_another_training_part_reads_the_same() -> None:
    first, one = reading(labelled=False)
    second, other = reading(labelled=False, train=(1, 3, 4))
    assert first.words == second.words
    assert one.fingerprint == other.fingerprint
    assert "dull" not in first.words


def test_an_epoch_is_the_texts_in_another_order_cut_in_full_rows() -> None:
    _, corpus = reading()
    first, again, second = (corpus.rows(4, (1, epoch)) for epoch in (1, 1, 2))
    assert first.shape == (len(corpus.ids) // 4, 4)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)
    every = corpus.rows(1, (1, 2)).ravel()
    assert sorted(every) == sorted(corpus.ids)


def test_counts_cover_what_can_occur_and_nothing_else() -> None:
    vocabulary, corpus = reading()
    assert corpus.counts.shape == (20,)
    assert corpus.counts[Encoding.PAD] == 0
    assert (corpus.counts[1 : 4 + len(vocabulary.words)] > 0).sum() == 3 + len(vocabulary.words)
    assert (corpus.counts[4 + len(vocabulary.words) :] == 0).all()
    assert corpus.counts[Encoding.START] == 1 + len(corpus.offsets) - 1


def test_one_text_is_too_few() -> None:
    with pytest.raises(SettingsError, match="no text to pretrain on"):
        read(tokenize(LABELLED), np.array([1]), None, ENCODING, labelled=True)
