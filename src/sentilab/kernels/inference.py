"""The fused LSTM's forward pass on NumPy arrays: no JAX, no gradient."""

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab.kernels.native import missing, opened

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Weights:
    """One direction's, in Keras's layout: gates i, f, c, o side by side.

    Shapes: kernel (inputs, 4 units), recurrent_kernel (units, 4 units), bias (4 units,) or None.
    Float32, C-contiguous.
    """

    kernel: Floats
    recurrent_kernel: Floats
    bias: Floats | None = None


@dataclass(frozen=True)
class Tokens:
    """Inputs given as rows of a table: ids (batch, steps) of int32, table (words, inputs).

    ``projected``: what ``project`` made of the table and the same directions, which then need not be
    multiplied again.
    """

    ids: NDArray[np.int32]
    table: Floats
    projected: Floats | None = None


class _Call(ctypes.Structure):
    """SentilabLstmCall in inference.cc."""

    _fields_ = (
        ("batch", ctypes.c_int64),
        ("steps", ctypes.c_int64),
        ("inputs", ctypes.c_int64),
        ("units", ctypes.c_int64),
        ("words", ctypes.c_int64),
        ("directions", ctypes.c_int32),
        ("reverse", ctypes.c_int32),
        ("kernel", ctypes.c_void_p * 2),
        ("recurrent_kernel", ctypes.c_void_p * 2),
        ("bias", ctypes.c_void_p * 2),
        ("x", ctypes.c_void_p),
        ("tokens", ctypes.c_void_p),
        ("table", ctypes.c_void_p),
        ("projected", ctypes.c_void_p),
        ("mask", ctypes.c_void_p),
        ("y", ctypes.c_void_p),
        ("h", ctypes.c_void_p),
        ("c", ctypes.c_void_p),
    )


def forward(
    inputs: Floats | Tokens,
    directions: tuple[Weights, ...],
    *,
    mask: NDArray[np.bool_] | None = None,
    reverse: bool = False,
    sequences: bool = False,
    threads: int = 1,
) -> Floats:
    """One LSTM, or two over the same inputs in opposite directions, side by side in the result.

    ``inputs``: (batch, steps, inputs), or tokens. ``mask`` (batch, steps): where it is false, the
    state stays. ``reverse``: the first direction reads from the last step to the first. Gives the
    last states (batch, D units), or all of them, (batch, steps, D units) in the inputs' order.
    The result does not depend on ``threads``; other Python threads run meanwhile.

    Raises RuntimeError where the kernels were not built, ValueError for arrays that do not fit each
    other or ids outside of the table, MemoryError.
    """
    library = _library()
    units = directions[0].recurrent_kernel.shape[0]
    width = units * len(directions)
    call = _Call(units=units, directions=len(directions), reverse=reverse)
    if isinstance(inputs, Tokens):
        call.batch, call.steps = inputs.ids.shape
        call.words, call.inputs = inputs.table.shape
        if inputs.ids.size and not 0 <= inputs.ids.min() <= inputs.ids.max() < call.words:
            raise ValueError(f"ids must lie between 0 and {call.words - 1}.")
        call.tokens = _address(inputs.ids, np.int32, (call.batch, call.steps))
        call.table = _address(inputs.table, np.float32, (call.words, call.inputs))
        if inputs.projected is not None:
            size = library.sentilab_lstm_projected_size(ctypes.byref(call))
            call.projected = _address(inputs.projected, np.float32, (size,))
    else:
        call.batch, call.steps, call.inputs = inputs.shape
        call.x = _address(inputs, np.float32, inputs.shape)
    _put_weights(call, directions)
    if mask is not None:
        call.mask = _address(mask, np.bool_, (call.batch, call.steps))
    last = np.zeros((2, call.batch, width), np.float32)
    call.h, call.c = last[0].ctypes.data, last[1].ctypes.data
    result: Floats = last[0]
    if sequences:
        result = np.zeros((call.batch, call.steps, width), np.float32)
        call.y = result.ctypes.data
    if 0 in (call.batch, call.steps):
        return result
    if library.sentilab_lstm(ctypes.byref(call), ctypes.c_int(threads)):
        raise MemoryError("There is not enough memory for this batch.")
    return result


def project(table: Floats, directions: tuple[Weights, ...], *, threads: int = 1) -> Floats:
    """The table (words, inputs) times the kernels, for ``Tokens.projected``: a flat array.

    It takes 16 bytes a word, unit and direction, units rounded up to whole vectors, and is for the
    instruction set that runs now. Results with it are those without, to the last bit.

    Raises as ``forward`` does.
    """
    library = _library()
    units = directions[0].recurrent_kernel.shape[0]
    call = _Call(batch=1, steps=1, units=units, directions=len(directions))
    call.words, call.inputs = table.shape
    call.table = _address(table, np.float32, table.shape)
    _put_weights(call, directions)
    size = library.sentilab_lstm_projected_size(ctypes.byref(call))
    projected = np.empty(size, np.float32)
    address = ctypes.c_void_p(projected.ctypes.data)
    if library.sentilab_lstm_project(ctypes.byref(call), address, ctypes.c_int(threads)):
        raise MemoryError("There is not enough memory for the table.")
    return projected


def _library() -> ctypes.CDLL:
    library = opened()
    if library is None:
        raise RuntimeError(f"There is no compiled LSTM here: {missing()}.")
    library.sentilab_lstm_projected_size.restype = ctypes.c_int64
    return library


def _put_weights(call: _Call, directions: tuple[Weights, ...]) -> None:
    for number, one in enumerate(directions):
        call.kernel[number] = _address(one.kernel, np.float32, (call.inputs, 4 * call.units))
        call.recurrent_kernel[number] = _address(
            one.recurrent_kernel, np.float32, (call.units, 4 * call.units)
        )
        if one.bias is not None:
            call.bias[number] = _address(one.bias, np.float32, (4 * call.units,))


def _address(array: NDArray[Any], kind: Any, shape: tuple[int, ...]) -> int:
    """Where the array lies, which must be as the kernel reads it."""
    if array.dtype != kind or array.shape != shape or not array.flags.c_contiguous:
        raise ValueError(
            f"An array of {array.dtype}, shape {array.shape}, is not the C-contiguous "
            f"{np.dtype(kind)} of shape {shape} that is needed."
        )
    return int(array.ctypes.data)
