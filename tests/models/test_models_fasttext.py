import numpy as np

from sentilab import models
from sentilab.models import Task


def test_the_answer_is_that_of_the_mean_of_word_and_ngram_vectors() -> None:
    task = Task(50, 6, 2)
    model = models.build("fasttext", task, {"embedding": 4, "orders": 2, "buckets": 30})
    random = np.random.default_rng(0)
    model.set_weights([random.standard_normal(one.shape) for one in model.get_weights()])
    table, kernel, bias = model.get_weights()
    x = np.asarray([[0, 0, 1, 7, 8, 9]], np.int32)
    ngrams = np.asarray(model.get_layer("ngrams")(x))[0, 3:, 0]
    assert (ngrams >= 50).all()
    assert (ngrams < 80).all()
    mean = table[[1, 7, 8, 9, *ngrams]].mean(axis=0)
    exact = 1 / (1 + np.exp(-(mean @ kernel + bias)))
    np.testing.assert_allclose(model.predict(x, verbose=0)[0], exact, rtol=1e-5)


def test_order_1_is_a_bag_of_words() -> None:
    model = models.build("fasttext", Task(50, 6, 2), {"embedding": 4, "orders": 1})
    assert model.count_params() == 50 * 4 + 4 + 1
    x = np.random.default_rng(0).integers(1, 50, (3, 6), dtype=np.int32)
    np.testing.assert_allclose(
        model.predict(x[:, ::-1].copy(), verbose=0), model.predict(x, verbose=0), atol=1e-6
    )


def test_with_ngrams_the_order_of_words_matters() -> None:
    model = models.build("fasttext", Task(50, 6, 2), {"embedding": 4, "buckets": 1_000})
    x = np.asarray([[5, 6, 7, 8, 9, 10]], np.int32)
    model.set_weights(
        [np.random.default_rng(0).standard_normal(one.shape) for one in model.get_weights()]
    )
    turned = model.predict(x[:, ::-1].copy(), verbose=0)
    assert abs(turned - model.predict(x, verbose=0)).max() > 1e-3
