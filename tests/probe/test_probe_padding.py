import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sentilab import models
from sentilab.data import Dataset
from sentilab.probe import Subject, padding
from sentilab.probe.padding import Effect, FinalState, Result, Stratum, Trace
from sentilab.training import Preparation, RunFolder, RunSettings, train

LENGTH = 12
TASK = models.Task(words=50, length=LENGTH, classes=2)


def texts(number: int = 8) -> NDArray[np.int32]:
    """Encoded texts of 1 token up to LENGTH, padded in front."""
    random = np.random.default_rng(1)
    x = random.integers(1, TASK.words, (number, LENGTH)).astype(np.int32)
    for row in range(number):
        x[row, : LENGTH - 1 - row * (LENGTH - 1) // (number - 1)] = 0
    return x


def traced(model: str, side: str, zeros: int, **settings: object) -> Trace:
    built = models.build(model, TASK, {"embedding": 8, "units": 8, **settings})
    x = texts()
    found = padding.trace(built, x, padding.padded(x, side, zeros))  # type: ignore[arg-type]
    return Trace(side, zeros, found)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "side", "reached"),
    [
        # Read forwards, zeros in front come before the words; read backwards, zeros behind do.
        ("bilstm2", "front", "the forward direction of bidirectional_1"),
        ("bilstm2", "behind", "the backward direction of bidirectional_1"),
        # Of one layer the last states count, and the backward one is last at the front.
        ("bilstm1", "front", "both directions of bidirectional_1"),
        ("mlp", "moved", "flatten"),
    ],
)
def test_the_first_layer_that_padding_reaches_is_named(model: str, side: str, reached: str) -> None:
    assert traced(model, side, 0 if side == "moved" else LENGTH).first == reached


def test_in_the_second_layer_padding_is_everywhere() -> None:
    found = {(one.layer, one.part): one for one in traced("bilstm2", "front", 6).outputs}
    assert not found["embedding", ""].differs
    assert not found["bidirectional_1", "backward"].differs
    assert found["bidirectional_2", "backward"].differs
    assert found["output", ""].differs


@pytest.mark.parametrize("side", ["front", "behind", "moved"])
def test_no_layer_of_a_masked_model_is_reached(side: str) -> None:
    found = traced("bilstm2", side, 0 if side == "moved" else 6, masked=True)
    assert found.first == found.first_layer == ""
    assert len(found.outputs) == 6


def test_outputs_of_other_shapes_are_not_compared() -> None:
    keras = models.import_keras()
    words = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(TASK.words, 4, name="embedding")(words)
    x = keras.layers.Cropping1D(1, name="windows")(x)
    x = keras.layers.GlobalMaxPooling1D(name="strongest")(x)
    found = padding.trace(keras.Model(words, x), texts(), padding.padded(texts(), "front", 4))
    by_name = {one.layer: one.difference for one in found}
    assert by_name["embedding"] == 0
    assert by_name["windows"] is None
    assert by_name["strongest"] is not None


def test_the_spread_of_a_final_state_is_that_of_its_numbers_from_text_to_text() -> None:
    built = models.build("bilstm2", TASK, {"embedding": 8, "units": 8})
    short, full = texts()[:4], texts()[4:]
    forward, backward = padding.final_states(built, [short, full])
    keras = models.import_keras()
    layer = built.get_layer("bidirectional_2")
    outputs = keras.Model(built.inputs, layer.output).predict(texts(), verbose=0)
    assert (forward.name, backward.part) == (
        "the forward direction of bidirectional_2",
        "backward",
    )
    assert forward.spread[0] == pytest.approx(outputs[:4, :8].std(axis=0).mean(), rel=1e-4)
    assert backward.spread[1] == pytest.approx(outputs[4:, 8:].std(axis=0).mean(), rel=1e-4)


def test_a_state_is_forgotten_where_it_hardly_differs_from_text_to_text() -> None:
    state = FinalState("lstm", "", (0.0, 0.0005, 0.003, 0.2))
    strata = tuple(Stratum(one, one, 10, 5, 5) for one in (1, 2, 3, 4))
    found = Result(4, False, strata, (), (), (state,))
    assert state.name == "lstm"
    assert found.forgotten(state) == strata[:2]
    assert padding.spans(found.forgotten(state)) == ["1-2"]
    assert padding.spans((strata[0], strata[3])) == ["1", "4"]


def test_models_without_a_final_state_have_none() -> None:
    built = models.build("mlp", TASK, {"embedding": 8, "units": 8})
    assert padding.final_states(built, [texts()]) == ()


rows = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=7), min_size=1, max_size=5)


@given(rows, st.sampled_from(["front", "behind", "moved"]), st.integers(1, 9))
def test_another_padding_keeps_the_words_and_their_order(
    words: list[list[int]], side: str, zeros: int
) -> None:
    x = np.asarray([[0] * (7 - len(row)) + row for row in words], np.int32)
    other = padding.padded(x, side, zeros)  # type: ignore[arg-type]
    assert other.shape == (len(x), 7 if side == "moved" else 7 + zeros)
    assert [list(row[row != 0]) for row in other] == words
    if side == "moved":
        assert all(row[0] for row in other)


