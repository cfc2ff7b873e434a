"""What a search has found: the winner, how sure that is, what mattered, and what it cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import tomli_w

from sentilab import atomic
from sentilab.compare import (
    Difference,
    Interval,
    accuracy_interval,
    accuracy_over_seeds,
    difference_of,
    holm,
    honest_best,
)
from sentilab.compare.contributions import contributions
from sentilab.models import Range
from sentilab.report import markdown, page
from sentilab.report.blocks import (
    Block,
    Chart,
    Charts,
    Document,
    Folded,
    Paragraph,
    Section,
    Table,
    Verbatim,
)
from sentilab.report.document import BANNER
from sentilab.report.figures import chart_of, over
from sentilab.report.sentences import between, count, duration, figure, listed, points
from sentilab.tune import Finalist, Search, Trial, Tuned
from sentilab.tune.importance import FEWEST, Importance, importance

STATES = {
    "complete": "complete",
    "pruned": "given up early",
    "failed": "failed",
    "stopped": "out of time",
    "running": "under way",
}
ENDINGS = {
    "trials": "the number of trials that was asked for",
    "time": "the time",
    "exhausted": "the space: nothing in it was left untried",
    "": "nothing yet",
}
# Settings that explain no more of the variance than this have not been seen to matter.
LITTLE = 0.1
# Corrected p-values above this do not tell two trials apart.
ALPHA = 0.05


def write(tuned: Tuned) -> tuple[Path, Path]:
    """Writes report.html and report.md into the search's folder; returns their paths.

    Works for a search under way too: it then says what there is.
    """
    whole = document(tuned)
    html, text = tuned.folder / "report.html", tuned.folder / "report.md"
    atomic.write_text(html, page.render(whole))
    atomic.write_text(text, markdown.render(whole))
    return html, text


def document(tuned: Tuned) -> Document:
    """The whole report of a search."""
    data = tuned.facts["data"]
    judged = Judged(tuned)
    sections = [*_winner(judged), *_mattered(judged), _trials(judged), _made(judged)]
    return Document(
        title=f"What suits {tuned.search.model} on {data['name']}",
        subtitle=f"A search over {listed(list(tuned.search.space))}. Data: {data['name']} "
        f"({data['origin']}).",
        status="" if tuned.finished else f"{count(len(tuned.trials), 'trial')} so far",
        banner=BANNER if data["is_generated"] else "",
        highlights=sentences(judged),
        sections=sections,
        plot=_progress(tuned) if tuned.ranked else None,
    )


@dataclass(frozen=True)
class Judged:
    """A search with what its validation answers say, worked out when first asked for."""

    tuned: Tuned

    @cached_property
    def winner(self) -> Finalist | None:
        return self.tuned.winner

    @cached_property
    def against(self) -> dict[int, tuple[Difference, float]]:
        """Of each complete trial but the winner's, by number: its difference in accuracy from the
        winning trial, and the p-value corrected for how many these are.
        """
        if self.winner is None:
            return {}
        best = self.winner.trial
        first = self.tuned.predictions(best.run)
        others = [one for one in self.tuned.ranked if one.number != best.number]
        found = [difference_of([first], [self.tuned.predictions(one.run)]) for one in others]
        adjusted = holm([one.p_value for one in found])
        return {
            trial.number: (one, p) for trial, one, p in zip(others, found, adjusted, strict=True)
        }

    @cached_property
    def alike(self) -> list[Trial]:
        """The trials that these validation texts do not tell from the winner's, the best first."""
        return [
            one
            for one in self.tuned.ranked
            if one.number in self.against and self.against[one.number][1] > ALPHA
        ]

    @cached_property
    def honest(self) -> tuple[float, Interval] | None:
        """The best trial's accuracy, less what it owes to having been chosen by the same texts."""
        ranked = self.tuned.ranked
        if len(ranked) < 2:
            return None
        answers = [self.tuned.predictions(one.run) for one in ranked]
        correct = np.stack([contributions(one, "accuracy") for one in answers])
        judged = (
            correct
            if self.tuned.search.maximised
            else -np.stack([contributions(one, "log_loss") for one in answers])
        )
        return honest_best(judged, correct)

    @cached_property
    def mattered(self) -> Importance | None:
        # Work for the end: a second or two are too much after each trial.
        return importance(self.tuned.search, self.tuned.trials) if self.tuned.finished else None

    @cached_property
    def test(self) -> tuple[float, Interval, int] | None:
        """(accuracy, 95% interval, seeds) of the winner on the test texts; None before that."""
        runs = self.tuned.scored_runs()
        if not runs:
            return None
        correct = np.stack([one.predictions().correct for one in runs])
        # Runs that answer alike are one run: between them nothing says what a seed may do.
        if (correct == correct[0]).all():
            interval = accuracy_interval(int(correct[0].sum()), correct.shape[1])
        else:
            interval = accuracy_over_seeds(correct)
        return float(correct.mean()), interval, len(runs)


