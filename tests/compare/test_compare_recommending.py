import numpy as np
import pytest

from sentilab.compare import Difference, difference_of, on_front, recommend
from sentilab.training import Predictions

TEXTS = 4_000


def answers(accuracy: float, seed: int = 0) -> Predictions:
    """So many right, and mostly on the same texts whatever the accuracy."""
    random = np.random.default_rng(seed)
    hardness = np.random.default_rng(99).random(TEXTS) + 0.3 * random.random(TEXTS)
    right = hardness < np.quantile(hardness, accuracy)
    labels = np.arange(TEXTS) % 2
    second = np.where(right, labels, 1 - labels) * 0.8 + 0.1
    probabilities = np.stack([1 - second, second], axis=1).astype(np.float32)
    return Predictions(np.asarray([str(row) for row in range(TEXTS)]), labels, probabilities)


def chosen(accuracies: dict[str, float], costs: dict[str, float], **more: object) -> object:
    of = {name: answers(one, number) for number, (name, one) in enumerate(accuracies.items())}
    scores = {name: float(one.correct.mean()) for name, one in of.items()}

    def difference(best: str, other: str) -> Difference:
        return difference_of([of[best]], [of[other]])

    return recommend(costs, scores, difference, **more)  # type: ignore[arg-type]


def test_the_cheapest_that_is_not_worse_than_the_best_is_picked() -> None:
    found = chosen(
        {"dear": 0.92, "middle": 0.919, "cheap": 0.85},
        {"dear": 100.0, "middle": 10.0, "cheap": 1.0},
    )
    assert (found.best, found.pick) == ("dear", "middle")
    assert found.verdict.kind in ("same", "unclear")
    assert found.difference.difference < 0


def test_where_all_that_is_cheaper_is_worse_the_best_is_picked() -> None:
    found = chosen({"dear": 0.92, "cheap": 0.85}, {"dear": 100.0, "cheap": 1.0})
    assert (found.best, found.pick, found.difference) == ("dear", "dear", None)


def test_a_model_that_is_hardly_cheaper_is_not_picked_for_the_best() -> None:
    accuracy = {"dear": 0.92, "cheap": 0.919}
    assert chosen(accuracy, {"dear": 3.7, "cheap": 3.6}).pick == "dear"
    assert chosen(accuracy, {"dear": 3.7, "cheap": 1.8}).pick == "cheap"


def test_a_dearer_model_is_never_picked_for_the_best() -> None:
    found = chosen({"best": 0.92, "dear": 0.919}, {"best": 1.0, "dear": 100.0})
    assert found.pick == "best"


def test_a_model_that_is_never_to_be_picked_is_so_only_as_the_best() -> None:
    costs = {"cheap": 1.0, "dear": 2.0}
    found = chosen({"cheap": 0.9195, "dear": 0.92}, costs, never=["cheap"])
    assert found.pick == "dear"
    assert chosen({"cheap": 0.95, "dear": 0.92}, costs, never=["cheap"]).pick == "cheap"


def test_only_what_the_costs_name_is_chosen_from() -> None:
    found = chosen({"dear": 0.95, "cheap": 0.85}, {"cheap": 1.0})
    assert (found.best, found.pick) == ("cheap", "cheap")
    with pytest.raises(ValueError):
        chosen({"dear": 0.95}, {})


def test_the_front_holds_those_that_no_other_beats() -> None:
    costs, scores = [1, 2, 3, 4, 4], [0.80, 0.90, 0.85, 0.95, 0.94]
    assert on_front(costs, scores) == [True, True, False, True, False]


def test_two_models_alike_in_both_are_both_on_the_front() -> None:
    assert on_front([1, 1], [0.9, 0.9]) == [True, True]
