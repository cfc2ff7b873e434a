"""What the models do with negation, sarcasm, typing errors and the rest of the behaviour suite."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import altair as alt
import numpy as np

from sentilab.probe.behaviour import TOLERANCE, VERSION, Example, Found, Result, interval
from sentilab.report.blocks import Block, Chart, Folded, Paragraph, Section, Table
from sentilab.report.figures import chart_of, over
from sentilab.report.probed import Probed, over_seeds, probed, seeds_note
from sentilab.report.reading import Group
from sentilab.report.sentences import count

# A check that fails less often is called steady.
STEADY = 0.05
NAMED = 3
SHOWN = 3  # examples of a check
KINDS = {
    "MFT": "the right label",
    "INV": "the same label",
    "DIR": "p moves no wrong way",
}
Key = tuple[str, str]
"""(capability, name of the check)"""


@dataclass(frozen=True)
class Checked:
    """One check in one group's runs, one entry of ``found`` a seed."""

    found: tuple[Found, ...]

    @property
    def first(self) -> Found:
        return self.found[0]

    @property
    def rates(self) -> list[float]:
        """Failure rates, one a seed."""
        return [one.rate for one in self.found]

    @property
    def rate(self) -> float:
        return float(np.mean(self.rates))

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Over templates, from each template's mean failures over the seeds."""
        if len(self.found) == 1:
            return self.first.low, self.first.high
        cases = [cases for cases, _ in self.first.templates]
        failures = np.mean([[fails for _, fails in one.templates] for one in self.found], axis=0)
        return interval(list(zip(cases, failures.tolist(), strict=True)))


@dataclass(frozen=True)
class Behaviour:
    """A group's checks by capability and name, in the suite's order."""

    title: str
    checks: dict[Key, Checked]


def section(groups: Sequence[Group]) -> Section | None:
    """None where no behaviour was measured; ``groups`` are those of one protocol."""
    found = probed(groups, "behaviour", Result)
    current = [
        Probed(one.group, results)
        for one in found
        if (results := tuple(r for r in one.results if r.version == VERSION))
    ]
    if not current:
        return None
    behaviours = [_gathered(one) for one in current]
    blocks: list[Block] = [
        Paragraph(_answer(behaviours), "answer"),
        _dots(behaviours),
        Folded("Every check in figures", [_table(current, behaviours)]),
        *_fairness(behaviours),
        Folded("The worst failures", _examples(behaviours)),
        Folded("What each check asks, and how this is measured", _details(behaviours)),
    ]
    if sum(len(one.results) for one in current) < sum(len(one.results) for one in found):
        blocks.append(
            Paragraph(
                "Runs that were probed with another version of the suite are left out; "
                "`sentilab probe --only behaviour --again` asks them anew.",
                "warning",
            )
        )
    return Section("Do the models do what anybody would expect?", "behaviour", blocks)


def _gathered(one: Probed[Result]) -> Behaviour:
    keys = [(check.capability, check.name) for check in one.results[0].checks]
    by_key = [{(c.capability, c.name): c for c in result.checks} for result in one.results]
    return Behaviour(one.title, {key: Checked(tuple(each[key] for each in by_key)) for key in keys})


def _keys(behaviours: Sequence[Behaviour]) -> list[Key]:
    """The checks that any group has, in the suite's order."""
    return list(dict.fromkeys(key for one in behaviours for key in one.checks))


def _rates(behaviours: Sequence[Behaviour], key: Key) -> list[float]:
    return [one.checks[key].rate for one in behaviours if key in one.checks]


def _answer(behaviours: Sequence[Behaviour]) -> str:
    keys = _keys(behaviours)
    worst = sorted(keys, key=lambda key: -float(np.mean(_rates(behaviours, key))))[:NAMED]
    one = len(behaviours) == 1
    who = f"{behaviours[0].title} fails" if one else "The models fail"
    named = "; ".join(f"{_called(key)} ({_range(_rates(behaviours, key))})" for key in worst)
    parts = [
        f"{who} most often, in so many of the cases, at {named}.",
        _instance(behaviours, worst[0]),
    ]
    if not one:
        parts.append(_apart(behaviours, keys))
    steady = [key for key in keys if max(_rates(behaviours, key)) < STEADY]
    if steady:
        every = "" if one else " in every model"
        parts.append(
            f"{len(steady)} of {len(keys)} checks fail in fewer than {STEADY:.0%} of their cases{every}."
        )
    return " ".join(part for part in parts if part)


def _called(key: Key) -> str:
    capability, name = key
    return f"{capability}: {name}"


def _range(rates: Sequence[float]) -> str:
    low, high = f"{min(rates):.0%}", f"{max(rates):.0%}"
    return low if low == high else f"{low} to {high}"


