"""sentilab status"""

import json
from dataclasses import asdict
from pathlib import Path

import click


@click.command(name="status")
@click.argument("runs", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON, one object a study.")
def command(runs: tuple[Path, ...], as_json: bool) -> None:
    """Say how far the studies in RUNS are: folders of studies, or such that hold several (default: runs)."""
    from rich.console import Console

    from sentilab.cli.live import pictured
    from sentilab.cli.watch import studies_in
    from sentilab.studies import read_progress

    console = Console()
    for folder in studies_in(runs or (Path("runs"),)):
        snapshot = read_progress(folder)
        if as_json:
            whole = {"folder": str(folder), **asdict(snapshot), "waiting": snapshot.waiting}
            click.echo(json.dumps(whole))
            continue
        at_it = f"{snapshot.engine}, at it now" if snapshot.is_live else "nobody is at it"
        console.print(f"[bold]{folder}[/bold]: {at_it}", highlight=False)
        console.print(pictured(snapshot))
