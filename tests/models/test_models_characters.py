"""Characters of words against sets of their n-grams, kept in dictionaries, and scikit-learn's fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from sentilab import models
from sentilab.errors import SettingsError
from sentilab.models import Task
from sentilab.training.archive import keras_archive

WORDS = (
    "good", "goodness", "bad", "badly", "film", "films", "the", "a", "I", "naïve", "wonderful", "wonder",
)  # fmt: skip
LENGTH, FIRST, SEED = 9, 4, 5
SETTINGS = {"shortest": 2, "longest": 4, "least": 2, "strength": 8.0}


def material(classes: int = 2, seed: int = 0) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    labels = np.arange(80) % classes
    x = np.zeros((80, LENGTH), np.int32)
    for row, label in enumerate(labels):
        length = int(random.integers(2, LENGTH + 1))
        words = random.integers(FIRST, FIRST + len(WORDS), length)
        words[random.random(length) < 0.3] = FIRST + 2 * label
        words[random.random(length) < 0.1] = 2  # out of the vocabulary
        x[row, LENGTH - length :] = words
        if length < LENGTH:
            x[row, LENGTH - length - 1] = 1
    return x, labels


def ngrams_of(word: str) -> set[str]:
    spaced = f" {word} "
    return {spaced[at : at + n] for n in range(2, 5) for at in range(max(1, len(spaced) - n + 1))}


def distinct_words(row: NDArray[np.int32]) -> list[str]:
    return [WORDS[one - FIRST] for one in sorted(set(row.tolist())) if one >= FIRST]


def matrix(x: NDArray[np.int32], known: list[str], idf: dict[str, float]) -> NDArray[np.float64]:
    """Rows as the module's docstring has them."""
    found = np.zeros((len(x), len(known)))
    for number, row in enumerate(x):
        squares = 0.0
        for word in distinct_words(row):
            for one in ngrams_of(word) & set(known):
                found[number, known.index(one)] += idf[one]
                squares += idf[one] ** 2
        found[number] /= squares**0.5 or 1
    return found


def solved(classes: int = 2, **changed: Any) -> Any:
    task = Task(FIRST + len(WORDS), LENGTH, classes)
    x, labels = material(classes)
    return models.solve(
        "characters", task, x, labels, SETTINGS | changed, seed=SEED, vocabulary=WORDS
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_it_answers_as_scikit_learn_does_on_counts_made_by_hand(classes: int) -> None:
    (x, labels), (others, _) = material(classes), material(classes, seed=1)
    texts = [set().union(*map(ngrams_of, distinct_words(row))) for row in x]
    frequency = {one: sum(one in text for text in texts) for one in set().union(*texts)}
    known = sorted(one for one, times in frequency.items() if times >= 2)
    idf = {one: float(np.log((1 + len(x)) / (1 + frequency[one])) + 1) for one in known}
    train, test = matrix(x, known, idf), matrix(others, known, idf)
    scores = [
        LogisticRegression(C=8.0, solver="liblinear", dual=True, max_iter=1000, random_state=SEED)
        .fit(train, labels == aim)
        .decision_function(test)
        for aim in ([1] if classes == 2 else range(classes))
    ]
    p = 1 / (1 + np.exp(-np.stack(scores, axis=1)))
    wanted = p if classes == 2 else p / p.sum(axis=1, keepdims=True)
    # Both stop at the same tolerance, in another order of the features.
    found = solved(classes).predict(others, verbose=0)
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert np.ptp(found) > 0.3


def test_words_out_of_the_vocabulary_and_repeats_add_nothing() -> None:
    model = solved()
    once = np.asarray([[0, 0, 0, 1, 4, 6]], np.int32)
    more = np.asarray([[1, 2, 4, 2, 6, 4]], np.int32)
    np.testing.assert_allclose(
        model.predict(more, verbose=0), model.predict(once, verbose=0), atol=1e-6
    )


def test_words_that_no_training_text_has_are_known_by_their_spelling() -> None:
    task = Task(FIRST + len(WORDS), LENGTH, 2)
    x, labels = material()
    x[x == FIRST + 1] = FIRST  # "goodness" is never read, "good" often
    model = models.solve("characters", task, x, labels, SETTINGS, seed=SEED, vocabulary=WORDS)

    def p(*words: int) -> float:
        row = np.asarray([[0] * (LENGTH - len(words)) + list(words)], np.int32)
        return float(model.predict(row, verbose=0)[0, 0])

    good, goodness, nothing = p(FIRST), p(FIRST + 1), p(2)
    assert good < goodness < nothing


def test_a_saved_and_loaded_model_answers_the_same(tmp_path: Path) -> None:
    model, (x, _) = solved(), material()
    (tmp_path / "model.keras").write_bytes(keras_archive(model))
    loaded = models.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_settings_that_keep_nothing_are_refused() -> None:
    with pytest.raises(SettingsError, match="shortest is 5 and longest is 4"):
        solved(shortest=5)
    with pytest.raises(SettingsError, match="no n-gram stands in 81 of the 80 training texts"):
        solved(least=81)
    x, labels = material()
    with pytest.raises(SettingsError, match="needs the vocabulary"):
        models.solve("characters", Task(16, LENGTH, 2), x, labels, SETTINGS, seed=SEED)
