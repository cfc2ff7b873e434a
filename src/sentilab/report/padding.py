"""What padding does to the models' answers, and what masking it costs and gains."""

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from sentilab.compare import Difference, Interval, accuracy_interval
from sentilab.probe.padding import Effect, Result, Side, described, spanned, spans
from sentilab.report.blocks import Block, Chart, Charts, Folded, Paragraph, Section, Table
from sentilab.report.differences import difference_between, paired_folders
from sentilab.report.figures import chart_of, over
from sentilab.report.probed import Probed, over_seeds, probed, seeds_note
from sentilab.report.reading import Group
from sentilab.report.sentences import between_points, duration, figure, listed, points

SIDES: dict[Side, str] = {
    "front": "more zeros in front",
    "behind": "more zeros behind",
    "moved": "padding moved behind",
}


def section(groups: Sequence[Group]) -> Section | None:
    """None where padding was not probed; ``groups`` are those of one protocol."""
    found = probed(groups, "padding", Result)
    if not found:
        return None
    changed = [one for one in found if any(result.reached for result in one.results)]
    pairs = masked_pairs(groups)
    blocks: list[Block] = [Paragraph(_answer(found, changed), "answer")]
    if changed:
        rows = [_rows(one) for one in changed]
        most = max(row["high"] for each in rows for row in each)
        blocks.append(
            Charts(
                [_by_length(one.title, each, most) for one, each in zip(changed, rows, strict=True)]
            )
        )
    blocks += [
        _labels(found),
        *([Paragraph(" ".join(map(_reached, _one_a_model(changed))))] if changed else []),
        *(block for pair in pairs[:1] for block in (Paragraph(_masked(*pair)), _masking(pairs))),
        _accuracies(found),
        Folded("Every padding, layer by layer, and how this is measured", _details(found)),
    ]
    return Section("Does padding change the answers?", "padding", blocks)


def masked_pairs(groups: Sequence[Group]) -> list[tuple[Group, Group]]:
    """(unmasked, masked): groups that differ in the model's setting ``masked`` alone.

    Both have finished, with a seed in common at least.
    """
    done = [one for one in groups if one.finished]
    masked = {_otherwise(one): one for one in done if _is_masked(one)}
    return [
        (one, other)
        for one in done
        if not _is_masked(one)
        and (other := masked.get(_otherwise(one)))
        and paired_folders(one, other)
    ]


def stratified_interval(
    hits: Sequence[int], sampled: Sequence[int], weights: Sequence[float]
) -> Interval:
    """95% interval of a share over strata: ``hits`` of ``sampled`` in each, which weighs ``weights``.

    Source: square-and-add of Wilson's intervals, Zou and Donner (2008), Statistics in Medicine
    27:1693, equation 5 for a sum.
    """
    whole = sum(weights)
    low = high = share = 0.0
    for hit, size, weight in zip(hits, sampled, weights, strict=True):
        one, part = accuracy_interval(hit, size), weight / whole
        share += part * hit / size
        low += (part * (hit / size - one.low)) ** 2
        high += (part * (one.high - hit / size)) ** 2
    return Interval(share - math.sqrt(low), share + math.sqrt(high))


def _answer(found: Sequence[Probed[Result]], changed: Sequence[Probed[Result]]) -> str:
    steady = [one.title for one in found if one not in changed]
    parts = []
    if changed:
        most = max(changed, key=lambda one: max(_flips(one).values()))
        shares = [
            f"{share:.1%} {described(side, _zeros(most, side))}"
            for side, share in _flips(most).items()
        ]
        who = (
            f"{len(changed)} of {len(found)} models answer"
            if len(found) > 1
            else "The model answers"
        )
        where = f"Most of all {most.title}" if len(changed) > 1 else most.title
        parts = [
            f"{who} the same words otherwise when they are padded otherwise.",
            f"{where}: of the test texts, {listed(shares)} get another label.",
        ]
    parts += [told for one in _one_a_model(changed) if (told := _wiped(one))]
    if steady:
        parts.append(f"Padding changes nothing, in any layer, in {listed(steady)}.")
    return " ".join(parts)


def _wiped(one: Probed[Result]) -> str:
    """The final states that, under the run's own padding, say nothing of short texts, in all seeds."""
    first = one.results[0]
    told = []
    for at, state in enumerate(first.states):
        lengths = [
            stratum
            for number, stratum in enumerate(first.strata)
            if all(result.states[at].forgotten[number] for result in one.results)
        ]
        if lengths:
            told.append(
                f"{state.name} ends in the same state whatever a text of {listed(spans(lengths))} "
                "tokens says"
            )
    return f"Padded as it was trained, in {one.title} {listed(told)}." if told else ""


def _reached(one: Probed[Result]) -> str:
    """The layer that the padding reaches first, by side."""
    reached = [
        f"{described(trace.side, trace.zeros)}, {trace.first}"
        for trace in one.results[0].traces
        if trace.first
    ]
    return f"In {one.title} the first layer that padding reaches is, {'; '.join(reached)}."


