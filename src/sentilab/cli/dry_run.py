"""What a study would do, and how long it would take on this machine."""

from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sentilab.studies import Study
from sentilab.training import RunFolder
from sentilab.training.ensembling import ENSEMBLE
from sentilab.training.pace import Pace, measure


def show(study: Study) -> None:
    """Lists the trainings in order, with times measured on a few batches of each kind."""
    console = Console()
    table = Table("", "run", "batch", "epochs", "seed", "protocol", "time", "")
    for number in (0, 2, 3, 4, 6):
        table.columns[number].justify = "right"
    epochs_of = {one.folder: one.settings.epochs for one in study.plan.trainings}
    paces: dict[str, Pace | None] = {}
    total = 0.0
    names: dict[Path, str] = {}
    for run in study.plan.runs:
        names.setdefault(run.folder, run.name.partition("@")[0])
    for number, one in enumerate(study.plan.trainings, start=1):
        settings, folder = one.settings, RunFolder(one.folder)
        ended = folder.read_json("result.json")
        done = len(folder.history()) or (epochs_of[one.continues] if one.continues else 0)
        note = f"continues after epoch {done}" if done else ""
        if ended:
            time, note = "", ended["status"]
        elif settings.model == ENSEMBLE:
            time, note = "", "of the runs above"
        else:
            # How much a teacher will be sure of is not known before it has been trained.
            taught, settings = settings.teaching is not None, replace(settings, teaching=None)
            examples = study.preparation.examples(settings)
            kind = str(replace(settings, seed=0, epochs=1, protocol="holdout"))
            first = kind not in paces
            if first:
                with console.status(
                    f"timing a few batches of {settings.model}, {settings.batch_size}"
                ):
                    paces[kind] = measure(settings, examples)
            pace = paces[kind]
            if pace is None:
                time, note = "", "will be refused: it cannot train"
            else:
                epochs = settings.epochs - done
                seconds = pace.start + epochs * pace.epoch(settings, examples) + pace.end(examples)
                if first and pace.pretraining:  # the other seeds share it
                    seconds += pace.pretraining
                    note = (note + "; " if note else "") + "pretrains first"
                total += seconds
                time = _minutes(seconds)
                if settings.early_stopping:
                    time, note = f"≤ {time}", (note + "; " if note else "") + "may stop early"
                if taught:
                    note = (note + "; " if note else "") + "not counting what its teacher answers"
        table.add_row(
            str(number),
            names.get(one.folder, settings.model),  # folds that an ensemble needs have no name
            str(settings.batch_size),
            str(settings.epochs),
            str(settings.seed),
            settings.protocol,
            time,
            note,
        )
    console.print(table)
    console.print(
        f"{len(study.unfinished())} of {len(study.plan.trainings)} trainings to do, "
        f"{len(study.plan.runs)} runs in the report; at most about {_minutes(total)}.",
        highlight=False,
    )


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
