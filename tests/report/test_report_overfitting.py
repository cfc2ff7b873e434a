from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from sentilab.report import markdown, overfitting
from sentilab.report.blocks import Chart, Document, Section, Table
from sentilab.report.reading import Group, gather
from sentilab.studies import StudyResults
from sentilab.training import EpochMetrics

Make = Callable[..., StudyResults]


def curve(*losses: float) -> tuple[EpochMetrics, ...]:
    """Validation losses by epoch; accuracy falls as they rise, and training always improves."""
    return tuple(
        EpochMetrics(n, 0.4 / n, 0.8 + 0.04 * n, loss, 1 - loss / 4)
        for n, loss in enumerate(losses, start=1)
    )


def group(made_up: Make, *curves: tuple[EpochMetrics, ...], planned: int) -> Group:
    results = made_up(seeds=tuple(range(len(curves))))
    found = gather(results, "notebook")["two-layers-5-epochs"]
    runs = [
        replace(run, history=history, settings=replace(run.settings, epochs=planned))
        for run, history in zip(found.runs, curves, strict=True)
    ]
    return replace(found, runs=tuple(runs))


def said(section: Section | None) -> str:
    assert section is not None
    return markdown.render(Document("", "", "", "", [], [section])).replace("\\", "")


def tables(section: Section | None) -> Sequence[Table]:
    assert section is not None
    return [one for one in section.blocks if isinstance(one, Table)]


def test_one_epoch_makes_no_section(made_up: Make) -> None:
    groups = [gather(made_up(), "notebook")["mlp-1-epoch-batch-32"]]
    assert overfitting.section(groups) is None


def test_the_turn_the_gaps_and_the_rules_are_shown(made_up: Make) -> None:
    section = overfitting.section([group(made_up, curve(0.4, 0.36, 0.5, 0.6), planned=4)])
    text = said(section)
    assert "Validation loss turned in 1 of 1 run, after epoch 2." in text
    assert "11.0 points of accuracy and 0.50 of loss" in text
    turns, by_accuracy, by_loss = tables(section)
    # Training 0.88, validation 0.91 where the loss is lowest; 0.96 and 0.85 at the end.
    assert list(turns.rows[0][1:]) == ["2", "−3.0", "0.160", "11.0", "0.500"]
    assert list(by_loss.rows[0][1:]) == [
        "4 of 4",
        "0.9100",
        "3 run, 2 kept, 0.00",
        "4 run, 2 kept, 0.00",
        "4 run, 2 kept, 0.00",
    ]
    assert by_accuracy.rows[0][3:] == by_loss.rows[0][3:]
    assert section is not None
    assert isinstance(section.blocks[1], Chart)


def test_what_a_run_that_stopped_cannot_tell_is_not_known(made_up: Make) -> None:
    stopped = group(made_up, curve(0.36, 0.4, 0.5), planned=10)
    row = tables(overfitting.section([stopped]))[2].rows[0]
    assert list(row[-3:]) == ["2 run, 1 kept, 0.00", "3 run, 1 kept, 0.00", "not known"]


def test_seeds_are_averaged_and_those_that_cannot_tell_are_counted(made_up: Make) -> None:
    both = group(made_up, curve(0.36, 0.4, 0.5), curve(0.4, 0.36, 0.5, 0.6), planned=4)
    turns, _, by_loss = tables(overfitting.section([both]))
    assert turns.rows[0][1] == "1 / 2"
    assert by_loss.rows[0][-1] == "4.0 run, 2.0 kept, 0.00 (1 of 2 seeds)"
    assert "2.5 run, 1.5 kept" in by_loss.rows[0][-3]


def test_the_notebooks_validation_texts_are_called_what_they_are(made_up: Make) -> None:
    found = group(made_up, curve(0.4, 0.5), planned=2)
    assert "the validation texts are the test texts" in said(overfitting.section([found]))
    held_out = replace(found, protocol="holdout")
    assert "the validation texts are the test texts" not in said(overfitting.section([held_out]))


@pytest.mark.parametrize(
    ("losses", "turned"), [((0.5, 0.4), "0 of 1 run, so far"), ((0.4, 0.5), "1 of 1")]
)
def test_a_loss_that_still_falls_has_not_turned(
    made_up: Make, losses: tuple[float, ...], turned: str
) -> None:
    assert turned in said(overfitting.section([group(made_up, curve(*losses), planned=2)]))
