"""One run: settings and examples -> weights, metrics and predictions in a run folder.

The same seed gives bit-identical weights on the same machine, also in another process and also
when the run was killed on the way: an epoch depends on nothing but the state after the epoch
before it, the seed and its own number.
"""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab import atomic, models
from sentilab.errors import ModelCannotTrain, SentilabError
from sentilab.models.ensemble import NAME as ENSEMBLE
from sentilab.training import resume, speed, variables
from sentilab.training.archive import keras_archive
from sentilab.training.environment import environment
from sentilab.training.examples import Examples
from sentilab.training.folder import Predictions, RunFolder
from sentilab.training.judging import averages_after, judged_weights
from sentilab.training.pretraining import load_into, pretrained_for
from sentilab.training.progress import Listener, Silence
from sentilab.training.scoring import metrics, score
from sentilab.training.settings import RunSettings
from sentilab.training.steps import check_options, prepare, train_epoch
from sentilab.training.stopping import EpochMetrics, judge, kept_epoch
from sentilab.training.teaching import require_taught
from sentilab.training.unlabelled import with_unlabelled

_log = logging.getLogger(__name__)


class TrainingDiverged(SentilabError):
    """The loss is no longer a number."""


def train(
    settings: RunSettings,
    examples: Examples,
    folder: Path,
    *,
    listener: Listener | None = None,
    continue_from: Path | None = None,
    keep_state: bool = False,
    members: Sequence[Path] | None = None,
    pretrainings: Path | None = None,
) -> RunFolder:
    """Trains, or goes on training, the run that ``settings`` describe, and returns its folder.

    A finished run is returned as it is. An unfinished one goes on after its last complete epoch.
    A new one starts from ``continue_from``, the state of a run that differs only in being shorter,
    where one is given. ``keep_state`` leaves the state in place so that a longer run can do so.
    ``members`` are the folders of an ensemble's runs, where they do not lie beside ``folder``;
    ``pretrainings`` is the folder of the language models that runs share, by default beside ``folder``.

    Raises ModelCannotTrain if the model's output does not fit the labels (the folder then says
    so), TrainingDiverged if the loss stops being a number, SettingsError for unknown models and for
    options that the model cannot have, shared.DamagedShare, an OSError, if files that the examples are
    mapped from change meanwhile: the last epoch that is kept is of before that.
    """
    run = RunFolder(folder)
    if (run.read_json("result.json") or {}).get("status") == "finished":
        return run
    atomic.sweep(folder)
    listener = listener or Silence()
    data = {"name": examples.data_name, "fingerprint": examples.data_fingerprint}
    if examples.data_without:
        data["without"] = examples.data_without
    require_taught(settings, examples)
    run.write_config(settings, data)
    if examples.taught is not None:
        run.write_json("teaching.json", examples.taught)
    atomic.write_text(run.path / "vocabulary.json", examples.vocabulary.to_json())
    try:
        if settings.model == ENSEMBLE:
            return _combine(settings, examples, run, listener, members)
        shared = pretrainings or folder.parent / "pretraining"
        return _train(settings, examples, run, listener, continue_from, keep_state, shared)
    except (ModelCannotTrain, TrainingDiverged) as error:
        status = "refused" if isinstance(error, ModelCannotTrain) else "failed"
        run.write_json("result.json", {"status": status, "reason": str(error)})
        raise


def _train(
    settings: RunSettings,
    examples: Examples,
    run: RunFolder,
    listener: Listener,
    continue_from: Path | None,
    keep_state: bool,
    pretrainings: Path,
) -> RunFolder:
    keras = models.import_keras()
    task = models.Task(settings.words, settings.length, examples.classes)
    check_options(settings)
    # First of all: what it draws at random, or does not as it is there already, must change nothing.
    pretrained = pretrained_for(settings, task, examples, pretrainings, listener)
    keras.utils.clear_session()
    keras.utils.set_random_seed(settings.seed)
    if models.describe(settings.model).solver is not None:
        return _solve(settings, examples, run, listener, task)
    model = models.build(
        settings.model, task, settings.model_settings, kernels=settings.kernels or "auto"
    )
    run.write_json("environment.json", environment() | {"lstm_path": models.lstm_path(model)})
    run.write_json("anatomy.json", models.anatomy(model, task).to_json())
    models.require_trainable(model, task)
    if pretrained is not None:
        load_into(model, pretrained)
        run.write_json("pretraining.json", pretrained.told())
    part = examples.train
    if examples.unlabelled is not None:
        part = with_unlabelled(part, examples.unlabelled)
    trainer = prepare(model, settings, part, examples.classes)

    state = _starting_state(settings, run, listener, continue_from)
    if state.history:
        variables.assign(variables.stateful(trainer), state.variables)
    run.write_curve(state.history, state.seconds)

    rule = settings.early_stopping
    scored: NDArray[np.float32] | None = None
    while len(state.history) < settings.epochs and not judge(state.history, rule).stop:
        started = time.perf_counter()
        epoch = len(state.history) + 1
        loss, accuracy = train_epoch(trainer, settings, part, epoch, listener)
        listener.on_validate(epoch)
        state.averages = averages_after(model, settings, epoch, state.averages)
        judged = judged_weights(model, trainer, settings, state.averages)
        with variables.holding(model, judged):
            scored = score(model, examples.validation)
        examples.require_whole()  # or what came of damage would be kept
        val_loss, val_accuracy = metrics(scored, examples.validation.labels)
        measured = EpochMetrics(epoch, loss, accuracy, val_loss, val_accuracy)
        if not all(map(math.isfinite, (loss, val_loss))):
            raise TrainingDiverged(
                f"The loss is {loss} in epoch {epoch}: training has diverged.\n"
                "  A smaller learning_rate is the usual cure."
            )
        state.history.append(measured)
        state.variables = variables.arrays(variables.stateful(trainer))
        if (
            rule is not None
            and rule.restore_best
            and judge(state.history, rule).best_epoch == epoch
        ):
            state.best = variables.weights(model) | judged
        state.seconds.append(time.perf_counter() - started)
        resume.save(state, run.state)
        run.write_curve(state.history, state.seconds)
        listener.on_epoch(measured, settings.epochs, state.seconds[-1])

    kept = kept_epoch(state.history, rule)
    if kept != len(state.history):
        variables.put(model, state.best)
        scored = None
    else:
        variables.put(model, judged_weights(model, trainer, settings, state.averages))
    if scored is None:
        scored = score(model, examples.validation)
    _finish(settings, examples, run, model, state, scored, kept)
    if not keep_state:
        run.state.unlink(missing_ok=True)
    return run


