"""Sentences made from figures. Each says what was measured, how sure that is, and no more."""

from collections.abc import Sequence

import numpy as np

from sentilab.compare import Interval, mean_interval
from sentilab.report.differences import MARGIN, Compared
from sentilab.report.reading import Group, Pick
from sentilab.training import EpochMetrics

# Fewer points than this between training and validation accuracy is no gap worth a word.
GAP = 0.02


def figure(accuracy: float) -> str:
    """An accuracy as the notebook prints it."""
    return f"{accuracy:.4f}"


def points(difference: float) -> str:
    """A difference of accuracies in percentage points, with its sign."""
    return f"{100 * difference:+.2f}".replace("-", "−")


def between(interval: Interval) -> str:
    """An interval of accuracies."""
    return f"{figure(interval.low)} to {figure(interval.high)}"


def between_points(interval: Interval) -> str:
    """An interval of differences, in points."""
    return f"{points(interval.low)} to {points(interval.high)}"


def between_signed(interval: Interval) -> str:
    """An interval of differences, as they are."""
    return f"{interval.low:+.4f} to {interval.high:+.4f}".replace("-", "−")


def duration(seconds: float) -> str:
    """Seconds, or minutes where they are many."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def p_value(p: float | None) -> str:
    """As is usual: small ones as bounds."""
    if p is None:
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def listed(items: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def count(number: int, noun: str) -> str:
    """ "1 epoch", "2 epochs"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def outcome(group: Group) -> str:
    """A group's accuracy with what is known of its uncertainty."""
    seeds = len(group.finished)
    if seeds == 1:
        return f"{figure(group.accuracy)} (95% interval {between(group.interval)})"
    return (
        f"{figure(group.accuracy)} on average over {seeds} seeds (standard deviation "
        f"{100 * (group.deviation or 0):.2f} points)"
    )


def evidence(compared: Compared) -> str:
    """The interval, and the p-value as corrected for the study's number of comparisons."""
    return f"95% interval {between_points(compared.found.interval)}; {p_value(compared.adjusted_p)}"


def change(compared: Compared, subject: str = "", *, of: str = "") -> str:
    """How ``subject``, the other setting, compares with the baseline, which is called ``of``."""
    found = compared.found
    subject = subject or compared.other.title
    against = f"the {figure(found.first)} of {of or compared.baseline.title}"
    reached = f"{subject} reaches {figure(found.second)}"
    if compared.verdict.kind in ("better", "worse"):
        direction = "above" if found.difference > 0 else "below"
        size = f"{abs(100 * found.difference):.2f} points"
        on = " on these runs" if found.seeds == 1 else ""
        return f"{reached}, {size} {direction} {against}{on} ({evidence(compared)})."
    away = f"{reached}, {points(found.difference)} points from {against}"
    if compared.verdict.kind == "same":
        on = "on these runs " if found.seeds == 1 else ""
        return f"{away}: {on}no difference larger than {margin()} ({evidence(compared)})."
    return f"{away}: cannot tell ({evidence(compared)}). {needed(compared)}".strip()


def margin() -> str:
    """The difference below which none matters, as a phrase."""
    return "1 point" if MARGIN == 0.01 else f"{100 * MARGIN:g} points"


def needed(compared: Compared) -> str:
    """How many more seeds an open comparison wants, where that is known."""
    more = compared.verdict.more_seeds
    if more is None:
        return ""
    return f"About {count(more, 'more seed')} would resolve a difference of {margin()}."


def caveat(compared: Sequence[Compared], comparisons: int) -> str:
    """What the intervals cover, and that p-values are corrected for all ``comparisons``."""
    seeds = min((one.found.seeds for one in compared), default=1)
    corrected = (
        f" p-values are corrected for the {comparisons} comparisons of this study (Holm)."
        if comparisons > 1
        else ""
    )
    if seeds == 1:
        return (
            "These intervals cover the choice of test texts and not the seed: each setting was "
            f"trained once, and another seed may turn the order.{corrected}"
        )
    return (
        f"These intervals cover the choice of test texts and the seed: differences are paired over "
        f"{seeds} seeds.{corrected}"
    )


