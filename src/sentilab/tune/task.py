"""A trial of a search, in this process or as an engine's task."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sentilab.engines import Report, Task
from sentilab.errors import ModelCannotTrain, SentilabError
from sentilab.training import Crew, EpochMetrics, Listener, Preparation, RunFolder, train
from sentilab.training.run import TrainingDiverged
from sentilab.training.task import Telling, prepared, settle
from sentilab.tune.proposals import Hopeless
from sentilab.tune.settings import Search
from sentilab.tune.trials import Trial
from sentilab.tune.watching import GivenUp, OutOfTime, Watching

CALL = "sentilab.tune.task:carry_out"


def attempt(
    search: Search,
    trial: Trial,
    earlier: Sequence[Trial],
    preparation: Preparation,
    run: RunFolder,
    listener: Listener,
    over: Callable[[], bool],
) -> Trial:
    """Trains ``trial``, which is judged by the ``earlier`` ones, until it ends or the time is ``over``.

    Its ``seconds`` are left alone. Raises ModelCannotTrain, and other SentilabErrors for the first trial:
    what is wrong with the defaults is wrong with the model, or with what is fixed.
    """
    settings = search.run_settings(trial.settings)

    def value_of(one: EpochMetrics) -> float:
        return one.val_accuracy if search.maximised else one.val_loss

    watching = Watching(
        listener, Hopeless(search, earlier), run.state, settings.epochs, value_of, over
    )
    preparation.forget_other_than(settings)
    try:
        train(settings, preparation.examples(settings), run.path, listener=watching)
    except GivenUp:
        run.state.unlink(missing_ok=True)
        return replace(trial, state="pruned", values=tuple(watching.values))
    except OutOfTime:
        return replace(trial, state="stopped", values=tuple(watching.values))
    except ModelCannotTrain:
        raise
    except SentilabError as error:
        if not earlier and not isinstance(error, TrainingDiverged):
            raise
        run.state.unlink(missing_ok=True)
        return replace(trial, state="failed", reason=str(error))
    kept = run.read_json("result.json")["kept"]
    return replace(
        trial,
        state="complete",
        values=tuple(map(value_of, run.history())),
        accuracy=kept["val_accuracy"],
        loss=kept["val_loss"],
    )


def task_of(
    search: Search,
    trial: Trial,
    earlier: Sequence[Trial],
    crew: Crew,
    folder: Path,
    share: Path,
    seconds: float | None,
) -> Task:
    """The task that makes ``trial`` in ``folder``, in no more than ``seconds`` if that is not None."""
    return Task(
        key=trial.run,
        call=CALL,
        payload={
            "search": asdict(search),
            "trial": asdict(trial),
            "earlier": [asdict(one) for one in earlier],
            "folder": str(folder.absolute()),
            "share": str(share.absolute()),
            "seconds": seconds,
            "models_from": [str(one.absolute()) for one in crew.models_from],
        },
        needs=crew.needs,
        silence=crew.silence,
    )


def carry_out(payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """An engine's task: the trial as it ended, in plain values, or "cannot_train" with the reason."""
    settle(payload)
    began = time.monotonic()
    seconds = payload["seconds"]
    try:
        with prepared(payload["share"]) as preparation:
            ended = attempt(
                Search(**payload["search"]),
                trial_of(payload["trial"]),
                [trial_of(one) for one in payload["earlier"]],
                preparation,
                RunFolder(Path(payload["folder"])),
                Telling(report),
                lambda: seconds is not None and time.monotonic() - began > seconds,
            )
    except ModelCannotTrain as error:
        return {"cannot_train": str(error)}
    return asdict(ended)


def trial_of(told: Mapping[str, Any]) -> Trial:
    """The trial that ``asdict`` has told, or JSON."""
    return Trial(**{**told, "values": tuple(told["values"])})
