"""A scoring job in a folder of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_predictor import FakePredictor

from sentilab.scoring import Scored, score_file


@pytest.fixture
def score(tmp_path: Path) -> Callable[..., Scored]:
    """Scores a file of this name and content in an empty folder, by a fake predictor."""

    def run(name: str, content: bytes | None, out: str, **options: Any) -> Scored:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        predictor = options.pop("predictor", FakePredictor())
        return score_file(predictor, tmp_path / name, tmp_path / out, **options)

    return run


@pytest.fixture
def chunks_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes chunks as small as said."""

    def make(rows: int) -> None:
        monkeypatch.setattr("sentilab.scoring.job.CHUNK_ROWS", rows)

    return make
