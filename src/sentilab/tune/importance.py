"""Which of the searched settings made a difference, and whether any did."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sentilab.models import Range, Space
from sentilab.tune.proposals import study_of
from sentilab.tune.settings import Search
from sentilab.tune.trials import Trial

# With fewer complete trials a forest has nothing to learn from.
FEWEST = 10
RESAMPLED = 20
TREES = 32


@dataclass(frozen=True)
class Share:
    """A setting's share of the variance between trials; ``low`` to ``high`` holds nine in ten of
    the shares that it has when trials are drawn anew from the ones there are.
    """

    setting: str
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Importance:
    """``shares``, the largest first, sum to 1 whatever the settings do; ``explained`` says what
    they are shares of: how much of the variance the settings predict for trials not learned from.
    It is 0 or less where they predict nothing.
    """

    shares: tuple[Share, ...]
    explained: float
    trials: int


def importance(search: Search, trials: Sequence[Trial]) -> Importance | None:
    """By functional analysis of variance over the complete trials; None where they say nothing.

    That is with fewer than ten, with one setting alone, or where all have come out the same.
    Source: Hutter, Hoos and Leyton-Brown (2014), as in Optuna's FanovaImportanceEvaluator;
    ``explained`` is a random forest's R² on the trials that each tree was not grown on.
    """
    complete = [one for one in trials if one.state == "complete"]
    values = np.asarray([one.accuracy if search.maximised else one.loss for one in complete])
    if len(complete) < FEWEST or len(search.space) < 2 or not np.ptp(values.astype(float)):
        return None
    whole = _shares(search, complete)
    random = np.random.default_rng(search.seed)
    again = []
    for _ in range(RESAMPLED):
        drawn = random.integers(len(complete), size=len(complete))
        if np.ptp(values[drawn].astype(float)):
            again.append(_shares(search, [complete[at] for at in drawn]))
    found = []
    for setting, share in whole.items():
        each = [one[setting] for one in again] or [share]
        low, high = np.percentile(each, (5, 95))
        found.append(Share(setting, share, min(float(low), share), max(float(high), share)))
    found.sort(key=lambda one: -one.share)
    features = _features(search.space, complete)
    return Importance(tuple(found), _explained(features, values.astype(float)), len(complete))


def _shares(search: Search, trials: Sequence[Trial]) -> dict[str, float]:
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    from optuna.samplers import RandomSampler

    study = study_of(search, trials, RandomSampler(seed=0))
    evaluator = FanovaImportanceEvaluator(n_trees=TREES, seed=0)
    found = get_param_importances(study, evaluator=evaluator, params=list(search.space))
    return {setting: float(found.get(setting, 0.0)) for setting in search.space}


def _explained(features: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(n_estimators=200, oob_score=True, random_state=0, n_jobs=1)
    with warnings.catch_warnings():
        # A trial that every tree was grown on has no say; among 200 trees there is hardly one.
        warnings.simplefilter("ignore", UserWarning)
        forest.fit(features, values)
    return float(forest.oob_score_)


def _features(space: Space, trials: Sequence[Trial]) -> NDArray[np.float64]:
    """Shape (trials, features): a range as one number, choices as one column each."""
    columns = []
    for key, one in space.items():
        if isinstance(one, Range):
            numbers = np.asarray([float(trial.settings[key]) for trial in trials])
            columns.append(np.log(numbers) if one.log else numbers)
        else:
            columns += [
                np.asarray([float(trial.settings[key] == value) for trial in trials])
                for value in one.values
            ]
    return np.stack(columns, axis=1)
