"""The fused layers against Keras's own, in float64 and in float32."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import jax
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from sentilab import kernels, layers

pytestmark = pytest.mark.skipif(
    bool(layers.here()), reason=f"the fused LSTM cannot run here: {layers.here()}"
)

Arrays = list[NDArray[Any]]


@dataclass(frozen=True)
class Case:
    """One way of using the layer."""

    batch: int
    steps: int
    inputs: int
    units: int
    bidirectional: bool
    merge_mode: str | None
    sequences: bool
    state: bool
    backwards: bool
    bias: bool
    given_state: bool
    mask: str
    zero_masked: bool
    seed: int

    def layer(
        self, home: Any, dtype: str, backwards: bool | None = None, inner: bool = False
    ) -> Any:
        """The layer, of ``home``'s classes (keras.layers or sentilab.layers)."""
        backwards = self.backwards if backwards is None else backwards
        lstm = home.LSTM(
            self.units,
            return_sequences=self.sequences,
            return_state=self.state,
            go_backwards=backwards,
            use_bias=self.bias,
            zero_output_for_mask=self.zero_masked,
            dtype=dtype,
        )
        if not self.bidirectional or inner:
            return lstm
        other = self.layer(home, dtype, backwards=False, inner=True) if self.backwards else None
        return home.Bidirectional(
            lstm, merge_mode=self.merge_mode, backward_layer=other, dtype=dtype
        )

    def masked(self) -> NDArray[np.bool_] | None:
        rng = np.random.default_rng(self.seed)
        lengths = rng.integers(0, self.steps + 1, self.batch)
        steps = np.arange(self.steps)
        masks = {
            "none": None,
            "left": steps >= self.steps - lengths[:, None],
            "right": steps < lengths[:, None],
            "random": rng.random((self.batch, self.steps)) < 0.6,
        }
        return masks[self.mask]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    return Case(
        batch=draw(st.integers(1, 9)),
        steps=draw(st.integers(1, 13)),
        inputs=draw(st.sampled_from([1, 3, 16, 37])),
        units=draw(st.sampled_from([1, 5, 16, 33, 70])),
        bidirectional=draw(st.booleans()),
        merge_mode=draw(st.sampled_from(["concat", "sum", "mul", "ave", None])),
        sequences=draw(st.booleans()),
        state=draw(st.booleans()),
        backwards=draw(st.booleans()),
        bias=draw(st.booleans()),
        given_state=draw(st.booleans()),
        mask=draw(st.sampled_from(["none", "left", "right", "random"])),
        zero_masked=draw(st.booleans()),
        seed=draw(st.integers(0, 2**31)),
    )


def outputs_and_gradients(case: Case, home: Any, dtype: str) -> tuple[Arrays, Any]:
    """All outputs, and gradients of a random weighting of them, for inputs and weights of the case."""
    rng = np.random.default_rng(case.seed)
    layer = case.layer(home, dtype)
    layer.build((case.batch, case.steps, case.inputs))
    weights = [
        (rng.standard_normal(one.shape) * 0.4).astype(np.float32).astype(dtype)
        for one in layer.trainable_variables
    ]
    x = rng.standard_normal((case.batch, case.steps, case.inputs)).astype(np.float32).astype(dtype)
    state = None
    if case.given_state:
        state = [
            rng.standard_normal((case.batch, case.units)).astype(np.float32).astype(dtype)
            for _ in range(4 if case.bidirectional else 2)
        ]
    mask = case.masked()

    def weighted(given: Any) -> Any:
        weights, x, state = given
        outputs, _ = layer.stateless_call(
            weights, [one.value for one in layer.non_trainable_variables], x,
            initial_state=state, mask=mask,
        )  # fmt: skip
        flat = jax.tree.leaves(outputs)
        weighting = np.random.default_rng(case.seed + 1)
        total = sum(
            (one * weighting.standard_normal(one.shape).astype(np.float32).astype(dtype)).sum()
            for one in flat
        )
        return total, flat

    of = jax.jit(jax.value_and_grad(weighted, has_aux=True))
    (_, outputs), gradients = of((weights, x, state))
    assert getattr(layer, "lstm_path", "fused") == "fused"
    return [np.asarray(one) for one in outputs], [
        np.asarray(one) for one in jax.tree.leaves(gradients)
    ]


