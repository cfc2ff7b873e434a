"""What a run was made with: versions and processor."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def environment() -> dict[str, str | int]:
    """Versions and hardware as written to environment.json. Needs no import of the frameworks."""
    backend = os.environ.get("KERAS_BACKEND", "jax")
    return {
        "sentilab": version("sentilab"),
        "python": platform.python_version(),
        "keras": version("keras"),
        "backend": backend,
        "jax": version("jax"),
        "numpy": version("numpy"),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
    }


def processor() -> str:
    """The processor's name as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
