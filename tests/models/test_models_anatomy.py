import ast
import json
import math
import operator
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from sentilab import models
from sentilab.errors import ModelCannotTrain
from sentilab.models import LayerAnatomy, Task

NOTEBOOK = Task(words=20_000, length=200, classes=2)
OPERATORS: dict[type, Callable[[int, int], int]] = {ast.Add: operator.add, ast.Mult: operator.mul}


def worth(expression: str) -> int:
    """The value of a worked sum: "2 directions × (64 + 1)" is 130."""

    def value(node: ast.expr) -> int:
        if isinstance(node, ast.BinOp):
            return OPERATORS[type(node.op)](value(node.left), value(node.right))
        assert isinstance(node, ast.Constant)
        assert isinstance(node.value, int)
        return node.value

    plain = re.sub(r"[a-z,]", "", expression).replace("×", "*")
    return value(ast.parse(plain.strip(), mode="eval").body)


def check(layer: LayerAnatomy) -> None:
    """The worked sum ends in the parameters, and is right."""
    if layer.arithmetic == "no parameters":
        assert layer.parameters == 0
        return
    expression, _, result = layer.arithmetic.partition(" = ")
    if result.endswith(", no parameters"):
        assert layer.parameters == 0
        assert worth(expression) == worth(result.removesuffix(" numbers, no parameters"))
        return
    assert worth(expression) == worth(result) == layer.parameters


def layer_of(*chain: Any, length: int = 6, words: int = 30, index: int = -1) -> LayerAnatomy:
    """The anatomy of one of several layers put on one another, after an input of integers."""
    inputs = keras.Input((None,), dtype="int32")
    x = inputs
    for one in chain:
        x = one(x)
    return models.anatomy(keras.Model(inputs, x), Task(words, length, 2)).layers[index]


@pytest.mark.parametrize(
    ("name", "arithmetic"),
    [
        (
            "bilstm2",
            [
                "no parameters",
                "20,000 words × 128 = 2,560,000",
                "2 directions × 4 gates × ((64 + 128) × 64 + 64) = 98,816",
                "2 directions × 4 gates × ((64 + 128) × 64 + 64) = 98,816",
                "(128 + 1) × 1 = 129",
            ],
        ),
        (
            "mlp",
            [
                "no parameters",
                "20,000 words × 128 = 2,560,000",
                "200 × 128 = 25,600 numbers, no parameters",
                "(25,600 + 1) × 64 = 1,638,464",
                "(64 + 1) × 64 = 4,160",
                "(64 + 1) × 1 = 65",
            ],
        ),
    ],
)
def test_parameters_are_worked_out_with_the_numbers_put_in(
    name: str, arithmetic: list[str]
) -> None:
    parts = models.anatomy(models.build(name, NOTEBOOK), NOTEBOOK)
    assert [one.arithmetic for one in parts.layers] == arithmetic
    assert sum(one.parameters for one in parts.layers) == parts.parameters


def test_shapes_are_those_for_the_length_at_hand_and_keras_own() -> None:
    parts = models.anatomy(models.build("bilstm2", NOTEBOOK), NOTEBOOK)
    assert [(one.kind, one.symbolic_shape, one.shape) for one in parts.layers] == [
        ("InputLayer", "(None, None)", "(None, 200)"),
        ("Embedding", "(None, None, 128)", "(None, 200, 128)"),
        ("Bidirectional(LSTM)", "(None, None, 128)", "(None, 200, 128)"),
        ("Bidirectional(LSTM)", "(None, 128)", "(None, 128)"),
        ("Dense", "(None, 1)", "(None, 1)"),
    ]
    assert parts.output_shape == "(None, 1)"


sizes = st.integers(1, 9)