def distance(found: Arrays, exact: Arrays) -> float:
    """The error of all arrays together against their size.

    Of one array alone it says little: what two texts add to a gradient may all but cancel, and
    leaves the roundings of both.
    """
    error, size = (
        np.sqrt(sum(float(np.sum(np.square(one, dtype=np.float64))) for one in arrays))
        for arrays in ([one - true for one, true in zip(found, exact, strict=True)], exact)
    )
    return float(error / size) if size else float(error)


@settings(max_examples=25)
@given(cases())
def test_outputs_and_gradients_are_as_near_to_float64_as_keras_is(case: Case) -> None:
    own = outputs_and_gradients(case, layers, "float32")
    stock = outputs_and_gradients(case, keras.layers, "float32")
    with jax.enable_x64(True):
        exact = outputs_and_gradients(case, keras.layers, "float64")
    for ours, theirs, true in zip(own, stock, exact, strict=True):
        assert [one.shape for one in ours] == [one.shape for one in true]
        # Twice Keras's error. Of a few numbers Keras may by chance have nearly none: float32's own
        # rounding, 6e-8, is granted some sixteen times over in any case.
        assert distance(ours, true) <= 2 * distance(theirs, true) + 1e-6


def reviews(texts: int, steps: int, words: int, seed: int = 0) -> NDArray[np.int32]:
    """Token ids that repeat as words do, padded with zeros in front."""
    rng = np.random.default_rng(seed)
    ids = rng.zipf(1.3, size=(texts, steps)).clip(1, words - 1).astype(np.int32)
    ids[np.arange(steps) < rng.integers(0, steps, texts)[:, None]] = 0
    return ids


def classifier(home: Any, words: int, *, mask_zero: bool = False, units: int = 12) -> Any:
    keras.utils.set_random_seed(5)
    ids = keras.Input((None,), dtype="int32")
    x = home.Embedding(words, 9, mask_zero=mask_zero, name="embedding")(ids)
    x = home.Bidirectional(home.LSTM(units, return_sequences=True), name="first")(x)
    x = home.Bidirectional(home.LSTM(units), name="second")(x)
    model = keras.Model(ids, keras.layers.Dense(1, activation="sigmoid", name="head")(x))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize("mask_zero", [False, True])
@pytest.mark.parametrize("words", [30, 5000], ids=["tokens shared", "tokens not shared"])
def test_training_follows_keras_for_three_epochs_to_five_decimals(
    words: int, mask_zero: bool
) -> None:
    ids = reviews(48, 21, words)
    if words == 5000:
        ids = (
            np.random.default_rng(1).permutation(words)[: 48 * 21].reshape(48, 21).astype(np.int32)
        )
    labels = np.random.default_rng(2).integers(0, 2, 48).astype(np.float32)
    losses = []
    for home in (layers, keras.layers):
        model = classifier(home, words, mask_zero=mask_zero)
        fitted = model.fit(ids, labels, batch_size=16, epochs=3, shuffle=False, verbose=0)
        losses.append(fitted.history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=0, atol=5e-6)


def test_the_rows_of_the_table_are_shared_with_the_layer_after_the_embedding() -> None:
    ids = reviews(8, 20, 30)
    model = classifier(layers, 30)
    weights = [
        [one.value for one in group]
        for group in (model.trainable_variables, model.non_trainable_variables)
    ]
    compiled = jax.jit(lambda ids: model.stateless_call(*weights, ids)[0]).lower(ids).compile()
    # The first LSTM reads ids and the table itself: nobody gathers the rows.
    assert "gather" not in compiled.as_text()


def test_ids_outside_the_table_are_an_error_that_names_the_place() -> None:
    model = classifier(layers, 30)
    ids = reviews(4, 10, 30)
    ids[2, 7] = 30
    with pytest.raises(Exception, match=r"token 30 at text 2, position 7 .* 30 rows"):
        model.predict(ids, verbose=0)