def _instance(behaviours: Sequence[Behaviour], key: Key) -> str:
    """The surest failure at the check."""
    for one in behaviours:
        worst = one.checks[key].first.worst if key in one.checks else ()
        if worst and len(worst[0].texts) == 1:
            example = worst[0]
            said = "positive" if example.probabilities[0] > 0.5 else "negative"
            return (
                f'"{_short(example.texts[0])}" is {said} to {one.title}, with '
                f"p(positive) {example.probabilities[0]:.2f}."
            )
    return ""


def _apart(behaviours: Sequence[Behaviour], keys: Sequence[Key]) -> str:
    """The check in which two models differ most, if their intervals do not meet."""
    best: tuple[float, str] = (0.0, "")
    for key in keys:
        there = sorted(
            (one for one in behaviours if key in one.checks), key=lambda one: one.checks[key].rate
        )
        low, high = there[0].checks[key], there[-1].checks[key]
        gap = high.rate - low.rate
        if gap > best[0] and low.interval[1] < high.interval[0]:
            best = (
                gap,
                f"They differ most at {_called(key)}. {there[0].title} fails in {low.rate:.0%}, "
                f"{there[-1].title} in {high.rate:.0%}.",
            )
    return best[1]


def _dots(behaviours: Sequence[Behaviour]) -> Chart:
    """Failure rates by check, a colour a model; with one model, their intervals too."""
    rows = []
    for one in behaviours:
        for key, checked in one.checks.items():
            low, high = checked.interval
            rows.append(
                {
                    "check": _called(key),
                    "run": one.title,
                    "rate": checked.rate,
                    "low": low,
                    "high": high,
                }
            )
    several = len(behaviours) > 1
    y = alt.Y("check:N", sort=None, title=None, axis=alt.Axis(grid=True, labelLimit=230))
    x = alt.X(
        "rate:Q",
        scale=alt.Scale(domain=[0, 1], nice=False),
        axis=alt.Axis(format="%", tickCount=5, orient="top"),
        title="cases that fail",
    )
    color = alt.Color(
        "run:N",
        sort=None,
        title=None,
        legend=alt.Legend(orient="top", columns=2) if several else None,
    )
    base = over(rows).encode(y=y, color=color)
    points = base.mark_point(filled=True, size=55, opacity=0.85).encode(
        x=x,
        tooltip=[
            "check:N",
            "run:N",
            *(alt.Tooltip(f"{name}:Q", format=".0%") for name in ("rate", "low", "high")),
        ],
    )
    rules = base.mark_rule(strokeWidth=2, opacity=0.5).encode(x=alt.X("low:Q"), x2="high:Q")
    described = "; ".join(
        f"{_called(key)}: "
        + ", ".join(
            f"{one.title} {one.checks[key].rate:.0%}" for one in behaviours if key in one.checks
        )
        for key in _keys(behaviours)
    )
    plot = points if several else alt.layer(rules, points)
    return chart_of(
        plot.properties(height=17 * len(_keys(behaviours))),
        f"Share of cases that fail, by check: {described}.",
    )


def _table(found: Sequence[Probed[Result]], behaviours: Sequence[Behaviour]) -> Table:
    rows = []
    for key in _keys(behaviours):
        there = [one.checks.get(key) for one in behaviours]
        known = next(one for one in there if one)
        cells = [over_seeds(one.rates, 0, percent=True) if one else "" for one in there]
        if len(behaviours) == 1 and len(known.found) == 1:
            cells = [_with_interval(known)]
        rows.append((*key, KINDS[known.first.kind], str(known.first.cases), *cells))
    titles = [one.title for one in behaviours]
    alone = len(behaviours) == 1 and len(found[0].results) == 1
    note = "; in brackets 95% intervals over templates" if alone else seeds_note(found)
    return Table(
        f"Share of cases that fail{note}",
        ("capability", "check", "wanted", "cases", *titles),
        rows,
        frozenset({"cases", *titles}),
    )


def _with_interval(one: Checked) -> str:
    low, high = one.interval
    return f"{one.rate:.0%} ({low:.0%} to {high:.0%})"


