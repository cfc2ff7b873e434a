"""What the machine can do at best: fused multiply-adds, BLAS products, memory."""

import ctypes
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import Case, Product, adam_bytes, flops, products

SQUARE = 2048
"""The side of the square matrices that BLAS is measured with."""


class Floors:
    """Measures this machine on ``threads`` threads, which BLAS takes from the process's cores."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.peak_of = compiled_peak()
        self.random = np.random.default_rng(0)
        # Numbers stay near 1: products of denormals would measure something else.
        self.square = [self.random.random((SQUARE, SQUARE), dtype=np.float32) for _ in range(2)]
        self.rates: dict[tuple[int, int, int], float] = {}

    def versions(self) -> dict[str, str]:
        """NumPy's, and which BLAS it calls."""
        found = {"numpy": version("numpy")}
        try:
            from threadpoolctl import threadpool_info
        except ImportError:
            return found
        for one in threadpool_info():
            if one["user_api"] == "blas":
                kernel, name = one.get("architecture", ""), one["internal_api"]
                found["blas"] = f"{name} {one['version']} {kernel}".strip()
        return found

    def measure(self, case: Case, distinct: float | None) -> dict[str, Any]:
        """FLOP/s and bytes/s now, and the least time of ``case`` by each of them, in ms.

        ``fma``: FLOPs at the FMA peak; ``fma_distinct``: the same if each distinct token of a batch
        is projected once; ``sgemm``: BLAS's own time for the products of ``case``.
        """
        left, right = self.square
        sgemm = 2 * SQUARE**3 / shortest(lambda: left @ right, seconds=0.4)
        # Without a compiler, the best known rate is what BLAS reaches.
        peak = self.peak_of(self.threads, 0.3) if self.peak_of else sgemm
        bandwidth = self.bandwidth()
        least: dict[str, dict[str, float]] = {}
        for quantity, training in (("step", True), ("predict", False)):
            blas = sum(one.flops / self.rate(one) for one in products(case, training=training))
            least[quantity] = {
                "fma": 1e3 * flops(case, training=training) / peak,
                "sgemm": 1e3 * blas,
            }
            if distinct is not None and case.layers:
                fewer = flops(case, training=training, distinct=round(distinct))
                least[quantity]["fma_distinct"] = 1e3 * fewer / peak
        least["step"]["adam"] = 1e3 * adam_bytes(case) / bandwidth
        return {
            "fma_flops": peak,
            "fma_measured": self.peak_of is not None,
            "sgemm_flops": sgemm,
            "bandwidth": bandwidth,
            "ms": least,
        }

    def rate(self, product: Product) -> float:
        """BLAS's FLOP/s at this product's size; large ones are measured on 4,096 of their rows.

        Every other operand of a series of small products is another piece of memory, as it is in an
        LSTM; only the recurrent kernel stays the same.
        """
        rows, inner, columns = (
            min(n, 4096) for n in (product.rows, product.inner, product.columns)
        )
        key = (rows, inner, columns)
        if key not in self.rates:
            right = self.random.random((inner, columns), dtype=np.float32)
            left = self.random.random((min(64, product.times), rows, inner), dtype=np.float32)
            out = np.empty((rows, columns), dtype=np.float32)

            def series() -> None:
                for one in left:
                    np.matmul(one, right, out=out)

            seconds = shortest(series, seconds=0.1)
            self.rates[key] = 2.0 * rows * inner * columns * len(left) / seconds
        return self.rates[key]

    def bandwidth(self) -> float:
        """Bytes/s of reading and writing more than the caches hold, on one thread."""
        source = np.ones(32_000_000, dtype=np.float32)
        target = np.empty_like(source)
        return 2 * source.nbytes / shortest(lambda: np.copyto(target, source), seconds=0.2)


def shortest(act: Callable[[], Any], seconds: float) -> float:
    """The least time of ``act`` in seconds, over about ``seconds`` and at least three calls."""
    act()
    times: list[float] = []
    while len(times) < 3 or sum(times) < seconds:
        started = time.perf_counter()
        act()
        times.append(time.perf_counter() - started)
    return min(times)


def compiled_peak() -> Callable[[int, float], float] | None:
    """``fma_peak`` of peak.cc, compiled for this processor; None without a C++ compiler."""
    compiler = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "peak.so")
        command = [compiler, "-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC"]
        source = Path(__file__).with_name("peak.cc")
        made = subprocess.run(
            [*command, "-pthread", str(source), "-o", str(library)], capture_output=True
        )
        if made.returncode:
            return None
        function = ctypes.CDLL(str(library)).fma_peak
    function.argtypes, function.restype = [ctypes.c_int, ctypes.c_double], ctypes.c_double
    return function


def summary(measured: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians of the machine's rates over all cases."""
    return {
        name: statistics.median(one[name] for one in measured)
        for name in ("fma_flops", "sgemm_flops", "bandwidth")
    } | {"fma_measured": measured[0]["fma_measured"]}
