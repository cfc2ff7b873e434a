"""What a difference means, in one of four words and a sentence."""

from dataclasses import dataclass
from typing import Literal

from sentilab.compare.contributions import lower_is_better
from sentilab.compare.differences import Difference
from sentilab.compare.paired import Interval
from sentilab.compare.power import seeds_to_detect, seeds_to_settle

VerdictKind = Literal["better", "worse", "same", "unclear"]

ALPHA = 0.05

NOUNS = {"accuracy": "accuracy", "log_loss": "log loss", "f1": "F1", "auc": "AUC"}


@dataclass(frozen=True)
class Verdict:
    """``kind`` is said of the second setting.

    ``more_seeds`` is about how many more seeds would resolve a difference of the margin; None where
    the verdict is not "unclear", where no number would do, and where one seed tells nothing.
    """

    kind: VerdictKind
    sentence: str
    more_seeds: int | None


def verdict(
    difference: Difference,
    *,
    margin: float = 0.01,
    adjusted_p: float | None = None,
    names: tuple[str, str] = ("A", "B"),
) -> Verdict:
    """Judges ``difference``, between settings called ``names``.

    "better" or "worse": the interval leaves out 0 and ``adjusted_p`` (by default the difference's
    own p-value; correct it for several comparisons, see ``holm``) is at most 0.05. "same": the
    interval lies within ``margin``, in the metric's own unit, of 0. Else "unclear".
    """
    low, high = difference.interval
    p = difference.p_value if adjusted_p is None else adjusted_p
    if not low <= 0 <= high and p <= ALPHA:
        better = (difference.difference > 0) != lower_is_better(difference.metric)
        kind: VerdictKind = "better" if better else "worse"
        return Verdict(kind, _different(difference, kind, p, names), None)
    if -margin <= low and high <= margin:
        return Verdict("same", _same(difference, margin, names), None)
    correction = max(p / difference.p_value, 1.0) if difference.p_value else 1.0
    return _unclear(difference, margin, ALPHA / correction, names)


def amount(metric: str, difference: float, *, signed: bool = True) -> str:
    """A difference in points, or of log loss in nats: "+1.20 points", "−0.0031 nats"."""
    return f"{number(metric, difference, signed=signed)} {unit(metric)}"


def number(metric: str, difference: float, *, signed: bool = True) -> str:
    """A difference without its unit."""
    scaled, digits = (difference, 4) if metric == "log_loss" else (100 * difference, 2)
    text = f"{scaled:+.{digits}f}" if signed else f"{abs(scaled):.{digits}f}"
    return text.replace("-", "−")


def unit(metric: str) -> str:
    """ "points", hundredths of the metric; "nats" for log loss."""
    return "nats" if metric == "log_loss" else "points"


def between(metric: str, interval: Interval) -> str:
    """An interval of differences, without its unit."""
    return f"{number(metric, interval.low)} to {number(metric, interval.high)}"


def p_text(p: float) -> str:
    """ "p < 0.001", "p = 0.012", "p = 0.34"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _different(difference: Difference, kind: str, p: float, names: tuple[str, str]) -> str:
    metric = difference.metric
    on = " on these runs" if difference.seeds == 1 else ""
    direction = "above" if difference.difference > 0 else "below"
    sentence = (
        f"{names[1]} is {kind} than {names[0]}{on}: its {NOUNS[metric]} is "
        f"{amount(metric, difference.difference, signed=False)} {direction} "
        f"({_interval(difference)}, {p_text(p)})."
    )
    return sentence if difference.seeds > 1 else f"{sentence} Another seed may turn it."


def _same(difference: Difference, margin: float, names: tuple[str, str]) -> str:
    metric = difference.metric
    on = " on these runs" if difference.seeds == 1 else ""
    return (
        f"No difference larger than {_margin(metric, margin)}{on}: the {NOUNS[metric]} of "
        f"{names[1]} is {amount(metric, difference.difference)} from that of {names[0]} "
        f"({_interval(difference)})."
    )


def _unclear(
    difference: Difference, margin: float, alpha: float, names: tuple[str, str]
) -> Verdict:
    metric = difference.metric
    first = (
        f"Cannot tell {names[0]} and {names[1]} apart: {NOUNS[metric]} "
        f"{amount(metric, difference.difference)} ({_interval(difference)})"
    )
    of_margin = f"a difference of {_margin(metric, margin)}"
    if difference.seeds == 1:
        more = "one seed does not say how much the seed matters; train each with at least two more"
        return Verdict("unclear", f"{first}; {more}.", None)
    if difference.covers == "splits and seeds":
        more = "more splits of the same texts help little; more texts would"
        return Verdict("unclear", f"{first}; {more}.", None)
    needed = seeds_to_detect(difference, margin, alpha)
    if needed is None:
        more = (
            f"{difference.texts:,} test texts are too few to resolve {of_margin}, however many "
            "the seeds"
        )
        return Verdict("unclear", f"{first}; {more}.", None)
    if needed > difference.seeds:
        count = needed - difference.seeds
        more = f"about {_more_seeds(count)} would resolve {of_margin}"
        return Verdict("unclear", f"{first}; {more}.", count)
    return _close(difference, margin, f"{first}; {of_margin} would probably have shown")


def _close(difference: Difference, margin: float, first: str) -> Verdict:
    """The seeds would have found the margin; open is whether the difference is less than that."""
    needed = seeds_to_settle(difference, margin)
    if needed is None:
        more = f"whether it is smaller, {difference.texts:,} test texts are too few to say"
        return Verdict("unclear", f"{first}, and {more}.", None)
    count = max(needed - difference.seeds, 1)
    return Verdict("unclear", f"{first}, and about {_more_seeds(count)} would settle it.", count)


def _more_seeds(count: int) -> str:
    return "1 more seed" if count == 1 else f"{count:,} more seeds"


def _interval(difference: Difference) -> str:
    percent = f"{100 * difference.level:.4g}"
    return f"{percent}% interval {between(difference.metric, difference.interval)}"


def _margin(metric: str, margin: float) -> str:
    """The margin as a phrase: "1 point", "0.5 points", "0.01 nats"."""
    if metric == "log_loss":
        return f"{margin:g} nats"
    return "1 point" if round(100 * margin, 6) == 1 else f"{100 * margin:g} points"
