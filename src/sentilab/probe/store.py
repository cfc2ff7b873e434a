"""Where probes' results lie: ``probe/<name>.json`` in the folder of the run they are about."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from sentilab import atomic
from sentilab.errors import SentilabError, SettingsError
from sentilab.readable import shown
from sentilab.training import RunFolder

# In the order in which they are measured and shown; the modules are loaded when they are used.
PROBES = {
    "behaviour": "sentilab.probe.behaviour",
    "contrast": "sentilab.probe.contrast",
    "padding": "sentilab.probe.padding",
    "calibration": "sentilab.probe.calibration",
    "words": "sentilab.probe.words",
}


class NotApplicable(SentilabError):
    """A probe has nothing to ask of a run; the message says why."""


def module(name: str) -> ModuleType:
    """The probe's module: ``measure(subject)``, ``lines(result)`` and the class ``Result``.

    Raises SettingsError for a name that is no probe's.
    """
    if name not in PROBES:
        raise SettingsError(f'There is no probe "{name}"; there are {", ".join(PROBES)}.')
    return importlib.import_module(PROBES[name])


def write(folder: Path, name: str, result: Any) -> None:
    """Keeps ``result`` (with ``to_json``) in the run's folder."""
    (folder / "probe").mkdir(exist_ok=True)
    atomic.sweep(folder / "probe")
    RunFolder(folder).write_json(f"probe/{name}.json", result.to_json())


def read(folder: Path, name: str) -> Any:
    """The probe's ``Result`` for this run, or None where it was not measured.

    Raises SentilabError if the file is not what ``write`` writes.
    """
    plain = RunFolder(folder).read_json(f"probe/{name}.json")
    if plain is None:
        return None
    try:
        return module(name).Result.from_json(plain)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SentilabError(
            f"{folder / 'probe' / name}.json: not this probe's result ({shown(error)}).\n"
            "  Remove it and run `sentilab probe` again."
        ) from error
