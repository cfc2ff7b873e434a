from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sentilab import probe
from sentilab.compare import accuracy_interval, paired_difference
from sentilab.probe.padding import Effect, FinalState, Outputs, Result, Stratum, Trace
from sentilab.report import markdown, padding
from sentilab.report.blocks import Charts, Document, Section
from sentilab.report.reading import Group, gather
from sentilab.studies import StudyResults

Make = Callable[..., StudyResults]
SIDES = (("front", 200), ("behind", 200), ("moved", 0))
STRATA = (Stratum(1, 50, 200, 150, 100), Stratum(51, 200, 800, 700, 100))
NONE = Result(
    200,
    False,
    STRATA,
    tuple(Effect(one, zeros, (0, 0), (0.0, 0.0), (0.0, 0.0)) for one, zeros in SIDES),
    tuple(Trace(one, zeros, (Outputs("lstm", "", 0.0),)) for one, zeros in SIDES),
    (FinalState("lstm", "", (0.2, 0.2)),),
)
SOME = replace(
    NONE,
    effects=tuple(
        Effect(one, zeros, (flipped, 0), (0.1, 0.0), (0.4, 0.0))
        for (one, zeros), flipped in zip(SIDES, (5, 50, 20), strict=True)
    ),
    traces=tuple(
        Trace(one, zeros, (Outputs("first", "forward", 0.5), Outputs("first", "backward", 0.0)))
        for one, zeros in SIDES
    ),
    states=(
        FinalState("first", "forward", (0.2, 0.2)),
        FinalState("first", "backward", (0.0, 0.1)),
    ),
)


def groups_of(results: StudyResults, names: Sequence[str]) -> list[Group]:
    return [gather(results, "notebook")[name] for name in names]


def write(group: Group, result: Result) -> None:
    for run in group.finished:
        probe.write(run.folder, "padding", result)


def said(section: Section | None) -> str:
    assert section is not None
    return markdown.render(Document("", "", "", "", [], [section])).replace("\\", "")


def test_nothing_measured_is_no_section(made_up: Make) -> None:
    assert padding.section(groups_of(made_up(), ["mlp-2-epochs"])) is None


def test_the_model_that_padding_changes_most_is_named_and_those_it_leaves_alone(
    made_up: Make,
) -> None:
    groups = groups_of(made_up(), ["two-layers-batch-32", "two-layers-batch-64"])
    write(groups[0], SOME)
    write(groups[1], NONE)
    section = padding.section(groups)
    text = said(section)
    assert "1 of 2 models answer the same words otherwise" in text
    assert (
        f"{groups[0].title}: of the test texts, 1.0% with 200 more zeros in front, 10.0% with 200 more "
        "zeros behind and 4.0% with the padding moved behind the words get another label."
    ) in text
    assert f"Padding changes nothing, in any layer, in {groups[1].title}." in text
    assert (
        "the backward direction of first ends in the same state whatever a text of 1-50 tokens says"
    ) in text
    assert "with 200 more zeros in front, the forward direction of first" in text
    assert section is not None
    charts = next(one for one in section.blocks if isinstance(one, Charts))
    assert [one.title for one in charts.charts] == [groups[0].title]


def test_seeds_are_averaged(made_up: Make) -> None:
    groups = groups_of(made_up(seeds=(1, 2)), ["two-layers-batch-32"])
    calm = replace(SOME, effects=NONE.effects)
    for run, result in zip(groups[0].finished, (SOME, calm), strict=True):
        probe.write(run.folder, "padding", result)
    assert "5.0% (7.1%)" in said(padding.section(groups))


def test_masked_and_unmasked_runs_of_the_same_settings_are_compared(made_up: Make) -> None:
    plain, other, mlp = groups_of(
        made_up(), ["one-layer-batch-64", "two-layers-batch-64", "mlp-2-epochs"]
    )
    masked = _masked(plain, other.first.folder)
    write(plain, SOME)
    assert padding.masked_pairs([plain, masked, mlp]) == [(plain, masked)]
    assert padding.masked_pairs([plain, other, mlp]) == []
    found = paired_difference(masked.first.predictions().correct, plain.first.predictions().correct)
    text = said(padding.section([plain, masked, mlp]))
    assert f"by {100 * found.difference:+.2f} points".replace("-", "−") in text
    assert "What masking does: test accuracy and training time:" in text


def _masked(plain: Group, folder: Path) -> Group:
    """The same settings, masked, with another run's answers."""
    settings = replace(plain.first.settings, model_settings={"masked": True})
    run = replace(plain.first, settings=settings, folder=folder, title="masked")
    return Group("masked", "masked", plain.protocol, (run,))


def test_one_stratum_has_wilsons_interval() -> None:
    assert padding.stratified_interval([7], [100], [3]) == pytest.approx(accuracy_interval(7, 100))


def test_the_interval_over_strata_covers_the_share_in_95_percent_of_simulations() -> None:
    random = np.random.default_rng(1)
    weights, shares = np.asarray([0.1, 0.3, 0.6]), np.asarray([0.3, 0.1, 0.02])
    covered = [
        low <= float(weights @ shares) <= high
        for hits in random.binomial(100, shares, (2_000, 3))
        for low, high in [padding.stratified_interval(hits.tolist(), [100] * 3, weights.tolist())]
    ]
    assert 0.935 <= np.mean(covered) <= 0.985
