"""The linear models against scikit-learn's own pipeline: counted, weighed and fitted by it alone."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from sentilab import models
from sentilab.errors import SettingsError
from sentilab.models import Task
from sentilab.training.archive import keras_archive

WORDS, LENGTH = 40, 15
SEED = 7
Labels = NDArray[np.int64]


def material(classes: int, texts: int = 90, seed: int = 0) -> tuple[NDArray[np.int32], Labels]:
    """Texts whose label shows in some of their words, START and padding as text.words makes them."""
    random = np.random.default_rng(seed)
    labels = np.arange(texts) % classes
    x = np.zeros((texts, LENGTH), np.int32)
    for row, label in enumerate(labels):
        length = int(random.integers(3, LENGTH + 1))
        words = random.integers(4, WORDS, length)
        told = random.random(length) < 0.15
        words[told] = 4 + label
        x[row, LENGTH - length :] = words
        if length < LENGTH:
            x[row, LENGTH - length - 1] = 1
    return x, labels


def texts_of(x: NDArray[np.int32]) -> list[str]:
    return [" ".join(map(str, row[row > 0])) for row in x]


def vectorizer(orders: int, least: int = 2) -> CountVectorizer:
    return CountVectorizer(
        tokenizer=str.split, token_pattern=None, lowercase=False, ngram_range=(1, orders),
        min_df=least, binary=True,
    )  # fmt: skip


def ratio(counted: Any, positive: NDArray[np.bool_], smoothing: float) -> NDArray[np.float64]:
    p, q = (smoothing + counted[which].toarray().sum(axis=0) for which in (positive, ~positive))
    return np.asarray(np.log((p / p.sum()) / (q / q.sum())))


def fitted(name: str, classes: int, **settings: Any) -> tuple[Any, Any, Any]:
    """The model, and scikit-learn's counts of the training texts and of others, for the same settings."""
    x, labels = material(classes)
    task = Task(WORDS, LENGTH, classes)
    model = models.solve(name, task, x, labels, settings, seed=SEED)
    counter = vectorizer(settings["orders"])
    return model, counter.fit_transform(texts_of(x)), counter


def answers(model: Any, x: NDArray[np.int32]) -> NDArray[np.float64]:
    """Probabilities (texts, classes)."""
    found = np.asarray(model.predict(x, verbose=0), np.float64)
    return np.concatenate([1 - found, found], axis=1) if found.shape[1] == 1 else found


