"""One run's settings: frozen, validated once, written beside its results."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from sentilab.errors import SettingsError
from sentilab.readable import printable, shown
from sentilab.training.options import (
    AdversarialTraining,
    EarlyStopping,
    Pretraining,
    Reading,
    Schedule,
    Teaching,
    WeightAveraging,
)
from sentilab.training.require import require

Protocol = Literal["notebook", "holdout", "validation"]
Kernels = Literal["fused", "keras"]

DEFAULT_SEED = 297

# What the parts beneath can hold: an int32, and what NumPy and Keras take as a seed.
LARGEST = 2**31 - 1
LARGEST_SEED = 2**32 - 1
LARGEST_WHOLE = 2**63 - 1
MOST_FOLDS = 1_000

# Settings that are tables of their own.
_TABLES = {
    "early_stopping": EarlyStopping,
    "schedule": Schedule,
    "averaging": WeightAveraging,
    "adversarial": AdversarialTraining,
    "pretraining": Pretraining,
    "teaching": Teaching,
    "reading": Reading,
}


@dataclass(frozen=True)
class RunSettings:
    """Everything that decides a run's weights, given the data.

    ``model_settings`` are the model function's own keyword arguments. ``words`` and ``length`` are
    the encoding's (sentilab.text.Encoding); ``validation_fraction`` and ``split_seed`` say how the
    holdout protocol carves its validation part. ``kernels`` demands the code that computes LSTMs:
    "fused" or "keras"; by default the fused kernel does wherever it can.

    Under the protocol "validation" the test part is never read: what a run is judged on is the
    validation part. With ``folds`` the test part is instead the fold number ``fold`` (from 1) of so
    many, of the training rows where the data have official splits, else of all rows.

    With ``inner_folds`` too, or alone, the test part is the fold ``inner_fold`` of the rows that would
    train or validate without it: what stacking learns its weights from.

    ``label_smoothing`` takes that share of each label's probability and spreads it over all;
    ``clip_norm`` bounds the gradient's norm; ``bucketed`` puts texts of like length into one batch.
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
    schedule: Schedule | None = None
    averaging: WeightAveraging | None = None
    adversarial: AdversarialTraining | None = None
    label_smoothing: float | None = None
    clip_norm: float | None = None
    bucketed: bool | None = None
    folds: int | None = None
    fold: int | None = None
    inner_folds: int | None = None
    inner_fold: int | None = None
    pretraining: Pretraining | None = None
    teaching: Teaching | None = None
    reading: Reading | None = None

    def __post_init__(self) -> None:
        """Raises SettingsError naming the first setting that is out of its range."""
        if not self.model or not isinstance(self.model, str):
            raise SettingsError("model is missing; `sentilab models` lists the names.")
        if not isinstance(self.model_settings, dict):
            raise SettingsError(
                f"model_settings is {shown(self.model_settings)}; it must be a table."
            )
        _require_plain("model_settings", self.model_settings)
        require("batch_size", self.batch_size, int, lowest=1, highest=LARGEST)
        require("epochs", self.epochs, int, lowest=1, highest=LARGEST)
        require("learning_rate", self.learning_rate, float, lowest=0)
        require("seed", self.seed, int, lowest=0, highest=LARGEST_SEED)
        require("split_seed", self.split_seed, int, lowest=0, highest=LARGEST_SEED)
        require("words", self.words, int, lowest=5, highest=LARGEST)
        require("length", self.length, int, lowest=1, highest=LARGEST)
        require("validation_fraction", self.validation_fraction, float, lowest=0)
        if not 0 < self.validation_fraction < 1:
            raise SettingsError(
                f"validation_fraction is {self.validation_fraction}; it must lie between 0 and 1."
            )
        if self.kernels not in (None, *get_args(Kernels)):
            raise SettingsError(f'kernels is {shown(self.kernels)}; it must be "fused" or "keras".')
        if self.protocol not in get_args(Protocol):
            raise SettingsError(
                f'protocol is {shown(self.protocol)}; it must be "notebook", "holdout" or "validation".'
            )
        if self.label_smoothing is not None:
            require("label_smoothing", self.label_smoothing, float, lowest=0, highest=1)
        if self.clip_norm is not None:
            require("clip_norm", self.clip_norm, float, lowest=0)
        if self.bucketed is not None:
            require("bucketed", self.bucketed, bool)
        _require_fold("folds", self.folds, "fold", self.fold)
        _require_fold("inner_folds", self.inner_folds, "inner_fold", self.inner_fold)

    def to_dict(self) -> dict[str, Any]:
        """Plain values as for TOML: settings that are None are left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "RunSettings":
        """The inverse of ``to_dict``; raises SettingsError for a key that is not a setting."""
        plain = dict(plain)
        for key in plain.keys() - {one.name for one in fields(cls)}:
            raise SettingsError(f'"{printable(key)}" is not a setting of a run.')
        try:
            for name, table in _TABLES.items():
                if plain.get(name) is not None:
                    plain[name] = table(**plain[name])
            return cls(**plain)
        except TypeError as error:
            raise SettingsError(f"These settings do not fit: {printable(str(error))}.") from error

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


def _require_plain(name: str, value: object) -> None:
    """Raises SettingsError for what JSON cannot hold, or holds and nobody can mean."""
    if isinstance(value, dict):
        for key, one in value.items():
            _require_plain(f"{name}.{printable(str(key))}", one)
    elif isinstance(value, list | tuple):
        for one in value:
            _require_plain(name, one)
    elif isinstance(value, float):
        require(name, value, float)
    elif isinstance(value, int) and not isinstance(value, bool):
        require(name, value, int, lowest=-LARGEST_WHOLE, highest=LARGEST_WHOLE)
    elif not isinstance(value, str | bool | None):
        raise SettingsError(f"{name} is {shown(value)}; it must be a number, a text or a list.")


def _require_fold(folds_name: str, folds: int | None, fold_name: str, fold: int | None) -> None:
    if (folds is None) != (fold is None):
        raise SettingsError(
            f"{folds_name} and {fold_name} belong together: how many, and which one is tested."
        )
    if folds is not None:
        require(folds_name, folds, int, lowest=2, highest=MOST_FOLDS)
        require(fold_name, fold, int, lowest=1, highest=folds)
