"""Which code runs, and what is said of it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sentilab import kernels, layers

pytestmark = pytest.mark.skipif(bool(layers.here()), reason=f"no kernel: {layers.here()}")


@pytest.fixture(autouse=True)
def _the_best_again() -> Iterator[None]:
    yield
    kernels.choose("")  # type: ignore[arg-type]
    kernels.set_threads(0)


def available() -> list[Any]:
    found = []
    for name in ("avx512", "avx2", "neon", "portable"):
        try:
            kernels.choose(name)
        except ValueError:
            continue
        assert kernels.instruction_set() == name
        found.append(name)
    return found


def test_every_instruction_set_gives_the_same_answers_but_for_rounding() -> None:
    x = np.random.default_rng(0).standard_normal((5, 12, 7)).astype(np.float32)
    layer = layers.Bidirectional(layers.LSTM(21, return_sequences=True))
    answers = []
    for name in available():
        kernels.choose(name)
        answers.append(np.asarray(layer(x)))
    assert answers
    for one in answers:
        # Values below 1 after 12 steps of sums of some 30 products each.
        np.testing.assert_allclose(one, answers[0], rtol=0, atol=2e-6)


def test_an_unknown_instruction_set_is_an_error_that_names_the_known() -> None:
    with pytest.raises(ValueError, match=r'"sse9".*"avx512", "avx2", "neon", "portable"'):
        kernels.choose("sse9")  # type: ignore[arg-type]


def doctor(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sentilab", "doctor"],
        env={**os.environ, **environment, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_doctor_says_what_runs_and_with_how_many_threads() -> None:
    told = doctor(SENTILAB_ISA="portable", SENTILAB_THREADS="1").stdout
    assert "fused, portable code, 1 thread" in told
    assert "fused, portable code, 3 threads" in doctor(SENTILAB_ISA="portable", NPROC="3").stdout


def test_the_doctor_says_why_there_is_no_kernel() -> None:
    hidden = "import sentilab.kernels.native as n; n.opened = lambda: None\n"
    told = subprocess.run(
        [sys.executable, "-c", hidden + "from sentilab.cli.doctor import command; command([])"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    assert "Keras's own layers: the kernel is not there: it was not compiled" in " ".join(
        told.split()
    )


@pytest.mark.parametrize(
    ("variable", "value"), [("SENTILAB_ISA", "mmx"), ("SENTILAB_THREADS", "many")]
)
def test_a_wrong_environment_variable_is_named(variable: str, value: str) -> None:
    done = doctor(**{variable: value})
    assert done.returncode == 1
    assert variable in done.stderr
    assert value in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of glibc's")
def test_freed_memory_is_kept_where_the_command_line_asks_for_it() -> None:
    code = "from sentilab import kernels; print(kernels.keep_freed_memory())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
