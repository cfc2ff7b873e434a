"""sentilab models"""

from pathlib import Path

import click

from sentilab.cli import options


@click.command(name="models")
@options.models_from
def command(models_from: tuple[Path, ...]) -> None:
    """List the models, built in and your own."""
    from sentilab import models

    options.load_models(models_from)
    width = max(map(len, models.names()))
    for name in models.names():
        click.echo(f"{name:{width}}  {models.describe(name).summary}")
