"""sentilab report"""

from pathlib import Path

import click


@click.command(name="report")
@click.argument("study_folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def command(study_folder: Path) -> None:
    """Write report.html and report.md of STUDY_FOLDER (such as runs/homework) again."""
    from rich.console import Console

    from sentilab import report
    from sentilab.studies import read_results

    results = read_results(study_folder)
    page, text = report.write(results, study_folder)
    console = Console()
    console.print(report.compact_table(results, console.width))
    console.print(f"Report: {page}  (and {text.name} beside it)", highlight=False, soft_wrap=True)
