"""What Optuna decides: the next trial's settings, and whether a trial is worth going on with.

Optuna's study lives in memory alone and is told of all earlier trials before each decision, and
its sampler's seed is a function of the search's and the trial's number. So a decision depends on
nothing but these, and a search that was killed decides as it would have.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sentilab.models import Range, Space
from sentilab.tune.settings import Search
from sentilab.tune.trials import Trial

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

# Trials drawn at random before the others learn from them, and before any is judged hopeless.
RANDOM_TRIALS = 8
UNPRUNED_TRIALS = 4
# Draws before a space is taken to hold nothing new; the second half are drawn at random.
DRAWS = 20
# Numbers of so many digits say all that a search can find out about a setting.
DIGITS = 3


def propose(
    search: Search, trials: Sequence[Trial], number: int, under_way: Sequence[Trial] = ()
) -> dict[str, Any] | None:
    """The settings of trial ``number`` (from 0) after ``trials``; None if nothing new is left.

    Of trials ``under_way`` nothing is known but that they are not to be made again.
    """
    from optuna.samplers import RandomSampler, TPESampler

    if number == 0:
        return search.start
    space, tried = search.space, {repr(one.settings) for one in (*trials, *under_way)}
    known = distributions(space)
    for draw in range(DRAWS):
        seed = int(np.random.default_rng([search.seed, number, draw]).integers(2**31))
        sampler: BaseSampler = (
            TPESampler(seed=seed, n_startup_trials=RANDOM_TRIALS)
            if draw < DRAWS // 2
            else RandomSampler(seed=seed)
        )
        asked = study_of(search, trials, sampler).ask(known)
        settings = {key: _value(space[key], asked.params[key]) for key in space}
        if repr(settings) not in tried:
            return settings
    return next((one for one in _points(space) if repr(one) not in tried), None)


class Hopeless:
    """Whether a trial in its course is worse than half of the others were (the median rule)."""

    def __init__(self, search: Search, trials: Sequence[Trial]) -> None:
        from optuna.samplers import RandomSampler

        ended = [one for one in trials if one.ended]
        self._trial = study_of(search, ended, RandomSampler(seed=0)).ask()
        self._prunes = search.pruning != "none"

    def after(self, epoch: int, value: float) -> bool:
        """Tells of one more epoch (from 1) and its value; call it for every epoch in turn."""
        self._trial.report(value, epoch)
        return self._prunes and self._trial.should_prune()


def study_of(search: Search, trials: Iterable[Trial], sampler: "BaseSampler") -> "Study":
    """Optuna's study, in memory, that knows of these trials."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize" if search.maximised else "minimize",
        sampler=sampler,
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=UNPRUNED_TRIALS, n_min_trials=UNPRUNED_TRIALS
        ),
    )
    study.add_trials([_told(search, one) for one in trials if one.ended])
    return study


def distributions(space: Space) -> dict[str, "BaseDistribution"]:
    """The space in Optuna's terms; of choices it knows the positions alone, whatever they are."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    return {
        key: CategoricalDistribution(tuple(range(len(one.values))))
        if not isinstance(one, Range)
        else IntDistribution(int(one.low), int(one.high), log=one.log)
        if one.whole
        else FloatDistribution(one.low, one.high, log=one.log)
        for key, one in space.items()
    }


def _told(search: Search, one: Trial) -> "FrozenTrial":
    from optuna.trial import TrialState, create_trial

    space = search.space
    complete = one.state == "complete"
    # A failed trial is told as one that was given up before its first epoch: the worst there is.
    return create_trial(
        state=TrialState.COMPLETE if complete else TrialState.PRUNED,
        value=(one.accuracy if search.maximised else one.loss) if complete else None,
        params={key: _param(space[key], value) for key, value in one.settings.items()},
        distributions=distributions(space),
        intermediate_values={} if one.state == "failed" else dict(enumerate(one.values, start=1)),
    )


def _value(one: Any, param: Any) -> Any:
    if not isinstance(one, Range):
        return one.values[param]
    if one.whole:
        return int(param)
    rounded = float(f"{param:.{DIGITS}g}")
    return min(max(rounded, float(one.low)), float(one.high))


def _param(one: Any, value: Any) -> Any:
    if isinstance(one, Range):
        return value
    return next(number for number, each in enumerate(one.values) if each == value)


def size(space: Space) -> float:
    """How many different points the space has; infinite where a number may be any."""
    sizes = [
        len(one.values)
        if not isinstance(one, Range)
        else one.high - one.low + 1
        if one.whole
        else math.inf
        for one in space.values()
    ]
    return math.prod(sizes)


def _points(space: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """All points of a space that has few enough for it to matter that some are left."""
    if size(space) > 10_000:
        return
    each = [
        range(int(one.low), int(one.high) + 1) if isinstance(one, Range) else one.values
        for one in space.values()
    ]
    for values in itertools.product(*each):
        yield dict(zip(space, values, strict=True))
