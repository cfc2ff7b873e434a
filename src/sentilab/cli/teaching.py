"""Options of self-training, and what they make of a run's settings."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sentilab.cli import options
from sentilab.errors import SettingsError

if TYPE_CHECKING:
    from sentilab.data import Unlabelled
    from sentilab.training import RunSettings, Teacher

Command = TypeVar("Command", bound=Callable[..., Any])

# Decided by other options.
_NOT_SET_BY_KEY = {"teacher", "unlabelled", "unlabelled_fingerprint"}


def teaching_options(command: Command) -> Command:
    """``teacher`` and ``teach``, for ``taught``."""
    for option in (
        click.option(
            "--teach",
            multiple=True,
            metavar="KEY=VALUE",
            help="A setting of teaching, as in confidence=0.95 or soft=true.",
        ),
        click.option(
            "--teacher",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            metavar="RUN",
            help="A finished run whose answers to the --unlabelled texts are learned too.",
        ),
    ):
        command = option(command)
    return command


def taught(
    run: "RunSettings",
    texts: "Unlabelled | None",
    unlabelled: str | None,
    *,
    teacher: Path | None,
    teach: tuple[str, ...],
) -> tuple["RunSettings", "Unlabelled | None", "Teacher | None"]:
    """The run with the teaching that the options ask for, the texts that it needs, and its teacher.

    ``texts`` are those that were loaded already, and ``unlabelled`` names them otherwise.

    Raises SettingsError for options that would have no effect or a setting that does not exist,
    DataError if the texts cannot be had.
    """
    from sentilab import workbench
    from sentilab.training import Teacher, Teaching

    if teacher is None:
        if teach:
            raise SettingsError("--teach has no effect without --teacher.")
        return run, texts, None
    allowed = {one.name for one in fields(Teaching)} - _NOT_SET_BY_KEY
    how = options.known_settings(teach, "--teach", "teaching", allowed)
    if texts is None:
        if unlabelled is None:
            raise SettingsError(
                "--teacher needs texts to label: name them with --unlabelled, imdb or a file."
            )
        texts = options.load_unlabelled(unlabelled)
    knows = Teacher(workbench.finished_run(teacher))
    return replace(run, teaching=knows.teaching(texts, **how)), texts, knows


def say_what_was_learned(folder: Path) -> None:
    """How many texts a run has learned from its teacher, if it had one."""
    from sentilab.training import RunFolder

    told = RunFolder(folder).read_json("teaching.json")
    if told is None:
        return
    by_label = ", ".join(f"{count:,} {name}" for name, count in told["learned_by_label"].items())
    click.echo(
        f"Learned from {told['teacher']['folder']}: {told['learned']:,} of {told['texts']:,} "
        f"unlabelled texts ({by_label}), beside {told['labelled']:,} labelled ones. "
        f"Left out as repeats of labelled texts: {told['left_out_as_repeats']:,}."
    )
