import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentilab.training import EarlyStopping, EpochMetrics, judge, kept_epoch

# A few values only, so that ties and repeats, where rules differ, come up often.
values = st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.5001])
curves = st.lists(st.tuples(values, values), min_size=1, max_size=12)
rules = st.builds(
    EarlyStopping,
    monitor=st.sampled_from(["val_accuracy", "val_loss"]),
    patience=st.integers(0, 4),
    min_delta=st.sampled_from([0.0, 0.05]),
    restore_best=st.booleans(),
)


def curve_of(pairs: list[tuple[float, float]]) -> list[EpochMetrics]:
    return [
        EpochMetrics(number, loss, accuracy, val_loss=loss, val_accuracy=accuracy)
        for number, (loss, accuracy) in enumerate(pairs, start=1)
    ]


class Weights:
    """Stands in for a Keras model: its weights are the number of the epoch just trained."""

    def __init__(self) -> None:
        self.stop_training = False
        self.epoch = 0
        self.metrics: list[object] = []

    def get_weights(self) -> int:
        return self.epoch

    def set_weights(self, weights: int) -> None:
        self.epoch = weights


def keras_decides(history: list[EpochMetrics], rule: EarlyStopping) -> tuple[int, int]:
    """Epochs run and the epoch whose weights are kept, by Keras's own callback."""
    callback = keras.callbacks.EarlyStopping(
        monitor=rule.monitor,
        patience=rule.patience,
        min_delta=rule.min_delta,
        mode="max" if rule.monitor.endswith("accuracy") else "min",
        restore_best_weights=rule.restore_best,
    )
    model = Weights()
    callback.set_model(model)
    callback.on_train_begin()
    run = 0
    for one in history:
        run = model.epoch = one.epoch
        callback.on_epoch_end(
            one.epoch - 1, {"val_loss": one.val_loss, "val_accuracy": one.val_accuracy}
        )
        if model.stop_training:
            break
    callback.on_train_end()
    return run, model.epoch


@given(curves, rules)
def test_stops_and_keeps_as_the_keras_callback_does(
    pairs: list[tuple[float, float]], rule: EarlyStopping
) -> None:
    history = curve_of(pairs)
    run = next((n for n in range(1, len(history)) if judge(history[:n], rule).stop), len(history))
    assert (run, kept_epoch(history[:run], rule)) == keras_decides(history, rule)


def test_without_a_rule_the_last_epoch_is_kept_and_nothing_stops() -> None:
    history = curve_of([(0.5, 0.5), (0.6, 0.4), (0.7, 0.3)])
    assert kept_epoch(history, None) == 3
    assert not judge(history, None).stop


def test_before_any_epoch_nothing_is_best() -> None:
    assert judge([], EarlyStopping()).best_epoch == 0
    assert not judge([], EarlyStopping(patience=0)).stop


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_the_notebooks_curve_stops_after_patience_epochs_beyond_the_best(patience: int) -> None:
    history = curve_of([(0.3, 0.87), (0.35, 0.86), (0.5, 0.86), (0.6, 0.85)])
    stops = [n for n in range(1, 5) if judge(history[:n], EarlyStopping(patience=patience)).stop]
    assert stops[0] == 1 + patience
