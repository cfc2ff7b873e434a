from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tune_small import Hearing, small_search

from sentilab.training import Preparation
from sentilab.tune import Budget, Tuned, Tuning


@pytest.fixture(scope="session")
def tuned(preparation: Preparation, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """A finished search of six trials, which no test may change."""
    runs = tmp_path_factory.mktemp("tuned")
    return Tuning.prepare(small_search(pruning="none"), preparation, runs).carry_out(
        Budget(trials=6), Hearing()
    )


@pytest.fixture
def search_in(preparation: Preparation, tmp_path: Path) -> Callable[..., Tuning]:
    """A small search in an empty folder; the same one again if asked again."""

    def make(
        *, data: Preparation | None = None, clock: Any = None, runs: str = ".", **changes: Any
    ) -> Tuning:
        more = {"clock": clock} if clock else {}
        return Tuning.prepare(small_search(**changes), data or preparation, tmp_path / runs, **more)

    return make
