"""sentilab check"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentilab.cli import options

if TYPE_CHECKING:
    from sentilab.checkup import Checkup
    from sentilab.data import Dataset

# Neither a mistake in the call (2) nor data that cannot be read (1).
PROBLEMS_FOUND = 3


@click.command(name="check")
@click.argument("source", default="imdb")
@click.option(
    "--data", "where", help="Where the data lie, if not where they are looked for by themselves."
)
@click.option(
    "--threshold",
    type=click.FloatRange(0.5, 1),
    default=0.8,
    show_default=True,
    help="From which Jaccard index on two texts are near-duplicates.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write everything that was found to this file too.",
)
@click.option(
    "--strict", is_flag=True, help=f"Exit with code {PROBLEMS_FOUND} if there is a problem."
)
@click.option(
    "--rejected-folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to list rows that were set aside (default: beside the file).",
)
@options.data_options
def command(
    source: str,
    where: str | None,
    threshold: float,
    json_file: Path | None,
    strict: bool,
    rejected_folder: Path | None,
    **reading: Any,
) -> None:
    """Look for what is wrong with SOURCE (a file, imdb or generated), or worth knowing of it.

    Repeats and near-duplicates within and across splits, contradicting labels, damaged characters,
    and whatever gives the label away.
    """
    from rich.console import Console

    from sentilab.cli import findings

    named, place = (source, where) if where else ("imdb", source)
    dataset = options.load_data(named, place, rejected_folder, **reading)
    checkup = _check(dataset, Path(place), threshold, reading)
    console = Console()
    findings.show(checkup, console)
    if json_file:
        _write(checkup, json_file)
        console.print(f"\nAll of this as JSON: {json_file}", highlight=False, soft_wrap=True)
    if strict and checkup.of("problem"):
        sys.exit(PROBLEMS_FOUND)


def _check(dataset: "Dataset", path: Path, threshold: float, reading: dict[str, Any]) -> "Checkup":
    """Checks the data with what lies beside them, and says on stderr what it is at."""
    from rich.console import Console

    from sentilab import checkup

    screen = Console(stderr=True)
    is_file = not dataset.is_generated and dataset.home is None
    with screen.status("reading") as status:

        def say(stage: str) -> None:
            status.update(stage)
            if not screen.is_terminal:
                screen.print(f"  {stage}", highlight=False)

        return checkup.check_data(
            dataset,
            unlabelled=checkup.unlabelled_beside(dataset),
            columns=checkup.other_columns(
                path, dataset, reading["separator"], reading["label_column"]
            )
            if is_file
            else None,
            threshold=threshold,
            progress=say,
        )


def _write(checkup: "Checkup", path: Path) -> None:
    """Raises SentilabError if the file cannot be written."""
    import json

    from sentilab import atomic
    from sentilab.errors import SentilabError

    content = json.dumps(checkup.to_json(), ensure_ascii=False, indent=2) + "\n"
    try:
        atomic.write_bytes(path, content.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise SentilabError(f"{path}: cannot be written ({error.strerror}).") from error
