"""What accuracy costs: which models none beats at their cost, and which of them to take."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from sentilab.compare.differences import Difference
from sentilab.compare.verdicts import Verdict, verdict


@dataclass(frozen=True)
class Recommendation:
    """``best`` has the highest score; ``pick`` is the cheapest that was not shown to be worse, if it
    is much cheaper.

    ``difference`` is that of ``pick`` from ``best``, with its ``verdict``; both are None where they
    are one and the same.
    """

    best: str
    pick: str
    difference: Difference | None = None
    verdict: Verdict | None = None


def recommend(
    costs: Mapping[str, float],
    scores: Mapping[str, float],
    difference: Callable[[str, str], Difference | None],
    *,
    never: Collection[str] = (),
    margin: float = 0.01,
    saving: float = 2.0,
) -> Recommendation:
    """Chooses among the models that ``costs`` names, all of which have a score.

    ``difference(best, other)`` compares two of them on the texts that choose, None where nothing can
    be compared. Another than the best is picked only where it costs at most 1 / ``saving`` of it: for
    less, the higher score is the better guess. Those in ``never``, and those that cannot be compared, are picked only as the best.
    A difference is judged by its own p-value: one corrected for the number of models would let worse
    models pass for equal. Choosing the simplest that is within the noise of the best is as in
    Breiman et al. (1984), section 3.4.3, with a paired test for their standard error.

    Raises ValueError where ``costs`` is empty.
    """
    best = max(costs, key=lambda name: scores[name])
    for name in sorted(costs, key=lambda name: costs[name]):
        if name == best or costs[name] * saving > costs[best]:
            break
        found = None if name in never else difference(best, name)
        if found is None:
            continue
        judged = verdict(found, margin=margin, names=(best, name))
        if judged.kind != "worse":
            return Recommendation(best, name, found, judged)
    return Recommendation(best, best)


def on_front(costs: Sequence[float], scores: Sequence[float]) -> list[bool]:
    """For each model whether no other is at least as good and as cheap, and better in one of both."""
    points = list(zip(costs, scores, strict=True))
    return [
        not any(
            cost <= own_cost and score >= own and (cost, score) != (own_cost, own)
            for cost, score in points
        )
        for own_cost, own in points
    ]
