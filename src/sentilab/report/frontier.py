"""What accuracy costs in training time, prediction time and size, and which model to take."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import numpy as np

from sentilab.compare import Difference, Recommendation, on_front, recommend, verdict
from sentilab.report.blocks import Block, Chart, Charts, Folded, Paragraph, Section, Table
from sentilab.report.differences import (
    MARGIN,
    answers,
    difference_between,
    has_validation,
    paired_folders,
)
from sentilab.report.figures import chart_of, over
from sentilab.report.labels import place
from sentilab.report.reading import Group
from sentilab.report.sentences import (
    between,
    between_points,
    duration,
    figure,
    listed,
    margin,
    points,
)
from sentilab.training.folder import Scored

TITLE = "What accuracy costs"
SHORT_NAME = 18  # letters; longer names stand in the table alone
FAR_BELOW = 0.1  # a model that is so much worse would press all others together
# 1000 is 1k, but a thousandth is no "m", which might be minutes.
TICK = "format(datum.value, datum.value < 1 ? '~g' : '~s')"
TICKS = 5
SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")
MODEST = 3  # times the distance of the middle model from the best


@dataclass(frozen=True)
class Cost:
    """One thing that a model costs. ``of`` is None where it was not measured."""

    title: str
    column: str
    of: Callable[[Group], float | None]
    told: Callable[[float], str]


def _median(values: Sequence[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return float(np.median(known)) if known else None


def seconds(value: float) -> str:
    """ "0.35 s", "34 s", "2.1 min", "1.4 h"."""
    if value >= 7200:
        return f"{value / 3600:.1f} h"
    return duration(value) if value >= 10 else f"{value:.2g} s"


def milliseconds(value: float) -> str:
    """ "0.35 ms", "34 ms", "1.2 s"."""
    return seconds(value / 1000) if value >= 1000 else f"{value:.3g} ms"


def megabytes(value: float) -> str:
    """ "0.32 kB", "0.03 MB", "16.8 MB", "120 MB"."""
    if value < 0.01:
        return f"{1000 * value:.2g} kB"
    return f"{value:.0f} MB" if value >= 100 else f"{value:.3g} MB"


COSTS = (
    Cost("training time (s)", "training", lambda one: max(one.seconds, 1e-3), seconds),
    Cost(
        "prediction time (ms for 1,000 texts)",
        "1,000 predictions",
        lambda one: _median([run.prediction_ms for run in one.finished]),
        milliseconds,
    ),
    Cost(
        "size of the weights (MB)",
        "size",
        lambda one: None if not one.first.size else one.first.size / 1e6,
        megabytes,
    ),
)


def section(groups: Sequence[Group]) -> Section | None:
    """None with fewer than two finished settings; ``groups`` are those of one protocol."""
    done = [one for one in groups if one.finished]
    return Section(TITLE, "costs", blocks(done)) if len(done) > 1 else None


def blocks(groups: Sequence[Group], taken: Group | None = None) -> list[Block]:
    """The recommendation, the three plots and their key, of two or more finished settings.

    ``taken`` is the one that a budget was spent on: the best of them, whatever is cheaper.
    """
    ordered = sorted(groups, key=lambda one: one.seconds)
    costs = [one for one in COSTS if all(one.of(group) is not None for group in ordered)]
    far = _far_below(ordered)
    note = (
        "Grey: another model is at least as accurate and as cheap. The line joins those that none "
        f"beats; bars are 95% intervals of the {_noun(ordered)}. Where a name has no room, its number in "
        "the table stands."
    )
    if far:
        note += f" Too far below to be drawn: {listed([f'{one.title} ({figure(one.accuracy)})' for one in far])}."
    found: list[Block] = [
        Paragraph(sentence(ordered, taken), "answer"),
        Charts([_panel(ordered, far, cost) for cost in costs]),
        Paragraph(note),
        _key(ordered, costs),
    ]
    found += [Paragraph(one, "warning") for one in (_machines(ordered), _unmeasured(costs)) if one]
    ladders = [_ladder(ordered, cost) for cost in costs]
    found.append(Folded("For less: what to take within a budget", [_reading(ordered), *ladders]))
    return found


def sentence(groups: Sequence[Group], taken: Group | None = None) -> str:
    """ "For these data and any budget: take this one", and how sure that is."""
    by_name = {one.name: one for one in groups}
    found = _recommended(groups, COSTS[0])
    best, pick = by_name[found.best], by_name[found.pick]
    chosen = taken or pick
    spent = seconds(COSTS[0].of(chosen) or 0)
    first = (
        f"For these data, take {chosen.title}: {figure(chosen.accuracy)} on the {_texts(groups)} texts (95% interval "
        f"{between(chosen.interval)}), trained in {spent}."
    )
    texts = _choosing(groups)
    if found.difference is None or found.verdict is None:
        if chosen.name != best.name:
            return first
        return f"{first} It is the most accurate on the {texts} texts{_beside(groups, best)}."
    if chosen.name == best.name:
        doubt = f"{pick.title}, trained in {seconds(COSTS[0].of(pick) or 0)},"
        return (
            f"{first} It is the most accurate on the {texts} texts; {doubt} {_doubt(found)} "
            f"({points(found.difference.difference)} points there, 95% interval "
            f"{between_points(found.difference.interval)})."
        )
    return (
        f"{first} {best.title} is the most accurate on the {texts} texts, but takes "
        f"{seconds(COSTS[0].of(best) or 0)}; the cheaper {_doubt(found)} "
        f"({points(found.difference.difference)} points there, 95% interval "
        f"{between_points(found.difference.interval)})."
    )


def _beside(groups: Sequence[Group], best: Group) -> str:
    """How the most accurate one stands to all that is cheaper, none of which is recommended."""
    cheaper = [one for one in groups if one.seconds < best.seconds]
    for one in filter(_says_one_thing, cheaper):
        apart = _difference(best, one, _part(groups))
        if apart and verdict(apart, margin=MARGIN).kind != "worse":
            return (
                f", but cannot be told apart from {one.title}, which gives every text the same label: "
                "there are too few texts, or too little to be learned from them"
            )
    return ", and all that is cheaper is worse" if cheaper else ", and nothing is cheaper"


def _difference(best: Group, other: Group, part: Scored) -> Difference | None:
    folders = paired_folders(best, other)
    return difference_between(folders, "accuracy", part) if folders else None


def _doubt(found: Recommendation) -> str:
    kind = found.verdict.kind if found.verdict else "unclear"
    return {
        "same": f"is within {margin()} of it",
        "better": "is no worse",
    }.get(kind, "cannot be told apart from it")


def _recommended(groups: Sequence[Group], cost: Cost) -> Recommendation:
    by_name = {one.name: one for one in groups}
    part = _part(groups)

    return recommend(
        {one.name: cost.of(one) or 0.0 for one in groups},
        {one.name: one.validation for one in groups},
        lambda best, other: _difference(by_name[best], by_name[other], part),
        never=[one.name for one in groups if _says_one_thing(one)],
        margin=MARGIN,
    )


def _part(groups: Sequence[Group]) -> Scored:
    """The texts that may choose: validation texts wherever all runs have kept answers on some."""
    runs = [run.folder for group in groups for run in group.finished]
    return "validation" if all(map(has_validation, runs)) else "test"


def _says_one_thing(group: Group) -> bool:
    """Whether it gives every text the same label, as a majority vote does."""
    return len(np.unique(answers(group.first.folder).probabilities.argmax(axis=1))) == 1


def _texts(groups: Sequence[Group]) -> str:
    """The texts on which accuracy is measured."""
    return "validation" if groups[0].protocol == "validation" else "test"


def _choosing(groups: Sequence[Group]) -> str:
    """The texts by which models are chosen."""
    return "validation" if _part(groups) == "validation" else _texts(groups)


def _noun(groups: Sequence[Group]) -> str:
    return f"{_texts(groups)} accuracy"


def _far_below(groups: Sequence[Group]) -> list[Group]:
    """Those so much worse than the rest that drawing them would leave the rest no room."""
    scores = [one.accuracy for one in groups]
    best = max(scores)
    limit = best - max(FAR_BELOW, MODEST * (best - float(np.median(scores))))
    return [one for one in groups if one.accuracy < limit]


def _front(groups: Sequence[Group], cost: Cost) -> list[bool]:
    return on_front([cost.of(one) or 0.0 for one in groups], [one.accuracy for one in groups])


def _panel(groups: Sequence[Group], far: Sequence[Group], cost: Cost) -> Chart:
    drawn = [(number, one) for number, one in enumerate(groups, start=1) if one not in far]
    front = _front([one for _, one in drawn], cost)
    values = [cost.of(one) or 0.0 for _, one in drawn]
    low = min(one.interval.low for _, one in drawn)
    high = max(one.interval.high for _, one in drawn)
    margin_y = 0.08 * (high - low)
    domain = [low - margin_y, high + margin_y]
    labels = _labels(drawn, values, domain, front)
    rows: list[dict[str, Any]] = [
        {
            "run": one.title,
            "accuracy": one.accuracy,
            "low": one.interval.low,
            "high": one.interval.high,
            "cost": value,
            "label": label.text,
            "dx": label.dx,
            "dy": label.dy,
            "align": label.align,
        }
        for (_, one), value, label in zip(drawn, values, labels, strict=True)
    ]
    kept = [row for row, here in zip(rows, front, strict=True) if here]
    grey = [row for row, here in zip(rows, front, strict=True) if not here]
    x = alt.X(
        "cost:Q",
        title=cost.title,
        scale=alt.Scale(type="log", nice=False, domain=_reach(values)),
        axis=alt.Axis(labelExpr=TICK, values=_ticks(*_reach(values)), grid=False),
    )
    y = alt.Y(
        "accuracy:Q",
        title=_noun(groups),
        scale=alt.Scale(domain=domain, nice=False, zero=False),
        axis=alt.Axis(tickCount=5, format=".3~f"),
    )
    line = over(sorted(kept, key=lambda row: row["cost"]))
    layers: list[Any] = [
        line.mark_line(
            interpolate="step-after", strokeWidth=1.5, opacity=0.6, color="--first"
        ).encode(x=x, y=y)
    ]
    tooltip = [
        "run:N",
        *(alt.Tooltip(f"{name}:Q", format=".4f") for name in ("accuracy", "low", "high")),
        alt.Tooltip("cost:Q", format=",.3~g", title=cost.title),
    ]
    for some, colour, opacity in ((grey, "--soft", 0.55), (kept, "--first", 1.0)):
        if not some:
            continue
        base = over(some).encode(x=x)
        layers.append(
            base.mark_rule(color=colour, opacity=0.5 * opacity, strokeWidth=1.5).encode(
                y=alt.Y("low:Q"), y2="high:Q"
            )
        )
        layers.append(
            base.mark_point(filled=True, size=70, color=colour, opacity=opacity).encode(
                y=y, tooltip=tooltip
            )
        )
    for some, colour in ((grey, "--soft"), (kept, "--text")):
        for align in SIDES:
            own = [row for row in some if row["align"] == align]
            if own:
                layers.append(_names(own, align, colour).encode(x=x, y=y, text="label:N"))
    described = "; ".join(
        f"{row['run']}: {cost.told(row['cost'])}, {figure(row['accuracy'])}"
        + ("" if here else ", beaten by another")
        for row, here in zip(rows, front, strict=True)
    )
    return chart_of(
        alt.layer(*layers).properties(height=250),
        f"{_noun(groups).capitalize()} against {cost.title}. {described}.",
        f"Accuracy against {cost.title.partition(' (')[0]}",
    )


def _names(rows: list[dict[str, Any]], align: Literal["left", "right"], colour: str) -> Any:
    return over(rows).mark_text(
        align=align,
        baseline="middle",
        fontSize=11,
        color=colour,
        dx=alt.ExprRef("datum.dx"),
        dy=alt.ExprRef("datum.dy"),
    )


def _reach(values: Sequence[float]) -> list[float]:
    """A log scale's ends, with room for a name on either side."""
    low, high = math.log(min(values)), math.log(max(values))
    room = max(0.1 * (high - low), 0.4)
    return [math.exp(low - room), math.exp(high + room)]


