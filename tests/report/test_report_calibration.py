from collections.abc import Callable, Sequence

import numpy as np

from sentilab import probe
from sentilab.probe.calibration import SHARED, Result, figures, scaled
from sentilab.report import calibration, markdown
from sentilab.report.blocks import Charts, Document, Paragraph, Section, Table
from sentilab.report.reading import Group, gather
from sentilab.studies import StudyResults

Make = Callable[..., StudyResults]
NAMES = ("negative", "positive")


def made(temperature: float, seed: int = 1, *, fitted: bool = True) -> Result:
    """Answers that are too sure by this temperature, and what scaling by it makes of them."""
    random = np.random.default_rng(seed)
    right = random.uniform(0.3, 1, 2_000)
    calm = np.stack([1 - right, right], axis=1)
    labels = (random.random(2_000) < right).astype(np.int64)
    said = scaled(calm, 1 / temperature)
    before = figures(said, labels, NAMES)
    if not fitted:
        return Result(before, None, None, 0, SHARED)
    return Result(before, figures(calm, labels, NAMES), temperature, 500, "")


def groups_of(results: StudyResults, names: Sequence[str]) -> list[Group]:
    return [gather(results, "notebook")[name] for name in names]


def write(group: Group, *results: Result) -> None:
    for run, result in zip(group.finished, results, strict=True):
        probe.write(run.folder, "calibration", result)


def said(section: Section | None) -> str:
    """The section as its reader of Markdown gets it."""
    assert section is not None
    return markdown.render(Document("", "", "", "", [], [section]))


def test_nothing_measured_is_no_section(made_up: Make) -> None:
    assert calibration.section(groups_of(made_up(), ["mlp-2-epochs"])) is None


def test_each_model_is_called_what_it_is(made_up: Make) -> None:
    groups = groups_of(made_up(), ["mlp-2-epochs"])
    for temperature, kind in ((3.0, "overconfident"), (1.0, "calibrated"), (0.4, "underconfident")):
        write(groups[0], made(temperature))
        assert f"{groups[0].title} is {kind}: it is" in said(calibration.section(groups))


def test_the_furthest_off_is_named_and_the_temperature_mends_it(made_up: Make) -> None:
    groups = groups_of(made_up(), ["mlp-2-epochs", "two-layers-batch-32"])
    write(groups[0], made(1.0))
    write(groups[1], made(3.0))
    section = calibration.section(groups)
    assert section is not None
    answer = section.blocks[0]
    assert isinstance(answer, Paragraph)
    assert answer.kind == "answer"
    assert "Of 2 models, 1 is calibrated and 1 is overconfident." in answer.text
    assert f"Furthest off is {groups[1].title}:" in answer.text
    assert "A temperature of 3.00, fitted on validation texts, brings the error to" in answer.text
    assert f"Nearest is {groups[0].title}" in answer.text
    charts = next(one for one in section.blocks if isinstance(one, Charts))
    assert [one.title for one in charts.charts] == [one.title for one in groups]


def test_without_a_temperature_the_reason_is_given(made_up: Make) -> None:
    groups = groups_of(made_up(), ["mlp-2-epochs"])
    write(groups[0], made(3.0, fitted=False))
    text = said(calibration.section(groups))
    assert "the only validation texts are the test texts" in text
    assert "A temperature of" not in text


def test_seeds_are_averaged_and_their_spread_is_shown(made_up: Make) -> None:
    groups = groups_of(made_up(seeds=(1, 2)), ["mlp-2-epochs"])
    results = [made(2.0, seed) for seed in (1, 2)]
    write(groups[0], *results)
    section = calibration.section(groups)
    assert section is not None
    table = next(one for one in section.blocks if isinstance(one, Table))
    errors = [one.before.ece for one in results]
    assert f"{np.mean(errors):.4f} ({np.std(errors, ddof=1):.4f})" in table.rows[0]
    assert "in brackets the standard deviation over seeds" in table.caption
