"""sentilab report"""

from pathlib import Path

import click


@click.command(name="report")
@click.argument(
    "folders",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write it (default: into the study's folder; for runs, the current folder).",
)
def command(folders: tuple[Path, ...], to: Path | None) -> None:
    """Write report.html and report.md of FOLDERS again.

    FOLDERS is a study's folder, such as runs/homework, or any number of run folders, from one study
    or from several: those whose settings differ in the seed alone are one setting, and each setting
    is compared with the first.
    """
    from rich.console import Console

    from sentilab import report, workbench

    results, home = workbench.results_of(folders)
    page, text = report.write(results, to or home)
    console = Console()
    console.print(report.compact_table(results, console.width))
    console.print(f"Report: {page}  (and {text.name} beside it)", highlight=False, soft_wrap=True)
