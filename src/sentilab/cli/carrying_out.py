"""Runs a prepared study before a person's eyes: progress, report after each run, closing table."""

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from sentilab import own_process, report, studies
from sentilab.cli import engine
from sentilab.cli.screen import Screen
from sentilab.compare import FIRST_LOOK, SequentialRule
from sentilab.report.sentences import count
from sentilab.studies import Study, StudyResults, many

if TYPE_CHECKING:
    from sentilab.tracking import Trackers

NOT_IMDB = "GENERATED DATA: THESE ARE NOT IMDB FIGURES"


def until_resolved(
    prepare: Callable[[int], Study],
    max_seeds: int,
    max_hours: float | None,
    again: str,
    asked: engine.Asked,
    trackers: "Trackers | None" = None,
) -> None:
    """Trains seed after seed; after each look says which comparisons are resolved.

    ``prepare`` gives the study with so many seeds; ``again`` is the command that resumes.
    """
    console = Console()
    first = prepare(FIRST_LOOK)
    names = list(dict.fromkeys(one.name.partition("@")[0] for one in first.plan.runs))
    comparisons = studies.named_comparisons(first.spec, names)
    protocols = [one.settings.protocol for one in first.plan.runs]
    # Where both are run, the honest one decides.
    protocol = "holdout" if "holdout" in protocols else protocols[0]
    rule = SequentialRule(max_seeds, len(comparisons))
    console.print(
        f"{count(len(comparisons), 'comparison')}, at most {max_seeds} seeds, {protocol} protocol. Each look "
        f"uses intervals at {rule.level:.2%}, so that all looks together err in at most 5% of cases.",
        highlight=False,
    )
    began = time.monotonic()

    def enough() -> bool:
        return max_hours is not None and time.monotonic() - began > 3600 * max_hours

    looks = studies.until_resolved(
        lambda seeds: carry_out(
            prepare(seeds), again, closing=False, asked=asked, trackers=trackers
        ),
        comparisons,
        rule,
        protocol,
        enough,
    )
    for found in looks:
        for one in found:
            said = one.verdict.sentence if one.verdict else f"{one.second}: not resolved yet."
            mark = "[green]resolved[/green]" if one.verdict else "[yellow]open[/yellow]    "
            console.print(
                f"{mark} after {one.seeds} seeds: {escape(said)}", highlight=False, soft_wrap=True
            )
    left = sum(one.verdict is None for one in found)
    console.print(
        "Every comparison is resolved."
        if not left
        else f"{left} of {len(found)} comparisons are still open, and the budget is spent.",
        style="bold",
    )


def carry_out(
    study: Study,
    again: str,
    *,
    closing: bool = True,
    asked: engine.Asked | None = None,
    trackers: "Trackers | None" = None,
) -> StudyResults:
    """Trains what is missing and shows the outcome; ``again`` is the command that resumes.

    ``asked`` says by what it is carried out; None: in this process, one training after the other.
    ``closing`` ends with the table of all runs. ``trackers`` record the runs as they end.
    """
    if asked is not None and os.name == "nt":
        click.echo("One training after the other: worker processes need Linux or macOS.", err=True)
        asked = None
    if asked is None:
        fused = any(one.settings.kernels != "keras" for one in study.plan.trainings)
        own_process.settle(fused=fused)
    console = Console()
    with study.alone():
        return _carry_out(study, again, console, asked, closing, trackers)


def _carry_out(
    study: Study,
    again: str,
    console: Console,
    asked: engine.Asked | None,
    closing: bool,
    trackers: "Trackers | None",
) -> StudyResults:
    """The same, with the study's folder for this process alone."""
    if asked is not None and asked.retry_failed:
        retried = many.forget_failures(study)
        console.print(f"{count(retried, 'failed training')} will be tried again.", highlight=False)
    generated = study.preparation.dataset.is_generated
    if generated:
        console.print(Panel(NOT_IMDB, style="bold red"))
    missing, known = len(study.unfinished()), len(study.plan.trainings)
    if missing < known:
        console.print(f"{known - missing} of {known} trainings are already done.", highlight=False)
    first_report, next_report = True, 0.0

    def after_each(results: StudyResults) -> None:
        # A large study's report takes seconds, a small model's run a few more: it is not to cost more
        # than a twentieth of the time.
        nonlocal first_report, next_report
        if trackers:
            trackers.record_new(results)
        began = time.monotonic()
        if began < next_report:
            return
        page, _ = report.write(results, study.folder)
        now = time.monotonic()
        next_report = now + 20 * (now - began) if not first_report else now
        if first_report:
            console.print(f"  report so far: {page}", highlight=False, soft_wrap=True)
        first_report = False

    try:
        if asked is None or not study.unfinished():
            with Screen(console) as screen:
                results = study.carry_out(screen.announce, after_each, is_alone=True)
        else:
            screen = Screen(console, several=True)
            with engine.crew(asked, study, console) as crew, screen:
                results = study.carry_out(
                    screen.announce, after_each, crew, screen.watch, is_alone=True
                )
    except KeyboardInterrupt:
        report.write(studies.read_results(study.folder), study.folder)
        left = len(study.unfinished())
        console.print(
            f"\nStopped. Finished runs and complete epochs are kept in {study.folder}; "
            f"{left} of {known} trainings are left.\nGo on with:  {again}",
            highlight=False,
            soft_wrap=True,
        )
        raise click.exceptions.Abort from None
    if trackers:
        trackers.record_new(results)  # those that an earlier command trained
    page, text = report.write(results, study.folder)
    if closing:
        console.print()
        console.print(report.compact_table(results, console.width))
    if generated:
        console.print(NOT_IMDB, style="bold red")
    console.print(f"Report: {page}  (and {text.name} beside it)", highlight=False, soft_wrap=True)
    return results
