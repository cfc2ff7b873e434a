"""Options of a run's encoding and training, and the settings that they are."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from sentilab.errors import SettingsError

Command = TypeVar("Command", bound=Callable[..., Any])

# What a run is made with where neither the user nor the model has a say.
_PLAIN = {
    "words": 20_000,
    "length": 200,
    "epochs": 2,
    "batch_size": 32,
    "learning_rate": 0.001,
}


def _or_the_models_own(name: str, kind: type, help: str) -> Any:
    plain = f"{_PLAIN[name]:,}" if kind is int else f"{_PLAIN[name]}"
    text = f"{help}  [default: the model's own, else {plain}]".lstrip()
    return click.option(f"--{name.replace('_', '-')}", type=kind, help=text)


def training_options(command: Command) -> Command:
    """The options that ``settings_of`` reads."""
    for option in reversed(
        (
            _or_the_models_own("batch_size", int, "Texts a training step."),
            _or_the_models_own("epochs", int, "How many times the texts are read."),
            _or_the_models_own("learning_rate", float, "Adam's."),
            _or_the_models_own("words", int, "Size of the vocabulary."),
            _or_the_models_own("length", int, "Tokens kept of each text."),
            click.option(
                "--schedule",
                type=click.Choice(["linear", "cosine"]),
                help="Let the learning rate rise, and fall to 0 in this form.",
            ),
            click.option(
                "--warmup", type=float, help="The share of the steps that the rise takes."
            ),
            click.option(
                "--averaging",
                type=click.Choice(["ema", "swa"]),
                help="Keep a mean of the weights: over steps (ema), or over the epochs' ends (swa).",
            ),
            click.option(
                "--averaging-decay", type=float, help="What ema keeps of its mean a step."
            ),
            click.option("--averaging-from", type=int, help="The first epoch that swa counts."),
            click.option(
                "--adversarial",
                type=click.Choice(["adversarial", "virtual"]),
                help="Train also on word vectors moved in the worst direction.",
            ),
            click.option("--radius", type=float, help="How far adversarial training moves a text."),
            click.option(
                "--adversarial-weight", type=float, help="What its loss is multiplied by."
            ),
            click.option(
                "--label-smoothing", type=float, help="The share of a label that is spread."
            ),
            click.option("--clip-norm", type=float, help="The gradient's greatest norm."),
            click.option(
                "--bucketed/--no-bucketed",
                default=None,
                help="Batches of texts of like length, cropped to their longest.",
            ),
        )
    ):
        command = option(command)
    return command


# Option -> the table of settings it belongs to, and its name there; the first option switches it on.
_TABLES = {
    "schedule": {"schedule": "kind", "warmup": "warmup"},
    "averaging": {
        "averaging": "kind",
        "averaging_decay": "decay",
        "averaging_from": "first_epoch",
    },
    "adversarial": {
        "adversarial": "kind",
        "radius": "radius",
        "adversarial_weight": "weight",
    },
}
_SINGLE = (*_PLAIN, "label_smoothing", "clip_norm", "bucketed")


def settings_of(given: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Takes its options out of ``given`` and returns the run's settings, ``defaults`` beneath them.

    Raises SettingsError for an option that would have no effect without another one.
    """
    own: dict[str, Any] = {}
    for name in _SINGLE:
        value = given.pop(name)
        if value is not None:
            own[name] = value
    for table, options in _TABLES.items():
        values = {key: given.pop(option) for option, key in options.items()}
        values = {key: value for key, value in values.items() if value is not None}
        if values and "kind" not in values:
            needless = next(one for one, key in options.items() if key in values)
            raise SettingsError(f"--{needless.replace('_', '-')} has no effect without --{table}.")
        if values:
            own[table] = values
    return {**_PLAIN, **defaults, **own}
