"""Does a model know how sure it may be? Its probabilities against how often it is right.

Confidence is the probability of the label that is answered; a calibrated model is right in 80% of
the answers that it gives with confidence 0.8. The temperature that mends it is fitted on the
validation texts alone; the test texts only measure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab.probe.subject import Subject
from sentilab.training import Predictions
from sentilab.training.scoring import CLIP, metrics

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]

# As many bins as Guo et al. use.
BINS = 15

# Answer sets drawn to see what a calibrated model's finite sample would show.
DRAWS = 200
SEED = 0

SHARED = "the only validation texts are the test texts"
UNBOUNDED = (
    "on the validation texts no temperature is best: the further it goes, the lower the loss"
)


@dataclass(frozen=True)
class Bin:
    """``right`` of ``texts`` answers of like confidence, ``confidence`` on average, are right."""

    confidence: float
    texts: int
    right: int


@dataclass(frozen=True)
class Answered:
    """The same over all answers of one label."""

    label: str
    confidence: float
    texts: int
    right: int


@dataclass(frozen=True)
class Figures:
    """How well probabilities tell how often they are right.

    ``ece`` is over bins of equally many answers (``bins``), ``ece_equal_width`` over bins of equal
    width as in Guo et al.; ``ece_if_calibrated`` is the mean, and ``ece_limit`` the 95% point, of
    what ``ece`` would be, on as many texts, if each answer were right exactly as often as it says.
    ``brier`` is the mean squared error of p(second label) for two labels, and its sum over labels
    for more; ``log_loss`` is in nats.
    """

    texts: int
    accuracy: float
    confidence: float
    ece: float
    ece_equal_width: float
    ece_if_calibrated: float
    ece_limit: float
    brier: float
    log_loss: float
    bins: tuple[Bin, ...]
    answered: tuple[Answered, ...]

    @property
    def is_calibrated(self) -> bool:
        """Whether a calibrated model could well show this ``ece``."""
        return self.ece <= self.ece_limit


@dataclass(frozen=True)
class Result:
    """``before`` scaling, and ``after`` it by ``temperature``, both on the test texts.

    Where no temperature was fitted, on ``validation_texts`` texts, ``not_fitted`` says why.
    """

    before: Figures
    after: Figures | None
    temperature: float | None
    validation_texts: int
    not_fitted: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Result":
        """Raises KeyError or TypeError for anything but what ``to_json`` gives."""
        after = plain["after"]
        return cls(
            before=_figures_from(plain["before"]),
            after=None if after is None else _figures_from(after),
            temperature=plain["temperature"],
            validation_texts=plain["validation_texts"],
            not_fitted=plain["not_fitted"],
        )


def measure(subject: Subject) -> Result:
    """Reads the answers that the run has kept; its model is not asked again."""
    test = subject.run.predictions()
    names = subject.dataset.label_names
    before = figures(test.probabilities, test.labels, names)
    if subject.settings.protocol == "notebook":
        return Result(before, None, None, 0, SHARED)
    validation = subject.run.predictions("validation")
    temperature = fit_temperature(validation)
    texts = len(validation.labels)
    if temperature is None:
        return Result(before, None, None, texts, UNBOUNDED)
    after = figures(scaled(test.probabilities, temperature), test.labels, names)
    return Result(before, after, temperature, texts, "")


def lines(result: Result) -> list[str]:
    """What was found, for a terminal."""
    before, after = result.before, result.after
    first = (
        f"calibration: {before.confidence:.3f} sure on average, and right in {before.accuracy:.3f} of "
        f"{before.texts:,} test texts; calibration error {before.ece:.4f} (a calibrated model's: "
        f"{before.ece_if_calibrated:.4f})"
    )
    if after is None:
        return [first, f"no temperature was fitted: {result.not_fitted}"]
    return [
        first,
        f"temperature {result.temperature:.2f}, fitted on {result.validation_texts:,} validation "
        f"texts: calibration error {after.ece:.4f} (a calibrated model's: "
        f"{after.ece_if_calibrated:.4f}), log loss {before.log_loss:.4f} to {after.log_loss:.4f}",
    ]


def figures(probabilities: Floats, labels: Labels, label_names: Sequence[str]) -> Figures:
    """``probabilities`` has shape (texts, labels), ``labels`` shape (texts,), of whole numbers."""
    answers = probabilities.argmax(axis=1)
    right = answers == labels
    confidence = probabilities.max(axis=1).astype(np.float64)
    member = equal_count_bins(confidence)
    usual, limit = calibrated_errors(confidence, member)
    return Figures(
        texts=len(labels),
        accuracy=float(right.mean()),
        confidence=float(confidence.mean()),
        ece=calibration_error(confidence, right, member),
        ece_equal_width=calibration_error(confidence, right, equal_width_bins(confidence)),
        ece_if_calibrated=usual,
        ece_limit=limit,
        brier=brier_score(probabilities, labels),
        log_loss=metrics(probabilities, labels)[0],
        bins=tuple(Bin(*_tally(confidence, right, member == one)) for one in np.unique(member)),
        answered=tuple(
            Answered(name, *_tally(confidence, right, answers == number))
            for number, name in enumerate(label_names)
            if (answers == number).any()
        ),
    )


def equal_count_bins(confidence: Floats, bins: int = BINS) -> Labels:
    """Each answer's bin, shape (texts,): about equally many in each.

    Equal confidences share a bin, so that the order of the texts decides nothing; there are fewer
    bins where many are equal.
    Source: the adaptive bins of Nguyen and O'Connor (2015), section 3.
    """
    cuts = np.unique(np.quantile(confidence, np.arange(1, bins) / bins))
    return np.searchsorted(cuts, confidence, side="right")


def equal_width_bins(confidence: Floats, bins: int = BINS) -> Labels:
    """Each answer's bin, shape (texts,), of those that divide (0, 1], closed above.

    Source: Guo et al. (2017), section 2.
    """
    return np.searchsorted(np.arange(1, bins) / bins, confidence, side="left")


def calibration_error(confidence: Floats, right: NDArray[np.bool_], member: Labels) -> float:
    """Expected calibration error: |mean confidence - share right|, averaged over answers.

    All have shape (texts,); ``member`` is each answer's bin. It is biased upwards: chance alone
    keeps a finite sample's bins off the diagonal. ``calibrated_errors`` says by how much.
    Source: Naeini et al. (2015); Guo et al. (2017), equation 3.
    """
    return float(np.abs(np.bincount(member, confidence - right)).sum() / len(confidence))


def calibrated_errors(confidence: Floats, member: Labels) -> tuple[float, float]:
    """(mean, 95% point) of the ``calibration_error`` of a calibrated model with these confidences.

    Answers are drawn to be right as often as they say, DRAWS times, by a fixed seed.
    Source: consistency resampling, Bröcker and Smith (2007); for the error, Vaicenavicius et al.
    (2019), section 4.
    """
    random = np.random.default_rng(SEED)
    drawn = [
        calibration_error(confidence, random.random(len(confidence)) < confidence, member)
        for _ in range(DRAWS)
    ]
    return float(np.mean(drawn)), float(np.quantile(drawn, 0.95))


def brier_score(probabilities: Floats, labels: Labels) -> float:
    """Mean squared error of p(second label) for two labels; for more, of all, summed.

    ``probabilities`` has shape (texts, labels), ``labels`` shape (texts,).
    Source: Brier (1950); halved for two labels, as is usual.
    """
    wanted = np.eye(probabilities.shape[1])[labels]
    total = float(((probabilities.astype(np.float64) - wanted) ** 2).sum(axis=1).mean())
    return total / 2 if probabilities.shape[1] == 2 else total


def scaled(probabilities: Floats, temperature: float) -> NDArray[np.float64]:
    """softmax(log p / T) of shape (texts, labels); for two labels, log odds divided by T.

    No answer changes. Probabilities are clipped as for the loss before the logarithm.
    Source: temperature scaling, Guo et al. (2017), section 4.2.
    """
    return _softmax(_logits(probabilities) / temperature)


def fit_temperature(answers: Predictions) -> float | None:
    """The temperature of the lowest log loss on ``answers``; None where the loss has no minimum.

    It has none where every answer is right (it falls towards T = 0) and where the probabilities are
    no better than equal ones (it falls towards infinity).
    Source: Guo et al. (2017), section 4.2. In 1/T the loss is convex, as that of a logistic
    regression on one number, and its slope is mean(E[logit] - logit of the label).
    """
    from scipy.optimize import brentq

    logits = _logits(answers.probabilities)
    of_label = logits[np.arange(len(logits)), answers.labels]

    def slope(inverse: float) -> float:
        expected = (_softmax(inverse * logits) * logits).sum(axis=1)
        return float((expected - of_label).mean())

    if slope(0) >= 0 or (of_label == logits.max(axis=1)).all():
        return None
    steepest = 1.0
    while slope(steepest) <= 0:
        steepest *= 2
    return float(1 / brentq(slope, 0, steepest))


def _logits(probabilities: Floats) -> NDArray[np.float64]:
    return np.log(np.clip(probabilities.astype(np.float64), CLIP, 1 - CLIP))


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def _tally(
    confidence: Floats, right: NDArray[np.bool_], chosen: NDArray[np.bool_]
) -> tuple[float, int, int]:
    return float(confidence[chosen].mean()), int(chosen.sum()), int(right[chosen].sum())


def _figures_from(plain: Mapping[str, Any]) -> Figures:
    parts = {
        "bins": tuple(Bin(**one) for one in plain["bins"]),
        "answered": tuple(Answered(**one) for one in plain["answered"]),
    }
    return Figures(**{**plain, **parts})
