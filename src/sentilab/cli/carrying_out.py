"""Runs a prepared study before a person's eyes: progress, report after each run, closing table."""

import click
from rich.console import Console
from rich.panel import Panel

from sentilab import kernels, report
from sentilab.cli.screen import Screen
from sentilab.studies import Study, StudyResults

NOT_IMDB = "GENERATED DATA: THESE ARE NOT IMDB FIGURES"


def carry_out(study: Study, again: str) -> StudyResults:
    """Trains what is missing and shows the outcome; ``again`` is the command that resumes."""
    if any(one.settings.kernels != "keras" for one in study.plan.trainings):
        kernels.keep_freed_memory()
    console = Console()
    generated = study.preparation.dataset.is_generated
    if generated:
        console.print(Panel(NOT_IMDB, style="bold red"))
    missing, known = len(study.unfinished()), len(study.plan.trainings)
    if missing < known:
        console.print(f"{known - missing} of {known} trainings are already done.", highlight=False)
    first_report = True

    def after_each(results: StudyResults) -> None:
        nonlocal first_report
        page, _ = report.write(results, study.folder)
        if first_report:
            console.print(f"  report so far: {page}", highlight=False, soft_wrap=True)
        first_report = False

    try:
        with Screen(console) as screen:
            results = study.carry_out(screen.announce, after_each)
    except KeyboardInterrupt:
        left = len(study.unfinished())
        console.print(
            f"\nStopped. Finished runs and complete epochs are kept in {study.folder}; "
            f"{left} of {known} trainings are left.\nGo on with:  {again}",
            highlight=False,
            soft_wrap=True,
        )
        raise click.exceptions.Abort from None
    page, text = report.write(results, study.folder)
    console.print()
    console.print(report.compact_table(results, console.width))
    if generated:
        console.print(NOT_IMDB, style="bold red")
    console.print(f"Report: {page}  (and {text.name} beside it)", highlight=False, soft_wrap=True)
    return results
