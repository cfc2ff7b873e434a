"""Run folders are the truth; everything here is read from them and can be thrown away."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from sentilab import atomic
from sentilab.studies.plan import Named
from sentilab.studies.records import Run, Status
from sentilab.training import RunFolder, kept_epoch

INDEX_COLUMNS = (
    "name",
    "status",
    "model",
    "batch_size",
    "epochs",
    "epochs_run",
    "seed",
    "protocol",
    "parameters",
    "accuracy",
    "loss",
    "seconds",
    "folder",
)


def read_run(named: Named) -> Run:
    """What the run's folder says, whether finished, under way or not yet begun."""
    folder = RunFolder(named.folder)
    result = folder.read_json("result.json") or {}
    anatomy = folder.read_json("anatomy.json")
    history = folder.history()
    status: Status = result.get("status", "running" if anatomy else "planned")
    finished = status == "finished"
    return Run(
        name=named.name,
        title=named.title,
        settings=named.settings,
        status=status,
        folder=named.folder,
        reason=result.get("reason", ""),
        parameters=anatomy["parameters"] if anatomy else None,
        history=history,
        seconds=folder.seconds(),
        pretraining_seconds=folder.pretraining_seconds(),
        stopped_early=result.get("stopped_early", False),
        chosen_epoch=kept_epoch(history, named.settings.early_stopping) if finished else None,
        accuracy=result["test"]["accuracy"] if finished else None,
        loss=result["test"]["loss"] if finished else None,
        recorded=named.recorded,
        anatomy=anatomy,
        environment=folder.read_json("environment.json"),
        prediction_ms=folder.prediction_ms(),
        size=folder.size(),
    )


def write_index(runs: Iterable[Run], path: Path) -> None:
    """A CSV with one line a run, derived from the run folders."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(INDEX_COLUMNS)
    for one in runs:
        writer.writerow(
            (
                one.name,
                one.status,
                one.settings.model,
                one.settings.batch_size,
                one.settings.epochs,
                len(one.history),
                one.settings.seed,
                one.settings.protocol,
                one.parameters,
                one.accuracy,
                one.loss,
                round(one.training_seconds, 1),
                one.folder.name,
            )
        )
    atomic.write_text(path, text.getvalue())