def _masked(plain: Group, masked: Group) -> str:
    found = _gain(plain, masked)
    clear = not found.interval.low <= 0 <= found.interval.high
    return (
        f"Masking the padding of {plain.title} changes its accuracy by "
        f"{points(found.difference)} points{'' if clear else ', no clear difference'} (95% interval "
        f"{between_points(found.interval)}), and an "
        f"epoch takes {duration(_epoch(masked))} where it took {duration(_epoch(plain))}."
    )


def _one_a_model(found: Sequence[Probed[Result]]) -> list[Probed[Result]]:
    """The first group of each model: padding takes the same way through all of them."""
    return list({one.group.first.settings.model: one for one in reversed(found)}.values())[::-1]


def _flips(one: Probed[Result]) -> dict[Side, float]:
    """By side the share of test texts that get another label, at the most zeros; over seeds."""
    shares: dict[Side, list[float]] = {}
    for result in one.results:
        for effect in result.furthest:
            shares.setdefault(effect.side, []).append(result.flips(effect))
    return {side: float(np.mean(each)) for side, each in shares.items()}


def _zeros(one: Probed[Result], side: Side) -> int:
    return next(effect.zeros for effect in one.results[0].furthest if effect.side == side)


def _of_side(result: Result, side: Side) -> Effect | None:
    return next((one for one in result.furthest if one.side == side), None)


def _rows(one: Probed[Result]) -> list[dict[str, Any]]:
    """The share of labels that change, by side and length, over seeds.

    "low" and "high" bound a 95% interval, or over several seeds their range.
    """
    first = one.results[0]
    rows: list[dict[str, Any]] = []
    for effect in first.furthest:
        for at, stratum in enumerate(first.strata):
            shares = [
                other.flipped[at] / result.strata[at].sampled
                for result in one.results
                if (other := _of_side(result, effect.side))
            ]
            low, high = min(shares), max(shares)
            if len(shares) == 1:
                low, high = accuracy_interval(effect.flipped[at], stratum.sampled)
            rows.append(
                {
                    "tokens": spanned(stratum),
                    "side": SIDES[effect.side],
                    "changed": float(np.mean(shares)),
                    "low": low,
                    "high": high,
                }
            )
    return rows


def _by_length(title: str, rows: list[dict[str, Any]], most: float) -> Chart:
    """The share of labels that change, by length, a line a side; ``most`` is the axis's end."""
    sides = list(dict.fromkeys(row["side"] for row in rows))
    base = over(rows).encode(
        x=alt.X("tokens:N", sort=None, title="tokens read of a text", axis=alt.Axis(labelAngle=0)),
        color=alt.Color(
            "side:N",
            scale=alt.Scale(domain=list(SIDES.values())),
            title=None,
            legend=alt.Legend(orient="bottom", values=sides, columns=1),
        ),
    )
    y = alt.Y(
        "changed:Q",
        scale=alt.Scale(domain=[0, most], nice=True),
        axis=alt.Axis(format="%", tickCount=5),
        title="labels that change",
    )
    layers = [
        base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line(strokeWidth=2).encode(y=y),
        base.mark_point(filled=True, size=45, opacity=1).encode(
            y=y, tooltip=["side:N", "tokens:N", alt.Tooltip("changed:Q", format=".1%")]
        ),
    ]
    values = "; ".join(f"{r['side']}, {r['tokens']} tokens: {r['changed']:.1%}" for r in rows)
    return chart_of(
        alt.layer(*layers).properties(height=190),
        f"Share of labels that change with another padding, {title}: {values}.",
        title,
    )


def _labels(found: Sequence[Probed[Result]]) -> Table:
    columns = tuple(SIDES.values())
    rows = [(one.title, *(_cell(one, side) for side in SIDES), _first_layer(one)) for one in found]
    sampled = sum(one.sampled for one in found[0].results[0].strata)
    note = seeds_note(found) or "; in brackets 95% intervals"
    return Table(
        f"Share of the test texts that get another label, from {sampled} of them{note}",
        ("run", *columns, "first layer that it reaches"),
        rows,
        frozenset(columns),
    ).without_empty_columns()


def _cell(one: Probed[Result], side: Side) -> str:
    effects = [(result, effect) for result in one.results if (effect := _of_side(result, side))]
    if not effects:
        return "length is fixed"
    shares = [result.flips(effect) for result, effect in effects]
    if len(shares) > 1:
        return over_seeds(shares, 1, percent=True)
    result, effect = effects[0]
    if not result.reached:
        return "none"
    low, high = stratified_interval(
        effect.flipped,
        [one.sampled for one in result.strata],
        [one.texts for one in result.strata],
    )
    return f"{shares[0]:.1%} ({low:.1%} to {high:.1%})"


def _first_layer(one: Probed[Result]) -> str:
    reached = dict.fromkeys(
        trace.first_layer for result in one.results for trace in result.traces if trace.first_layer
    )
    return listed(list(reached)) if reached else "none"


