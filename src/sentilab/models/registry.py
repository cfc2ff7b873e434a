"""Models by name. A model is one function; ``register`` makes it known.

    @register("averaging", summary="the mean of the word vectors")
    def averaging(task: Task, *, embedding: int = 128) -> keras.Model: ...

Its keyword-only arguments are its settings, their defaults the settings' defaults.
"""

import difflib
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sentilab.errors import SentilabError, SettingsError

ModelFunction = TypeVar("ModelFunction", bound=Callable[..., Any])


@dataclass(frozen=True)
class Task:
    """What a model is built for: integers below ``words``, ``length`` a text, ``classes`` labels."""

    words: int
    length: int
    classes: int


@dataclass(frozen=True)
class Registered:
    """A model's function and what is said of it.

    ``fixed_length`` marks a model whose weights depend on the texts' length, as those of a dense
    layer over all positions do.
    """

    name: str
    summary: str
    fixed_length: bool
    function: Callable[..., Any]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings with their defaults."""
        return {
            one.name: one.default
            for one in inspect.signature(self.function).parameters.values()
            if one.kind is inspect.Parameter.KEYWORD_ONLY
        }


_registered: dict[str, Registered] = {}


def register(
    name: str, *, summary: str, fixed_length: bool = False
) -> Callable[[ModelFunction], ModelFunction]:
    """Makes a function from a Task and settings to a Keras model known under ``name``.

    Raises SettingsError if another function has the name.
    """

    def add(function: ModelFunction) -> ModelFunction:
        known = _registered.get(name)
        if known is not None and _origin(known.function) != _origin(function):
            raise SettingsError(
                f'A model named "{name}" is registered already; choose another name.'
            )
        _registered[name] = Registered(name, summary, fixed_length, function)
        return function

    return add


def names() -> tuple[str, ...]:
    """All models' names, built-in ones first."""
    return tuple(_registered)


def describe(name: str) -> Registered:
    """What is registered under ``name``; raises SettingsError with the nearest names."""
    if name not in _registered:
        near = difflib.get_close_matches(str(name), _registered, n=1)
        hint = f'Did you mean "{near[0]}"? ' if near else ""
        raise SettingsError(f'There is no model "{name}". {hint}Models: {", ".join(_registered)}.')
    return _registered[name]


def check_settings(name: str, settings: Mapping[str, Any]) -> None:
    """Raises SettingsError if the model does not exist or a setting is unknown or of a wrong type."""
    allowed = describe(name).settings
    for key, value in settings.items():
        if key not in allowed:
            near = difflib.get_close_matches(key, allowed, n=1)
            hint = f'did you mean "{near[0]}"? ' if near else ""
            raise SettingsError(
                f'"{key}" is not a setting of {name}; {hint}its settings are '
                + (", ".join(f"{one} = {default!r}" for one, default in allowed.items()) or "none")
                + "."
            )
        _check_type(name, key, value, allowed[key])


def _check_type(name: str, key: str, value: object, default: object) -> None:
    if default is None or default is inspect.Parameter.empty:
        return
    accepted = (int, float) if isinstance(default, float) else type(default)
    boolean_for_number = isinstance(value, bool) and not isinstance(default, bool)
    if not isinstance(value, accepted) or boolean_for_number:
        raise SettingsError(
            f"{name}'s setting {key} is {value!r}; it must be of the type of {default!r}."
        )
    counts = isinstance(default, int) and not isinstance(default, bool) and default > 0
    if counts and isinstance(value, int) and value < 1:
        raise SettingsError(f"{name}'s setting {key} is {value!r}; it must be at least 1.")


def build(name: str, task: Task, settings: Mapping[str, Any] | None = None) -> Any:
    """The Keras model, not compiled.

    Raises SettingsError for an unknown model or setting.
    """
    check_settings(name, settings or {})
    return describe(name).function(task, **(settings or {}))


def load_models_from(path: Path) -> None:
    """Runs a user's Python file, which registers its models.

    Raises SettingsError if the file is not there, fails, or registers nothing.
    """
    if not path.is_file():
        raise SettingsError(f"{path}: there is no such file of models.")
    before = len(_registered)
    already = {_origin(one.function)[0] for one in _registered.values()}
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise SettingsError(f"{path}: not a Python file; its name must end in .py.")
    try:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except SentilabError:
        raise
    except Exception as error:
        raise SettingsError(
            f"{path}: loading it failed: {type(error).__name__}: {error}"
        ) from error
    if len(_registered) == before and str(path) not in already:
        raise SettingsError(f"{path}: it registers no model; use @register from sentilab.models.")


def _origin(function: Callable[..., Any]) -> tuple[str, str]:
    """Where a function stands, so that loading the same file twice is no conflict."""
    code = inspect.unwrap(function).__code__
    return code.co_filename, function.__qualname__