def said(settings: Mapping[str, Any]) -> str:
    """Settings as a phrase: units 64, learning_rate 0.001."""
    return ", ".join(f"{key} {_value(value)}" for key, value in settings.items())


def sentences(judged: Judged) -> list[str]:
    """What the search has shown, in at most five lines."""
    tuned, winner = judged.tuned, judged.winner
    if winner is None:
        return []
    lines = [_outcome(judged, winner)]
    if judged.test:
        accuracy, interval, seeds = judged.test
        times = len({one.trial for one in tuned.scorings})
        scored = (
            "scored once, after everything was chosen"
            if times == 1
            else f"scored {times} times, once for each winner as the search was given more"
        )
        over_seeds = "" if seeds == 1 else f", mean over {seeds} seeds"
        lines.append(
            f"Test accuracy {figure(accuracy)} (95% interval {between(interval)}{over_seeds}), {scored}."
        )
    if judged.against:
        number = len(judged.alike)
        lines.append(
            f"Of the {count(len(judged.against), 'other complete trial')}, "
            f"{number or 'none'} cannot be told from the winner on these validation texts."
        )
    if tuned.finished:
        lines.append(_what_mattered(judged))
    lines.append(spent(tuned))
    return lines


def spent(tuned: Tuned) -> str:
    """How many trials, of which kinds, in what time."""
    states = [one.state for one in tuned.trials]
    kinds = [
        f"{states.count(state)} {words}"
        for state, words in STATES.items()
        if state in states and state != "complete"
    ]
    asked = [
        *([count(tuned.budget.trials, "trial")] if tuned.budget.trials else []),
        *([duration(tuned.budget.seconds)] if tuned.budget.seconds else []),
    ]
    more = f" ({listed(kinds)})" if kinds else ""
    ended = f"; what ended it was {ENDINGS[tuned.ending]}" if tuned.ending else ""
    return (
        f"{count(len(states), 'trial')}{more} in {duration(tuned.spent)} in all, of a budget of "
        f"{listed(asked)}{ended}."
    )


def _outcome(judged: Judged, winner: Finalist) -> str:
    rounds = judged.tuned.rounds
    trial = winner.trial
    line = f"Best: {said(trial.settings)}, with validation accuracy {figure(trial.accuracy or 0)}"
    if rounds and winner.moves:
        again = winner.over_seeds(rounds)
        line += f" as trial {trial.number + 1} and {figure(again.accuracy or 0)} over {count(rounds, 'other seed')}"
    elif rounds:
        line += ", whatever the seed"
    if judged.honest:
        line += (
            f"; {figure(judged.honest[0])} once allowance is made for having chosen the best of "
            f"{len(judged.tuned.ranked)} by the same texts"
        )
    return f"{line}."


def _what_mattered(judged: Judged) -> str:
    found = judged.mattered
    if found is None:
        return f"What mattered cannot be said: that takes {FEWEST} complete trials that differ."
    first = found.shares[0]
    if found.explained < LITTLE:
        return (
            "No setting is seen to matter: what they are does not predict how trials come out "
            f"(R² {_signed(found.explained)} on trials not learned from)."
        )
    unsure = [one.setting for one in found.shares[1:] if one.high > first.low]
    rather = f"; {listed(unsure)} may as well have mattered more" if unsure else ""
    return (
        f"{first.setting} mattered most: {first.share:.0%} ({first.low:.0%} to {first.high:.0%}) of the "
        f"variance between trials{rather}. All settings together predict {found.explained:.0%} of it."
    )