@settings(max_examples=15, deadline=None)
@given(sizes, sizes, st.integers(5, 2_000), st.integers(1, 30))
def test_the_worked_sums_are_right_for_all_sizes(
    embedding: int, units: int, words: int, length: int
) -> None:
    # Zeros, for drawing random weights is compiled anew for every size.
    zeros = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros"}
    inputs = keras.Input((length,), dtype="int32")
    x = layers.Embedding(words, embedding, embeddings_initializer="zeros")(inputs)
    x = layers.Bidirectional(layers.LSTM(units, return_sequences=True, **zeros))(x)
    x = layers.GRU(units, return_sequences=True, **zeros)(x)
    x = layers.Dense(units, kernel_initializer="zeros")(layers.Flatten()(x))
    parts = models.anatomy(keras.Model(inputs, x), Task(words, length, 2))
    for layer in parts.layers:
        check(layer)
    assert sum(one.parameters for one in parts.layers) == parts.parameters


@pytest.mark.parametrize("name", ["bilstm2", "bilstm1", "mlp", "mlp-unflattened"])
def test_the_worked_sums_of_the_models_are_right_for_other_settings(name: str) -> None:
    task = Task(words=1_234, length=11, classes=3)
    model = models.build(name, task, {"embedding": 6, "units": 4})
    parts = models.anatomy(model, task)
    for layer in parts.layers:
        check(layer)
    assert sum(one.parameters for one in parts.layers) == parts.parameters == model.count_params()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        lambda units, bias: layers.Dense(units, use_bias=bias),
        lambda units, bias: layers.LSTM(units, use_bias=bias),
        lambda units, bias: layers.GRU(units, use_bias=bias),
        lambda units, bias: layers.GRU(units, use_bias=bias, reset_after=False),
        lambda units, bias: layers.SimpleRNN(units, use_bias=bias, return_sequences=True),
        lambda units, bias: layers.Bidirectional(layers.LSTM(units, use_bias=bias)),
        lambda units, bias: layers.Bidirectional(layers.GRU(units, use_bias=bias)),
        lambda units, bias: layers.Bidirectional(
            layers.SimpleRNN(units, use_bias=bias), merge_mode="sum"
        ),
        lambda units, bias: layers.Conv1D(units, 3, use_bias=bias),
        lambda units, bias: layers.SeparableConv1D(units, 2, use_bias=bias),
        lambda units, bias: layers.TimeDistributed(layers.Dense(units, use_bias=bias)),
        lambda units, bias: layers.MultiHeadAttention(2, units, use_bias=bias, name="attention"),
        lambda units, bias: layers.LayerNormalization(center=bias),
        lambda units, bias: layers.BatchNormalization(center=bias),
        lambda units, bias: layers.Bidirectional(
            layers.LSTM(units), backward_layer=layers.GRU(units, go_backwards=True, use_bias=bias)
        ),
    ],
)
def test_the_worked_sum_of_every_kind_of_layer_is_its_count(
    make: Callable[[int, bool], Any], bias: bool
) -> None:
    made = make(4, bias)
    step = (lambda x: made(x, x)) if made.name == "attention" else made
    layer = layer_of(layers.Embedding(30, 5), step)
    assert layer.parameters == made.count_params() > 0
    check(layer)
    assert layer.explanation


@pytest.mark.parametrize(
    ("layer", "arithmetic"),
    [
        (lambda: layers.Dense(7, use_bias=False), "5 × 7 = 35"),
        (lambda: layers.LSTM(3), "4 gates × ((3 + 5) × 3 + 3) = 108"),
        (lambda: layers.GRU(3), "3 gates × ((3 + 5) × 3 + 2 × 3) = 90"),
        (lambda: layers.SimpleRNN(3), "(3 + 5) × 3 + 3 = 27"),
        (
            lambda: layers.Bidirectional(layers.SimpleRNN(3)),
            "2 directions × ((3 + 5) × 3 + 3) = 54",
        ),
        (lambda: layers.Conv1D(4, 3), "3 × 5 × 4 + 4 = 64"),
        (lambda: layers.LayerNormalization(), "5 + 5 = 10"),
    ],
)
def test_formulas_are_those_of_the_textbook(layer: Callable[[], Any], arithmetic: str) -> None:
    assert layer_of(layers.Embedding(30, 5), layer()).arithmetic == arithmetic


