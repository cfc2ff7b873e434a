import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import films  # noqa: E402


def test_names_are_what_is_written_with_a_capital_in_a_few_texts() -> None:
    texts = ["Bergman made it", "by Bergman in Sweden", "Made in sweden", "Sweden", "Sweden Once"]
    found = films.names(texts).toarray()
    assert found.shape == (5, 2)  # bergman and sweden; "once" stands alone, "made" is no name
    by_name = {tuple(column.astype(int)) for column in found.T}
    assert by_name == {(1, 1, 0, 0, 0), (0, 1, 1, 1, 1)}


def test_what_shares_names_with_the_held_out_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(films, "PRAISE", (0, 1))
    monkeypatch.setattr(films, "BLAME", ((0, 1),))
    texts = [
        "Anna Berta Clara",
        "Dora Emil Fritz",
        "Anna Berta Clara again",
        "Anna Berta",
        "Dora Emil Fritz",
    ]
    labels, numbers = np.array([1, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 2])
    train, held = films.parts(texts, labels, numbers)
    assert held.tolist() == [0, 1]
    assert train.tolist() == [3]
