"""Out-of-fold answers: every text answered by a model that has not seen its label.

The folds are ordinary runs in folders of their own, so that a stopped job goes on where it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sentilab.errors import SentilabError
from sentilab.training.examples import Preparation
from sentilab.training.folder import Predictions, RunFolder
from sentilab.training.progress import Listener, Silence
from sentilab.training.run import train
from sentilab.training.settings import RunSettings

Announce = Callable[[RunSettings, int, int], Listener]
"""Called before a fold is trained, with its number (from 1) and how many there are."""


def fold_settings(settings: RunSettings, folds: int) -> tuple[RunSettings, ...]:
    """The runs of a cross-validation: fold by fold, the rest trains."""
    return tuple(replace(settings, folds=folds, fold=number + 1) for number in range(folds))


def inner_fold_settings(settings: RunSettings, folds: int) -> tuple[RunSettings, ...]:
    """The same within what the run itself trains and validates on; its test part is never read."""
    return tuple(
        replace(settings, inner_folds=folds, inner_fold=number + 1) for number in range(folds)
    )


def train_folds(
    folds: Sequence[RunSettings],
    preparation: Preparation,
    runs: Path,
    announce: Announce | None = None,
    *,
    pretrainings: Path | None = None,
) -> list[RunFolder]:
    """Trains what is missing of ``folds`` in folders under ``runs``, and returns all of them.

    ``announce`` is asked for a listener before each that is missing. ``pretrainings`` is as for
    ``train``.

    Raises what ``train`` raises.
    """
    fingerprint = preparation.dataset.fingerprint
    each = [RunFolder(runs / one.folder_name(fingerprint)) for one in folds]
    missing = [
        (one, run)
        for one, run in zip(folds, each, strict=True)
        if (run.read_json("result.json") or {}).get("status") != "finished"
    ]
    for number, (one, run) in enumerate(missing, start=1):
        train(
            one,
            preparation.examples(one),
            run.path,
            listener=announce(one, number, len(missing)) if announce else Silence(),
            pretrainings=pretrainings,
        )
    return each


def cross_validate(
    settings: RunSettings,
    preparation: Preparation,
    runs: Path,
    *,
    folds: int = 10,
    announce: Announce | None = None,
) -> Predictions:
    """Trains ``settings`` on all but one fold, for each fold, and gathers the answers on the folds.

    They are in the data's order: of the training rows where the data have official splits, else of all
    rows. Folds keep repeats together and hold each label in like shares.

    Raises what ``train`` raises.
    """
    each = fold_settings(settings, folds)
    trained = train_folds(each, preparation, runs, announce)
    rows = np.sort(np.concatenate([preparation.partition(one).test for one in each]))
    return gathered(trained, [preparation.dataset.ids[row] for row in rows])


def gathered(runs: Sequence[RunFolder], ids: Sequence[str]) -> Predictions:
    """The test answers of ``runs``, in the order of ``ids``.

    Raises SentilabError if a text is answered twice or never, or one that is not asked for.
    """
    each = [one.predictions() for one in runs]
    found = np.concatenate([one.ids for one in each])
    place = {str(one): number for number, one in enumerate(found)}
    if len(place) < len(found) or set(place) != set(map(str, ids)):
        once = f"{len(found):,} answers on {len(place):,} texts, and {len(ids):,} texts were to be "
        raise SentilabError(
            f"{runs[0].path.parent}: the folds do not answer every text exactly once ({once}answered)."
            "\n  Remove the folders of these folds, to train them anew."
        )
    order = np.asarray([place[str(one)] for one in ids])
    return Predictions(
        ids=found[order],
        labels=np.concatenate([one.labels for one in each])[order],
        probabilities=np.concatenate([one.probabilities for one in each])[order],
    )
