"""How sure the models are, and how sure they may be."""

from collections.abc import Sequence

import altair as alt
import numpy as np

from sentilab.compare import accuracy_interval
from sentilab.probe.calibration import BINS, Answered, Bin, Figures, Result
from sentilab.report.blocks import Block, Chart, Charts, Folded, Paragraph, Section, Table
from sentilab.report.figures import chart_of, over
from sentilab.report.probed import Probed, over_seeds, probed, seeds_note
from sentilab.report.reading import Group
from sentilab.report.sentences import count, listed

STATES = ["as trained", "after scaling"]


def section(groups: Sequence[Group]) -> Section | None:
    """None where no calibration was measured; ``groups`` are those of one protocol."""
    found = probed(groups, "calibration", Result)
    if not found:
        return None
    blocks: list[Block] = [
        Paragraph(_answer(found), "answer"),
        Charts([_reliability(one) for one in found]),
        _before(found),
        *_after(found),
        Folded("How each label is answered, and how this is measured", _details(found)),
    ]
    return Section("How sure may a model be?", "calibration", blocks)


def _answer(found: Sequence[Probed[Result]]) -> str:
    by_error = sorted(found, key=lambda one: _mean(one, "ece"))
    best, worst = by_error[0], by_error[-1]
    if len(found) == 1:
        parts = [f"{worst.title} is {_leaning(worst)}: {_figures(worst)}.", _mended(worst)]
    else:
        kinds = [_leaning(one) for one in found]
        counted = [
            f"{number} {'is' if number == 1 else 'are'} {kind}"
            for kind in dict.fromkeys(kinds)
            if (number := kinds.count(kind))
        ]
        parts = [
            f"Of {len(found)} models, {listed(counted)}.",
            f"Furthest off is {worst.title}: {_figures(worst)}.",
            _mended(worst),
            f"Nearest is {best.title}, with a calibration error of {_mean(best, 'ece'):.3f}.",
        ]
    return " ".join(one for one in parts if one)


def _leaning(one: Probed[Result]) -> str:
    if all(result.before.is_calibrated for result in one.results):
        return "calibrated"
    surplus = _mean(one, "confidence") - _mean(one, "accuracy")
    return "overconfident" if surplus > 0 else "underconfident"


def _figures(one: Probed[Result]) -> str:
    return (
        f"it is {_mean(one, 'confidence'):.1%} sure on average and right in "
        f"{_mean(one, 'accuracy'):.1%} of the test texts, and its calibration error is "
        f"{_mean(one, 'ece'):.3f}, where a calibrated model would show "
        f"{_mean(one, 'ece_if_calibrated'):.3f}"
    )


def _mended(one: Probed[Result]) -> str:
    fitted = [result for result in one.results if result.after and result.temperature]
    if not fitted:
        return ""
    error = np.mean([result.after.ece for result in fitted if result.after])
    temperature = np.mean([result.temperature or 1.0 for result in fitted])
    return (
        f"A temperature of {temperature:.2f}, fitted on validation texts, "
        f"{'brings the error to' if error < _mean(one, 'ece') else 'leaves it at'} {error:.3f} "
        "and changes no answer."
    )


def _mean(one: Probed[Result], name: str) -> float:
    return float(np.mean([getattr(result.before, name) for result in one.results]))


def _reliability(one: Probed[Result]) -> Chart:
    """Share of right answers against confidence, a line a seed."""
    rows = []
    for seed, result in enumerate(one.results):
        for state, figures in zip(STATES, (result.before, result.after), strict=True):
            rows += [_point(each, state, seed) for each in (figures.bins if figures else ())]
    names = STATES if any(row["state"] == STATES[1] for row in rows) else STATES[:1]
    lowest = min(min(row["confidence"], row["low"]) for row in rows)
    scale = alt.Scale(domain=[min(0.5, lowest), 1], nice=False)
    percent = alt.Axis(format="%", tickCount=5)
    x = alt.X("confidence:Q", scale=scale, axis=percent, title="confidence")
    y = alt.Y("right:Q", scale=scale, axis=percent, title="answers that are right")
    color = alt.Color(
        "state:N",
        scale=alt.Scale(domain=names),
        title=None,
        legend=alt.Legend(orient="bottom") if len(names) > 1 else None,
    )
    base = over(rows).encode(x=x, color=color, detail="seed:N")
    edge = scale.to_dict()["domain"]
    ideal = over([{"confidence": at, "right": at} for at in edge])
    layers = [
        ideal.mark_line(strokeDash=[4, 3], opacity=0.7, color="gray").encode(x=x, y=y),
        base.mark_line(strokeWidth=1.5).encode(y=y),
        base.mark_point(filled=True, size=30, opacity=1).encode(
            y=y,
            tooltip=[
                "state:N",
                alt.Tooltip("confidence:Q", format=".1%"),
                alt.Tooltip("right:Q", format=".1%"),
                "texts:Q",
            ],
        ),
    ]
    if len(one.results) == 1:
        layers.insert(1, base.mark_rule(opacity=0.6).encode(y=alt.Y("low:Q"), y2="high:Q"))
    described = "; ".join(
        f"{row['state']} {row['confidence']:.1%} sure, {row['right']:.1%} right"
        for row in rows
        if row["seed"] == 0
    )
    return chart_of(
        alt.layer(*layers).properties(height=210),
        f"Share of right answers against confidence, {one.title}: {described}.",
        one.title,
    )


