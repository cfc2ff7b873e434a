"""Contrast sets: does a model turn where a review is edited until its label does?

Source: Gardner et al. (Findings of EMNLP 2020). The answers are kept pair by pair.
"""

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab.data import contrast, contrast_pairs
from sentilab.probe.behaviour.labels import positive_label
from sentilab.probe.store import NotApplicable
from sentilab.probe.subject import Subject

EXAMPLES = 5
# Words of the review shown on either side of an edit, and edits shown of one review.
AROUND = 5
EDITS = 4


@dataclass(frozen=True)
class Example:
    """An original that is answered rightly, and its twin that is not; p is p(positive).

    ``edits`` has (what stood there, what stands there now), each with a few words around it.
    """

    positive: bool
    original: float
    twin: float
    edits: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Result:
    """p(positive) of each pair's ``originals`` and ``twins``, in the release's order, dev first.

    ``positive`` says which originals are; their twins are not. ``in_training`` of the originals
    stood in the run's training part; ``removed`` says that they had been left out on purpose. Of
    ``unseen`` pairs the model reads the same, since the edits stand before its last tokens.
    """

    positive: tuple[bool, ...]
    originals: tuple[float, ...]
    twins: tuple[float, ...]
    in_training: int
    removed: bool
    unseen: int
    examples: tuple[Example, ...]

    @cached_property
    def originals_right(self) -> NDArray[np.bool_]:
        """Shape (pairs,)."""
        return np.asarray((np.array(self.originals) > 0.5) == np.array(self.positive))

    @cached_property
    def twins_right(self) -> NDArray[np.bool_]:
        """Shape (pairs,)."""
        return np.asarray((np.array(self.twins) > 0.5) != np.array(self.positive))

    @cached_property
    def both_right(self) -> NDArray[np.bool_]:
        """Shape (pairs,); their share is the contrast sets' consistency."""
        return self.originals_right & self.twins_right

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Result":
        """Raises KeyError or TypeError for anything but what ``to_json`` gives."""
        return cls(
            positive=tuple(plain["positive"]),
            originals=tuple(plain["originals"]),
            twins=tuple(plain["twins"]),
            in_training=plain["in_training"],
            removed=plain["removed"],
            unseen=plain["unseen"],
            examples=tuple(
                Example(
                    one["positive"],
                    one["original"],
                    one["twin"],
                    tuple((before, after) for before, after in one["edits"]),
                )
                for one in plain["examples"]
            ),
        )


def measure(subject: Subject) -> Result:
    """Asks the run's model for all originals and twins.

    Raises NotApplicable for runs on other data than IMDB, DataNotFound where the contrast sets are
    not in reach.
    """
    if subject.dataset.name != "imdb":
        raise NotApplicable(
            f"The contrast sets edit IMDB's reviews; this run was trained on {subject.dataset.name}."
        )
    label = positive_label(subject.classifier.label_names)
    pairs = contrast_pairs(subject.dataset.home)
    positive = np.array([one.positive for one in pairs])
    read = subject.classifier.encode([one.original for one in pairs])
    read_of_twins = subject.classifier.encode([one.twin for one in pairs])
    originals = subject.classifier.score(read)[:, label]
    twins = subject.classifier.score(read_of_twins)[:, label]
    training = {contrast.folded(text) for text in subject.texts(subject.examples.train.ids)}
    missed = ((originals > 0.5) == positive) & ((twins > 0.5) == positive)
    confident = np.argsort(np.where(missed, -np.abs(twins - 0.5), 1.0), kind="stable")
    return Result(
        positive=tuple(positive.tolist()),
        originals=tuple(originals.tolist()),
        twins=tuple(twins.tolist()),
        in_training=sum(contrast.folded(one.original) in training for one in pairs),
        removed=subject.dataset.without == contrast.ORIGINALS,
        unseen=int((read == read_of_twins).all(axis=1).sum()),
        examples=tuple(
            Example(
                bool(positive[row]),
                float(originals[row]),
                float(twins[row]),
                edits(pairs[row].original, pairs[row].twin),
            )
            for row in confident[: min(EXAMPLES, int(missed.sum()))]
        ),
    )


def lines(result: Result) -> list[str]:
    """What was found, for a terminal."""
    return [
        f"contrast sets: {result.originals_right.mean():.3f} of {len(result.positive)} originals "
        f"are answered rightly, {result.twins_right.mean():.3f} of their twins, and both of "
        f"{result.both_right.mean():.3f} of the pairs",
        training_sentence(result),
    ]


def training_sentence(result: Result) -> str:
    """Whether the originals were seen in training, and what that does to the drop."""
    pairs = len(result.positive)
    if result.in_training:
        return (
            f"{result.in_training} of {pairs} originals were in its training data: the drop is "
            "flattered, since they are answered better than texts that are new"
        )
    if result.removed:
        return "the originals were removed from training"
    return "none of the originals was found in its training data"


def edits(original: str, twin: str) -> tuple[tuple[str, str], ...]:
    """The first few edits, as (before, after), word by word, with some words around each."""
    one, other = (text.replace("<br />", " ").split() for text in (original, twin))
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    shown = []
    # Changes with few words between them are one edit.
    for group in matcher.get_grouped_opcodes(AROUND):
        _, a, _, b, _ = group[0]
        _, _, c, _, d = group[-1]
        shown.append((" ".join(one[a:c]), " ".join(other[b:d])))
    return tuple(shown[:EDITS])