def _solve(
    settings: RunSettings, examples: Examples, run: RunFolder, listener: Listener, task: models.Task
) -> RunFolder:
    """A model with a solver: its one step stands in the curve as one epoch."""
    started = time.perf_counter()
    model = models.solve(
        settings.model,
        task,
        examples.train.x,
        examples.train.labels,
        settings.model_settings,
        seed=settings.seed,
        vocabulary=examples.vocabulary.words,
        unlabelled=examples.unlabelled,
        progress=listener.on_pass,
    )
    seconds = time.perf_counter() - started
    return _in_one_step(settings, examples, run, listener, model, seconds)


def _combine(
    settings: RunSettings,
    examples: Examples,
    run: RunFolder,
    listener: Listener,
    members: Sequence[Path] | None,
) -> RunFolder:
    """An ensemble of finished runs; its seconds are those of all of them."""
    from sentilab.training import combining

    models.import_keras().utils.clear_session()
    model, examples, seconds = combining.combine(settings, examples, run, members)
    return _in_one_step(settings, examples, run, listener, model, seconds)


def _in_one_step(
    settings: RunSettings,
    examples: Examples,
    run: RunFolder,
    listener: Listener,
    model: Any,
    seconds: float,
) -> RunFolder:
    """Scores a model that took ``seconds`` to make and writes what a run ends with."""
    started = time.perf_counter()
    train, validation = examples.train, examples.validation
    task = models.Task(settings.words, settings.length, examples.classes)
    paths = {"lstm_path": models.lstm_path(model)}
    if hasattr(model, "ngrams_path"):
        paths["ngrams_path"] = model.ngrams_path
    run.write_json("environment.json", environment() | paths)
    run.write_json("anatomy.json", models.anatomy(model, task).to_json())
    listener.on_validate(1)
    scored = score(model, validation)
    state = resume.State()
    fitted = metrics(score(model, train), train.labels)
    state.history.append(EpochMetrics(1, *fitted, *metrics(scored, validation.labels)))
    state.seconds.append(seconds + time.perf_counter() - started)
    run.write_curve(state.history, state.seconds)
    listener.on_epoch(state.history[-1], 1, state.seconds[-1])
    _finish(settings, examples, run, model, state, scored, 1)
    return run


def _starting_state(
    settings: RunSettings, run: RunFolder, listener: Listener, continue_from: Path | None
) -> resume.State:
    # With a schedule a shorter run's rates fell faster: its state is none of this run's.
    shorter = None if settings.schedule else continue_from
    for source in (run.state, shorter):
        if source is None or not source.exists():
            continue
        try:
            state = resume.load(source)
        except SentilabError as error:  # by determinism the same comes of it, only later
            _log.warning("%s", error)
            continue
        before_last = state.history[:-1]
        fits = len(state.history) <= settings.epochs
        if fits and not judge(before_last, settings.early_stopping).stop:
            listener.on_resume(len(state.history), source.parent.name)
            return state
    return resume.State()


def _finish(
    settings: RunSettings,
    examples: Examples,
    run: RunFolder,
    model: Any,
    state: resume.State,
    scored: NDArray[np.float32],
    kept: int,
) -> None:
    """Writes what a run ends with; ``scored`` are the kept weights' answers on the validation part."""
    from safetensors.numpy import save as to_bytes

    validation, test = examples.validation, examples.test
    probabilities = scored if validation is test else score(model, test)
    examples.require_whole()
    if not (np.isfinite(scored).all() and np.isfinite(probabilities).all()):
        raise TrainingDiverged(
            "The trained model answers some texts with no number, so that nothing can be said of it.\n"
            "  A smaller learning_rate, or other settings of the model, are the usual cure."
        )
    atomic.write_bytes(run.weights, to_bytes(variables.weights(model)))
    atomic.write_bytes(run.model, keras_archive(model))
    run.write_predictions(Predictions(test.ids, test.labels, probabilities), examples.label_names)
    if validation is not test:
        held_out = Predictions(validation.ids, validation.labels, scored)
        run.write_predictions(held_out, examples.label_names, "validation")
    loss, accuracy = metrics(probabilities, test.labels)
    run.write_json("speed.json", speed.measure(model, test.x))
    run.write_json(
        "result.json",
        {
            "status": "finished",
            "epochs_run": len(state.history),
            "stopped_early": len(state.history) < settings.epochs,
            "kept_epoch": kept,
            "kept": asdict(state.history[kept - 1]),
            "test": {"loss": loss, "accuracy": accuracy, "texts": len(test.labels)},
            "label_names": list(examples.label_names),
            "parameters": model.count_params(),
            "files": run.checksums(),
        },
    )
