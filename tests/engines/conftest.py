"""Workers that find ``work``, the tasks of these tests."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from sentilab.engines import LocalPool

HERE = {"PYTHONPATH": str(Path(__file__).parent)}


@pytest.fixture(scope="session")
def pool_of() -> Callable[..., AbstractContextManager[LocalPool]]:
    def make(processes: int = 1, threads: int = 1, **options: Any) -> LocalPool:
        return LocalPool(processes, threads, environment=HERE, **options)

    return make


@pytest.fixture
def pool(pool_of: Callable[..., LocalPool]) -> Iterator[LocalPool]:
    with pool_of(2) as made:
        yield made
