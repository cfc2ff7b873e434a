"""LSTMs whose products multiply bfloat16 factors."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from sentilab import kernels, layers, models
from sentilab.errors import SentilabError, SettingsError
from sentilab.models import Task

needed = pytest.mark.skipif(
    bool(layers.here()) or not kernels.has_bf16(), reason="no bf16 products here"
)

# Half a unit in the last of eight places, relative to a number: what rounding it may change.
ROUNDING = 2.0**-8

Arrays = list[NDArray[Any]]


def relative(found: NDArray[Any], exact: NDArray[Any]) -> float:
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def outputs_and_gradients(layer: Any, x: NDArray[Any], dtype: str) -> tuple[Arrays, Arrays]:
    layer.build(x.shape)
    rng = np.random.default_rng(1)
    weights = [
        (rng.standard_normal(one.shape) / np.sqrt(one.shape[0])).astype(np.float32).astype(dtype)
        for one in layer.trainable_variables
    ]
    fixed = [one.value for one in layer.non_trainable_variables]

    def squares(weights: Any, x: Any) -> tuple[Any, Any]:
        outputs, _ = layer.stateless_call(weights, fixed, x)
        return (outputs**2).sum(), outputs

    (_, outputs), gradients = jax.value_and_grad(squares, argnums=(0, 1), has_aux=True)(
        weights, x.astype(dtype)
    )
    return [np.asarray(outputs)], [np.asarray(one) for one in jax.tree.leaves(gradients)]


@needed
@pytest.mark.parametrize(("inputs", "units"), [(1, 1), (7, 5), (37, 16), (64, 33), (128, 130)])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_outputs_and_gradients_are_those_of_float64_but_for_bfloat16s_rounding(
    inputs: int, units: int, bidirectional: bool
) -> None:
    x = np.random.default_rng(0).standard_normal((9, 11, inputs)).astype(np.float32)

    def layer(home: Any, dtype: str, **precision: Any) -> Any:
        if not bidirectional:
            return home.LSTM(units, return_sequences=True, dtype=dtype, **precision)
        one = home.LSTM(units, return_sequences=True, dtype=dtype)
        return home.Bidirectional(one, dtype=dtype, **precision)

    outputs, gradients = outputs_and_gradients(
        layer(layers, "float32", precision="bf16"), x, "float32"
    )
    with jax.enable_x64(True):
        exact_outputs, exact_gradients = outputs_and_gradients(
            layer(keras.layers, "float64"), x, "float64"
        )
    # Two factors of each term are rounded, each by a third of ROUNDING as a rule, in either
    # direction; a state has a few steps' of these behind it, a gradient those of the way back too.
    # Products that were of float32 would be a hundred times as near.
    for found, exact in zip(outputs, exact_outputs, strict=True):
        assert 1e-5 < relative(found, exact) < 2 * ROUNDING
    for found, exact in zip(gradients, exact_gradients, strict=True):
        assert relative(found, exact) < 4 * ROUNDING


def ids_and_labels() -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Texts whose label is which of two words they have, among thirty others."""
    rng = np.random.default_rng(0)
    ids = rng.integers(2, 32, (256, 25)).astype(np.int32)
    labels = rng.integers(0, 2, 256)
    ids[np.arange(256), rng.integers(0, 25, 256)] = labels
    return ids, labels


def bilstm2(**settings: Any) -> Any:
    keras.utils.set_random_seed(4)
    built = models.build("bilstm2", Task(32, 25, 2), {"embedding": 17, "units": 24, **settings})
    built.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    return built


@needed
def test_training_with_bf16_learns_as_well() -> None:
    ids, labels = ids_and_labels()
    losses = {}
    for precision in ("float32", "bf16"):
        model = bilstm2(precision=precision)
        history = model.fit(ids, labels, batch_size=32, epochs=12, verbose=0).history
        assert history["accuracy"][-1] > 0.97
        losses[precision] = history["loss"]
    # The same path at first, but not to the bit: it is another precision that runs.
    np.testing.assert_allclose(losses["bf16"][0], losses["float32"][0], rtol=0.01)
    assert losses["bf16"] != losses["float32"]


@needed
def test_with_bf16_any_number_of_threads_gives_the_same_bits() -> None:
    ids, labels = ids_and_labels()
    weights = []
    for threads in (1, 2, 0):
        kernels.set_threads(threads)
        try:
            model = bilstm2(precision="bf16")
            model.fit(ids, labels, batch_size=32, epochs=1, verbose=0, shuffle=False)
            weights.append(model.get_weights())
        finally:
            kernels.set_threads(0)
    for others in weights[1:]:
        for first, other in zip(weights[0], others, strict=True):
            np.testing.assert_array_equal(first, other)


