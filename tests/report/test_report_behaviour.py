from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sentilab import probe
from sentilab.probe.behaviour import Result, examine
from sentilab.report import behaviour
from sentilab.report.blocks import Chart, Document, Folded, Paragraph, Section, Table
from sentilab.report.markdown import render
from sentilab.report.reading import Group, gather
from sentilab.studies import StudyResults

Make = Callable[..., StudyResults]


class Deaf:
    """Hears no "not": bad words make a text negative."""

    label_names = ("negative", "positive")
    bad = ("bad", "boring", "dull", "slow", "silly", "predictable", "terrible", "awful", "bored")

    def predict(self, texts: Sequence[str], /) -> Any:
        bad = np.array([any(word in text.lower() for word in self.bad) for text in texts])
        p = np.where(bad, 0.04, 0.96)
        return np.stack([1 - p, p], axis=1)


class Cheerful(Deaf):
    """Finds everything positive."""

    bad = ()


@pytest.fixture(scope="module")
def deaf() -> Result:
    return examine(Deaf(), length=200)


@pytest.fixture(scope="module")
def cheerful() -> Result:
    return examine(Cheerful(), length=200)


def groups_of(results: StudyResults, names: Sequence[str]) -> list[Group]:
    return [gather(results, "notebook")[name] for name in names]


def answer(section: Section | None) -> str:
    assert section is not None
    first = section.blocks[0]
    assert isinstance(first, Paragraph)
    assert first.kind == "answer"
    return first.text


def table(section: Section | None) -> Table:
    assert section is not None
    folded = next(one for one in section.blocks if isinstance(one, Folded))
    return next(one for one in folded.blocks if isinstance(one, Table))


def test_nothing_measured_is_no_section(made_up: Make) -> None:
    assert behaviour.section(groups_of(made_up(), ["mlp-2-epochs"])) is None


def test_one_model_is_described_with_intervals(made_up: Make, deaf: Result) -> None:
    groups = groups_of(made_up(), ["mlp-2-epochs"])
    probe.write(groups[0].first.folder, "behaviour", deaf)
    section = behaviour.section(groups)
    said = answer(section)
    assert said.startswith("MLP, batch 64, 2 epochs fails most often")
    assert "negation: negated blame (100%)" in said
    assert "They differ" not in said
    row = next(row for row in table(section).rows if row[1] == "negated blame")
    assert row[2:5] == ("the right label", "116", "100% (71% to 100%)")
    assert section is not None
    chart = next(one for one in section.blocks if isinstance(one, Chart))
    assert "negation: negated blame: MLP, batch 64, 2 epochs 100%" in chart.description
    assert len(chart.spec["layer"]) == 2


def test_models_are_compared_where_their_intervals_do_not_meet(
    made_up: Make, deaf: Result, cheerful: Result
) -> None:
    groups = groups_of(made_up(), ["mlp-2-epochs", "two-layers-batch-32"])
    for group, result in zip(groups, (deaf, cheerful), strict=True):
        probe.write(group.first.folder, "behaviour", result)
    section = behaviour.section(groups)
    said = answer(section)
    assert said.startswith("The models fail most often")
    assert "They differ most at negation: negated blame." in said
    assert table(section).columns[4:] == tuple(group.title for group in groups)
    assert section is not None
    text = render(Document("t", "s", "", "", (), [section]))
    assert "The worst failures" in text
    assert "p(positive)" in text


def test_seeds_are_averaged_and_their_spread_is_shown(
    made_up: Make, deaf: Result, cheerful: Result
) -> None:
    groups = groups_of(made_up(seeds=(1, 2)), ["mlp-2-epochs"])
    for run, result in zip(groups[0].finished, (deaf, cheerful), strict=True):
        probe.write(run.folder, "behaviour", result)
    found = table(behaviour.section(groups))
    assert "standard deviation over seeds" in found.caption
    row = next(row for row in found.rows if row[1] == "negated blame")
    assert row[4] == "50% (71%)"


def test_fairness_names_the_widest_gap(made_up: Make, deaf: Result) -> None:
    groups = groups_of(made_up(), ["mlp-2-epochs"])
    checks = []
    for one in deaf.checks:
        changed = [replace(part, mean=0.9 if part.name == "women" else 0.4) for part in one.groups]
        checks.append(replace(one, groups=tuple(changed)) if one.name == "gender" else one)
    probe.write(groups[0].first.folder, "behaviour", replace(deaf, checks=tuple(checks)))
    section = behaviour.section(groups)
    assert section is not None
    said = [one.text for one in section.blocks if isinstance(one, Paragraph)]
    assert any(
        "0.500, gender" in one and "men the lowest, women the highest" in one for one in said
    )


def test_results_of_another_version_are_left_out_and_said_to_be(
    made_up: Make, deaf: Result
) -> None:
    groups = groups_of(made_up(seeds=(1, 2)), ["mlp-2-epochs"])
    old, new = groups[0].finished
    probe.write(old.folder, "behaviour", replace(deaf, version=0))
    assert behaviour.section(groups) is None
    probe.write(new.folder, "behaviour", deaf)
    section = behaviour.section(groups)
    assert section is not None
    last = section.blocks[-1]
    assert isinstance(last, Paragraph)
    assert "another version" in last.text
    assert not any(isinstance(one, Folded) and not one.blocks for one in section.blocks)
