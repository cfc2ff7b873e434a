"""Plots as Vega-Lite specifications, made with Altair. Colours and fonts are the page's own."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from sentilab.compare import expected_best as expected
from sentilab.report.blocks import Chart
from sentilab.report.differences import MARGIN, Compared
from sentilab.report.reading import Group
from sentilab.report.sentences import between, figure

PARTS = ["training", "validation"]


def accuracies(groups: Sequence[Group], title: str = "") -> Chart:
    """Accuracy and its 95% interval for each group; a diamond marks what the notebook recorded."""
    measured = [
        {
            "run": one.title,
            "accuracy": one.accuracy,
            "low": one.interval.low,
            "high": one.interval.high,
            "what": "measured",
        }
        for one in groups
    ]
    recorded = [
        {"run": one.title, "accuracy": one.first.recorded.accuracy, "what": "the notebook"}
        for one in groups
        if one.first.recorded and one.first.recorded.accuracy is not None
    ]
    y = alt.Y("run:N", sort=None, title=None)
    x = alt.X(
        "accuracy:Q",
        scale=alt.Scale(zero=False, nice=True),
        title=f"{groups[0].judged_on} accuracy",
        axis=alt.Axis(tickCount=6),
    )
    # One scale for shape and one for colour, over the same names, make one legend of both.
    names = ["measured", "the notebook"] if recorded else ["measured"]
    legend = alt.Legend(orient="bottom") if recorded else None
    shapes = alt.Scale(domain=names, range=["circle", "diamond"][: len(names)])
    shape = alt.Shape("what:N", scale=shapes, title=None, legend=legend)
    color = alt.Color("what:N", scale=alt.Scale(domain=names), title=None, legend=legend)
    rules = over(measured).mark_rule(strokeWidth=2).encode(y=y, x=alt.X("low:Q"), x2="high:Q")
    points = over(measured + recorded).mark_point(filled=True, size=90, opacity=1)
    tooltip = ["run:N", "what:N", alt.Tooltip("accuracy:Q", format=".4f")]
    layers = [rules, points.encode(y=y, x=x, shape=shape, color=color, tooltip=tooltip)]
    described = "; ".join(
        f"{one.title} {figure(one.accuracy)} ({between(one.interval)})" for one in groups
    )
    return chart_of(
        alt.layer(*layers).properties(height=30 * len(groups)),
        f"{groups[0].judged_on.capitalize()} accuracy: {described}.",
        title,
    )


VERDICTS = {"better": "higher", "worse": "lower", "same": "no difference that matters"}
UNCLEAR = "cannot tell"


def differences(compared: Sequence[Compared], title: str = "", baseline: str = "") -> Chart:
    """Each difference in points with its 95% interval; the band is what would not matter.

    ``baseline`` names what all are held against, where that is one setting.
    """
    rows = [
        {
            "run": one.other.title if baseline else one.title,
            "label": one.other.title
            if baseline
            else f"{one.other.title}\nagainst {one.baseline.title}",
            "difference": 100 * one.found.difference,
            "low": 100 * one.found.interval.low,
            "high": 100 * one.found.interval.high,
            "verdict": VERDICTS.get(one.verdict.kind, UNCLEAR),
        }
        for one in compared
    ]
    names = [one for one in (*VERDICTS.values(), UNCLEAR) if any(r["verdict"] == one for r in rows)]
    colours = {"higher": "--first", "lower": "--second", UNCLEAR: "--soft"}
    scale = alt.Scale(domain=names, range=[colours.get(one, "--fourth") for one in names])
    color = alt.Color(
        "verdict:N", title=None, scale=scale, legend=alt.Legend(orient="bottom", columns=2)
    )
    y = alt.Y("run:N", sort=None, axis=None)
    title_x = f"points of accuracy above or below {baseline}" if baseline else "points of accuracy"
    x = alt.X("difference:Q", title=title_x, axis=alt.Axis(tickCount=7))
    band = over([{"low": -100 * MARGIN, "high": 100 * MARGIN}]).mark_rect(opacity=0.12)
    zero = over([{"at": 0}]).mark_rule(strokeDash=[4, 3])
    base = over(rows).encode(y=y, color=color)
    tooltip = ["run:N", "verdict:N"] + [
        alt.Tooltip(f"{name}:Q", format="+.2f") for name in ("difference", "low", "high")
    ]
    layers = [
        band.encode(x=alt.X("low:Q"), x2="high:Q"),
        zero.encode(x=alt.X("at:Q")),
        base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q"), x2="high:Q"),
        base.mark_point(filled=True, size=90, opacity=1).encode(x=x, tooltip=tooltip),
        # Above its interval a name has the whole width, on a telephone too.
        over(rows)
        .mark_text(
            align="left",
            baseline="bottom",
            dy=-9 if baseline else -22,
            lineBreak="\n",
            lineHeight=13,
        )
        .encode(x=alt.value(0), y=y, text="label:N"),
    ]
    described = "; ".join(
        f"{row['run']}: {row['difference']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f}), "
        f"{row['verdict']}"
        for row in rows
    )
    height = (40 if baseline else 52) * len(rows) + 16
    return chart_of(
        alt.layer(*layers).properties(height=height),
        f"Differences of {compared[0].baseline.judged_on} accuracy in points, with 95% intervals: {described}.",
        title,
    )


def curve(group: Group, metric: str = "accuracy", height: int = 170, title: str = "") -> Chart:
    """Training and validation ``metric`` by epoch; a rule marks the best epoch by validation.

    Over several seeds the line is their mean, and a band reaches from the lowest to the highest.
    """
    history = group.curve
    rows = []
    for number, one in enumerate(history):
        for part, prefix in zip(PARTS, ("", "val_"), strict=True):
            name = prefix + metric
            each = [getattr(run.history[number], name) for run in group.finished]
            rows.append(
                {
                    "epoch": one.epoch,
                    "part": part,
                    metric: getattr(one, name),
                    "low": min(each),
                    "high": max(each),
                }
            )
    pick = max if metric == "accuracy" else min
    best = pick(history, key=lambda one: getattr(one, f"val_{metric}"))
    x = alt.X(
        "epoch:Q",
        axis=alt.Axis(tickMinStep=1, format="d", values=[one.epoch for one in history]),
        scale=alt.Scale(domain=[0.8, max(2, len(history)) + 0.2], nice=False),
    )
    y = alt.Y(f"{metric}:Q", scale=alt.Scale(zero=False), title=metric)
    color = alt.Color(
        "part:N", scale=alt.Scale(domain=PARTS), title=None, legend=alt.Legend(orient="bottom")
    )
    base = over(rows).encode(x=x, color=color)
    marker = over([{"epoch": best.epoch}])
    layers = [
        marker.mark_rule(strokeDash=[4, 3], opacity=0.7).encode(x=x),
        base.mark_line(strokeWidth=2).encode(y=y),
        base.mark_point(filled=True, size=45, opacity=1).encode(
            y=y,
            tooltip=["epoch:Q", "part:N", alt.Tooltip(f"{metric}:Q", format=".4f")],
        ),
    ]
    if len(group.finished) > 1:
        layers.insert(1, base.mark_area(opacity=0.18).encode(y=alt.Y("low:Q"), y2="high:Q"))
    values = ", ".join(f"epoch {r['epoch']} {r['part']} {r[metric]:.4f}" for r in rows)
    return chart_of(
        alt.layer(*layers).properties(height=height),
        f"{metric.capitalize()} of {group.title}: {values}. Best epoch by validation: {best.epoch}.",
        title or group.title,
    )


def expected_best(scores: Sequence[float]) -> Chart:
    """Expected best validation accuracy against the number of runs tried."""
    rows = [
        {"runs": number, "accuracy": float(value)}
        for number, value in enumerate(expected(list(scores)), start=1)
    ]
    plot = (
        over(rows)
        .mark_line(strokeWidth=2, point=True)
        .encode(
            x=alt.X("runs:Q", title="runs tried", axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("accuracy:Q", scale=alt.Scale(zero=False), title="expected best"),
            tooltip=["runs:Q", alt.Tooltip("accuracy:Q", format=".4f")],
        )
    )
    first, last = rows[0]["accuracy"], rows[-1]["accuracy"]
    return chart_of(
        plot.properties(height=180),
        f"Expected best validation accuracy: {first:.4f} of one run, {last:.4f} of {len(rows)}.",
    )


def stopping_curves(groups: Sequence[Group]) -> Chart:
    """Validation accuracy by epoch, one line a setting; over several seeds their mean."""
    rows = [
        {
            "epoch": one.epoch,
            "accuracy": one.val_accuracy,
            "batch": str(group.first.settings.batch_size),
        }
        for group in groups
        for one in group.curve
    ]
    longest = max(len(group.curve) for group in groups)
    x = alt.X(
        "epoch:Q", axis=alt.Axis(tickMinStep=1, format="d", values=list(range(1, longest + 1)))
    )
    batches = [str(group.first.settings.batch_size) for group in groups]
    base = over(rows).encode(
        x=x,
        y=alt.Y("accuracy:Q", scale=alt.Scale(zero=False), title="validation accuracy"),
        color=alt.Color(
            "batch:N",
            sort=batches,
            scale=alt.Scale(domain=batches),
            title="batch size",
            legend=alt.Legend(orient="bottom"),
        ),
    )
    values = "; ".join(
        f"batch {group.first.settings.batch_size}: "
        + ", ".join(figure(one.val_accuracy) for one in group.curve)
        for group in groups
    )
    lines = base.mark_line(strokeWidth=2) + base.mark_point(filled=True, size=50, opacity=1)
    return chart_of(lines.properties(height=220), f"Validation accuracy by epoch. {values}.")


def lengths(histogram: dict[str, list[float]], limit: int) -> Chart:
    """How long the training texts are; a rule marks what the models see of them."""
    edges, counts = histogram["edges"], histogram["counts"]
    rows = [
        {"from": low, "to": high, "texts": number}
        for low, high, number in zip(edges, edges[1:], counts, strict=False)
    ]
    bars = (
        over(rows)
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X(
                "from:Q",
                bin="binned",
                title="tokens in a text (the last bar: so many or more)",
                scale=alt.Scale(domain=[edges[0], edges[-1]], nice=False),
            ),
            x2="to:Q",
            y=alt.Y("texts:Q", title="training texts"),
            tooltip=["from:Q", "to:Q", "texts:Q"],
        )
    )
    marker = over([{"at": limit, "label": f"{limit} tokens are kept"}])
    rule = marker.mark_rule(strokeDash=[4, 3], strokeWidth=2, color="#e07b39").encode(x="at:Q")
    label = marker.mark_text(align="left", dx=6, y=10).encode(x="at:Q", text="label:N")
    return chart_of(
        (bars + rule + label).properties(height=200),
        f"Histogram of text lengths from {edges[0]:.0f} to {edges[-1]:.0f} tokens; the models see {limit}.",
    )


def over(rows: list[dict[str, Any]]) -> alt.Chart:
    """A plot yet without marks over ``rows``, which the page will hold itself."""
    return alt.Chart(alt.InlineData(values=rows))


def chart_of(plot: Any, description: str, title: str = "") -> Chart:
    """``plot`` for the page: as wide as its place, in the page's own look."""
    spec = plot.properties(
        width="container", autosize=alt.AutoSizeParams(type="fit-x", contains="padding")
    ).to_dict()
    # The page brings its own look and is read offline: neither Altair's theme nor a schema address.
    spec.pop("config", None)
    spec.pop("$schema", None)
    return Chart(spec, description, title)
