"""Answers of two settings whose difference is planted."""

from dataclasses import dataclass

import numpy as np

from sentilab.training import Predictions

Pair = tuple[list[Predictions], list[Predictions]]


@dataclass(frozen=True)
class Planted:
    """Two settings, of which the second is right on ``gap`` more of all texts, in expectation.

    The first is right where a latent normal number is above a threshold; so is the second, and
    on a share of the texts where it would be wrong, its answer is flipped to the right one.
    ``spread`` is the deviation of the accuracy from seed to seed, about.
    """

    gap: float
    spread: float = 0.006
    texts: int = 1000

    def runs(self, random: np.random.Generator, seeds: int) -> Pair:
        labels = random.integers(0, 2, self.texts)
        shared = random.normal(0, 0.87, self.texts)
        made: Pair = ([], [])
        for number, into in enumerate(made):
            text = random.normal(0, 0.22, self.texts)
            for _ in range(seeds):
                noise = random.normal(0, 0.44, self.texts)
                clear = 1.1 + shared + text + noise + random.normal(0, self.spread / 0.218)
                if number:
                    # Of the 13.6% of texts that are wrong, as many as make up the gap.
                    flipped = (clear < 0) & (random.random(self.texts) < self.gap / 0.136)
                    clear = np.where(flipped, -clear, clear)
                into.append(answers(labels, clear))
        return made


def answers(labels: np.ndarray, clear: np.ndarray) -> Predictions:
    """Answers that are right where ``clear`` is positive, the surer the larger it is."""
    right = 1 / (1 + np.exp(-2.5 * clear))
    second = np.where(labels == 1, right, 1 - right).astype(np.float32)
    both = np.stack([1 - second, second], axis=1)
    return Predictions(np.arange(len(labels)).astype(str), labels, both)
