"""The frontier over made-up runs with planted accuracies and costs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sentilab.report import frontier
from sentilab.report.blocks import Charts, Folded, Paragraph, Table
from sentilab.report.reading import Group
from sentilab.studies import Run
from sentilab.training import EpochMetrics, Predictions, RunFolder, RunSettings

TEXTS = 3_000
Make = Callable[..., Group]


@pytest.fixture
def made(tmp_path: Path) -> Make:
    """One setting of planted accuracy, equally good on test and validation texts."""

    def make(
        name: str,
        accuracy: float,
        seconds: float,
        *,
        ms: float | None = 10.0,
        size: int = 1_000_000,
        seeds: tuple[int, ...] = (1, 2, 3),
        protocol: str = "holdout",
        cpu: str = "a processor",
        constant: bool = False,
    ) -> Group:
        runs = []
        for seed in seeds:
            random = np.random.default_rng([seed, len(name), int(1000 * accuracy)])
            hardness = np.random.default_rng(0).random(TEXTS) + 0.2 * random.random(TEXTS)
            labels = np.arange(TEXTS) % 2
            right = hardness < np.quantile(hardness, accuracy + 0.004 * random.standard_normal())
            answers = np.where(right, labels, 1 - labels) * (0 if constant else 1)
            second = 0.8 * answers + 0.1
            predictions = Predictions(
                np.asarray([str(row) for row in range(TEXTS)]),
                labels,
                np.stack([1 - second, second], axis=1).astype(np.float32),
            )
            folder = RunFolder(tmp_path / f"{name}-{seed}")
            folder.write_predictions(predictions, ("no", "yes"))
            if protocol == "holdout":
                folder.write_predictions(predictions, ("no", "yes"), "validation")
            measured = float(predictions.correct.mean())
            runs.append(
                Run(
                    name=f"{name}@{protocol}-{seed}",
                    title=name,
                    settings=RunSettings("mlp", seed=seed, protocol=protocol),  # type: ignore[arg-type]
                    status="finished",
                    folder=folder.path,
                    history=(EpochMetrics(1, 0.3, 0.9, 0.3, measured),),
                    seconds=(seconds,),
                    chosen_epoch=1,
                    accuracy=measured,
                    loss=0.3,
                    prediction_ms=ms,
                    size=size,
                    environment={"cpu": cpu, "cores": 2},
                )
            )
        return Group(name, name, protocol, tuple(runs))

    return make


def found(blocks: list[Any], kind: type) -> list[Any]:
    inside = [one for block in blocks if isinstance(block, Folded) for one in block.blocks]
    return [one for one in [*blocks, *inside] if isinstance(one, kind)]


def test_there_is_no_frontier_of_one_model(made: Make) -> None:
    assert frontier.section([made("one", 0.9, 10)]) is None


def test_the_cheapest_that_cannot_be_told_from_the_best_is_recommended(made: Make) -> None:
    groups = [made("cheap", 0.80, 1), made("middle", 0.9, 10), made("dear", 0.903, 1000)]
    said = frontier.sentence(groups)
    assert said.startswith("For these data, take middle: 0.")
    assert "dear is the most accurate on the validation texts, but takes 16.7 min" in said
    assert "cannot be told apart" in said or "is within 1 point" in said


def test_where_it_is_better_the_dear_one_is_recommended(made: Make) -> None:
    said = frontier.sentence([made("cheap", 0.80, 1), made("dear", 0.92, 1000)])
    assert said.startswith("For these data, take dear: 0.92")
    assert "all that is cheaper is worse" in said


def test_what_a_budget_took_is_named_with_the_cheaper_one_beside_it(made: Make) -> None:
    groups = [made("cheap", 0.9, 10), made("dear", 0.903, 1000)]
    said = frontier.sentence(groups, groups[1])
    assert said.startswith("For these data, take dear")
    assert "cheap, trained in 10 s," in said


def test_a_model_that_says_one_thing_is_not_recommended_for_being_cheap(made: Make) -> None:
    groups = [made("majority", 0.5, 0.1, constant=True), made("weak", 0.505, 10)]
    said = frontier.sentence(groups)
    assert "take weak" in said
    assert "cannot be told apart from majority, which gives every text the same label" in said
    assert "worse" not in said


def test_three_panels_draw_the_front_and_leave_the_beaten_grey(made: Make) -> None:
    groups = [
        made("quick", 0.85, 1, ms=1, size=5_000_000),
        made("beaten", 0.84, 100, ms=100, size=50_000_000),
        made("best", 0.92, 500, ms=400, size=9_000_000),
    ]
    panels = found(frontier.blocks(groups), Charts)[0].charts
    assert len(panels) == 3
    for panel in panels:
        assert "beaten: " in panel.description
        assert panel.description.count("beaten by another") == 1
        line, *_ = panel.spec["layer"]
        joined = panel.spec["datasets"][line["data"]["name"]]
        assert [row["run"] for row in joined] == ["quick", "best"]
        assert line["encoding"]["x"]["scale"]["type"] == "log"


def test_one_far_below_the_others_is_named_and_not_drawn(made: Make) -> None:
    groups = [
        made("majority", 0.5, 0.1, constant=True),
        made("good", 0.9, 10),
        made("better", 0.92, 20),
    ]
    blocks = frontier.blocks(groups)
    assert "Too far below to be drawn: majority (0.5000)" in "".join(
        one.text for one in found(blocks, Paragraph)
    )
    assert all("majority" not in one.description for one in found(blocks, Charts)[0].charts)


def test_the_table_says_what_to_take_within_less(made: Make) -> None:
    groups = [made("cheap", 0.80, 1), made("middle", 0.9, 10), made("dear", 0.93, 1000)]
    key, training, *_ = found(frontier.blocks(groups), Table)
    assert [row[1] for row in key.rows] == ["cheap", "middle", "dear"]
    at = training.columns.index("take")
    assert [row[0] for row in training.rows] == [
        "1 s up to 10 s",
        "10 s up to 16.7 min",
        "16.7 min and more",
    ]
    assert [row[at] for row in training.rows] == ["cheap", "middle", "dear"]


def test_times_of_different_machines_are_marked(made: Make) -> None:
    groups = [made("one", 0.9, 10), made("other", 0.92, 20, cpu="another processor")]
    warnings = [
        one.text for one in found(frontier.blocks(groups), Paragraph) if one.kind == "warning"
    ]
    assert any("2 machines" in one for one in warnings)


def test_what_was_not_measured_is_left_out_and_said(made: Make) -> None:
    groups = [made("one", 0.9, 10, ms=None), made("other", 0.92, 20)]
    blocks = frontier.blocks(groups)
    assert len(found(blocks, Charts)[0].charts) == 2
    assert any(
        "Not measured in all runs: 1,000 predictions" in one.text
        for one in found(blocks, Paragraph)
    )


def test_runs_judged_on_validation_texts_say_so(made: Make) -> None:
    groups = [made(name, 0.9, 10, protocol="validation") for name in ("one", "other")]
    said = frontier.sentence(groups)
    assert "on the validation texts (95% interval" in said
    assert "test" not in said


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.8, 12, [1, 2, 5, 10]),
        (8, 1200, [10, 30, 100, 300, 1000]),
        (0.0001, 200, [0.0001, 0.01, 1, 100]),
        (13, 17, [14, 15, 16]),
    ],
)
def test_ticks_are_round_and_few(low: float, high: float, ticks: list[float]) -> None:
    assert frontier._ticks(low, high) == ticks
