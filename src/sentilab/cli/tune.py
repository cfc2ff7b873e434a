"""sentilab tune"""

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentilab.cli import engine as engines
from sentilab.cli import options

if TYPE_CHECKING:
    from rich.console import Console

    from sentilab.cli.screen import Screen
    from sentilab.training import Listener, RunSettings
    from sentilab.tune import Budget, Search, Trial, Tuned, Tuning


@click.command(name="tune")
@click.option(
    "--data", "where", default="imdb", show_default=True, help="A file, imdb or generated."
)
@click.option("--model", default="mlp", show_default=True, help="One of `sentilab models`.")
@click.option(
    "--trials", type=click.IntRange(1), help="How many (default: 20, if no --budget is given)."
)
@click.option(
    "--budget",
    callback=options.seconds,
    metavar="TIME",
    help="The time for all of it, such as 90s, 10m or 1.5h.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Fix a setting of the model or of its run, as in epochs=2; it is then not searched.",
)
@click.option(
    "--objective",
    type=click.Choice(["accuracy", "log-loss"]),
    default="accuracy",
    show_default=True,
    help="What is best, on validation texts.",
)
@click.option(
    "--pruning",
    type=click.Choice(["median", "none"]),
    default="median",
    show_default=True,
    help="Give up trials that are worse than half of the others were by then.",
)
@click.option(
    "--finalists",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="How many of the best are trained again.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="With how many other seeds the finalists, and then the winner, are trained.",
)
@click.option("--seed", type=click.IntRange(0), default=297, show_default=True)
@click.option(
    "--parallel",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="How many trials are under way at once: each learns from all but the last ones before it.",
)
@engines.options
@click.option("--dry-run", is_flag=True, help="Show what would be searched; train nothing.")
@options.without
@options.runs_folder
@options.models_from
@options.data_options
def command(
    where: str,
    model: str,
    trials: int | None,
    budget: float | None,
    settings: tuple[str, ...],
    dry_run: bool,
    without: str | None,
    runs: Path,
    models_from: tuple[Path, ...],
    objective: Any,
    pruning: Any,
    finalists: int,
    seeds: int,
    seed: int,
    parallel: int,
    engine: "engines.Engine",
    address: str | None,
    workers: int | None,
    threads: int | None,
    hang_after: float,
    **reading: Any,
) -> None:
    """Search for the settings that suit a model and your data best.

    Choices are made on validation texts alone; the winner's test texts are scored once, at the end.
    The same command again shows the result; after an interruption it goes on.
    """
    from rich.console import Console

    from sentilab.report import tuned as reporting
    from sentilab.text import cache_folder
    from sentilab.training import Preparation
    from sentilab.tune import DEFAULT_TRIALS, Budget, Search, Tuning

    options.load_models(models_from)
    search = Search(
        model=model,
        fixed=options.model_settings(settings),
        objective=objective,
        pruning=pruning,
        finalists=finalists,
        seeds=seeds,
        seed=seed,
        parallel=parallel,
    )
    asked = engines.Asked(
        engine, address, workers or parallel, threads, hang_after, models_from=models_from
    )
    if trials is None and budget is None:
        trials = DEFAULT_TRIALS
    allowed = Budget(trials, budget)
    console = Console()
    if dry_run:
        _show_space(search, console)
        return
    dataset = options.load_data("imdb", where, runs, without=without or "", **reading)
    tuning = Tuning.prepare(search, Preparation(dataset, cache_folder()), runs)
    try:
        found = _carry_out(tuning, allowed, console, asked)
    except KeyboardInterrupt:
        console.print(
            f"\nStopped. Trials and complete epochs are kept in {tuning.folder}.\nGo on with:  "
            f"{shlex.join(['sentilab', *sys.argv[1:]])}",
            highlight=False,
            soft_wrap=True,
        )
        raise click.exceptions.Abort from None
    page, text = reporting.write(found)
    console.print()
    for line in reporting.sentences(reporting.Judged(found)):
        console.print(line, highlight=False, markup=False)
    console.print(f"Report: {page}  (and {text.name} beside it)", highlight=False, soft_wrap=True)
    for run in found.scored_runs():
        console.print(f"Run folder: {run.path}", highlight=False, soft_wrap=True)


def _carry_out(
    tuning: "Tuning", budget: "Budget", console: "Console", asked: "engines.Asked"
) -> "Tuned":
    from sentilab.cli.screen import Screen

    if asked.engine == "ray" or tuning.search.parallel > 1:
        from sentilab.studies import packing
        from sentilab.tune.search import FACTS

        workers = (
            engines.on_ray(asked, tuning.folder / FACTS, asked.threads or 1, console)
            if asked.engine == "ray"
            else engines.on_processes(
                asked, packing.given(asked.workers or 1, asked.threads), console
            )
        )
        screen = Screen(console, several=True)
        with workers as crew, screen:
            return tuning.carry_out(budget, Onlooker(console, screen), crew)
    from sentilab import own_process

    own_process.settle()
    with Screen(console) as screen:
        return tuning.carry_out(budget, Onlooker(console, screen))


class Onlooker:
    """Says what begins and how it ended, and writes the report where that costs little."""

    def __init__(self, console: "Console", screen: "Screen") -> None:
        self._console, self._screen = console, screen
        self._next_report = 0.0

    def begins(self, what: str, settings: "RunSettings", chosen: dict[str, Any]) -> "Listener":
        from sentilab.report.tuned import said

        self._console.print(f"{what}: {said(chosen)}", highlight=False, markup=False)
        return self._screen.follow(what)

    def ended(self, so_far: "Tuned", trial: "Trial | None") -> None:
        from sentilab.report import tuned as reporting

        if trial is not None and trial.state in ("pruned", "failed", "stopped"):
            reason = f" {trial.reason}" if trial.reason else ""
            self._console.print(f"  {reporting.STATES[trial.state]}.{reason}", markup=False)
        began = time.monotonic()
        if began >= self._next_report:
            reporting.write(so_far)
            now = time.monotonic()
            # Not to cost more than a twentieth of the time.
            self._next_report = now + 20 * (now - began)


def _show_space(search: "Search", console: "Console") -> None:
    from rich import box
    from rich.table import Table

    from sentilab.report.tuned import said, space_of
    from sentilab.tune.proposals import size

    table = Table("setting", "values", "first trial", box=box.SIMPLE_HEAD, pad_edge=False)
    for key, values, start in space_of(search):
        table.add_row(key, values, start)
    console.print(table)
    points = size(search.space)
    many = "any number of" if points == float("inf") else f"{points:,.0f}"
    console.print(f"{many} different settings of {search.model}.", highlight=False)
    if search.fixed:
        console.print(f"Fixed: {said(search.fixed)}.", highlight=False, markup=False)