def _winner(judged: Judged) -> list[Section]:
    tuned, winner = judged.tuned, judged.winner
    if winner is None:
        return []
    blocks: list[Block] = [Paragraph(_outcome(judged, winner), "answer")]
    if any(one.again for one in tuned.finalists):
        blocks += [_finalists(tuned), Paragraph(_why_again(tuned))]
    elif tuned.finished:
        blocks.append(
            Paragraph("No trial was trained with other seeds: seed and luck count in.", "warning")
        )
    if tuned.scorings:
        blocks.append(_scored(tuned, judged))
    whole = tuned.search.run_settings(winner.trial.settings)
    run = {
        key: value
        for key, value in whole.to_dict().items()
        if key not in ("seed", "protocol", "validation_fraction", "split_seed") and value != {}
    }
    shown = tomli_w.dumps({"run": [run]})
    blocks.append(Folded("The winner's settings, as a study file has them", [Verbatim(shown)]))
    return [Section("The winner", "winner", blocks)]


def _finalists(tuned: Tuned) -> Table:
    rows = []
    for one in tuned.finalists:
        again = [each.accuracy for each in one.again if each.accuracy is not None]
        mean = figure(float(np.mean(again))) if again and not one.diverged else "diverged"
        spread = f" ({np.std(again, ddof=1):.4f})" if len(again) > 1 and not one.diverged else ""
        rows.append(
            (
                str(one.trial.number + 1),
                said(one.trial.settings),
                figure(one.trial.accuracy or 0),
                mean + spread,
            )
        )
    columns = ("trial", "settings", "as a trial", "over other seeds")
    return Table(
        f"The best {count(len(rows), 'trial')}, trained again with "
        f"{count(tuned.rounds, 'other seed')}: validation accuracy; in brackets the standard deviation "
        "over seeds",
        columns,
        rows,
        frozenset({"trial", *columns[2:]}),
    )


def _why_again(tuned: Tuned) -> str:
    if not any(one.moves for one in tuned.finalists):
        return "Another seed changes nothing of this model, so one was enough."
    return (
        "The winner is chosen by its mean over the other seeds: a trial's own figure is high in part "
        "because it was chosen, and that part does not come again."
    )


def _scored(tuned: Tuned, judged: Judged) -> Table:
    rows = [
        (
            one.path.name,
            str(one.settings().seed),
            figure(one.read_json("result.json")["test"]["accuracy"]),
        )
        for one in tuned.scored_runs()
    ]
    interval = f"; 95% interval of the mean {between(judged.test[1])}" if judged.test else ""
    return Table(
        f"The winner's runs, whose test texts were scored{interval}",
        ("run folder", "seed", "test accuracy"),
        rows,
        frozenset({"seed", "test accuracy"}),
    )


def _mattered(judged: Judged) -> list[Section]:
    tuned = judged.tuned
    if not tuned.finished or len(tuned.ranked) < 2:
        return []
    blocks: list[Block] = [Paragraph(_what_mattered(judged), "answer")]
    if judged.mattered:
        blocks += [_shares(judged.mattered), Paragraph(_how_shares(judged.mattered))]
    blocks.append(Charts([_scatter(judged, key) for key in tuned.search.space]))
    return [Section("What mattered?", "mattered", blocks)]


def _how_shares(found: Importance) -> str:
    return (
        f"Shares are by functional analysis of variance (fANOVA) over {found.trials} complete trials and "
        "sum to 100% whatever the settings do; in brackets, or as lines, is what nine in ten of the shares "
        "come to when trials are drawn anew from these. Trials are no random sample: the search looks "
        "most where it is best."
    )


def _shares(found: Importance) -> Chart:
    rows: list[dict[str, Any]] = [
        {"setting": one.setting, "share": one.share, "low": one.low, "high": one.high}
        for one in found.shares
    ]
    y = alt.Y("setting:N", sort=None, title=None)
    axis = alt.Axis(format="%", tickCount=5)
    base = over(rows).encode(y=y)
    layers = [
        base.mark_bar(opacity=0.75).encode(
            x=alt.X("share:Q", axis=axis, title="share of the variance between trials"),
            tooltip=["setting:N", alt.Tooltip("share:Q", format=".0%")],
        ),
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q"),
    ]
    described = "; ".join(
        f"{one.setting} {one.share:.0%} ({one.low:.0%} to {one.high:.0%})" for one in found.shares
    )
    return chart_of(
        alt.layer(*layers).properties(height=28 * len(rows)),
        f"Each setting's share of the variance between trials: {described}.",
    )


