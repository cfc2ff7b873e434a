"""Sentences made from figures. Each says what was measured, how sure that is, and no more."""

from collections.abc import Sequence

from sentilab.compare import Interval
from sentilab.report.reading import Comparison, Group, compare
from sentilab.studies import Run
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


def evidence(found: Comparison) -> str:
    """The interval, and the test where there is one."""
    test = f"; McNemar {p_value(found.p_value)}" if found.p_value is not None else ""
    return f"95% interval {between_points(found.interval)}{test}"


def change(baseline: Group, other: Group, subject: str, *, of: str = "") -> str:
    """How ``subject`` compares with the baseline, which is called ``of``."""
    found = compare(baseline, other)
    reached, held = figure(other.accuracy), figure(baseline.accuracy)
    against = f"the {held} of {of or baseline.title}"
    if found.is_clear:
        direction = "above" if found.difference > 0 else "below"
        size = f"{abs(100 * found.difference):.2f} points"
        return f"{subject} reaches {reached}, {size} {direction} {against} ({evidence(found)})."
    return (
        f"{subject} reaches {reached}, {points(found.difference)} points from {against}: no clear "
        f"difference ({evidence(found)})."
    )


def caveat(groups: Sequence[Group]) -> str:
    """What the intervals of these groups do and do not cover."""
    seeds = min(len(one.finished) for one in groups)
    if seeds == 1:
        return (
            "These intervals cover the choice of test texts and not the seed: each setting was "
            "trained once, and another seed may turn the order."
        )
    return f"These intervals cover the seed: differences are paired over {seeds} seeds."


def against_the_notebook(group: Group) -> str:
    """The measured accuracy beside the recorded one, or nothing where none was recorded."""
    recorded = group.first.recorded
    if recorded is None or recorded.accuracy is None:
        return ""
    difference = group.accuracy - recorded.accuracy
    return (
        f"The notebook recorded {figure(recorded.accuracy)}; this is {points(difference)} points."
    )


def overfitting(history: Sequence[EpochMetrics]) -> str:
    """What a curve says about training longer."""
    best = max(history, key=lambda one: one.val_accuracy)
    last = history[-1]
    gap = last.accuracy - last.val_accuracy
    curve = (
        f"Validation accuracy was best after epoch {best.epoch} of {last.epoch} "
        f"({figure(best.val_accuracy)}) and ended at {figure(last.val_accuracy)}; training accuracy "
        f"ended at {figure(last.accuracy)}."
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


def stopping(runs: Sequence[Run]) -> str:
    """When early stopping ended these runs, and whether that is as the notebook recorded."""
    ran = [len(one.history) for one in runs]
    best = [max(one.history, key=lambda m: m.val_accuracy).epoch for one in runs]
    sizes = listed([str(one.settings.batch_size) for one in runs])
    stopped = sum(one.stopped_early for one in runs)
    if stopped == 0:
        how = "never came into play"
    elif stopped == len(runs):
        how = f"ended {'it' if len(runs) == 1 else 'all of them'}"
    else:
        how = f"ended {stopped} of {len(runs)}"
    first = (
        f"With batch size {sizes} training ran for {_each(ran)} epochs and was best after epoch "
        f"{_each(best)}; early stopping {how}."
    )
    recorded = [one.recorded.epochs_run for one in runs if one.recorded and one.recorded.epochs_run]
    if len(recorded) < len(runs):
        return first
    same = sum(a == b for a, b in zip(ran, recorded, strict=True))
    verdict = "as" if same == len(runs) else "unlike" if same == 0 else "only in part as"
    return f"{first} That is {verdict} in the notebook ({_each(recorded)} epochs)."


def _each(numbers: Sequence[int]) -> str:
    """ "4" for 4, 4, 4; "4, 5 and 4" where they differ."""
    return str(numbers[0]) if len(set(numbers)) == 1 else listed([str(one) for one in numbers])


def ranking(groups: Sequence[Group]) -> str:
    """Which is best, and how many of the others cannot be told from it."""
    ordered = sorted(groups, key=lambda one: -one.accuracy)
    best, others = ordered[0], ordered[1:]
    sentence = f"The highest accuracy is that of {best.title}: {outcome(best)}."
    if not others:
        return sentence
    unclear = [one for one in others if not compare(one, best).is_clear]
    if not unclear:
        return f"{sentence} It is clearly above each of the {len(others)} others."
    if len(unclear) == len(others):
        rest = "the other" if len(others) == 1 else f"any of the {len(others)} others"
        return f"{sentence} It cannot be told apart from {rest}."
    return f"{sentence} {len(unclear)} of the {len(others)} others cannot be told apart from it."


def best_of_kind(recurrent: Group, dense: Group) -> str:
    """The best recurrent model against the best dense one, with what each costs."""
    sentence = change(
        recurrent, dense, f"The best MLP ({dense.title})", of=f"the best LSTM ({recurrent.title})"
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


def optimism(
    chosen_on_test: float, chosen_title: str, honest: float, honest_title: str, settings: int
) -> str:
    """What choosing on the test split flatters."""
    gap = chosen_on_test - honest
    first = (
        f"Choosing the best epoch of the best of {settings} settings on the test set shows "
        f"{figure(chosen_on_test)} ({chosen_title}). Chosen on validation data carved from the training "
        f"set, the pick is {honest_title}, and the test set, asked once, says {figure(honest)}."
    )
    if gap > 0:
        return f"{first} The choice on the test set flatters by {100 * gap:.2f} points."
    return f"{first} Here the choice on the test set did not flatter."