@needed
def test_a_nan_shows() -> None:
    x = np.zeros((3, 8, 5), np.float32)
    x[1, 4, 2] = np.nan
    y = np.asarray(layers.LSTM(7, return_sequences=True, precision="bf16")(x))
    assert np.isnan(y[1, 4:]).all()
    assert np.isfinite(np.delete(y, 1, axis=0)).all()


@needed
def test_the_path_says_which_layers_have_bf16_products() -> None:
    assert ", bf16 products, " in layers.lstm_path(bilstm2(precision="bf16"))
    assert "bf16" not in layers.lstm_path(bilstm2())
    one = keras.Sequential(
        [
            keras.Input((6, 3)),
            layers.LSTM(4, return_sequences=True, precision="bf16", name="first"),
            layers.LSTM(4, name="second"),
        ]
    )
    assert ", bf16 products in first, " in layers.lstm_path(one)


@needed
def test_a_model_trained_with_bf16_is_saved_as_stock_keras_reads_it(tmp_path: Path) -> None:
    ids, labels = ids_and_labels()
    model = bilstm2(precision="bf16")
    model.fit(ids, labels, batch_size=64, verbose=0)
    assert "precision" not in str(model.get_config())
    model.save(tmp_path / "model.keras")
    stock = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        stock.predict(ids, verbose=0), model.predict(ids, verbose=0), rtol=0, atol=ROUNDING
    )


@pytest.mark.parametrize("home", ["LSTM", "Bidirectional"])
@pytest.mark.parametrize("word", ["float16", "", None])
def test_another_precision_is_an_error_that_names_the_two(home: str, word: Any) -> None:
    with pytest.raises(ValueError, match='must be "float32" or "bf16"'):
        made(home, precision=word)


def made(home: str, **settings: Any) -> Any:
    return (
        layers.LSTM(4, **settings)
        if home == "LSTM"
        else layers.Bidirectional(layers.LSTM(4), **settings)
    )


def test_the_models_setting_takes_the_two_precisions_alone() -> None:
    with pytest.raises(SettingsError, match='\'half\'; it must be "float32" or "bf16"'):
        models.build("bilstm1", Task(20, 6, 2), {"precision": "half"})


@pytest.mark.parametrize("home", ["LSTM", "Bidirectional"])
def test_bf16_where_it_cannot_be_had_is_an_error_and_never_float32(home: str) -> None:
    with (
        layers.choosing("keras"),
        pytest.raises(ValueError, match="Keras's own layers were asked for"),
    ):
        made(home, precision="bf16")
    if layers.here():
        with pytest.raises(ValueError, match="cannot have it"):
            made(home, precision="bf16")
        return
    kernels.choose("portable")
    try:
        with pytest.raises(ValueError, match="does not multiply bfloat16 numbers") as raised:
            made(home, precision="bf16")
    finally:
        kernels.choose("")  # type: ignore[arg-type]
    assert isinstance(raised.value, SentilabError)  # the command line prints it as it is


@needed
def test_bf16_with_what_the_kernel_does_not_cover_is_an_error() -> None:
    with pytest.raises(layers.PrecisionUnavailable, match="its activation is relu"):
        layers.LSTM(4, activation="relu", precision="bf16")
    with pytest.raises(layers.PrecisionUnavailable, match="its input is empty"):
        layers.LSTM(4, precision="bf16")(np.zeros((0, 5, 3), np.float32))


@needed
def test_bf16_is_given_to_bidirectional_not_to_the_layer_within() -> None:
    with pytest.raises(ValueError, match="give it to Bidirectional"):
        layers.Bidirectional(layers.LSTM(4, precision="bf16"))


@needed
def test_an_instruction_set_without_bf16_chosen_afterwards_is_an_error() -> None:
    code = """
import jax, numpy as np
from sentilab import kernels, layers
layer = layers.LSTM(4, precision="bf16")
layer.build((2, 5, 3))
compiled = jax.jit(lambda x: layer(x))
x = np.zeros((2, 5, 3), np.float32)
compiled(x)
kernels.choose("portable")
for run in (compiled, layer):
    try:
        print(run(x))
    except Exception as error:
        print("bfloat16" in str(error))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_no_bf16_without_the_kernel_in_a_process_of_keras_alone() -> None:
    code = """
from sentilab.kernels import native
native.opened = lambda: None
from sentilab import layers
try:
    layers.LSTM(4, precision="bf16")
except ValueError as error:
    print("the kernel is not there" in str(error))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
