"""What every test shares: a small corpus, and a home that is not the user's."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from sentilab.data import Dataset
from sentilab.data.generated import generate
from sentilab.probe import Subject
from sentilab.training import Preparation, RunSettings

# A busy machine is no fault of the code's.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

SMALL = {"embedding": 8, "units": 8}


@pytest.fixture(autouse=True)
def _a_home_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Caches and downloads of a test never meet those of the user or of another test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def corpus() -> Dataset:
    """A few hundred generated sentences."""
    return generate(train=240, test=120)


@pytest.fixture(scope="session")
def preparation(corpus: Dataset) -> Preparation:
    return Preparation(corpus)


def _small_settings(model: str = "mlp", **changes: object) -> RunSettings:
    plain: dict[str, object] = {
        "model": model,
        "model_settings": SMALL,
        "words": 300,
        "length": 12,
        "protocol": "notebook",
    }
    return RunSettings.from_dict(plain | changes)


@pytest.fixture
def small_settings() -> Callable[..., RunSettings]:
    """Run settings that train in a second or two."""
    return _small_settings


@pytest.fixture(scope="session")
def small_subject(
    corpus: Dataset, preparation: Preparation, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Subject]:
    """A finished run of a small model under the held-out protocol, trained once a test process."""
    kept: dict[tuple[str, bool], Subject] = {}

    def of(model: str = "bilstm1", masked: bool = False) -> Subject:
        if (model, masked) not in kept:
            from sentilab.training import RunFolder, train

            settings = _small_settings(
                model,
                protocol="holdout",
                model_settings={**SMALL, **({"masked": True} if masked else {})},
            )
            run = RunFolder(tmp_path_factory.mktemp("subject") / f"{model}-{masked}")
            train(settings, preparation.examples(settings), run.path)
            kept[model, masked] = Subject(run, corpus, preparation)
        return kept[model, masked]

    return of


@pytest.fixture(scope="session")
def small_bundle(
    small_subject: Callable[..., Subject], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """A bundle of such a run, with an 8-bit graph: a folder that no test may change."""
    kept: dict[tuple[str, bool], Path] = {}

    def of(model: str = "bilstm1", masked: bool = False) -> Path:
        if (model, masked) not in kept:
            from sentilab.bundle import build_bundle

            name = f"small-{model}{'-masked' if masked else ''}"
            path = tmp_path_factory.mktemp("bundle") / name
            build_bundle(small_subject(model, masked), path, name=name, int8=True)
            kept[model, masked] = path
        return kept[model, masked]

    return of


@pytest.fixture
def sentilab(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line in a process of its own, in an empty folder."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sentilab", *arguments],
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            **options,  # type: ignore[call-overload]
        )

    return run
