"""sentilab train"""

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from sentilab.cli import options
from sentilab.errors import SettingsError


@click.command(name="train")
@click.option(
    "--data", "where", default="imdb", show_default=True, help="A file, imdb or generated."
)
@click.option("--model", default="mlp", show_default=True, help="One of `sentilab models`.")
@options.model_setting
@click.option("--batch-size", type=int, default=32, show_default=True)
@click.option("--epochs", type=int, default=2, show_default=True)
@click.option("--learning-rate", type=float, default=0.001, show_default=True)
@click.option("--seed", type=int, default=297, show_default=True)
@click.option("--patience", type=int, help="Stop early after so many epochs without improvement.")
@click.option(
    "--monitor", default="val_accuracy", show_default=True, help="What early stopping watches."
)
@click.option("--restore-best", is_flag=True, help="Keep the best epoch's weights, not the last's.")
@click.option(
    "--protocol", type=click.Choice(["notebook", "holdout"]), default="holdout", show_default=True
)
@click.option(
    "--words", type=int, default=20_000, show_default=True, help="Size of the vocabulary."
)
@click.option(
    "--length", type=int, default=200, show_default=True, help="Tokens kept of each text."
)
@options.without
@options.kernels
@options.runs_folder
@options.models_from
@options.data_options
def command(
    where: str,
    model: str,
    settings: tuple[str, ...],
    patience: int | None,
    monitor: str,
    restore_best: bool,
    without: str | None,
    runs: Path,
    models_from: tuple[Path, ...],
    **rest: Any,
) -> None:
    """Train one model, and write its run folder and report.

    The same command again shows the finished run; after an interruption it goes on.
    """
    from sentilab import models, workbench
    from sentilab.cli import carrying_out
    from sentilab.training import EarlyStopping, RunSettings

    options.load_models(models_from)
    reading = {key: rest.pop(key) for key in READING}
    if patience is None and restore_best:
        raise SettingsError("--restore-best needs --patience: without it the last epoch is kept.")
    run = RunSettings(
        model=model,
        model_settings=options.model_settings(settings),
        early_stopping=None
        if patience is None
        else EarlyStopping(monitor, patience, restore_best=restore_best),  # type: ignore[arg-type]
        **rest,
    )
    models.check_settings(model, run.model_settings)
    dataset = options.load_data("imdb", where, runs, without=without or "", **reading)
    study = workbench.prepare_study(workbench.single_run(run, dataset), dataset, runs)
    results = carrying_out.carry_out(study, again=shlex.join(["sentilab", *sys.argv[1:]]))
    if results.runs[0].status != "finished":
        raise click.ClickException(results.runs[0].reason)
    click.echo(f"Run folder: {results.runs[0].folder}")


READING = ("text_column", "label_column", "separator", "max_rejected")
