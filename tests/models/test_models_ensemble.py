import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentilab import models
from sentilab.errors import SettingsError
from sentilab.models.ensemble import Member, _table, combined, united
from sentilab.text import Encoding, Vocabulary, tokenize

WORDS = [f"w{number}" for number in range(12)]
texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), min_size=2)


def learned(texts: list[str], words: int, length: int) -> Vocabulary:
    return Vocabulary.learn(tokenize(texts), np.arange(len(texts)), Encoding(words, length))


@settings(max_examples=60)
@given(texts, st.integers(5, 20), st.integers(5, 20), st.integers(1, 9), st.integers(1, 9))
def test_a_member_sees_what_its_own_vocabulary_gives(
    texts: list[str], words: int, other_words: int, length: int, other_length: int
) -> None:
    from sentilab.layers import Reencoding

    # One of all texts and one of half of them: neither is the other's beginning.
    members = [learned(texts, words, length), learned(texts[::2], other_words, other_length)]
    room = Encoding(max(words, other_words), max(length, other_length))
    vocabulary = united(members, room)
    for one in members:
        table = _table(one, vocabulary)
        layer = Reencoding(
            one.encoding.words, one.encoding.length, 0 if table is None else len(table)
        )
        if table is not None:
            layer.set_table(table)
        found = layer(vocabulary.encode([*texts, "unheard of"]))
        np.testing.assert_array_equal(found, one.encode([*texts, "unheard of"]))


def test_vocabularies_of_the_same_texts_need_no_table() -> None:
    texts = ["a a a b b c", "a d d d d e"]
    members = [learned(texts, 7, 4), learned(texts, 6, 3), learned(texts, 30, 9)]
    vocabulary = united(members, Encoding(30, 9))
    assert vocabulary == members[2]
    assert [_table(one, vocabulary) for one in members] == [None, None, None]


def member(name: str, vocabulary: Vocabulary, model: str = "mlp") -> Member:
    task = models.Task(vocabulary.encoding.words, vocabulary.encoding.length, 2)
    built = models.build(model, task, {"embedding": 3, "units": 3})
    return Member(name, built, vocabulary)


@pytest.mark.parametrize(("kinds", "length"), [(("bilstm1",) * 2, None), (("bilstm1", "mlp"), 6)])
def test_texts_have_any_length_only_if_every_member_takes_that(
    kinds: tuple[str, str], length: int | None
) -> None:
    vocabulary = learned(["a b c", "d e"], 20, 6)
    short = Vocabulary(vocabulary.words, Encoding(20, 4))
    model = combined(
        [member("x", vocabulary, kinds[0]), member("y", short, kinds[1])], vocabulary, 2
    )
    assert model.inputs[0].shape == (None, length)
    assert model.output_shape == (None, 1)


def test_a_word_missing_from_the_ensembles_vocabulary_is_named() -> None:
    small, large = learned(["a b"], 20, 4), learned(["a b c"], 20, 4)
    with pytest.raises(SettingsError, match='such as "c"'):
        combined([member("x", large), member("y", small)], small, 2)


def test_the_anatomy_counts_all_members() -> None:
    vocabulary = learned(["a b c"], 20, 4)
    members = [member("x", vocabulary), member("y", vocabulary, "bilstm1")]
    parts = models.anatomy(combined(members, vocabulary, 2), models.Task(20, 4, 2))
    assert parts.trainable
    assert parts.parameters == sum(one.model.count_params() for one in members) + 3
