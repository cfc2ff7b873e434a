"""The tables of docs/answers.md and docs/accuracy.md, which scripts make, from a made-up study."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import accuracy, answers, pages  # noqa: E402
from sentilab.studies import StudyResults  # noqa: E402


@pytest.fixture
def study(made_up: Callable[..., StudyResults]) -> StudyResults:
    return made_up(
        {"two-layers-batch-16": 0.5}, protocols=("notebook", "holdout"), seeds=(297, 298, 299)
    )


def test_a_planted_difference_is_called_worse_and_stands_beside_the_notebooks(
    study: StudyResults,
) -> None:
    found = answers.verdicts(study, "holdout")
    assert found.startswith("**Held out** (3 seeds;")
    line = next(
        one for one in found.splitlines() if one.startswith("| Two bi-LSTM layers, batch 16")
    )
    cells = [one.strip() for one in line.strip("|").split("|")]
    assert cells[0].endswith("against two bi-LSTM layers, batch 32, 2 epochs")
    assert -45 < float(cells[1].replace("−", "-")) < -25
    assert cells[4:] == ["worse", "−1.69"]


def test_every_trained_setting_has_its_deviation_with_an_interval(study: StudyResults) -> None:
    found = answers.deviations(study)
    assert found.count("\n") == 1 + 12  # of thirteen settings one does not train
    assert "refused" not in found
    first = found.splitlines()[2]
    low, high = first.split("(")[1].split(")")[0].split("–")
    # Three seeds: sqrt(2 / 7.378) and sqrt(2 / 0.0506) times the deviation (chi-square tables).
    assert float(high) / float(low) == pytest.approx(12.07, rel=0.05)


def test_the_page_has_a_place_for_every_table() -> None:
    page = answers.PAGE.read_text(encoding="utf-8")
    for name in ("verdicts", "deviations", "flattery", "character", "failures"):
        page = pages.replaced(page, name, "here")
    assert page.count("\nhere\n") == 5


def test_every_finished_model_has_a_line_with_its_accuracy_and_its_costs(
    study: StudyResults,
) -> None:
    lines = accuracy.costs(study).splitlines()
    assert len(lines) == 2 + 12  # of thirteen settings one does not train
    one = next(line for line in lines if line.startswith("| MLP, batch 16, 1 epoch"))
    share, interval, deviation, trained, *_ = [cell.strip() for cell in one.split("|")[2:-1]]
    low, high = map(float, interval.split(" to "))
    assert 0 < low < float(share) < high < 100
    assert float(deviation) >= 0
    assert trained.endswith((" s", " min"))


def test_folds_have_a_line_a_model() -> None:
    one = {"title": "A model", "accuracy": 0.79, "interval": [0.78, 0.8], "seconds": 90.0}
    assert accuracy.folds({"settings": [one]}).splitlines()[2:] == [
        "| A model | 79.00 | 78.00 to 80.00 | 90 s |"
    ]


def test_the_page_of_accuracy_has_a_place_for_its_tables() -> None:
    page = accuracy.PAGE.read_text(encoding="utf-8")
    for name in ("accuracy", "unlabelled", "options", "folds"):
        page = pages.replaced(page, name, "here")
    assert page.count("\nhere\n") == 4


def test_every_option_has_a_line_with_what_it_changes_and_costs(
    made_up: Callable[..., StudyResults],
) -> None:
    study = made_up(
        {"plain": 0.85, "length-100": 0.5},
        study="options",
        protocols=("validation",),
        seeds=(297, 298, 299),
    )
    lines = accuracy.options(study).splitlines()
    assert len(lines) == 2 + 21
    cells = next(one for one in lines if one.startswith("| 100 words")).split("|")[2:-1]
    difference, interval, p, verdict, time = (one.strip() for one in cells)
    assert -45 < float(difference.replace("−", "-")) < -25
    assert " to " in interval
    assert float(p) < 0.05
    assert verdict == "worse"
    assert time.endswith(" times")
