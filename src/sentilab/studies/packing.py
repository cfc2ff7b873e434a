"""How many processes, of how many threads each: whichever finishes a study first, by measurement."""

import heapq
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentilab import atomic, models
from sentilab.engines import LocalPool, Report, Task, carry_out, machine
from sentilab.training import Preparation, RunSettings
from sentilab.training.ensembling import ENSEMBLE
from sentilab.training.pace import Pace, measure
from sentilab.training.task import SHARE, Training, prepared, settle

if TYPE_CHECKING:
    from sentilab.studies.study import Study

MEASURE = "sentilab.studies.packing:measured"
FILE = "packing.json"

# Of the free memory, what workers may have together.
MEMORY_SHARE = 0.85
# What a training takes where nobody has measured it: the frameworks, a model, its batches.
USUAL_MEMORY = 1 << 30
# So many kinds of training are measured at most, those that are most of the work.
MEASURED_KINDS = 2
# Texts times epochs, of models that read word by word and of others, from which on measuring pays.
LONG_SEQUENTIAL, LONG = 50_000, 1_000_000


@dataclass(frozen=True)
class Packing:
    """``processes`` of ``threads`` each, with ``memory`` bytes each (0: not bounded), and why."""

    processes: int
    threads: int
    memory: int
    reason: str

    @property
    def told(self) -> str:
        """In words, as a person reads it."""
        several = f"{self.processes} processes" if self.processes > 1 else "1 process"
        each = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{several} of {each}"


@dataclass(frozen=True)
class Measured:
    """What a kind of training takes: its pace, and bytes of memory."""

    pace: Pace
    memory: int


