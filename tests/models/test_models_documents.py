"""The model of document vectors against its parts: vectors, their sums, scikit-learn's regression."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from sentilab import kernels, models
from sentilab.errors import SettingsError
from sentilab.kernels import documents
from sentilab.kernels.ngrams import count
from sentilab.models import Task
from sentilab.text import ngrams

pytestmark = pytest.mark.skipif(bool(kernels.missing()), reason=kernels.missing() or "built")

WORDS, LENGTH = 60, 15
HOW = {"orders": 2, "least": 2, "size": 16, "passes": 4, "rate": 0.02, "strength": 2.0}
Ids = NDArray[np.int32]


def material(texts: int, seed: int, classes: int = 2) -> tuple[Ids, NDArray[np.int64]]:
    """Texts of as many kinds as labels, told by twelve words of each kind."""
    random = np.random.default_rng(seed)
    labels = random.integers(classes, size=texts)
    x = random.integers(4, WORDS, (texts, LENGTH))
    told = random.random(x.shape) < 0.25
    x[told] = (4 + 12 * labels[:, None] + random.integers(12, size=x.shape))[told]
    x[:, 0] = 0
    return x.astype(np.int32), labels


def by_its_parts(x: Ids, labels: NDArray[np.int64], others: Ids, asked: Ids) -> NDArray[np.float64]:
    known = count(np.concatenate([x, others]), 2, least=2)
    vectors = documents.learn(known, size=16, passes=4, rate=0.02, seed=7).astype(float)

    def sums(of: Ids) -> NDArray[np.float64]:
        rows = []
        for one in of:
            has = np.isin(known.hashes, ngrams.hashes(one[None], 2))
            rows.append(vectors[has].sum(axis=0) / np.sqrt(max(has.sum(), 1)))
        return np.stack(rows)

    scale = sums(x).std()
    fitted = LogisticRegression(C=2.0, max_iter=1_000).fit(sums(x) / scale, labels)
    return np.asarray(fitted.predict_proba(sums(asked) / scale))


@pytest.mark.parametrize("beside", [0, 200])
def test_the_graph_answers_as_its_parts_do(beside: int) -> None:
    x, labels = material(80, seed=1)
    others, asked = material(200, seed=2)[0][:beside], material(30, seed=3)[0]
    given = others if beside else None
    model = models.solve(
        "documents", Task(WORDS, LENGTH, 2), x, labels, HOW, seed=7, unlabelled=given
    )
    found = np.asarray(model.predict(asked, verbose=0))[:, 0]
    # lbfgs stops near, not at, the best weights, and begins from sums that float32 has rounded.
    np.testing.assert_allclose(found, by_its_parts(x, labels, others, asked)[:, 1], atol=5e-3)


def test_texts_without_labels_help_where_labels_are_few() -> None:
    x, labels = material(12, seed=1)
    others, (asked, right) = material(600, seed=2)[0], material(300, seed=3)
    task = Task(WORDS, LENGTH, 2)

    def accuracy(given: Ids | None) -> float:
        how = HOW | {"orders": 1, "passes": 20}
        model = models.solve("documents", task, x, labels, how, seed=7, unlabelled=given)
        found = np.asarray(model.predict(asked, verbose=0))[:, 0] > 0.5
        return float((found == right).mean())

    assert accuracy(others) > accuracy(None) + 0.03


def test_three_labels_are_each_told_from_the_rest() -> None:
    x, labels = material(150, seed=1, classes=3)
    asked, right = material(150, seed=2, classes=3)
    how = HOW | {"orders": 1, "passes": 20}
    model = models.solve("documents", Task(WORDS, LENGTH, 3), x, labels, how, seed=7)
    found = np.asarray(model.predict(asked, verbose=0))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert (found.argmax(axis=1) == right).mean() > 0.6  # by chance a third


def test_texts_that_share_no_ngram_are_an_error() -> None:
    x = np.arange(4, 34, dtype=np.int32).reshape(2, 15)
    with pytest.raises(SettingsError, match="no n-gram stands in 2 of the 2 texts"):
        models.solve("documents", Task(WORDS, LENGTH, 2), x, np.arange(2), {"least": 2}, seed=7)


def test_another_models_solver_takes_no_texts_without_labels() -> None:
    x, labels = material(30, seed=1)
    with pytest.raises(SettingsError, match="nblr cannot learn from texts without labels"):
        models.solve("nblr", Task(WORDS, LENGTH, 2), x, labels, seed=7, unlabelled=x)
