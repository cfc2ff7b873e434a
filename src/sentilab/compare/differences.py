"""Two settings trained with the same seeds and judged on the same texts: how do they differ?

The question is about new seeds and new texts at once: what would another seed, on another draw of
test texts, have given on average? Runs are paired by seed, answers by text. The difference of run s
on text i is d[s, i] = mean + seed[s] + text[i] + rest[s, i], a two-way layout with both ways random
(Searle, Casella and McCulloch 1992, chapter 4), and its mean over S seeds and n texts has variance

    U + c,   U = (var_seed + var_rest / n) / S,   c = var_text / n.

U is estimated from the seeds' means with S - 1 degrees of freedom, c from the covariance between
different seeds' answers; what the interval then is, sentilab.compare.critical says.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sentilab.compare.contributions import METRICS, contributions, lower_is_better
from sentilab.compare.critical import critical_value, equivalent_freedom, p_value
from sentilab.compare.paired import Interval, mcnemar_exact, paired_difference
from sentilab.compare.wins import winning
from sentilab.errors import SentilabError
from sentilab.training import Predictions

__all__ = ["METRICS", "Covers", "Difference", "difference_of"]

Covers = Literal["test texts", "test texts and seeds", "splits and seeds"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """How ``metric`` of the second setting differs from the first's.

    ``first`` and ``second`` are means over the seeds, ``difference`` is the second less the first,
    ``standard_error`` its standard error and ``interval`` its interval at ``level``; ``p_value`` is
    two-sided. Log loss is in nats, the others are shares. ``covers`` says over what the interval
    and the p-value generalise. ``texts`` counts distinct test texts.

    ``degrees_of_freedom`` are those of the Student's t with the interval's critical value.
    ``seed_deviation`` is the standard deviation of the paired difference from seed to seed and
    ``seed_share`` the share of the variance that more seeds (or splits) can shrink; both are None
    with one seed. ``wins`` is the chance that the second, newly trained, beats the first, newly
    trained with the same seed, on these texts; None with one seed, with several splits, and where
    all seeds differ alike. ``mcnemar`` holds the exact p-value of each pair of runs, for accuracy alone.
    """

    metric: str
    first: float
    second: float
    difference: float
    interval: Interval
    p_value: float
    seeds: int
    texts: int
    degrees_of_freedom: float
    seed_deviation: float | None
    seed_share: float | None
    wins: float | None
    wins_interval: Interval | None
    mcnemar: tuple[float, ...]
    covers: Covers
    standard_error: float
    level: float


def difference_of(
    first: Sequence[Predictions],
    second: Sequence[Predictions],
    metric: str = "accuracy",
    *,
    level: float = 0.95,
    training_texts: int | None = None,
) -> Difference:
    """Compares runs pair by pair: ``first[s]`` and ``second[s]`` have the same seed and texts.

    With one pair the interval covers the test texts alone; with several on the same texts, seeds
    too. Pairs whose test texts differ come from different splits of the same data; they are
    handled as in Nadeau and Bengio (2003), which takes the number of ``training_texts`` of a run.

    Raises SentilabError if the runs of a pair were judged on different texts, if the splits differ
    and ``training_texts`` is not given, or where the metric is not defined; ValueError without runs
    or for another metric.
    """
    if not first or len(first) != len(second):
        raise ValueError(f"There are {len(first)} runs and {len(second)}; they must pair up.")
    for one, other in zip(first, second, strict=True):
        _require_same_texts(one, other)
    of_first = [contributions(one, metric) for one in first]
    of_second = [contributions(one, metric) for one in second]
    apart = [b - a for a, b in zip(of_first, of_second, strict=True)]
    means = np.asarray([one.mean() for one in apart])
    covers: Covers
    if len(apart) == 1:
        covers, found = "test texts", _over_texts(first[0], second[0], metric, apart[0], level)
    elif all(np.array_equal(one.ids, first[0].ids) for one in first):
        covers, found = "test texts and seeds", _over_both(np.stack(apart), level)
    else:
        covers, found = "splits and seeds", _over_splits(first, means, training_texts, level)
    wins, wins_interval = None, None
    if covers == "test texts and seeds":
        wins, wins_interval = winning(-means if lower_is_better(metric) else means, level)
    return Difference(
        metric=metric,
        first=float(np.mean([one.mean() for one in of_first])),
        second=float(np.mean([one.mean() for one in of_second])),
        difference=found.difference,
        interval=found.interval,
        p_value=found.p_value,
        seeds=len(apart),
        texts=_texts(first, covers),
        degrees_of_freedom=found.freedom,
        seed_deviation=float(means.std(ddof=1)) if len(apart) > 1 else None,
        seed_share=found.share if len(apart) > 1 else None,
        wins=wins,
        wins_interval=wins_interval,
        mcnemar=tuple(
            mcnemar_exact(one.correct, other.correct)
            for one, other in zip(first, second, strict=True)
            if metric == "accuracy"
        ),
        covers=covers,
        standard_error=found.error,
        level=level,
    )


def accuracy_over_seeds(correct: NDArray[np.bool_], level: float = 0.95) -> Interval:
    """The mean accuracy's interval over newly drawn seeds and test texts.

    ``correct`` has shape (seeds, texts), two seeds at least: runs of one setting on the same texts.
    Source: as ``difference_of``, with each run's answers in place of differences.
    """
    return _over_both(correct.astype(np.float64), level).interval


def _require_same_texts(first: Predictions, second: Predictions) -> None:
    if not np.array_equal(first.ids, second.ids):
        raise SentilabError(
            f"Two runs that are to be compared were judged on different test texts "
            f"({len(first.ids):,} and {len(second.ids):,} of them).\n"
            "  Compare runs on the same data and the same split."
        )
    if not np.array_equal(first.labels, second.labels):
        raise SentilabError(
            "Two runs that are to be compared disagree about their test texts' labels.\n"
            "  One of them was trained on other data, or on an earlier version of them."
        )


def _texts(runs: Sequence[Predictions], covers: Covers) -> int:
    """How many distinct test texts there are."""
    if covers != "splits and seeds":
        return len(runs[0].ids)
    return len(np.unique(np.concatenate([one.ids for one in runs])))


@dataclass(frozen=True)
class _Estimate:
    difference: float
    error: float
    interval: Interval
    p_value: float
    freedom: float
    share: float


def _over_texts(
    first: Predictions, second: Predictions, metric: str, apart: Floats, level: float
) -> _Estimate:
    """One pair of runs: normal with the contributions' variance; for accuracy Newcombe's."""
    from scipy.special import ndtr, ndtri

    error = float(apart.std(ddof=1)) / math.sqrt(len(apart)) if len(apart) > 1 else math.inf
    if metric == "accuracy":
        exact = paired_difference(second.correct, first.correct, level)
        return _Estimate(exact.difference, error, exact.interval, exact.p_value, math.inf, 0.0)
    critical = -float(ndtri((1 - level) / 2))
    return _around(
        float(apart.mean()), error, critical, lambda t: 2 * float(ndtr(-abs(t))), math.inf, 0.0
    )


def _over_both(apart: Floats, level: float) -> _Estimate:
    """Several seeds on the same texts; ``apart`` has shape (seeds, texts)."""
    seeds, texts = apart.shape
    of_seed, of_text = apart.mean(axis=1), apart.mean(axis=0)
    overall = float(of_seed.mean())
    rest = apart - of_seed[:, None] - of_text + overall
    rest_variance = float((rest**2).sum()) / ((seeds - 1) * max(texts - 1, 1))
    shrinking = float(of_seed.var(ddof=1)) / seeds
    # What differs between texts in all seeds alike, once the rest's share of it is taken off.
    lasting = max(float(of_text.var(ddof=min(1, texts - 1))) - rest_variance / seeds, 0.0) / texts
    total = shrinking + lasting
    share = shrinking / total if total else 0.0
    critical = critical_value(share, seeds - 1, 1 - level)
    return _around(
        overall,
        math.sqrt(total),
        critical,
        lambda t: p_value(t, share, seeds - 1),
        equivalent_freedom(critical, 1 - level),
        share,
    )


def _over_splits(
    runs: Sequence[Predictions], means: Floats, training_texts: int | None, level: float
) -> _Estimate:
    """Test texts that differ from pair to pair: the corrected resampled t-test.

    Pairs on the same split are averaged first. Splits of one data set share texts, so that their
    differences are not independent: the variance of their mean over J splits is taken as (1/J +
    test texts / training texts) times the variance between them.
    Source: Nadeau and Bengio (2003), section 4, the corrected resampled t-test.
    """
    from scipy.special import stdtr, stdtrit

    if training_texts is None:
        raise SentilabError(
            "The runs were judged on different test texts: their splits differ.\n"
            "  Give the number of training texts, on which the variance of the difference depends."
        )
    by_split: dict[bytes, list[float]] = {}
    for run, mean in zip(runs, means, strict=True):
        by_split.setdefault(run.ids.tobytes(), []).append(float(mean))
    of_split = np.asarray([np.mean(one) for one in by_split.values()])
    splits, freedom = len(of_split), len(of_split) - 1
    ratio = float(np.mean([len(one.ids) for one in runs])) / training_texts
    error = math.sqrt((1 / splits + ratio) * float(of_split.var(ddof=1)))
    return _around(
        float(of_split.mean()),
        error,
        -float(stdtrit(freedom, (1 - level) / 2)),
        lambda t: 2 * float(stdtr(freedom, -abs(t))),
        float(freedom),
        1 / (1 + splits * ratio),
    )


def _around(
    difference: float,
    error: float,
    critical: float,
    tail: Callable[[float], float],
    freedom: float,
    share: float,
) -> _Estimate:
    if not error:  # every text and every seed says the same
        alone = Interval(difference, difference)
        return _Estimate(difference, 0.0, alone, 0.0 if difference else 1.0, freedom, share)
    interval = Interval(difference - critical * error, difference + critical * error)
    return _Estimate(difference, error, interval, tail(difference / error), freedom, share)