def from_scores(scores: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """One score: that of the second label; more: each label's against the rest."""
    p = 1 / (1 + np.exp(-np.stack(scores, axis=1)))
    return np.concatenate([1 - p, p], axis=1) if len(scores) == 1 else p / p.sum(axis=1)[:, None]


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
def test_nblr_answers_as_scikit_learn_does(classes: int, normalised: bool) -> None:
    chosen = {"orders": 3, "strength": 4.0, "smoothing": 0.5, "normalised": normalised}
    model, counted, counter = fitted("nblr", classes, **chosen)
    labels, (others, _) = material(classes)[1], material(classes, seed=1)
    scores = []
    for aim in [1] if classes == 2 else range(classes):
        weights = ratio(counted, labels == aim, 0.5)
        scale = normalize if normalised else csr_array
        train, test = (
            scale(one.multiply(weights).tocsr())
            for one in (counted, counter.transform(texts_of(others)))
        )
        regression = LogisticRegression(
            C=4.0, solver="liblinear", dual=True, max_iter=1000, random_state=SEED
        ).fit(train, labels == aim)
        scores.append(regression.decision_function(test))
    # Both stop at the same tolerance, in another order of the features.
    np.testing.assert_allclose(answers(model, others), from_scores(scores), atol=1e-3)


@pytest.mark.parametrize("interpolation", [0.25, 1.0])
@pytest.mark.parametrize("classes", [2, 3])
def test_nbsvm_answers_as_scikit_learn_does(classes: int, interpolation: float) -> None:
    chosen = {"orders": 2, "strength": 1.0, "interpolation": interpolation}
    model, counted, counter = fitted("nbsvm", classes, **chosen)
    labels, (others, _) = material(classes)[1], material(classes, seed=1)
    scores = []
    for aim in [1] if classes == 2 else range(classes):
        weights = ratio(counted, labels == aim, 1.0)
        train, test = (
            normalize(one.multiply(weights).tocsr())
            for one in (counted, counter.transform(texts_of(others)))
        )
        svm = LinearSVC(C=1.0, dual=True, random_state=SEED).fit(train, labels == aim)
        w = svm.coef_[0]
        mixed = (1 - interpolation) * np.abs(w).sum() / len(w) + interpolation * w
        scores.append(test @ mixed + svm.intercept_[0])
    np.testing.assert_allclose(answers(model, others), from_scores(scores), atol=1e-3)


@pytest.mark.parametrize("weighting", ["idf", "plain"])
@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_answers_as_scikit_learn_does(classes: int, weighting: str) -> None:
    chosen = {"orders": 2, "strength": 3.0, "weighting": weighting}
    model, counted, counter = fitted("logistic", classes, **chosen)
    labels, (others, _) = material(classes)[1], material(classes, seed=1)
    weigh = TfidfTransformer(use_idf=weighting == "idf").fit(counted)
    train, test = (weigh.transform(one) for one in (counted, counter.transform(texts_of(others))))
    scores = [
        LogisticRegression(C=3.0, solver="liblinear", dual=True, max_iter=1000, random_state=SEED)
        .fit(train, labels == aim)
        .decision_function(test)
        for aim in ([1] if classes == 2 else range(classes))
    ]
    np.testing.assert_allclose(answers(model, others), from_scores(scores), atol=1e-3)


LINEAR = ("nblr", "nbsvm", "logistic")


def solved(name: str, classes: int = 2, **settings: Any) -> Any:
    task = Task(WORDS, LENGTH, classes)
    return models.solve(name, task, *material(classes), {"orders": 2} | settings, seed=SEED)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", [*LINEAR, "majority"])
def test_a_saved_and_loaded_model_answers_the_same(name: str, classes: int, tmp_path: Path) -> None:
    x, labels = material(classes)
    task = Task(WORDS, LENGTH, classes)
    model = models.solve(name, task, x, labels, seed=SEED)
    (tmp_path / "model.keras").write_bytes(keras_archive(model))
    loaded = models.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert model.name == name


@pytest.mark.parametrize("name", LINEAR)
def test_the_same_seed_gives_the_same_bytes(name: str) -> None:
    first, second = (keras_archive(solved(name)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", [*LINEAR, "majority"])
def test_padding_is_not_read(name: str) -> None:
    x, labels = material(2)
    model = models.solve(name, Task(WORDS, LENGTH, 2), x, labels, seed=SEED)
    assert models.ignores_padding(model)
    padded = np.pad(x, ((0, 0), (11, 0)))
    np.testing.assert_allclose(answers(model, padded), answers(model, x), atol=1e-6)


@pytest.mark.parametrize("name", LINEAR)
def test_no_more_ngrams_are_kept_than_asked_for(name: str) -> None:
    table = solved(name, features=20).get_layer("ngrams").get_weights()[0]
    assert np.count_nonzero(table) == 20


def test_unfitted_it_has_room_for_as_many_ngrams_as_allowed() -> None:
    model = models.build("nblr", Task(WORDS, LENGTH, 2), {"features": 100})
    assert model.get_layer("ngrams").slots >= 100
    assert model.get_layer("sums").columns.shape[1] == 2
    three = models.build("logistic", Task(WORDS, LENGTH, 3), {"features": 100})
    assert three.get_layer("sums").columns.shape[1] == 4


def test_words_out_of_the_vocabulary_are_no_evidence() -> None:
    x, labels = material(2)
    x[labels == 1, -1] = 2  # in training they would tell the label for certain
    model = models.solve("nblr", Task(WORDS, LENGTH, 2), x, labels, {"orders": 2}, seed=SEED)
    with_unknown, without = x[labels == 1], x[labels == 1].copy()
    without[:, -1] = 0
    shorter = np.concatenate([np.zeros((len(without), 1), np.int32), without[:, :-1]], axis=1)
    np.testing.assert_allclose(answers(model, with_unknown), answers(model, shorter), atol=1e-6)


def test_texts_without_common_ngrams_are_refused() -> None:
    x = np.arange(4, 4 + 6 * LENGTH, dtype=np.int32).reshape(6, LENGTH)
    with pytest.raises(SettingsError, match="no n-gram stands in 2 of the 6 training texts"):
        models.solve("nblr", Task(200, LENGTH, 2), x, np.arange(6) % 2, seed=SEED)


@pytest.mark.parametrize("name", LINEAR)
def test_a_label_that_no_training_text_has_is_as_good_as_never_answered(name: str) -> None:
    x, labels = material(2)
    model = models.solve(name, Task(WORDS, LENGTH, 3), x, labels, {"orders": 1}, seed=SEED)
    found = answers(model, x)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert found[:, 2].max() < 1e-3


@pytest.mark.parametrize("name", LINEAR)
def test_which_label_is_missing_changes_nothing_for_the_others(name: str) -> None:
    x, labels = material(2)
    first, last = (
        models.solve(name, Task(WORDS, LENGTH, 3), x, each, {"orders": 1}, seed=SEED)
        for each in (labels + 1, labels)
    )
    np.testing.assert_allclose(answers(first, x)[:, 1:], answers(last, x)[:, :2], atol=1e-5)


def test_where_chance_crowds_the_table_it_gets_more_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    from sentilab.text import ngrams

    wanted = answers(solved("nblr"), material(2)[0])
    monkeypatch.setattr(ngrams, "slots_for", lambda features: features)
    crowded = solved("nblr")
    layer = crowded.get_layer("ngrams")
    assert layer.slots > np.count_nonzero(layer.get_weights()[0])
    np.testing.assert_allclose(answers(crowded, material(2)[0]), wanted, atol=1e-6)


def test_another_weighting_is_refused() -> None:
    with pytest.raises(SettingsError, match='weighting is \'tf\'; it must be "idf" or "plain"'):
        models.build("logistic", Task(WORDS, LENGTH, 2), {"weighting": "tf"})


@pytest.mark.parametrize(
    ("labels", "shares"), [([0, 1, 1, 1], [0.25, 0.75]), ([0, 2, 1, 2], [0.25, 0.25, 0.5])]
)
def test_majority_answers_the_shares_whatever_it_reads(
    labels: list[int], shares: list[float]
) -> None:
    x = material(2)[0]
    task = Task(WORDS, LENGTH, len(shares))
    model = models.solve("majority", task, x[:4], np.asarray(labels), seed=SEED)
    found = answers(model, x)
    np.testing.assert_allclose(found, np.tile(shares, (len(x), 1)), atol=1e-6)


def test_majority_keeps_finite_odds_where_a_label_is_missing() -> None:
    x = material(2)[0]
    model = models.solve("majority", Task(WORDS, LENGTH, 2), x, np.zeros(len(x), int), seed=SEED)
    found = answers(model, x)[:, 1]
    assert ((found > 0) & (found < 1e-5)).all()


def test_stronger_fits_separate_the_training_texts_better() -> None:
    x, labels = material(2)
    losses = [
        -np.log(answers(solved("nblr", strength=strength), x)[np.arange(len(x)), labels]).mean()
        for strength in (0.1, 1.0, 10.0)
    ]
    assert all(weaker > stronger for weaker, stronger in pairwise(losses))
