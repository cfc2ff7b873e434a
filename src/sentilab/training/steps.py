"""What one epoch of training is: loss, optimizer, batches, and which options a model can have."""

import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab import interrupts, models
from sentilab.errors import SettingsError
from sentilab.training.batches import bucketed_batches, epoch_order
from sentilab.training.examples import Part
from sentilab.training.progress import Listener, Step
from sentilab.training.settings import RunSettings

# Options that say how steps are made; a model that is solved for has no steps.
OF_STEPS = (
    "schedule",
    "averaging",
    "adversarial",
    "label_smoothing",
    "clip_norm",
    "bucketed",
    "pretraining",
)


def reads_unlabelled(settings: RunSettings) -> bool:
    """Whether training can learn from texts without labels beside the labelled ones."""
    virtual = settings.adversarial is not None and settings.adversarial.kind == "virtual"
    return virtual or models.describe(settings.model).reads_unlabelled


def check_options(settings: RunSettings, model: Any = None) -> None:
    """Raises SettingsError for an option that would have no effect; ``model`` is None before it is built."""
    if models.describe(settings.model).solver is not None:
        for name in OF_STEPS:
            if getattr(settings, name):
                raise SettingsError(
                    f"{name} says how training steps are made, and {settings.model} makes none: it is "
                    "solved for in one go.\n  Leave the option out."
                )
    if settings.reading and not reads_unlabelled(settings):
        raise SettingsError(
            f"{settings.model}, as it is set, learns from labels alone: it cannot read unlabelled texts.\n"
            "  The model documents can, and any model in virtual adversarial training; others can be "
            "pretrained or taught on such texts."
        )
    averaging = settings.averaging
    late = averaging is not None and averaging.first_epoch > settings.epochs
    if averaging is not None and averaging.kind == "swa" and late:
        raise SettingsError(
            f"averaging.first_epoch is {averaging.first_epoch}, and the run has {settings.epochs} "
            "epochs: nothing would be averaged."
        )
    if settings.bucketed and model is not None and not models.ignores_padding(model):
        raise SettingsError(
            f"bucketed crops texts to their words, and {settings.model}, as it is set, reads the padding "
            "too: its answers would change.\n"
            "  Set bucketed to false, or, if the model has a setting `masked`, that to true."
        )


def prepare(model: Any, settings: RunSettings, part: Part, classes: int) -> Any:
    """What ``train_epoch`` trains: the model, compiled, or the model within one that adds a second loss.

    Raises SettingsError for options that the model cannot have.
    """
    check_options(settings, model)
    trainer = model
    if settings.adversarial is not None:
        from sentilab.training.adversarial import with_second_loss

        trainer = with_second_loss(
            model,
            settings.adversarial,
            part.x,
            settings.seed,
            pretrained=settings.pretraining is not None,
        )
    batches = math.ceil(len(part.labels) / settings.batch_size)
    # Texts that weigh nothing have no label that could be right.
    unlabelled = part.weights is not None and not part.weights.all()
    compile_model(trainer, settings, classes, batches, weighted=unlabelled)
    return trainer


def compile_model(
    model: Any,
    settings: RunSettings,
    classes: int,
    batches: int | None = None,
    *,
    weighted: bool = False,
) -> None:
    """Adam, cross-entropy and accuracy, as in the notebook, with the settings' options.

    ``batches`` are those of an epoch; only a schedule needs them. ``weighted``: accuracy counts texts
    by their weights, as the loss always does.
    """
    from sentilab import optimizers

    stock = models.import_keras().optimizers
    averaging = settings.averaging
    soft = settings.teaching is not None and settings.teaching.soft
    accuracy = _accuracy_of_soft_targets() if soft else "accuracy"
    options: dict[str, Any] = {}
    if settings.clip_norm is not None:
        options["global_clipnorm"] = settings.clip_norm
    if averaging is not None and averaging.kind == "ema":
        options |= {"use_ema": True, "ema_momentum": averaging.decay}
        adam = (
            optimizers.AveragingStockAdam
            if settings.kernels == "keras"
            else optimizers.AveragingAdam
        )
    else:
        adam = stock.Adam if settings.kernels == "keras" else optimizers.Adam
    model.compile(
        optimizer=adam(_learning_rate(settings, batches), **options),
        loss=_loss(settings.label_smoothing, classes, soft=soft),
        **{"weighted_metrics" if weighted else "metrics": [accuracy]},
    )


