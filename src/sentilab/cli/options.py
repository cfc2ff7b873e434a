"""Options that several commands share."""

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

import click

from sentilab.data import Dataset, Unlabelled
from sentilab.errors import SettingsError
from sentilab.readable import toml_of

Command = TypeVar("Command", bound=Callable[..., Any])


UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """90s, 10m or 1.5h in seconds."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", value.strip())
    if found is None or not float(found[1]):
        raise click.BadParameter(f'"{value}" is no time; write it as 90s, 10m or 1.5h.', ctx, param)
    return float(found[1]) * UNITS[found[2]]


def data_options(command: Command) -> Command:
    """How a user's own file is to be read."""
    for option in reversed(
        (
            click.option(
                "--text-column", help="The column that holds the texts (default: guessed)."
            ),
            click.option("--label-column", help="The column of labels (default: guessed)."),
            click.option(
                "--separator", help="What separates fields (default: by the file's name)."
            ),
            click.option(
                "--max-rejected",
                type=click.FloatRange(0, 1),
                default=0.05,
                show_default=True,
                help="The share of bad rows from which on the file is refused.",
            ),
        )
    ):
        command = option(command)
    return command


models_from = click.option(
    "--models-from",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="A Python file that registers models of your own.",
)

kernels = click.option(
    "--kernels",
    type=click.Choice(["fused", "keras"]),
    help="Demand the fused LSTM, or Keras's own; by default fused wherever it can be.",
)

without = click.option(
    "--without",
    type=click.Choice(["contrast-originals"]),
    help="Train without the reviews that the contrast sets edit.",
)

runs_folder = click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="The folder under which results are kept.",
)


trackers = click.option(
    "--track",
    "track",
    multiple=True,
    metavar="TRACKER",
    help="Record runs as they end: mlflow, mlflow=URI, tensorboard or tensorboard=FOLDER.",
)


model_setting = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the model's own, as in units=32.",
)


def model_settings(given: tuple[str, ...], option: str = "--set") -> dict[str, Any]:
    """("units=32",) as {"units": 32}; values are read as TOML would, else as plain text."""
    settings: dict[str, Any] = {}
    for text in given:
        key, separator, value = text.partition("=")
        if not separator or not key.strip():
            raise SettingsError(
                f'{option} "{text}": it must have the form KEY=VALUE, as in units=32.'
            )
        try:
            settings[key.strip()] = toml_of(f"value = {value}")["value"]
        except ValueError:
            settings[key.strip()] = value
    return settings


def known_settings(
    given: tuple[str, ...], option: str, of: str, allowed: Collection[str]
) -> dict[str, Any]:
    """The same; raises SettingsError for a key that is not ``allowed``."""
    settings = model_settings(given, option)
    for key in settings.keys() - set(allowed):
        known = ", ".join(sorted(allowed))
        raise SettingsError(f'{option}: "{key}" is not a setting of {of}; there are {known}.')
    return settings


def given() -> set[str]:
    """The parameters of the command under way that were given by hand."""
    from click.core import ParameterSource

    context = click.get_current_context()
    own = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    return {name for name in context.params if context.get_parameter_source(name) in own}


def preset(name: str) -> dict[str, Any]:
    """The settings of the preset of that name, as plain values.

    Raises SettingsError for an unknown preset, and for a model beside it.
    """
    from sentilab.studies import presets

    if "model" in given():
        raise SettingsError("--preset chooses the model; leave out --model, or --preset.")
    return presets.read(name).settings.to_dict()


def load_models(files: tuple[Path, ...]) -> None:
    from sentilab import models

    for file in files:
        models.load_models_from(file)


def load_unlabelled(name: str) -> Unlabelled:
    """The texts without labels that ``name`` means, imdb or a file; says what was found."""
    from rich.console import Console

    from sentilab import data

    console = Console(stderr=True)
    texts = data.unlabelled(name)
    console.print(f"Unlabelled: {len(texts):,} texts, from {texts.origin}", highlight=False)
    for notice in texts.notices:
        console.print(notice, style="yellow", soft_wrap=True, highlight=False)
    return texts


def load_data(
    source: str, where: str | None, rejected_folder: Path | None = None, **reading: Any
) -> Dataset:
    """The data that a command means: ``where``, if given, names a source, a file, or IMDB's home.

    Download progress and what the loader noticed are said aloud.
    """
    from rich.console import Console

    from sentilab import data
    from sentilab.cli.screen import download_progress

    console = Console(stderr=True)
    if where is not None and (where in ("imdb", "generated") or not data.is_imdb(Path(where))):
        source, where = where, None
    with download_progress(console) as progress:
        dataset = data.load(
            source,
            data=Path(where) if where else None,
            rejected_folder=rejected_folder,
            progress=progress,
            **reading,
        )
    console.print(f"Data: {dataset.name}, {len(dataset):,} texts, from {dataset.origin}")
    if dataset.rejected.count:
        share = dataset.rejected
        console.print(
            f"[yellow]{share.count:,} of {share.total:,} rows were set aside[/yellow]; "
            f"each is listed with its line number and reason in {share.path}",
            soft_wrap=True,
        )
    for notice in dataset.notices:
        style = "bold red" if dataset.is_generated else "yellow"
        console.print(notice, style=style, soft_wrap=True, highlight=False)
    return dataset
