"""A chunk's answers, and the names and forms in which they are written."""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pieces = tuple[tuple[str, float | None], ...]


@dataclass(frozen=True)
class Answers:
    """One row a text: ``decided`` (texts,) numbers of labels, ``probabilities`` (texts, labels).

    ``pieces`` has the words of each text with their weights, where these were asked for.
    """

    decided: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    pieces: list[Pieces] | None

    @property
    def of_decided(self) -> NDArray[np.float32]:
        """The probability of the label answered: shape (texts,)."""
        return np.take_along_axis(self.probabilities, self.decided[:, None], axis=1)[:, 0]

    def rounded(self) -> list[list[str]]:
        """As text, of the label answered first and then of each label: six digits."""
        both = np.column_stack([self.of_decided, self.probabilities]).tolist()
        return [[f"{one:.6g}" for one in row] for row in both]


@dataclass(frozen=True)
class Naming:
    """What the columns of answers are called."""

    labels: tuple[str, ...]
    prefix: str = ""
    explain: bool = False

    @property
    def label(self) -> str:
        return f"{self.prefix}label"

    @property
    def probability(self) -> str:
        return f"{self.prefix}probability"

    @property
    def each(self) -> tuple[str, ...]:
        return tuple(f"{self.prefix}probability_{one}" for one in self.labels)

    @property
    def weights(self) -> str:
        return f"{self.prefix}weights"

    @property
    def names(self) -> tuple[str, ...]:
        """All of them in their order."""
        last = (self.weights,) if self.explain else ()
        return (self.label, self.probability, *self.each, *last)


def as_json(pieces: Pieces) -> str:
    """[[piece, weight], ...], weights with four digits."""
    short = [(text, None if one is None else float(f"{one:.4g}")) for text, one in pieces]
    return json.dumps(short, ensure_ascii=False)
