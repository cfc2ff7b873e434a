"""sentilab compare"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sentilab.errors import SentilabError

if TYPE_CHECKING:
    from rich.table import Table

    from sentilab.compare import Difference, Pairs, Setting

METRIC_NAMES = {"accuracy": "accuracy", "log_loss": "log loss", "f1": "F1", "auc": "AUC"}

LONGEST = 32  # letters of a name that still reads well in a sentence, if it has no comma


@click.command(name="compare")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option(
    "--metric",
    type=click.Choice(list(METRIC_NAMES)),
    default="accuracy",
    show_default=True,
    help="What the verdict is about; the table shows all.",
)
@click.option(
    "--margin",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="The difference below which none matters, in points (log loss: in hundredths of a nat).",
)
def command(first: str, second: str, metric: str, margin: float) -> None:
    """Say whether setting B does better than setting A, over seeds and test texts.

    A and B are run folders, or STUDYFOLDER:NAME for a setting by its name in the study file, such as
    runs/homework:mlp-b32 (with @notebook or @holdout after it where the study has both). Runs beside
    a run folder that differ in the seed alone are taken in; runs are paired by seed.
    """
    from rich.console import Console

    from sentilab import compare

    one, other = _setting(first), _setting(second)
    pairs = compare.pairs(one, other)
    named = not (Path(first).is_dir() or Path(second).is_dir())
    names = (one.name, other.name) if named else _titles(one, other)
    found = {name: pairs.difference(name) for name in _metrics(pairs)}
    if metric not in found:
        raise SentilabError(
            f"{METRIC_NAMES[metric]} is defined for two labels; these data have more."
        )
    readable = all(len(name) <= LONGEST and "," not in name for name in names)
    verdict = compare.verdict(
        found[metric], margin=margin / 100, names=names if readable else ("A", "B")
    )

    console = Console()
    for line in _opening(pairs, names):
        console.print(line, highlight=False, markup=False)
    console.print()
    console.print(_table(found))
    console.print()
    for line in _closing(pairs, found):
        console.print(line, highlight=False, markup=False)
    console.print()
    console.print(verdict.sentence, style="bold", highlight=False, markup=False)


def _setting(given: str) -> "Setting":
    """The runs that ``given`` means; raises SentilabError if there are none."""
    from sentilab import compare

    if Path(given).is_dir():
        if not (Path(given) / "config.toml").exists():
            raise SentilabError(
                f"{given}: not a run's folder.\n"
                f"  For a setting of a study write {given}:NAME, with its name in the study file."
            )
        return compare.siblings(Path(given))
    folder, separator, name = given.rpartition(":")
    if not separator:
        raise SentilabError(f"{given}: there is no such folder.")
    return _of_study(Path(folder), name)


def _of_study(folder: Path, name: str) -> "Setting":
    from sentilab import compare, studies
    from sentilab.training import RunFolder

    results = studies.read_results(folder)
    plain, _, protocol = name.partition("@")
    named = [one for one in results.runs if one.name.partition("@")[0] == plain]
    if not named:
        known = ", ".join(dict.fromkeys(one.name.partition("@")[0] for one in results.runs))
        raise SentilabError(f'{folder}: no setting is called "{plain}" here.\n  There are {known}.')
    runs = [one for one in named if protocol in ("", one.settings.protocol)]
    protocols = sorted({one.settings.protocol for one in runs or named})
    if len(protocols) > 1 or not runs:
        choices = " or ".join(f"{plain}@{one}" for one in protocols)
        raise SentilabError(f"{folder}:{name}: say under which protocol.\n  Write {choices}.")
    # A run that has not been begun has no folder to read yet.
    begun = [RunFolder(one.folder) for one in runs if (one.folder / "config.toml").exists()]
    return compare.setting_of(name, begun)


def _titles(first: "Setting", second: "Setting") -> tuple[str, str]:
    """What tells the two settings apart."""
    from sentilab import studies

    folders = [next(iter(one.finished.values())).path for one in (first, second)]
    runs = studies.collect(folders).runs
    one, other = (run.title for run in runs)
    if one == other:
        one, other = (f"{run.title} ({run.settings.protocol})" for run in runs)
    return (one, other) if one != other else (first.name, second.name)


def _metrics(pairs: "Pairs") -> list[str]:
    run = pairs.first.finished[pairs.replicas[0]]
    binary = run.predictions().probabilities.shape[1] == 2
    return [name for name in METRIC_NAMES if binary or name != "auc"]


def _opening(pairs: "Pairs", names: tuple[str, str]) -> list[str]:
    """Which runs are compared, and which are not."""
    from sentilab.compare.replicas import said

    one, other = pairs.first, pairs.second
    lines = [f"A  {names[0]}", f"B  {names[1]}"]
    count = len(pairs.replicas)
    lines.append(f"{count} pair{'' if count == 1 else 's'} of runs: {said(pairs.replicas)}")
    if pairs.left_out:
        lines.append(f"left out, as only one of the two has finished it: {said(pairs.left_out)}")
    if one.settings.protocol != other.settings.protocol:
        lines.append(
            f"A was trained under the {one.settings.protocol} protocol, B under the "
            f"{other.settings.protocol} protocol: they saw different training texts"
        )
    elif one.settings.protocol == "notebook":
        lines.append(
            "Both under the notebook protocol: what was chosen on these texts is flattered"
        )
    return lines


def _table(found: dict[str, "Difference"]) -> "Table":
    from rich import box
    from rich.table import Table

    from sentilab.compare.verdicts import between, number, p_text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("metric", no_wrap=True)
    for name in ("A", "B", "B less A", "95% interval"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("p", justify="right", no_wrap=True)
    wins = any(one.wins is not None for one in found.values())
    if wins:
        table.add_column("B wins", justify="right", no_wrap=True)
    for metric, one in found.items():
        cells = [
            METRIC_NAMES[metric],
            f"{one.first:.4f}",
            f"{one.second:.4f}",
            number(metric, one.difference),
            between(metric, one.interval),
            p_text(one.p_value).removeprefix("p = ").removeprefix("p "),
        ]
        table.add_row(*cells, *([_wins(one)] if wins else []))
    return table


def _wins(difference: "Difference") -> str:
    if difference.wins is None or difference.wins_interval is None:
        return ""
    low, high = difference.wins_interval
    chance = 100 * difference.wins
    said = "< 1" if chance < 0.5 else "> 99" if chance > 99.5 else f"{chance:.0f}"
    return f"{said}% ({100 * low:.0f}–{100 * high:.0f}%)"


def _closing(pairs: "Pairs", found: dict[str, "Difference"]) -> list[str]:
    """What the figures cover, and each pair of runs by itself."""
    from sentilab.compare.verdicts import p_text

    first = found["accuracy"]
    texts = f"{first.texts:,} test texts"
    covers = {
        "test texts": f"Intervals cover the choice of {texts}, and not the seed.",
        "test texts and seeds": f"Intervals cover the choice of {texts} and of {first.seeds} seeds.",
        "splits and seeds": (
            f"The test texts differ between the runs ({texts} in all): intervals cover splits and "
            "seeds, with Nadeau and Bengio's correction for the texts that splits share."
        ),
    }
    lines = ["Differences are in points, of log loss in nats.", covers[first.covers]]
    if first.wins is not None:
        lines.append("B wins: how often it would beat A, both newly trained with the same seed.")
    each = [
        f"{replica.seed} {p_text(p)}"
        for replica, p in zip(pairs.replicas, first.mcnemar, strict=True)
    ]
    lines.append(f"McNemar's test of each pair, by seed: {', '.join(each)}")
    return lines