def against_the_notebook(group: Group) -> str:
    """The measured accuracy beside the recorded one, or nothing where none was recorded."""
    recorded = group.first.recorded
    if recorded is None or recorded.accuracy is None:
        return ""
    difference = group.accuracy - recorded.accuracy
    return (
        f"The notebook recorded {figure(recorded.accuracy)}; this is {points(difference)} points."
    )


def best_epoch(history: Sequence[EpochMetrics]) -> EpochMetrics:
    """The epoch of the highest validation accuracy."""
    return max(history, key=lambda one: one.val_accuracy)


def overfitting(history: Sequence[EpochMetrics], seeds: int = 1) -> str:
    """What a curve, the mean over ``seeds``, says about training longer."""
    best, last = best_epoch(history), history[-1]
    gap = last.accuracy - last.val_accuracy
    over = "" if seeds == 1 else f"On average over {seeds} seeds, "
    first = f"{over}validation accuracy was best after epoch {best.epoch} of {last.epoch}"
    curve = (
        f"{first[0].upper()}{first[1:]} ({figure(best.val_accuracy)}) and ended at "
        f"{figure(last.val_accuracy)}; training accuracy ended at {figure(last.accuracy)}."
    )
    if best.epoch < last.epoch and gap > GAP:
        return (
            f"{curve} The gap of {100 * gap:.1f} points between them, with validation past its "
            "best, is overfitting."
        )
    if gap > GAP:
        return (
            f"{curve} Training is {100 * gap:.1f} points ahead, and validation has not turned yet."
        )
    return f"{curve} There is no sign of overfitting so far."


def stopping(groups: Sequence[Group]) -> str:
    """When early stopping ended these runs, and whether that is as the notebook recorded."""
    runs = [one for group in groups for one in group.finished]
    ran = [len(one.history) for one in runs]
    best = [best_epoch(one.history).epoch for one in runs]
    sizes = listed([str(one.first.settings.batch_size) for one in groups])
    stopped = sum(one.stopped_early for one in runs)
    if stopped == 0:
        how = "never came into play"
    elif stopped == len(runs):
        how = f"ended {'it' if len(runs) == 1 else 'all of them'}"
    else:
        how = f"ended {stopped} of {len(runs)}"
    first = (
        f"With batch size {sizes} training ran for {each(ran)} epochs and was best after epoch "
        f"{each(best)}; early stopping {how}."
    )
    recorded = [one.recorded.epochs_run for one in runs if one.recorded and one.recorded.epochs_run]
    if len(recorded) < len(runs):
        return first
    same = sum(a == b for a, b in zip(ran, recorded, strict=True))
    verdict = "as" if same == len(runs) else "unlike" if same == 0 else "only in part as"
    return f"{first} That is {verdict} in the notebook ({each(recorded)} epochs)."


def each(numbers: Sequence[int]) -> str:
    """ "4" for 4, 4, 4; "4, 5 and 4" where they differ; "4 (26 times) and 5 (4 times)" of many."""
    if len(set(numbers)) == 1:
        return str(numbers[0])
    if len(numbers) <= 3:
        return listed([str(one) for one in numbers])
    return listed([f"{one} ({numbers.count(one)} times)" for one in sorted(set(numbers))])


def ranking(best: Group, others: Sequence[Compared]) -> str:
    """Which setting is chosen, and how many of the others are known to be below it."""
    by = "on the test texts" if best.protocol == "notebook" else "on validation texts"
    sentence = f"Best {by} is {best.title}: {best.judged_on} accuracy {outcome(best)}."
    if not others:
        return sentence
    below = sum(one.verdict.kind == "worse" for one in others)
    above = sum(one.verdict.kind == "better" for one in others)
    level = sum(one.verdict.kind == "same" for one in others)
    parts = [
        f"{number} {what}"
        for number, what in (
            (below, "below it"),
            (above, "above it"),
            (level, f"within {margin()} of it"),
            (len(others) - below - above - level, "not to be told apart from it"),
        )
        if number
    ]
    rest = "the other" if len(others) == 1 else f"the {len(others)} others"
    return f"{sentence} Of {rest}, {listed(parts)}."


