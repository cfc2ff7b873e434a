"""The fused LSTM, compiled from C++: a JAX function (``lstm``), and which code of it runs."""

from sentilab.kernels.native import (
    choose,
    has_bf16,
    instruction_set,
    keep_freed_memory,
    limit_kept_memory,
    missing,
    opened,
    set_threads,
    threads,
    title,
)

__all__ = [
    "choose",
    "has_bf16",
    "instruction_set",
    "keep_freed_memory",
    "limit_kept_memory",
    "missing",
    "opened",
    "set_threads",
    "threads",
    "title",
]
