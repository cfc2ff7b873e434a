"""Do attributions find the words that matter? Delete and insert words in their order, and see.

A good order takes the answer's probability down soon when words are deleted, and up soon when they
are inserted; a random order says what any order would do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sentilab.probe.attributions import Doubles, Encoded, Explainer, Labels, Method, is_word
from sentilab.text import Encoding

Order = Literal["ig", "occlusion", "random"]

SEED = 0

# Shares of a text's words that are deleted or inserted.
SHARES = tuple(float(one) for one in np.linspace(0, 1, 21))


@dataclass(frozen=True)
class Estimate:
    """A mean with Student's 95% interval over texts."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Ordered:
    """p(answer) as words are deleted, or inserted, the most important first by ``order``.

    ``deletion`` and ``insertion`` are means over texts at ``SHARES``, and the areas those below
    these curves. ``deletion_gain`` and ``insertion_gain`` say how much better than a random order
    these are, text by text: deletion should be low and insertion high.
    """

    order: Order
    deletion: tuple[float, ...]
    insertion: tuple[float, ...]
    deletion_area: Estimate
    insertion_area: Estimate
    deletion_gain: Estimate
    insertion_gain: Estimate

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Ordered":
        """Raises KeyError or TypeError for anything but dataclasses.asdict's."""
        return cls(
            order=plain["order"],
            deletion=tuple(plain["deletion"]),
            insertion=tuple(plain["insertion"]),
            deletion_area=Estimate(**plain["deletion_area"]),
            insertion_area=Estimate(**plain["insertion_area"]),
            deletion_gain=Estimate(**plain["deletion_gain"]),
            insertion_gain=Estimate(**plain["insertion_gain"]),
        )


@dataclass(frozen=True)
class Areas:
    """Curves of shape (texts, shares) over ``SHARES``."""

    deletion: Doubles
    insertion: Doubles

    @property
    def below_deletion(self) -> Doubles:
        """Shape (texts,), by trapezoids."""
        return _below(self.deletion)

    @property
    def below_insertion(self) -> Doubles:
        """Shape (texts,), by trapezoids."""
        return _below(self.insertion)


def areas(explainer: Explainer, x: Encoded, answered: Labels, importance: Doubles) -> Areas:
    """Curves of p(answered) as words are deleted and inserted, the most important first.

    ``x`` and ``importance`` are (texts, length), ``answered`` (texts,). A deleted word becomes the
    out-of-vocabulary token; insertion begins with all words deleted.

    Source: Petsiuk, Das and Saenko (2018), section 4.2.
    """
    deleted = np.repeat(x[:, None], len(SHARES), axis=1)
    inserted = deleted.copy()
    words = is_word(x)
    for text in range(len(x)):
        positions = np.flatnonzero(words[text])
        order = positions[np.argsort(-importance[text, positions], kind="stable")]
        for at, share in enumerate(SHARES):
            many = round(share * len(order))
            deleted[text, at, order[:many]] = Encoding.OUT_OF_VOCABULARY
            inserted[text, at, order[many:]] = Encoding.OUT_OF_VOCABULARY
    both = np.stack([deleted, inserted]).reshape(-1, x.shape[1])
    each = np.tile(np.repeat(answered, len(SHARES)), 2)
    odds = explainer.log_odds(both, each)
    deletion, insertion = (1 / (1 + np.exp(-odds))).reshape(2, len(x), len(SHARES))
    return Areas(deletion, insertion)


def faithfulness(
    explainer: Explainer,
    x: Encoded,
    answered: Labels,
    labels: Labels,
    known: Mapping[Method, Doubles],
) -> tuple[Ordered, ...]:
    """The model's methods and then a random order; ``known`` values (texts, length) are for ``labels``."""
    # Towards what was answered: with two labels all values are about the second.
    sign = np.where(answered == labels, 1.0, -1.0)[:, None]
    importance: dict[Order, Doubles] = {}
    for method in explainer.methods:
        values = known.get(method)
        if values is None:
            ask = explainer.occlusion if method == "occlusion" else explainer.integrated_gradients
            values = ask(x, labels).values
        importance[method] = sign * values
    importance["random"] = np.random.default_rng(SEED).random(x.shape)
    found = {name: areas(explainer, x, answered, values) for name, values in importance.items()}
    chance = found["random"]
    return tuple(
        Ordered(
            name,
            deletion=tuple(one.deletion.mean(axis=0).tolist()),
            insertion=tuple(one.insertion.mean(axis=0).tolist()),
            deletion_area=estimate(one.below_deletion),
            insertion_area=estimate(one.below_insertion),
            deletion_gain=estimate(chance.below_deletion - one.below_deletion),
            insertion_gain=estimate(one.below_insertion - chance.below_insertion),
        )
        for name, one in found.items()
    )


def estimate(values: Sequence[float] | Doubles) -> Estimate:
    """The mean of two or more values (texts,); ValueError for fewer."""
    from scipy.stats import t

    if len(values) < 2:
        raise ValueError("An interval over texts needs at least two of them.")
    mean = float(np.mean(values))
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return Estimate(mean, mean - half, mean + half)


def _below(curves: Doubles) -> Doubles:
    heights = (curves[:, 1:] + curves[:, :-1]) / 2
    area: Doubles = heights @ np.diff(SHARES)
    return area
