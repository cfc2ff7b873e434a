"""sentilab watch"""

import time
from collections.abc import Iterable
from pathlib import Path

import click

from sentilab.errors import SentilabError

LOOK_SECONDS = 1.0


@click.command(name="watch")
@click.argument("runs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--once", is_flag=True, help="Show it once, and end.")
def command(runs: Path, once: bool) -> None:
    """Show the progress of the study in RUNS until nobody is at it any more; Ctrl-C ends only the watching."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from sentilab.cli.live import pictured
    from sentilab.studies import read_progress

    folder, *others = studies_in((runs,))
    if others:
        names = "".join(f"\n  {one}" for one in (folder, *others))
        raise SentilabError(f"{runs} holds several studies; name one of them:{names}")
    console = Console()

    def picture() -> tuple[Group, bool]:
        snapshot = read_progress(folder)
        at_it = f"{snapshot.engine}, at it now" if snapshot.is_live else "nobody is at it"
        head = Text.assemble((str(folder), "bold"), f"  {at_it}")
        return Group(head, pictured(snapshot)), snapshot.is_live

    shown, live = picture()
    if once or not live:
        console.print(shown)
        return
    try:
        with Live(shown, console=console, auto_refresh=False) as screen:
            while live:
                time.sleep(LOOK_SECONDS)
                shown, live = picture()
                screen.update(shown, refresh=True)
    except KeyboardInterrupt:
        raise click.exceptions.Abort from None


def studies_in(folders: Iterable[Path]) -> list[Path]:
    """The studies' folders among, or right below, ``folders``; raises SentilabError if there are none."""
    from sentilab import studies

    found = []
    for folder in folders:
        inside = [folder] if studies.is_study(folder) else sorted(folder.glob("*/"))
        found += [one for one in inside if studies.is_study(one)]
    if not found:
        raise SentilabError(f"{', '.join(map(str, folders))}: there is no study here.")
    return found
