"""What an engine carries out: tasks, what they need, and how each ended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Told = dict[str, Any]
"""What a task says of its progress: plain values."""

Report = Callable[[Told], None]

Ending = Literal["done", "failed", "crashed", "trouble", "lost", "hung", "starved"]
"""How an attempt ended. "done" and "failed" are the task's own doing, and final. The others are not:
"crashed" is an error that nobody foresaw, or that ended the worker's process; "trouble" is the machine's
refusal (a full disk, a folder that cannot be written), "lost" what befell the worker from outside (killed,
stopped, its node gone), "hung" silence for too long, "starved" the system's killing of it for want of memory.
"""


@dataclass(frozen=True)
class Needs:
    """``cores`` and ``memory`` (bytes; 0: not known) that a task takes while it runs."""

    cores: int = 1
    memory: int = 0


@dataclass(frozen=True)
class Task:
    """``call`` ("module:function") is imported in the worker and called with ``payload`` and a Report.

    The payload and what is returned are JSON values. The call must be safe to repeat: it may be made
    again after a worker was lost in the middle, or after its end was not heard of. ``after`` are the keys
    of tasks that must have ended, one way or another, before. ``silence`` is for how many seconds it may
    report nothing before it counts as hung. ``spoilt`` counts attempts in vain that were made before, by
    how they ended.
    """

    key: str
    call: str
    payload: dict[str, Any] = field(default_factory=dict)
    needs: Needs = Needs()
    after: tuple[str, ...] = ()
    silence: float = 900.0
    spoilt: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: with ``result``, if it is "done", else with a ``reason``."""

    ending: Ending
    result: Any = None
    reason: str = ""


# What a pool tells.


@dataclass(frozen=True)
class Joined:
    """A worker is ready for a task."""

    worker: str
    capacity: Needs
    place: str = ""


@dataclass(frozen=True)
class Left:
    """A worker is gone, with what it was doing."""

    worker: str
    outcome: Outcome


@dataclass(frozen=True)
class Heard:
    """A worker told of its task's progress."""

    worker: str
    told: Told


@dataclass(frozen=True)
class Ended:
    """A worker's task ended, and it is ready for another."""

    worker: str
    outcome: Outcome


Event = Joined | Left | Heard | Ended
