"""Self-training: what a student learns from its teacher, and what can never reach it."""

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from sentilab import data, models
from sentilab.data import Dataset, Partition, Unlabelled
from sentilab.data.dataset import fingerprint_of
from sentilab.data.generated import generate
from sentilab.errors import SettingsError
from sentilab.probe import Classifier, Subject
from sentilab.training import (
    Part,
    Preparation,
    RunFolder,
    RunSettings,
    Silence,
    Teacher,
    Teaching,
    train,
)
from sentilab.training.steps import compile_model, train_epoch

Settings = Callable[..., RunSettings]

HOLDOUT = {"protocol": "holdout", "epochs": 2, "learning_rate": 0.02}
TINY = {
    "averaging": {"embedding": 8, "units": 8, "hidden_layers": 1},
    "recurrent": {
        "embedding": 8,
        "units": 16,
        "ngrams": 2,
        "ngram_buckets": 50,
        "ngram_embedding": 8,
    },
    "nblr": {},
}


def unlabelled(texts: list[str]) -> Unlabelled:
    prints = fingerprint_of(texts, np.zeros(0, np.int64), (), None)
    return Unlabelled("reviews", "reviews.txt", prints, texts)


@pytest.fixture(scope="module")
def more(corpus: Dataset) -> Unlabelled:
    """New sentences, and one of each part of the corpus again."""
    known = set(corpus.texts)
    new = [one for one in generate(train=200, test=0, seed=5).texts if one not in known]
    repeats = [corpus.texts[0].upper(), corpus.texts[300] + " !"]
    return unlabelled([*new[:80], *repeats, *new[80:], "zyzzyva zyzzyva"])


@pytest.fixture
def teacher(small_subject: Callable[..., Subject]) -> Teacher:
    return Teacher(small_subject("mlp").run)


def finished(settings: RunSettings, corpus: Dataset, folder: Path) -> Teacher:
    """A run of which only settings and status are there: it is refused before it answers."""
    run = RunFolder(folder)
    run.write_config(settings, {"name": corpus.name, "fingerprint": corpus.fingerprint})
    run.write_json("result.json", {"status": "finished", "test": {"loss": 0.5, "accuracy": 0.8}})
    return Teacher(run)


def taught_by(
    teacher: Teacher, more: Unlabelled, corpus: Dataset, settings: RunSettings, **how: object
) -> tuple[RunSettings, Preparation]:
    with_teaching = replace(settings, teaching=teacher.teaching(more, **how))
    return with_teaching, Preparation(corpus, None, more, teacher)


def test_the_student_learns_what_the_teacher_is_sure_of(
    teacher: Teacher, more: Unlabelled, corpus: Dataset, small_settings: Settings, tmp_path: Path
) -> None:
    answers = Classifier.from_run(teacher.run.path).predict(list(more.texts))
    confidence = float(np.median(answers.max(axis=1)))
    settings, preparation = taught_by(
        teacher, more, corpus, small_settings(**HOLDOUT), confidence=confidence
    )
    examples = preparation.examples(settings)
    plain = preparation.examples(replace(settings, teaching=None))
    count = len(plain.train.labels)
    np.testing.assert_array_equal(examples.train.x[:count], plain.train.x)
    np.testing.assert_array_equal(examples.train.labels[:count], plain.train.labels)
    rows = [int(one.removeprefix("unlabelled/")) for one in examples.train.ids[count:]]
    assert 0 < len(rows) < len(more)
    assert (answers[rows].max(axis=1) >= confidence - 1e-6).all()
    np.testing.assert_array_equal(examples.train.labels[count:], answers[rows].argmax(axis=1))
    x = examples.vocabulary.encode([more.texts[row] for row in rows])
    np.testing.assert_array_equal(examples.train.x[count:], x)

    run = train(settings, examples, tmp_path / "student")
    told = run.read_json("teaching.json")
    assert told["learned"] == sum(told["learned_by_label"].values()) == len(rows)
    assert told["teacher"]["fingerprint"] == teacher.fingerprint


def test_texts_that_repeat_a_labelled_one_are_left_out_and_counted(
    teacher: Teacher, more: Unlabelled, corpus: Dataset, small_settings: Settings
) -> None:
    settings, preparation = taught_by(
        teacher, more, corpus, small_settings(**HOLDOUT), confidence=0.0
    )
    examples = preparation.examples(settings)
    assert examples.taught is not None
    assert examples.taught["left_out_as_repeats"] == 2
    assert examples.taught["learned"] == len(more) - 2
    assert not {"unlabelled/80", "unlabelled/81"} & set(examples.train.ids)


