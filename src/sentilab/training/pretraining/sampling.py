"""Some words in place of all: the sum over a large vocabulary, estimated without bias."""

import numpy as np
from numpy.typing import NDArray

# Frequent words come more often, rare ones more often than their share: Mikolov et al. (2013).
POWER = 0.75


class WordSampler:
    """Draws ``sampled`` different words; word w is among them with probability ``inclusion[w]``.

    That probability goes with the 0.75th power of the word's count (``counts`` of shape (words,); a
    word that is counted 0 times never comes) and is 1 for the most frequent ones. A sum over the
    drawn words, each term divided by its word's probability, has the sum over all words as its mean.

    Sources: Horvitz and Thompson (1952); Bengio and Senécal (2008) for its use in a softmax.
    """

    def __init__(self, counts: NDArray[np.int64], sampled: int) -> None:
        self.sampled = min(sampled, int((counts > 0).sum()))
        self.inclusion = _inclusion(counts.astype(np.float64) ** POWER, self.sampled)
        self._candidates = np.flatnonzero(self.inclusion)
        self._log_inclusion = np.log(
            self.inclusion, where=self.inclusion > 0, out=np.zeros_like(self.inclusion)
        )

    def draw(self, seed: tuple[int, ...]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The words, shape (sampled,), and the logarithms of 1 / inclusion: (sampled,)."""
        random = np.random.default_rng(seed)
        # Systematic sampling: one step through the words in a random order, along their summed
        # probabilities. A word is passed at most once, as none has more than 1.
        order = random.permutation(self._candidates)
        passed = np.cumsum(self.inclusion[order])
        passed *= self.sampled / passed[-1]
        marks = random.random() + np.arange(self.sampled)
        drawn = order[np.minimum(np.searchsorted(passed, marks, side="right"), len(order) - 1)]
        return drawn.astype(np.int32), (-self._log_inclusion[drawn]).astype(np.float32)


def _inclusion(weights: NDArray[np.float64], sampled: int) -> NDArray[np.float64]:
    """Probabilities proportional to the weights, cut at 1, that sum up to ``sampled``."""
    inclusion = np.zeros_like(weights)
    open_ = weights > 0
    while open_.any():
        left = sampled - (inclusion == 1).sum()
        inclusion[open_] = left * weights[open_] / weights[open_].sum()
        certain = open_ & (inclusion >= 1)
        inclusion[certain] = 1
        if not certain.any():
            break
        open_ &= ~certain
    return inclusion
