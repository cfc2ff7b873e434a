import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sentilab import models
from sentilab.data import Dataset, Unlabelled
from sentilab.errors import SentilabError, SettingsError
from sentilab.text.words import words_of
from sentilab.training import (
    LanguageEpoch,
    LanguageStep,
    Preparation,
    Pretraining,
    RunSettings,
    Silence,
    train,
)
from sentilab.training.pretraining import Corpus, pretrain, work
from sentilab.training.pretraining.language_model import Sizes, Trainer

SIZES = Sizes(words=300, embedding=8, units=8)
ASKED = Pretraining(epochs=2, batch_size=16, row_length=20, sampled=40, learning_rate=0.01)

Settings = Callable[..., RunSettings]


class Killed(BaseException):
    """Ends the work as abruptly as an exception can."""


class Curve(Silence):
    def __init__(self) -> None:
        self.steps: list[LanguageStep] = []
        self.epochs: list[LanguageEpoch] = []

    def on_language_step(self, step: LanguageStep) -> None:
        self.steps.append(step)

    def on_language_epoch(self, measured: LanguageEpoch, epochs: int, seconds: float) -> None:
        self.epochs.append(measured)


@pytest.fixture(scope="session")
def pile(corpus: Dataset) -> Unlabelled:
    from sentilab.data.generated import generate

    texts = list(generate(train=400, test=20, seed=5).texts)
    return Unlabelled("pile", "a test", "f" * 64, texts)


@pytest.fixture(scope="session")
def with_pile(corpus: Dataset, pile: Unlabelled) -> Preparation:
    return Preparation(corpus, unlabelled=pile)


def read_by(preparation: Preparation, settings: RunSettings) -> Corpus:
    found = preparation.examples(settings).corpus
    assert found is not None
    return found


@pytest.fixture
def asked(small_settings: Settings, pile: Unlabelled) -> RunSettings:
    settings = small_settings("bilstm1", epochs=1, protocol="holdout")
    return replace(settings, pretraining=ASKED.of(pile))


def test_the_perplexity_on_held_out_texts_falls_below_that_of_the_word_frequencies(
    with_pile: Preparation, asked: RunSettings, tmp_path: Path
) -> None:
    read = read_by(with_pile, asked)
    curve = Curve()
    pretrain(replace(ASKED, epochs=3), read, SIZES, tmp_path, listener=curve)
    shares = read.counts / read.counts.sum()
    by_frequency = float(np.exp(-np.log(shares[read.held_out]).mean()))
    assert [one.epoch for one in curve.epochs] == [1, 2, 3]
    assert curve.epochs[2].perplexity < curve.epochs[0].perplexity < by_frequency
    assert curve.steps
    told = json.loads(next(tmp_path.glob("*/pretraining.json")).read_text())
    assert told["tokens"] == len(read.ids)
    assert [LanguageEpoch(**one) for one in told["history"]] == curve.epochs
    assert len(told["seconds"]) == 3


