"""All that an interrupted run needs to go on as if nothing had happened, in one file.

The file is replaced in one step after each epoch and is the only truth about a run's progress;
metrics.jsonl is rewritten from it. What it does not hold is derived: batch order from (seed,
epoch), early stopping from the recorded curve.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sentilab import atomic
from sentilab.errors import SentilabError
from sentilab.readable import json_of, misfit, printable
from sentilab.training.stopping import CURVE, EpochMetrics

Arrays = dict[str, NDArray[np.generic]]


@dataclass
class State:
    """Progress after ``len(history)`` epochs.

    ``variables`` are the model's and the optimizer's, seed generators included; ``best`` are the
    model's weights at the best epoch, held only where the run is to end with those; ``averages`` are
    the means of the weights at the epochs' ends, held only where these are judged.
    """

    variables: Arrays = field(default_factory=dict)
    best: Arrays = field(default_factory=dict)
    averages: Arrays = field(default_factory=dict)
    history: list[EpochMetrics] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def save(state: State, path: Path) -> None:
    """Writes ``state`` so that ``path`` holds the old state or the new one, never a mixture."""
    from safetensors.numpy import save as to_bytes

    progress = {"history": [asdict(one) for one in state.history], "seconds": state.seconds}
    arrays: Arrays = {
        **{f"variables/{name}": array for name, array in state.variables.items()},
        **{f"best/{name}": array for name, array in state.best.items()},
        **{f"averages/{name}": array for name, array in state.averages.items()},
    }
    told = json.dumps(progress)
    content = to_bytes(arrays, metadata={"progress": told, "sha256": _checksum(arrays, told)})
    atomic.write_bytes(path, content)


def load(path: Path) -> State:
    """The state at ``path``.

    Raises SentilabError if the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            told = file.metadata()["progress"]
            progress = json_of(told)
            if fault := misfit(progress, {"history": [CURVE], "seconds": [float]}):
                raise ValueError(fault)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if file.metadata()["sha256"] != _checksum(arrays, told):
                raise ValueError("its checksum is another")
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise SentilabError(
            f"{path}: the saved state is damaged ({printable(str(error))}); the run is trained from the start."
        ) from error
    return State(
        variables=_under("variables/", arrays),
        best=_under("best/", arrays),
        averages=_under("averages/", arrays),
        history=[EpochMetrics(*(one[name] for name in CURVE)) for one in progress["history"]],
        seconds=progress["seconds"],
    )


def _checksum(arrays: Arrays, progress: str) -> str:
    digest = hashlib.sha256(progress.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _under(prefix: str, arrays: Mapping[str, NDArray[np.generic]]) -> Arrays:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