def _scatter(judged: Judged, key: str) -> Chart:
    """Validation accuracy against one setting, a dot a complete trial."""
    tuned = judged.tuned
    one = tuned.search.space[key]
    alike = {each.number for each in judged.alike}
    best = judged.winner.trial.number if judged.winner else -1
    names = ["the winner", "within noise of it", "below it"]
    rows: list[dict[str, Any]] = [
        {
            "trial": trial.number + 1,
            "value": trial.settings[key] if isinstance(one, Range) else _value(trial.settings[key]),
            "accuracy": trial.accuracy,
            "which": names[0 if trial.number == best else 1 if trial.number in alike else 2],
        }
        for trial in tuned.ranked
    ]
    kind = "Q" if isinstance(one, Range) else "N"
    x = (
        alt.X(
            "value:Q",
            title=key,
            scale=alt.Scale(
                type="log" if one.log else "linear", zero=False, nice=False, padding=10
            ),
            axis=alt.Axis(tickCount=4, format="~g", tickMinStep=1 if one.whole else 0),
        )
        if isinstance(one, Range)
        else alt.X("value:N", title=key, sort=[_value(each) for each in one.values])
    )
    scale = alt.Scale(domain=names, range=["--second", "--first", "--soft"])
    plot = (
        over(rows)
        .mark_point(filled=True, size=55, opacity=0.85)
        .encode(
            x=x,
            y=alt.Y("accuracy:Q", scale=alt.Scale(zero=False), title="validation accuracy"),
            color=alt.Color(
                "which:N", scale=scale, title=None, legend=alt.Legend(orient="bottom", columns=1)
            ),
            tooltip=[
                "trial:Q",
                f"value:{kind}",
                alt.Tooltip("accuracy:Q", format=".4f"),
                "which:N",
            ],
        )
    )
    described = "; ".join(f"{row['value']}: {figure(row['accuracy'])}" for row in rows)
    return chart_of(
        plot.properties(height=180), f"Validation accuracy against {key}: {described}.", key
    )


def _progress(tuned: Tuned) -> Chart:
    """Each trial's validation accuracy in order, and the best so far."""
    complete = [one for one in tuned.trials if one.state == "complete"]
    rows: list[dict[str, Any]] = [
        {"trial": one.number + 1, "accuracy": one.accuracy, "settings": said(one.settings)}
        for one in complete
    ]
    best = np.maximum.accumulate([one.accuracy or 0 for one in complete])
    steps = [
        {"trial": one.number + 1, "best": float(value)}
        for one, value in zip(complete, best, strict=True)
    ]
    steps.append({"trial": len(tuned.trials), "best": float(best[-1])})
    texts = len(tuned.predictions(complete[0].run).labels)
    top = float(best[-1])
    low, high = accuracy_interval(round(top * texts), texts)
    x = alt.X("trial:Q", title="trial", axis=alt.Axis(tickMinStep=1, format="d"))
    y = alt.Y("accuracy:Q", scale=alt.Scale(zero=False), title="validation accuracy")
    layers = [
        over([{"low": low, "high": high}])
        .mark_rect(opacity=0.12)
        .encode(y=alt.Y("low:Q"), y2="high:Q"),
        over(steps)
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(x=x, y=alt.Y("best:Q")),
        over(rows)
        .mark_point(filled=True, size=55, opacity=0.85)
        .encode(
            x=x, y=y, tooltip=["trial:Q", alt.Tooltip("accuracy:Q", format=".4f"), "settings:N"]
        ),
    ]
    reached = ", ".join(f"{one['trial']}: {figure(one['accuracy'])}" for one in rows)
    return chart_of(
        alt.layer(*layers).properties(height=220),
        f"Validation accuracy by trial: {reached}. The best is {figure(top)}; the band is its 95% "
        f"interval over {texts:,} validation texts, {figure(low)} to {figure(high)}.",
        "The best so far; the band is the interval of the best over texts",
    )