def with_turned_labels(corpus: Dataset, rows: np.ndarray) -> Dataset:
    labels = corpus.labels.copy()
    labels[rows] = 1 - labels[rows]
    prints = fingerprint_of(corpus.texts, labels, corpus.label_names, corpus.splits)
    return replace(corpus, labels=labels, fingerprint=prints)


@pytest.mark.parametrize("model", list(TINY))
def test_no_label_of_a_held_out_text_reaches_the_weights(
    model: str,
    more: Unlabelled,
    corpus: Dataset,
    small_settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = small_settings(model, model_settings=TINY[model], **HOLDOUT)
    parts = Preparation(corpus).partition(settings)

    def same_rows(dataset: Dataset, *_: object, **__: object) -> Partition:
        # Carving is stratified by label: with other labels other rows would be held out.
        return replace(parts, dataset=dataset)

    monkeypatch.setattr(data, "partition", same_rows)

    def weights(dataset: Dataset, name: str) -> tuple[bytes, bytes]:
        """Of the plain run and of its student."""
        plain = train(settings, Preparation(dataset).examples(settings), tmp_path / name / "plain")
        taught, preparation = taught_by(Teacher(plain), more, dataset, settings, confidence=0.5)
        student = train(taught, preparation.examples(taught), tmp_path / name / "student")
        assert student.read_json("teaching.json")["learned"] > 0
        return plain.weights.read_bytes(), student.weights.read_bytes()

    as_they_are = weights(corpus, "as they are")
    held_out = np.setdiff1d(np.arange(len(corpus)), parts.train)
    assert set(held_out) == {*parts.validation, *parts.test}
    assert weights(with_turned_labels(corpus, held_out), "held out") == as_they_are
    # What is trained on does reach them, or this test could not fail.
    plain, student = weights(with_turned_labels(corpus, parts.train[:40]), "trained on")
    assert plain != as_they_are[0]
    assert student != as_they_are[1]


@pytest.mark.parametrize(
    "change", [{"split_seed": 1}, {"validation_fraction": 0.1}, {"protocol": "notebook"}]
)
def test_a_teacher_that_knows_held_out_labels_is_refused(
    change: dict[str, object],
    more: Unlabelled,
    corpus: Dataset,
    small_settings: Settings,
    tmp_path: Path,
) -> None:
    teacher = finished(small_settings(**(HOLDOUT | change)), corpus, tmp_path)
    settings, prepared = taught_by(teacher, more, corpus, small_settings(**HOLDOUT))
    with pytest.raises(SettingsError, match="texts that the student holds out"):
        prepared.examples(settings)


def test_a_teacher_of_other_data_is_refused(
    teacher: Teacher, more: Unlabelled, small_settings: Settings
) -> None:
    other = generate(train=240, test=120, seed=1)
    settings, prepared = taught_by(teacher, more, other, small_settings(**HOLDOUT))
    with pytest.raises(SettingsError, match="trained on other data"):
        prepared.examples(settings)


def test_an_ensemble_that_learned_its_weights_from_validation_labels_is_refused(
    teacher: Teacher, more: Unlabelled, corpus: Dataset, small_settings: Settings, tmp_path: Path
) -> None:
    from sentilab.training.ensembling import How, ensemble_settings

    members = [replace(teacher.settings, seed=seed) for seed in (1, 2)]
    stacked = finished(ensemble_settings(members, How(kind="stacking")), corpus, tmp_path)
    settings, prepared = taught_by(stacked, more, corpus, small_settings(**HOLDOUT))
    with pytest.raises(SettingsError, match="that averages, without calibration"):
        prepared.examples(settings)


def test_only_a_finished_run_can_teach(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="only a finished run can teach"):
        Teacher(RunFolder(tmp_path))


def test_a_run_without_its_teacher_or_texts_says_what_is_missing(
    teacher: Teacher, more: Unlabelled, corpus: Dataset, small_settings: Settings, tmp_path: Path
) -> None:
    settings, _ = taught_by(teacher, more, corpus, small_settings(**HOLDOUT))
    for prepared, missing in (
        (Preparation(corpus, None, more), "--teacher"),
        (Preparation(corpus, None, None, teacher), "--unlabelled"),
        (Preparation(corpus, None, unlabelled(["other"]), teacher), "are others"),
    ):
        with pytest.raises(SettingsError, match=missing):
            prepared.examples(settings)
    plain = Preparation(corpus).examples(replace(settings, teaching=None))
    with pytest.raises(SettingsError, match="prepared without it"):
        train(settings, plain, tmp_path / "student")


def test_every_setting_of_teaching_makes_another_run(
    teacher: Teacher, more: Unlabelled, small_settings: Settings
) -> None:
    settings = small_settings(**HOLDOUT)
    first = teacher.teaching(more)
    others = [
        replace(first, teacher="another"),
        replace(first, unlabelled_fingerprint="another"),
        replace(first, confidence=0.8),
        replace(first, soft=True),
        replace(first, weight=0.5),
        replace(first, vocabulary=True),
    ]
    runs = [settings, *(replace(settings, teaching=one) for one in (first, *others))]
    assert len({one.fingerprint("data") for one in runs}) == len(runs)
    assert len(others) + 1 == len(dataclasses.fields(Teaching))
    for one in runs:
        assert RunSettings.from_dict(one.to_dict()) == one


@pytest.mark.parametrize(
    "wrong", [{"confidence": 1.1}, {"weight": -1}, {"soft": 1}, {"certainty": 0.9}]
)
def test_settings_that_cannot_be_meant_are_refused(
    wrong: dict[str, object], teacher: Teacher, more: Unlabelled
) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        teacher.teaching(more, **wrong)


def test_words_of_the_unlabelled_texts_are_learned_only_when_asked(
    teacher: Teacher, more: Unlabelled, corpus: Dataset, small_settings: Settings
) -> None:
    settings, preparation = taught_by(teacher, more, corpus, small_settings(**HOLDOUT))
    assert "zyzzyva" not in preparation.examples(settings).vocabulary.words
    asked, preparation = taught_by(
        teacher, more, corpus, small_settings(**HOLDOUT), vocabulary=True
    )
    assert "zyzzyva" in preparation.examples(asked).vocabulary.words


def test_a_taught_run_is_probed_without_teacher_and_texts(
    teacher: Teacher, more: Unlabelled, corpus: Dataset, small_settings: Settings, tmp_path: Path
) -> None:
    settings, preparation = taught_by(
        teacher, more, corpus, small_settings(**HOLDOUT), confidence=0.0, vocabulary=True
    )
    run = train(settings, preparation.examples(settings), tmp_path / "student")
    subject = Subject(run, corpus, Preparation(corpus))
    np.testing.assert_allclose(
        subject.classifier.score(subject.examples.test.x),
        run.predictions().probabilities,
        rtol=0,
        atol=1e-6,
    )


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("bucketed", [None, True])
def test_soft_answers_and_weights_enter_the_loss_as_they_should(
    classes: int, bucketed: bool | None, small_settings: Settings
) -> None:
    random = np.random.default_rng(0)
    targets = random.dirichlet(np.ones(classes), 10).astype(np.float32)
    weights = random.uniform(0.5, 2, 10).astype(np.float32)
    labels = targets.argmax(axis=1)
    x = random.integers(4, 300, (10, 12), dtype=np.int32)
    part = Part(x, labels, labels.astype(str), targets, weights)
    settings = small_settings(
        "averaging",
        model_settings=TINY["averaging"] | {"word_dropout": 0.0, "dropout": 0.0},
        learning_rate=0.0,
        batch_size=10,
        bucketed=bucketed,
        teaching=dataclasses.asdict(Teaching("one", "reviews", "more", soft=True)),
    )
    keras.utils.set_random_seed(1)
    model = models.build("averaging", models.Task(300, 12, classes), settings.model_settings)
    compile_model(model, settings, classes)
    loss, accuracy = train_epoch(model, settings, part, 1, Silence())
    answers = np.asarray(model(x), np.float64)
    if classes == 2:
        answers = np.concatenate([1 - answers, answers], axis=1)
    entropies = -(targets * np.log(answers)).sum(axis=1)
    assert loss == pytest.approx((weights * entropies).mean(), rel=1e-5)
    assert accuracy == pytest.approx((answers.argmax(axis=1) == labels).mean())


@pytest.mark.parametrize("how", [{"soft": True}, {"weight": 0.5}])
def test_a_model_with_a_solver_learns_labels_alone(
    how: dict[str, object],
    teacher: Teacher,
    more: Unlabelled,
    corpus: Dataset,
    small_settings: Settings,
    tmp_path: Path,
) -> None:
    own = small_settings("nblr", model_settings={}, **HOLDOUT)
    settings, preparation = taught_by(teacher, more, corpus, own, **how)
    with pytest.raises(SettingsError, match="neither soft answers nor a weight"):
        train(settings, preparation.examples(settings), tmp_path / "student")
