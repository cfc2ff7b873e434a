"""Sentilab's own layers as ONNX, against Keras; and whether a bundle may hold what comes of them."""

from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from sentilab import layers, models
from sentilab.bundle.onnx_check import check_onnx
from sentilab.bundle.onnx_graph import onnx_graph
from sentilab.layers.ngrams import Ngrams, NgramSums
from sentilab.models import Task
from sentilab.text import ngrams

onnxruntime = pytest.importorskip("onnxruntime")

TASK = Task(words=60, length=20, classes=2)

# Each family, with the settings that make other graphs of it.
FAMILIES: list[tuple[str, dict[str, Any]]] = [
    ("averaging", {}),
    ("fasttext", {"buckets": 40}),
    ("fasttext", {"orders": 1}),
    ("fasttext", {"orders": 3, "buckets": 40}),
    ("cnn", {"filters": 6}),
    ("recurrent", {"units": 4, "pooling": "max"}),
    ("recurrent", {"units": 4, "pooling": "mean", "layers": 2, "hidden": 9}),
    ("recurrent", {"units": 4, "pooling": "attention"}),
    ("recurrent", {"units": 4, "pooling": "max+mean", "bidirectional": False}),
    ("recurrent", {"units": 4, "pooling": "last", "variational_dropout": 0.2}),
    ("recurrent", {"units": 4, "pooling": "max", "masked": False}),
    ("recurrent", {"units": 4, "pooling": "attention", "masked": False}),
    (
        "recurrent",
        {"units": 4, "ngrams": 3, "ngram_buckets": 50, "ngram_embedding": 8, "word_dropout": 0.1},
    ),
    (
        "recurrent",
        {
            "units": 4,
            "ngrams": 2,
            "ngram_buckets": 50,
            "ngram_embedding": 3,
            "ngrams_joined": "concat",
        },
    ),
]


def texts(tokens: int, number: int = 9) -> NDArray[np.int32]:
    """Rows with more and more padding in front, as an encoding makes them; the first has none."""
    ids = np.random.default_rng(1).integers(1, TASK.words, (number, tokens)).astype(np.int32)
    for row in range(number):
        ids[row, : min(row * 3, tokens - 1)] = 0
    return ids


def trained(model: Any) -> Any:
    """Weights far from the zeros and ones that some begin with; whole numbers stay as they are."""
    random = np.random.default_rng(2)
    for one in model.weights:
        if "float" in one.dtype:
            one.assign(random.normal(0, 0.4, one.shape))
    return model


def session_of(model: Any) -> Any:
    """Of a graph that a bundle may hold."""
    content = onnx_graph(model).SerializeToString()
    labels = max(2, model.outputs[0].shape[-1])
    check_onnx(content, labels=labels, words=TASK.words, length=TASK.length)
    return onnxruntime.InferenceSession(content)


def scores(session: Any, ids: NDArray[np.int32]) -> NDArray[np.float32]:
    (found,) = session.run(None, {"ids": ids})
    return np.asarray(found)


def require_like_keras(model: Any, tokens: int = TASK.length) -> Any:
    ids, session = texts(tokens), session_of(model)
    wanted = model.predict(ids, verbose=0)
    wanted = wanted if wanted.shape[1] > 1 else np.hstack([1 - wanted, wanted])
    assert np.ptp(wanted[:, 1]) > 0.01
    # Float32 sums of a few dozen products, in two orders.
    np.testing.assert_allclose(scores(session, ids), wanted, rtol=0, atol=3e-6)
    return session


@pytest.mark.parametrize(("name", "settings"), FAMILIES)
def test_each_family_answers_as_in_keras(name: str, settings: dict[str, Any]) -> None:
    model = trained(models.build(name, TASK, {"embedding": 8, **settings}))
    require_like_keras(model)
    session = require_like_keras(model, 5)
    if not settings.get("masked", True):
        return
    ids = texts(TASK.length)
    longer = np.pad(ids, ((0, 0), (7, 0)))
    np.testing.assert_allclose(scores(session, longer), scores(session, ids), rtol=0, atol=1e-6)
    alone = np.vstack([scores(session, row[row > 0][None]) for row in ids])
    np.testing.assert_allclose(alone, scores(session, ids), rtol=0, atol=1e-6)


@pytest.mark.parametrize("norms", [0, 1, 3])
def test_looked_up_ngrams_answer_as_in_keras(norms: int) -> None:
    slots, outputs = 4_000, 3
    words = keras.Input((None,), dtype="int32")
    lookup = Ngrams(3, slots)
    x = NgramSums(slots, outputs, norms=norms)(lookup(words))
    x = keras.layers.Activation("softmax")(x)
    model = trained(keras.Model(words, x))
    ids = texts(TASK.length, 40)
    ids[:, -6:-3] = ids[:, -3:]  # n-grams that stand there twice
    known = np.unique(ngrams.hashes(ids[::2], 3))
    numbers = lookup.set_table(known[known != 0])
    columns = model.weights[-1]
    values = np.zeros(columns.shape, np.float32)
    values[numbers] = np.random.default_rng(3).uniform(0.1, 1, (len(numbers), outputs + norms))
    columns.assign(values)
    session = session_of(model)
    wanted = model.predict(ids, verbose=0)
    assert np.ptp(wanted[:, 1]) > 0.1
    found = scores(session, ids)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=3e-6)
    longer = np.pad(ids, ((0, 0), (7, 0)))
    np.testing.assert_allclose(scores(session, longer), found, rtol=0, atol=1e-6)


@pytest.mark.parametrize("ids", [[[0, 0]], [[1]], [[0, 0, 0, 2, 2]]])
def test_the_shortest_texts_have_ngrams_too(ids: list[list[int]]) -> None:
    words = keras.Input((None,), dtype="int32")
    x = layers.HashedNgrams(3, 50)(words)
    x = keras.layers.Reshape((-1,))(x)
    x = layers.Embedding(51, 4, mask_zero=True)(x)
    x = keras.layers.Dense(1, activation="sigmoid")(layers.Pooling("mean")(x))
    model = trained(keras.Model(words, x))
    row = np.array(ids, np.int32)
    wanted = model.predict(row, verbose=0)
    np.testing.assert_allclose(scores(session_of(model), row)[:, 1:], wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_an_ensembles_members_read_ids_of_their_own(classes: int) -> None:
    task = Task(words=30, length=8, classes=classes)
    members = [
        trained(models.build("averaging", task, {"embedding": 8})),
        trained(models.build("bilstm1", task, {"embedding": 8, "units": 4, "masked": True})),
    ]
    words = keras.Input((None,), dtype="int32")
    plain, tabled = layers.Reencoding(30, 8), layers.Reencoding(30, 6, table_size=TASK.words)
    answered = [members[0](plain(words)), members[1](tabled(words))]
    tabled.set_table(np.random.default_rng(4).integers(2, 30, TASK.words).astype(np.int32))
    combination = layers.Combination()
    scored = combination(answered)
    combination.set_weighing(np.array([0.3, 0.9]), np.linspace(-0.5, 0.5, scored.shape[-1]))
    link = "sigmoid" if classes == 2 else "softmax"
    require_like_keras(keras.Model(words, keras.layers.Activation(link)(scored)))
