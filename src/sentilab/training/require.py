"""Checks of one setting's value."""

import math

from sentilab.errors import SettingsError
from sentilab.readable import shown

_NOUNS = {int: "a whole number", float: "a number", bool: "true or false"}


def require(
    name: str,
    value: object,
    kind: type,
    lowest: float | None = None,
    highest: float | None = None,
) -> None:
    """Raises SettingsError, naming the setting, if ``value`` is not of ``kind`` or out of range."""
    accepted = (int, float) if kind is float else kind
    right_kind = isinstance(value, accepted) and (kind is bool or not isinstance(value, bool))
    if not right_kind or (isinstance(value, float) and not math.isfinite(value)):
        raise SettingsError(f"{name} is {shown(value)}; it must be {_NOUNS[kind]}.")
    if not isinstance(value, int | float):
        return
    if lowest is not None and value < lowest:
        raise SettingsError(f"{name} is {shown(value)}; it must be at least {lowest}.")
    if highest is not None and value > highest:
        raise SettingsError(f"{name} is {shown(value)}; it must be at most {highest}.")
