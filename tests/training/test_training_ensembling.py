import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sentilab import models
from sentilab.data import Dataset
from sentilab.data.generated import generate
from sentilab.errors import ModelCannotTrain, SentilabError, SettingsError
from sentilab.probe import Classifier
from sentilab.training import Part, Preparation, RunFolder, RunSettings, train, weighing
from sentilab.training.ensembling import How, ensemble_settings, members_of, needed_folds
from sentilab.training.folds import train_folds

Settings = Callable[..., RunSettings]

SMALL = {"embedding": 4, "units": 4}


def two(**changes: object) -> tuple[RunSettings, RunSettings]:
    """An LSTM of any length, and dense layers with a smaller vocabulary and shorter texts."""
    plain = {"model_settings": SMALL, "epochs": 2, "learning_rate": 0.01, **changes}
    return (
        RunSettings.from_dict({"model": "bilstm1", "words": 200, "length": 14, **plain}),
        RunSettings.from_dict({"model": "mlp", "words": 40, "length": 9, **plain}),
    )


def trained(one: RunSettings, preparation: Preparation, runs: Path) -> RunFolder:
    name = one.folder_name(preparation.dataset.fingerprint)
    return train(one, preparation.examples(one), runs / name)


def ensemble_of(
    members: tuple[RunSettings, ...], preparation: Preparation, runs: Path, how: How | None = None
) -> RunFolder:
    for one in members:
        trained(one, preparation, runs)
    settings = ensemble_settings(members, how)
    train_folds(needed_folds(settings), preparation, runs)
    return trained(settings, preparation, runs)


HOWS = [
    How(),
    How(calibrated=True),
    How("stacking"),
    How("stacking", nonnegative=False),
    How("stacking", folds=2),
]