def best_of_kind(compared: Compared) -> str:
    """The best dense model against the best recurrent one, with what each costs."""
    recurrent, dense = compared.baseline, compared.other
    sentence = change(
        compared, f"The best MLP ({dense.title})", of=f"the best LSTM ({recurrent.title})"
    )
    ratio = (dense.first.parameters or 0) / (recurrent.first.parameters or 1)
    faster = recurrent.seconds / max(dense.seconds, 1e-9)
    more = f"{ratio:.1f} times as many" if ratio >= 1 else f"{ratio:.0%} of the"
    speed = (
        f"trained in {duration(dense.seconds)} where the LSTM took {duration(recurrent.seconds)}"
        f" ({faster:.0f} times as fast)"
        if faster >= 1.5
        else f"trained in {duration(dense.seconds)}, the LSTM in {duration(recurrent.seconds)}"
    )
    return f"{sentence} It has {more} parameters and {speed}."


def learned(compared: Sequence[Compared]) -> str:
    """The comparisons of a study in one sentence, by what became of them."""
    seeds = min(one.found.seeds for one in compared)
    if seeds == 1:
        apart = sum(one.verdict.kind in ("better", "worse") for one in compared)
        return (
            f"{count(apart, 'comparison')} of {len(compared)} differ{'s' if apart == 1 else ''} on these "
            "test texts; but each setting was trained once, and one seed cannot say which of the "
            "differences are real."
        )
    real = [one for one in compared if one.verdict.kind in ("better", "worse")]
    level = [one for one in compared if one.verdict.kind == "same"]
    unclear = len(compared) - len(real) - len(level)
    what = [
        f"{len(real)} {'is' if len(real) == 1 else 'are'} real" if real else "",
        f"{len(level)} show{'s' if len(level) == 1 else ''} no difference larger than {margin()}"
        if level
        else "",
        f"{unclear} cannot be told" if unclear else "",
    ]
    told = listed([one for one in what if one])
    return f"Of {count(len(compared), 'comparison')} over {seeds} seeds, {told}."


def optimism(picks: Sequence[Pick], settings: int) -> str:
    """What choosing on the test split flatters, from one pick a seed."""
    shown = float(np.mean([one.shown for one in picks]))
    honest = float(np.mean([one.honest for one in picks]))
    gap = shown - honest
    over = "" if len(picks) == 1 else f" on average over {len(picks)} seeds"
    which = f" ({picks[0].shown_title})" if len(picks) == 1 else ""
    pick = f"the pick is {picks[0].honest_title}, and " if len(picks) == 1 else ""
    first = (
        f"Choosing the best epoch of the best of {settings} settings on the test set shows "
        f"{figure(shown)}{which}{over}. Chosen on validation data carved from the training "
        f"set, {pick}the test set, asked once, says {figure(honest)}."
    )
    spread = _flattery_interval(picks)
    if gap > 0:
        first += f" The choice on the test set flatters by {100 * gap:.2f} points{spread}."
    else:
        first += f" Here the choice on the test set did not flatter{spread}."
    repeated = [one.repeated for one in picks if one.repeated is not None]
    if repeated:
        lost = float(
            np.mean([one.shown - one.repeated for one in picks if one.repeated is not None])
        )
        first += (
            f" Trained again with another seed, the setting and epoch so chosen reach "
            f"{figure(float(np.mean(repeated)))}: {points(-lost)} points."
        )
    return first


def flattery(picks: Sequence[Pick]) -> str:
    """The same in one line."""
    shown = float(np.mean([one.shown for one in picks]))
    honest = float(np.mean([one.honest for one in picks]))
    verdict = (
        f"it flatters by {100 * (shown - honest):.2f} points"
        if shown > honest
        else "it does not flatter here"
    )
    return (
        f"Choosing on the test set shows {figure(shown)}; chosen on held-out validation data, the test "
        f"set says {figure(honest)}: {verdict}{_flattery_interval(picks)}."
    )


def _flattery_interval(picks: Sequence[Pick]) -> str:
    if len(picks) < 2:
        return ""
    interval = mean_interval([one.shown - one.honest for one in picks])[2]
    return f" (95% interval over seeds {between_points(interval)})"