def _ticks(low: float, high: float) -> list[float]:
    """Round figures on a log scale, as many as a narrow axis has room for."""
    found: list[float] = []
    for heads in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        finer = [float(f"{head}e{decade}") for decade in decades for head in heads]
        finer = [one for one in finer if low <= one <= high]
        if len(finer) > TICKS and found:
            break
        found = finer
    if len(found) < 2:
        between_ends = (low * (high / low) ** share for share in (0.2, 0.5, 0.8))
        return sorted({float(f"{one:.2g}") for one in between_ends})
    return found[:: math.ceil(len(found) / TICKS)]


def _labels(
    drawn: Sequence[tuple[int, Group]],
    values: Sequence[float],
    domain: Sequence[float],
    front: Sequence[bool],
) -> list[Any]:
    left, right = map(math.log, _reach(values))
    places = [
        (
            (math.log(value) - left) / (right - left),
            (one.accuracy - domain[0]) / (domain[1] - domain[0]),
        )
        for (_, one), value in zip(drawn, values, strict=True)
    ]
    names = [one.title if len(one.title) <= SHORT_NAME else str(number) for number, one in drawn]
    numbers = [str(number) for number, _ in drawn]
    order = sorted(range(len(drawn)), key=lambda at: not front[at])
    line = sorted((at for at in order if front[at]), key=lambda at: values[at])
    return place(places, names, numbers, order, line)


