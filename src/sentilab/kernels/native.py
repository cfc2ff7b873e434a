"""The compiled kernels: whether they are there, and how they run."""

import ctypes
import importlib.util
import os
import sys
from functools import cache
from importlib import resources
from typing import Any, Literal, get_args

from sentilab.errors import SettingsError

InstructionSet = Literal["avx512", "avx2", "neon", "portable"]

# What each instruction set is called where users read it.
_TITLES = {"avx512": "AVX-512", "avx2": "AVX2", "neon": "NEON", "portable": "portable code"}

_TARGETS = (
    "SentilabLstmForward",
    "SentilabLstmBackward",
    "SentilabAdam",
    "SentilabDense",
    "SentilabDenseByInput",
    "SentilabDenseByWeights",
    "SentilabEmbedding",
    "SentilabEmbeddingGradient",
)

# <malloc.h>
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


@cache
def opened() -> ctypes.CDLL | None:
    """The compiled kernels, without JAX; None where they were not built.

    The environment variable SENTILAB_ISA chooses an instruction set (see ``choose``) and
    SENTILAB_THREADS the number of threads (see ``set_threads``) at the start.
    """
    spec = importlib.util.find_spec("sentilab.kernels._lstm")
    if spec is None or spec.origin is None:
        return None
    loaded = ctypes.CDLL(spec.origin)
    loaded.sentilab_instruction_set.restype = ctypes.c_char_p
    loaded.sentilab_choose_instruction_set.argtypes = [ctypes.c_char_p]
    loaded.sentilab_set_threads.argtypes = [ctypes.c_int]
    loaded.sentilab_set_kept_memory.argtypes = [ctypes.c_size_t]
    wanted = os.environ.get("SENTILAB_ISA", "")
    if not loaded.sentilab_choose_instruction_set(wanted.encode()):
        raise SettingsError(_no_such_set(wanted, "SENTILAB_ISA is"))
    threads = os.environ.get("SENTILAB_THREADS", "0")
    if not threads.isdecimal():
        raise SettingsError(
            f'SENTILAB_THREADS is "{threads}"; it must be a whole number, 0 for all.'
        )
    loaded.sentilab_set_threads(int(threads))
    return loaded


@cache
def library() -> ctypes.CDLL | None:
    """The same with its XLA targets registered; None where the kernels were not built."""
    loaded = opened()
    if loaded is not None:
        import jax

        for target in _TARGETS:
            jax.ffi.register_ffi_target(target, jax.ffi.pycapsule(getattr(loaded, target)), "cpu")
    return loaded


def missing() -> str:
    """Why there are no compiled kernels, as said when Sentilab was installed; "" if there are."""
    if opened() is not None:
        return ""
    reason = resources.files("sentilab.kernels").joinpath("without-kernel.txt")
    if reason.is_file():
        return reason.read_text(encoding="utf-8").strip().rstrip(".")
    return "it was not compiled when Sentilab was installed"


def instruction_set() -> InstructionSet:
    """The one that runs: the best that this processor has, unless another was chosen."""
    name: InstructionSet = _loaded().sentilab_instruction_set().decode()
    return name


def choose(name: InstructionSet) -> None:
    """Makes the kernels use this instruction set from the next call on.

    Raises ValueError if the processor, or the build, has none of this name.
    """
    if not _loaded().sentilab_choose_instruction_set(name.encode()):
        raise ValueError(_no_such_set(name, "The instruction set asked for is"))


def set_threads(number: int) -> None:
    """How many of XLA's threads the kernels use, the calling one included; 0: all of them.

    Results do not depend on it, to the last bit.
    """
    _loaded().sentilab_set_threads(max(0, number))


def threads() -> int:
    """How many threads the kernels use."""
    # XLA's pool has a thread for each core that this process may run on, or NPROC's number.
    wanted = os.environ.get("NPROC", "")
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    pool = int(wanted) if wanted.isdecimal() and int(wanted) > 0 else cores
    asked = int(_loaded().sentilab_threads())
    return min(asked, pool) if asked else pool


def title() -> str:
    """The instruction set's usual name."""
    return _TITLES[instruction_set()]


def has_bf16() -> bool:
    """Whether the instruction set that runs multiplies bfloat16 numbers."""
    return bool(_loaded().sentilab_has_bf16())


def limit_kept_memory(size: int) -> None:
    """How many bytes of scratch memory the kernels keep for later calls: 512 MiB until told otherwise.

    Batches of ever other sizes leave blocks of many sizes. This holds for the whole process; without
    compiled kernels nothing happens.
    """
    loaded = opened()
    if loaded is not None:
        loaded.sentilab_set_kept_memory(size)


def keep_freed_memory() -> bool:
    """Tells the C library's allocator to keep freed memory instead of handing it back to the system.

    XLA allocates its temporaries anew in each training step. Handed back each time, their pages are
    zeroed by the system and touched for the first time again and again, which costs up to a third
    of a step. This holds for the whole process, which therefore has to be one's own: Sentilab's
    command line does it, the library never does.

    False where the C library has no such setting (anything but glibc).
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    wanted = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 64 << 20))
    return all(mallopt(option, value) == 1 for option, value in wanted)


def _loaded() -> ctypes.CDLL:
    loaded = opened()
    if loaded is None:
        raise RuntimeError(f"There is no compiled LSTM here: {missing()}.")
    return loaded


def _no_such_set(name: str, said: str) -> str:
    return (
        f'{said} "{name}", which this processor or this build does not have; the names are '
        + ", ".join(f'"{one}"' for one in get_args(InstructionSet))
        + "."
    )


def xla_call(target: str, results: Any, **settings: Any) -> Any:
    """The kernel ``target`` as a JAX function; ``results`` and ``settings`` as jax.ffi.ffi_call has them."""
    import jax

    library()  # the target is known from then on
    return jax.ffi.ffi_call(target, results, vmap_method="sequential", **settings)


def matrix_from(target: str, shape: tuple[int, ...], first: Any, second: Any) -> Any:
    """The float32 matrix of this shape that the kernel ``target`` makes of two arrays."""
    import jax

    return xla_call(target, jax.ShapeDtypeStruct(shape, "float32"))(first, second)
