import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sentilab.compare import accuracy_interval
from sentilab.probe import NotApplicable, Subject
from sentilab.probe.behaviour import (
    Result,
    examine,
    interval,
    lines,
    measure,
    positive_label,
    suite,
)
from sentilab.probe.behaviour.cases import ARTICLE, Case, Check
from sentilab.probe.behaviour.judging import judge
from sentilab.probe.behaviour.robustness import dropped, swapped
from sentilab.training import Preparation, RunSettings, train

LENGTH = 200
CHECKS = suite(LENGTH)
Answers = dict[str, float]


class Oracle:
    """Answers what each case wants, or, with a ``bias``, always the same."""

    label_names = ("negative", "positive")

    def __init__(self, bias: float | None = None) -> None:
        self.bias = bias
        self.wanted = {
            case.texts[0]: float(case.wanted == "positive")
            for check in CHECKS
            for case in check.cases
            if check.kind == "MFT"
        }

    def predict(self, texts: Sequence[str], /) -> NDArray[np.float64]:
        p = np.array(
            [self.wanted.get(one, 0.3) if self.bias is None else self.bias for one in texts]
        )
        return np.stack([1 - p, p], axis=1)


def check_of(*cases: Case) -> Check:
    return Check("made up", "check", "MFT", "", cases)


def found_of(check: Check, p: Answers) -> Any:
    return judge(check, {text: (value, value > 0.5) for text, value in p.items()})


def test_the_suite_is_the_same_each_time() -> None:
    suite.cache_clear()
    assert suite(LENGTH) == CHECKS


def test_each_capability_has_a_few_hundred_cases_and_each_check_several_templates() -> None:
    capabilities = {one.capability for one in CHECKS}
    assert len(capabilities) == 14
    for capability in capabilities:
        checks = [one for one in CHECKS if one.capability == capability]
        assert sum(len(one.cases) for one in checks) >= 200, capability
    for check in CHECKS:
        assert len({case.template for case in check.cases}) >= 8, check.name
        assert len(set(check.cases)) == len(check.cases), check.name


def test_labels_are_balanced_within_each_capability() -> None:
    for capability in {one.capability for one in CHECKS if one.kind == "MFT"}:
        wanted = [
            case.wanted
            for check in CHECKS
            if check.capability == capability and check.kind == "MFT"
            for case in check.cases
        ]
        assert 0.45 <= wanted.count("positive") / len(wanted) <= 0.55, capability


def test_no_slot_and_no_wrong_article_is_left_in_a_text() -> None:
    texts = {text for check in CHECKS for case in check.cases for text in case.texts}
    for text in texts:
        assert "{" not in text
        assert "  " not in text
        assert not ARTICLE.search(text), text
        assert re.match(r"[A-Z\"]", text) or text.islower(), text


def test_the_last_words_of_a_review_out_of_reach_hold_no_verdict() -> None:
    check = next(one for one in CHECKS if one.name == "verdict out of reach")
    seen = {tuple(case.texts[0].split()[-LENGTH:]) for case in check.cases}
    words = {word.strip(".:,!").lower() for text in seen for word in text}
    assert all(len(text) == LENGTH for text in seen)
    assert not words & {"wonderful", "awful", "best", "worst", "loved", "hated", "recommend"}


def test_a_verdict_within_reach_is_read_whole() -> None:
    check = next(one for one in CHECKS if one.name == "verdict first")
    assert max(len(case.texts[0].split()) for case in check.cases) < LENGTH
    assert "verdict first" not in {one.name for one in suite(30)}


def test_who_answers_what_is_wanted_fails_nowhere() -> None:
    result = examine(Oracle(), length=LENGTH)
    assert {one.failures for one in result.checks if one.kind == "MFT"} == {0}


def test_who_always_answers_the_same_fails_half_and_never_an_invariance() -> None:
    result = examine(Oracle(bias=0.9), length=LENGTH)
    balanced = [
        one for one in result.checks if one.kind == "MFT" and len({g.name for g in one.groups}) == 2
    ]
    assert all(0.45 <= one.rate <= 0.55 for one in balanced)
    steady = [one for one in result.checks if one.kind != "MFT"]
    assert {one.failures for one in steady} == {0}
    assert {one.moved for one in steady} == {0.0}


def test_minimum_functionality_asks_for_the_label() -> None:
    check = check_of(Case(("good",), "positive", "t", "positive"), Case(("bad",), "negative", "u"))
    found = found_of(check, {"good": 0.4, "bad": 0.1})
    assert (found.cases, found.failures) == (2, 1)
    assert found.templates == ((1, 1), (1, 0))
    assert found.worst[0].texts == ("good",)
    assert [(one.name, one.failures, one.mean) for one in found.groups] == [("positive", 1, 0.4)]


def test_invariance_asks_for_the_same_label_right_or_not() -> None:
    check = check_of(
        Case(("a", "b"), "the same label", "t"), Case(("a", "c"), "the same label", "t")
    )
    found = found_of(check, {"a": 0.45, "b": 0.1, "c": 0.55})
    assert found.failures == 1
    assert found.moved == pytest.approx((0.35 + 0.10) / 2)
    assert found.moved_most == pytest.approx(0.35)
    assert found.worst[0].texts == ("a", "c")