def _key(groups: Sequence[Group], costs: Sequence[Cost]) -> Table:
    fronts = {cost.column: _front(groups, cost) for cost in costs}
    columns = (
        "no.",
        "model",
        "accuracy",
        "95% interval",
        *(one.column for one in costs),
        "beaten on",
    )
    rows = []
    for at, group in enumerate(groups):
        beaten = [name for name, front in fronts.items() if not front[at]]
        rows.append(
            (
                str(at + 1),
                group.title,
                figure(group.accuracy),
                between(group.interval),
                *(one.told(one.of(group) or 0.0) for one in costs),
                "all three" if len(beaten) == len(COSTS) else ", ".join(beaten),
            )
        )
    caption = f"Cheapest training first; accuracy is that on the {_texts(groups)} texts"
    return Table(caption, columns, rows, frozenset(columns) - {"model", "beaten on"})


def _ladder(groups: Sequence[Group], cost: Cost) -> Table:
    """What to take within each budget, from the least at which anything can be had."""
    ordered = sorted(groups, key=lambda one: cost.of(one) or 0.0)
    title_of = {one.name: one.title for one in groups}
    steps: list[tuple[float, Recommendation]] = []
    for number in range(1, len(ordered) + 1):
        found = _recommended(ordered[:number], cost)
        if not steps or (found.best, found.pick) != (steps[-1][1].best, steps[-1][1].pick):
            steps.append((cost.of(ordered[number - 1]) or 0.0, found))
    rows = []
    for at, (least, found) in enumerate(steps):
        reach = f"up to {cost.told(steps[at + 1][0])}" if at + 1 < len(steps) else "and more"
        apart = found.difference
        rows.append(
            (
                f"{cost.told(least)} {reach}",
                title_of[found.best],
                title_of[found.pick],
                ""
                if apart is None
                else f"{points(apart.difference)} ({between_points(apart.interval)})",
                "" if found.verdict is None else _verdict(found),
            )
        )
    columns = (cost.column, "most accurate", "take", "difference of the two (points)", "verdict")
    return Table(f"By {cost.title.partition(' (')[0]}", columns, rows).without_empty_columns()