def _fairness(behaviours: Sequence[Behaviour]) -> list[Block]:
    """Mean p(positive) of each group, over the same reviews."""
    keys = [key for key in _keys(behaviours) if key[0] == "fairness"]
    widest = max(
        ((*_gap(one.checks[key]), key[1], one.title) for key in keys for one in behaviours),
        default=None,
    )
    if widest is None:
        return []
    gap, low, high, attribute, title = widest
    rows = [
        (key[1], group.name, *(_group(one.checks[key], group.name) for one in behaviours))
        for key in keys
        for group in behaviours[0].checks[key].first.groups
    ]
    titles = [one.title for one in behaviours]
    return [
        Paragraph(
            f"Fairness: over the same reviews, the widest gap between two groups' mean p(positive) is "
            f"{gap:.3f}, {attribute} in {title} ({low} the lowest, {high} the highest)."
        ),
        Folded(
            "Fairness, group by group",
            [
                Table(
                    "Mean p(positive) where the group is named; in brackets the share of labels that are "
                    "others than in the same review without it",
                    ("attribute", "group", *titles),
                    rows,
                    frozenset(titles),
                ),
            ],
        ),
    ]


def _means(checked: Checked) -> dict[str, float]:
    """Mean p(positive) by group, over the seeds."""
    return {
        group.name: float(np.mean([one.groups[at].mean for one in checked.found]))
        for at, group in enumerate(checked.first.groups)
    }


def _gap(checked: Checked) -> tuple[float, str, str]:
    means = _means(checked)
    low, high = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    return means[high] - means[low], low, high


def _group(checked: Checked, name: str) -> str:
    parts = [group for one in checked.found for group in one.groups if group.name == name]
    rate = sum(one.failures for one in parts) / sum(one.cases for one in parts)
    return f"{_means(checked)[name]:.3f} ({rate:.0%})"


def _examples(behaviours: Sequence[Behaviour]) -> list[Block]:
    blocks: list[Block] = []
    for one in behaviours:
        rows = [
            (_called(key), example.wanted, _texts(example), _probabilities(example))
            for key, checked in one.checks.items()
            for example in checked.first.worst[:SHOWN]
        ]
        seed = " (first seed)" if any(len(c.found) > 1 for c in one.checks.values()) else ""
        table = Table(
            f"{one.title}{seed}: the surest failures of each check",
            ("check", "wanted", "text", "p(positive)"),
            rows,
            frozenset({"p(positive)"}),
        )
        blocks.append(Folded(one.title, [table]) if len(behaviours) > 1 else table)
    return blocks


def _texts(example: Example) -> str:
    return " → ".join(_short(text) for text in example.texts)


def _probabilities(example: Example) -> str:
    return " → ".join(f"{p:.2f}" for p in example.probabilities)


def _short(text: str, start: int = 160, end: int = 50) -> str:
    if len(text) <= start + end + 20:
        return text
    return f"{text[:start].rsplit(' ', 1)[0]} … {text[-end:].split(' ', 1)[1]}"


def _details(behaviours: Sequence[Behaviour]) -> list[Block]:
    first = behaviours[0]
    cases = sum(one.first.cases for one in first.checks.values())
    templates = sum(len(one.first.templates) for one in first.checks.values())
    rows = [
        (_called(key), one.first.kind, one.first.description, str(len(one.first.templates)))
        for key, one in first.checks.items()
    ]
    blocks: list[Block] = [
        Paragraph(
            f"{count(cases, 'case')} from {count(templates, 'template')} of our own, in the manner of "
            "CheckList (Ribeiro et al. 2020). MFT asks for the right label of a text; INV changes what "
            "does not matter, and the label must stay; DIR changes how strong a verdict is, and p(positive) "
            f"must not move the wrong way by more than {TOLERANCE:g}. Most checks ask as many positive as "
            "negative texts; those that cannot, ask for one label: a model that always answers so "
            "passes them, and fails the check beside it."
        ),
        Paragraph(
            "Intervals are at 95% and cover other templates of the same kind, not only other words in "
            "these: cases of one template stand and fall together. They say nothing of the seed, nor "
            f"of reviews at large. Version {VERSION} of the suite."
        ),
        Table(
            "The checks",
            ("check", "kind", "what it asks", "templates"),
            rows,
            frozenset({"templates"}),
        ),
    ]
    columns = ("cases", "failures", "95% interval", "mean |change of p|", "largest")
    for behaviour in behaviours:
        moved = [
            (_called(key), str(one.first.cases), f"{one.rate:.1%}", *_moved(one))
            for key, one in behaviour.checks.items()
        ]
        table = Table(behaviour.title, ("check", *columns), moved, frozenset(columns))
        blocks.append(Folded(f"{behaviour.title}: intervals", [table]))
    return blocks


def _moved(one: Checked) -> tuple[str, str, str]:
    low, high = one.interval
    within = f"{low:.0%} to {high:.0%}"
    if one.first.moved is None:
        return within, "", ""
    mean = float(np.mean([each.moved or 0.0 for each in one.found]))
    most = max(each.moved_most or 0.0 for each in one.found)
    return within, f"{mean:.3f}", f"{most:.3f}"
