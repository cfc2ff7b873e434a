from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from sentilab import models
from sentilab.errors import SentilabError, SettingsError
from sentilab.probe import Classifier
from sentilab.probe.attributions import (
    BASELINES,
    Explainer,
    agreement,
    explain,
    is_word,
    strongest,
)
from sentilab.probe.halves import CannotSplit
from sentilab.text import Encoding, Vocabulary

LENGTH = 10
WORDS = ("good", "bad", "film", "the", "not")
GOOD, BAD = 4, 5


def classifier(model: Any, labels: tuple[str, ...] = ("negative", "positive")) -> Classifier:
    return Classifier(model, Vocabulary(WORDS, Encoding(len(WORDS) + 4, LENGTH)), labels)


def built(name: str, classes: int = 2, **settings: Any) -> Classifier:
    """With weights large enough for words to matter, and the same each time."""
    keras.utils.set_random_seed(3)
    task = models.Task(len(WORDS) + 4, LENGTH, classes)
    model = models.build(name, task, {"embedding": 6, "units": 5, **settings})
    table = model.get_layer("embedding")
    table.set_weights([20 * one for one in table.get_weights()])
    return classifier(model, ("negative", "positive", "mixed")[:classes])


@cache
def explainer(name: str, classes: int = 2) -> Explainer:
    """Of a built-in model, or of ``linear``; what it compiles serves several tests."""
    return Explainer(linear() if name == "linear" else built(name, classes))


def linear() -> Classifier:
    """Log odds that are the sum of each vector's product with weights of its position."""
    words = keras.Input((LENGTH,), dtype="int32")
    x = keras.layers.Embedding(len(WORDS) + 4, 3)(words)
    x = keras.layers.Flatten()(x)
    return classifier(keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(x)))


def texts() -> NDArray[np.int32]:
    random = np.random.default_rng(0)
    x = random.integers(2, len(WORDS) + 4, (3, LENGTH)).astype(np.int32)
    x[1, :4], x[1, 4] = 0, 1
    return x


ONES = np.ones(3, np.int64)


@pytest.mark.parametrize("name", ["mlp", "bilstm2"])
def test_attributions_sum_to_the_change_from_the_baseline(name: str) -> None:
    for baseline in BASELINES:
        found = explainer(name).integrated_gradients(texts(), ONES, baseline=baseline)
        assert found.gap is not None
        assert found.reference is not None
        # A layer of relu has kinks, which points do not hit exactly; tanh and sigmoid have none.
        allowed = 0.02 if name == "mlp" else 1e-4
        assert np.abs(found.gap).max() <= allowed * max(1, np.abs(found.log_odds).max())
        assert np.abs(found.log_odds - found.reference).max() > 0.01


def test_for_a_linear_model_they_are_weight_times_input() -> None:
    one = explainer("linear").classifier
    table, kernel = one.model.layers[1].get_weights()[0], one.model.layers[-1].get_weights()[0]
    x = texts()
    expected = (table[x] * kernel.reshape(LENGTH, 3)).sum(axis=-1) * is_word(x)
    for steps in (1, 50):
        found = explainer("linear").integrated_gradients(x, ONES, steps=steps, baseline="zero")
        np.testing.assert_allclose(found.values, expected, atol=1e-6)


def test_occlusion_of_a_linear_model_is_the_difference_of_the_vectors() -> None:
    one = explainer("linear").classifier
    table, kernel = one.model.layers[1].get_weights()[0], one.model.layers[-1].get_weights()[0]
    x = texts()
    change = table[x] - table[Encoding.OUT_OF_VOCABULARY]
    expected = (change * kernel.reshape(LENGTH, 3)).sum(axis=-1) * is_word(x)
    np.testing.assert_allclose(explainer("linear").occlusion(x, ONES).values, expected, atol=1e-5)


