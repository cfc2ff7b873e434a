import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sentilab.data import Dataset
from sentilab.probe import NotApplicable, Subject, read, words, write
from sentilab.probe.words import AT_LEAST, Result
from sentilab.training import Preparation, RunFolder, RunSettings, train


def subject_of(folder: Path, corpus: Dataset, preparation: Preparation, **changes: Any) -> Subject:
    plain = {
        "model": "mlp",
        "model_settings": {"embedding": 8, "units": 8},
        "words": 300,
        "length": 12,
        "protocol": "holdout",
        "epochs": 4,
        "learning_rate": 0.01,
    }
    settings = RunSettings.from_dict(plain | changes)
    train(settings, preparation.examples(settings), folder)
    return Subject(RunFolder(folder), corpus, preparation)


@pytest.fixture(scope="module")
def subject(
    tmp_path_factory: pytest.TempPathFactory, corpus: Dataset, preparation: Preparation
) -> Subject:
    return subject_of(tmp_path_factory.mktemp("words") / "run", corpus, preparation)


@pytest.fixture(scope="module")
def result(subject: Subject) -> Result:
    return words.measure(subject)


def test_words_and_phrases_are_told_apart_and_stand_in_enough_texts(result: Result) -> None:
    assert result.words
    assert all(" " not in one.words for one in result.words)
    assert all(1 <= one.words.count(" ") <= 2 for one in result.phrases)
    assert all(one.texts >= AT_LEAST for one in (*result.words, *result.phrases))
    assert all(0 < one.push.low <= one.push.mean <= one.push.high for one in result.words)
    assert {one.label for one in result.words} <= set(result.label_names)


def test_the_words_counted_stand_in_that_many_texts(subject: Subject, result: Result) -> None:
    part = subject.examples.validation
    assert result.part == "validation"
    assert result.sampled == len(part.ids)
    from sentilab.text.words import words_of

    texts = [words_of(one)[-12:] for one in subject.texts(part.ids)]
    for one in result.words:
        assert one.texts == sum(one.words in text for text in texts)


def test_the_same_run_gives_the_same_result_and_its_file_gives_it_back(
    subject: Subject, result: Result
) -> None:
    write(subject.run.path, "words", result)
    assert read(subject.run.path, "words") == result
    json.dumps(result.to_json(), allow_nan=False)
    assert words.measure(subject) == result


def test_orders_are_measured_on_some_of_the_sample(result: Result) -> None:
    assert [one.order for one in result.ordered] == ["ig", "occlusion", "random"]
    assert 2 <= result.ordered_texts <= result.sampled
    ig = result.ordered[0]
    assert ig.deletion_gain.mean > 0
    assert ig.insertion_gain.mean > 0
    # Words are deleted for both labels' answers: what is left is less sure of the answer given.
    assert ig.deletion[4] < ig.deletion[0]


def test_mistakes_are_wrong_confident_and_hold_their_text(subject: Subject, result: Result) -> None:
    answers = subject.run.predictions("validation")
    wrong = {str(one) for one in answers.ids[~answers.correct]}
    assert {one.id for one in result.mistakes} <= wrong
    assert len(result.mistakes) == min(5, len(wrong))
    confidence = [one.probability for one in result.mistakes]
    assert confidence == sorted(confidence, reverse=True)
    for one in result.mistakes:
        text = subject.texts([one.id])[0]
        assert text.endswith("".join(piece for piece, _ in one.pieces))
        assert one.label != one.answer


def test_lines_name_words_and_areas(result: Result) -> None:
    said = "\n".join(words.lines(result))
    assert result.words[0].words in said
    assert "at random" in said


def test_under_the_notebook_protocol_test_texts_are_explained(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Subject(subject.run, subject.dataset, subject.preparation)
    monkeypatch.setitem(other.__dict__, "classifier", subject.classifier)
    monkeypatch.setitem(other.__dict__, "settings", replace(subject.settings, protocol="notebook"))
    found = words.measure(other)
    assert found.part == "test"
    assert found.sampled == len(subject.run.predictions("test").ids)


def test_a_model_without_word_vectors_is_explained_by_occlusion(
    tmp_path: Path, corpus: Dataset, preparation: Preparation
) -> None:
    subject = subject_of(
        tmp_path / "run", corpus, preparation, model="nblr", model_settings={"orders": 2}, epochs=1
    )
    found = words.measure(subject)
    assert found.method == "occlusion"
    assert found.gap is found.gap_share is None
    assert [one.order for one in found.ordered] == ["occlusion", "random"]
    assert found.ordered[0].deletion_gain.low > 0
    assert found.words
    assert found.mistakes
    assert any(value for _, value in found.mistakes[0].pieces)
    assert Result.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert "deleting words by occlusion" in "\n".join(words.lines(found))


def test_one_text_is_not_enough(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = subject.run.predictions("validation")
    one = replace(
        whole,
        ids=whole.ids[:1],
        labels=whole.labels[:1],
        probabilities=whole.probabilities[:1],
    )
    monkeypatch.setattr(RunFolder, "predictions", lambda *_: one)
    with pytest.raises(NotApplicable, match="fewer than two texts"):
        words.measure(subject)
