import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from sentilab import models
from sentilab.errors import ModelCannotTrain, SentilabError
from sentilab.training import EpochMetrics, Preparation, RunFolder, RunSettings, Silence, train
from sentilab.training import run as run_module
from sentilab.training.batches import epoch_order
from sentilab.training.run import TrainingDiverged
from sentilab.training.scoring import metrics

Settings = Callable[..., RunSettings]

REPEATABLE = (
    "config.toml",
    "metrics.jsonl",
    "weights.safetensors",
    "model.keras",
    "predictions.parquet",
    "result.json",
    "anatomy.json",
    "vocabulary.json",
)


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in REPEATABLE}


class Killed(BaseException):
    """Ends a run as abruptly as an exception can."""


class KilledAfter(Silence):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch(self, metrics: EpochMetrics, epochs: int, seconds: float) -> None:
        if metrics.epoch == self.epoch:
            raise Killed


class KilledWithin(Silence):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_validate(self, epoch: int) -> None:
        if epoch == self.epoch:
            raise Killed


class Resumptions(Silence):
    def __init__(self) -> None:
        self.heard: list[int] = []

    def on_resume(self, epochs_done: int, source: str) -> None:
        self.heard.append(epochs_done)


@pytest.fixture(params=["mlp", "bilstm1"])
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_same_seed_gives_the_same_bytes(
    model: str, preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    settings = small_settings(model, epochs=2)
    examples = preparation.examples(settings)
    first = train(settings, examples, tmp_path / "first")
    second = train(settings, examples, tmp_path / "second")
    assert content(first.path) == content(second.path)


def test_another_seed_gives_other_weights(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    one, other = small_settings(seed=1, epochs=1), small_settings(seed=2, epochs=1)
    first = train(one, preparation.examples(one), tmp_path / "first")
    second = train(other, preparation.examples(other), tmp_path / "second")
    assert first.weights.read_bytes() != second.weights.read_bytes()


@pytest.mark.parametrize(
    "killer", [KilledAfter(1), KilledWithin(2), KilledWithin(1), KilledAfter(3)]
)
def test_a_killed_run_resumes_to_the_same_bytes(
    killer: Silence,
    preparation: Preparation,
    small_settings: Settings,
    tmp_path: Path,
) -> None:
    settings = small_settings(
        epochs=3,
        early_stopping={"monitor": "val_loss", "patience": 1, "restore_best": True},
        learning_rate=0.02,
    )
    examples = preparation.examples(settings)
    undisturbed = train(settings, examples, tmp_path / "undisturbed")
    epochs = len(undisturbed.history())
    if getattr(killer, "epoch", 0) <= epochs:
        with pytest.raises(Killed):
            train(settings, examples, tmp_path / "killed", listener=killer)
    resumed = train(settings, examples, tmp_path / "killed")
    assert content(resumed.path) == content(undisturbed.path)


def test_a_run_with_dropout_resumes_to_the_same_bytes(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    @models.register("with-dropout", summary="dropout keeps random state of its own")
    def with_dropout(task: models.Task) -> keras.Model:
        inputs = keras.Input((task.length,), dtype="int32")
        x = keras.layers.Embedding(task.words, 4)(inputs)
        x = keras.layers.Dropout(0.5)(keras.layers.Flatten()(x))
        return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x))

    settings = small_settings("with-dropout", model_settings={}, epochs=2)
    examples = preparation.examples(settings)
    undisturbed = train(settings, examples, tmp_path / "undisturbed")
    with pytest.raises(Killed):
        train(settings, examples, tmp_path / "killed", listener=KilledAfter(1))
    assert content(train(settings, examples, tmp_path / "killed").path) == content(undisturbed.path)


def test_a_longer_run_may_go_on_from_a_shorter_one(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    short, long = small_settings(epochs=1), small_settings(epochs=3)
    examples = preparation.examples(long)
    donor = train(short, examples, tmp_path / "short", keep_state=True)
    heard = Resumptions()
    continued = train(
        long, examples, tmp_path / "continued", listener=heard, continue_from=donor.state
    )
    alone = train(long, examples, tmp_path / "alone")
    assert heard.heard == [1]
    assert content(continued.path) == content(alone.path)
    assert not continued.state.exists()


def test_a_finished_run_is_not_trained_again(
    preparation: Preparation,
    small_settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = small_settings(epochs=1)
    examples = preparation.examples(settings)
    train(settings, examples, tmp_path / "run")
    monkeypatch.setattr(run_module, "train_epoch", lambda *_: pytest.fail("trained again"))
    train(settings, examples, tmp_path / "run")


def test_the_kept_weights_are_those_of_the_best_epoch_if_asked(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    restoring = {"monitor": "val_loss", "patience": 1, "restore_best": True}
    settings = small_settings(epochs=8, early_stopping=restoring, learning_rate=0.05)
    examples = preparation.examples(settings)
    run = train(settings, examples, tmp_path / "run")
    result = run.read_json("result.json")
    best = min(run.history(), key=lambda one: one.val_loss)
    assert result["kept_epoch"] == best.epoch < result["epochs_run"]
    assert result["test"]["loss"] == best.val_loss


def test_metrics_agree_with_keras_evaluating_the_saved_model(
    model: str, preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    settings = small_settings(model, epochs=2)
    examples = preparation.examples(settings)
    run = train(settings, examples, tmp_path / "run")
    loaded = keras.saving.load_model(run.model, safe_mode=True)
    loaded.compile(loss="binary_crossentropy", metrics=["accuracy"])
    loss, accuracy = loaded.evaluate(
        examples.test.x, examples.test.labels.astype("float32"), verbose=0
    )
    # Keras sums in float32, 32 texts at a time; this sums in float64.
    assert run.history()[-1].val_loss == pytest.approx(loss, rel=1e-5)
    assert run.history()[-1].val_accuracy == pytest.approx(accuracy, abs=1e-6)


def test_metrics_are_those_of_the_definition() -> None:
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [1.0, 0.0]])
    loss, accuracy = metrics(probabilities, np.array([0, 1, 1, 1]))
    by_hand = -(np.log(0.9) + np.log(0.6) + np.log(0.3) + np.log(1e-7)) / 4
    assert loss == pytest.approx(by_hand)
    assert accuracy == 0.5


def test_training_follows_plain_keras_step_by_step(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    settings = small_settings(epochs=1, batch_size=16)
    examples = preparation.examples(settings)
    run = train(settings, examples, tmp_path / "run")

    keras.utils.clear_session()
    keras.utils.set_random_seed(settings.seed)
    task = models.Task(settings.words, settings.length, 2)
    plain = models.build("mlp", task, settings.model_settings)
    plain.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    order = epoch_order(settings.seed, 1, len(examples.train.labels))
    for start in range(0, len(order), 16):
        rows = order[start : start + 16]
        plain.train_on_batch(examples.train.x[rows], examples.train.labels[rows].astype("float32"))
    loaded = keras.saving.load_model(run.model)
    for ours, theirs in zip(loaded.get_weights(), plain.get_weights(), strict=True):
        # The same compiled arithmetic; fit and train_on_batch may differ by float32 rounding.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_every_epoch_visits_every_text_once_in_an_order_of_its_own() -> None:
    orders = [epoch_order(297, epoch, 50) for epoch in (1, 2)]
    assert [sorted(order) for order in orders] == [list(range(50))] * 2
    assert list(orders[0]) != list(orders[1])


def test_a_model_that_cannot_train_is_refused_before_any_epoch(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    settings = small_settings("mlp-unflattened")
    with pytest.raises(ModelCannotTrain, match=r"\(None, 12, 1\)"):
        train(settings, preparation.examples(settings), tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    assert run.read_json("result.json")["status"] == "refused"
    assert run.history() == ()
    assert run.read_json("anatomy.json")["trainable"] is False


def test_a_loss_that_is_no_number_fails_the_run_with_its_reason(
    preparation: Preparation,
    small_settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_module, "train_epoch", lambda *_: (float("nan"), 0.5))
    settings = small_settings()
    with pytest.raises(TrainingDiverged, match="epoch 1"):
        train(settings, preparation.examples(settings), tmp_path / "run")
    result = RunFolder(tmp_path / "run").read_json("result.json")
    assert result["status"] == "failed"
    assert "learning_rate" in result["reason"]


@pytest.mark.parametrize("where", ["end", "middle"])
def test_a_damaged_state_is_found_out_and_the_run_trained_from_the_start(
    preparation: Preparation,
    small_settings: Settings,
    tmp_path: Path,
    where: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = small_settings(epochs=2)
    examples = preparation.examples(settings)
    with pytest.raises(Killed):
        train(settings, examples, tmp_path / "run", listener=KilledAfter(1))
    state = RunFolder(tmp_path / "run").state
    damaged = bytearray(state.read_bytes())
    if where == "end":
        del damaged[-100:]
    else:  # a bit of a weight: the file's form is whole
        damaged[-100] ^= 1
    state.write_bytes(damaged)
    run = train(settings, examples, tmp_path / "run")
    assert "state.safetensors: the saved state is damaged" in caplog.text
    whole = train(settings, examples, tmp_path / "whole")
    assert run.weights.read_bytes() == whole.weights.read_bytes()


def test_weights_and_answers_that_are_damaged_are_refused(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    settings = small_settings(epochs=1)
    run = train(settings, preparation.examples(settings), tmp_path / "run")
    assert run.checked(run.model) == run.model
    for path in (run.model, run.path / "predictions.parquet"):
        damaged = bytearray(path.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(SentilabError, match=f"{path.name}: this file is not what was written"):
            run.checked(path)
    with pytest.raises(SentilabError, match="Remove its folder"):
        run.predictions()


def test_answers_that_are_no_numbers_are_never_a_score(
    preparation: Preparation,
    small_settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nowhere(*values: Any, **more: Any) -> Any:
        found = score(*values, **more)
        found[0] = np.nan
        return found

    score = run_module.score
    settings = small_settings("logistic", epochs=1)
    monkeypatch.setattr(run_module, "score", nowhere)
    with pytest.raises(TrainingDiverged, match="no number"):
        train(settings, preparation.examples(settings), tmp_path / "run")
    result = RunFolder(tmp_path / "run").read_json("result.json")
    assert result["status"] == "failed"
    assert "test" not in result


def test_the_run_folder_opens_with_other_tools(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq
    from safetensors.numpy import load_file

    settings = small_settings(epochs=1)
    run = train(settings, preparation.examples(settings), tmp_path / "run")
    assert run.settings() == settings
    assert [
        json.loads(line)["epoch"] for line in (run.path / "metrics.jsonl").read_text().splitlines()
    ] == [1]
    table = pq.read_table(run.path / "predictions.parquet")
    assert table.column_names == ["id", "label", "probability"]
    assert table.num_rows == 120
    weights = load_file(run.weights)
    assert sum(one.size for one in weights.values()) == run.read_json("result.json")["parameters"]
    with zipfile.ZipFile(run.model) as archive:
        assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    predicted = run.predictions()
    assert predicted.correct.mean() == run.read_json("result.json")["test"]["accuracy"]


def test_a_held_out_run_keeps_its_answers_on_validation_texts(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    stopping = {"monitor": "val_loss", "patience": 1, "restore_best": True}
    settings = small_settings(epochs=3, protocol="holdout", early_stopping=stopping)
    examples = preparation.examples(settings)
    run = train(settings, examples, tmp_path / "run")
    answers = run.predictions("validation")
    assert list(answers.ids) == list(examples.validation.ids)
    kept = run.read_json("result.json")["kept"]
    assert metrics(answers.probabilities, answers.labels) == pytest.approx(
        (kept["val_loss"], kept["val_accuracy"])
    )


def test_a_run_judged_on_the_test_split_has_no_other_answers(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    settings = small_settings(epochs=1)
    run = train(settings, preparation.examples(settings), tmp_path / "run")
    with pytest.raises(SentilabError, match="validated on its test texts alone"):
        run.predictions("validation")


@pytest.fixture
def three_labels() -> Preparation:
    from sentilab.data import Dataset

    words = ("good", "bad", "dull")
    labels = np.arange(90) % 3
    texts = [f"a {words[label]} film number {row}" for row, label in enumerate(labels)]
    splits = np.where(np.arange(90) < 60, "train", "test")
    return Preparation(
        Dataset("three", "memory", "3", list(map(str, range(90))), texts, labels, words, splits)
    )


def test_three_labels_get_a_softmax_and_one_probability_each(
    three_labels: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    settings = small_settings(
        epochs=20, learning_rate=0.01, model_settings={"embedding": 16, "units": 32}
    )
    run = train(settings, three_labels.examples(settings), tmp_path / "run")
    predictions = run.predictions()
    assert predictions.probabilities.shape == (30, 3)
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, atol=1e-6)
    assert predictions.correct.mean() > 0.9
