"""Settings that are known to do well, one file each: it opens with what they achieve, and at what cost.

summary = "what it is, in a few words"
place = 3                      # among the candidates of --budget, cheapest first; left out: it is none

[run]                          # any setting of a run; the rest is as the model's defaults have it
model = "mlp"
epochs = 1
"""

import difflib
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from sentilab import models
from sentilab.errors import SettingsError
from sentilab.readable import printable, shown, toml_of
from sentilab.training import RunSettings

# What belongs to a command or a study.
NOT_ITS_OWN = frozenset(
    {"protocol", "validation_fraction", "split_seed", "seed", "kernels"}
    | {"folds", "fold", "inner_folds", "inner_fold"}
)


@dataclass(frozen=True)
class Preset:
    """``settings`` of a run; ``place`` orders the candidates of a budget, None for no candidate."""

    name: str
    summary: str
    settings: RunSettings
    place: int | None


def packaged() -> dict[str, Path]:
    """The presets' files, by name."""
    folder = Path(str(resources.files(__name__)))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def read(name: str) -> Preset:
    """The preset of that name. Raises SettingsError with the nearest names, or what its file lacks."""
    known = packaged()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f'Did you mean "{near[0]}"? ' if near else ""
        raise SettingsError(f'There is no preset "{name}". {hint}Presets: {", ".join(known)}.')
    return parse(known[name].read_text(encoding="utf-8"), name)


def candidates() -> tuple[Preset, ...]:
    """Those that a budget may be spent on, cheapest first."""
    read_all = [read(name) for name in packaged()]
    return tuple(
        sorted((one for one in read_all if one.place is not None), key=lambda one: one.place or 0)
    )


def parse(text: str, name: str) -> Preset:
    """A preset's file. Raises SettingsError naming the file and the key that is wrong."""
    file = f"{name}.toml"
    try:
        content = toml_of(text)
    except ValueError as error:
        raise SettingsError(f"{file}: not valid TOML: {printable(str(error))}.") from error
    for key in content.keys() - {"summary", "place", "run"}:
        raise SettingsError(f"{file}, {key}: unknown key; allowed are summary, place and [run].")
    summary, place, run = (content.get(key) for key in ("summary", "place", "run"))
    if not isinstance(summary, str) or not summary:
        raise SettingsError(
            f"{file}, summary: is missing; it must say in a few words what this is."
        )
    if place is not None and (not isinstance(place, int) or isinstance(place, bool)):
        raise SettingsError(f"{file}, place: is {shown(place)}; it must be a whole number.")
    if not isinstance(run, dict):
        raise SettingsError(f"{file}, run: is missing; it must be a table, [run], with a model.")
    return Preset(name, summary, _settings(run, file), place)


def _settings(run: dict[str, Any], file: str) -> RunSettings:
    allowed = {one.name for one in fields(RunSettings)} - NOT_ITS_OWN
    for key in run.keys() - allowed:
        raise SettingsError(f"{file}, run.{key}: no setting of a preset.")
    try:
        settings = RunSettings.from_dict({**models.describe(run.get("model", "")).defaults, **run})
        models.check_settings(settings.model, settings.model_settings)
    except SettingsError as error:
        raise SettingsError(f"{file}, run: {error}") from error
    return settings
