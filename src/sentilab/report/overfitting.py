"""Overfitting as the recorded curves show it, and what stopping early would have done."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from sentilab.report.blocks import Block, Chart, Folded, Paragraph, Section, Table
from sentilab.report.figures import chart_of, over
from sentilab.report.probed import over_seeds
from sentilab.report.reading import Group
from sentilab.report.sentences import count, figure, listed
from sentilab.studies import Run
from sentilab.training import EarlyStopping, EpochMetrics
from sentilab.training.whatif import RULES, Choice, gap, lowest_loss, turned_after, what_if

NOT_KNOWN = "not known"


def section(groups: Sequence[Group]) -> Section | None:
    """None where no run has a curve, of two epochs or more; ``groups`` are those of one protocol."""
    curved = [one for one in groups if one.finished and len(one.first.history) > 1]
    if not curved:
        return None
    blocks: list[Block] = [
        Paragraph(_answer(curved), "answer"),
        _gaps(curved),
        _turns(curved),
        _choices(curved, "val_accuracy"),
        _choices(curved, "val_loss"),
        Folded("How to read this", [Paragraph(_reading(curved))]),
    ]
    return Section("Overfitting, and when to stop", "overfitting", blocks)


def _answer(groups: Sequence[Group]) -> str:
    runs = [one for group in groups for one in group.finished]
    turned = [one for one in runs if turned_after(one.history) is not None]
    widest = max(groups, key=lambda one: _end_gap(one)[0])
    accuracy, loss = _end_gap(widest)
    parts = [
        f"Validation loss turned in {len(turned)} of {count(len(runs), 'run')}"
        + (f", after epoch {_epochs(turned)}." if turned else ", so far."),
        f"The gap between training and validation ended widest in {widest.title}: "
        f"{100 * accuracy:.1f} points of accuracy and {loss:.2f} of loss.",
    ]
    stopped = [told for rule in RULES if rule.patience == 1 and (told := _stopped(runs, rule))]
    if stopped:
        parts.append(f"Early stopping with patience 1 would have saved {', and '.join(stopped)}.")
    return " ".join(parts)


def _stopped(runs: Sequence[Run], rule: EarlyStopping) -> str:
    """What a rule would have saved and lost in all of the runs that can tell; "" if none can."""
    choices = _known(runs, rule)
    if not choices:
        return ""
    saved, ran = sum(one.saved for one in choices), sum(one.saved + one.epochs for one in choices)
    lost = 100 * float(np.mean([one.lost for one in choices]))
    return (
        f"{saved} of {count(ran, 'epoch')} watching {rule.monitor}, and lost {lost:.2f} points of "
        "validation accuracy on average"
    )


def _known(runs: Sequence[Run], rule: EarlyStopping) -> list[Choice]:
    return [one for run in runs if (one := _choice(run, rule))]


def _choice(run: Run, rule: EarlyStopping) -> Choice | None:
    return what_if(run.history, rule, planned=run.settings.epochs)


def _epochs(runs: Sequence[Run]) -> str:
    """ "1", or "1 (2 runs) and 2"."""
    turns = [turned_after(one.history) or 0 for one in runs]
    different = sorted(set(turns))
    if len(different) == 1:
        return str(different[0])
    return listed([f"{one} ({count(turns.count(one), 'run')})" for one in different])


def _end_gap(group: Group) -> tuple[float, float]:
    """(accuracy, loss), mean over seeds."""
    ends = [gap(one.history[-1]) for one in group.finished]
    return float(np.mean([one.accuracy for one in ends])), float(
        np.mean([one.loss for one in ends])
    )


def _gaps(groups: Sequence[Group]) -> Chart:
    """The gap in accuracy by epoch, a line a group; over seeds their mean, with their range."""
    rows: list[dict[str, Any]] = []
    for group in groups:
        for epoch, each in _by_epoch(group):
            gaps = [100 * gap(one).accuracy for one in each]
            rows.append(
                {
                    "run": group.title,
                    "model": group.first.settings.model,
                    "epoch": epoch,
                    "gap": float(np.mean(gaps)),
                    "low": min(gaps),
                    "high": max(gaps),
                }
            )
    longest = max(row["epoch"] for row in rows)
    base = over(rows).encode(
        x=alt.X(
            "epoch:Q",
            axis=alt.Axis(format="d", values=list(range(1, longest + 1))),
            scale=alt.Scale(domain=[0.8, longest + 0.2], nice=False),
        ),
        color=alt.Color("model:N", title=None, legend=alt.Legend(orient="bottom")),
        detail="run:N",
    )
    y = alt.Y("gap:Q", title="ahead by (points of accuracy)")
    zero = over([{"at": 0}]).mark_rule(opacity=0.5).encode(y="at:Q")
    tooltip = ["run:N", "epoch:Q", alt.Tooltip("gap:Q", format=".1f")]
    layers = [
        zero,
        base.mark_line(strokeWidth=2).encode(y=y),
        base.mark_point(filled=True, size=50, opacity=1).encode(y=y, tooltip=tooltip),
    ]
    if any(len(one.finished) > 1 for one in groups):
        layers.insert(1, base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q"), y2="high:Q"))
    values = "; ".join(
        f"{title}: " + ", ".join(f"{row['gap']:.1f}" for row in rows if row["run"] == title)
        for title in dict.fromkeys(row["run"] for row in rows)
    )
    return chart_of(
        alt.layer(*layers).properties(height=240),
        f"Training less validation accuracy in points, by epoch. {values}.",
        "Training ahead of validation, by epoch",
    )


def _by_epoch(group: Group) -> list[tuple[int, list[EpochMetrics]]]:
    """Each epoch with the figures of the seeds that got so far."""
    longest = max(len(one.history) for one in group.finished)
    return [
        (number, [one.history[number - 1] for one in group.finished if len(one.history) >= number])
        for number in range(1, longest + 1)
    ]


def _turns(groups: Sequence[Group]) -> Table:
    there = ("accuracy gap there", "loss gap there")
    at_end = ("accuracy gap at the end", "loss gap at the end")
    rows = []
    for group in groups:
        lowest = [gap(lowest_loss(one.history)) for one in group.finished]
        ends = [gap(one.history[-1]) for one in group.finished]
        rows.append(
            (
                group.title,
                " / ".join(str(turned_after(one.history) or "not yet") for one in group.finished),
                *(
                    text
                    for each in (lowest, ends)
                    for text in (
                        over_seeds([100 * one.accuracy for one in each], 1).replace("-", "−"),
                        over_seeds([one.loss for one in each], 3).replace("-", "−"),
                    )
                ),
            )
        )
    brackets = _brackets(groups)
    columns = ("validation loss turned after epoch", *there, *at_end)
    return Table(
        "Training ahead of validation, where validation loss was lowest and at the end, in points of "
        f"accuracy and in loss{brackets}",
        ("run", *columns),
        rows,
        frozenset(columns),
    )


def _choices(groups: Sequence[Group], monitor: str) -> Table:
    rules = [one for one in RULES if one.monitor == monitor]
    rows = [
        (
            group.title,
            " / ".join(f"{len(one.history)} of {one.settings.epochs}" for one in group.finished)
            if len(group.finished) == 1
            else over_seeds([float(len(one.history)) for one in group.finished], 1),
            figure(float(np.mean([_best(one) for one in group.finished]))),
            *(_said(group, rule) for rule in rules),
        )
        for group in groups
    ]
    columns = ("epochs run", "best accuracy", *(f"patience {one.patience}" for one in rules))
    return Table(
        f"Early stopping on {monitor} would have run and kept these epochs, and lost so many points of "
        "validation accuracy against the best epoch",
        ("run", *columns),
        rows,
        frozenset(columns),
    )


def _best(run: Run) -> float:
    return max(one.val_accuracy for one in run.history)


def _said(group: Group, rule: EarlyStopping) -> str:
    """What a rule would have done: "3 run, 1 kept, −0.12"; over seeds, means."""
    choices = _known(group.finished, rule)
    if not choices:
        return NOT_KNOWN
    lost = _lost([one.lost for one in choices])
    if len(group.finished) == 1:
        return f"{choices[0].epochs} run, {choices[0].kept.epoch} kept, {lost}"
    epochs, kept = ([one.epochs for one in choices], [one.kept.epoch for one in choices])
    of = (
        ""
        if len(choices) == len(group.finished)
        else f" ({len(choices)} of {len(group.finished)} seeds)"
    )
    return f"{np.mean(epochs):.1f} run, {np.mean(kept):.1f} kept, {lost}{of}"


def _lost(values: Sequence[float]) -> str:
    lost = 100 * float(np.mean(values))
    return f"−{lost:.2f}" if round(lost, 2) else "0.00"


def _brackets(groups: Sequence[Group]) -> str:
    several = any(len(one.finished) > 1 for one in groups)
    return "; in brackets the standard deviation over seeds" if several else ""


def _reading(groups: Sequence[Group]) -> str:
    optimistic = any(one.protocol == "notebook" for one in groups)
    return (
        "Nothing was trained again: an epoch depends only on those before it, so the recorded curve "
        "is that of a run which a rule would have ended. Each rule keeps the weights of the best epoch "
        "it has seen by the figure that it watches. Where a run ended before its planned epochs and "
        f'before the rule would have, what it would have chosen is "{NOT_KNOWN}". Training figures are '
        "means over the epoch, while the weights move: a gap is larger than it looks, and in the first "
        "epoch, in which most is learned, much larger."
        + (
            " Under the notebook protocol the validation texts are the test texts, so an epoch that is "
            "chosen by them looks better than it is."
            if optimistic
            else ""
        )
    )