def choose(
    study: "Study",
    announce: Callable[[str], None] = lambda _: None,
    *,
    threads: int | None = None,
) -> Packing:
    """The packing for what is left of ``study``; ``announce`` hears what is being measured.

    Once chosen it stays with the study's folder, so that all its runs are made alike. ``threads`` leaves
    only the number of processes to choose.
    """
    cores = len(machine.cores())
    if threads is not None:
        return given(processes_for(threads), threads)
    kept = _kept(study.folder)
    missing = study.unfinished()
    if kept is not None:
        # On a smaller machine fewer at once, but with as many threads: their bits may hang on it.
        processes = max(1, min(kept.processes, cores // kept.threads))
        return Packing(processes, kept.threads, _memory_each(processes), "as it was begun")
    chosen = _chosen(study, missing, cores, announce)
    keep(study, chosen)
    return chosen


def keep(study: "Study", packing: Packing) -> None:
    """Has all further runs of ``study`` made as ``packing`` says, unless that was decided before.

    Raises OSError if it cannot be written.
    """
    if _kept(study.folder) is None:
        atomic.write_text(study.folder / FILE, json.dumps(asdict(packing), indent=1) + "\n")


def given(processes: int, threads: int | None = None) -> Packing:
    """The packing of so many processes, as asked for; threads by default share out the cores."""
    cores = len(machine.cores())
    return Packing(
        processes, threads or max(1, cores // processes), _memory_each(processes), "as asked for"
    )


def processes_for(threads: int) -> int:
    """How many processes of so many threads share out this machine's cores."""
    return max(1, len(machine.cores()) // threads)


def threads_begun_with(study: "Study") -> int | None:
    """How many threads the runs have that are there already; None if nothing was chosen yet."""
    kept = _kept(study.folder)
    return None if kept is None else kept.threads


def _chosen(
    study: "Study",
    missing: Sequence[Training],
    cores: int,
    announce: Callable[[str], None],
) -> Packing:
    if _on_gpu():
        return Packing(1, cores, 0, "one at a time has the GPU")
    trainings = [one for one in missing if one.settings.model != ENSEMBLE]
    if len(trainings) < 2 or cores == 1:
        why = "there is one training" if cores > 1 else "there is one core"
        return Packing(1, cores, _memory_each(1), why)
    candidates = _candidates(cores, len(trainings), USUAL_MEMORY)
    if len(candidates) == 1:
        return Packing(*candidates[0], _memory_each(candidates[0][0]), "memory allows no more")
    work = _work_by_kind(trainings, study.preparation)
    if sum(texts for texts, _ in work.values()) < 1:
        processes, threads = candidates[0]
        return Packing(
            processes, threads, _memory_each(processes), "too little is to be done to measure more"
        )
    kinds = sorted(work, key=lambda kind: -work[kind][0])[:MEASURED_KINDS]
    share = study.folder / SHARE
    study.preparation.write_shared(share)
    seconds: dict[tuple[int, int], float] = {}
    for packing in candidates:
        processes, threads = packing
        announce(f"timing {processes} × {threads} thread{'s' if threads > 1 else ''}")
        paces = _paces([work[kind][1] for kind in kinds], packing, share)
        known = dict(zip(kinds, paces, strict=True))
        memory = max(one.memory for one in paces)
        if processes > 1 and processes * memory > MEMORY_SHARE * (machine.free_memory() or 1 << 62):
            continue
        seconds[packing] = _makespan(trainings, known, processes, study.preparation)
    if not seconds:
        return Packing(1, cores, _memory_each(1), "memory allows no more")
    best = min(seconds, key=lambda one: seconds[one])
    return Packing(*best, _memory_each(best[0]), _reason(best, seconds))


def _candidates(cores: int, trainings: int, memory: int) -> list[tuple[int, int]]:
    """(processes, threads) from many to few; each uses all cores, or as many as divide evenly."""
    free = machine.free_memory()  # 0: the system does not say
    most = max(1, int(MEMORY_SHARE * free / memory)) if free else cores
    counts = {cores, cores // 2, cores // 4, 1}
    return [
        (processes, cores // processes)
        for processes in sorted(counts, reverse=True)
        if 1 <= processes <= min(most, max(trainings, 1), cores)
    ] or [(1, cores)]


def _work_by_kind(
    trainings: Sequence[Training], preparation: Preparation
) -> dict[str, tuple[float, RunSettings]]:
    """How much each kind has to do, in what measuring is worth, and one of its settings."""
    work: dict[str, tuple[float, RunSettings]] = {}
    for one in trainings:
        settings = replace(one.settings, teaching=None)
        long = LONG_SEQUENTIAL if models.describe(settings.model).sequential else LONG
        texts = len(preparation.partition(settings).train) * settings.epochs
        kind = _kind(settings)
        before = work[kind][0] if kind in work else 0.0
        work[kind] = (before + texts / long, settings)
    return work


def _kind(settings: RunSettings) -> str:
    """Equal for trainings whose epochs cost the same."""
    return str(replace(settings, seed=0, epochs=1, teaching=None, early_stopping=None))


def _paces(
    settings: Sequence[RunSettings], packing: tuple[int, int], share: Path
) -> list[Measured]:
    """The pace of each kind while all processes are at it together: their mean, and the most memory."""
    processes, threads = packing
    tasks = [
        Task(
            f"{number}-{seat}",
            MEASURE,
            {"settings": one.to_dict(), "share": str(share)},
            after=tuple(f"{number - 1}-{other}" for other in range(processes)) if number else (),
        )
        for number, one in enumerate(settings)
        for seat in range(processes)
    ]
    with LocalPool(processes, threads) as pool:
        outcomes = carry_out(tasks, pool)
    measured = []
    for number in range(len(settings)):
        each = [outcomes[f"{number}-{seat}"] for seat in range(processes)]
        told = [one.result for one in each if one.ending == "done" and one.result is not None]
        if not told:
            measured.append(Measured(Pace(0.0, 0.0, 0.0), USUAL_MEMORY))
            continue
        mean = {
            name: sum(one["pace"][name] for one in told) / len(told) for name in told[0]["pace"]
        }
        measured.append(Measured(Pace(**mean), max(one["memory"] for one in told)))
    return measured


def measured(payload: Mapping[str, Any], _: Report) -> dict[str, Any] | None:
    """An engine's task: times a few batches of these settings; None for a model that cannot train."""
    settle(payload)
    settings = RunSettings.from_dict(payload["settings"])
    with prepared(payload["share"]) as preparation:
        pace = measure(settings, preparation.examples(settings))
    if pace is None:
        return None
    return {"pace": asdict(pace), "memory": machine.own_memory()}


def _makespan(
    trainings: Sequence[Training],
    known: Mapping[str, Measured],
    processes: int,
    preparation: Preparation,
) -> float:
    """Seconds until the last training ends, if each is taken by whichever process is free first.

    Trainings whose kind was not measured are left out: they are the least of the work.
    """
    free = [0.0] * processes
    for one in trainings:
        measured = known.get(_kind(one.settings))
        if measured is None:
            continue
        examples = preparation.examples(replace(one.settings, teaching=None))
        pace = measured.pace
        took = (
            pace.start
            + one.settings.epochs * pace.epoch(one.settings, examples)
            + pace.end(examples)
        )
        heapq.heappush(free, heapq.heappop(free) + took)
    return max(free)


def _reason(best: tuple[int, int], seconds: Mapping[tuple[int, int], float]) -> str:
    def said(packing: tuple[int, int]) -> str:
        processes, threads = packing
        return f"{processes} × {threads} about {_minutes(seconds[packing])}"

    others = [said(one) for one in seconds if one != best]
    return f"measured: {said(best)}" + (f", {', '.join(others)}" if others else "")


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _memory_each(processes: int) -> int:
    return int(MEMORY_SHARE * machine.free_memory() / processes)


def _kept(folder: Path) -> Packing | None:
    try:
        return Packing(**json.loads((folder / FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _on_gpu() -> bool:
    """Whether JAX would compute on a GPU, as far as can be said without asking it."""
    import importlib.util
    import os

    platforms = os.environ.get("JAX_PLATFORMS", "")
    plugin = any(importlib.util.find_spec(f"jax_cuda{one}_plugin") for one in (12, 13))
    return plugin and "cpu" not in platforms.split(",")[:1]