def _masking(pairs: Sequence[tuple[Group, Group]]) -> Table:
    columns = ("unmasked", "masked", "difference (points)", "95% interval")
    times = ("s an epoch, unmasked", "s an epoch, masked")
    rows = []
    for plain, masked in pairs:
        found = _gain(plain, masked)
        rows.append(
            (
                plain.title,
                figure(plain.accuracy),
                figure(masked.accuracy),
                points(found.difference),
                between_points(found.interval),
                f"{_epoch(plain):.1f}",
                f"{_epoch(masked):.1f}",
            )
        )
    return Table(
        "What masking does: test accuracy and training time",
        ("run", *columns, *times),
        rows,
        frozenset({*columns, *times}),
    )


def _is_masked(group: Group) -> bool:
    return bool(group.first.settings.model_settings.get("masked", False))


def _otherwise(group: Group) -> str:
    """All of a group's settings but ``masked`` and the seed, for comparing."""
    plain = group.first.settings.to_dict()
    own = {key: value for key, value in plain["model_settings"].items() if key != "masked"}
    return repr(sorted({**plain, "model_settings": sorted(own.items()), "seed": 0}.items()))


def _gain(plain: Group, masked: Group) -> Difference:
    """Accuracy of the masked less that of the unmasked, seed by seed."""
    return difference_between(paired_folders(plain, masked), "accuracy")


def _epoch(group: Group) -> float:
    """Mean seconds of one epoch with its validation."""
    return float(np.mean([second for one in group.finished for second in one.seconds]))


def _accuracies(found: Sequence[Probed[Result]]) -> Table:
    """Accuracy by length under the run's own padding, in front."""
    columns: dict[str, None] = {}
    cells: list[dict[str, str]] = []
    for one in found:
        row: dict[str, str] = {}
        for at, stratum in enumerate(one.results[0].strata):
            shares = [r.strata[at].right / r.strata[at].texts for r in one.results]
            text = over_seeds(shares)
            if len(shares) == 1:
                low, high = accuracy_interval(stratum.right, stratum.texts)
                text = f"{shares[0]:.4f} ± {(high - low) / 2:.4f}"
            row[f"{spanned(stratum)} tokens"] = text
        columns.update(dict.fromkeys(row))
        cells.append(row)
    rows = [
        (one.title, *(row.get(name, "") for name in columns))
        for one, row in zip(found, cells, strict=True)
    ]
    note = seeds_note(found) or "; ± is half a 95% interval"
    counts = ", ".join(f"{one.texts:,}" for one in found[0].results[0].strata)
    return Table(
        f"Test accuracy by the tokens that are read of a text ({counts} texts){note}",
        ("run", *columns),
        rows,
        frozenset(columns),
    )


def _details(found: Sequence[Probed[Result]]) -> list[Block]:
    first = found[0].results[0]
    blocks: list[Block] = [
        Paragraph(
            f"Up to {max(one.sampled for one in first.strata)} test texts of each length were answered "
            "again with more zeros in front, with zeros behind, and with their own zeros moved behind "
            "the words; only the padding differs. A model with a fixed length takes no more zeros, and "
            "in one that has weights for each position, moving the padding moves every word to others. "
            "A layer is reached if its outputs at the words' positions, or its final state, differ by "
            "more than a ten-thousandth of its largest output."
        )
    ]
    numeric = frozenset({"labels that change", "mean change of p", "largest change of p"})
    for one in found:
        result = one.results[0]
        rows = [
            (
                described(effect.side, effect.zeros).removeprefix("with "),
                f"{result.flips(effect):.1%}",
                f"{result.change(effect):.4f}",
                f"{max(effect.largest):.4f}",
            )
            for effect in result.effects
        ]
        blocks += [
            Table(
                f"{one.title}, every padding tried{' (first seed)' * (len(one.results) > 1)}",
                ("padding", "labels that change", "mean change of p", "largest change of p"),
                rows,
                numeric,
            ),
            _layers(one.title, result),
            *([_states(one.title, result)] if result.states else []),
        ]
    return blocks


def _layers(title: str, result: Result) -> Table:
    columns = [described(one.side, one.zeros) for one in result.traces]
    names = [(one.layer, one.part) for one in result.traces[0].outputs]
    rows = [
        (
            f"{layer}, {part}" if part else layer,
            *(_apart(one.outputs[at].difference) for one in result.traces),
        )
        for at, (layer, part) in enumerate(names)
    ]
    return Table(
        f"{title}: largest difference in each layer's outputs, as a share of the largest output",
        ("layer", *columns),
        rows,
        frozenset(columns),
    )


def _states(title: str, result: Result) -> Table:
    columns = [f"{spanned(one)} tokens" for one in result.strata]
    rows = [(one.name, *(f"{each:.2g}" for each in one.spread)) for one in result.states]
    return Table(
        f"{title}, padded as it was trained: how much a final state differs from text to text "
        "(standard deviation)",
        ("final state", *columns),
        rows,
        frozenset(columns),
    )


def _apart(difference: float | None) -> str:
    if difference is None:
        return "shapes differ"
    return "0" if difference == 0 else f"{difference:.1g}"