class Scaled(layers.Layer):
    """Weights of which the anatomy knows nothing."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.scale = self.add_weight(shape=(input_shape[-1], 3))
        self.shift = self.add_weight(shape=(3,))
        self.loudness = self.add_weight(shape=())

    def call(self, x: Any) -> Any:
        return (x @ self.scale + self.shift) * self.loudness


class GatedDense(layers.Dense):
    """A subclass whose weights the formula of its base does not count."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.gate = self.add_weight(shape=(self.units,))


def test_a_layer_of_unknown_kind_shows_the_sum_of_its_weights() -> None:
    assert layer_of(layers.Embedding(30, 64), Scaled()).arithmetic == "64 × 3 + 3 + 1 = 196"


def test_a_formula_that_misses_weights_gives_way_to_the_sum_of_weights() -> None:
    layer = layer_of(layers.Embedding(30, 64), GatedDense(2))
    assert layer.kind == "GatedDense"
    assert layer.arithmetic == "64 × 2 + 2 + 2 = 132"


@pytest.mark.parametrize(
    ("layer", "shape", "says"),
    [
        (lambda: layers.Flatten(), "(None, 30)", "one row of 30 numbers"),
        (lambda: layers.GlobalAveragePooling1D(), "(None, 5)", "the mean over all 6 positions"),
        (lambda: layers.GlobalMaxPooling1D(), "(None, 5)", "the maximum over all 6"),
        (lambda: layers.MaxPooling1D(2), "(None, 3, 5)", "(None, 6, 5) becomes (None, 3, 5)"),
        (lambda: layers.Dropout(0.25), "(None, 6, 5)", "25% of the numbers"),
        (lambda: layers.Conv1D(4, 3), "(None, 4, 4)", "6 positions become 4"),
        (lambda: layers.LSTM(3), "(None, 3)", "the last state, 3 numbers"),
        (lambda: layers.LSTM(3, return_sequences=True), "(None, 6, 3)", "3 numbers for each word"),
        (lambda: layers.Bidirectional(layers.LSTM(3)), "(None, 6)", "side by side"),
        (lambda: layers.Dense(4), "(None, 6, 4)", "the axis of 6 before it stays"),
        (lambda: layers.Activation("relu"), "(None, 6, 5)", "the shape stays"),
    ],
)
def test_every_layer_says_what_it_does_to_the_shape(
    layer: Callable[[], Any], shape: str, says: str
) -> None:
    seen = layer_of(layers.Embedding(30, 5), layer())
    assert seen.shape == shape
    assert says in seen.explanation


def test_frozen_weights_are_not_counted_as_trainable() -> None:
    task = Task(30, 6, 2)
    model = models.build("mlp", task, {"embedding": 5, "units": 3})
    model.get_layer("embedding").trainable = False
    parts = models.anatomy(model, task)
    assert parts.parameters - parts.trainable_parameters == 150


def test_a_sequential_model_is_taken_apart_like_any_other() -> None:
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(30, 5),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    parts = models.anatomy(model, Task(30, 6, 2))
    assert [one.shape for one in parts.layers] == ["(None, 6, 5)", "(None, 5)", "(None, 1)"]
    assert parts.trainable


def test_taking_a_model_apart_changes_nothing_about_it() -> None:
    task = Task(30, 6, 2)
    model = models.build("bilstm1", task, {"embedding": 5, "units": 3})
    before = model.get_config(), [one.output.shape for one in model.layers]
    assert models.anatomy(model, task) == models.anatomy(model, task)
    assert (model.get_config(), [one.output.shape for one in model.layers]) == before