@given(st.integers(1, 500))
def test_every_length_lies_in_exactly_one_bin(length: int) -> None:
    bins = padding.length_bins(length)
    held = [tokens for low, high in bins for tokens in range(low, high + 1)]
    assert held == list(range(1, length + 1))


def test_the_bins_of_the_notebooks_length_are_quarters_and_the_full_texts() -> None:
    assert padding.length_bins(200) == [(1, 50), (51, 100), (101, 150), (151, 199), (200, 200)]
    tried = padding.paddings(200, fixed=False)
    assert tried[:3] == [("front", 50), ("front", 100), ("front", 200)]
    assert padding.paddings(200, fixed=True) == [("moved", 0)]


def test_shares_are_weighed_by_how_many_texts_have_each_length() -> None:
    strata = (Stratum(1, 5, 900, 800, 10), Stratum(6, 12, 100, 50, 20))
    effect = Effect("front", 4, flipped=(1, 10), mean=(0.1, 0.5), largest=(0.2, 0.9))
    found = Result(12, False, strata, (effect,), (), ())
    assert found.flips(effect) == pytest.approx(0.9 * 0.1 + 0.1 * 0.5)
    assert found.change(effect) == pytest.approx(0.9 * 0.1 + 0.1 * 0.5)


@pytest.fixture(scope="module")
def probed(
    corpus: Dataset, preparation: Preparation, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Subject, Result]]:
    """A small run of a model, trained for a moment, and what the probe says of it."""
    known: dict[str, tuple[Subject, Result]] = {}

    def of(model: str) -> tuple[Subject, Result]:
        if model not in known:
            folder: Path = tmp_path_factory.mktemp(model)
            settings = RunSettings(
                model, {"embedding": 8, "units": 8}, epochs=1, words=300, length=LENGTH
            )
            train(settings, preparation.examples(settings), folder)
            subject = Subject(RunFolder(folder), corpus, preparation)
            known[model] = (subject, padding.measure(subject))
        return known[model]

    return of


def test_the_changes_are_those_of_the_models_own_answers(
    probed: Callable[[str], tuple[Subject, Result]],
) -> None:
    subject, found = probed("bilstm1")
    x = subject.examples.test.x
    tokens = (x != 0).sum(axis=1)
    assert not found.fixed
    assert {one.side for one in found.effects} == {"front", "behind", "moved"}
    assert sum(one.texts for one in found.strata) == len(x)
    assert sum(one.right for one in found.strata) == subject.run.predictions().correct.sum()
    effect = found.furthest[0]
    own, other = (
        subject.classifier.score(each) for each in (x, padding.padded(x, "front", effect.zeros))
    )
    for at, one in enumerate(found.strata):
        inside = (tokens >= one.shortest) & (tokens <= one.longest)
        assert one.texts == inside.sum()
        assert one.sampled == min(one.texts, padding.SAMPLED)
        if one.sampled < one.texts:
            continue
        changes = np.abs(own - other)[inside, 1]
        assert effect.mean[at] == pytest.approx(changes.mean(), abs=1e-6)
        assert effect.largest[at] == pytest.approx(changes.max(), abs=1e-6)
        flipped = (own.argmax(axis=1) != other.argmax(axis=1))[inside].sum()
        assert effect.flipped[at] == flipped
    assert "bidirectional_1" in padding.lines(found)[-1]


def test_a_model_of_fixed_length_is_asked_what_it_can_be(
    probed: Callable[[str], tuple[Subject, Result]],
) -> None:
    _, found = probed("mlp")
    assert found.fixed
    assert [one.side for one in found.effects] == ["moved"]
    assert "its length is fixed" in padding.lines(found)[0]
    assert padding.lines(found)[-1] == "the first layer that it reaches: flatten"


def test_a_model_that_padding_does_not_reach_is_said_to_be_such() -> None:
    strata = (Stratum(1, 12, 100, 90, 10),)
    effect = Effect("moved", 0, (0,), (0.0,), (0.0,))
    traces = (traced("bilstm1", "moved", 0, masked=True),)
    unmoved = Result(12, False, strata, (effect,), traces, ())
    assert not unmoved.reached
    assert padding.lines(unmoved) == [
        "padding: it changes nothing that any layer gives out (10 test texts)"
    ]


def test_a_result_comes_back_from_json(probed: Callable[[str], tuple[Subject, Result]]) -> None:
    for model in ("bilstm1", "mlp"):
        _, found = probed(model)
        assert Result.from_json(json.loads(json.dumps(found.to_json()))) == found
    with pytest.raises((KeyError, TypeError)):
        Result.from_json({"length": 12})
