"""sentilab summary"""

import shutil
from pathlib import Path

import click

from sentilab.cli import options


@click.command(name="summary")
@click.argument("model")
@click.option(
    "--words", type=int, default=20_000, show_default=True, help="Size of the vocabulary."
)
@click.option("--length", type=int, default=200, show_default=True, help="Tokens of each text.")
@click.option("--classes", type=click.IntRange(2), default=2, show_default=True, help="Labels.")
@options.model_setting
@options.models_from
def command(
    model: str,
    words: int,
    length: int,
    classes: int,
    settings: tuple[str, ...],
    models_from: tuple[Path, ...],
) -> None:
    """Show MODEL's layers, the arithmetic of its parameters, and the data's shape on its way."""
    from sentilab import models

    options.load_models(models_from)
    chosen = options.model_settings(settings)
    models.check_settings(model, chosen)
    width = max(60, min(100, shutil.get_terminal_size((100, 24)).columns))
    task = models.Task(words, length, classes)
    click.echo(models.summary(model, task, chosen, width=width), nl=False)
