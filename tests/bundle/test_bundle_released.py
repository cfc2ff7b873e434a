"""Bundles of every released format keep loading: their examples must get the answers of then.

The files were made by `sentilab export` of their time, on the generated corpus, and are never renewed;
a new format gets new ones beside them.
"""

from pathlib import Path

import pytest

from sentilab.bundle import EngineChoice, load
from sentilab.bundle.format import FORMAT

RELEASED = sorted((Path(__file__).parent / "released").glob("*.zip"))


def test_there_is_one_of_each_format() -> None:
    formats = {int(one.name.split("-")[1]) for one in RELEASED}
    assert formats == set(range(1, FORMAT + 1))


@pytest.mark.parametrize("engine", ["native", "onnx", "int8"])
@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_a_released_bundle_loads_and_answers_as_it_did(path: Path, engine: EngineChoice) -> None:
    predictor = load(path, engine=engine)  # which checks its examples
    assert predictor.labels == ("negative", "positive")
    assert predictor.predict(["a wonderful film"])[0] in predictor.labels