@pytest.mark.parametrize(("name", "settings"), [("bilstm1", {}), ("bilstm2", {"masked": True})])
def test_gradients_are_those_of_finite_differences(name: str, settings: dict[str, Any]) -> None:
    one = Explainer(built(name, **settings))
    x = texts()[1:2]
    # One step is the gradient half way, times the way.
    found = one.integrated_gradients(x, ONES[:1], steps=1).values[0]
    parts = one._halves
    end = np.asarray(parts.embedding(x))[0]
    way = np.where(is_word(x)[0][:, None], end, 0)
    # Log odds near 1 are rounded to 1e-7: over a step of 0.02 that is 1e-5 of slope, and the next
    # term of Taylor's series is of the order of 0.01 ** 2.
    h = 0.01
    moves = np.eye(LENGTH)[:, :, None] * way
    points = np.concatenate([end - way / 2 + h * moves, end - way / 2 - h * moves])
    given = [np.repeat(x, len(points), axis=0), points.astype(np.float32)]
    up, down = np.split(np.asarray(parts.scores_of_vectors(given))[:, 0], 2)
    np.testing.assert_allclose(found, (up - down) / (2 * h), atol=1e-3 * np.abs(found).max())


def test_start_token_and_padding_get_nothing() -> None:
    one, x = explainer("bilstm2"), texts()
    for found in (one.integrated_gradients(x, ONES), one.occlusion(x, ONES)):
        assert not found.values[~is_word(x)].any()
        assert found.values[is_word(x)].any()


def test_texts_explained_together_are_explained_as_alone() -> None:
    one = explainer("mlp")
    x = np.concatenate([texts(), texts()[::-1]])
    labels = np.ones(len(x), np.int64)
    together = one.integrated_gradients(x, labels, steps=12).values
    for row in range(len(x)):
        alone = one.integrated_gradients(x[row : row + 1], labels[:1], steps=12).values[0]
        np.testing.assert_allclose(together[row], alone, atol=1e-5)


def test_log_odds_are_those_of_the_probability_while_float32_can_say_it() -> None:
    one = explainer("mlp", 3)
    x = texts()
    p = one.classifier.score(x).astype(np.float64)
    for label in range(3):
        found = one.log_odds(x, np.full(3, label))
        np.testing.assert_allclose(found, np.log(p[:, label] / (1 - p[:, label])), atol=1e-4)


def test_log_odds_go_on_where_probabilities_have_become_one() -> None:
    one = linear()
    one.model.layers[-1].set_weights([np.zeros((3 * LENGTH, 1)), np.full(1, 40.0)])
    saturated = Explainer(one)
    assert one.score(texts())[0, 1] == 1
    np.testing.assert_allclose(saturated.log_odds(texts(), ONES), 40)
    np.testing.assert_allclose(saturated.log_odds(texts(), 0 * ONES), -40)


def test_a_model_with_another_end_is_explained_by_clipped_probabilities() -> None:
    words = keras.Input((LENGTH,), dtype="int32")
    x = keras.layers.Flatten()(keras.layers.Embedding(len(WORDS) + 4, 3)(words))
    model = keras.Model(words, keras.layers.Dense(1, activation="hard_sigmoid")(x))
    why = explain(Explainer(classifier(model)), "good film", ["occlusion"])
    assert not why.is_exact
    assert why.log_odds == pytest.approx(np.log(why.probability / (1 - why.probability)), abs=1e-4)


def test_with_three_labels_the_predicted_one_is_explained() -> None:
    one = explainer("mlp", 3)
    why = explain(one, "good bad film", ["occlusion"])
    assert why.label == int(one.classifier.predict(["good bad film"])[0].argmax())
    assert why.sides[0] == f"not {why.sides[1]}"


def test_words_are_shown_as_they_are_written_and_those_cut_off_without_a_value() -> None:
    text = "Cut off! " + "The GOOD, the bad <film>. " * 2 + "Not ugly?"
    why = explain(explainer("bilstm2"), text)
    assert len(why.words()) == LENGTH
    parts = why.pieces("ig")
    assert "".join(piece for piece, _ in parts) == text
    assert [piece for piece, value in parts if value is not None] == why.words()
    assert why.first_read == 2 + 10 + 2 - LENGTH
    plain = why.to_json()
    assert [text[one["start"] : one["end"]] for one in plain["words"]] == why.words()
    assert plain["words"][-1]["word"] == "ugly"
    assert not plain["words"][-1]["in_vocabulary"]
    assert plain["words"][-1]["occlusion"] == 0


def test_a_text_without_words_is_refused() -> None:
    with pytest.raises(SentilabError, match="no word"):
        explain(explainer("linear"), " ... ")


