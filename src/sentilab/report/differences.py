"""The settings that a study's questions hold against each other: every pair, judged together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sentilab.compare import METRICS, Difference, Verdict, difference_of, holm, verdict
from sentilab.report.reading import Group, finished
from sentilab.studies import Question
from sentilab.training import Predictions, RunFolder
from sentilab.training.folder import SCORED, Scored

MARGIN = 0.01  # a difference of accuracies below one point is none that matters


@dataclass(frozen=True)
class Compared:
    """``found`` is the metric of ``other`` less that of ``baseline``, seed by seed.

    ``adjusted_p`` is corrected for all the comparisons of the study under one protocol (Holm).
    """

    baseline: Group
    other: Group
    found: Difference
    adjusted_p: float
    verdict: Verdict

    @property
    def title(self) -> str:
        return f"{self.other.title} against {self.baseline.title}"

    def others(self) -> dict[str, Difference]:
        """The same comparison by the other metrics."""
        folders = paired_folders(self.baseline, self.other)
        binary = len(answers(folders[0][0]).probabilities[0]) == 2
        return {
            metric: difference_between(folders, metric)
            for metric in METRICS
            if metric != "accuracy" and (binary or metric != "auc")
        }


@dataclass(frozen=True)
class Comparisons:
    """All of one protocol, in the order in which the questions ask for them.

    ``pairs`` are by the names of (baseline, other). A pair that two questions ask for from opposite
    sides stands there twice and counts once: ``number`` is how many the p-values are corrected for.
    """

    pairs: Mapping[tuple[str, str], Compared]
    headlines: tuple[tuple[str, str], ...]
    number: int

    @property
    def first_screen(self) -> list[Compared]:
        """Those that questions ask for by name; the others are of a best run with the rest."""
        return [self.pairs[one] for one in self.headlines if one in self.pairs]

    def of(self, baseline: Group, other: Group) -> Compared | None:
        """None where the two have no seed in common that has finished."""
        return self.pairs.get((baseline.name, other.name))


def chosen(groups: Sequence[Group]) -> Group:
    """The best of them: by validation texts, or by the test's where no others were held out."""
    return max(groups, key=lambda one: one.validation)


def judged(questions: Iterable[Question], groups: Mapping[str, Group]) -> Comparisons:
    """Every pair that the questions compare, with p-values corrected for their number."""
    asked: dict[tuple[str, str], tuple[Group, Group]] = {}
    headlines: dict[tuple[str, str], None] = {}
    for question in questions:
        for first, second in _asked(question, groups):
            key = (first.name, second.name)
            asked.setdefault(key, (first, second))
            if question.kind != "best":
                headlines.setdefault(key)
    found = {
        key: (first, second, difference_between(folders, "accuracy"))
        for key, (first, second) in asked.items()
        if (folders := paired_folders(first, second))
    }
    p_values = {frozenset(key): difference.p_value for key, (_, _, difference) in found.items()}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    pairs = {
        key: _judged(first, second, difference, adjusted[frozenset(key)])
        for key, (first, second, difference) in found.items()
    }
    return Comparisons(pairs, tuple(headlines), len(adjusted))


def _judged(first: Group, second: Group, difference: Difference, adjusted_p: float) -> Compared:
    names = (first.title, second.title)
    found = verdict(difference, margin=MARGIN, adjusted_p=adjusted_p, names=names)
    return Compared(first, second, difference, adjusted_p, found)


def _asked(question: Question, groups: Mapping[str, Group]) -> Iterator[tuple[Group, Group]]:
    """(baseline, other), where both have finished runs."""
    ready = finished(groups, question.runs)
    if not ready:
        return
    if question.kind in ("compare", "longer"):
        baseline = groups.get(question.baseline or question.runs[0])
        if baseline and baseline.finished:
            yield from ((baseline, one) for one in ready if one.name != baseline.name)
    elif question.kind == "best":
        best = chosen(ready)
        yield from ((best, one) for one in ready if one.name != best.name)
    elif question.kind == "conclusion":
        recurrent = [one for one in ready if one.is_recurrent]
        dense = [one for one in ready if not one.is_recurrent]
        if recurrent and dense:
            yield chosen(recurrent), chosen(dense)


Folders = tuple[tuple[Path, Path], ...]


def paired_folders(first: Group, second: Group) -> Folders:
    """Folders of the two settings' runs with the same seed."""
    of_second = {one.settings.seed: one.folder for one in second.finished}
    return tuple(
        (one.folder, of_second[one.settings.seed])
        for one in first.finished
        if one.settings.seed in of_second
    )


# Finished folders do not change; a report is written again after each of a study's runs.
@lru_cache(maxsize=4096)
def difference_between(folders: Folders, metric: str, part: Scored = "test") -> Difference:
    """What the second folder of each pair has over the first (see ``sentilab.compare``)."""
    first, second = zip(*folders, strict=True)
    return difference_of(
        [answers(one, part) for one in first], [answers(one, part) for one in second], metric
    )


@lru_cache(maxsize=64)
def answers(folder: Path, part: Scored = "test") -> Predictions:
    """A finished run's answers on its test or validation texts."""
    return RunFolder(folder).predictions(part)


def has_validation(folder: Path) -> bool:
    """Whether a finished run kept its answers on validation texts that are not its test texts."""
    return (folder / SCORED["validation"]).exists()
