"""From finished runs to an ensemble: its weights, and one model of all members.

No label of a test text is read before the weights are final.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sentilab import models
from sentilab.errors import ModelCannotTrain, SentilabError, SettingsError
from sentilab.models.ensemble import Member
from sentilab.models.ensemble import combined as combined_model
from sentilab.text import Vocabulary
from sentilab.training import weighing
from sentilab.training.ensembling import how_of, members_of, needed_folds
from sentilab.training.examples import Examples, Part
from sentilab.training.folder import Predictions, RunFolder, seconds_of
from sentilab.training.folds import gathered
from sentilab.training.settings import RunSettings
from sentilab.training.weighing import Weighing


def combine(
    settings: RunSettings, examples: Examples, run: RunFolder, members: Sequence[Path] | None
) -> tuple[Any, Examples, float]:
    """(the ensemble's model, the examples to judge it on, seconds that its parts took to train).

    ``members`` are the folders of its members, by default those of their names beside ``run``; the runs
    of ``needed_folds`` lie beside ``run`` in either case. Writes ensemble.json. Validation texts are
    those that no member was trained on.

    Raises SentilabError for a member that is not there, has not finished, was trained on other data, or
    tested on other texts; ModelCannotTrain for one that was refused; SettingsError where weights are to
    be learned and there are no texts to learn them from.
    """
    started = time.perf_counter()
    fingerprint = examples.data_fingerprint
    planned = members_of(settings)
    folders = members or [run.path.parent / one.folder_name(fingerprint) for one in planned]
    runs = [RunFolder(one) for one in folders]
    for one, wanted in zip(runs, planned, strict=True):
        _require_fit(one, wanted, examples)
    folds = [
        RunFolder(run.path.parent / one.folder_name(fingerprint)) for one in needed_folds(settings)
    ]
    learning = _learning_ids(examples)
    examples = _unseen(examples, runs)
    weights, learned = _weighed(settings, examples, runs, folds, learning)

    parts = [
        Member(
            f"member_{number}_{one.model}",
            models.load(folder.checked(folder.model), kernels=one.kernels or "auto"),
            _vocabulary(folder),
        )
        for number, (folder, one) in enumerate(zip(runs, planned, strict=True), start=1)
    ]
    model = combined_model(parts, examples.vocabulary, examples.classes)
    bias = weights.bias[1:] if examples.classes == 2 else weights.bias
    model.get_layer("combination").set_weighing(weights.weights, bias)
    run.write_json(
        "ensemble.json",
        {
            **learned,
            "bias": weights.bias.tolist(),
            "members": [
                _described(*one, fingerprint)
                for one in zip(parts, planned, runs, weights.weights, strict=True)
            ],
        },
    )
    return model, examples, seconds_of([*runs, *folds]) + time.perf_counter() - started


def _require_fit(run: RunFolder, wanted: RunSettings, examples: Examples) -> None:
    result = run.read_json("result.json")
    if result is None:
        raise SentilabError(
            f"{run.path}: this run is to be a member of an ensemble, and has not finished.\n"
            "  The command that began it goes on with it."
        )
    if result["status"] != "finished":
        raise ModelCannotTrain(
            f"{run.path}: this run is to be a member of an ensemble, and was {result['status']}: "
            f"{result.get('reason', '')}"
        )
    data = run.data()
    if data["fingerprint"] != examples.data_fingerprint:
        raise SentilabError(
            f"{run.path}: trained on other data ({data['name']}) than the ensemble's "
            f"({examples.data_name}). All members must have seen the same."
        )
    if run.settings() != wanted:
        raise SentilabError(
            f"{run.path}: this run has other settings than the ensemble's member, {wanted.model} "
            f"with seed {wanted.seed}."
        )
    tested = run.predictions()
    if not np.array_equal(tested.ids, examples.test.ids):
        raise SentilabError(
            f"{run.path}: this run was tested on other texts than the ensemble is to be: a text that "
            "one member was trained on could test another.\n"
            "  Train all members with the same split_seed and validation_fraction, or the same fold."
        )


def _unseen(examples: Examples, runs: Sequence[RunFolder]) -> Examples:
    """The examples with those validation texts that all members validated on.

    Raises SentilabError if there are none.
    """
    if examples.validation is examples.test:
        return examples
    common = set(examples.validation.ids.tolist())
    for one in runs:
        common &= set(one.predictions("validation").ids.tolist())
    if not common:
        raise SentilabError(
            "The members have no validation text in common: each was trained on texts that another "
            "held out, so that there is nothing to judge the ensemble on before its test.\n"
            "  Train them with the same split_seed."
        )
    whole = examples.validation
    kept = np.isin(whole.ids, sorted(common))
    return replace(examples, validation=Part(whole.x[kept], whole.labels[kept], whole.ids[kept]))


def _weighed(
    settings: RunSettings,
    examples: Examples,
    runs: Sequence[RunFolder],
    folds: Sequence[RunFolder],
    learning: list[str],
) -> tuple[Weighing, dict[str, Any]]:
    """The weights, and what ensemble.json tells of where they come from.

    ``learning`` are the ids of all texts that train or validate.
    """
    how, validation = how_of(settings), examples.validation
    learned = {"kind": how.kind, "learned_from": "nothing", "texts": 0}
    if how.kind == "averaging" and not how.calibrated:
        return weighing.equal(len(runs), examples.classes), learned
    held_out = validation is not examples.test
    if how.folds is None and not held_out:
        raise SettingsError(
            f"An ensemble under the {settings.protocol} protocol has no validation texts but those "
            "that it is judged on, and may learn no weights from these.\n"
            "  Average without calibration, or stack with folds."
        )
    if held_out:
        answers = [_only(one.predictions("validation"), validation.ids) for one in runs]
        scores = weighing.scores_of([one.probabilities for one in answers])
    if how.folds is None:
        learned |= {"learned_from": "validation", "texts": len(validation.labels)}
        if how.kind == "averaging":
            return weighing.calibrated(scores, validation.labels), learned
        return weighing.stacked(scores, validation.labels, nonnegative=how.nonnegative), learned
    each = [folds[at : at + how.folds] for at in range(0, len(folds), how.folds)]
    gone_round = [gathered(one, learning) for one in each]
    weights = weighing.stacked(
        weighing.scores_of([one.probabilities for one in gone_round]),
        gone_round[0].labels,
        nonnegative=how.nonnegative,
    )
    if held_out:
        weights = weighing.rescaled(weights, scores, validation.labels)
    return weights, learned | {"learned_from": "folds", "texts": len(learning)}


def _learning_ids(examples: Examples) -> list[str]:
    """The texts that train or validate, in an order that is the same for every split of them."""
    parts = [examples.train]
    if examples.validation is not examples.test:
        parts.append(examples.validation)
    return sorted(one for part in parts for one in part.ids.tolist())


def _only(answers: Predictions, ids: Any) -> Predictions:
    """The answers to these texts alone, in the order of ``ids``."""
    place = {one: number for number, one in enumerate(answers.ids.tolist())}
    order = np.asarray([place[one] for one in ids.tolist()])
    return Predictions(answers.ids[order], answers.labels[order], answers.probabilities[order])


def _vocabulary(run: RunFolder) -> Vocabulary:
    return run.vocabulary()


def _described(
    part: Member,
    settings: RunSettings,
    run: RunFolder,
    weight: float,
    fingerprint: str,
) -> dict[str, Any]:
    """A member as ensemble.json has it; its accuracy is its own, on its test texts."""
    result = run.read_json("result.json")
    return {
        "name": part.name,
        "folder": run.path.name,
        "fingerprint": settings.fingerprint(fingerprint),
        "weight": float(weight),
        "accuracy": result["test"]["accuracy"],
        "loss": result["test"]["loss"],
        "parameters": result["parameters"],
    }
