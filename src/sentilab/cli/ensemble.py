"""sentilab ensemble"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentilab.cli import options
from sentilab.errors import SettingsError

if TYPE_CHECKING:
    from rich.table import Table

    from sentilab.training import RunFolder
    from sentilab.training.ensembling import How


@click.command(name="ensemble")
@click.argument(
    "folders",
    metavar="RUN RUN...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option(
    "--stack",
    is_flag=True,
    help="Weights by logistic regression on out-of-fold answers; by default all weigh the same.",
)
@click.option(
    "--folds",
    type=click.IntRange(2),
    help="With --stack: how many folds each member is trained on.  [default: 5]",
)
@click.option(
    "--on-validation",
    is_flag=True,
    help="With --stack: on the validation texts instead, which trains nothing.",
)
@click.option("--negative", is_flag=True, help="With --stack: allow weights below 0.")
@click.option(
    "--calibrate",
    is_flag=True,
    help="Divide each member's log odds by its temperature before they are averaged.",
)
@click.option(
    "--data", "where", help="Where the data lie, if not where they are looked for by themselves."
)
@options.runs_folder
@options.models_from
@options.data_options
def command(
    folders: tuple[Path, ...],
    stack: bool,
    folds: int | None,
    on_validation: bool,
    negative: bool,
    calibrate: bool,
    where: str | None,
    runs: Path,
    models_from: tuple[Path, ...],
    **reading: Any,
) -> None:
    """Make one model of finished runs, and write its run folder.

    RUN is a run's folder, or a study's, which stands for all of its finished runs. They must have been
    trained on the same data and tested on the same texts. The same command again shows what is there;
    after an interruption it goes on.
    """
    from rich.console import Console

    from sentilab import own_process, workbench
    from sentilab.cli.screen import Screen
    from sentilab.studies import Training

    options.load_models(models_from)
    how = _how(stack, folds, on_validation, negative, calibrate)
    members = [one for each in folders for one in _members(each)]
    console = Console()
    own_process.settle()
    with Screen(console) as screen:
        run = workbench.make_ensemble(
            members,
            how,
            load=lambda source: options.load_data(source, where, runs, **reading),
            runs=runs,
            announce=lambda one, *count: screen.announce(Training(one, runs, None, False), *count),
        )
    console.print()
    console.print(_table(run, members))
    for line in _closing(run, members):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    click.echo(f"Run folder: {run.path}")


def _members(folder: Path) -> "list[RunFolder]":
    """The run in ``folder``, or a study's finished runs, without the ensembles and folds among them."""
    from sentilab import workbench
    from sentilab.training.ensembling import ENSEMBLE

    found = workbench.finished_runs([folder])
    if (folder / "config.toml").exists():
        return found
    settings = [one.settings() for one in found]
    return [
        run
        for run, one in zip(found, settings, strict=True)
        if one.model != ENSEMBLE and not one.inner_folds
    ]


def _how(
    stack: bool, folds: int | None, on_validation: bool, negative: bool, calibrate: bool
) -> "How":
    from sentilab.training.ensembling import How

    if not stack:
        for given, name in (
            (folds, "--folds"),
            (on_validation, "--on-validation"),
            (negative, "--negative"),
        ):
            if given:
                raise SettingsError(f"{name} goes with --stack: an average learns no weights.")
        return How(calibrated=calibrate)
    if folds and on_validation:
        raise SettingsError("--folds and --on-validation are two ways to stack; choose one.")
    return How("stacking", calibrate, None if on_validation else folds or 5, not negative)


def _table(run: "RunFolder", members: "list[RunFolder]") -> "Table":
    """Each member alone, and the ensemble: what it weighs, how well it does, and what it costs."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("model", overflow="fold")
    for name in (
        "seed",
        "weight",
        "validation",
        "test",
        "parameters",
        "MB",
        "trained s",
        "ms / 1,000",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    told = run.read_json("ensemble.json")["members"]
    for one, said in zip(members, told, strict=True):
        table.add_row(one.settings().model, *_figures(one, f"{said['weight']:.3f}"))
    table.add_section()
    table.add_row("ensemble", *_figures(run, ""))
    return table


def _figures(run: "RunFolder", weight: str) -> list[str]:
    from sentilab.training import seconds_of

    result, pace = run.read_json("result.json"), run.prediction_ms()
    return [
        str(run.settings().seed),
        weight,
        f"{result['kept']['val_accuracy']:.4f}",
        f"{result['test']['accuracy']:.4f}",
        f"{result['parameters']:,}",
        f"{(run.size() or 0) / 1e6:.1f}",
        f"{seconds_of([run]):,.0f}",
        "" if pace is None else f"{pace:,.0f}",
    ]


def _closing(run: "RunFolder", members: "list[RunFolder]") -> list[str]:
    """How the weights came about, and whether the ensemble is better than its best member."""
    from sentilab.compare import paired_difference

    told = run.read_json("ensemble.json")
    source = {
        "nothing": "All members weigh the same; nothing was learned.",
        "validation": f"Weights were learned from {told['texts']:,} validation texts.",
        "folds": f"Weights were learned from out-of-fold answers to {told['texts']:,} texts.",
    }[told["learned_from"]]
    best = max(members, key=lambda one: float(one.read_json("result.json")["kept"]["val_accuracy"]))
    found = paired_difference(run.predictions().correct, best.predictions().correct)
    low, high = (100 * one for one in found.interval)
    return [
        "",
        f"{source} The seconds of the ensemble are those of all that was trained for it.",
        f"Against {best.settings().model} (seed {best.settings().seed}), the best member on the "
        f"validation texts: {100 * found.difference:+.2f} points of test accuracy, 95% interval "
        f"{low:+.2f} to {high:+.2f} over the choice of test texts.",
    ]
