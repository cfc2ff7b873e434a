from collections.abc import Callable, Sequence

import numpy as np
import pytest

from sentilab import probe
from sentilab.compare import paired_difference
from sentilab.probe.contrast import Example, Result
from sentilab.report import contrast
from sentilab.report.blocks import Chart, Paragraph, Section, Table
from sentilab.report.reading import Group, gather
from sentilab.studies import StudyResults

Make = Callable[..., StudyResults]


def made(originals: float, twins: float, *, in_training: int = 0, removed: bool = True) -> Result:
    """100 pairs, of which these shares are answered rightly, each from the first on."""
    rows = np.arange(100)
    positive = rows % 2 == 0
    right, turned = rows < 100 * originals, rows < 100 * twins
    return Result(
        positive=tuple(positive.tolist()),
        originals=tuple(np.where(right == positive, 0.9, 0.1).tolist()),
        twins=tuple(np.where(turned == positive, 0.1, 0.9).tolist()),
        in_training=in_training,
        removed=removed,
        unseen=0,
        examples=(Example(True, 0.9, 0.8, (("a fine film", "a dire film"),)),),
    )


def groups_of(results: StudyResults, names: Sequence[str]) -> list[Group]:
    return [gather(results, "notebook")[name] for name in names]


def said(section: Section | None) -> list[str]:
    assert section is not None
    return [one.text for one in section.blocks if isinstance(one, Paragraph)]


def test_nothing_measured_is_no_section(made_up: Make) -> None:
    assert contrast.section(groups_of(made_up(), ["mlp-2-epochs"])) is None


def test_one_seeds_drop_has_the_paired_interval() -> None:
    result = made(0.9, 0.6)
    found = paired_difference(result.twins_right, result.originals_right)
    assert contrast.drop([result]) == contrast.Drop(found.difference, found.interval)
    assert found.difference == pytest.approx(-0.3)


def test_several_seeds_count_as_one() -> None:
    once, thrice = contrast.drop([made(0.9, 0.6)] * 2), contrast.drop([made(0.9, 0.6)] * 3)
    assert once == thrice
    assert once.difference == pytest.approx(-0.3)
    assert once.interval.low < -0.3 < once.interval.high < 0


def test_one_model_is_described_with_its_drop(made_up: Make) -> None:
    groups = groups_of(made_up(), ["mlp-2-epochs"])
    probe.write(groups[0].first.folder, "contrast", made(0.9, 0.6))
    section = contrast.section(groups)
    text = said(section)[0]
    assert "answers 90.0% rightly, and only 60.0% after the edit: −30.00 points" in text
    assert "Both of a pair are right in 60.0%" in text
    assert text.endswith("The originals were removed from training.")
    assert len(said(section)) == 1
    assert section is not None
    chart = next(one for one in section.blocks if isinstance(one, Chart))
    assert "originals 90.0%, edited twins 60.0%, both of a pair 60.0%" in chart.description


def test_originals_that_were_seen_are_said_to_flatter(made_up: Make) -> None:
    names = ["mlp-2-epochs", "two-layers-batch-32"]
    groups = groups_of(made_up(), names)
    probe.write(groups[0].first.folder, "contrast", made(0.9, 0.6))
    seen = made(0.95, 0.5, in_training=80, removed=False)
    probe.write(groups[1].first.folder, "contrast", seen)
    section = contrast.section(groups)
    first, *others = said(section)
    assert "the models answer 90.0% to 95.0% rightly, and 50.0% to 60.0% after the edit" in first
    assert others == [
        "MLP, batch 64, 2 epochs: the originals were removed from training.",
        "Two bi-LSTM layers, batch 32, 2 epochs: 80 of 100 originals were in its training data: "
        "the drop is flattered, since they are answered better than texts that are new.",
    ]


def test_seeds_are_averaged_and_their_spread_is_shown(made_up: Make) -> None:
    groups = groups_of(made_up(seeds=(1, 2)), ["mlp-2-epochs"])
    for run, twins in zip(groups[0].finished, (0.5, 0.7), strict=True):
        probe.write(run.folder, "contrast", made(0.9, twins))
    section = contrast.section(groups)
    assert section is not None
    table = next(one for one in section.blocks if isinstance(one, Table))
    assert table.rows[0][1:4] == ("90.0% (0.0%)", "60.0% (14.1%)", "60.0% (14.1%)")
    assert "standard deviation over seeds" in table.caption
