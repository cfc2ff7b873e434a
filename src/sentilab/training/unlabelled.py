"""Texts without labels beside those that are trained on."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sentilab.text import Tokens, joined
from sentilab.training.examples import Part
from sentilab.training.pretraining.reading import sequences


def fresh(labelled: Tokens, unlabelled: Tokens) -> NDArray[np.int64]:
    """The rows of ``unlabelled`` that repeat no labelled text, train or test, word by word."""
    both, count = joined(labelled, unlabelled), len(labelled.lengths)
    known = set(sequences(both, np.arange(count)))
    rows = np.arange(count, len(both.lengths))
    return np.flatnonzero([one not in known for one in sequences(both, rows)])


def with_unlabelled(part: Part, x: NDArray[np.int32]) -> Part:
    """``part`` and the encoded texts ``x`` (texts, length) of no label, which weigh nothing.

    Labelled texts weigh as much more as they have become rarer, so that the first loss's mean over a
    batch stays what it was; a loss that asks for no labels counts all texts alike. The added ids are
    "unlabelled-0" and so on, and their labels 0, which nothing reads.
    """
    labelled, added = len(part.labels), len(x)
    weights = np.ones(labelled, np.float32) if part.weights is None else part.weights
    targets = part.targets
    if targets is not None:
        targets = np.concatenate([targets, np.zeros((added, targets.shape[1]), np.float32)])
    return replace(
        part,
        x=np.concatenate([part.x, x]),
        labels=np.concatenate([part.labels, np.zeros(added, np.int64)]),
        ids=np.concatenate([part.ids, np.asarray([f"unlabelled-{one}" for one in range(added)])]),
        targets=targets,
        weights=np.concatenate(
            [weights * np.float32((labelled + added) / labelled), np.zeros(added, np.float32)]
        ),
    )
