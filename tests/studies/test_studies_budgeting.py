from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sentilab.data import Dataset
from sentilab.errors import SentilabError, SettingsError
from sentilab.studies import StudyResults, presets
from sentilab.studies.budgeting import Budget, BudgetedStudy
from sentilab.studies.presets import Preset
from sentilab.training import Preparation, RunFolder, Silence, Step

SMALL = """
summary = "small"
[run]
model = "mlp"
model_settings = {{ embedding = 8, units = {units} }}
words = 300
length = 12
epochs = {epochs}
"""
NOTHING = 'summary = "no learning"\n[run]\nmodel = "majority"\nwords = 300\nlength = 12\n'


def small(name: str, epochs: int = 1, units: int = 4) -> Preset:
    return presets.parse(SMALL.format(epochs=epochs, units=units), name)


CANDIDATES = (presets.parse(NOTHING, "majority"), small("one"), small("three", 3, 8))


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Announced:
    """Remembers which models were trained; ``on_step`` is called at every step of each."""

    def __init__(self, on_step: Callable[[], None] = lambda: None) -> None:
        self.folders: list[Path] = []
        self._on_step = on_step

    def __call__(self, training: object, number: int, total: int) -> Silence:
        self.folders.append(training.folder)  # type: ignore[attr-defined]
        outer = self

        class Stepping(Silence):
            def on_step(self, step: Step) -> None:
                outer._on_step()

        return Stepping()


@pytest.fixture
def spending(corpus: Dataset, tmp_path: Path) -> Callable[..., BudgetedStudy]:
    def of(
        budget: str = "1h",
        *,
        data: Dataset = corpus,
        clock: Clock | None = None,
        candidates: tuple[Preset, ...] = CANDIDATES,
        folder: str = "out",
    ) -> BudgetedStudy:
        return BudgetedStudy(
            Budget.parse(budget),
            Preparation(data),
            tmp_path / folder,
            candidates,
            seed=3,
            began=0.0,
            clock=clock or Clock(),
        )

    return of


@pytest.fixture(scope="module")
def whole(
    corpus: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[BudgetedStudy, StudyResults]:
    """One with time enough for all candidates, carried out: a folder that no test may change."""
    folder = tmp_path_factory.mktemp("whole")
    study = BudgetedStudy(
        Budget.parse("1h"),
        Preparation(corpus),
        folder,
        CANDIDATES,
        seed=3,
        began=0.0,
        clock=Clock(),
    )
    return study, study.carry_out(Announced(), ignore)


def ignore(_: StudyResults) -> None:
    pass


def outcomes(study: BudgetedStudy) -> dict[str, str]:
    return {one.candidate: one.what for one in study._ledger.outcomes}


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), (" 2 m ", 120), (".5m", 30)]
)
def test_a_budget_is_a_number_with_a_unit(text: str, seconds: float) -> None:
    assert Budget.parse(text).seconds == seconds