def _trials(judged: Judged) -> Section:
    tuned = judged.tuned
    keys = list(tuned.search.space)
    figures = (*keys, "epochs run", "accuracy", "log loss", "against the winner", "time")
    columns = ("trial", "verdict", *figures)
    order = [*tuned.ranked, *(one for one in tuned.trials if one.state != "complete")]
    rows = [
        (
            str(one.number + 1),
            _verdict(judged, one),
            *(_value(one.settings[key]) for key in keys),
            str(len(one.values)),
            figure(one.accuracy) if one.accuracy is not None else "",
            f"{one.loss:.4f}" if one.loss is not None else "",
            _difference(judged, one),
            duration(one.seconds),
        )
        for one in order
    ]
    blocks: list[Block] = []
    if judged.alike:
        names = listed([str(one.number + 1) for one in judged.alike])
        blocks.append(
            Paragraph(
                f"Not to be told from the winner: {'trial' if len(judged.alike) == 1 else 'trials'} "
                f"{names}. Where one of them is cheaper, take it.",
                "answer",
            )
        )
    blocks += [
        Table(
            "Every trial, the best first; differences are in points of accuracy",
            columns,
            rows,
            frozenset({"trial", *figures}),
        ),
        Paragraph(
            'A difference is paired by validation text, with its 95% interval; "within noise" means '
            "that McNemar's exact test, corrected for the number of trials (Holm), does not tell the two "
            "apart. It covers the texts and not the seed. The winner was chosen by these texts, which "
            "flatters it: more trials may be as good than are said to be."
        ),
    ]
    failed = [one for one in tuned.trials if one.reason]
    if failed:
        reasons: list[Block] = [
            Paragraph(f"Trial {one.number + 1}: {one.reason}") for one in failed
        ]
        blocks.append(Folded("Why trials failed", reasons))
    return Section("All trials", "trials", blocks)


def _difference(judged: Judged, one: Trial) -> str:
    if one.number not in judged.against:
        return ""
    found, _ = judged.against[one.number]
    return f"{points(found.difference)} ({points(found.interval.low)} to {points(found.interval.high)})"


def _verdict(judged: Judged, one: Trial) -> str:
    if judged.winner and one.number == judged.winner.trial.number:
        return "the winner"
    if one.number in judged.against:
        return "within noise" if judged.against[one.number][1] > ALPHA else "below the winner"
    return STATES[one.state]


def _made(judged: Judged) -> Section:
    tuned = judged.tuned
    search, environment = tuned.search, tuned.facts["environment"]
    pruned = (
        "A trial is given up between two epochs where its best epoch so far is below the median of what "
        "the others had reached by then."
        if search.pruning == "median"
        else "No trial is given up early."
    )
    blocks: list[Block] = [
        Paragraph(spent(tuned)),
        Paragraph(
            f"Trials are judged by {search.objective.replace('-', ' ')} on validation texts, "
            f"{search.validation_fraction:.0%} of the training data; the test texts are in none of them. "
            "Trial 1 has the model's defaults, where the space has them; the others are proposed by "
            f"Optuna's tree-structured Parzen estimator (TPE). {pruned}"
        ),
        Table("The space", ("setting", "values", "first trial"), space_of(search)),
    ]
    if search.fixed:
        blocks.append(Paragraph(f"Fixed: {said(search.fixed)}."))
    if judged.honest:
        accuracy, interval = judged.honest
        blocks.append(
            Paragraph(
                f"The allowance for choosing: of 1,000 draws of the validation texts, each chooses a trial, "
                f"which is then judged on the texts not drawn: {figure(accuracy)} on average, "
                f"{between(interval)} in 95% of draws (Tsamardinos et al. 2018)."
            )
        )
    plain = [
        (key, str(value)) for key, value in environment.items() if isinstance(value, str | int)
    ]
    if plain:
        blocks.append(Folded("Made with", [Table("Made with", ("what", "version"), plain)]))
    blocks += [Paragraph(notice, "warning") for notice in tuned.facts["data"]["notices"]]
    return Section("How this was made", "made", blocks)


def space_of(search: Search) -> list[tuple[str, str, str]]:
    """(setting, its values, the first trial's) of each setting that is searched."""
    return [(key, _space(one), _value(search.start[key])) for key, one in search.space.items()]


def _space(one: Any) -> str:
    if isinstance(one, Range):
        return f"{_value(one.low)} to {_value(one.high)}{', by its logarithm' if one.log else ''}"
    return ", ".join(map(_value, one.values))


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={_value(each)}" for key, each in value.items())
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
