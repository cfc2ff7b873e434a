"""sentilab study"""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentilab.cli import engine as engines
from sentilab.cli import options

if TYPE_CHECKING:
    from sentilab.studies import Study
    from sentilab.training import Kernels


@click.command(name="study")
@click.argument("study")
@click.option(
    "--data", "where", help="Where the data lie, or another source: a path, imdb, generated."
)
@click.option(
    "--protocol",
    type=click.Choice(["notebook", "holdout", "validation", "both"]),
    help="Judge on the test split as the notebook did, on a part of the training data, or both.",
)
@click.option("--seeds", type=click.IntRange(1), help="How many seeds, from the study's first on.")
@click.option(
    "--only", multiple=True, metavar="NAME", help="Only the runs of this name; * matches."
)
@click.option(
    "--until-resolved",
    is_flag=True,
    help="Add seeds until each comparison that the study names is resolved.",
)
@click.option(
    "--max-seeds",
    type=click.IntRange(3),
    default=30,
    show_default=True,
    help="With --until-resolved: no more seeds than this.",
)
@click.option(
    "--max-hours",
    type=click.FloatRange(0, min_open=True),
    help="With --until-resolved: no further seed after so long.",
)
@click.option(
    "--dry-run", is_flag=True, help="List the runs and the time they need; train nothing."
)
@click.option(
    "--on-missing-data",
    type=click.Choice(["stop", "generated"]),
    default="stop",
    show_default=True,
    help="What to do where the data are neither found nor fetched.",
)
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Try trainings again that failed by no doing of their own: lost, hung, short of memory.",
)
@engines.options
@engines.storage
@options.trackers
@options.without
@options.kernels
@options.runs_folder
@options.models_from
@options.data_options
def command(
    study: str,
    where: str | None,
    protocol: str | None,
    seeds: int | None,
    only: tuple[str, ...],
    until_resolved: bool,
    max_seeds: int,
    max_hours: float | None,
    dry_run: bool,
    track: tuple[str, ...],
    without: str | None,
    kernels: "Kernels | None",
    on_missing_data: str,
    retry_failed: bool,
    engine: "engines.Engine",
    address: str | None,
    workers: int | None,
    threads: int | None,
    hang_after: float,
    storage: str | None,
    runs: Path,
    models_from: tuple[Path, ...],
    **reading: Any,
) -> None:
    """Run STUDY, a packaged study (homework) or a TOML file, and write its report.

    What was trained before is not trained again, and an interrupted run goes on where it was.
    """
    from sentilab import studies, workbench
    from sentilab.cli import carrying_out
    from sentilab.cli.track import open_trackers
    from sentilab.errors import DataNotFound, SettingsError

    if until_resolved and (seeds or dry_run):
        raise SettingsError(
            "--until-resolved decides on the number of seeds itself; leave out --seeds and --dry-run, "
            "and set the most with --max-seeds."
        )
    trackers = open_trackers(track)
    options.load_models(models_from)
    spec = studies.read(study)
    try:
        dataset = options.load_data(
            spec.source, where, runs, without=without or spec.without, **reading
        )
    except DataNotFound as error:
        if on_missing_data == "stop":
            raise
        click.echo(
            f"{error}\n\n{carrying_out.NOT_IMDB}\nGoing on with the generated corpus.", err=True
        )
        dataset = options.load_data("generated", None)
    again = shlex.join(["sentilab", *sys.argv[1:]])

    asked = engines.Asked(
        engine, address, workers, threads, hang_after, storage, retry_failed, models_from
    )

    def prepare(seeds: int | None) -> "Study":
        return workbench.prepare_study(
            spec,
            dataset,
            runs,
            protocols=studies.protocols(protocol) if protocol else None,
            seeds=seeds,
            only=only,
            kernels=kernels,
        )

    if until_resolved:
        carrying_out.until_resolved(prepare, max_seeds, max_hours, again, asked, trackers)
        return
    prepared = prepare(seeds)
    if dry_run:
        from sentilab.cli.dry_run import show

        show(prepared)
        return
    carrying_out.carry_out(prepared, again, asked=asked, trackers=trackers)