@pytest.mark.parametrize("trained", [layers, keras.layers], ids=["ours", "stock"])
def test_models_are_exchanged_with_stock_keras(trained: Any, tmp_path: Path) -> None:
    ids = reviews(16, 20, 40)
    model = classifier(trained, 40)
    model.fit(ids, np.arange(16) % 2, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    stock = keras.saving.load_model(tmp_path / "model.keras")
    ours = layers.load_model(tmp_path / "model.keras")
    assert {type(one).__module__.partition(".")[0] for one in stock.layers} == {"keras"}
    assert layers.lstm_paths(ours) == {"first": "fused", "second": "fused"}
    expected = model.predict(ids, verbose=0)
    for loaded in (stock, ours):
        np.testing.assert_allclose(loaded.predict(ids, verbose=0), expected, rtol=0, atol=1e-6)
    # and the optimizer's state with them
    assert len(stock.optimizer.variables) == len(model.optimizer.variables)


DROPOUT = {
    "of inputs": {"dropout": 0.5},
    "recurrent": {"recurrent_dropout": 0.4},
    "of both": {"dropout": 0.5, "recurrent_dropout": 0.4},
    "of everything": {"dropout": 1.0, "recurrent_dropout": 1.0},
}


def dropping(home: Any, directions: int, settings: dict[str, Any]) -> Any:
    keras.utils.set_random_seed(3)
    layer = home.LSTM(5, return_sequences=True, seed=11, **settings)
    if directions == 1:
        return layer
    # In the third way only the backward direction drops anything.
    plain = home.LSTM(5, return_sequences=True)
    other = home.LSTM(5, return_sequences=True, go_backwards=True, seed=12, **settings)
    return (
        home.Bidirectional(layer)
        if directions == 2
        else home.Bidirectional(plain, backward_layer=other)
    )


@pytest.mark.parametrize("directions", [1, 2, 3], ids=["one", "two", "two, one dropping"])
@pytest.mark.parametrize("what", DROPOUT)
def test_dropout_drops_what_keras_drops(what: str, directions: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 9, 7)).astype(np.float32)
    mask = rng.random((6, 9)) < 0.7 if directions != 2 else None
    answers = []
    for home in (layers, keras.layers):
        layer = dropping(home, directions, DROPOUT[what])
        layer.build(x.shape)
        weights, seeds = (
            [one.value for one in group]
            for group in (layer.trainable_variables, layer.non_trainable_variables)
        )

        def squares(
            given: Any, training: bool, seeds: Any, layer: Any = layer
        ) -> tuple[Any, tuple[Any, Any]]:
            outputs, seeds = layer.stateless_call(
                given[0], seeds, given[1], mask=mask, training=training
            )
            return (outputs**2).sum(), (outputs, seeds)

        found = []
        for training in (True, False, True):
            (_, (outputs, seeds)), gradients = jax.value_and_grad(squares, has_aux=True)(
                (weights, x), training, seeds
            )
            found.append([np.asarray(one) for one in jax.tree.leaves((outputs, gradients))])
        answers.append(found)
        if home is layers:
            assert layer.lstm_path == "fused"
    if what != "of everything":  # which Keras takes for nothing
        assert not np.allclose(answers[0][0][0], answers[0][2][0])
    for ours, theirs in zip(*answers, strict=True):
        # The same masks; sums in another order.
        assert distance(ours, theirs) < 3e-6


FALLBACKS: dict[str, Callable[[], Any]] = {
    "its activation is relu": lambda: layers.LSTM(4, activation="relu"),
    "recurrent activation is hard_sigmoid": lambda: layers.LSTM(
        4, recurrent_activation="hard_sigmoid"
    ),
    "computes in bfloat16": lambda: layers.LSTM(4, dtype="mixed_bfloat16"),
    "differ in units": lambda: layers.Bidirectional(
        layers.LSTM(4), backward_layer=layers.LSTM(5, go_backwards=True)
    ),
}


