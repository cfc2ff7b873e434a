"""The kernel's forward pass without JAX, against Keras's own layers."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from sentilab import kernels
from sentilab.kernels.inference import Tokens, Weights, forward, project

if kernels.missing():
    pytest.skip(kernels.missing(), allow_module_level=True)

INPUTS, UNITS, STEPS, BATCH = 7, 5, 9, 6


def drawn(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).normal(0, 0.5, shape).astype(np.float32)


def layer(sequences: bool, both: bool = True, backwards: bool = False) -> keras.layers.Layer:
    one = keras.layers.LSTM(UNITS, return_sequences=sequences, go_backwards=backwards)
    made = keras.layers.Bidirectional(one) if both else one
    made.build((None, None, INPUTS))
    made.set_weights([drawn(*each.shape) for each in made.get_weights()])
    return made


def weights(of: keras.layers.Layer) -> tuple[Weights, ...]:
    parts = [np.ascontiguousarray(one) for one in of.get_weights()]
    return tuple(Weights(*parts[at : at + 3]) for at in range(0, len(parts), 3))


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_both_directions_answer_as_in_keras(sequences: bool, threads: int) -> None:
    x, wanted = drawn(BATCH, STEPS, INPUTS), layer(sequences)
    found = forward(x, weights(wanted), sequences=sequences, threads=threads)
    # Float32 sums of a dozen products in another order, through nine steps.
    np.testing.assert_allclose(found, np.asarray(wanted(x)), rtol=0, atol=1e-6)


def test_one_direction_backwards_answers_as_in_keras() -> None:
    x, wanted = drawn(BATCH, STEPS, INPUTS), layer(False, both=False, backwards=True)
    found = forward(x, weights(wanted), reverse=True)
    np.testing.assert_allclose(found, np.asarray(wanted(x)), rtol=0, atol=1e-6)


def test_masked_tokens_are_not_read() -> None:
    table = drawn(11, INPUTS)
    ids = np.random.default_rng(0).integers(1, 11, (BATCH, STEPS)).astype(np.int32)
    for row in range(BATCH):
        ids[row, :row] = 0
    wanted = layer(False)
    found = forward(Tokens(ids, table), weights(wanted), mask=ids != 0)
    alone = [np.asarray(wanted(table[row[row != 0]][None]))[0] for row in ids]
    np.testing.assert_allclose(found, np.stack(alone), rtol=0, atol=1e-6)


def test_the_number_of_threads_changes_no_bit() -> None:
    x, directions = drawn(300, STEPS, INPUTS), weights(layer(False))
    one, many = (forward(x, directions, threads=number) for number in (1, 4))
    np.testing.assert_array_equal(one, many)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("batch", [1, 40])
def test_a_table_multiplied_before_changes_no_bit(batch: int, masked: bool) -> None:
    # Many rows of few words, and few of many: without it the kernel takes one of two ways.
    for words in (11, 5_000):
        table, directions = drawn(words, INPUTS), weights(layer(False))
        ids = np.random.default_rng(1).integers(0, words, (batch, STEPS)).astype(np.int32)
        mask = ids > 2 if masked else None
        plain = forward(Tokens(ids, table), directions, mask=mask)
        ready = Tokens(ids, table, project(table, directions, threads=2))
        np.testing.assert_array_equal(forward(ready, directions, mask=mask), plain)


def test_arrays_that_do_not_fit_are_refused() -> None:
    x, directions = drawn(BATCH, STEPS, INPUTS), weights(layer(False))
    with pytest.raises(ValueError, match="C-contiguous float32"):
        forward(x.astype(np.float64), directions)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="C-contiguous float32"):
        forward(x[:, ::2], directions)
    with pytest.raises(ValueError, match="C-contiguous float32"):
        forward(drawn(BATCH, STEPS, INPUTS + 1), directions)
    for wrong in (-1, 11):
        ids = np.full((BATCH, STEPS), wrong, np.int32)
        with pytest.raises(ValueError, match="between 0 and 10"):
            forward(Tokens(ids, drawn(11, INPUTS)), directions)


@pytest.mark.parametrize("shape", [(0, STEPS, INPUTS), (BATCH, 0, INPUTS)])
def test_nothing_read_leaves_the_state_at_zero(shape: tuple[int, ...]) -> None:
    found = forward(np.zeros(shape, np.float32), weights(layer(False)))
    np.testing.assert_array_equal(found, np.zeros((shape[0], 2 * UNITS)))


def test_jax_is_not_imported() -> None:
    code = (
        "import sys, numpy as np\n"
        "from sentilab.kernels.inference import Weights, forward\n"
        "w = Weights(np.zeros((2, 4), np.float32), np.zeros((1, 4), np.float32))\n"
        "forward(np.zeros((1, 3, 2), np.float32), (w,))\n"
        "print('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_that_is_kept_for_later_calls_can_be_limited() -> None:
    code = """
import os, sys
import numpy as np
from sentilab import kernels
from sentilab.kernels.inference import Tokens, Weights, forward

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

if sys.argv[1] == "limited":
    kernels.limit_kept_memory(8 << 20)
random = np.random.default_rng(0)
table = np.zeros((20_000, 4), np.float32)
weights = Weights(np.zeros((4, 256), np.float32), np.zeros((64, 256), np.float32))
before = resident()
for batch in range(20, 120, 4):  # each leaves blocks of another size
    ids = random.zipf(1.2, (batch, 200)).clip(0, 19_999).astype(np.int32)
    forward(Tokens(ids, table), (weights, weights))
print(resident() - before)
"""
    grown = {
        way: int(
            subprocess.run(
                [sys.executable, "-c", code, way], capture_output=True, text=True, check=True
            ).stdout
        )
        for way in ("limited", "not")
    }
    assert grown["limited"] + 40 < grown["not"], grown
