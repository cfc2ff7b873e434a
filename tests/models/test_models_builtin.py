"""The four models of the notebook."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from sentilab import layers, models
from sentilab.models import Task

NOTEBOOK = Task(words=20_000, length=200, classes=2)
SMALL = {"embedding": 7, "units": 5}

Doubles = NDArray[np.float64]


def texts(task: Task, count: int = 4) -> NDArray[np.int32]:
    drawn = np.random.default_rng(0).integers(1, task.words, (count, task.length), dtype=np.int32)
    drawn[0, : task.length // 2] = 0
    return drawn


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("bilstm2", 2_757_761),
        ("bilstm1", 2_658_945),
        ("mlp", 4_202_689),
        ("mlp-unflattened", 2_572_481),
    ],
)
def test_parameters_are_as_many_as_in_the_notebook(name: str, parameters: int) -> None:
    assert models.build(name, NOTEBOOK).count_params() == parameters


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("bilstm2", [(None, None), (None, None, 128), (None, None, 128), (None, 128), (None, 1)]),
        ("bilstm1", [(None, None), (None, None, 128), (None, 128), (None, 1)]),
        ("mlp", [(None, 200), (None, 200, 128), (None, 25_600), (None, 64), (None, 64), (None, 1)]),
    ],
)
def test_shapes_are_those_that_the_notebook_shows(name: str, shapes: list[Any]) -> None:
    assert [one.output.shape for one in models.build(name, NOTEBOOK).layers] == shapes


@pytest.mark.parametrize("name", ["bilstm2", "bilstm1", "mlp", "mlp-unflattened"])
def test_layers_are_named_the_same_however_often_a_model_is_built(name: str) -> None:
    first, second = (models.build(name, Task(20, 6, 2), SMALL) for _ in range(2))
    assert [one.name for one in first.layers] == [one.name for one in second.layers]
    assert first.name == second.name == name
    assert (first.layers[0].name, first.layers[-1].name) == ("words", "output")


@pytest.mark.parametrize("name", ["bilstm2", "bilstm1", "mlp"])
def test_two_labels_get_one_probability(name: str) -> None:
    task = Task(words=20, length=6, classes=2)
    answers = models.build(name, task, SMALL).predict(texts(task), verbose=0)
    assert answers.shape == (4, 1)
    assert ((answers > 0) & (answers < 1)).all()


@pytest.mark.parametrize("name", ["bilstm2", "bilstm1", "mlp"])
def test_three_labels_get_probabilities_that_sum_to_one(name: str) -> None:
    task = Task(words=20, length=6, classes=3)
    answers = models.build(name, task, SMALL).predict(texts(task), verbose=0)
    assert answers.shape == (4, 3)
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("name", ["bilstm2", "bilstm1", "mlp"])
def test_a_saved_model_answers_as_before(name: str, tmp_path: Path) -> None:
    task = Task(words=20, length=6, classes=2)
    model = models.build(name, task, SMALL)
    model.save(tmp_path / "model.keras")
    answers = model.predict(texts(task), verbose=0)
    again = layers.load_model(tmp_path / "model.keras")
    assert again.name == name
    np.testing.assert_array_equal(again.predict(texts(task), verbose=0), answers)
    # Keras's own LSTM takes its sums in another order: a few roundings of float32.
    stock = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(stock.predict(texts(task), verbose=0), answers, rtol=1e-6)


def sigmoid(x: Doubles) -> Doubles:
    return 1 / (1 + np.exp(-x))


def lstm(x: Doubles, kernel: Doubles, recurrent: Doubles, bias: Doubles) -> Doubles:
    """(texts, positions, inputs) -> every state (texts, positions, units); gates i, f, c, o.

    Source: Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000).
    """
    hidden = cell = np.zeros((len(x), len(recurrent)))
    states = []
    for position in range(x.shape[1]):
        enter, forget, new, leave = np.split(
            x[:, position] @ kernel + hidden @ recurrent + bias, 4, axis=1
        )
        cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
        hidden = sigmoid(leave) * np.tanh(cell)
        states.append(hidden)
    return np.stack(states, axis=1)


def bidirectional(x: Doubles, weights: list[Doubles], every: bool) -> Doubles:
    forwards, backwards = lstm(x, *weights[:3]), lstm(x[:, ::-1], *weights[3:])
    if every:
        return np.concatenate([forwards, backwards[:, ::-1]], axis=2)
    return np.concatenate([forwards[:, -1], backwards[:, -1]], axis=1)


@pytest.mark.parametrize(("name", "depth"), [("bilstm1", 1), ("bilstm2", 2)])
def test_bilstms_compute_what_the_equations_say(name: str, depth: int) -> None:
    task = Task(words=50, length=40, classes=2)
    model = models.build(name, task, SMALL)
    generator = np.random.default_rng(1)
    weights = [generator.normal(0, 0.7, one.shape) for one in model.get_weights()]
    model.set_weights(weights)
    # What the model holds is rounded to float32; the reference starts from the same numbers.
    table, *rest = [one.astype(np.float64) for one in model.get_weights()]

    tokens = texts(task, 16)
    x = table[tokens]
    for layer in range(depth):
        x = bidirectional(x, rest[6 * layer : 6 * layer + 6], every=layer < depth - 1)
    expected = sigmoid(x @ rest[-2] + rest[-1])

    # A gate sums some 15 products of size about 1, each rounded to float32 (6e-8 relative): at
    # most about 1e-6 a step, which forget gates below 1 and the sigmoids shrink. 1e-7 is what was
    # measured; swapped gates are wrong by more than 1e-2.
    np.testing.assert_allclose(model.predict(tokens, verbose=0), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "code",
    ["import sentilab.models", "from sentilab import models; models.check_settings('mlp', {})"],
)
def test_keras_is_not_imported_before_a_model_is_built(code: str) -> None:
    check = f"import sys; {code}; sys.exit(bool({{'keras', 'jax'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
