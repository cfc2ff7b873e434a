"""sentilab crossvalidate"""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentilab.cli import options
from sentilab.cli.training import settings_of, training_options
from sentilab.errors import SettingsError

if TYPE_CHECKING:
    from rich.table import Table

    from sentilab.data import Dataset
    from sentilab.studies import CrossValidated, StudySpec
    from sentilab.training import RunSettings


@click.command(name="crossvalidate")
@click.argument("study", required=False)
@click.option("--data", "where", help="A file, imdb or generated; by default the study's, or imdb.")
@click.option("--model", multiple=True, help="One of `sentilab models`; may be repeated.")
@click.option("--preset", multiple=True, help="Settings known to do well; may be repeated.")
@click.option(
    "--ensemble", is_flag=True, help="Test also the average of all models that are named."
)
@options.model_setting
@training_options
@click.option("--folds", type=click.IntRange(2), default=10, show_default=True)
@click.option("--seed", type=int, default=297, show_default=True, help="The first seed.")
@click.option("--seeds", type=click.IntRange(1), help="How many seeds, from the first on.")
@click.option(
    "--protocol",
    type=click.Choice(["notebook", "holdout"]),
    help="holdout keeps validation texts out of training; by default only where a run stops early.",
)
@click.option(
    "--only", multiple=True, metavar="NAME", help="Only the study's runs of this name; * matches."
)
@options.runs_folder
@options.models_from
@options.data_options
def command(
    study: str | None,
    where: str | None,
    model: tuple[str, ...],
    preset: tuple[str, ...],
    ensemble: bool,
    settings: tuple[str, ...],
    folds: int,
    seed: int,
    seeds: int | None,
    protocol: Any,
    only: tuple[str, ...],
    runs: Path,
    models_from: tuple[Path, ...],
    **rest: Any,
) -> None:
    """Test on every text: each fold by models that were trained on the other folds.

    What is trained are the runs of STUDY, a packaged study or a TOML file, or the models and presets
    that are named. Folds keep repeated texts together and hold each label in like shares; where the data
    have an official test part, that is left out. The same command again shows what is there; after an
    interruption it goes on.
    """
    from rich.console import Console

    from sentilab import own_process, studies, workbench
    from sentilab.cli.screen import Screen

    options.load_models(models_from)
    reading = {key: rest.pop(key) for key in READING}
    if study is not None:
        _refuse_beside_a_study()
        spec = studies.read(study)
        dataset = options.load_data(spec.source, where, runs, without=spec.without, **reading)
    else:
        named = _named(model, preset, settings, rest, seed)
        dataset = options.load_data("imdb", where, runs, **reading)
        spec = _spec(named, ensemble, dataset)
    console = Console()
    own_process.settle()
    try:
        with Screen(console) as screen:
            found = workbench.cross_validate(
                spec,
                dataset,
                runs,
                folds=folds,
                protocol=protocol,
                seeds=seeds,
                only=only,
                announce=screen.announce,
            )
    except KeyboardInterrupt:
        console.print("\nStopped. Finished folds and complete epochs are kept.")
        console.print(
            f"Go on with:  {shlex.join(['sentilab', *sys.argv[1:]])}",
            highlight=False,
            soft_wrap=True,
        )
        raise click.exceptions.Abort from None
    console.print()
    console.print(_table(found))
    for line in _closing(found):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    click.echo(f"Runs: {runs / f'{spec.name}-{folds}-folds'}")


READING = ("text_column", "label_column", "separator", "max_rejected")


def _refuse_beside_a_study() -> None:
    for name in ("model", "preset", "ensemble", "settings", "seed"):
        if name in options.given():
            raise SettingsError(
                f"--{'set' if name == 'settings' else name} is not for a study, which says itself "
                "what is trained; leave out one of them."
            )


def _named(
    model: tuple[str, ...],
    preset: tuple[str, ...],
    settings: tuple[str, ...],
    given: dict[str, Any],
    seed: int,
) -> "dict[str, RunSettings]":
    """The settings of each model and preset by its name; options go before what they have."""
    from sentilab import models
    from sentilab.studies import presets
    from sentilab.training import RunSettings

    plain = {one: {"model": one, **models.describe(one).defaults} for one in model}
    plain |= {one: presets.read(one).settings.to_dict() for one in preset}
    if not plain:
        raise SettingsError("Name what to train: a study, --model or --preset.")
    if len(plain) < len(model) + len(preset):
        raise SettingsError("A model or preset is named twice; their names must differ.")
    if settings and len(plain) > 1:
        raise SettingsError(
            "--set is for one model. For several with settings of their own, write a study file."
        )
    named = {}
    for name, known in plain.items():
        own = {**known.pop("model_settings", {}), **options.model_settings(settings)}
        kept = {"model": known.pop("model"), "model_settings": own, "seed": seed}
        named[name] = RunSettings.from_dict({**settings_of(dict(given), known), **kept})
    return named


def _spec(named: "dict[str, RunSettings]", ensemble: bool, dataset: "Dataset") -> "StudySpec":
    from sentilab import workbench
    from sentilab.training.ensembling import ensemble_settings

    if ensemble:
        named = {**named, "ensemble": ensemble_settings(list(named.values()))}
    return workbench.several_runs(named, dataset)


def _table(found: "CrossValidated") -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("setting", overflow="fold")
    for name in ("accuracy", "95% interval", "folds", "trained s"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found.settings:
        low, high = one.interval
        table.add_row(
            one.title,
            f"{one.accuracy:.4f}",
            f"{low:.4f}–{high:.4f}",
            f"{min(one.by_fold):.3f}–{max(one.by_fold):.3f}",
            f"{one.seconds:,.0f}",
        )
    return table


def _closing(found: "CrossValidated") -> list[str]:
    """What the figures cover, and how the settings differ from the first."""
    from sentilab.compare.verdicts import between, number, p_text

    seeds = f"{len(found.seeds)} seeds" if len(found.seeds) > 1 else f"seed {found.seeds[0]}"
    share = (
        "all other folds trained, and nothing was chosen on any text"
        if found.protocol == "notebook"
        else "a part of the other folds was held out from training to validate"
    )
    over = "texts" if len(found.seeds) == 1 else "texts and of seeds"
    lines = [
        "",
        f"{found.texts:,} texts, each answered once a seed by a model that had not seen it; "
        f"{found.folds} folds, {seeds}; {share}.",
        f"Intervals cover the choice of {over}, not that of training texts, which the folds share.",
    ]
    titles = {one.name: one.title for one in found.settings}
    for name, one in found.differences.items():
        lines.append(
            f"{titles[name]} less {found.settings[0].title}: "
            f"{number('accuracy', one.difference)} points, 95% interval "
            f"{between('accuracy', one.interval)}, {p_text(one.p_value)}"
        )
    lines += [f"{name} could not be trained: {reason}" for name, reason in found.failed.items()]
    return lines
