"""sentilab data"""

from pathlib import Path
from typing import Any

import click

from sentilab.cli import options


@click.command(name="data")
@click.argument("source", default="imdb")
@click.option(
    "--rejected-folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to list rows that were set aside (default: beside the file).",
)
@options.data_options
def command(source: str, rejected_folder: Path | None, **reading: Any) -> None:
    """Load SOURCE (a file, imdb or generated) and say what is in it."""
    import numpy as np

    dataset = options.load_data("imdb", source, rejected_folder, **reading)
    splits = ["all"] * len(dataset) if dataset.splits is None else list(dataset.splits)
    for split in dict.fromkeys(splits):
        labels = dataset.labels[np.asarray(splits) == split]
        counts = ", ".join(
            f"{(labels == number).sum():,} {name}"
            for number, name in enumerate(dataset.label_names)
        )
        click.echo(f"{split}: {len(labels):,} texts ({counts})")
    click.echo(f"fingerprint: {dataset.fingerprint}")
