"""Which words and short phrases push a model's answers, and whether that is so.

A seeded sample of the texts that the run was validated on is explained by integrated gradients
(sentilab.probe.attributions), or by occlusion where a model has no word vectors. Whether attributions find the words that matter is measured by
deleting and inserting words in their order, against a random order.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab.errors import SentilabError
from sentilab.probe.attributions import (
    DEFAULT_BASELINE,
    TITLES,
    Baseline,
    Doubles,
    Encoded,
    Explainer,
    Explanation,
    Labels,
    Method,
    explain,
)
from sentilab.probe.faithfulness import Estimate, Ordered, estimate, faithfulness
from sentilab.probe.store import NotApplicable
from sentilab.probe.subject import Subject
from sentilab.text import Encoding

SEED = 0
# Chosen so that the two-layer LSTM takes less than a minute on two slow cores.
SAMPLED = 300
STEPS = 8
ORDERED = 32

AT_LEAST = 5  # texts that a word or phrase must stand in
LONGEST = 3  # words of a phrase
KEPT = 20  # words, and phrases, a label
MISTAKES = 5


@dataclass(frozen=True)
class Pushing:
    """``words`` (one to three) add ``push``, in log odds, to ``label``; they stand in ``texts`` texts.

    A phrase's push is the sum of its words'. Where a text has it several times, their mean counts.
    With more than two labels only the texts count that are answered with ``label``.
    """

    words: str
    label: str
    push: Estimate
    texts: int


@dataclass(frozen=True)
class Mistake:
    """A wrong answer: ``pieces`` are the text that was read, with values where words are.

    A value is what a word adds to the log odds of ``towards``.
    """

    id: str
    label: str
    answer: str
    probability: float
    against: str
    towards: str
    words_cut_off: int
    pieces: tuple[tuple[str, float | None], ...]


@dataclass(frozen=True)
class Result:
    """What was found on ``sampled`` texts of the ``part`` "validation" or "test".

    ``baseline`` and ``steps`` are those of integrated gradients; ``gap`` is the median, and
    ``gap_share`` the median share of what was to be explained, of its completeness gap; both are None
    where ``method`` is occlusion. ``ordered`` is over ``ordered_texts`` of the sample.
    """

    part: str
    label_names: tuple[str, ...]
    sampled: int
    baseline: Baseline
    steps: int
    gap: float | None
    gap_share: float | None
    words: tuple[Pushing, ...]
    phrases: tuple[Pushing, ...]
    ordered_texts: int
    ordered: tuple[Ordered, ...]
    mistakes: tuple[Mistake, ...]
    method: Method = "ig"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Result":
        """Raises KeyError or TypeError for anything but what ``to_json`` gives."""
        return cls(
            part=plain["part"],
            label_names=tuple(plain["label_names"]),
            sampled=plain["sampled"],
            baseline=plain["baseline"],
            steps=plain["steps"],
            gap=plain["gap"],
            gap_share=plain["gap_share"],
            words=tuple(_pushing_from(one) for one in plain["words"]),
            phrases=tuple(_pushing_from(one) for one in plain["phrases"]),
            ordered_texts=plain["ordered_texts"],
            ordered=tuple(Ordered.from_json(one) for one in plain["ordered"]),
            mistakes=tuple(
                Mistake(**{**one, "pieces": tuple((text, value) for text, value in one["pieces"])})
                for one in plain["mistakes"]
            ),
            method=plain.get("method", "ig"),
        )


def measure(subject: Subject) -> Result:
    """Explains a sample of the validation texts; under the notebook protocol these are the test's.

    Raises NotApplicable if there is but one text.
    """
    explainer = Explainer(subject.classifier)
    method = explainer.methods[0]
    held_out = subject.settings.protocol == "holdout"
    answers = subject.run.predictions("validation" if held_out else "test")
    if len(answers.ids) < 2:
        raise NotApplicable("There are fewer than two texts to explain.")
    random = np.random.default_rng(SEED)
    sample = np.sort(random.permutation(len(answers.ids))[:SAMPLED])
    texts = subject.texts(answers.ids[sample])
    x = subject.classifier.encode(texts)
    answered = answers.probabilities[sample].argmax(axis=1).astype(np.int64)
    one_number = explainer.labels_explained
    labels = answered if one_number is None else np.full(len(x), one_number)
    found = (
        explainer.integrated_gradients(x, labels, steps=STEPS)
        if method == "ig"
        else explainer.occlusion(x, labels)
    )
    gap = gap_share = None
    if found.gap is not None and found.reference is not None:
        to_explain = np.abs(found.log_odds - found.reference)
        gap = float(np.median(np.abs(found.gap)))
        gap_share = float(np.median(np.abs(found.gap) / np.maximum(to_explain, 1e-9)))
    names = subject.classifier.label_names
    phrases = _pushes(subject, x, labels, found.values, names)
    few = random.permutation(len(x))[:ORDERED]
    return Result(
        part="validation" if held_out else "test",
        label_names=names,
        sampled=len(x),
        baseline=DEFAULT_BASELINE,
        steps=STEPS,
        gap=gap,
        gap_share=gap_share,
        words=_strongest([one for one in phrases if " " not in one.words], names),
        phrases=_strongest([one for one in phrases if " " in one.words], names),
        ordered_texts=len(few),
        ordered=faithfulness(
            explainer, x[few], answered[few], labels[few], {method: found.values[few]}
        ),
        mistakes=_mistakes(subject, explainer, method),
        method=method,
    )


def lines(result: Result) -> list[str]:
    """The strongest words to either side, and whether the order that they give is a good one."""
    strongest = [
        f"words towards {name}: "
        + (", ".join(one.words for one in result.words if one.label == name) or "none for certain")
        for name in result.label_names
    ]
    by_order = {one.order: one for one in result.ordered}
    best, chance = by_order[result.method], by_order["random"]
    return [
        *(_first_words(line) for line in strongest),
        f"deleting words by {TITLES[result.method]} leaves an area of "
        f"{best.deletion_area.mean:.3f}, at random {chance.deletion_area.mean:.3f} "
        f"({result.ordered_texts} {result.part} texts)",
    ]


def _first_words(line: str, count: int = 8) -> str:
    return ", ".join(line.split(", ")[:count])


def _pushes(
    subject: Subject, x: Encoded, labels: Labels, values: Doubles, names: Sequence[str]
) -> list[Pushing]:
    """All words and phrases of known words that stand in enough texts, and what they push to."""
    # By label explained, as each has log odds of its own, and by phrase: a value for each text.
    per_text: dict[tuple[int, tuple[int, ...]], list[float]] = defaultdict(list)
    known = x > Encoding.OUT_OF_VOCABULARY
    for text in range(len(x)):
        here: dict[tuple[int, ...], list[float]] = defaultdict(list)
        for length in range(1, LONGEST + 1):
            for start in np.flatnonzero(_runs(known[text], length)):
                part = slice(start, start + length)
                here[tuple(x[text, part].tolist())].append(float(values[text, part].sum()))
        for phrase, each in here.items():
            per_text[int(labels[text]), phrase].append(float(np.mean(each)))
    vocabulary = subject.classifier.vocabulary
    found = []
    for (label, phrase), each in per_text.items():
        if len(each) < AT_LEAST:
            continue
        push = estimate(each)
        towards = names[label]
        if push.mean < 0 and len(names) == 2:
            push = Estimate(-push.mean, -push.high, -push.low)
            towards = names[1 - label]
        found.append(Pushing(vocabulary.decode(phrase), towards, push, len(each)))
    return found


def _runs(known: NDArray[np.bool_], length: int) -> NDArray[np.bool_]:
    """Where ``length`` known words begin, one after another."""
    if length > len(known):
        return np.zeros(0, bool)
    windows: NDArray[np.bool_] = np.lib.stride_tricks.sliding_window_view(known, length)
    return np.asarray(windows.all(axis=1))


def _strongest(found: Sequence[Pushing], names: Sequence[str]) -> tuple[Pushing, ...]:
    """The strongest of each label whose interval leaves out zero.

    They are ranked by the interval's end nearer to zero: by the mean, a few lucky rare words would
    come first.
    """
    certain = sorted(
        (one for one in found if one.push.low > 0), key=lambda one: (-one.push.low, one.words)
    )
    return tuple(
        one
        for name in names
        for one in [pushing for pushing in certain if pushing.label == name][:KEPT]
    )


def _mistakes(subject: Subject, explainer: Explainer, method: Method) -> tuple[Mistake, ...]:
    """The wrong answers of highest probability, each explained for itself."""
    held_out = subject.settings.protocol == "holdout"
    answers = subject.run.predictions("validation" if held_out else "test")
    answered = answers.probabilities.argmax(axis=1)
    confidence = answers.probabilities.max(axis=1)
    wrong = np.flatnonzero(~answers.correct)
    names = subject.classifier.label_names
    found: list[Mistake] = []
    for row in wrong[np.argsort(-confidence[wrong], kind="stable")]:
        if len(found) == MISTAKES:
            break
        try:
            why = explain(explainer, subject.texts([answers.ids[row]])[0], [method])
        except SentilabError:  # a text without a word
            continue
        found.append(
            Mistake(
                id=str(answers.ids[row]),
                label=names[answers.labels[row]],
                answer=names[answered[row]],
                probability=float(confidence[row]),
                against=why.sides[0],
                towards=why.sides[1],
                words_cut_off=why.first_read,
                pieces=tuple(_read_part(why, method)),
            )
        )
    return tuple(found)


def _read_part(why: Explanation, method: Method) -> list[tuple[str, float | None]]:
    """The text from the first word on that the model reads."""
    pieces = why.pieces(method)
    return pieces[1:] if why.first_read else pieces


def _pushing_from(plain: Mapping[str, Any]) -> Pushing:
    return Pushing(**{**plain, "push": Estimate(**plain["push"])})