@pytest.mark.parametrize("reason", FALLBACKS)
def test_what_the_kernel_does_not_cover_is_left_to_keras_and_said(reason: str) -> None:
    layer = FALLBACKS[reason]()
    model = keras.Sequential([keras.Input((6, 3)), layer])
    assert reason in layers.lstm_paths(model)[layer.name]
    assert layers.lstm_path(model).startswith("Keras fallback: ")
    assert model.predict(np.zeros((2, 6, 3)), verbose=0).shape[0] == 2
    with layers.choosing("fused"):
        demanding = FALLBACKS[reason]()
    with pytest.raises(layers.FusedKernelsUnavailable, match=reason):
        demanding(np.zeros((2, 6, 3), np.float32))


def test_an_empty_batch_is_left_to_keras() -> None:
    assert layers.LSTM(4, return_sequences=True)(np.zeros((0, 5, 3))).shape == (0, 5, 4)


def test_a_stateful_layer_goes_on_where_it_was() -> None:
    x = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)
    answers = []
    for home in (layers, keras.layers):
        keras.utils.set_random_seed(1)
        layer = home.LSTM(4, stateful=True)
        layer.build(x.shape)
        answers.append([np.asarray(layer(x)) for _ in range(3)])
    np.testing.assert_allclose(answers[0], answers[1], rtol=0, atol=1e-6)


def test_vmap_over_replicas_gives_each_replicas_own_outputs_and_gradients() -> None:
    layer = layers.Bidirectional(layers.LSTM(6))
    layer.build((4, 7, 3))
    rng = np.random.default_rng(0)
    seeds = [one.value for one in layer.non_trainable_variables]
    weights = [
        rng.standard_normal((3, *one.shape)).astype(np.float32) for one in layer.trainable_variables
    ]
    x = rng.standard_normal((4, 7, 3)).astype(np.float32)

    def loss(weights: Any) -> Any:
        return (layer.stateless_call(weights, seeds, x)[0] ** 2).sum()

    values, gradients = jax.vmap(jax.value_and_grad(loss))(weights)
    for number in range(3):
        value, gradient = jax.value_and_grad(loss)([one[number] for one in weights])
        np.testing.assert_array_equal(values[number], value)
        for one, alone in zip(gradients, gradient, strict=True):
            np.testing.assert_array_equal(one[number], alone)


def trained_weights(threads: int) -> Arrays:
    kernels.set_threads(threads)
    try:
        ids = reviews(64, 30, 200)
        model = classifier(layers, 200, units=20)
        model.fit(ids, np.arange(64) % 2, batch_size=32, epochs=2, verbose=0, shuffle=False)
        return model.get_weights()
    finally:
        kernels.set_threads(0)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    one, all_there_are = trained_weights(1), trained_weights(0)
    for first, second in zip(one, all_there_are, strict=True):
        np.testing.assert_array_equal(first, second)


TRAINING = """
import hashlib, sys
import keras, numpy as np
from sentilab import layers
keras.utils.set_random_seed(1)
ids = np.random.default_rng(0).integers(0, 500, (64, 60))
inputs = keras.Input((None,), dtype="int32")
x = layers.Embedding(500, 16)(inputs)
x = layers.Bidirectional(layers.LSTM(24, return_sequences=True))(x)
x = layers.Bidirectional(layers.LSTM(24))(x)
model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x))
model.compile("adam", "binary_crossentropy")
model.fit(ids, ids[:, 0] % 2, batch_size=16, epochs=8, verbose=0)
assert layers.lstm_path(model).startswith("fused")
print(hashlib.sha256(b"".join(one.tobytes() for one in model.get_weights())).hexdigest())
"""


def test_four_processes_at_once_end_with_the_bits_of_one_alone() -> None:
    def start() -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-c", TRAINING], stdout=subprocess.PIPE, text=True)

    alone = start().communicate(timeout=120)[0]
    together = [start() for _ in range(4)]
    ends = [one.communicate(timeout=240)[0] for one in together]
    assert len(alone) > 60
    assert ends == [alone] * 4
