"""The options of training: what they do to a run, that it repeats and resumes, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file

from sentilab import models
from sentilab.errors import SettingsError
from sentilab.models import Task
from sentilab.training import EpochMetrics, Preparation, RunFolder, RunSettings, Silence, train
from sentilab.training.steps import compile_model

Settings = Callable[..., RunSettings]

RECURRENT = {"embedding": 6, "units": 4, "variational_dropout": 0.2, "pooling": "mean"}
OPTIONS: dict[str, dict[str, Any]] = {
    "schedule": {"schedule": {"kind": "cosine", "warmup": 0.2}},
    "ema": {"averaging": {"kind": "ema", "decay": 0.9}},
    "swa": {"averaging": {"kind": "swa", "first_epoch": 2}},
    "adversarial": {"adversarial": {"kind": "adversarial", "radius": 1.0}},
    "the rest, and all on dropout": {
        "model": "recurrent",
        "model_settings": RECURRENT,
        "adversarial": {"kind": "virtual", "radius": 1.0},
        "averaging": {"kind": "ema", "decay": 0.9},
        "schedule": {"kind": "linear"},
        "label_smoothing": 0.1,
        "clip_norm": 0.5,
        "bucketed": True,
    },
}


def of(run: RunFolder) -> dict[str, bytes]:
    names = ("metrics.jsonl", "weights.safetensors", "model.keras", "predictions.parquet")
    return {name: (run.path / name).read_bytes() for name in (*names, "result.json")}


class Killed(BaseException):
    """Ends a run as abruptly as an exception can."""


class KilledAfter(Silence):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch(self, metrics: EpochMetrics, epochs: int, seconds: float) -> None:
        if metrics.epoch == self.epoch:
            raise Killed


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_killed_run_resumes_to_the_same_bytes_with_every_option(
    options: dict[str, Any], preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    settings = small_settings(**({"epochs": 3, "learning_rate": 0.01} | options))
    examples = preparation.examples(settings)
    undisturbed = of(train(settings, examples, tmp_path / "undisturbed"))
    for epoch in (2, 3):  # after the last one only the keeping is left
        with pytest.raises(Killed):
            train(settings, examples, tmp_path / f"{epoch}", listener=KilledAfter(epoch))
        assert of(train(settings, examples, tmp_path / f"{epoch}")) == undisturbed


@pytest.mark.parametrize("options", [{}, *OPTIONS.values()], ids=["none", *OPTIONS])
def test_what_is_recorded_is_what_the_saved_model_does(
    options: dict[str, Any], preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    stopping = {"monitor": "val_loss", "patience": 1, "restore_best": True}
    plain = {"epochs": 4, "learning_rate": 0.05, "early_stopping": stopping}
    settings = small_settings(**(plain | options))
    examples = preparation.examples(settings)
    run = train(settings, examples, tmp_path / "run")
    loaded = keras.saving.load_model(run.model)
    loaded.compile(loss="binary_crossentropy", metrics=["accuracy"])
    loss, _ = loaded.evaluate(examples.test.x, examples.test.labels.astype("float32"), verbose=0)
    kept = run.read_json("result.json")["kept_epoch"]
    assert run.history()[kept - 1].val_loss == pytest.approx(loss, rel=1e-4)


def test_swa_keeps_the_mean_of_the_weights_at_the_epochs_ends(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    swa = {"kind": "swa", "first_epoch": 2}
    runs = [small_settings(epochs=epochs, learning_rate=0.01) for epochs in (2, 3)]
    runs.append(small_settings(epochs=3, learning_rate=0.01, averaging=swa))
    examples = preparation.examples(runs[0])
    second, third, averaged = (
        train(one, examples, tmp_path / f"{number}") for number, one in enumerate(runs)
    )
    weights = [load_file(one.weights) for one in (second, third, averaged)]
    for name, mean in weights[2].items():
        np.testing.assert_allclose(mean, (weights[0][name] + weights[1][name]) / 2, atol=1e-6)
    assert averaged.history()[0] == third.history()[0]
    # Training itself goes on from its own weights.
    assert [one.loss for one in averaged.history()] == [one.loss for one in third.history()]
    assert averaged.history()[2].val_loss != third.history()[2].val_loss


def test_ema_judges_other_weights_and_trains_the_same(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    plain = small_settings(epochs=2, learning_rate=0.01)
    ema = small_settings(epochs=2, learning_rate=0.01, averaging={"kind": "ema", "decay": 0.95})
    examples = preparation.examples(plain)
    first, second = (train(one, examples, tmp_path / str(n)) for n, one in enumerate((plain, ema)))
    np.testing.assert_allclose(
        [one.loss for one in second.history()], [one.loss for one in first.history()], rtol=1e-5
    )
    assert second.history()[0].val_loss != first.history()[0].val_loss


def test_a_longer_run_with_a_schedule_does_not_go_on_from_a_shorter_one(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    short, long = (small_settings(epochs=epochs, schedule={}) for epochs in (1, 2))
    examples = preparation.examples(short)
    donor = train(short, examples, tmp_path / "short", keep_state=True)
    alone = train(long, examples, tmp_path / "alone")
    given = train(long, examples, tmp_path / "given", continue_from=donor.state)
    assert of(given) == of(alone)


@pytest.mark.parametrize("classes", [2, 3])
def test_label_smoothing_is_that_of_the_definition(classes: int) -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(classes), 8)
    labels = rng.integers(0, classes, 8)
    model = models.build("mlp", Task(20, 4, classes), {"embedding": 2, "units": 2})
    compile_model(model, RunSettings("mlp", label_smoothing=0.2), classes)
    answers = (p[:, 1:] if classes == 2 else p).astype(np.float32)
    found = model.compute_loss(y=labels.astype(np.float32), y_pred=keras.ops.array(answers))
    targets = 0.8 * np.eye(classes)[labels] + 0.2 / classes
    assert float(found) == pytest.approx(-np.mean(np.sum(targets * np.log(p), axis=1)), rel=1e-5)


def test_options_of_steps_are_refused_for_a_model_that_makes_none(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    @models.register("solved", summary="for this test", solver=lambda *_, **__: None)
    def solved(task: Task) -> keras.Model:
        raise NotImplementedError

    settings = small_settings("solved", model_settings={}, clip_norm=1.0)
    with pytest.raises(SettingsError, match="and solved makes none"):
        train(settings, preparation.examples(settings), tmp_path / "run")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"bucketed": True}, "reads the padding"),
        ({"averaging": {"kind": "swa", "first_epoch": 5}}, "first_epoch is 5"),
        ({"model": "recurrent", "model_settings": RECURRENT | {"ngrams": 2, "ngram_embedding": 6},
          "adversarial": {}}, "ngram_embedding"),
    ],
)  # fmt: skip
def test_an_option_that_cannot_apply_is_refused(
    options: dict[str, Any],
    complaint: str,
    preparation: Preparation,
    small_settings: Settings,
    tmp_path: Path,
) -> None:
    settings = small_settings(**options)
    with pytest.raises(SettingsError, match=complaint):
        train(settings, preparation.examples(settings), tmp_path / "run")


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"averaging": {"kind": "ema", "decay": 1.0}}, "must be below 1"),
        ({"averaging": {"kind": "mean"}}, '"swa"'),
        ({"schedule": {"warmup": 2.0}}, "at most 1"),
        ({"adversarial": {"kind": "none"}}, '"virtual"'),
        ({"adversarial": {"radius": -1.0}}, "at least 0"),
    ],
)
def test_an_option_out_of_range_is_named(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        RunSettings.from_dict({"model": "mlp"} | wrong)
