from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sentilab import probe
from sentilab.probe.faithfulness import SHARES, Estimate, Ordered
from sentilab.probe.words import Mistake, Pushing, Result
from sentilab.report import markdown, page
from sentilab.report.blocks import Charts, Document, Folded, Highlighted, Paragraph, Section
from sentilab.report.explained import section
from sentilab.report.reading import Group, gather
from sentilab.studies import StudyResults

Make = Callable[..., StudyResults]
NAMES = ("negative", "positive")
HOSTILE = '</p><script>alert("1")</script> *bold* `code`'


def ordered(order: Any, gain: float) -> Ordered:
    deletion = tuple(np.linspace(0.9, 0.5 - gain, len(SHARES)))
    insertion = tuple(np.linspace(0.5, 0.9, len(SHARES)))
    around = Estimate(gain, gain - 0.02, gain + 0.02)
    area = Estimate(0.7 - gain, 0.65 - gain, 0.75 - gain)
    return Ordered(order, deletion, insertion, area, area, around, around)


def result(shift: float = 0.0, *, gain: float = 0.3, words: Sequence[str] = ()) -> Result:
    def push(word: str, label: str, mean: float) -> Pushing:
        return Pushing(word, label, Estimate(mean, mean - 0.1, mean + 0.1), 9)

    return Result(
        part="validation",
        label_names=NAMES,
        sampled=300,
        baseline="zero",
        steps=8,
        gap=0.001,
        gap_share=0.0004,
        words=(
            push("worst", "negative", 1.4 + shift),
            push("4", "negative", 1.1 + shift),
            *(push(one, "positive", 0.9 + shift) for one in (*words, "8", "wonderful")),
        ),
        phrases=(push("the worst", "negative", 1.5),),
        ordered_texts=32,
        ordered=(ordered("ig", gain), ordered("occlusion", gain), ordered("random", 0.0)),
        mistakes=tuple(
            Mistake(
                f"test/{n}",
                "negative",
                "positive",
                0.99,
                *NAMES,
                words_cut_off=3,
                pieces=(("fine", 0.5), (f" {HOSTILE} ", None), ("dull", -0.25)),
            )
            for n in range(3)
        ),
    )


@pytest.fixture
def groups(made_up: Make) -> Callable[..., list[Group]]:
    """The groups of a made-up study; of some of its runs words were measured."""

    def make(measured: dict[str, Result], seeds: tuple[int, ...] = (297,)) -> list[Group]:
        study = made_up({"mlp-1-epoch-32": 0.9}, seeds=seeds)
        found = gather(study, "notebook")
        for group in found.values():
            for number, run in enumerate(group.finished):
                if group.name in measured:
                    one = measured[group.name]
                    shifted = [
                        replace(w, push=Estimate(w.push.mean + number, 0.1, 9.0)) for w in one.words
                    ]
                    probe.write(Path(run.folder), "words", replace(one, words=tuple(shifted)))
        return [one for one in found.values() if one.finished]

    return make


def names_of(groups: Sequence[Group]) -> tuple[str, str]:
    """A recurrent group and one that is not."""
    recurrent = next(one.name for one in groups if one.is_recurrent)
    return recurrent, next(one.name for one in groups if not one.is_recurrent)


def rendered(one: Section) -> tuple[str, str]:
    whole = Document("t", "s", "", "", (), [one])
    return page.render(whole), markdown.render(whole)


def test_where_nothing_was_measured_there_is_no_section(groups: Any) -> None:
    assert section(groups({})) is None


def test_the_answer_names_words_and_says_what_deleting_them_does(groups: Any) -> None:
    recurrent, dense = names_of(groups({}))
    found = section(groups({recurrent: result(), dense: result(words=["superb"])}))
    assert found is not None
    first = found.blocks[0]
    assert isinstance(first, Paragraph)
    assert first.kind == "answer"
    assert '"worst"' in first.text
    assert "takes the probability of the answer from 0.90" in first.text
    assert 'Bare numbers are among them ("4" and "8")' in first.text
    assert isinstance(found.blocks[1], Charts)
    # The best recurrent model and the best other one, side by side.
    assert len(found.blocks[1].charts) == 2


def test_attributions_no_better_than_chance_are_not_praised(groups: Any) -> None:
    recurrent, _ = names_of(groups({}))
    found = section(groups({recurrent: result(gain=0.01)}))
    assert found is not None
    assert isinstance(found.blocks[0], Paragraph)
    assert "should not be trusted" in found.blocks[0].text


def test_seeds_are_averaged_and_their_spread_is_shown(groups: Any) -> None:
    recurrent, _ = names_of(groups({}))
    found = section(groups({recurrent: result()}, seeds=(297, 298)))
    assert found is not None
    charts = found.blocks[1]
    assert isinstance(charts, Charts)
    rows = [row for each in charts.charts[0].spec["datasets"].values() for row in each]
    worst = next(row for row in rows if row.get("word") == "worst")
    assert worst["push"] == pytest.approx(-1.9)
    assert sorted((worst["low"], worst["high"])) == pytest.approx([-2.4, -1.4])


def test_a_hostile_text_is_shown_and_not_run(groups: Any) -> None:
    recurrent, _ = names_of(groups({}))
    found = section(groups({recurrent: result()}))
    assert found is not None
    html, text = rendered(found)
    assert "<script>alert" not in html
    assert "&lt;/p&gt;&lt;script&gt;alert" in html
    assert "\\<script\\>" in text
    assert "\\*bold\\*" in text
    assert "**fine** (0.50 towards positive)" in text


def test_coloured_words_carry_their_value_and_their_side() -> None:
    block = Highlighted([("good", 0.5), (" ", None), ("bad", -1.0), ("so", 0.0)], "How", NAMES)
    html, _ = rendered(Section("s", "s", [block]))
    assert 'class="above" style="--size: 0.50" title="0.50 towards positive">good</mark>' in html
    assert 'class="below" style="--size: 1.00" title="1.00 towards negative">bad</mark>' in html
    assert "<span> </span>" in html


def test_nothing_but_unscored_words_can_be_shown() -> None:
    block = Highlighted([("good", None), ("bad", 0.0)], "How", NAMES)
    html, text = rendered(Section("s", "s", [block]))
    assert "nan" not in html[html.index("<main>") : html.index("</main>")]
    assert "> goodbad" in text


def test_mistakes_after_the_first_are_folded(groups: Any) -> None:
    recurrent, _ = names_of(groups({}))
    found = section(groups({recurrent: result()}))
    assert found is not None
    assert sum(isinstance(one, Highlighted) for one in found.blocks) == 1
    folded = [one for one in found.blocks if isinstance(one, Folded)]
    assert "next 2 confident mistakes" in folded[0].title
