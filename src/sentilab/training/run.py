"""One run: settings and examples -> weights, metrics and predictions in a run folder.

The same seed gives bit-identical weights on the same machine, also in another process and also
when the run was killed on the way: an epoch depends on nothing but the state after the epoch
before it, the seed and its own number.
"""

import io
import json
import math
import re
import tempfile
import time
import zipfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab import atomic, models
from sentilab.errors import ModelCannotTrain, SentilabError
from sentilab.training import resume
from sentilab.training.environment import environment
from sentilab.training.examples import Examples, Part
from sentilab.training.folder import Predictions, RunFolder
from sentilab.training.progress import Listener, Silence, Step
from sentilab.training.settings import RunSettings
from sentilab.training.stopping import EpochMetrics, judge, kept_epoch

# Scoring has no effect on the weights, so its batch is chosen for speed alone; it is fixed because
# another batch size may change the last bits of a probability.
SCORING_BATCH = 256

# Keras clips probabilities to [1e-7, 1 - 1e-7] before taking the logarithm (keras.config.epsilon).
CLIP = 1e-7


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
) -> RunFolder:
    """Trains, or goes on training, the run that ``settings`` describe, and returns its folder.

    A finished run is returned as it is. An unfinished one goes on after its last complete epoch.
    A new one starts from ``continue_from``, the state of a run that differs only in being shorter,
    where one is given. ``keep_state`` leaves the state in place so that a longer run can do so.

    Raises ModelCannotTrain if the model's output does not fit the labels (the folder then says
    so), TrainingDiverged if the loss stops being a number, SettingsError for unknown models.
    """
    run = RunFolder(folder)
    if (run.read_json("result.json") or {}).get("status") == "finished":
        return run
    atomic.sweep(folder)
    listener = listener or Silence()
    data = {"name": examples.data_name, "fingerprint": examples.data_fingerprint}
    if examples.data_without:
        data["without"] = examples.data_without
    run.write_config(settings, data)
    atomic.write_text(run.path / "vocabulary.json", examples.vocabulary.to_json())
    try:
        return _train(settings, examples, run, listener, continue_from, keep_state)
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
) -> RunFolder:
    keras = models.import_keras()
    task = models.Task(settings.words, settings.length, examples.classes)
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
    compile_model(model, settings, examples.classes)

    state = _starting_state(settings, run, listener, continue_from)
    if state.history:
        _restore(model, state.variables)
    run.write_curve(state.history, state.seconds)

    rule = settings.early_stopping
    scored: NDArray[np.float32] | None = None
    while len(state.history) < settings.epochs and not judge(state.history, rule).stop:
        started = time.perf_counter()
        epoch = len(state.history) + 1
        loss, accuracy = train_epoch(model, settings, examples.train, epoch, listener)
        listener.on_validate(epoch)
        scored = score(model, examples.validation)
        val_loss, val_accuracy = metrics(scored, examples.validation.labels)
        measured = EpochMetrics(epoch, loss, accuracy, val_loss, val_accuracy)
        if not all(map(math.isfinite, (loss, val_loss))):
            raise TrainingDiverged(
                f"The loss is {loss} in epoch {epoch}: training has diverged.\n"
                "  A smaller learning_rate is the usual cure."
            )
        state.history.append(measured)
        state.variables = _variables(model)
        if (
            rule is not None
            and rule.restore_best
            and judge(state.history, rule).best_epoch == epoch
        ):
            state.best = _weights(model)
        state.seconds.append(time.perf_counter() - started)
        resume.save(state, run.state)
        run.write_curve(state.history, state.seconds)
        listener.on_epoch(measured, settings.epochs, state.seconds[-1])

    kept = kept_epoch(state.history, rule)
    if kept != len(state.history):
        _assign(_named(model.weights), state.best)
        scored = None
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
    train, validation = examples.train, examples.validation
    model = models.solve(
        settings.model, task, train.x, train.labels, settings.model_settings, seed=settings.seed
    )
    run.write_json("environment.json", environment() | {"lstm_path": models.lstm_path(model)})
    run.write_json("anatomy.json", models.anatomy(model, task).to_json())
    listener.on_validate(1)
    scored = score(model, validation)
    state = resume.State()
    fitted = metrics(score(model, train), train.labels)
    state.history.append(EpochMetrics(1, *fitted, *metrics(scored, validation.labels)))
    state.seconds.append(time.perf_counter() - started)
    run.write_curve(state.history, state.seconds)
    listener.on_epoch(state.history[-1], 1, state.seconds[-1])
    _finish(settings, examples, run, model, state, scored, 1)
    return run


