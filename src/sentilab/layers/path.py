"""Which code computes a model's LSTMs, and why."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import keras
from keras.src import api_export
from keras.src.saving import serialization_lib

from sentilab import kernels
from sentilab.errors import SentilabError

KernelChoice = Literal["auto", "fused", "keras"]
"""auto: the kernel wherever it can be; fused: nothing but the kernel; keras: Keras's own layers."""

Precision = Literal["float32", "bf16"]
"""What an LSTM's products multiply; float32 sums, states and gates either way."""

_choice: ContextVar[KernelChoice] = ContextVar("kernel_choice", default="auto")


class FusedKernelsUnavailable(SentilabError):
    """The fused LSTM was asked for by name, and cannot be used."""


class PrecisionUnavailable(SentilabError, ValueError):
    """Products of bfloat16 factors were asked for, and cannot be had."""


@contextmanager
def choosing(choice: KernelChoice) -> Iterator[None]:
    """Layers made in this context use the kernel, or do not, as ``choice`` says."""
    token = _choice.set(choice)
    try:
        yield
    finally:
        _choice.reset(token)


def stock_layers_wanted() -> bool:
    """Whether a layer made now is to leave all computing to Keras."""
    return _choice.get() == "keras"


class Choosing:
    """What LSTM and Bidirectional share: whether to use the kernel, and remembering what was done.

    A subclass says in ``_obstacle`` what in its settings the kernel does not cover.
    """

    name: str

    def __init__(self, *arguments: Any, precision: Precision = "float32", **settings: Any) -> None:
        if precision not in get_args(Precision):
            raise ValueError(f'precision is {precision!r}; it must be "float32" or "bf16".')
        super().__init__(*arguments, **settings)
        self._kernel_choice: KernelChoice = _choice.get()
        self._lstm_seen = ""
        self._precision = precision
        if precision == "bf16":
            path = self._decided()
            if path != "fused":
                raise _no_bf16(self.name, path)
            if not kernels.has_bf16():
                raise _no_bf16(self.name, f"{kernels.title()} does not multiply bfloat16 numbers")

    @property
    def precision(self) -> Precision:
        """What the products multiply."""
        return self._precision

    @property
    def lstm_path(self) -> str:
        """ "fused", or why Keras's own code runs: in the last call, or, before one, as things are."""
        return self._lstm_seen or self._decided()

    def _obstacle(self) -> str:
        """Why the kernel cannot compute this layer; "" if it can."""
        raise NotImplementedError

    def _decided(self, obstacle: str = "") -> str:
        if self._kernel_choice == "keras":
            return "Keras's own layers were asked for"
        return here() or self._obstacle() or obstacle or "fused"

    def _fused(self, obstacle: str = "") -> bool:
        """Whether the kernel computes this call; ``obstacle`` is what in the call speaks against it.

        Raises FusedKernelsUnavailable or PrecisionUnavailable if the kernel was demanded, by name or
        by its precision, and cannot be used.
        """
        self._lstm_seen = self._decided(obstacle)
        if self._lstm_seen != "fused" and self.precision == "bf16":
            raise _no_bf16(self.name, self._lstm_seen)
        if self._lstm_seen != "fused" and self._kernel_choice == "fused":
            raise _unavailable(f"the layer {self.name}", self._lstm_seen)
        return self._lstm_seen == "fused"


@cache
def here() -> str:
    """Why the kernel cannot be used in this process at all; "" if it can."""
    if keras.config.backend() != "jax":
        return f"Keras runs on {keras.config.backend()}, and the kernel needs JAX"
    import jax

    if jax.default_backend() != "cpu":
        return f"JAX computes on {jax.default_backend()}, and the kernel needs a CPU"
    missing = kernels.missing()
    return f"the kernel is not there: {missing}" if missing else ""