@pytest.mark.parametrize("steps", [1, 7, 50])
def test_a_killed_pretraining_resumes_to_the_same_bytes(
    steps: int,
    with_pile: Preparation,
    asked: RunSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = read_by(with_pile, asked)
    undisturbed = pretrain(ASKED, read, SIZES, tmp_path / "undisturbed")
    monkeypatch.setattr(work, "SECONDS_BETWEEN_SAVES", 0.0)
    own, done = Trainer.step, 0

    def step(*arguments: object) -> None:
        nonlocal done
        if done == steps:
            raise Killed
        done += 1
        own(*arguments)  # type: ignore[arg-type]

    batches = len(read.ids) // 20 // 16
    assert 50 > batches > 7  # one of the kills falls into the second epoch
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", step)
        with pytest.raises(Killed):
            pretrain(ASKED, read, SIZES, tmp_path / "killed")
    assert list((tmp_path / "killed").glob("*/state.safetensors"))
    resumed = pretrain(ASKED, read, SIZES, tmp_path / "killed")
    assert resumed.path.name == undisturbed.path.name
    ours, theirs = (
        (one.path / "weights.safetensors").read_bytes() for one in (resumed, undisturbed)
    )
    assert ours == theirs
    assert resumed.told()["history"] == undisturbed.told()["history"]
    assert not (resumed.path / "state.safetensors").exists()


def test_other_settings_sizes_or_texts_get_another_folder(
    with_pile: Preparation, asked: RunSettings, tmp_path: Path
) -> None:
    read = read_by(with_pile, asked)
    few = replace(ASKED, epochs=1)
    kinds = [
        (few, read, SIZES),
        (replace(few, seed=1), read, SIZES),
        (replace(few, sampled=41), read, SIZES),
        (few, read, Sizes(300, 8, 6)),
        (few, replace(read, ids=np.flip(read.ids)), SIZES),
    ]
    assert len({pretrain(*one, tmp_path).path for one in kinds}) == len(kinds)


def test_a_damaged_state_is_reported_with_its_file(
    with_pile: Preparation, asked: RunSettings, tmp_path: Path
) -> None:
    read = read_by(with_pile, asked)
    folder = pretrain(replace(ASKED, epochs=1), read, SIZES, tmp_path).path
    (folder / "pretraining.json").unlink()
    (folder / "state.safetensors").write_bytes(b"nothing")
    with pytest.raises(SentilabError, match=r"state.safetensors: .* damaged"):
        pretrain(replace(ASKED, epochs=1), read, SIZES, tmp_path)


def test_a_run_starts_from_the_pretrained_weights(
    with_pile: Preparation, asked: RunSettings, tmp_path: Path
) -> None:
    still = replace(asked, learning_rate=0.0)
    run = train(still, with_pile.examples(still), tmp_path / "study" / "run")
    language = pretrain(
        asked.pretraining or ASKED, read_by(with_pile, still), SIZES, tmp_path / "study/pretraining"
    )
    weights, model = language.weights(), models.load(run.model)
    assert np.array_equal(model.get_layer("embedding").get_weights()[0], weights["embedding"])
    lstm = model.get_layer("bidirectional_1")
    for half, layer in (("forward", lstm.forward_layer), ("backward", lstm.backward_layer)):
        names = ("kernel", "recurrent_kernel", "bias")
        for name, found in zip(names, layer.get_weights(), strict=True):
            assert np.array_equal(found, weights[f"{half}/{name}"])
    told = run.read_json("pretraining.json")
    assert told["folder"] == language.path.name
    assert run.pretraining_seconds() == pytest.approx(sum(told["seconds"]))


def test_runs_with_other_seeds_share_one_pretraining_and_it_changes_none_of_their_bytes(
    with_pile: Preparation, asked: RunSettings, tmp_path: Path
) -> None:
    def run(seed: int, folder: str) -> bytes:
        settings = replace(asked, seed=seed)
        path = tmp_path / folder / f"seed-{seed}"
        return train(settings, with_pile.examples(settings), path).weights.read_bytes()

    first, second = run(1, "one"), run(2, "one")
    assert len(list((tmp_path / "one" / "pretraining").iterdir())) == 1
    # Here it is the second run that pretrains, and there it found everything done.
    assert run(2, "other") == second != first


def test_neither_labels_nor_other_test_texts_change_the_pretrained_weights(
    corpus: Dataset, pile: Unlabelled, asked: RunSettings, tmp_path: Path
) -> None:
    held_out = np.flatnonzero(corpus.splits == "test")
    assert len(held_out)
    # Of these other texts may be read instead, once they are no longer tested on.
    read_elsewhere = {tuple(words_of(corpus.texts[row])) for row in held_out}
    fresh = [one for one in pile.texts if tuple(words_of(one)) not in read_elsewhere]
    pile = replace(pile, texts=fresh)
    texts = list(corpus.texts)
    for row in held_out:
        texts[row] = f"entirely other words {row}"
    # The holdout protocol's parts depend on the labels; the notebook's do not.
    settings = replace(asked, protocol="notebook")
    others = [
        corpus,
        replace(corpus, labels=np.random.default_rng(1).permutation(corpus.labels)),
        replace(corpus, texts=texts),
    ]
    found = set()
    for number, dataset in enumerate(others):
        read = read_by(Preparation(dataset, unlabelled=pile), settings)
        folder = pretrain(ASKED, read, SIZES, tmp_path / str(number)).path
        found.add((folder.name, (folder / "weights.safetensors").read_bytes()))
    assert len(found) == 1


def test_without_the_labelled_texts_both_protocols_share_vocabulary_and_pretraining(
    with_pile: Preparation, asked: RunSettings
) -> None:
    assert asked.pretraining is not None
    alone = replace(asked, pretraining=replace(asked.pretraining, labelled=False))
    first = with_pile.examples(alone)
    second = with_pile.examples(replace(alone, protocol="notebook"))
    assert first.vocabulary == second.vocabulary
    assert first.corpus is not None
    assert second.corpus is not None
    assert first.corpus.fingerprint == second.corpus.fingerprint


def test_a_model_without_the_layers_is_refused(
    with_pile: Preparation, asked: RunSettings, tmp_path: Path
) -> None:
    settings = replace(asked, model="mlp", model_settings={})
    with pytest.raises(SettingsError, match='"mlp" cannot be pretrained'):
        train(settings, with_pile.examples(settings), tmp_path / "run")


def test_missing_or_other_unlabelled_texts_are_reported(
    preparation: Preparation, corpus: Dataset, pile: Unlabelled, asked: RunSettings
) -> None:
    with pytest.raises(SettingsError, match="there are none here"):
        preparation.examples(asked)
    others = replace(pile, fingerprint="0" * 64)
    with pytest.raises(SettingsError, match="are others"):
        Preparation(corpus, unlabelled=others).examples(asked)


def test_labelled_texts_alone_can_be_pretrained_on(
    preparation: Preparation, small_settings: Settings, tmp_path: Path
) -> None:
    settings = replace(
        small_settings("bilstm1", epochs=1), pretraining=replace(ASKED, row_length=8, epochs=1)
    )
    run = train(settings, preparation.examples(settings), tmp_path / "study" / "run")
    assert run.read_json("pretraining.json")["texts"] > 0


def test_rows_longer_than_all_texts_are_refused(
    with_pile: Preparation, asked: RunSettings, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="row_length is 1000000"):
        pretrain(replace(ASKED, row_length=1_000_000), read_by(with_pile, asked), SIZES, tmp_path)


def test_the_settings_survive_a_file_and_belong_to_the_runs_fingerprint(asked: RunSettings) -> None:
    assert RunSettings.from_dict(asked.to_dict()) == asked
    assert asked.pretraining is not None
    longer = replace(asked, pretraining=replace(asked.pretraining, epochs=9))
    none = replace(asked, pretraining=None)
    assert len({one.fingerprint("data") for one in (asked, longer, none)}) == 3
    assert "pretraining" not in none.to_dict()


def test_an_estimate_counts_all_steps_and_writes_nothing(
    with_pile: Preparation,
    small_settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    corpus = read_by(with_pile, replace(small_settings("bilstm1"), pretraining=ASKED))
    steps: list[float] = []
    clock = iter(range(100))
    monkeypatch.setattr(work, "time", SimpleNamespace(perf_counter=lambda: float(next(clock))))
    step = Trainer.step
    monkeypatch.setattr(
        Trainer, "step", lambda *given: (steps.append(next(clock)), step(*given))[1]
    )
    found = work.expected_seconds(ASKED, corpus, SIZES)
    batches = len(corpus.ids) // ASKED.row_length // ASKED.batch_size
    # The clock moves on by 1 with each step, and 1 more when it is read.
    assert len(steps) == 8
    assert found == pytest.approx(ASKED.epochs * batches * 7 / 6)
    assert not list(tmp_path.iterdir())
