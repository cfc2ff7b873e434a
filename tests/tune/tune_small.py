"""Small searches: words, length and vectors are fixed, so that a trial takes a second."""

from collections.abc import Callable
from typing import Any

from sentilab.training import Listener, RunSettings, Silence
from sentilab.tune import Search, Trial, Tuned

FIXED: dict[str, Any] = {"words": 300, "length": 12, "embedding": 4}


class Hearing:
    """Remembers what began; ``at`` is called with its number, from 1."""

    def __init__(self, at: Callable[[int], None] | None = None) -> None:
        self.begun: list[str] = []
        self.at = at

    def begins(self, what: str, settings: RunSettings, chosen: dict[str, Any]) -> Listener:
        self.begun.append(what)
        if self.at:
            self.at(len(self.begun))
        return Silence()

    def ended(self, so_far: Tuned, trial: Trial | None) -> None: ...


def small_search(**changes: Any) -> Search:
    plain: dict[str, Any] = {"fixed": FIXED, "seed": 1, "finalists": 2, "seeds": 1}
    return Search("mlp", **(plain | changes))
