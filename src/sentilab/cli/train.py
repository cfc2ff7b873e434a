"""sentilab train"""

import shlex
import sys
import time
from pathlib import Path
from typing import Any

import click

from sentilab.cli import options
from sentilab.cli.pretraining import pretrained, pretraining_options
from sentilab.cli.teaching import say_what_was_learned, taught, teaching_options
from sentilab.cli.training import settings_of, training_options
from sentilab.errors import SettingsError


@click.command(name="train")
@click.option(
    "--data", "where", default="imdb", show_default=True, help="A file, imdb or generated."
)
@click.option("--model", default="mlp", show_default=True, help="One of `sentilab models`.")
@click.option(
    "--budget",
    metavar="TIME",
    help="Choose, train and report the best model that so much time can buy: 90s, 10m, 1.5h.",
)
@click.option(
    "--preset", metavar="NAME", help="Settings known to do well; other options go before them."
)
@options.model_setting
@training_options
@click.option("--seed", type=int, default=297, show_default=True)
@click.option("--patience", type=int, help="Stop early after so many epochs without improvement.")
@click.option(
    "--monitor", default="val_accuracy", show_default=True, help="What early stopping watches."
)
@click.option("--restore-best", is_flag=True, help="Keep the best epoch's weights, not the last's.")
@click.option(
    "--protocol", type=click.Choice(["notebook", "holdout"]), default="holdout", show_default=True
)
@pretraining_options
@teaching_options
@options.without
@options.kernels
@options.runs_folder
@options.models_from
@options.data_options
def command(
    where: str,
    model: str,
    budget: str | None,
    preset: str | None,
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
    began = time.monotonic()
    from sentilab import models, workbench
    from sentilab.cli import carrying_out
    from sentilab.training import RunSettings

    options.load_models(models_from)
    reading = {key: rest.pop(key) for key in READING}
    pretraining = {key: rest.pop(key) for key in PRETRAINING}
    teaching = {key: rest.pop(key) for key in TEACHING}
    again = shlex.join(["sentilab", *sys.argv[1:]])
    if budget is not None:
        from sentilab.cli import budgeting

        allowed = budgeting.check(budget, options.given())
        dataset = options.load_data("imdb", where, runs, without=without or "", **reading)
        budgeting.spend(allowed, dataset, runs, seed=rest["seed"], began=began, again=again)
        return
    if patience is None and restore_best:
        raise SettingsError("--restore-best needs --patience: without it the last epoch is kept.")
    known = {"model": model, **models.describe(model).defaults}
    if preset is not None:
        known = options.preset(preset)
    model = known.pop("model")
    own = {**known.pop("model_settings", {}), **options.model_settings(settings)}
    plain = settings_of(rest, known)
    if patience is not None:
        stopping = {"monitor": monitor, "patience": patience, "restore_best": restore_best}
        plain["early_stopping"] = stopping
    run = RunSettings.from_dict({"model": model, "model_settings": own, **plain, **rest})
    models.check_settings(run.model, run.model_settings)
    asked = pretraining["unlabelled"]
    if teaching["teacher"] and pretraining["pretrain_epochs"] is None and not run.pretraining:
        pretraining["unlabelled"] = None  # they are for the teacher alone
    run, unlabelled = pretrained(run, **pretraining)
    run, unlabelled, teacher = taught(run, unlabelled, asked, **teaching)
    dataset = options.load_data("imdb", where, runs, without=without or "", **reading)
    study = workbench.prepare_study(
        workbench.single_run(run, dataset),
        dataset,
        runs,
        unlabelled=unlabelled,
        teacher=teacher,
    )
    results = carrying_out.carry_out(study, again)
    if results.runs[0].status != "finished":
        raise click.ClickException(results.runs[0].reason)
    say_what_was_learned(results.runs[0].folder)
    click.echo(f"Run folder: {results.runs[0].folder}")


PRETRAINING = ("unlabelled", "pretrain_epochs", "pretrain")
TEACHING = ("teacher", "teach")
READING = ("text_column", "label_column", "separator", "max_rejected")
