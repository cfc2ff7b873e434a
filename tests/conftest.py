"""What every test shares: a small corpus, and a home that is not the user's."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import hypothesis
import pytest

from sentilab.data import Dataset
from sentilab.data.generated import generate
from sentilab.engines import LocalPool, Silent, Status
from sentilab.probe import Subject
from sentilab.training import Preparation, RunSettings

# Each test compiles the same few small programs; commands that tests start find them here too.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "compiled")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(1 << 30))

# A busy machine is no fault of the code's.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

# Of these a model gets those that are settings of it.
SMALL = {
    "embedding": 8,
    "units": 8,
    "filters": 8,
    "buckets": 200,
    "orders": 2,
}


@pytest.fixture(autouse=True)
def _a_home_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Caches and downloads of a test never meet those of the user or of another test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


class Assassin(Silent):
    """Has the workers of the first so many attempts killed, some moments after each began."""

    def __init__(self, pool: LocalPool, moments: Iterable[float]) -> None:
        self.pool, self.moments = pool, iter(moments)
        self.killed = 0

    def started(self, status: Status) -> None:
        moment = next(self.moments, None)
        if moment is not None:
            pid = self.pool.pids()[status.worker]
            threading.Timer(moment, self.kill, [pid]).start()

    def kill(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.killed += 1


@pytest.fixture
def assassin() -> type[Assassin]:
    return Assassin


@pytest.fixture(scope="session")
def corpus() -> Dataset:
    """A few hundred generated sentences."""
    return generate(train=240, test=120)


@pytest.fixture(scope="session")
def preparation(corpus: Dataset) -> Preparation:
    return Preparation(corpus)


SMALL_STUDY = """
name = "small"
seeds = {seeds}
[data]
source = "generated"
words = 300
length = 12
[protocol]
name = "holdout"
[defaults]
model_settings = {{ embedding = 8, units = 8 }}
[[run]]
name = "e{{epochs}}"
model = "mlp"
epochs = {epochs}
"""


@pytest.fixture
def small_study(tmp_path: Path) -> Callable[..., Path]:
    """Writes a study of small MLPs, one for each number of epochs and seed."""

    def write(epochs: list[int], seeds: list[int], more: str = "", name: str = "small") -> Path:
        file = tmp_path / f"{name}.toml"
        file.write_text(SMALL_STUDY.format(epochs=epochs, seeds=seeds) + more)
        return file

    return write


# All their weights are those of n-grams, which keep 32 bits.
_ONLY_NGRAMS = ("characters", "documents", "logistic", "majority", "nblr", "nbsvm")


def _small(model: str) -> dict[str, object]:
    from sentilab import models

    known = models.describe(model).settings if model in models.names() else SMALL
    return {name: value for name, value in SMALL.items() if name in known}


def _small_settings(model: str = "mlp", **changes: object) -> RunSettings:
    plain: dict[str, object] = {
        "model": model,
        "model_settings": _small(model),
        "words": 300,
        "length": 12,
        "protocol": "notebook",
    }
    return RunSettings.from_dict(plain | changes)


def _held_out(model: str, masked: bool = False) -> RunSettings:
    own = _small(model) | ({"masked": True} if masked else {})
    return _small_settings(model, protocol="holdout", model_settings=own)


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
            from sentilab.training import train
            from sentilab.training.ensembling import ENSEMBLE, ensemble_settings

            folder = tmp_path_factory.mktemp("subject")
            if model == ENSEMBLE:
                members = [_held_out("bilstm1", masked), _held_out("logistic")]
                for one in members:
                    name = one.folder_name(corpus.fingerprint)
                    train(one, preparation.examples(one), folder / name)
                settings = ensemble_settings(members)
            else:
                settings = _held_out(model, masked)
            run = train(settings, preparation.examples(settings), folder / f"{model}-{masked}")
            kept[model, masked] = Subject(run, corpus, preparation)
        return kept[model, masked]

    return of


@pytest.fixture(scope="session")
def small_bundle(
    small_subject: Callable[..., Subject], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """A bundle of such a run, with an 8-bit graph if it can: a folder that no test may change."""
    kept: dict[tuple[str, bool], Path] = {}

    def of(model: str = "bilstm1", masked: bool = False) -> Path:
        if (model, masked) not in kept:
            from sentilab.bundle import build_bundle

            name = f"small-{model}{'-masked' if masked else ''}"
            path = tmp_path_factory.mktemp("bundle") / name
            int8 = model not in _ONLY_NGRAMS
            build_bundle(small_subject(model, masked), path, name=name, int8=int8)
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


class _Swallows:
    """What is interrupted in its destructor, where Python ignores exceptions."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.fixture
def lose_an_interrupt() -> Iterator[Callable[[], None]]:
    """Has Ctrl-C pressed at a moment at which KeyboardInterrupt is printed and ignored."""
    # A shell starts what it has in the background with SIGINT ignored, pytest among them.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def lose() -> None:
        _Swallows()  # goes at once

    yield lose
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler
