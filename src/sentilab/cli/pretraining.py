"""Options of pretraining, and what they make of a run's settings."""

from collections.abc import Callable
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sentilab.cli import options
from sentilab.errors import SettingsError

if TYPE_CHECKING:
    from sentilab.data import Unlabelled
    from sentilab.training import RunSettings

Command = TypeVar("Command", bound=Callable[..., Any])

# Decided by other options.
_NOT_SET_BY_KEY = {"unlabelled", "unlabelled_fingerprint", "epochs"}


def pretraining_options(command: Command) -> Command:
    """``unlabelled``, ``pretrain_epochs`` and ``pretrain``, for ``pretrained``."""
    for option in (
        click.option(
            "--pretrain",
            multiple=True,
            metavar="KEY=VALUE",
            help="A setting of pretraining, as in sampled=1024.",
        ),
        click.option(
            "--pretrain-epochs",
            type=int,
            help="Begin with a language model that reads the texts so many times.",
        ),
        click.option(
            "--unlabelled", help="Texts without labels, to be read or labelled: imdb, or a file."
        ),
    ):
        command = option(command)
    return command


def pretrained(
    run: "RunSettings",
    *,
    unlabelled: str | None,
    pretrain_epochs: int | None,
    pretrain: tuple[str, ...],
) -> tuple["RunSettings", "Unlabelled | None"]:
    """The run with the pretraining that the options ask for, and the texts that it needs.

    Without pretraining unlabelled texts are read beside the labelled ones, by a model that can.

    Raises SettingsError for options that would have no effect or a setting that does not exist,
    DataError if the texts cannot be had.
    """
    from sentilab.training import Pretraining, Reading

    asked = run.pretraining
    if asked is None and pretrain_epochs is None:
        if pretrain:
            raise SettingsError("--pretrain has no effect without --pretrain-epochs.")
        if unlabelled is None:
            return run, None
        _require_reads(run)
        read = options.load_unlabelled(unlabelled)
        return replace(run, reading=Reading(unlabelled).of(read)), read
    allowed = {one.name for one in fields(Pretraining)} - _NOT_SET_BY_KEY
    plain = asdict(asked or Pretraining())
    plain |= options.known_settings(pretrain, "--pretrain", "pretraining", allowed)
    if pretrain_epochs is not None:
        plain["epochs"] = pretrain_epochs
    if unlabelled is not None:
        plain["unlabelled"] = unlabelled
    wanted = Pretraining(**plain)
    texts = None
    if wanted.unlabelled:
        texts = options.load_unlabelled(wanted.unlabelled)
        wanted = wanted.of(texts)
    return replace(run, pretraining=wanted), texts


def _require_reads(run: "RunSettings") -> None:
    from sentilab.training.steps import reads_unlabelled

    if not reads_unlabelled(run):
        raise SettingsError(
            f"--unlabelled has no effect: {run.model}, as it is set, learns from labels alone.\n"
            "  --pretrain-epochs, --teacher, --adversarial virtual, or --model documents use such texts."
        )
