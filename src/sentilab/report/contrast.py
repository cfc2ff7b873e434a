"""Whether the models turn where a review is edited until its label does."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np

from sentilab.compare import Interval, accuracy_interval, mean_interval, paired_difference
from sentilab.probe.contrast import Result, training_sentence
from sentilab.report.blocks import Block, Chart, Folded, Paragraph, Section, Table
from sentilab.report.figures import chart_of, over
from sentilab.report.probed import Probed, over_seeds, probed, seeds_note
from sentilab.report.reading import Group
from sentilab.report.sentences import between_points, listed, points

PARTS = {
    "originals": "originals_right",
    "edited twins": "twins_right",
    "both of a pair": "both_right",
}


@dataclass(frozen=True)
class Drop:
    """Accuracy on the twins less that on the originals, with its 95% interval over pairs."""

    difference: float
    interval: Interval


def section(groups: Sequence[Group]) -> Section | None:
    """None where the contrast sets were not measured; ``groups`` are those of one protocol."""
    found = probed(groups, "contrast", Result)
    if not found:
        return None
    blocks: list[Block] = [
        Paragraph(_answer(found), "answer"),
        _dots(found),
        _table(found),
        # The answer has said it where it holds for all alike.
        *(Paragraph(one) for one in _training(found) if len(_training(found)) > 1),
        Folded("Pairs that are answered alike, and how this is measured", _details(found)),
    ]
    return Section("Do the answers turn with the review?", "contrast", blocks)


def drop(results: Sequence[Result]) -> Drop:
    """Over several seeds the mean of each pair's differences; the seeds count as one.

    One seed: Newcombe's interval (compare.paired). Several: Student's over the pairs' means.
    """
    if len(results) == 1:
        found = paired_difference(results[0].twins_right, results[0].originals_right)
        return Drop(found.difference, found.interval)
    each = np.mean(
        [one.twins_right.astype(float) - one.originals_right.astype(float) for one in results],
        axis=0,
    )
    mean, _, interval = mean_interval(each.tolist())
    return Drop(mean, interval)


def _answer(found: Sequence[Probed[Result]]) -> str:
    pairs = len(found[0].results[0].positive)
    what = f"Of {pairs} reviews that experts edited until the label turned, "
    if len(found) == 1:
        one = found[0]
        fall = drop(one.results)
        told = (
            f"{one.title} answers {_share(one, 'originals'):.1%} rightly, and {_verb(fall)} "
            f"{_share(one, 'edited twins'):.1%} after the edit: {points(fall.difference)} points (95% "
            f"interval {between_points(fall.interval)}). Both of a pair are right in "
            f"{_share(one, 'both of a pair'):.1%}; guessing each would give 25%."
        )
    else:
        told = (
            f"the models answer {_range(found, 'originals')} rightly, and "
            f"{_range(found, 'edited twins')} after the edit. Both of a pair are right in "
            f"{_range(found, 'both of a pair')}; guessing each would give 25%."
        )
    training = _training(found)
    return f"{what}{told} {training[0]}" if len(training) == 1 else f"{what}{told}"


def _verb(fall: Drop) -> str:
    return "only" if fall.interval.high < 0 else "still"


def _share(one: Probed[Result], part: str) -> float:
    return float(np.mean(_shares(one, part)))


def _shares(one: Probed[Result], part: str) -> list[float]:
    return [float(getattr(result, PARTS[part]).mean()) for result in one.results]


def _range(found: Sequence[Probed[Result]], part: str) -> str:
    shares = [_share(one, part) for one in found]
    low, high = f"{min(shares):.1%}", f"{max(shares):.1%}"
    return low if low == high else f"{low} to {high}"


def _interval(one: Probed[Result], part: str) -> Interval:
    """Wilson's over pairs; the seeds count as one, since they answer the same pairs."""
    pairs = len(one.results[0].positive)
    low, high = accuracy_interval(round(_share(one, part) * pairs), pairs)
    return Interval(low, high)


def _training(found: Sequence[Probed[Result]]) -> list[str]:
    """What is known of the originals in the training data, in one sentence where all are alike."""
    said: dict[str, list[str]] = {}
    for one in found:
        for sentence in dict.fromkeys(training_sentence(result) for result in one.results):
            said.setdefault(sentence, []).append(one.title)
    if len(said) == 1:
        sentence = next(iter(said))
        return [f"{sentence[0].upper()}{sentence[1:]}."]
    return [f"{listed(titles)}: {sentence}." for sentence, titles in said.items()]