@pytest.mark.parametrize(
    ("wanted", "after", "fails"),
    [
        ("p no lower", 0.45, False),
        ("p no lower", 0.39, True),
        ("p no lower", 0.9, False),
        ("p no higher", 0.55, False),
        ("p no higher", 0.61, True),
        ("p no higher", 0.1, False),
    ],
)
def test_a_direction_may_be_missed_by_the_tolerance(wanted: Any, after: float, fails: bool) -> None:
    found = found_of(check_of(Case(("a", "b"), wanted, "t")), {"a": 0.5, "b": after})
    assert bool(found.failures) == fails


def test_the_worst_examples_come_from_different_templates_first() -> None:
    cases = [Case((f"{n}",), "positive", "one" if n < 6 else "two") for n in range(8)]
    found = found_of(check_of(*cases), {f"{n}": n / 100 for n in range(8)})
    assert [one.texts[0] for one in found.worst] == ["0", "6", "1", "7", "2"]


counts = st.integers(1, 30).flatmap(
    lambda cases: st.tuples(st.just(float(cases)), st.integers(0, cases).map(float))
)


@given(st.lists(counts, min_size=1, max_size=30))
def test_the_interval_holds_the_rate_and_stays_between_0_and_1(
    templates: list[tuple[float, float]],
) -> None:
    low, high = interval(templates)
    rate = sum(fails for _, fails in templates) / sum(cases for cases, _ in templates)
    assert -1e-12 <= low <= rate <= high <= 1 + 1e-12


@given(st.lists(counts, min_size=2, max_size=30))
def test_the_interval_is_never_narrower_than_for_independent_cases(
    templates: list[tuple[float, float]],
) -> None:
    cases = sum(one for one, _ in templates)
    fails = sum(one for _, one in templates)
    low, high = interval(templates)
    simple = accuracy_interval(int(fails), int(cases))
    assert high - low >= simple.high - simple.low - 1e-12


def test_the_interval_covers_the_rate_of_all_templates_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(600):
        rates = random.beta(0.6, 0.9, size=12)
        failures = random.binomial(10, rates)
        low, high = interval([(10.0, float(one)) for one in failures])
        covered += low <= 0.4 <= high
    assert 0.92 <= covered / 600 <= 0.99


@pytest.mark.parametrize(
    ("names", "number"),
    [
        (("negative", "positive"), 1),
        (("pos", "neg"), 0),
        (("0", "1"), 1),
        (("Bad", "Good"), 1),
        (("fresh", "rotten"), 0),
    ],
)
def test_obvious_label_names_are_understood(names: tuple[str, ...], number: int) -> None:
    assert positive_label(names) == number


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (("a", "b"), 'Which of the labels "a" and "b" is the positive one cannot be told'),
        (
            ("negative", "neutral", "positive"),
            r"answers with 3 labels \(negative, neutral, positive",
        ),
        (("positive", "good"), "cannot be told"),
    ],
)
def test_other_labels_are_refused_with_a_reason(names: tuple[str, ...], complaint: str) -> None:
    class Other(Oracle):
        label_names = names  # type: ignore[assignment]

    with pytest.raises(NotApplicable, match=complaint):
        examine(Other(), length=LENGTH)


def test_labels_in_the_other_order_are_mapped() -> None:
    class Reversed(Oracle):
        label_names = ("pos", "neg")

        def predict(self, texts: Sequence[str], /) -> NDArray[np.float64]:
            return super().predict(texts)[:, ::-1]

    assert examine(Reversed(), length=LENGTH).checks == examine(Oracle(), length=LENGTH).checks


@given(st.text("abcdefgh  ", max_size=40), st.integers(1, 3), st.integers(0, 99))
def test_a_swap_keeps_every_letter_and_the_ends_of_words(text: str, times: int, seed: int) -> None:
    changed = swapped(text, np.random.default_rng(seed), times)
    assert sorted(changed) == sorted(text)
    for before, after in zip(text.split(), changed.split(), strict=True):
        assert (before[0], before[-1]) == (after[0], after[-1])


def test_a_letter_is_dropped_within_a_word() -> None:
    assert dropped("a wonderful day", np.random.default_rng(0)) in {
        f"a {'wonderful'[:at]}{'wonderful'[at + 1 :]} day" for at in range(1, 8)
    }


@pytest.fixture(scope="module")
def subject(preparation: Preparation, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    settings = RunSettings.from_dict(
        {
            "model": "mlp",
            "model_settings": {"embedding": 4, "units": 4},
            "words": 300,
            "length": 12,
            "epochs": 1,
            "protocol": "holdout",
        }
    )
    folder: Path = tmp_path_factory.mktemp("run") / "run"
    run = train(settings, preparation.examples(settings), folder)
    return Subject(run, preparation.dataset, preparation)


def test_a_trained_model_is_asked_and_its_result_survives_json(subject: Subject) -> None:
    result = measure(subject)
    assert result.length == 12
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result
    shown = lines(result)
    assert shown[0].startswith("behaviour: ")
    assert any("negated blame" in line for line in shown)
    assert all(len(one.worst) <= 5 for one in result.checks)
    assert all(one.low <= one.rate <= one.high for one in result.checks)


def test_a_found_failure_rate_is_failures_over_cases() -> None:
    found = found_of(check_of(Case(("a",), "positive", "t")), {"a": 0.0})
    assert found.rate == 1.0
    assert replace(found, cases=4).rate == 0.25
