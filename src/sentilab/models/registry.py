"""Models by name. A model is one function; ``register`` makes it known.

    @register("mean-of-words", summary="the mean of the word vectors")
    def mean_of_words(task: Task, *, embedding: int = 128) -> keras.Model: ...

Its keyword-only arguments are its settings, their defaults the settings' defaults.
"""

import difflib
import hashlib
import importlib.util
import inspect
import math
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sentilab.errors import SentilabError, SettingsError
from sentilab.models.backend import import_keras
from sentilab.models.space import Declared, Space, checked
from sentilab.readable import printable, shown

if TYPE_CHECKING:
    from sentilab.layers import KernelChoice

Solver = Callable[..., Any]
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

    ``sequential`` marks a model that reads the words one after another, which takes long: studies
    put such models last. ``solver`` is the function that fits a model which is not trained in steps.
    ``defaults`` are settings of a run, such as words, length or epochs, that suit the model.
    ``space`` is what a search varies.
    """

    name: str
    summary: str
    sequential: bool
    function: Callable[..., Any]
    solver: Solver | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    space: Space = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings with their defaults."""
        return {
            one.name: one.default
            for one in inspect.signature(self.function).parameters.values()
            if one.kind is inspect.Parameter.KEYWORD_ONLY
        }

    @property
    def reads_unlabelled(self) -> bool:
        """Whether the solver takes texts without labels."""
        return self.solver is not None and "unlabelled" in inspect.signature(self.solver).parameters


_registered: dict[str, Registered] = {}


def register(
    name: str,
    *,
    summary: str,
    sequential: bool = False,
    solver: Solver | None = None,
    defaults: Mapping[str, Any] = MappingProxyType({}),
    space: Declared = MappingProxyType({}),
) -> Callable[[ModelFunction], ModelFunction]:
    """Makes a function from a Task and settings to a Keras model known under ``name``.

    The function takes the Task and then settings, keyword-only, each with a default: a setting
    must be of its default's type (any, if that is None), and a whole number that is above 0 by
    default stays above 0. ``space`` says what `sentilab tune` may vary: for any of these settings, or
    of a run's (sentilab.models.space.OF_A_RUN), a Range or a list of choices.

    Raises SettingsError if another function has the name, the function is not of this form, or the
    space has a setting that is unknown or values that it cannot have.
    """

    def add(function: ModelFunction) -> ModelFunction:
        _check_form(name, function)
        known = _registered.get(name)
        if known is not None and _origin(known.function) != _origin(function):
            raise SettingsError(
                f'A model named "{name}" is registered already; choose another name.'
            )
        described = Registered(
            name, summary, sequential, function, solver, MappingProxyType(dict(defaults))
        )
        _registered[name] = replace(described, space=checked(name, space, described.settings))
        return function

    return add


def _check_form(name: str, function: Callable[..., Any]) -> None:
    kinds = inspect.Parameter
    task, *settings = inspect.signature(function).parameters.values() or (None,)
    if (
        task is None
        or task.kind not in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
        or any(one.kind is not kinds.KEYWORD_ONLY or one.default is kinds.empty for one in settings)
    ):
        raise SettingsError(
            f'The model "{name}" must be a function of the task and of keyword-only settings with '
            f"defaults, as in\n"
            f"  def {function.__name__}(task: Task, *, embedding: int = 128) -> keras.Model"
        )


def names() -> tuple[str, ...]:
    """All models' names, built-in ones first."""
    return tuple(_registered)


def describe(name: str) -> Registered:
    """What is registered under ``name``; raises SettingsError with the nearest names."""
    if not isinstance(name, str) or name not in _registered:
        told = printable(name) if isinstance(name, str) else shown(name)
        near = difflib.get_close_matches(told, _registered, n=1)
        hint = f'Did you mean "{near[0]}"? ' if near else ""
        raise SettingsError(f'There is no model "{told}". {hint}Models: {", ".join(_registered)}.')
    return _registered[name]


def check_settings(name: str, settings: Mapping[str, Any]) -> None:
    """Raises SettingsError if the model does not exist or a setting is unknown or of a wrong type."""
    allowed = describe(name).settings
    for key, value in settings.items():
        if key not in allowed:
            near = difflib.get_close_matches(key, allowed, n=1)
            hint = f'did you mean "{near[0]}"? ' if near else ""
            raise SettingsError(
                f'"{printable(key)}" is not a setting of {name}; {hint}its settings are '
                + (", ".join(f"{one} = {default!r}" for one, default in allowed.items()) or "none")
                + "."
            )
        _check_type(name, key, value, allowed[key])


_TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def _check_type(name: str, key: str, value: object, default: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingsError(f"{name}'s setting {key} is {value}; it must be a number.")
    if default is None:
        return
    accepted = (int, float) if isinstance(default, float) else type(default)
    boolean_for_number = isinstance(value, bool) and not isinstance(default, bool)
    if not isinstance(value, accepted) or boolean_for_number:
        wanted = _TYPES.get(type(default), f"a {type(default).__name__}")
        raise SettingsError(
            f"{name}'s setting {key} is {shown(value)}; it must be {wanted}, as its default, {default!r}."
        )
    counts = isinstance(default, int) and not isinstance(default, bool) and default > 0
    if counts and isinstance(value, int) and value < 1:
        raise SettingsError(f"{name}'s setting {key} is {shown(value)}; it must be at least 1.")


def build(
    name: str,
    task: Task,
    settings: Mapping[str, Any] | None = None,
    *,
    kernels: "KernelChoice" = "auto",
) -> Any:
    """The Keras model, not compiled, under its registered name.

    ``kernels`` says which code computes LSTMs: "fused", "keras", or "auto", the first where it can be.

    Raises SettingsError for an unknown model or setting, and if the function gives anything but a
    functional or sequential model from one (None, task.length) of integers to one output;
    FusedKernelsUnavailable if the fused LSTM is demanded and a layer cannot use it.
    """
    check_settings(name, settings or {})
    from sentilab import layers

    with layers.choosing(kernels):
        model = describe(name).function(task, **(settings or {}))
    fault = _fault(model, task)
    if fault:
        raise SettingsError(f'The model "{name}" cannot be used: {fault}')
    # Keras would number an unnamed one by how many this process has built before.
    model.name = name
    if kernels == "fused":
        layers.require_fused(model)
    return model


def _fault(model: Any, task: Task) -> str:
    """What keeps a function's result from being a model of texts, or nothing."""
    if not isinstance(model, import_keras().Model):
        return f"its function returns {model!r}, which is no keras.Model."
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        return "its inputs are not known before it is called; begin with keras.Input((None,))."
    if len(inputs) > 1 or len(outputs) > 1:
        return (
            f"it has {len(inputs)} inputs and {len(outputs)} outputs where one of each is needed."
        )
    shape = tuple(inputs[0].shape)
    if len(shape) != 2 or shape[1] not in (None, task.length):
        return (
            f"its input has shape {shape}, and texts come as (None, {task.length}); "
            "use keras.Input((task.length,)), or keras.Input((None,)) for any length."
        )
    return ""


def solve(
    name: str,
    task: Task,
    x: NDArray[np.int32],
    labels: NDArray[np.int64],
    settings: Mapping[str, Any] | None = None,
    *,
    seed: int,
    vocabulary: Sequence[str] = (),
    unlabelled: NDArray[np.int32] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Any:
    """The model of that name as its solver fits it to ``x`` (texts, length) and ``labels`` (texts,).

    A solver is given what it takes of these: ``vocabulary``, the words that the integers from
    Encoding.OFFSET + 1 on stand for; ``unlabelled`` texts (texts, length); and ``progress``, to be told
    how many passes over the texts are done, of how many.

    Raises SettingsError as ``build`` does, for a model that has no solver, and for unlabelled texts that
    the solver does not take.
    """
    check_settings(name, settings or {})
    solver = describe(name).solver
    if solver is None:
        raise SettingsError(f'The model "{name}" is trained in steps; it has no solver.')
    given: dict[str, Any] = describe(name).settings | dict(settings or {})
    if unlabelled is not None and not describe(name).reads_unlabelled:
        raise SettingsError(f"{name} cannot learn from texts without labels.")
    offered = {"vocabulary": vocabulary, "unlabelled": unlabelled, "progress": progress}
    takes = inspect.signature(solver).parameters
    given |= {key: value for key, value in offered.items() if key in takes}
    model = solver(task, x, labels, seed, **given)
    fault = _fault(model, task)
    if fault:
        raise SettingsError(f'The model "{name}" cannot be used: {fault}')
    model.name = name
    return model


def load_models_from(path: Path) -> None:
    """Runs a user's Python file, which registers its models; loading it again replaces them.

    Raises SettingsError if the file is not there, fails, or registers nothing; what was registered
    before then stays as it was.
    """
    if not path.is_file():
        raise SettingsError(f"{path}: there is no such file of models.")
    # A name of its own in sys.modules: dataclasses and Keras look up a class's module there.
    module_name = f"sentilab_models_from_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()}"
    spec = importlib.util.spec_from_file_location(module_name, path.resolve())
    if spec is None or spec.loader is None:
        raise SettingsError(f"{path}: not a Python file; its name must end in .py.")
    before = dict(_registered)
    earlier = sys.modules.get(module_name)
    for name, one in before.items():
        if one.function.__module__ == module_name:
            del _registered[name]
    others = len(_registered)
    module = sys.modules[module_name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        # The second time, models in files that it imports are registered already.
        if len(_registered) == others and earlier is None:
            raise SettingsError("it registers no model; use @register from sentilab.models.")
    # SystemExit too: a script's closing sys.exit() must not end the command without a word.
    except (Exception, SystemExit) as error:
        sys.modules.pop(module_name)
        if earlier is not None:
            sys.modules[module_name] = earlier
        _registered.clear()
        _registered.update(before)
        known = str(error) if isinstance(error, SentilabError) else _told(error, path)
        raise SettingsError(f"{path}: {known}") from error


def _told(error: BaseException, path: Path) -> str:
    """An error in a user's file, with the last of its lines that led there."""
    lines = [
        one.lineno
        for one in traceback.extract_tb(error.__traceback__)
        if one.filename == str(path.resolve())
    ]
    where = f"line {lines[-1]}: " if lines else ""
    return f"loading it failed: {where}{type(error).__name__}: {error}"


def _origin(function: Callable[..., Any]) -> tuple[str, str]:
    """What a function is called, so that running its file or notebook cell again is no conflict."""
    return function.__module__, function.__qualname__
