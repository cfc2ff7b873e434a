import numpy as np
import pytest

from sentilab import models
from sentilab.errors import SettingsError
from sentilab.models import Task


def test_a_phrase_counts_the_same_wherever_it_stands() -> None:
    settings = {"embedding": 6, "filters": 5, "narrowest": 2, "widest": 2}
    model = models.build("cnn", Task(50, 8, 2), settings)
    random = np.random.default_rng(0)
    model.set_weights([random.standard_normal(one.shape) for one in model.get_weights()])
    early, late, turned = (
        [3, 7, 8, 3, 3, 3, 3, 3],
        [3, 3, 3, 3, 7, 8, 3, 3],
        [3, 8, 7, 3, 3, 3, 3, 3],
    )
    x = np.asarray([early, late, turned], np.int32)
    answers = model.predict(x, verbose=0)[:, 0]
    assert answers[0] == pytest.approx(answers[1], abs=1e-6)
    assert abs(answers[2] - answers[0]) > 1e-3


@pytest.mark.parametrize(("narrowest", "widest", "layers"), [(1, 1, 1), (2, 4, 3), (3, 3, 1)])
def test_there_is_one_convolution_for_each_width(narrowest: int, widest: int, layers: int) -> None:
    settings = {"embedding": 4, "filters": 3, "narrowest": narrowest, "widest": widest}
    model = models.build("cnn", Task(50, 8, 2), settings)
    windows = [one for one in model.layers if one.name.startswith("windows_of_")]
    assert [one.kernel_size[0] for one in windows] == list(range(narrowest, widest + 1))
    assert len(windows) == layers


def test_widths_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(SettingsError, match="narrowest is 4 and widest 3"):
        models.build("cnn", Task(50, 8, 2), {"narrowest": 4, "widest": 3})
