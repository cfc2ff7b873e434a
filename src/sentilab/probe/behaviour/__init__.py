"""Does a model do what anybody would expect of it? A few hundred small reviews for each capability.

In the manner of CheckList (Ribeiro et al., ACL 2020), with templates of our own: whether plain
texts get the right label (MFT), whether what does not matter changes it (INV), and whether what
strengthens a verdict weakens p(positive), or the reverse (DIR).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sentilab.probe.behaviour.judging import TOLERANCE, Example, Found, Part, interval, judge
from sentilab.probe.behaviour.labels import positive_label
from sentilab.probe.behaviour.suite import VERSION, suite
from sentilab.probe.subject import Subject

__all__ = [
    "TOLERANCE",
    "VERSION",
    "Example",
    "Found",
    "Part",
    "Result",
    "examine",
    "interval",
    "lines",
    "measure",
    "positive_label",
    "suite",
]


class Answering(Protocol):
    """Anything that gives probabilities of shape (texts, labels), in the order of its labels."""

    @property
    def label_names(self) -> Sequence[str]: ...

    def predict(self, texts: Sequence[str], /) -> NDArray[np.floating[Any]]: ...


@dataclass(frozen=True)
class Result:
    """``version`` is the suite's; ``length`` the tokens that the model reads of a text."""

    version: int
    length: int
    checks: tuple[Found, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "length": self.length,
            "checks": [one.to_json() for one in self.checks],
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Result":
        """Raises KeyError or TypeError for anything but what ``to_json`` gives."""
        checks = tuple(Found.from_json(one) for one in plain["checks"])
        return cls(plain["version"], plain["length"], checks)


def measure(subject: Subject) -> Result:
    """Asks the run's model; raises NotApplicable where its labels are not negative and positive."""
    return examine(subject.classifier, length=subject.classifier.length)


def examine(classifier: Answering, *, length: int) -> Result:
    """Asks any classifier, which reads the last ``length`` tokens of a text, the whole suite.

    Raises NotApplicable where its labels are not negative and positive.
    """
    positive = positive_label(classifier.label_names)
    checks = suite(length)
    texts = list(
        dict.fromkeys(text for check in checks for case in check.cases for text in case.texts)
    )
    probabilities = np.asarray(classifier.predict(texts))
    is_positive = probabilities.argmax(axis=1) == positive
    answers = {
        text: (float(p), bool(answer))
        for text, p, answer in zip(texts, probabilities[:, positive], is_positive, strict=True)
    }
    return Result(VERSION, length, tuple(judge(check, answers) for check in checks))


def lines(result: Result) -> list[str]:
    """What was found, for a terminal: the failures of each capability."""
    told = [f"behaviour: {sum(one.cases for one in result.checks):,} cases; failures"]
    for capability in dict.fromkeys(one.capability for one in result.checks):
        checks = [one for one in result.checks if one.capability == capability]
        each = ", ".join(f"{one.name} {one.rate:.0%}" for one in checks)
        told.append(f"  {capability}: {each}")
    return told
