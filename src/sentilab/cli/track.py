"""sentilab track"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sentilab.tracking import Tracker, Trackers


@click.command(name="track")
@click.argument(
    "folders",
    metavar="RUNS...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option(
    "--to",
    "specs",
    multiple=True,
    required=True,
    metavar="TRACKER",
    help="mlflow, mlflow=URI, tensorboard or tensorboard=FOLDER; may be given several times.",
)
def command(folders: tuple[Path, ...], specs: tuple[str, ...]) -> None:
    """Record runs that have ended in MLflow, or for TensorBoard.

    RUNS are run folders, or a study's, which stands for the runs of its report. What is recorded
    already is not recorded again.
    """
    from sentilab import tracking

    trackers = [tracking.open_tracker(one) for one in specs]
    found = [tracking.ended_runs(one) for one in folders]
    ended = {run.path.resolve(): (run, name) for runs, _ in found for run, name in runs}
    unfinished = sum(left for _, left in found)
    for tracker in trackers:
        try:
            new = sum(
                tracker.record(run, name, tracking.study_name(run.path))
                for run, name in ended.values()
            )
        except Exception as error:
            raise click.ClickException(_failure(tracker, error)) from error
        left = f"; {unfinished} not ended yet" if unfinished else ""
        there = f", {len(ended) - new} there already" if new < len(ended) else ""
        spec = tracking.without_secrets(tracker.spec)
        click.echo(f"{spec}: {new} recorded{there}{left}")
        homes = [run.path.parent for run, _ in ended.values()]
        for way in dict.fromkeys(tracker.shown_by(one) for one in homes):
            click.echo(f"  To look at them:  {tracking.without_secrets(way)}")


def open_trackers(specs: tuple[str, ...]) -> "Trackers | None":
    """Those that ``--track`` names; None for none. Raises as ``tracking.open_tracker`` does."""
    if not specs:
        return None
    from sentilab import tracking

    opened = [tracking.open_tracker(one) for one in dict.fromkeys(specs)]
    return tracking.Trackers(opened, lambda text: click.secho(text, fg="yellow", err=True))


def _failure(tracker: "Tracker", error: Exception) -> str:
    from sentilab import tracking

    spec = tracking.without_secrets(tracker.spec)
    return f"{spec}: {tracking.said(error)}\n  What is recorded so far stays; the same command goes on."
