"""What a search may vary: for a setting of a model, or of its run, a range or a list of choices.

@register("mlp", summary=..., space={
    "units": Range(16, 128, log=True),
    "learning_rate": Range(0.0003, 0.01, log=True),
    "batch_size": [16, 32, 64],
})
"""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sentilab.errors import SettingsError

# Settings of a run that a search may vary. Those that say which texts train and judge, and with
# which seed, are not among them: a search over these would choose its own luck.
OF_A_RUN: Mapping[str, type] = MappingProxyType(
    {
        "batch_size": int,
        "epochs": int,
        "learning_rate": float,
        "words": int,
        "length": int,
        "label_smoothing": float,
        "clip_norm": float,
        "bucketed": bool,
        "early_stopping": dict,
        "schedule": dict,
        "averaging": dict,
        "adversarial": dict,
    }
)


@dataclass(frozen=True)
class Range:
    """The numbers from ``low`` to ``high``, both included; whole ones where both bounds are.

    ``log`` draws them evenly by their logarithm, as suits what is doubled and halved.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        """Raises SettingsError for bounds that are no numbers or in the wrong order."""
        for bound in (self.low, self.high):
            if isinstance(bound, bool) or not isinstance(bound, int | float):
                raise SettingsError(f"{self}: {bound!r} is not a number.")
            if not math.isfinite(bound):
                raise SettingsError(f"{self}: {bound!r} is no bound that can be reached.")
        if self.low >= self.high:
            raise SettingsError(f"{self}: the first bound must be below the second.")
        if self.log and self.low <= 0:
            raise SettingsError(f"{self}: a logarithmic range must begin above 0.")

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def nearest(self, value: object) -> float:
        """``value`` where it is in the range, else what is nearest; the middle for no number."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            middle = (
                math.sqrt(self.low * self.high)
                if self.log
                else self.low + (self.high - self.low) / 2
            )
            value = round(middle) if self.whole else middle
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Choices:
    """One of ``values``, which may be anything that a setting can be, tables included."""

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        """Raises SettingsError for fewer than two different values."""
        if len({repr(one) for one in self.values}) < max(2, len(self.values)):
            raise SettingsError(
                f"{list(self.values)!r}: choices must be two or more different values."
            )

    def nearest(self, value: object) -> Any:
        """``value`` where it is one of them, else the first."""
        return value if any(one == value for one in self.values) else self.values[0]


Declared = Mapping[str, Range | Sequence[Any]]
Space = Mapping[str, Range | Choices]


def checked(name: str, space: Mapping[str, Any], own: Mapping[str, Any]) -> Space:
    """The space that the model ``name`` declares, whose ``own`` settings have these defaults.

    Raises SettingsError for what is no setting, and for values that the setting cannot have.
    """
    found: dict[str, Range | Choices] = {}
    for key, given in space.items():
        where = f'The model "{name}", space, {key}'
        if key not in own and key not in OF_A_RUN:
            allowed = (*own, *OF_A_RUN)
            near = difflib.get_close_matches(key, allowed, n=1)
            hint = f'did you mean "{near[0]}"?' if near else "known are " + ", ".join(allowed) + "."
            raise SettingsError(
                f"{where}: neither a setting of the model nor one of a run that a search may vary; "
                f"{hint}"
            )
        if isinstance(given, str) or not isinstance(given, Range | Sequence):
            raise SettingsError(f"{where}: {given!r} is neither a Range nor a list of choices.")
        try:
            one = given if isinstance(given, Range) else Choices(tuple(given))
        except SettingsError as error:
            raise SettingsError(f"{where}: {error}") from error
        kind = type(own[key]) if key in own else OF_A_RUN[key]
        wrong = _misfits(one, kind, may_be_none=key not in own)
        if wrong:
            raise SettingsError(
                f"{where}: {wrong[0]!r} will not do; this setting takes {_NOUNS[kind]}."
            )
        found[key] = one
    return MappingProxyType(found)


_NOUNS = {
    bool: "true or false",
    int: "whole numbers",
    float: "numbers",
    str: "texts",
    dict: "tables",
}


def _misfits(one: Range | Choices, kind: type, *, may_be_none: bool) -> list[Any]:
    """What of ``one`` a setting of ``kind`` cannot be; kinds not listed here may be anything."""
    if kind not in _NOUNS:
        return []
    if isinstance(one, Range):
        return [] if kind is float or (kind is int and one.whole) else [one]
    accepted = (int, float) if kind is float else kind
    return [
        value
        for value in one.values
        if not (value is None and may_be_none)
        and (not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool))
    ]
