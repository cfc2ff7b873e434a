"""Run folders that train one setting again and again, and the pairs of two settings.

A replica is a run of the setting with a seed and a split of its own; the replicas of two settings
that share both make a pair.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from sentilab.compare.differences import Difference, difference_of
from sentilab.errors import SentilabError
from sentilab.training import RunFolder, RunSettings

# The share of texts that is carved for testing where the data bring no splits of their own
# (sentilab.data.partition).
TEST_FRACTION = 0.2


class Replica(NamedTuple):
    """What may differ between the runs of one setting."""

    seed: int
    split_seed: int


@dataclass(frozen=True)
class Setting:
    """Runs that differ in nothing but seed and split: those that have finished, and the others."""

    name: str
    settings: RunSettings
    finished: dict[Replica, RunFolder]
    unfinished: tuple[Replica, ...]

    @property
    def data(self) -> dict[str, str]:
        """Name and fingerprint of the data."""
        return next(iter(self.finished.values())).data()


@dataclass(frozen=True)
class Pairs:
    """The runs of two settings, pair by pair in the order of ``replicas``.

    ``left_out`` are replicas of one of the two that the other lacks, or has not finished.
    """

    first: Setting
    second: Setting
    replicas: tuple[Replica, ...]
    left_out: tuple[Replica, ...]

    def difference(self, metric: str = "accuracy") -> Difference:
        """See ``difference_of``."""
        first = [self.first.finished[one].predictions() for one in self.replicas]
        second = [self.second.finished[one].predictions() for one in self.replicas]
        texts = training_texts(self.first.finished[self.replicas[0]])
        return difference_of(first, second, metric, training_texts=texts)


def siblings(folder: Path) -> Setting:
    """The run in ``folder``, and those beside it that differ in seed and split alone.

    Raises SentilabError if ``folder`` is not that of a finished run.
    """
    run = RunFolder(folder)
    settings, data = run.settings(), run.data()
    if not is_finished(run):
        raise SentilabError(
            f"{folder}: this run has not finished.\n  The command that began it goes on with it."
        )
    beside = [
        RunFolder(one.parent) for one in sorted(folder.resolve().parent.glob("*/config.toml"))
    ]
    alike = [
        one for one in beside if one.data() == data and _bare(one.settings()) == _bare(settings)
    ]
    return setting_of(folder.name, alike)


def setting_of(name: str, runs: Iterable[RunFolder]) -> Setting:
    """The setting that ``runs`` train; raises SentilabError if none of them has finished."""
    finished: dict[Replica, RunFolder] = {}
    unfinished: list[Replica] = []
    for run in runs:
        settings = run.settings()
        replica = Replica(settings.seed, settings.split_seed)
        if is_finished(run):
            finished[replica] = run
        else:
            unfinished.append(replica)
    if not finished:
        raise SentilabError(f"{name}: no run of this setting has finished.")
    of_any = next(iter(finished.values())).settings()
    return Setting(name, of_any, finished, tuple(unfinished))


def pairs(first: Setting, second: Setting) -> Pairs:
    """Raises SentilabError for other data, the same setting twice, or no seed in common."""
    if first.data["fingerprint"] != second.data["fingerprint"]:
        raise SentilabError(
            f"{first.name} was trained on other data ({first.data['name']}) than {second.name} "
            f"({second.data['name']}).\n  Only runs on the same data can be compared."
        )
    if first.data == second.data and _bare(first.settings) == _bare(second.settings):
        raise SentilabError(
            f"{first.name} and {second.name} are the same setting: at most their seeds differ.\n"
            "  Name runs whose settings differ."
        )
    common = sorted(first.finished.keys() & second.finished.keys())
    if not common:
        raise SentilabError(
            f"{first.name} and {second.name} have no seed in common: the one has finished "
            f"{said(sorted(first.finished))}, the other {said(sorted(second.finished))}.\n"
            "  Train both with the same seeds."
        )
    known = {*first.finished, *first.unfinished, *second.finished, *second.unfinished}
    return Pairs(first, second, tuple(common), tuple(sorted(known - set(common))))


def said(replicas: Sequence[Replica]) -> str:
    """ "seeds 1, 2 and 3"; with splits where they vary."""
    split = len({one.split_seed for one in replicas}) > 1
    each = [f"{one.seed} (split {one.split_seed})" if split else str(one.seed) for one in replicas]
    if len(each) == 1:
        return f"seed {each[0]}"
    return f"seeds {', '.join(each[:-1])} and {each[-1]}"


def training_texts(run: RunFolder) -> int:
    """About how many texts the finished ``run`` was trained on, were its test part carved.

    Reckoned from the number of test texts and the shares that were carved.
    """
    settings, tested = run.settings(), len(run.predictions().ids)
    rest = tested * (1 - TEST_FRACTION) / TEST_FRACTION
    held_out = settings.validation_fraction if settings.protocol == "holdout" else 0.0
    return round(rest * (1 - held_out))


def is_finished(run: RunFolder) -> bool:
    """Whether its result is there, and is no refusal or failure."""
    return (run.read_json("result.json") or {}).get("status") == "finished"


def _bare(settings: RunSettings) -> RunSettings:
    return replace(settings, seed=0, split_seed=0)
