"""sentilab probe"""

from pathlib import Path
from typing import Any

import click

from sentilab.cli import options


@click.command(name="probe")
@click.argument(
    "folders",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option(
    "--data", "where", help="Where the data lie, if not where they are looked for by themselves."
)
@click.option("--only", multiple=True, metavar="PROBE", help="Only this probe; may be repeated.")
@click.option("--again", is_flag=True, help="Measure also what was measured before.")
@options.models_from
@options.data_options
def command(
    folders: tuple[Path, ...],
    where: str | None,
    only: tuple[str, ...],
    again: bool,
    models_from: tuple[Path, ...],
    **reading: Any,
) -> None:
    """Probe the finished runs in FOLDERS (runs, or whole studies) and write their reports again.

    What is found goes to the folder probe/ of each run.
    """
    from rich.console import Console

    from sentilab import own_process, probe, workbench
    from sentilab.errors import DataNotFound
    from sentilab.probe import store

    options.load_models(models_from)
    console = Console()
    own_process.settle()
    names = only or tuple(store.PROBES)
    for name in names:
        store.module(name)
    runs = workbench.finished_runs(folders)
    subjects = workbench.Subjects(lambda source: options.load_data(source, where, **reading))
    for number, run in enumerate(runs, start=1):
        console.print(f"[bold]{run.path.name}[/bold] ({number} of {len(runs)})", highlight=False)
        subject = None
        for name in names:
            module = store.module(name)
            result = None if again else probe.read(run.path, name)
            if result is None:
                subject = subject or subjects.of(run)
                try:
                    with console.status(f"  {name}"):
                        result = module.measure(subject)
                except (probe.NotApplicable, DataNotFound) as error:
                    # What was asked for by name, and wants only its data, is worth an error.
                    if only and isinstance(error, DataNotFound):
                        raise
                    console.print(
                        f"  {name}: skipped. {error}", style="yellow", highlight=False, markup=False
                    )
                    continue
                probe.write(run.path, name, result)
            for line in module.lines(result):
                console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    for folder in workbench.study_folders(runs):
        page = workbench.write_report(folder)
        console.print(f"Report: {page}", highlight=False, soft_wrap=True)