def test_steps_must_be_some() -> None:
    with pytest.raises(SettingsError, match="at least 1"):
        explainer("linear").integrated_gradients(texts(), ONES, steps=0)


def test_a_jump_that_the_steps_miss_is_called_a_large_gap() -> None:
    one = linear()
    words, table = one.model.inputs[0], one.model.layers[1]
    vectors = np.ones((len(WORDS) + 4, 3))
    vectors[:2] = 0  # of padding and of the start
    table.set_weights([vectors])
    # A step of the answer close to the baseline, so steep that no point of the path lies on it.
    step = keras.layers.Lambda(lambda v: keras.ops.tanh(1e9 * (keras.ops.max(v, -1, True) - 1e-5)))
    x = step(keras.layers.Flatten()(table(words)))
    model = keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(x))
    assert explain(Explainer(classifier(model)), "good film", ["ig"]).gap_is_large
    assert not explain(explainer("linear"), "good film", ["ig"]).gap_is_large


def test_agreement_counts_the_largest_and_compares_ranks() -> None:
    values = [float(one) for one in range(20)]
    assert agreement(values, values) == agreement(values, [2 * one for one in values])
    assert agreement(values, values).spearman == pytest.approx(1)
    assert agreement(values, [-one for one in values]).spearman == pytest.approx(-1)
    assert agreement(values, values[::-1]).shared == 0
    assert agreement(values, [0.0] * 20).spearman is None
    assert agreement([1.0, 2.0], [2.0, 1.0]).of == 2


def test_the_strongest_are_largest_by_size() -> None:
    assert strongest([0.1, -3.0, 2.0, -0.5], 3) == [1, 2, 3]


@cache
def of_phrases(classes: int) -> Explainer:
    """A linear model over words and pairs of words, fitted to texts in which "not good" is bad."""
    rows = {
        (GOOD, 6): 1, (6, GOOD): 1, (8, GOOD): 0, (BAD, 6): 0, (6, BAD): 0, (8, BAD): 1, (7, 6): 2,
    }  # fmt: skip
    kept = [(row, label) for row, label in rows.items() if label < classes] * 3
    x = np.zeros((len(kept), LENGTH), np.int32)
    x[:, -2:] = [row for row, _ in kept]
    x[:, -3] = 1
    task = models.Task(len(WORDS) + 4, LENGTH, classes)
    labels = np.asarray([label for _, label in kept])
    model = models.solve("logistic", task, x, labels, {"least": 1, "strength": 1e3}, seed=0)
    return Explainer(classifier(model, ("negative", "positive", "mixed")[:classes]))


@pytest.mark.parametrize("classes", [2, 3])
def test_a_model_without_word_vectors_is_explained_by_occlusion(classes: int) -> None:
    one = of_phrases(classes)
    assert one.methods == ("occlusion",)
    assert one.is_exact
    why = explain(one, "not good")
    assert list(why.values) == ["occlusion"]
    assert why.label == (1 if classes == 2 else 0)
    sign = 1 if why.label == 0 else -1
    negation, good = (sign * value for value in why.values["occlusion"])
    # By itself the one is in as many bad texts as the other is in good ones; only together they are bad.
    assert negation > 0.5
    assert negation > good


@pytest.mark.parametrize("classes", [2, 3])
def test_log_odds_of_a_linear_model_are_those_of_its_probabilities(classes: int) -> None:
    one = of_phrases(classes)
    x = one.classifier.encode(["good film", "not good", "bad", "the film the"])
    for label in range(1 if classes == 2 else 0, classes):
        p = one.classifier.score(x)[:, label].astype(np.float64)
        found = one.log_odds(x, np.full(len(x), label))
        np.testing.assert_allclose(1 / (1 + np.exp(-found)), p, atol=1e-5)


def test_asked_for_gradients_without_word_vectors_it_says_why_and_what_to_do() -> None:
    with pytest.raises(CannotSplit) as error:
        explain(of_phrases(2), "not good", ["ig"])
    said = str(error.value)
    assert said.startswith("Integrated gradients cannot explain this model. logistic: its layer")
    assert "Ask for occlusion" in said


def test_a_model_with_word_vectors_is_explained_in_both_ways_unless_told_otherwise() -> None:
    assert explainer("mlp").obstacle == ""
    assert list(explain(explainer("mlp"), "good film").values) == ["ig", "occlusion"]
