import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import estimator_checks_generator

from sentilab import SentimentClassifier
from sentilab.errors import ModelCannotTrain, SettingsError

SMALL: dict[str, Any] = {
    "model_settings": {"embedding": 8, "units": 8},
    "words": 200,
    "length": 8,
    "epochs": 8,
    "learning_rate": 0.01,
}
LABELS = np.array(["bad", "good"] * 40)
TEXTS = [f"a {label} film number {row}" for row, label in enumerate(LABELS)]


def test_learns_from_texts_and_answers_with_their_labels() -> None:
    classifier = SentimentClassifier(**SMALL).fit(TEXTS, LABELS)
    assert list(classifier.classes_) == ["bad", "good"]
    assert list(classifier.predict(["a good film number 7", "a bad film number 8"])) == [
        "good",
        "bad",
    ]
    probabilities = classifier.predict_proba(TEXTS)
    assert probabilities.shape == (80, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert classifier.score(TEXTS, LABELS) > 0.95
    assert len(classifier.history_) == 8


def test_equal_parameters_and_data_give_equal_answers() -> None:
    first, second = (
        SentimentClassifier(**SMALL).fit(TEXTS, LABELS).predict_proba(TEXTS) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_works_in_cross_validation_grid_search_and_pipelines() -> None:
    assert cross_val_score(SentimentClassifier(**SMALL), TEXTS, LABELS, cv=2).min() > 0.8
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    pipeline = make_pipeline(lower, SentimentClassifier(**SMALL)).fit(TEXTS, LABELS)
    assert pipeline.score([text.upper() for text in TEXTS], LABELS) > 0.9
    search = GridSearchCV(SentimentClassifier(**SMALL), {"epochs": [1, 8]}, cv=2)
    assert search.fit(TEXTS, LABELS).best_score_ > 0.8


def test_three_labels_work_as_two_do() -> None:
    labels = np.array([10, 20, 30] * 30)
    texts = [f"word{label} and more {row % 7}" for row, label in enumerate(labels)]
    classifier = SentimentClassifier(**SMALL).fit(texts, labels)
    assert classifier.predict_proba(texts).shape == (90, 3)
    assert classifier.predict(["word30 and more 3"])[0] == 30


def test_a_clone_has_the_parameters_and_nothing_learned() -> None:
    fitted = SentimentClassifier(**SMALL).fit(TEXTS, LABELS)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(TEXTS)


@pytest.mark.parametrize(
    ("texts", "labels", "complaint"),
    [
        ("one text", ["good"], "one text"),
        ([], [], "empty"),
        (["a", 3.5], ["good", "bad"], "row 1 is 3.5"),
        (["a", "b"], ["good"], "2 texts and 1 labels"),
        (["a", "b"], ["good", "good"], "at least two labels"),
        (["a", "b"], [0.5, 1.7], "continuous"),
    ],
)
def test_input_that_does_not_fit_is_named(texts: Any, labels: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        SentimentClassifier().fit(texts, labels)


def test_parameters_that_do_not_fit_are_named() -> None:
    with pytest.raises(SettingsError, match="batch_size"):
        SentimentClassifier(batch_size=0).fit(TEXTS, LABELS)
    with pytest.raises(SettingsError, match="mlp"):
        SentimentClassifier("mpl").fit(TEXTS, LABELS)
    with pytest.raises(ModelCannotTrain):
        SentimentClassifier("mlp-unflattened").fit(TEXTS, LABELS)


def _checks() -> list[Any]:
    # scikit-learn offers the checks that need no numeric table, and warns that it skips the others.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        return list(estimator_checks_generator(SentimentClassifier(**SMALL)))


@pytest.mark.parametrize(
    ("estimator", "check"),
    _checks(),
    ids=lambda one: getattr(getattr(one, "func", one), "__name__", ""),
)
def test_scikit_learns_own_checks_pass(estimator: SentimentClassifier, check: Any) -> None:
    check(estimator)