@pytest.fixture(scope="module")
def shared_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Members are trained once for all ways to weigh them."""
    return tmp_path_factory.mktemp("runs")


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_the_one_graph_answers_as_its_members_weighed(
    how: How, preparation: Preparation, shared_runs: Path
) -> None:
    members = two()
    run = ensemble_of(members, preparation, shared_runs, how)
    told = run.read_json("ensemble.json")
    alone = [trained(one, preparation, shared_runs) for one in members]
    weights = np.asarray([one["weight"] for one in told["members"]])
    for part in ("test", "validation"):
        wanted = weighing.combined(
            weighing.scores_of([one.predictions(part).probabilities for one in alone]),
            weighing.Weighing(weights, np.asarray(told["bias"])),
        )
        np.testing.assert_allclose(run.predictions(part).probabilities, wanted, atol=2e-5)
    assert told["learned_from"] == (
        "folds" if how.folds else "nothing" if how == How() else "validation"
    )
    assert [one["accuracy"] for one in told["members"]] == [
        one.read_json("result.json")["test"]["accuracy"] for one in alone
    ]
    parameters = sum(one["parameters"] for one in told["members"])
    assert run.read_json("result.json")["parameters"] == parameters + len(members) + 1
    cost = sum(sum(one.seconds()) for one in alone)
    assert run.seconds()[0] > cost


def test_a_loaded_ensemble_answers_texts_as_the_run_did(
    preparation: Preparation, shared_runs: Path
) -> None:
    run = ensemble_of(two(), preparation, shared_runs)
    corpus = preparation.dataset
    row_of = {one: row for row, one in enumerate(corpus.ids)}
    answers = run.predictions()
    texts = [corpus.texts[row_of[one]] for one in answers.ids.tolist()]
    classifier = Classifier.from_run(run.path)
    np.testing.assert_allclose(classifier.predict(texts), answers.probabilities, atol=1e-6)
    assert {"member_1_bilstm1", "member_2_mlp"} <= {one.name for one in classifier.model.layers}


def test_the_same_ensemble_comes_out_byte_for_byte_the_same(
    preparation: Preparation, shared_runs: Path, tmp_path: Path
) -> None:
    run = ensemble_of(two(), preparation, shared_runs)
    settings = run.settings()
    folders = [
        shared_runs / one.folder_name(preparation.dataset.fingerprint)
        for one in members_of(settings)
    ]
    again = train(settings, preparation.examples(settings), tmp_path / "again", members=folders)
    for name in (
        "config.toml",
        "weights.safetensors",
        "model.keras",
        "predictions.parquet",
        "validation.parquet",
        "ensemble.json",
        "result.json",
        "metrics.jsonl",
    ):
        assert (again.path / name).read_bytes() == (run.path / name).read_bytes(), name


def relabelled(corpus: Dataset) -> Dataset:
    """The same with its test labels permuted."""
    labels = corpus.labels.copy()
    tested = np.flatnonzero(np.asarray(corpus.splits) == "test")
    labels[tested] = np.random.default_rng(3).permutation(labels[tested])
    assert (labels != corpus.labels).sum() > 20
    return replace(corpus, labels=labels, fingerprint="0" * 64)


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_permuted_test_labels_leave_every_weight_bit_identical(
    how: How, preparation: Preparation, shared_runs: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.getbasetemp() / "relabelled"  # shared by the ways to weigh
    run = ensemble_of(two(), preparation, shared_runs, how)
    blind = ensemble_of(two(), Preparation(relabelled(preparation.dataset)), other, how)
    assert run.weights.read_bytes() == blind.weights.read_bytes()
    losses = [one.read_json("result.json")["test"]["loss"] for one in (run, blind)]
    assert losses[0] != losses[1]


def test_three_labels_are_combined_too(tmp_path: Path) -> None:
    corpus = generate(train=240, test=60)
    labels = np.where(np.arange(len(corpus)) % 3 == 0, 2, corpus.labels)
    three = replace(corpus, labels=labels, label_names=("no", "yes", "else"))
    preparation = Preparation(three)
    members = two()
    run = ensemble_of(members, preparation, tmp_path, How("stacking"))
    told = run.read_json("ensemble.json")
    wanted = weighing.combined(
        weighing.scores_of(
            [trained(one, preparation, tmp_path).predictions().probabilities for one in members]
        ),
        weighing.Weighing(
            np.asarray([one["weight"] for one in told["members"]]), np.asarray(told["bias"])
        ),
    )
    np.testing.assert_allclose(run.predictions().probabilities, wanted, atol=2e-5)


def test_members_with_other_training_texts_keep_their_own_words(
    preparation: Preparation, tmp_path: Path
) -> None:
    first, second = two()
    members = (first, replace(second, split_seed=1))
    run = ensemble_of(members, preparation, tmp_path)
    alone = [trained(one, preparation, tmp_path) for one in members]
    wanted = weighing.combined(
        weighing.scores_of([one.predictions().probabilities for one in alone]), weighing.equal(2, 2)
    )
    np.testing.assert_allclose(run.predictions().probabilities, wanted, atol=2e-5)
    common = set.intersection(*(set(one.predictions("validation").ids) for one in alone))
    assert set(run.predictions("validation").ids) == common


def test_settings_say_all_of_every_member_and_come_back() -> None:
    first, second = two(kernels="keras", split_seed=5)
    members = (first, replace(second, seed=9), replace(second, kernels=None))
    settings = ensemble_settings(members, How("stacking", folds=3))
    again = RunSettings.from_dict(json.loads(json.dumps(settings.to_dict())))
    assert members_of(again) == members
    assert (settings.words, settings.length, settings.seed) == (200, 14, first.seed)
    assert len(needed_folds(again)) == 9
    assert "split_seed" not in settings.model_settings["members"][0]


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        (two()[:1], "two runs or more"),
        ((two()[0], two()[0]), "named twice"),
        ((two()[0], two(protocol="notebook")[1]), "protocol is 'holdout' for bilstm1"),
        ((two()[0], two(folds=3, fold=1)[1]), "folds is None"),
        ((ensemble_settings(two()), two()[0]), "Name the members of both"),
    ],
)
def test_members_that_do_not_go_together_are_refused(
    members: tuple[RunSettings, ...], complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint):
        ensemble_settings(members)


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ({"kind": "voting"}, '"averaging" or "stacking"'),
        ({"kind": "stacking", "calibrated": True}, "needs no calibration"),
        ({"folds": 5}, "learns nothing from folds"),
        ({"kind": "stacking", "folds": 1}, "at least 2"),
    ],
)
def test_a_way_to_weigh_that_cannot_be_meant_is_refused(how: dict, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        How(**how)


def test_a_member_that_is_not_there_or_was_tested_on_other_texts_is_named(
    preparation: Preparation, tmp_path: Path
) -> None:
    members = two(epochs=1)
    settings = ensemble_settings(members)
    with pytest.raises(SentilabError, match="has not finished"):
        trained(settings, preparation, tmp_path)
    runs = [trained(one, preparation, tmp_path).path for one in members]
    examples = preparation.examples(settings)
    with pytest.raises(SentilabError, match="has other settings"):
        train(settings, examples, tmp_path / "a", members=runs[::-1])
    test = examples.test
    fewer = replace(examples, test=Part(test.x[1:], test.labels[1:], test.ids[1:]))
    with pytest.raises(SentilabError, match="tested on other texts"):
        train(settings, fewer, tmp_path / "b")
    with pytest.raises(SentilabError, match="trained on other data"):
        train(settings, replace(examples, data_fingerprint="0"), tmp_path / "c", members=runs)


def test_a_refused_member_refuses_the_ensemble(preparation: Preparation, tmp_path: Path) -> None:
    good, bad = two(epochs=1)[0], replace(two(epochs=1)[1], model="mlp-unflattened")
    trained(good, preparation, tmp_path)
    with pytest.raises(ModelCannotTrain):
        trained(bad, preparation, tmp_path)
    with pytest.raises(ModelCannotTrain, match="was refused"):
        trained(ensemble_settings((good, bad)), preparation, tmp_path)


def test_weights_are_not_learned_from_the_texts_that_judge(
    preparation: Preparation, tmp_path: Path
) -> None:
    members = two(protocol="notebook", epochs=1)
    for how in (How(calibrated=True), How("stacking")):
        with pytest.raises(SettingsError, match="has no validation texts but those"):
            ensemble_of(members, preparation, tmp_path, how)
    ensemble_of(members, preparation, tmp_path, How("stacking", folds=2))


def test_members_without_a_common_validation_text_are_refused(
    preparation: Preparation, tmp_path: Path
) -> None:
    first, second = two(epochs=1, validation_fraction=0.02)
    apart = replace(second, split_seed=4)
    with pytest.raises(SentilabError, match="no validation text in common"):
        ensemble_of((first, apart), preparation, tmp_path)


def test_an_ensemble_cannot_be_built_of_nothing(preparation: Preparation, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="sentilab ensemble RUN RUN"):
        models.build("ensemble", models.Task(20, 5, 2))
    with pytest.raises(SettingsError, match="sentilab ensemble RUN RUN"):
        trained(RunSettings(model="ensemble"), preparation, tmp_path)
