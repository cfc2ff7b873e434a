"""sentilab serve"""

from pathlib import Path

import click

from sentilab.errors import SettingsError

# What batches of any size up to the largest need again and again.
KEPT_MEMORY = 32 << 20


@click.command(name="serve")
@click.argument(
    "bundles", nargs=-1, required=True, metavar="BUNDLE...", type=click.Path(path_type=Path)
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8000,
    show_default=True,
    help="0 takes a free one.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "native", "onnx", "int8"]),
    default="auto",
    show_default=True,
    help="What computes: the compiled kernel, ONNX Runtime, or that with 8-bit weights.",
)
@click.option(
    "--threads",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Threads a model; 0 for as many as there are cores.",
)
@click.option(
    "--api-key",
    envvar="SENTILAB_API_KEY",
    show_envvar=True,
    help="What requests must bring. Others on this machine can see it here: better in the "
    "environment or a file.",
)
@click.option(
    "--api-key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with keys, one a line.",
)
@click.option("--open", "is_open", is_flag=True, help="Let anyone in who reaches --host.")
@click.option(
    "--allow-host", "hosts", multiple=True, help="A further name that this service is called by."
)
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    help="A web origin whose pages may call this service, as https://example.org.",
)
@click.option(
    "--wait-ms",
    type=click.FloatRange(0, 1000),
    default=2.0,
    show_default=True,
    help="How long a batch may wait for other requests.",
)
@click.option(
    "--batch-texts",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Texts computed together at most.",
)
@click.option(
    "--queue-texts",
    type=click.IntRange(1),
    default=512,
    show_default=True,
    help="Texts that may wait for a model; more are refused.",
)
@click.option(
    "--texts-per-request", type=click.IntRange(1), default=256, show_default=True, help="At most."
)
@click.option(
    "--text-characters", type=click.IntRange(1), default=100_000, show_default=True, help="At most."
)
@click.option(
    "--body-bytes", type=click.IntRange(1), default=2 << 20, show_default=True, help="At most."
)
@click.option(
    "--answer-seconds",
    type=click.FloatRange(0.001, 3600),
    default=10.0,
    show_default=True,
    help="After which a request is given up.",
)
@click.option(
    "--drain-seconds",
    type=click.FloatRange(0, 3600),
    default=1.0,
    show_default=True,
    help="After SIGTERM, how long /ready says no before the service stops listening.",
)
@click.option("--quiet", is_flag=True, help="No line in the log for each request.")
@click.option("--log-texts", is_flag=True, help="Write users' texts into the log.")
def command(
    bundles: tuple[Path, ...],
    host: str,
    port: int,
    engine: str,
    threads: int,
    api_key: str | None,
    api_key_file: Path | None,
    is_open: bool,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    quiet: bool,
    **limits: float,
) -> None:
    """Serve each BUNDLE (a folder or .zip) over HTTP, with a page for people.

    Only this machine can reach it, unless --host says otherwise; then requests need an API key.
    """
    from sentilab import kernels, serve
    from sentilab.bundle import load
    from sentilab.serve.access import is_loopback

    keys = _keys(api_key, api_key_file)
    loopback = is_loopback(host)
    if not loopback and not keys and not is_open:
        raise SettingsError(
            f"{host} can be reached from other machines, and requests would need no API key.\n"
            "  Set SENTILAB_API_KEY or --api-key-file; or say --open if anyone may ask."
        )
    known = ("localhost", "127.0.0.1", "::1", host, *hosts) if loopback else None
    settings = serve.ServiceSettings(
        keys=keys,
        hosts=known,
        origins=origins,
        log_requests=not quiet,
        **limits,  # type: ignore[arg-type]
    )
    kernels.limit_kept_memory(KEPT_MEMORY)
    predictors = [load(one, engine=engine, threads=threads) for one in bundles]  # type: ignore[arg-type]
    app = serve.create_app(predictors, settings)
    address = serve.Address.bind(host, port)
    for name, model in app.state.service.models.items():
        click.echo(f"{name}: {', '.join(model.labels)}; {model.predictor.engine}")
    click.echo(f"Serving at {address.url} (Ctrl+C ends it)")
    serve.run(app, address)
    click.echo("Ended.")


def _keys(key: str | None, file: Path | None) -> tuple[str, ...]:
    """Raises SettingsError if the file holds no key."""
    keys = [key] if key is not None else []
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file}: no keys can be read from it ({error}).") from error
        if not lines:
            raise SettingsError(f"{file}: there is no key in it.")
        keys += lines
    return tuple(keys)
