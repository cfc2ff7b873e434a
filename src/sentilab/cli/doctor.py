"""sentilab doctor"""

import click


@click.command(name="doctor")
def command() -> None:
    """Say what this machine has, which LSTM runs here and why, and where IMDB's reviews lie."""
    from rich.console import Console
    from rich.table import Table

    from sentilab import kernels, layers
    from sentilab.data import sources
    from sentilab.kernels import ngrams
    from sentilab.training.environment import environment

    console = Console()
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in environment().items():
        table.add_row(name, str(value))
    obstacle = layers.here()
    if obstacle:
        table.add_row("LSTM", f"Keras's own layers: {obstacle}")
    else:
        threads = f"{kernels.threads()} thread{'s' * (kernels.threads() != 1)}"
        table.add_row("LSTM", f"fused, {kernels.title()}, {threads}")
        table.add_row("bf16 products", "yes" if kernels.has_bf16() else "not on this processor")
    table.add_row("n-grams", f"counted by {ngrams.path()}")
    found = next((place for _, place in sources.places() if sources.is_imdb(place)), None)
    table.add_row("IMDB", f"found in {found}" if found else "not found; it would be downloaded")
    console.print(table, highlight=False, soft_wrap=True)
