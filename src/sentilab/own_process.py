"""What a command may ask of a process that is all its own, and the library never does."""

import hashlib
import os
import platform
from pathlib import Path

from sentilab import kernels

# What has not been used for longest goes first.
_MOST_BYTES = 256 << 20
# Compiling for less costs no more than looking it up.
_LEAST_SECONDS = 0.1


def settle(*, fused: bool = True) -> None:
    """Keeps freed memory, where ``fused`` kernels run, and what XLA compiles, for this and later commands."""
    if fused:
        kernels.keep_freed_memory()
    if os.environ.get("KERAS_BACKEND", "jax") == "jax":
        keep_compiled()


def keep_compiled() -> None:
    """Programs that XLA has compiled once are read from the user's cache from then on.

    A study compiles the same program for each seed, which with a small model takes longer than training
    does. What a program computes is the same to the last bit. A folder that JAX has been given
    (JAX_COMPILATION_CACHE_DIR) stays.
    """
    import jax

    if jax.config.jax_compilation_cache_dir:
        return
    from platformdirs import user_cache_path

    folder = user_cache_path("sentilab") / "compiled" / _processor_mark()
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _LEAST_SECONDS)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # With a bound on its size JAX locks the folder, so that commands may run side by side.
    jax.config.update("jax_compilation_cache_max_size", _MOST_BYTES)


def _processor_mark() -> str:
    """Equal for processors that run the same instructions: a home folder may be on several machines."""
    told = f"{platform.system()} {platform.machine()} {platform.processor()}"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        told += next((one for one in lines if one.startswith(("flags", "Features"))), "")
    return hashlib.sha256(told.encode()).hexdigest()[:12]
