"""Files scored by Ray Data: a data set of file names, mapped by actors that each hold a predictor.

An actor that dies is made anew by Ray, and its file scored again.
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from sentilab import interrupts
from sentilab.engines import Outcome, Task
from sentilab.engines.ray import connected
from sentilab.errors import SentilabError
from sentilab.scoring.partitions import Runner, Told, score_partition

# Seconds until a file is tried again that the machine refused.
PAUSES = (1, 2, 4, 8, 15, 30)


def runner(address: str | None = None, workers: int | None = None) -> Runner:
    """Has files scored on the Ray cluster at ``address``, or on one started here; a core a worker.

    ``workers`` is how many at most, by default as many as the cluster has cores.
    """

    def run(tasks: Sequence[Task], told: Told) -> dict[str, Outcome]:
        with connected(address):
            return _run(tasks, told, workers)

    return run


class Scorer:
    """An actor: scores the file that a row names, and says how that ended."""

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        task = json.loads(row["task"])
        return {"key": task["key"], "outcome": json.dumps(_attempted(task["payload"]))}


def _attempted(payload: dict[str, Any]) -> dict[str, Any]:
    for pause in PAUSES:
        try:
            return {"result": score_partition(payload, lambda _: None)}
        except SentilabError as error:
            return {"reason": str(error)}
        except OSError as error:  # a full disk, or an attempt that is not quite dead
            refusal = f"{error.filename or payload['source']}: {error.strerror or error}"
            time.sleep(pause)
    return {"reason": refusal}


def _run(tasks: Sequence[Task], told: Told, workers: int | None) -> dict[str, Outcome]:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # Nothing is lost by a file that is scored twice but the time: its answers are put in place once.
    context.max_errored_blocks = 0
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    cores = int(ray.cluster_resources().get("CPU", 1))
    most = max(1, min(workers or cores, len(tasks)))
    rows = [{"task": json.dumps({"key": one.key, "payload": one.payload})} for one in tasks]
    scored = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        Scorer,
        # A file takes long, and handing one over does not: none waits behind another.
        compute=ray.data.ActorPoolStrategy(
            min_size=1, max_size=most, initial_size=most, max_tasks_in_flight_per_actor=1
        ),
        num_cpus=1,
    )
    outcomes: dict[str, Outcome] = {}
    for row in scored.iter_rows():
        outcome = _outcome(json.loads(row["outcome"]))
        outcomes[row["key"]] = outcome
        told(row["key"], outcome)
        interrupts.raise_if_lost()
    return outcomes


def _outcome(said: Mapping[str, Any]) -> Outcome:
    if "reason" in said:
        return Outcome("failed", reason=said["reason"])
    return Outcome("done", result=said["result"])