def _learning_rate(settings: RunSettings, batches: int | None) -> Any:
    if settings.schedule is None:
        return settings.learning_rate
    if batches is None:
        raise ValueError("A schedule needs the number of batches of an epoch.")
    from sentilab import optimizers

    steps = batches * settings.epochs
    return optimizers.LearningRate(
        settings.schedule.kind,
        settings.learning_rate,
        steps,
        round(settings.schedule.warmup * steps),
    )


def _loss(smoothing: float | None, classes: int, *, soft: bool = False) -> Any:
    if soft and classes > 2:
        return models.import_keras().losses.CategoricalCrossentropy(label_smoothing=smoothing or 0)
    if not smoothing:
        return "binary_crossentropy" if classes == 2 else "sparse_categorical_crossentropy"
    keras = models.import_keras()
    if classes == 2:
        return keras.losses.BinaryCrossentropy(label_smoothing=smoothing)

    def smoothed(labels: Any, probabilities: Any) -> Any:
        # Keras's own loss of numbered labels has no smoothing.
        numbers = keras.ops.cast(keras.ops.reshape(labels, (-1,)), "int32")
        return keras.losses.categorical_crossentropy(
            keras.ops.one_hot(numbers, classes), probabilities, label_smoothing=smoothing
        )

    return smoothed


def _accuracy_of_soft_targets() -> Any:
    """Whether the likeliest labels agree; Keras's own accuracy would have probabilities be equal."""
    ops = models.import_keras().ops

    def accuracy(targets: Any, answers: Any) -> Any:
        if answers.shape[-1] == 1:
            targets = ops.reshape(targets, ops.shape(answers))
            return ops.cast((targets > 0.5) == (answers > 0.5), "float32")
        return ops.cast(ops.argmax(targets, axis=-1) == ops.argmax(answers, axis=-1), "float32")

    return accuracy


def _targets(part: Part, *, one_answer: bool) -> NDArray[Any]:
    """What the answers are held against: labels, or probabilities where the texts have such."""
    if part.targets is not None:
        return part.targets[:, 1] if one_answer else part.targets
    return part.labels.astype(np.float32 if one_answer else np.int32)


def train_epoch(
    model: Any, settings: RunSettings, part: Part, epoch: int, listener: Listener
) -> tuple[float, float]:
    """Trains ``model`` for the epoch of this number (from 1): mean loss and accuracy over it."""
    keras = models.import_keras()
    texts = len(part.labels)
    batches = math.ceil(texts / settings.batch_size)
    targets = _targets(part, one_answer=model.output_shape[-1] == 1)
    weights = part.weights
    spoke = 0.0

    def announce(batch: int, logs: dict[str, Any] | None) -> None:
        # Reading the running figures waits for the device; a few times a second costs nothing.
        nonlocal spoke
        if logs and time.monotonic() - spoke > 0.25:
            spoke = time.monotonic()
            loss, accuracy = float(logs["loss"]), float(logs["accuracy"])
            listener.on_step(Step(epoch, settings.epochs, batch + 1, batches, loss, accuracy))
        interrupts.raise_if_lost()

    if settings.bucketed:
        bucketed = bucketed_batches(
            part.x, targets, settings.seed, epoch, settings.batch_size, weights
        )
        given: dict[str, Any] = {"x": bucketed}
    else:
        order = epoch_order(settings.seed, epoch, texts)
        given = {"x": part.x[order], "y": targets[order], "batch_size": settings.batch_size}
        if weights is not None:
            given["sample_weight"] = weights[order]
    fitted = model.fit(
        **given,
        epochs=1,
        shuffle=False,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=announce)],
    )
    return float(fitted.history["loss"][0]), float(fitted.history["accuracy"][0])
