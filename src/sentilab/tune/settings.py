"""What a search is: the model, what is varied, by what it is judged, and how long it may take."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from sentilab import models
from sentilab.errors import SettingsError
from sentilab.models import Choices, Range, Space
from sentilab.models.space import OF_A_RUN
from sentilab.training import DEFAULT_SEED, Protocol, RunSettings

Objective = Literal["accuracy", "log-loss"]
Pruning = Literal["median", "none"]

DEFAULT_TRIALS = 20


@dataclass(frozen=True)
class Search:
    """Everything that decides which trials are made, given the data and enough time.

    ``fixed`` are settings, the model's own or of its run, that are not searched. ``seed`` is that
    of the proposals and of each trial's training. The best ``finalists`` are trained again with
    ``seeds`` other seeds each, and the winner is then trained with as many for the test set. So many trials
    as ``parallel`` says may be under way at once: each knows of all but the last ``parallel`` - 1 before it,
    whichever of them have ended, so that chance has no part in what is tried.
    """

    model: str
    fixed: dict[str, Any] = field(default_factory=dict)
    objective: Objective = "accuracy"
    pruning: Pruning = "median"
    finalists: int = 3
    seeds: int = 3
    seed: int = DEFAULT_SEED
    validation_fraction: float = 0.2
    split_seed: int = DEFAULT_SEED
    parallel: int = 1

    def __post_init__(self) -> None:
        """Raises SettingsError for a model without a space, or a setting that cannot be meant."""
        described = models.describe(self.model)
        if not described.space:
            raise SettingsError(
                f'The model "{self.model}" declares no space to search.\n'
                f"  Models that do: {', '.join(searchable()) or 'none'}. One of your own does so by "
                "@register(..., space={...})."
            )
        known = {*described.settings, *OF_A_RUN}
        for key in self.fixed.keys() - known:
            raise SettingsError(
                f'"{key}" is neither a setting of {self.model} nor one of its run; known are '
                + ", ".join(sorted(known))
                + "."
            )
        if not self.space:
            raise SettingsError(
                "Every setting that could be searched is fixed; `sentilab train` trains one model."
            )
        for name, kinds in (("objective", Objective), ("pruning", Pruning)):
            if getattr(self, name) not in get_args(kinds):
                allowed = " or ".join(get_args(kinds))
                raise SettingsError(f"{name} is {getattr(self, name)!r}; it must be {allowed}.")
        for name, lowest in (("finalists", 1), ("seeds", 1), ("seed", 0), ("parallel", 1)):
            if getattr(self, name) < lowest:
                raise SettingsError(
                    f"{name} is {getattr(self, name)}; it must be at least {lowest}."
                )
        # Settings at either end of the space are as valid as all between them, or none is tried.
        for end in (0, -1):
            self.run_settings({key: _end(one, end) for key, one in self.space.items()})

    @property
    def space(self) -> Space:
        """What is searched: the model's space less what is fixed."""
        declared = models.describe(self.model).space
        return {key: one for key, one in declared.items() if key not in self.fixed}

    @property
    def start(self) -> dict[str, Any]:
        """The first trial: the model's defaults, or what of the space is nearest to them."""
        described = models.describe(self.model)
        run = {one.name: one.default for one in fields(RunSettings) if one.name in OF_A_RUN}
        defaults = run | dict(described.defaults) | described.settings
        return {key: one.nearest(defaults[key]) for key, one in self.space.items()}

    @property
    def maximised(self) -> bool:
        return self.objective == "accuracy"

    def run_settings(
        self,
        chosen: Mapping[str, Any],
        *,
        seed: int | None = None,
        protocol: Protocol = "validation",
    ) -> RunSettings:
        """The run of these ``chosen`` settings; raises SettingsError if they are none of a run."""
        described = models.describe(self.model)
        wanted = {**described.defaults, **self.fixed, **chosen}
        own = {key: value for key, value in wanted.items() if key in described.settings}
        models.check_settings(self.model, own)
        return RunSettings.from_dict(
            {key: value for key, value in wanted.items() if key not in own}
            | {
                "model": self.model,
                "model_settings": own,
                "seed": self.seed if seed is None else seed,
                "protocol": protocol,
                "validation_fraction": self.validation_fraction,
                "split_seed": self.split_seed,
            }
        )

    def to_json(self) -> dict[str, Any]:
        """The search and its space in plain values."""
        space = {
            key: asdict(one) if isinstance(one, Range) else list(one.values)
            for key, one in self.space.items()
        }
        told = asdict(self)
        if self.parallel == 1:  # as it was told before there were others
            del told["parallel"]
        return {**told, "space": space}

    def fingerprint(self, data_fingerprint: str) -> str:
        """Equal for two searches exactly if they make the same trials (hex SHA-256)."""
        canonical = json.dumps([self.to_json(), data_fingerprint], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True)
class Budget:
    """How long to search: so many ``trials``, so many ``seconds`` in all, or what ends first."""

    trials: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Raises SettingsError for a budget that allows nothing."""
        if self.trials is None and self.seconds is None:
            raise SettingsError("A search needs a budget: a number of trials, a time, or both.")
        if self.trials is not None and self.trials < 1:
            raise SettingsError(f"trials is {self.trials}; it must be at least 1.")
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise SettingsError(f"The time is {self.seconds} s; it must be above 0.")


def searchable() -> tuple[str, ...]:
    """The models that declare a space."""
    return tuple(one for one in models.names() if models.describe(one).space)


def _end(one: Range | Choices, end: int) -> Any:
    return (one.low, one.high)[end] if isinstance(one, Range) else one.values[end]