def _verdict(found: Recommendation) -> str:
    kind: str = found.verdict.kind if found.verdict else ""
    return {"same": f"no difference above {margin()}", "unclear": "cannot tell"}.get(kind, kind)


def _reading(groups: Sequence[Group]) -> Paragraph:
    on = _choosing(groups)
    return Paragraph(
        "Taken is the most accurate model within the budget, or the cheapest that costs at most half of it "
        f"and is not worse by a paired test on the {on} texts at 5%, each judged alone. A model that "
        "gives every text the same label is taken only where there is no other. Training time is that of one run with its "
        "validation; prediction time is for texts that are integers already."
    )


def _machines(groups: Sequence[Group]) -> str:
    machines = {
        f"{environment.get('cpu')}, {environment.get('cores')} cores"
        for group in groups
        for run in group.finished
        if (environment := run.environment)
    }
    if len(machines) < 2:
        return ""
    return (
        f"These runs come from {len(machines)} machines ({'; '.join(sorted(machines))}): their times cannot "
        "be compared, and neither can what depends on them."
    )


def _unmeasured(costs: Sequence[Cost]) -> str:
    missing = [one.column for one in COSTS if one not in costs]
    if not missing:
        return ""
    return (
        f"Not measured in all runs: {listed(missing)}. Runs of earlier versions have no such figure; to "
        "have it, remove their folders and train them again."
    )
