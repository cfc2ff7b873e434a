"""Answers held against what was wanted; how often they fail, and how sure that is."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab.probe.behaviour.cases import Case, Check, Kind

# How far p(positive) may move the wrong way in a directional check, as in CheckList.
TOLERANCE = 0.1
WORST = 5

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """A failed case: its texts, p(positive) of each, and what was wanted."""

    texts: tuple[str, ...]
    probabilities: tuple[float, ...]
    wanted: str


@dataclass(frozen=True)
class Part:
    """The cases of one group; ``mean`` is their mean p(positive), of changed texts after the change."""

    name: str
    cases: int
    failures: int
    mean: float


@dataclass(frozen=True)
class Found:
    """What came of one check.

    ``templates`` has (cases, failures) of each template. ``low`` and ``high`` bound the failure rate
    (``interval``). ``moved`` and ``moved_most`` are the mean and largest |change of p(positive)|;
    None where a case has one text. ``worst`` are the most confident failures, from different
    templates as far as there are.
    """

    capability: str
    name: str
    kind: Kind
    description: str
    cases: int
    failures: int
    low: float
    high: float
    moved: float | None
    moved_most: float | None
    templates: tuple[tuple[int, int], ...]
    groups: tuple[Part, ...]
    worst: tuple[Example, ...]

    @property
    def rate(self) -> float:
        return self.failures / self.cases

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Found":
        parts = {
            "templates": tuple((cases, failures) for cases, failures in plain["templates"]),
            "groups": tuple(Part(**one) for one in plain["groups"]),
            "worst": tuple(
                Example(tuple(one["texts"]), tuple(one["probabilities"]), one["wanted"])
                for one in plain["worst"]
            ),
        }
        return cls(**{**plain, **parts})


def judge(check: Check, answers: Mapping[str, tuple[float, bool]]) -> Found:
    """``answers`` has each text's p(positive), and whether "positive" is the label it gets."""
    p = [tuple(answers[text][0] for text in case.texts) for case in check.cases]
    failed = np.array([_fails(case, answers) for case in check.cases])
    moved = [abs(one[1] - one[0]) for one in p if len(one) == 2]
    templates = _tally([case.template for case in check.cases], failed)
    low, high = interval(list(templates.values()))
    last = np.array([one[-1] for one in p])
    groups = []
    for group, (cases, failures) in _tally([case.group for case in check.cases], failed).items():
        if group:
            mean = last[[case.group == group for case in check.cases]].mean()
            groups.append(Part(group, cases, failures, float(mean)))
    return Found(
        check.capability,
        check.name,
        check.kind,
        check.description,
        cases=len(check.cases),
        failures=int(failed.sum()),
        low=low,
        high=high,
        moved=float(np.mean(moved)) if moved else None,
        moved_most=max(moved) if moved else None,
        templates=tuple(templates.values()),
        groups=tuple(groups),
        worst=_worst(check, p, failed),
    )


def interval(templates: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """A 95% interval of the failure rate, from (cases, failures) of each template.

    It covers other templates of the same kind, as if these had been drawn from all such: cases of
    one template stand and fall together, so that their number says little. Wilson's interval on the
    effective number of cases, which is that of a simple sample as uncertain as this one, with
    Student's quantile for the number of templates. Where all cases fail, or none, each template counts
    as one case.

    Source: Wilson (1927); for clustered samples Korn and Graubard (1998), Survey Methodology 24:193,
    and Dean and Pagano (2015), Journal of Survey Statistics and Methodology 3:484. The variance is
    that of a ratio over clusters, Cochran (1977), section 6.3.
    """
    from scipy.stats import t

    cases, failures = (np.array(one, np.float64) for one in zip(*templates, strict=True))
    total, clusters = cases.sum(), len(cases)
    rate = failures.sum() / total
    if clusters < 2:
        return 0.0, 1.0
    apart = failures - rate * cases
    variance = clusters / (clusters - 1) * (apart**2).sum() / total**2
    spread = rate * (1 - rate)
    effective = min(total, max(clusters, spread / variance)) if variance and spread else clusters
    z = float(t.ppf(0.975, clusters - 1))
    centre = (rate + z**2 / (2 * effective)) / (1 + z**2 / effective)
    half = z * np.sqrt(spread / effective + z**2 / (4 * effective**2)) / (1 + z**2 / effective)
    # Rounding must not push the interval off the rate it is about.
    return min(float(centre - half), float(rate)), max(float(centre + half), float(rate))


def _fails(case: Case, answers: Mapping[str, tuple[float, bool]]) -> bool:
    (before, was), (after, now) = answers[case.texts[0]], answers[case.texts[-1]]
    match case.wanted:
        case "positive" | "negative":
            return now != (case.wanted == "positive")
        case "the same label":
            return now != was
        case "p no lower":
            return after < before - TOLERANCE
        case "p no higher":
            return after > before + TOLERANCE


def _tally(names: Sequence[str], failed: NDArray[np.bool_]) -> dict[str, tuple[int, int]]:
    """(cases, failures) of each name, in the order in which they come."""
    found: dict[str, tuple[int, int]] = {}
    for name, fails in zip(names, failed, strict=True):
        cases, failures = found.get(name, (0, 0))
        found[name] = (cases + 1, failures + int(fails))
    return found


def _worst(
    check: Check, p: Sequence[tuple[float, ...]], failed: NDArray[np.bool_]
) -> tuple[Example, ...]:
    def far(row: int) -> float:
        one = p[row]
        return abs(one[-1] - (one[0] if len(one) == 2 else 0.5))

    ordered = sorted(np.flatnonzero(failed).tolist(), key=far, reverse=True)
    # One of each template first: the worst five are otherwise often five times the same sentence.
    turns: Counter[str] = Counter()
    ranked = []
    for row in ordered:
        ranked.append((turns[check.cases[row].template], row))
        turns[check.cases[row].template] += 1
    chosen = sorted(ranked, key=lambda one: one[0])[:WORST]
    return tuple(
        Example(check.cases[row].texts, p[row], check.cases[row].wanted) for _, row in chosen
    )
