"""The options that say by what a study is carried out, and the workers that they mean."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from sentilab.cli.options import seconds
from sentilab.errors import SettingsError

if TYPE_CHECKING:
    from rich.console import Console

    from sentilab.studies import Study
    from sentilab.studies.packing import Packing
    from sentilab.training import Crew
    from sentilab.training.storage import Storage

Command = TypeVar("Command", bound=Callable[..., Any])
Engine = Literal["local", "ray"]


@dataclass(frozen=True)
class Asked:
    """What the options say."""

    engine: Engine = "local"
    address: str | None = None
    workers: int | None = None
    threads: int | None = None
    hang_after: float = 900.0
    storage: str | None = None
    retry_failed: bool = False
    models_from: tuple[Path, ...] = ()


def options(command: Command) -> Command:
    """--engine and what belongs to it."""
    for option in reversed(
        (
            click.option(
                "--engine",
                type=click.Choice(["local", "ray"]),
                default="local",
                show_default=True,
                help="Processes of this machine, or a Ray cluster.",
            ),
            click.option(
                "--address",
                help="With --engine ray: the cluster's address (default: one on this machine).",
            ),
            click.option(
                "--workers",
                type=click.IntRange(1),
                help="How many trainings at once (default: what is fastest, by measurement).",
            ),
            click.option(
                "--threads", type=click.IntRange(1), help="How many threads each of them has."
            ),
            click.option(
                "--hang-after",
                callback=seconds,
                default="15m",
                show_default=True,
                metavar="TIME",
                help="A training that gives no sign of life for so long is given up.",
            ),
        )
    ):
        command = option(command)
    return command


storage = click.option(
    "--storage",
    metavar="ADDRESS",
    help="Where runs are kept that all machines reach, such as s3://bucket/runs.",
)


@contextmanager
def crew(asked: Asked, study: "Study", console: "Console") -> Iterator["Crew"]:
    """The workers that carry ``study`` out; says what they are and why so many."""
    from sentilab.studies import packing
    from sentilab.training.storage import Storage

    storage = Storage(f"{asked.storage}/{study.folder.name}") if asked.storage else None
    if asked.engine == "ray":
        threads = asked.threads or packing.threads_begun_with(study) or 1
        packing.keep(study, packing.given(packing.processes_for(threads), threads))
        with on_ray(asked, study.folder / "study.json", threads, console, storage) as made:
            yield made
        return
    if asked.workers:
        threads_asked = asked.threads or packing.threads_begun_with(study)
        packed = packing.given(asked.workers, threads_asked)
    else:
        with console.status("") as status:
            packed = packing.choose(study, status.update, threads=asked.threads)
    packing.keep(study, packed)
    with on_processes(asked, packed, console, storage) as made:
        yield made


@contextmanager
def on_processes(
    asked: Asked, packed: "Packing", console: "Console", storage: "Storage | None" = None
) -> Iterator["Crew"]:
    """Processes of this machine."""
    from sentilab.engines import LocalPool, Needs
    from sentilab.training import Crew

    if asked.address:
        raise SettingsError("--address is a Ray cluster's; add --engine ray.")
    console.print(f"{packed.told} ({packed.reason}).", highlight=False)
    with LocalPool(packed.processes, packed.threads, memory=packed.memory) as pool:
        needs = Needs(packed.threads)
        yield Crew(pool, needs, asked.hang_after, asked.models_from, packed.told, storage)


@contextmanager
def on_ray(
    asked: Asked,
    witness: Path,
    threads: int,
    console: "Console",
    storage: "Storage | None" = None,
) -> Iterator["Crew"]:
    """Workers on a cluster, which tell by ``witness``, a file, that they see where results belong."""
    from sentilab.engines import Needs
    from sentilab.engines.ray import RayPool
    from sentilab.training import Crew
    from sentilab.training.task import SHARE

    with RayPool(
        asked.address,
        threads=threads,
        most=asked.workers,
        share=witness.parent / SHARE,
        witness=None if storage else witness,
    ) as pool:
        console.print(f"{pool.told}.", highlight=False, soft_wrap=True)
        needs = Needs(threads)
        yield Crew(pool, needs, asked.hang_after, asked.models_from, pool.told, storage)
