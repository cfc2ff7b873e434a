from collections import Counter

import numpy as np
import pytest

from sentilab.data.generated import NOTICE, generate
from sentilab.text.words import words_of


def test_the_same_arguments_give_the_same_corpus() -> None:
    assert generate(200, 100).fingerprint == generate(200, 100).fingerprint
    assert generate(200, 100, seed=1).fingerprint != generate(200, 100).fingerprint


def test_splits_are_balanced_share_no_text_and_say_what_they_are() -> None:
    data = generate(2_000, 1_000)
    assert (data.splits == "train").sum() == 2_000
    for split in ("train", "test"):
        assert data.labels[data.splits == split].mean() == 0.5
    assert len(set(data.texts)) == 3_000
    assert data.is_generated
    assert data.notices == (NOTICE,)


def test_in_the_order_half_every_bag_of_words_has_both_labels() -> None:
    """So no model that is blind to order can be right more than half of the time there."""
    data = generate(2_000, 1_000)
    labels_of: dict[tuple[str, ...], list[int]] = {}
    for identity, text, label in zip(data.ids, data.texts, data.labels, strict=True):
        if identity.split("/")[1] != "words":
            labels_of.setdefault(tuple(sorted(words_of(text))), []).append(int(label))
    assert len(labels_of) > 500
    for labels in labels_of.values():
        assert sum(labels) * 2 == len(labels)


def test_in_the_words_half_a_bag_of_words_tells_the_label() -> None:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    data = generate(2_000, 1_000)
    texts = np.asarray(data.texts)
    construction = np.asarray([identity.split("/")[1] for identity in data.ids])
    train, test = data.splits == "train", data.splits == "test"
    counts = CountVectorizer().fit(texts[train])
    bag = LogisticRegression(max_iter=1_000).fit(counts.transform(texts[train]), data.labels[train])
    for words, low, high in ((True, 0.99, 1.0), (False, 0.0, 0.5)):
        chosen = test & ((construction == "words") == words)
        accuracy = bag.score(counts.transform(texts[chosen]), data.labels[chosen])
        # A tie may fall either way, so the order half can be at or below one half, not above.
        assert low <= accuracy <= high


def test_half_of_the_sentences_are_told_by_words_and_half_by_order() -> None:
    kinds = Counter(identity.split("/")[1] for identity in generate(2_000, 1_000).ids)
    assert set(kinds) == {"words", "negation", "contrast", "correction"}
    assert kinds["words"] == 1_500


def test_more_than_the_grammar_can_make_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from sentilab.data import generated

    monkeypatch.setattr(generated, "OPENINGS", ("",))
    monkeypatch.setattr(generated, "CLOSINGS", ("",))
    monkeypatch.setattr(generated, "THINGS", ("plot", "cast"))
    monkeypatch.setattr(generated, "GOOD", generated.GOOD[:4])
    monkeypatch.setattr(generated, "BAD", generated.BAD[:4])
    with pytest.raises(ValueError, match="cannot make"):
        generate(20_000, 0)