def _dots(found: Sequence[Probed[Result]]) -> Chart:
    """Originals, twins and both, a line a run, from no answer right to all."""
    rows = []
    for one in found:
        for part in PARTS:
            low, high = _interval(one, part)
            share = _share(one, part)
            rows.append({"run": one.title, "part": part, "share": share, "low": low, "high": high})
    names = list(PARTS)
    y = alt.Y("run:N", sort=None, title=None)
    x = alt.X(
        "share:Q",
        scale=alt.Scale(domain=[0, 1], nice=False),
        axis=alt.Axis(format="%", tickCount=5),
        title="answered rightly",
    )
    legend = alt.Legend(orient="bottom")
    color = alt.Color("part:N", scale=alt.Scale(domain=names), title=None, legend=legend)
    shape = alt.Shape(
        "part:N",
        scale=alt.Scale(domain=names, range=["circle", "circle", "diamond"]),
        title=None,
        legend=legend,
    )
    ends = [
        {"run": one.title, "from": _share(one, "edited twins"), "to": _share(one, "originals")}
        for one in found
    ]
    base = over(rows).encode(y=y, color=color)
    layers = [
        over([{"at": 0.5}]).mark_rule(strokeDash=[4, 3], opacity=0.7).encode(x="at:Q"),
        over(ends).mark_rule(strokeWidth=1, opacity=0.6).encode(y=y, x=alt.X("from:Q"), x2="to:Q"),
        base.mark_rule(strokeWidth=4, opacity=0.35).encode(x=alt.X("low:Q"), x2="high:Q"),
        base.mark_point(filled=True, size=90, opacity=1).encode(
            x=x,
            shape=shape,
            tooltip=["run:N", "part:N", alt.Tooltip("share:Q", format=".1%")],
        ),
    ]
    described = "; ".join(
        f"{one.title}: " + ", ".join(f"{part} {_share(one, part):.1%}" for part in PARTS)
        for one in found
    )
    return chart_of(
        alt.layer(*layers).properties(height=34 * len(found) + 10),
        f"Share answered rightly, of originals, of their edited twins, and of both: {described}.",
    )


def _table(found: Sequence[Probed[Result]]) -> Table:
    columns = (*PARTS, "after the edit (points)", "95% interval")
    rows = []
    for one in found:
        fall = drop(one.results)
        cells = [_cell(one, part) for part in PARTS]
        rows.append((one.title, *cells, points(fall.difference), between_points(fall.interval)))
    note = seeds_note(found) or "; in brackets 95% intervals"
    return Table(f"Share answered rightly{note}", ("run", *columns), rows, frozenset(columns))


def _cell(one: Probed[Result], part: str) -> str:
    if len(one.results) > 1:
        return over_seeds(_shares(one, part), 1, percent=True)
    low, high = _interval(one, part)
    return f"{_share(one, part):.1%} ({low:.1%} to {high:.1%})"


def _details(found: Sequence[Probed[Result]]) -> list[Block]:
    first = found[0].results[0]
    unseen = (
        f" Of {first.unseen} pairs the models read the same words twice: the edits stand before the "
        "last tokens, which are all that is kept."
        if first.unseen
        else ""
    )
    blocks: list[Block] = [
        Paragraph(
            f"The contrast sets (Gardner et al. 2020) hold {len(first.positive)} reviews of IMDB and a "
            "twin of each, changed as little as experts could so that the label turns. Intervals are "
            "over pairs: Wilson's for shares, Newcombe's paired one for the difference; several seeds "
            f"count as one.{unseen}"
        )
    ]
    for one in found:
        rows = [
            (
                "positive" if example.positive else "negative",
                f"{example.original:.3f}",
                f"{example.twin:.3f}",
                " | ".join(f"{before} → {after}" for before, after in example.edits),
            )
            for example in one.results[0].examples
        ]
        if rows:
            seed = " (first seed)" if len(one.results) > 1 else ""
            blocks.append(
                Table(
                    f"{one.title}{seed}: twins that are answered as their originals, most surely first",
                    ("original is", "p(positive)", "after the edit", "edits"),
                    rows,
                    frozenset({"p(positive)", "after the edit"}),
                )
            )
    return blocks
