"""The fused Adam against Keras's own, step by step."""

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from sentilab import layers, optimizers

pytestmark = pytest.mark.skipif(bool(layers.here()), reason=f"no kernel: {layers.here()}")


def moved(adam: Any, shape: tuple[int, ...], steps: int = 5) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    variable = keras.Variable(rng.standard_normal(shape).astype(np.float32))
    small = keras.Variable(rng.standard_normal(3).astype(np.float32))
    for _ in range(steps):
        gradients = [rng.standard_normal(one.shape).astype(np.float32) for one in (variable, small)]
        gradients[0][:2] = 0  # rows that no text has touched
        adam.apply(gradients, [variable, small])
    return [np.asarray(one) for one in (variable, small, *adam.variables)]


@pytest.mark.parametrize("shape", [(200, 128), (131, 257), (1, 40_000), (7, 5)], ids=str)
@pytest.mark.parametrize(
    "settings",
    [{}, {"learning_rate": 0.1, "beta_1": 0.5, "epsilon": 1e-3}, {"weight_decay": 0.01},
     {"clipnorm": 0.1}, {"global_clipnorm": 0.1}, {"amsgrad": True}],
    ids=str,
)  # fmt: skip
def test_steps_are_those_of_keras(shape: tuple[int, ...], settings: dict[str, Any]) -> None:
    ours = moved(optimizers.Adam(**settings), shape)
    stock = moved(keras.optimizers.Adam(**settings), shape)
    for one, other in zip(ours, stock, strict=True):
        # The same operations in the same order; a product and a sum may be rounded once or twice.
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-7)


def test_the_learning_rate_may_follow_a_schedule() -> None:
    def scheduled(home: Any) -> Any:
        return home.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5))

    for one, other in zip(
        moved(scheduled(optimizers), (200, 128)),
        moved(scheduled(keras.optimizers), (200, 128)),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("kind", ["linear", "cosine"])
@pytest.mark.parametrize(("steps", "warmup"), [(20, 5), (20, 0), (7, 7), (1, 0)])
def test_the_learning_rate_rises_and_falls_by_the_formula(
    kind: str, steps: int, warmup: int
) -> None:
    schedule = optimizers.LearningRate(kind, 0.3, steps, warmup)
    for step in range(steps):
        if step < warmup:
            wanted = 0.3 * (step + 1) / warmup
        else:
            down = (step - warmup) / (steps - warmup)
            wanted = 0.3 * (1 - down if kind == "linear" else (1 + math.cos(math.pi * down)) / 2)
        assert float(schedule(step)) == pytest.approx(wanted, abs=1e-7)
    again = optimizers.LearningRate(**schedule.get_config())
    assert float(again(steps // 2)) == float(schedule(steps // 2))


def test_a_scheduled_run_moves_the_same_with_the_fused_adam_and_keras() -> None:
    schedule = optimizers.LearningRate("cosine", 0.1, 5, 2)
    ours = moved(optimizers.Adam(schedule), (200, 128))
    stock = moved(keras.optimizers.Adam(schedule), (200, 128))
    for one, other in zip(ours, stock, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("kind", [optimizers.AveragingAdam, optimizers.AveragingStockAdam])
def test_the_average_is_the_weighted_mean_of_the_weights_after_each_step(
    kind: Any, decay: float
) -> None:
    rng = np.random.default_rng(0)
    adam = kind(0.1, use_ema=True, ema_momentum=decay)
    plain = kind.__mro__[2](0.1)
    starts = [rng.standard_normal(shape).astype(np.float32) for shape in ((200, 128), (3,))]
    ours, alone = ([keras.Variable(one) for one in starts] for _ in range(2))
    seen: list[list[Any]] = []
    for step in range(1, 8):
        gradients = [rng.standard_normal(one.shape).astype(np.float32) for one in starts]
        adam.apply(list(gradients), ours)
        plain.apply(list(gradients), alone)
        seen.append([np.array(one, np.float64) for one in ours])
        weights = np.array([decay ** (step - i) for i in range(1, step + 1)])
        for number, average in enumerate(adam.averages()):
            wanted = np.average([one[number] for one in seen], axis=0, weights=weights)
            np.testing.assert_allclose(average, wanted, rtol=1e-5, atol=1e-5)
    before = [np.array(one) for one in ours]
    adam.finalize_variable_values(ours)
    for one, was, other in zip(ours, before, alone, strict=True):
        np.testing.assert_array_equal(one, was)
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-7)


def test_a_model_goes_on_with_stock_keras_where_the_fused_adam_stopped(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((32, 400)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.float32)
    inputs = keras.Input((400,))
    hidden = layers.Dense(200, activation="relu")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(hidden))
    model.compile(optimizers.Adam(), "binary_crossentropy")
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    stock = keras.saving.load_model(tmp_path / "model.keras")
    assert type(stock.optimizer) is keras.optimizers.Adam
    assert type(stock.layers[1]) is keras.layers.Dense
    for one in (model, stock):
        one.fit(x, y, epochs=2, verbose=0, shuffle=False)
    for ours, theirs in zip(model.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
