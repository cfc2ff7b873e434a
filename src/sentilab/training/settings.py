"""One run's settings: frozen, validated once, written beside its results."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from sentilab.errors import SettingsError

Protocol = Literal["notebook", "holdout"]
Kernels = Literal["fused", "keras"]
Monitor = Literal["val_accuracy", "val_loss", "accuracy", "loss"]

DEFAULT_SEED = 297


@dataclass(frozen=True)
class EarlyStopping:
    """Stop once ``monitor`` has not improved by more than ``min_delta`` for ``patience`` epochs.

    With ``restore_best`` the weights of the best epoch are kept, else those of the last one.
    The rule is that of keras.callbacks.EarlyStopping.
    """

    monitor: Monitor = "val_accuracy"
    patience: int = 3
    min_delta: float = 0.0
    restore_best: bool = False

    def __post_init__(self) -> None:
        """Raises SettingsError for a metric or a number that cannot be meant."""
        if self.monitor not in get_args(Monitor):
            raise SettingsError(
                f'early_stopping.monitor is "{self.monitor}"; it must be one of '
                + ", ".join(f'"{name}"' for name in get_args(Monitor))
                + "."
            )
        _require("early_stopping.patience", self.patience, int, lowest=0)
        _require("early_stopping.min_delta", self.min_delta, float, lowest=0)
        _require("early_stopping.restore_best", self.restore_best, bool)


@dataclass(frozen=True)
class RunSettings:
    """Everything that decides a run's weights, given the data.

    ``model_settings`` are the model function's own keyword arguments. ``words`` and ``length`` are
    the encoding's (sentilab.text.Encoding); ``validation_fraction`` and ``split_seed`` say how the
    holdout protocol carves its validation part. ``kernels`` demands the code that computes LSTMs:
    "fused" or "keras"; by default the fused kernel does wherever it can.
    """

    model: str
    model_settings: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 32
    epochs: int = 2
    learning_rate: float = 0.001
    seed: int = DEFAULT_SEED
    early_stopping: EarlyStopping | None = None
    protocol: Protocol = "holdout"
    validation_fraction: float = 0.2
    split_seed: int = DEFAULT_SEED
    words: int = 20_000
    length: int = 200
    kernels: Kernels | None = None

    def __post_init__(self) -> None:
        """Raises SettingsError naming the first setting that is out of its range."""
        if not self.model or not isinstance(self.model, str):
            raise SettingsError("model is missing; `sentilab models` lists the names.")
        _require("batch_size", self.batch_size, int, lowest=1)
        _require("epochs", self.epochs, int, lowest=1)
        _require("learning_rate", self.learning_rate, float, lowest=0)
        _require("seed", self.seed, int, lowest=0)
        _require("split_seed", self.split_seed, int, lowest=0)
        _require("words", self.words, int, lowest=5)
        _require("length", self.length, int, lowest=1)
        _require("validation_fraction", self.validation_fraction, float, lowest=0)
        if not 0 < self.validation_fraction < 1:
            raise SettingsError(
                f"validation_fraction is {self.validation_fraction}; it must lie between 0 and 1."
            )
        if self.kernels not in (None, *get_args(Kernels)):
            raise SettingsError(f'kernels is "{self.kernels}"; it must be "fused" or "keras".')
        if self.protocol not in get_args(Protocol):
            raise SettingsError(
                f'protocol is "{self.protocol}"; it must be "notebook" or "holdout".'
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values as for TOML: settings that are None are left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "RunSettings":
        """The inverse of ``to_dict``; raises SettingsError for a key that is not a setting."""
        plain = dict(plain)
        for key in plain.keys() - {one.name for one in fields(cls)}:
            raise SettingsError(f'"{key}" is not a setting of a run.')
        stopping = plain.pop("early_stopping", None)
        try:
            return cls(**plain, early_stopping=EarlyStopping(**stopping) if stopping else None)
        except TypeError as error:
            raise SettingsError(f"These settings do not fit: {error}.") from error

    def fingerprint(self, data_fingerprint: str) -> str:
        """Equal for two runs exactly if the same settings meet the same data (hex SHA-256)."""
        canonical = json.dumps([self.to_dict(), data_fingerprint], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def folder_name(self, data_fingerprint: str) -> str:
        """A readable name that no other settings on the same or other data share."""
        return (
            f"{self.model}-b{self.batch_size}-e{self.epochs}-s{self.seed}-{self.protocol}"
            f"-{self.fingerprint(data_fingerprint)[:10]}"
        )


def _require(name: str, value: object, kind: type, lowest: float | None = None) -> None:
    accepted = (int, float) if kind is float else kind
    right_kind = isinstance(value, accepted) and (kind is bool or not isinstance(value, bool))
    if not right_kind or (isinstance(value, float) and not math.isfinite(value)):
        noun = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
        raise SettingsError(f"{name} is {value!r}; it must be {noun}.")
    if lowest is not None and isinstance(value, int | float) and value < lowest:
        raise SettingsError(f"{name} is {value}; it must be at least {lowest}.")
