"""`sentilab train --budget`: spends the budget before a person's eyes and says what it bought."""

import time
from collections.abc import Collection
from pathlib import Path

import click
from rich.console import Console

from sentilab import own_process, report
from sentilab.cli.screen import Screen
from sentilab.data import Dataset
from sentilab.errors import SettingsError
from sentilab.studies import StudyResults
from sentilab.studies.budgeting import Budget
from sentilab.workbench import prepare_budget

# What may be said beside --budget, which decides on all the rest.
ALLOWED = frozenset(
    {"where", "budget", "seed", "runs", "without", "models_from"}
    | {"text_column", "label_column", "separator", "max_rejected"}
)


def check(budget: str, given: Collection[str]) -> Budget:
    """The budget, if nothing else was ``given`` that it decides on (names of parameters).

    Raises SettingsError for such an option, and for a budget that is no time.
    """
    for name in sorted(set(given) - ALLOWED):
        option = {"settings": "set"}.get(name, name).replace("_", "-")
        raise SettingsError(
            f"--budget chooses the model and its settings; leave out --{option}, or --budget."
        )
    return Budget.parse(budget)


def spend(
    budget: Budget, dataset: Dataset, runs: Path, *, seed: int, began: float, again: str
) -> None:
    """Trains, chooses and reports; ``began`` is time.monotonic() of the command's beginning."""
    console = Console()
    own_process.settle()
    study = prepare_budget(budget, dataset, runs, seed=seed, began=began)

    def after_each(results: StudyResults) -> None:
        report.write(results, study.folder)

    known = study.finished
    if not known:
        console.print(
            f"Up to {max(study.left, 0):.0f} s are left of {budget.text}; candidates, cheapest first: "
            + ", ".join(one.name for one in study.presets),
            highlight=False,
        )
    try:
        with Screen(console) as screen:
            results = study.carry_out(screen.announce, after_each)
    except KeyboardInterrupt:
        console.print(
            f"\nStopped. What was trained is kept in {study.folder}; the time spent counts.\n"
            f"Go on with:  {again}",
            highlight=False,
            soft_wrap=True,
        )
        raise click.exceptions.Abort from None
    page, text = report.write(results, study.folder)
    console.print()
    console.print(report.compact_table(results, console.width))
    for note in study.notes():
        console.print(note, style="yellow", highlight=False, soft_wrap=True)
    for line in report.taken(results):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(f"Report: {page}  (and {text.name} beside it)", highlight=False, soft_wrap=True)
    console.print(f"Run folder: {study.final_folder}", highlight=False, soft_wrap=True)
    spent = time.monotonic() - began
    if not known:
        console.print(f"This took {spent:.0f} s.", highlight=False)
