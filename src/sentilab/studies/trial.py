"""One training as an engine's task: plain values in, a run folder and plain values out."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentilab import models
from sentilab.engines import Needs, Report, Task
from sentilab.errors import ModelCannotTrain
from sentilab.training import (
    EpochMetrics,
    Examples,
    LanguageEpoch,
    LanguageStep,
    Listener,
    Preparation,
    RunFolder,
    RunSettings,
    Step,
    Teacher,
    TrainingDiverged,
    train,
)

if TYPE_CHECKING:
    from sentilab.studies.plan import Training

SHARE = ".share"
CALL = "sentilab.studies.trial:carry_out"

# A person sees no more of it.
REPORTS_A_SECOND = 4


def task_of(
    training: "Training",
    *,
    share: Path,
    pretrainings: Path,
    teacher: Path | None = None,
    models_from: tuple[Path, ...] = (),
    needs: Needs,
    silence: float,
    after: tuple[str, ...] = (),
) -> Task:
    """The task that does ``training``, with the data that lie in ``share``.

    ``teacher`` stands in where the training names none itself; ``models_from`` are the files in which the
    user's own models stand.
    """
    teacher = training.teacher or teacher
    return Task(
        key=training.folder.name,
        call=CALL,
        payload={
            "settings": training.settings.to_dict(),
            "folder": str(training.folder),
            "continues": _text(training.continues),
            "keep_state": training.keep_state,
            "teacher": _text(teacher),
            "share": str(share),
            "pretrainings": str(pretrainings),
            "models_from": [str(one.absolute()) for one in models_from],
        },
        needs=needs,
        after=after,
        silence=silence,
    )


def carry_out(payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Trains, or goes on training, and says how the run ended: its "status", and a "reason" if in vain.

    Whatever was trained before is not trained again, so that this may be called any number of times.

    Raises SentilabError for settings that cannot be meant, OSError where the machine refuses.
    """
    settle()
    for file in payload["models_from"]:
        _load_models(file)
    settings = RunSettings.from_dict(payload["settings"])
    preparation = prepared(payload["share"])
    run = RunFolder(Path(payload["folder"]))
    donor = payload["continues"]
    began = time.monotonic()
    try:
        train(
            settings,
            examples_of(settings, preparation, run, payload["teacher"]),
            run.path,
            listener=Telling(report),
            continue_from=RunFolder(Path(donor)).state if donor else None,
            keep_state=payload["keep_state"],
            pretrainings=Path(payload["pretrainings"]),
        )
    except (ModelCannotTrain, TrainingDiverged) as error:
        status = "refused" if isinstance(error, ModelCannotTrain) else "failed"
        return {"status": status, "reason": str(error), "seconds": time.monotonic() - began}
    return {"status": "finished", "seconds": time.monotonic() - began}


def examples_of(
    settings: RunSettings, preparation: Preparation, run: RunFolder, teacher: str | Path | None
) -> Examples:
    """The run's examples, with its teacher's answers if it has one.

    Raises ModelCannotTrain, and says so in the run's folder, if its teacher could not train.
    """
    if teacher is not None and settings.teaching is not None:
        teaching = RunFolder(Path(teacher))
        result = teaching.read_json("result.json") or {}
        if result.get("status") in ("refused", "failed"):
            reason = f"{teaching.path.name}: the run that teaches it was {result['status']}."
            run.write_json("result.json", {"status": "refused", "reason": reason})
            raise ModelCannotTrain(reason)
        preparation.teacher = Teacher(teaching)
    return preparation.examples(settings)


@lru_cache(maxsize=1)
def prepared(share: str) -> Preparation:
    """What lies in a share; a worker's next task mostly has the same."""
    return Preparation.shared(Path(share))


@lru_cache
def _load_models(file: str) -> None:
    models.load_models_from(Path(file))


@lru_cache
def settle() -> None:
    """What a process that only trains may ask of itself (see ``own_process``)."""
    from sentilab import own_process

    own_process.settle()


class Telling:
    """A listener that turns what it hears into plain values; see ``tell``."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._next = 0.0

    def on_resume(self, epochs_done: int, source: str) -> None:
        self._report({"on_resume": [epochs_done, source]})

    def on_language_step(self, step: LanguageStep) -> None:
        self._at_times({"on_language_step": asdict(step)})

    def on_language_epoch(self, measured: LanguageEpoch, epochs: int, seconds: float) -> None:
        self._report({"on_language_epoch": [asdict(measured), epochs, seconds]})

    def on_pass(self, done: int, passes: int) -> None:
        self._at_times({"on_pass": [done, passes]})

    def on_step(self, step: Step) -> None:
        self._at_times({"on_step": asdict(step)})

    def on_validate(self, epoch: int) -> None:
        self._report({"on_validate": [epoch]})

    def on_epoch(self, metrics: EpochMetrics, epochs: int, seconds: float) -> None:
        self._report({"on_epoch": [asdict(metrics), epochs, seconds]})

    def _at_times(self, told: dict[str, Any]) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 1 / REPORTS_A_SECOND
            self._report(told)


def tell(listener: Listener, told: Mapping[str, Any]) -> None:
    """Has ``listener`` hear what a ``Telling`` in another process heard."""
    for name, values in told.items():
        if name == "on_step":
            listener.on_step(Step(**values))
        elif name == "on_language_step":
            listener.on_language_step(LanguageStep(**values))
        elif name == "on_epoch":
            listener.on_epoch(EpochMetrics(**values[0]), *values[1:])
        elif name == "on_language_epoch":
            listener.on_language_epoch(LanguageEpoch(**values[0]), *values[1:])
        elif name in ("on_resume", "on_pass", "on_validate"):
            getattr(listener, name)(*values)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