def test_the_anatomy_is_plain_json_with_the_documented_keys() -> None:
    plain = models.anatomy(models.build("mlp", NOTEBOOK), NOTEBOOK).to_json()
    assert json.loads(json.dumps(plain))["layers"][1] == {
        "name": "embedding",
        "kind": "Embedding",
        "symbolic_shape": "(None, 200, 128)",
        "shape": "(None, 200, 128)",
        "parameters": 2_560_000,
        "arithmetic": "20,000 words × 128 = 2,560,000",
        "explanation": "each integer becomes a vector of 128 numbers",
    }
    assert list(plain) == [
        "model",
        "layers",
        "parameters",
        "trainable_parameters",
        "output_shape",
        "trainable",
        "refusal",
    ]


def test_the_unflattened_mlp_is_refused_with_the_reason_and_the_remedies() -> None:
    model = models.build("mlp-unflattened", NOTEBOOK)
    parts = models.anatomy(model, NOTEBOOK)
    assert not parts.trainable
    with pytest.raises(ModelCannotTrain) as refused:
        models.require_trainable(model, NOTEBOOK)
    assert str(refused.value) == parts.refusal
    for part in (
        "output has shape (None, 200, 1)",
        "the labels have shape (None,)",
        "axis 1, the 200 word positions, which embedding gives out",
        "Dense works on the last axis alone",
        "dense_1, dense_2, output",
        "Flatten after embedding, with inputs of a fixed length (200)",
        "GlobalAveragePooling1D",
        "last state",
    ):
        assert part in parts.refusal


def test_keras_itself_refuses_what_is_refused_here() -> None:
    task = Task(30, 6, 2)
    model = models.build("mlp-unflattened", task, {"embedding": 5, "units": 3})
    model.compile("adam", "binary_crossentropy")
    with pytest.raises(ValueError, match="same"):
        model.fit(np.ones((2, 6), np.int32), np.asarray([0.0, 1.0]), verbose=0)


def test_an_lstm_that_returns_every_state_is_named_in_the_remedy() -> None:
    task = Task(30, 6, 2)
    inputs = keras.Input((None,), dtype="int32")
    x = layers.Embedding(30, 5)(inputs)
    x = layers.LSTM(4, return_sequences=True, name="reader")(x)
    model = keras.Model(inputs, models.head(x, task))
    assert "return_sequences=False in reader" in models.anatomy(model, task).refusal


def test_the_axis_is_traced_to_the_layer_that_brought_it_last() -> None:
    inputs = keras.Input((None,), dtype="int32")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(30, 5)(inputs))
    x = layers.Activation("relu")(layers.RepeatVector(3, name="repeated")(x))
    refusal = models.anatomy(keras.Model(inputs, x), Task(30, 6, 2)).refusal
    assert "repeated gives out" in refusal
    assert "The layers after repeated keep it" in refusal


def test_an_output_made_by_an_operation_is_refused_too() -> None:
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Dense(1)(layers.Flatten()(layers.Embedding(30, 5)(inputs)))
    model = keras.Model(inputs, keras.ops.expand_dims(x, -1))
    assert "(None, 1, 1)" in models.anatomy(model, Task(30, 6, 2)).refusal


@pytest.mark.parametrize(("classes", "outputs"), [(2, 2), (3, 1), (3, 4)])
def test_a_head_for_another_number_of_labels_is_refused(classes: int, outputs: int) -> None:
    inputs = keras.Input((None,), dtype="int32")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(30, 5)(inputs))
    model = keras.Model(inputs, layers.Dense(outputs)(x))
    refusal = models.anatomy(model, Task(30, 6, classes)).refusal
    assert f"(None, {outputs})" in refusal
    assert "sentilab.models.head" in refusal


def test_all_weights_of_a_model_are_counted_once() -> None:
    task = Task(30, 6, 2)
    model = models.build("bilstm2", task, {"embedding": 5, "units": 3})
    weights = sum(math.prod(one.shape) for one in model.weights)
    assert models.anatomy(model, task).parameters == weights