@pytest.mark.parametrize("text", ["10", "m", "10 days", "-3m", "1h30", "", "ten m", "0s"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SettingsError, match=r"1\.5h|no time for anything"):
        Budget.parse(text)


def test_with_time_enough_all_are_trained_and_the_best_on_validation_is_taken(
    whole: tuple[BudgetedStudy, StudyResults],
) -> None:
    study, results = whole
    assert {name: outcomes(study)[name] for name in ("majority", "one", "three")} == dict.fromkeys(
        ("majority", "one", "three"), "trained"
    )
    judged = [one for one in results.runs if one.settings.protocol == "validation"]
    best = max(one.accuracy or 0.0 for one in judged)
    (final,) = [one for one in results.runs if one.settings.protocol == "holdout"]
    assert final.validation_accuracy == best
    assert final.folder == study.final_folder
    assert results.finished


def test_only_the_one_that_is_taken_has_answers_on_the_test_texts(
    whole: tuple[BudgetedStudy, StudyResults], corpus: Dataset
) -> None:
    _, results = whole
    test_ids = {corpus.ids[row] for row in np.flatnonzero(corpus.splits == "test")}
    for run in results.runs:
        scored = set(run.predictions().ids.tolist())
        if run.settings.protocol == "holdout":
            assert scored == test_ids
        else:
            assert not scored & test_ids


def test_other_labels_of_the_test_texts_change_no_choice(
    whole: tuple[BudgetedStudy, StudyResults],
    spending: Callable[..., BudgetedStudy],
    corpus: Dataset,
) -> None:
    labels = corpus.labels.copy()
    rows = np.flatnonzero(corpus.splits == "test")
    labels[rows] = 1 - labels[rows]
    other = replace(corpus, labels=labels, fingerprint="f" * 64)
    first, second = whole[0], spending(data=other)
    second.carry_out(Announced(), ignore)
    assert second._ledger.chosen == first._ledger.chosen
    assert outcomes(second) == outcomes(first)
    own, others = (RunFolder(one.final_folder) for one in (first, second))
    assert own.weights.read_bytes() == others.weights.read_bytes()
    accuracies = [one.read_json("result.json")["test"]["accuracy"] for one in (own, others)]
    assert sum(accuracies) == pytest.approx(1)


def test_a_budget_too_small_for_more_gives_the_cheapest_and_says_so(
    spending: Callable[..., BudgetedStudy],
) -> None:
    study = spending("1s")
    results = study.carry_out(Announced(), ignore)
    assert outcomes(study) == {"majority": "trained", "one": "left out", "three": "left out"}
    assert study._ledger.chosen == "majority"
    assert "too small for more than the cheapest candidate, majority" in " ".join(study.notes())
    assert [one.settings.model for one in results.runs] == ["majority", "majority"]


def test_one_that_would_take_too_long_is_left_out_before_it_starts(
    spending: Callable[..., BudgetedStudy],
) -> None:
    dear = small("dear", epochs=1_000_000)
    study = spending("10m", candidates=(CANDIDATES[0], dear, CANDIDATES[1]))
    announced = Announced()
    study.carry_out(announced, ignore)
    assert outcomes(study)["dear"] == "left out"
    assert outcomes(study)["one"] == "trained"
    assert not any("e1000000" in one.name for one in announced.folders)
    assert "Left out, dear: it takes about" in " ".join(study.notes())


def test_one_that_takes_longer_than_estimated_is_stopped(
    spending: Callable[..., BudgetedStudy],
) -> None:
    clock = Clock()

    def move() -> None:
        clock.now += 500

    study = spending("10m", clock=clock, candidates=(CANDIDATES[0], small("slow", epochs=3)))
    study.carry_out(Announced(move), ignore)
    assert outcomes(study) == {"majority": "trained", "slow": "stopped"}
    assert study._ledger.chosen == "majority"


def test_after_an_interruption_it_goes_on_and_time_spent_counts(
    whole: tuple[BudgetedStudy, StudyResults],
    spending: Callable[..., BudgetedStudy],
) -> None:
    clock, heard = Clock(), []

    def interrupt(results: StudyResults) -> None:
        heard.append(results)
        clock.now += 100
        if len(heard) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spending(clock=clock).carry_out(Announced(), interrupt)
    again = spending()
    assert again.left == pytest.approx(3600 - 100)
    announced = Announced()
    again.carry_out(announced, ignore)
    assert not any("majority" in one.name for one in announced.folders)
    assert again._ledger.chosen == whole[0]._ledger.chosen
    assert (again.final_folder / "result.json").read_bytes() == (
        whole[0].final_folder / "result.json"
    ).read_bytes()


def test_the_same_again_trains_nothing_and_tells_the_same(
    whole: tuple[BudgetedStudy, StudyResults], corpus: Dataset
) -> None:
    done, results = whole
    announced = Announced()
    study = replace(done)
    assert study.finished
    assert study.carry_out(announced, ignore) == results
    assert announced.folders == []


def test_a_candidate_that_cannot_be_trained_leaves_the_others_their_chance(
    spending: Callable[..., BudgetedStudy],
) -> None:
    refused = presets.parse(
        SMALL.format(epochs=1, units=4).replace('"mlp"', '"mlp-unflattened"'), "refused"
    )
    study = spending(candidates=(CANDIDATES[0], refused, CANDIDATES[1]))
    study.carry_out(Announced(), ignore)
    assert outcomes(study)["refused"] == "failed"
    assert outcomes(study)["one"] == "trained"
    assert "Not trained, refused: " in " ".join(study.notes())

    with pytest.raises(SentilabError, match="No candidate could be trained"):
        spending(candidates=(refused,), folder="none").carry_out(Announced(), ignore)


def test_what_is_left_of_a_damaged_ledger_is_told(
    spending: Callable[..., BudgetedStudy], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "budget.json").write_text("{")
    with pytest.raises(SentilabError, match=r"budget\.json"):
        spending()


def test_the_report_has_the_frontier_and_what_was_taken(
    whole: tuple[BudgetedStudy, StudyResults], tmp_path: Path
) -> None:
    from sentilab import report

    study, results = whole
    page, text = report.write(results, tmp_path)
    content = text.read_text()
    assert f"For these data, take {study._ledger.chosen}" in content
    assert "on the test texts, which were scored this once" in content
    assert "Validation accuracy against training time" in content
    assert "Accuracy against prediction time" in page.read_text()
    assert len(report.taken(results)) == 1