def require_fused(model: Any = None) -> None:
    """Raises FusedKernelsUnavailable unless all LSTMs of the model, or any at all, can be fused."""
    obstacle = here()
    if obstacle:
        raise _unavailable("this process", obstacle)
    for name, path in lstm_paths(model).items() if model is not None else ():
        if path != "fused":
            raise _unavailable(f"the layer {name}", path)


def _unavailable(who: str, obstacle: str) -> FusedKernelsUnavailable:
    return FusedKernelsUnavailable(
        f'The fused LSTM is demanded (kernels = "fused"), and {who} cannot use it: {obstacle}.\n'
        "  `sentilab doctor` says what is there; without the demand Keras's own LSTM takes its place."
    )


def _no_bf16(layer: str, obstacle: str) -> PrecisionUnavailable:
    return PrecisionUnavailable(
        f'The layer {layer} was given precision = "bf16", and cannot have it: {obstacle}.\n'
        '  "float32", the default, runs everywhere; `sentilab doctor` says what is there.'
    )


def save_under_the_name_of(stock: type) -> Any:
    """Class decorator: models with this class are saved as if it were ``stock``.

    So stock Keras loads them. Loading gives the stock class; ``load_model`` gives this one.
    """

    def named(own: type) -> type:
        # Keras looks the name up by class; the way back, from the name, stays with its own class.
        name = api_export.get_name_from_symbol(stock)
        api_export.REGISTERED_OBJS_TO_NAMES[own] = name
        _own_classes[name] = own
        return own

    return named


_own_classes: dict[str, type] = {}


def load_model(path: Path | str) -> Any:
    """A .keras file with the fused layers in the places of Keras's own.

    Raises what keras.saving.load_model raises; unsafe files are refused as there.
    """
    names = api_export.REGISTERED_NAMES_TO_OBJS
    stock = {name: names[name] for name in _own_classes}
    names.update(_own_classes)
    try:
        return keras.saving.load_model(path)
    finally:
        names.update(stock)


def safely() -> AbstractContextManager[None]:
    """In this context Keras's safe mode is on, also where a process has switched it off for all.

    Keras asks for the switch first, and only then for the argument ``safe_mode``.
    """
    scope: AbstractContextManager[None] = serialization_lib.SafeModeScope(True)
    return scope


def lstm_paths(model: Any) -> dict[str, str]:
    """By layer: "fused", or why Keras's own code computes it; only layers that are LSTMs."""
    return {
        layer.name: layer.lstm_path
        if isinstance(layer, Choosing)
        else f"it is Keras's own layer; the fused one is sentilab.layers.{type(layer).__name__}"
        for layer in _lstms(model)
    }


def _lstms(model: Any) -> Iterator[Any]:
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.Bidirectional):
            if isinstance(layer.forward_layer, keras.layers.LSTM):
                yield layer
        elif isinstance(layer, keras.layers.LSTM) and not _within_bidirectional(model, layer):
            yield layer


def _within_bidirectional(model: Any, layer: Any) -> bool:
    return any(
        layer in (one.forward_layer, one.backward_layer)
        for one in model._flatten_layers(include_self=False)
        if isinstance(one, keras.layers.Bidirectional)
    )


def lstm_path(model: Any) -> str:
    """One line for people, such as "fused, AVX-512, bf16 products, 2 threads".

    Or "Keras fallback: ...", with the reasons.
    """
    paths = lstm_paths(model)
    if not paths:
        return "none: the model has no LSTM"
    fallbacks = {name: path for name, path in paths.items() if path != "fused"}
    if not fallbacks:
        threads = kernels.threads()
        bf16 = [one.name for one in _lstms(model) if one.precision == "bf16"]
        where = f" in {', '.join(bf16)}" if len(bf16) < len(paths) else ""
        products = f"bf16 products{where}, " if bf16 else ""
        return f"fused, {kernels.title()}, {products}{threads} thread{'s' * (threads != 1)}"
    reasons = "; ".join(dict.fromkeys(fallbacks.values()))
    some = "" if len(fallbacks) == len(paths) else f" for {', '.join(fallbacks)}"
    return f"Keras fallback{some}: {reasons}"
