"""Adding seeds to a study until its comparisons are resolved, or a budget is spent."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sentilab.compare import FIRST_LOOK, SequentialRule, Verdict
from sentilab.errors import SettingsError
from sentilab.studies.records import StudyResults
from sentilab.studies.spec import StudySpec
from sentilab.training import Protocol, RunFolder


@dataclass(frozen=True)
class Resolution:
    """What is known of one comparison after ``seeds`` seeds; no verdict means: not resolved."""

    first: str
    second: str
    verdict: Verdict | None
    seeds: int


def named_comparisons(spec: StudySpec, names: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of settings that the study's questions compare, among those in ``names``.

    Pairs that depend on the outcome ("which is best?") are none of them: a rule that stops on what it
    has chosen itself has no error rate.

    Raises SettingsError if the study compares nothing.
    """
    pairs: dict[tuple[str, str], None] = {}
    for question in spec.questions:
        if question.kind in ("compare", "longer") and question.runs:
            baseline = question.baseline or question.runs[0]
            for run in question.runs:
                if run != baseline and {run, baseline} <= set(names):
                    pairs.setdefault((baseline, run))
    if not pairs:
        raise SettingsError(
            f"{spec.name}: --until-resolved needs questions that compare runs with a baseline "
            '(kind = "compare" or "longer"), and none of the runs asked for is in one.'
        )
    return list(pairs)


def resolutions(
    results: StudyResults,
    comparisons: Sequence[tuple[str, str]],
    rule: SequentialRule,
    protocol: Protocol,
) -> list[Resolution]:
    """Each comparison as the looks so far have left it.

    The looks are gone through again from the first, so that a study that was interrupted, or has
    more seeds already, ends as one that went on without a break.
    """
    return [_looked_at(results, pair, rule, protocol) for pair in comparisons]


def _looked_at(
    results: StudyResults, pair: tuple[str, str], rule: SequentialRule, protocol: Protocol
) -> Resolution:
    titles = {one.name.partition("@")[0]: one.title for one in results.runs}
    names = (titles[pair[0]], titles[pair[1]])
    folders = list(_paired(results, pair, protocol))
    for seeds in range(FIRST_LOOK, len(folders) + 1):
        first, second = zip(*folders[:seeds], strict=True)
        difference = rule.difference(
            [RunFolder(one).predictions() for one in first],
            [RunFolder(one).predictions() for one in second],
        )
        found = rule.resolved(difference, names)
        if found is not None:
            return Resolution(*names, found, seeds)
    return Resolution(*names, None, len(folders))


def _paired(
    results: StudyResults, pair: tuple[str, str], protocol: Protocol
) -> Iterator[tuple[Path, Path]]:
    """Run folders of both settings, seed by seed in the study's order, as far as both are there."""
    of: dict[tuple[str, int], Path] = {
        (one.name.partition("@")[0], one.settings.seed): one.folder
        for one in results.runs
        if one.settings.protocol == protocol and one.status == "finished"
    }
    for seed in results.seeds:
        if (pair[0], seed) not in of or (pair[1], seed) not in of:
            return
        yield of[pair[0], seed], of[pair[1], seed]


def until_resolved(
    carry_out: Callable[[int], StudyResults],
    comparisons: Sequence[tuple[str, str]],
    rule: SequentialRule,
    protocol: Protocol,
    enough: Callable[[], bool],
) -> Iterator[list[Resolution]]:
    """Trains with 3, 4, ... seeds and yields the comparisons after each; ends when all are resolved.

    ``carry_out`` trains the study with so many seeds. ``enough`` says whether the budget is spent.
    """
    for seeds in range(FIRST_LOOK, rule.max_seeds + 1):
        found = resolutions(carry_out(seeds), comparisons, rule, protocol)
        yield found
        if all(one.verdict for one in found) or enough():
            return
