"""ONNX graphs against the Keras models that they were made of."""

from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from sentilab import layers, models
from sentilab.bundle import NotExportable
from sentilab.bundle.onnx_graph import onnx_graph
from sentilab.models import Task

onnxruntime = pytest.importorskip("onnxruntime")

TASK = Task(words=60, length=20, classes=2)


def answers(model: Any, ids: NDArray[np.int32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The graph's and Keras's; a single p as (1 - p, p)."""
    graph = onnx_graph(model)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    (found,) = session.run(None, {"ids": ids})
    wanted = model.predict(ids, verbose=0)
    return found, wanted if wanted.shape[1] > 1 else np.hstack([1 - wanted, wanted])


def texts(tokens: int, number: int = 9) -> NDArray[np.int32]:
    """Rows with more and more padding in front, as an encoding makes them; the first has none."""
    ids = np.random.default_rng(1).integers(1, TASK.words, (number, tokens)).astype(np.int32)
    for row in range(number):
        ids[row, : min(row * 3, tokens - 1)] = 0
    return ids


def trained(model: Any) -> Any:
    """Weights far from the zeros and ones that some begin with."""
    random = np.random.default_rng(2)
    model.set_weights([random.normal(0, 0.4, one.shape) for one in model.get_weights()])
    return model


@pytest.mark.parametrize("tokens", [1, 7, 20, 33])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ["bilstm1", "bilstm2"])
def test_lstms_answer_as_in_keras_at_any_length(name: str, masked: bool, tokens: int) -> None:
    model = trained(models.build(name, TASK, {"embedding": 8, "units": 8, "masked": masked}))
    found, wanted = answers(model, texts(tokens))
    # Float32 sums of a few dozen products, in two orders, through two layers at most.
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6)
    assert np.ptp(wanted[:, 1]) > 0.01


def test_an_mlp_answers_as_in_keras() -> None:
    model = trained(models.build("mlp", TASK, {"embedding": 8, "units": 8}))
    np.testing.assert_allclose(*answers(model, texts(TASK.length)), rtol=0, atol=2e-6)


def test_three_labels_keep_their_softmax() -> None:
    task = Task(words=60, length=20, classes=3)
    model = trained(models.build("bilstm1", task, {"embedding": 8, "units": 8}))
    found, wanted = answers(model, texts(11))
    assert found.shape == (9, 3)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6)


def test_padding_may_stand_on_either_side_of_a_masked_models_texts() -> None:
    model = trained(models.build("bilstm2", TASK, {"embedding": 8, "units": 8, "masked": True}))
    session = onnxruntime.InferenceSession(onnx_graph(model).SerializeToString())
    before = texts(20)
    behind = np.stack([np.append(row[row > 0], row[row == 0]) for row in before])
    np.testing.assert_array_equal(*(session.run(None, {"ids": ids})[0] for ids in (before, behind)))


@pytest.mark.parametrize("backwards", [False, True])
def test_one_direction_without_bias_answers_as_in_keras(backwards: bool) -> None:
    words = keras.Input((None,), dtype="int32")
    x = layers.Embedding(TASK.words, 6)(words)
    x = keras.layers.Dropout(0.5)(x)
    x = keras.layers.LSTM(5, use_bias=False, go_backwards=backwards)(x)
    model = trained(keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(x)))
    np.testing.assert_allclose(*answers(model, texts(12)), rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "pool", [keras.layers.GlobalMaxPooling1D, keras.layers.GlobalAveragePooling1D]
)
def test_windows_and_pooling_answer_as_in_keras(pool: Any) -> None:
    words = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(TASK.words, 6)(words)
    x = keras.layers.Conv1D(8, 3, strides=2, activation="relu")(x)
    model = trained(keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(pool()(x))))
    np.testing.assert_allclose(*answers(model, texts(12)), rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (keras.layers.GRU(4), "GRU has no counterpart"),
        (keras.layers.Bidirectional(keras.layers.GRU(4)), "it is made of GRU"),
        (keras.layers.LSTM(4, activation="relu"), "its activation is not tanh"),
        (keras.layers.LSTM(4, stateful=True), "it hands on its state"),
        (keras.layers.Bidirectional(keras.layers.LSTM(4), merge_mode="sum"), 'merge_mode is "sum"'),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(layer: Any, why: str) -> None:
    words = keras.Input((None,), dtype="int32", batch_size=1)
    x = layer(keras.layers.Embedding(TASK.words, 6)(words))
    with pytest.raises(NotExportable, match=layer.name) as refused:
        onnx_graph(keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(x)))
    assert why in str(refused.value)


def test_branches_are_walked_to_where_they_meet() -> None:
    words = keras.Input((None,), dtype="int32")
    shared = layers.Embedding(TASK.words, 6)
    x, y = shared(words), keras.layers.Conv1D(6, 3, padding="same")(shared(words))
    both = keras.layers.Concatenate()([keras.layers.LSTM(4)(x), keras.layers.LSTM(3)(y)])
    first, second = (keras.layers.Dense(5, activation=one)(both) for one in ("relu", "tanh"))
    merged = [
        merge([first, second])
        for merge in (
            keras.layers.Add(),
            keras.layers.Average(),
            keras.layers.Maximum(),
            keras.layers.Multiply(),
        )
    ]
    x = keras.layers.LayerNormalization()(keras.layers.Concatenate()(merged))
    x = keras.layers.Dense(3)(x)
    model = trained(keras.Model(words, keras.layers.Activation("softmax")(x)))
    np.testing.assert_allclose(*answers(model, texts(12)), rtol=0, atol=2e-6)
    graph = onnx_graph(model).graph
    assert sum(one.op_type == "Gather" for one in graph.node) == 2
    assert sum(list(one.dims) == [TASK.words, 6] for one in graph.initializer) == 1


def test_models_within_a_model_are_walked_in_their_place() -> None:
    inner = [
        trained(models.build(one, TASK, {"embedding": 8, "units": 4, "masked": one == "bilstm2"}))
        for one in ("bilstm1", "bilstm2")
    ]
    words = keras.Input((None,), dtype="int32")
    answered = [one(words) for one in inner]
    model = keras.Model(words, keras.layers.Average()(answered))
    np.testing.assert_allclose(*answers(model, texts(9)), rtol=0, atol=2e-6)


@pytest.mark.parametrize("backwards", [False, True])
def test_masked_sequences_are_pooled_where_their_tokens_are(backwards: bool) -> None:
    words = keras.Input((None,), dtype="int32")
    x = layers.Embedding(TASK.words, 6, mask_zero=True)(words)
    x = keras.layers.LSTM(5, return_sequences=True)(x)
    x = keras.layers.LSTM(5, return_sequences=not backwards, go_backwards=backwards)(x)
    x = x if backwards else keras.layers.GlobalAveragePooling1D()(x)
    model = trained(keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(x)))
    np.testing.assert_allclose(*answers(model, texts(12)), rtol=0, atol=2e-6)


@pytest.mark.filterwarnings("ignore:Layer .* does not support masking")
def test_what_would_read_masked_positions_is_refused() -> None:
    words = keras.Input((None,), dtype="int32")
    x = layers.Embedding(TASK.words, 6, mask_zero=True)(words)
    x = keras.layers.GlobalMaxPooling1D()(x)
    with pytest.raises(NotExportable, match="it would read masked positions"):
        onnx_graph(keras.Model(words, keras.layers.Dense(1)(x)))
    y = layers.Embedding(TASK.words, 6, mask_zero=True)(words)
    y = keras.layers.Concatenate(axis=1)([y, y])
    y = keras.layers.GlobalAveragePooling1D()(y)
    with pytest.raises(NotExportable, match="masked tokens one after another"):
        onnx_graph(keras.Model(words, keras.layers.Dense(1)(y)))


def test_metadata_are_kept_in_the_file() -> None:
    model = models.build("mlp", TASK, {"embedding": 4, "units": 4})
    made = onnx_graph(model, {"labels": '["negative", "positive"]'})
    assert {one.key: one.value for one in made.metadata_props} == {
        "labels": '["negative", "positive"]'
    }