def _point(one: Bin, state: str, seed: int) -> dict[str, float | str]:
    low, high = accuracy_interval(one.right, one.texts)
    return {
        "state": state,
        "seed": seed,
        "confidence": one.confidence,
        "right": one.right / one.texts,
        "texts": one.texts,
        "low": low,
        "high": high,
    }


COLUMNS = ("calibration error", "a calibrated model's", "Brier score", "log loss")
SURE = ("mean confidence", "accuracy")


def _before(found: Sequence[Probed[Result]]) -> Table:
    rows = []
    for one in found:
        each = [result.before for result in one.results]
        sure = (over_seeds([getattr(f, name) for f in each]) for name in ("confidence", "accuracy"))
        rows.append((one.title, *sure, *_row(each)))
    caption = f"On the test texts, as trained{seeds_note(found)}"
    return Table(caption, ("run", *SURE, *COLUMNS), rows, frozenset({*SURE, *COLUMNS}))


def _after(found: Sequence[Probed[Result]]) -> list[Block]:
    rows = []
    why: dict[str, list[str]] = {}
    for one in found:
        each = [result for result in one.results if result.after]
        if each:
            temperatures = over_seeds([result.temperature or 1.0 for result in each], 2)
            after = [result.after for result in each if result.after]
            rows.append((one.title, temperatures, *_row(after)))
        for reason in {result.not_fitted for result in one.results if result.not_fitted}:
            why.setdefault(reason, []).append(one.title)
    blocks: list[Block] = []
    if rows:
        blocks.append(
            Table(
                f"On the test texts, after scaling by a temperature that was fitted on validation "
                f"texts{seeds_note(found)}",
                ("run", "temperature", *COLUMNS),
                rows,
                frozenset({"temperature", *COLUMNS}),
            )
        )
    for reason, titles in why.items():
        whose = "any of these runs" if len(titles) == len(found) > 1 else listed(titles)
        blocks.append(Paragraph(f"No temperature was fitted for {whose}: {reason}."))
    return blocks


def _row(each: Sequence[Figures]) -> tuple[str, ...]:
    names = ("ece", "ece_if_calibrated", "brier", "log_loss")
    return tuple(over_seeds([getattr(one, name) for one in each]) for name in names)


def _details(found: Sequence[Probed[Result]]) -> list[Block]:
    columns = ("texts", "mean confidence", "right")
    rows = [
        (one.title, each.label, f"{each.texts:,}", f"{each.confidence:.4f}", _share(each))
        for one in found
        for each in one.results[0].before.answered
    ]
    seed = " (first seed)" if any(len(one.results) > 1 for one in found) else ""
    width = ", ".join(f"{one.title} {_mean(one, 'ece_equal_width'):.4f}" for one in found)
    texts = found[0].results[0].before.texts
    return [
        Table(
            f"By the label that is answered, as trained{seed}; ± is half a 95% interval",
            ("run", "answer", *columns),
            rows,
            frozenset(columns),
        ),
        Paragraph(
            f"Confidence is the probability of the answered label. The answers are put into {BINS} "
            "bins of equally many, and the calibration error (Guo et al. 2017) is the distance between "
            "mean confidence and the share of right answers, averaged over them; bars are Wilson's 95% "
            f"intervals. On {count(texts, 'text')} it is never quite 0: chance alone keeps the bins off "
            'the diagonal. "A calibrated model\'s" is its mean over 200 simulations in which each '
            "answer is right exactly as often as it says."
        ),
        Paragraph(f"Over {BINS} bins of equal width, as in that paper, the error is: {width}."),
    ]


def _share(one: Answered) -> str:
    low, high = accuracy_interval(one.right, one.texts)
    return f"{one.right / one.texts:.4f} ± {(high - low) / 2:.4f}"
