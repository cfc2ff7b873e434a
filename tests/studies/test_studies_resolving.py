"""Looks after each seed, on run folders with planted answers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sentilab import studies
from sentilab.compare import SequentialRule
from sentilab.errors import SettingsError
from sentilab.studies import StudyResults, named_comparisons, until_resolved
from sentilab.studies.records import Run
from sentilab.training import Predictions, RunFolder, RunSettings

TEXTS = 2000


def run(folder: Path, name: str, seed: int, wrong: float) -> Run:
    """A finished run that errs on ``wrong`` of the texts, and on others with each seed."""
    random = np.random.default_rng([seed, ord(name), int(1000 * wrong)])
    labels = np.arange(TEXTS) % 2
    answers = np.where(random.random(TEXTS) < wrong, 1 - labels, labels)
    probabilities = np.stack([1 - answers, answers], axis=1).astype(np.float32)
    path = folder / f"{name}-{seed}"
    RunFolder(path).write_predictions(
        Predictions(np.arange(TEXTS).astype(str), labels, probabilities), ("no", "yes")
    )
    settings = RunSettings(model="mlp", seed=seed, protocol="holdout")
    return Run(f"{name}@holdout-{seed}", name, settings, "finished", path)


def results(folder: Path, seeds: int, wrong: dict[str, float]) -> StudyResults:
    numbers = tuple(range(1, seeds + 1))
    return StudyResults(
        name="planted",
        title="",
        description="",
        questions=(),
        runs=tuple(run(folder, name, seed, one) for seed in numbers for name, one in wrong.items()),
        protocols=("holdout",),
        seeds=numbers,
        portrait={},
        data_name="planted",
        data_origin="",
        label_names=("no", "yes"),
        is_generated=False,
        notices=(),
        duplicates={},
        environment={},
        finished=True,
    )


def test_seeds_are_added_until_a_large_difference_is_resolved(tmp_path: Path) -> None:
    wrong = {"a": 0.2, "b": 0.1}
    looks = list(
        until_resolved(
            lambda seeds: results(tmp_path, seeds, wrong),
            [("a", "b")],
            SequentialRule(10),
            "holdout",
            lambda: False,
        )
    )
    last = looks[-1][0]
    assert last.verdict is not None
    assert last.verdict.kind == "better"
    assert len(looks) == last.seeds - 2 < 8
    assert all(one[0].verdict is None for one in looks[:-1])


def test_what_was_resolved_early_stays_so_with_more_seeds(tmp_path: Path) -> None:
    wrong = {"a": 0.2, "b": 0.1, "c": 0.2}
    pairs = [("a", "b"), ("a", "c")]
    rule = SequentialRule(6, comparisons=2, margin=0.001)
    looks = list(
        until_resolved(
            lambda seeds: results(tmp_path, seeds, wrong), pairs, rule, "holdout", lambda: False
        )
    )
    assert len(looks) == 4  # the second is never resolved: the budget ends it
    assert looks[-1][1].verdict is None
    resolved = [look[0] for look in looks if look[0].verdict]
    assert len({one.seeds for one in resolved}) == 1


def test_a_spent_budget_ends_it_after_a_look(tmp_path: Path) -> None:
    looks = list(
        until_resolved(
            lambda seeds: results(tmp_path, seeds, {"a": 0.2, "b": 0.2}),
            [("a", "b")],
            SequentialRule(10, margin=0.0001),
            "holdout",
            lambda: True,
        )
    )
    assert len(looks) == 1


def test_the_comparisons_are_those_that_the_study_asks_for_by_name() -> None:
    spec = studies.read("homework")
    names = [one.name for one in spec.runs]
    pairs = named_comparisons(spec, names)
    assert ("two-layers-batch-32", "two-layers-batch-16") in pairs
    assert ("two-layers-batch-32", "two-layers-5-epochs") in pairs
    assert not any("stopping" in name for pair in pairs for name in pair)
    assert named_comparisons(spec, names[:2]) == [("two-layers-batch-32", "two-layers-batch-16")]


def test_a_study_that_compares_nothing_is_refused() -> None:
    spec = replace(studies.read("homework"), questions=())
    with pytest.raises(SettingsError, match="needs questions that compare"):
        named_comparisons(spec, [one.name for one in spec.runs])
