"""What this machine has to give: cores and memory, as far as this process may use them."""

import os
from pathlib import Path


def cores() -> list[int]:
    """The numbers of the cores that this process may run on, no more of them than its quota allows."""
    affinity = getattr(os, "sched_getaffinity", None)
    mine = sorted(affinity(0)) if affinity else list(range(os.cpu_count() or 1))
    quota = _quota()
    return mine[: max(1, quota)] if quota is not None else mine


def _quota() -> int | None:
    """Whole cores that the control group (v2, as in a container) allows; None for no limit."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return None if quota == "max" else int(quota) // int(period)
    except (OSError, ValueError):
        return None


def free_memory() -> int:
    """Bytes that can be had without swapping; 0 where the system does not say."""
    found = [one for one in (_available(), _left_in_group()) if one is not None]
    return min(found, default=0)


def _available() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    except (OSError, ValueError, IndexError):
        pass
    return None


def _left_in_group() -> int | None:
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
        return None if limit == "max" else max(0, int(limit) - used)
    except (OSError, ValueError):
        return None


def own_memory(pid: int | None = None) -> int:
    """Bytes that a process has to itself: what it shares with others through files does not count."""
    try:
        for line in Path(f"/proc/{pid or 'self'}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) << 10
    except (OSError, ValueError, IndexError):
        pass
    return 0


def is_stopped(pid: int) -> bool:
    """Whether a signal has stopped the process in its tracks, as far as the system says."""
    try:
        # Its name, in parentheses, may have any characters.
        told = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return False
    return told[:1] == [b"T"]


def kills_for_memory() -> int:
    """How many processes the system has killed so far for want of memory, as far as it says."""
    found = 0
    for path, name in (("/proc/vmstat", "oom_kill"), ("/sys/fs/cgroup/memory.events", "oom_kill")):
        try:
            for line in Path(path).read_text().splitlines():
                key, _, value = line.partition(" ")
                if key == name:
                    found = max(found, int(value))
        except (OSError, ValueError):
            continue
    return found