def compile_model(model: Any, settings: RunSettings, classes: int) -> None:
    """Adam, cross-entropy and accuracy, as in the notebook."""
    from sentilab import optimizers

    stock = models.import_keras().optimizers
    adam = stock.Adam if settings.kernels == "keras" else optimizers.Adam
    model.compile(
        optimizer=adam(settings.learning_rate),
        loss="binary_crossentropy" if classes == 2 else "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )


def epoch_order(seed: int, epoch: int, texts: int) -> NDArray[np.int64]:
    """The order of the training texts in one epoch (from 1): shape (texts,).

    A function of its arguments alone, so that a resumed run meets the same batches.
    """
    return np.random.default_rng([seed, epoch]).permutation(texts)


def score(model: Any, part: Part) -> NDArray[np.float32]:
    """Probabilities of shape (texts, classes); two-label models answer p(second label)."""
    answers = np.asarray(model.predict(part.x, batch_size=SCORING_BATCH, verbose=0))
    if answers.shape[1] == 1:
        answers = np.concatenate([1 - answers, answers], axis=1)
    return answers.astype(np.float32)


def metrics(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64]
) -> tuple[float, float]:
    """Mean cross-entropy (nats, clipped as Keras clips) and accuracy of (texts, classes)."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    loss = -np.log(np.clip(chosen, CLIP, 1 - CLIP)).mean()
    return float(loss), float((probabilities.argmax(axis=1) == labels).mean())


def train_epoch(
    model: Any, settings: RunSettings, part: Part, epoch: int, listener: Listener
) -> tuple[float, float]:
    """Trains ``model`` for the epoch of this number (from 1): mean loss and accuracy over it."""
    keras = models.import_keras()
    order = epoch_order(settings.seed, epoch, len(part.labels))
    batches = math.ceil(len(order) / settings.batch_size)
    spoke = 0.0

    def announce(batch: int, logs: dict[str, Any] | None) -> None:
        # Reading the running figures waits for the device; a few times a second costs nothing.
        nonlocal spoke
        if logs and time.monotonic() - spoke > 0.25:
            spoke = time.monotonic()
            loss, accuracy = float(logs["loss"]), float(logs["accuracy"])
            listener.on_step(Step(epoch, settings.epochs, batch + 1, batches, loss, accuracy))

    fitted = model.fit(
        part.x[order],
        part.labels[order].astype(np.float32 if model.output_shape[-1] == 1 else np.int32),
        batch_size=settings.batch_size,
        epochs=1,
        shuffle=False,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=announce)],
    )
    return float(fitted.history["loss"][0]), float(fitted.history["accuracy"][0])


def _starting_state(
    settings: RunSettings, run: RunFolder, listener: Listener, continue_from: Path | None
) -> resume.State:
    for source in (run.state, continue_from):
        if source is None or not source.exists():
            continue
        state = resume.load(source)
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
    atomic.write_bytes(run.weights, to_bytes(_weights(model)))
    atomic.write_bytes(run.model, keras_archive(model))
    run.write_predictions(Predictions(test.ids, test.labels, probabilities), examples.label_names)
    if validation is not test:
        held_out = Predictions(validation.ids, validation.labels, scored)
        run.write_predictions(held_out, examples.label_names, "validation")
    loss, accuracy = metrics(probabilities, test.labels)
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
        },
    )


def keras_archive(model: Any) -> bytes:
    """The model as a .keras file whose bytes depend on the model alone.

    Keras stamps the time into the archive, and numbers shared objects by their address in memory;
    here every entry carries the zip format's earliest time, and they are numbered as they come. It is saved without optimizer, whose state is in state.safetensors while it is needed.
    """
    keras = models.import_keras()
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    plain = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        stamped = Path(folder, "model.keras")
        copy.save(stamped)
        with zipfile.ZipFile(stamped) as source, zipfile.ZipFile(plain, "w") as target:
            for name in sorted(source.namelist()):
                content = source.read(name)
                if name == "metadata.json":
                    content = json.dumps(json.loads(content) | {"date_saved": ""}).encode()
                if name == "config.json":
                    content = _renumbered(content)
                target.writestr(zipfile.ZipInfo(name), content)
    return plain.getvalue()


def _renumbered(config: bytes) -> bytes:
    numbers: dict[bytes, int] = {}
    return re.sub(
        rb'("shared_object_id": )(\d+)',
        lambda found: found[1] + str(numbers.setdefault(found[2], len(numbers))).encode(),
        config,
    )


def _named(variables: Iterable[Any]) -> dict[str, Any]:
    """Variables by path, numbered so that equal paths stay apart."""
    return {f"{number:03d}/{one.path}": one for number, one in enumerate(variables)}


def _weights(model: Any) -> resume.Arrays:
    return _arrays(_named(model.weights))


def _arrays(variables: dict[str, Any]) -> resume.Arrays:
    # Not np.asarray: on a backend that keeps variables on another device that fails.
    convert = models.import_keras().ops.convert_to_numpy
    # A copy: on a CPU the array may be a view of memory that the next epoch writes to.
    return {name: np.array(convert(one)) for name, one in variables.items()}


def _stateful(model: Any) -> dict[str, Any]:
    metric_variables = {id(one) for one in model.metrics_variables}
    own = [one for one in model.variables if id(one) not in metric_variables]
    model.optimizer.build(model.trainable_variables)
    return _named([*own, *model.optimizer.variables])


def _variables(model: Any) -> resume.Arrays:
    return _arrays(_stateful(model))


def _restore(model: Any, saved: resume.Arrays) -> None:
    _assign(_stateful(model), saved)


def _assign(variables: dict[str, Any], saved: resume.Arrays) -> None:
    for name, one in variables.items():
        if name not in saved or saved[name].shape != tuple(one.shape):
            raise SentilabError(
                f"The saved state has no {name} of shape {tuple(one.shape)}: the model's code has "
                "changed since.\n  Remove the run's folder to train it from the start."
            )
        one.assign(saved[name])
