"""The trials of a search and their file: JSON lines, replaced in one step after each change."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sentilab import atomic
from sentilab.errors import SentilabError
from sentilab.readable import json_of, printable

State = Literal["running", "complete", "pruned", "failed", "stopped"]

FILE = "trials.jsonl"


@dataclass(frozen=True)
class Trial:
    """One point of the space.

    ``settings`` are those that were searched; ``run`` is its run folder's name. ``values`` has the
    objective after each epoch. ``accuracy`` and ``loss`` are the kept weights' on the validation
    texts, None unless the trial is "complete". "stopped" is a trial that the time ran out for, and
    which goes on if there is more; "failed" one whose ``reason`` says why. ``seconds`` are
    those that it took, all in all.
    """

    number: int
    settings: dict[str, Any]
    run: str
    state: State = "running"
    values: tuple[float, ...] = ()
    accuracy: float | None = None
    loss: float | None = None
    seconds: float = 0.0
    reason: str = ""

    @property
    def ended(self) -> bool:
        return self.state not in ("running", "stopped")

    def better_first(self, *, maximised: bool) -> tuple[float, float, int]:
        """Sorts complete trials, the best first; what is equal by one measure goes by the other."""
        accuracy, loss = self.accuracy or 0.0, self.loss or 0.0
        first, second = (-accuracy, loss) if maximised else (loss, -accuracy)
        return first, second, self.number


def read(folder: Path) -> list[Trial]:
    """The trials so far, in order; raises SentilabError if the file is damaged."""
    path = folder / FILE
    if not path.exists():
        return []
    try:
        lines = [json_of(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [Trial(**{**one, "values": tuple(one["values"])}) for one in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SentilabError(
            f"{path}: not the trials of a search ({printable(str(error))}).\n"
            "  Remove the file to search again; trials that were trained are not trained again."
        ) from error


def write(folder: Path, trials: Sequence[Trial]) -> None:
    atomic.write_text(
        folder / FILE,
        "".join(f"{json.dumps(asdict(one), ensure_ascii=False)}\n" for one in trials),
    )


def ranked(trials: Sequence[Trial], *, maximised: bool) -> list[Trial]:
    """The complete trials, the best first."""
    complete = [one for one in trials if one.state == "complete"]
    return sorted(complete, key=lambda one: one.better_first(maximised=maximised))
