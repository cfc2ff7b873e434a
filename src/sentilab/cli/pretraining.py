"""Options of pretraining, and what they make of a run's settings."""

from collections.abc import Callable
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console

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

    Raises SettingsError for options that would have no effect or a setting that does not exist,
    DataError if the texts cannot be had.
    """
    from sentilab import data
    from sentilab.cli.options import model_settings
    from sentilab.training import Pretraining

    asked = run.pretraining
    if asked is None and pretrain_epochs is None:
        if unlabelled or pretrain:
            given = "--unlabelled" if unlabelled else "--pretrain"
            teacher = " or --teacher" if unlabelled else ""
            raise SettingsError(f"{given} has no effect without --pretrain-epochs{teacher}.")
        return run, None
    plain = asdict(asked or Pretraining()) | model_settings(pretrain, "--pretrain")
    allowed = {one.name for one in fields(Pretraining)} - _NOT_SET_BY_KEY
    for key in model_settings(pretrain, "--pretrain").keys() - allowed:
        known = ", ".join(sorted(allowed))
        raise SettingsError(
            f'--pretrain: "{key}" is not a setting of pretraining; there are {known}.'
        )
    if pretrain_epochs is not None:
        plain["epochs"] = pretrain_epochs
    if unlabelled is not None:
        plain["unlabelled"] = unlabelled
    wanted = Pretraining(**plain)
    texts = None
    if wanted.unlabelled:
        texts = data.unlabelled(wanted.unlabelled)
        wanted = wanted.of(texts)
        console = Console(stderr=True)
        console.print(f"Unlabelled: {len(texts):,} texts, from {texts.origin}", highlight=False)
        for notice in texts.notices:
            console.print(notice, style="yellow", soft_wrap=True, highlight=False)
    return replace(run, pretraining=wanted), texts
