"""How a bundle's model is computed: by the compiled kernel, or by ONNX Runtime."""

import math
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from sentilab.bundle.format import INT8, ONNX, WEIGHTS, Bundle, Layer
from sentilab.text.words import Encoding

EngineChoice = Literal["auto", "native", "onnx", "int8"]
CHOICES: tuple[EngineChoice, ...] = get_args(EngineChoice)

# What is computed at once holds no more numbers than this (512 MiB), however large the model. And one
# text may take so many, and so many multiplications (some seconds at most), as in onnx_check.
MOST_NUMBERS = 1 << 27
MOST_MULTIPLIED = 1 << 24  # numbers (64 MiB) that are kept to save multiplications
MOST_HELD, MOST_PRODUCTS = 1 << 25, 1 << 33

Ids = NDArray[np.int32]
Floats = NDArray[np.float32]


class Engine(Protocol):
    """``title`` says which code computes. ``scores`` gives probabilities (texts, labels), not
    calibrated, for ids (texts, tokens); any thread may call it, and others run meanwhile.
    """

    title: str

    def scores(self, ids: Ids) -> Floats: ...


def engine_of(bundle: Bundle, choice: EngineChoice = "auto", threads: int = 0) -> Engine:
    """The engine asked for; "auto" is the kernel where it was built and knows the model's layers.

    Models without an LSTM it leaves to ONNX Runtime, which is faster there (benchmarks/predict.py).
    ``threads``: 0 for as many as this process may use cores.

    Raises BundleError if the engine asked for cannot be had, or the weights do not fit the layers.
    """
    threads = threads or cores()
    if choice == "int8":
        if INT8 not in bundle.manifest.files:
            raise bundle.fault(INT8, "this bundle was made without a graph of 8 bits")
        return OnnxEngine(bundle, INT8, threads, "ONNX Runtime, 8-bit weights")
    if choice == "onnx":
        return OnnxEngine(bundle, ONNX, threads, "ONNX Runtime")
    obstacle = _obstacle(bundle)
    if not obstacle and choice == "auto" and _is_slower(bundle):
        return OnnxEngine(bundle, ONNX, threads, "ONNX Runtime, the faster one without an LSTM")
    if not obstacle:
        return NativeEngine(bundle, threads)
    if choice == "native":
        raise bundle.fault(WEIGHTS, f"the compiled kernel cannot compute this model: {obstacle}")
    return OnnxEngine(bundle, ONNX, threads, f"ONNX Runtime, since {obstacle}")


def _obstacle(bundle: Bundle) -> str:
    from sentilab.kernels import native

    layers = bundle.manifest.layers
    if layers is None:
        return "the model has layers that the compiled kernel does not know"
    return native.missing()


def _is_slower(bundle: Bundle) -> bool:
    """Whether ONNX Runtime computes the model faster: it does where there is no LSTM in it."""
    return all(one.kind != "lstm" for one in bundle.manifest.layers or ())


class NativeEngine:
    """Sentilab's compiled LSTM, and NumPy for what surrounds it."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        """Raises BundleError if the layers do not follow one another, or their weights do not fit."""
        from sentilab.kernels import native

        layers = bundle.manifest.layers or ()
        tensors = _tensors(bundle)
        try:
            self._model = Computation(layers, tensors, bundle.manifest.encoding)
        except ValueError as error:
            raise bundle.fault(WEIGHTS, str(error)) from error
        labels = len(bundle.manifest.labels)
        if self._model.outputs != labels and (self._model.outputs, labels) != (1, 2):
            raise bundle.fault(
                WEIGHTS, f"the model has {self._model.outputs} outputs for {labels} labels"
            )
        self._threads = threads
        self.title = f"Sentilab's kernel, {native.title()}, {_counted(threads)}"

    def scores(self, ids: Ids) -> Floats:
        rows = max(1, MOST_NUMBERS // self._model.held)
        if len(ids) > rows:
            parts = range(0, len(ids), rows)
            return np.concatenate([self.scores(ids[at : at + rows]) for at in parts])
        return for_each_label(self._model(np.ascontiguousarray(ids, np.int32), self._threads))


def for_each_label(answers: Floats) -> Floats:
    """Probabilities (texts, labels) of a model's outputs: a single one is the second label's."""
    return np.concatenate([1 - answers, answers], axis=1) if answers.shape[1] == 1 else answers


class OnnxEngine:
    """ONNX Runtime on a graph of the bundle's."""

    def __init__(self, bundle: Bundle, name: str, threads: int, title: str) -> None:
        """Raises BundleError if the graph is not one that a bundle may hold, or cannot be loaded."""
        content = bundle.read(name)
        # So many texts at once as take no more memory than is allowed.
        self._rows = max(1, MOST_NUMBERS // check_graph(bundle, name, content))
        try:
            import onnxruntime
        except ImportError as error:
            raise bundle.fault(
                name, 'it needs ONNX Runtime; install it with: pip install "onnxruntime>=1.20"'
            ) from error
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.inter_op_num_threads = 1
        settings.log_severity_level = 4  # what is wrong is said by the error itself
        try:
            self._session = onnxruntime.InferenceSession(
                content, settings, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise bundle.fault(
                name, f"ONNX Runtime cannot load it ({_first_line(error)})"
            ) from error
        self._bundle, self._name = bundle, name
        self.title = f"{title}, {_counted(threads)}"

    def scores(self, ids: Ids) -> Floats:
        if len(ids) > self._rows:
            parts = range(0, len(ids), self._rows)
            return np.concatenate([self.scores(ids[at : at + self._rows]) for at in parts])
        try:
            (answers,) = self._session.run(["probabilities"], {"ids": ids})
        except Exception as error:
            raise self._bundle.fault(
                self._name, f"ONNX Runtime cannot compute it ({_first_line(error)})"
            ) from error
        return np.asarray(answers, np.float32)


def check_graph(bundle: Bundle, name: str, content: bytes) -> int:
    """The numbers that are held for one text; BundleError for a graph that no bundle may have."""
    from sentilab.bundle.onnx_check import check_onnx

    manifest = bundle.manifest
    try:
        found = check_onnx(
            content,
            labels=len(manifest.labels),
            words=manifest.encoding.words,
            length=manifest.encoding.length,
        )
    except ValueError as error:
        raise bundle.fault(name, str(error)) from error
    layers = manifest.layers
    if layers and manifest.ignores_padding and not found.masked:
        # The golden examples would not show it: beside a long text, short ones keep their padding.
        raise bundle.fault(name, "it reads padding, which the manifest says that it does not")
    return found.held


# What a layer computes: its inputs, the mask of the tokens or None, threads.
_Step = Callable[[Any, "NDArray[np.bool_] | None", int], Floats]


class Computation:
    """The layers one after another, checked against each other once.

    Called with ids (texts, tokens) and a number of threads, gives outputs (texts, ``outputs``).
    Raises ValueError for layers that do not follow one another or tensors that do not fit them.
    """

    def __init__(
        self, layers: tuple[Layer, ...], tensors: Mapping[str, Floats], encoding: Encoding
    ) -> None:
        if len(layers) < 2 or layers[0].kind != "embedding":
            raise ValueError("the first of its layers must be an embedding")
        (self._table,) = _of(layers[0], tensors, 1)
        if self._table.ndim != 2 or self._table.shape[0] < encoding.words:
            raise ValueError(
                f"its word vectors have shape {self._table.shape}, and {encoding.words} are needed"
            )
        self._masked = layers[0].settings.get("masked", False) is True
        self._steps: list[_Step] = []
        self._projected: Floats | None = None
        self._read, self._making = 0, threading.Lock()
        shape: tuple[int, ...] = (encoding.length, self._table.shape[1])
        # Of one text: the numbers on the way, LSTMs' gates among them, and the multiplications.
        self.held, products = math.prod(shape), 0
        for layer in layers[1:]:
            if layer.kind == "lstm" and len(shape) == 2:
                lstm = _Lstm(layer, tensors, shape[1])
                self.held += shape[0] * lstm.gates
                products += shape[0] * lstm.gates * (shape[1] + lstm.units)
                shape = (shape[0], lstm.width) if lstm.sequences else (lstm.width,)
                self._steps.append(lstm)
            elif layer.kind == "flatten" and len(shape) == 2 and not self._masked:
                shape = (shape[0] * shape[1],)
                self._steps.append(_flattened)
            elif layer.kind == "dense" and len(shape) == 1:
                dense = _Dense(layer, tensors, shape[0])
                products += shape[0] * dense.width
                shape = (dense.width,)
                self._steps.append(dense)
            else:
                raise ValueError(f"a layer {layer.kind!r} cannot follow where it stands")
            self.held += math.prod(shape)
            if self.held > MOST_HELD or products > MOST_PRODUCTS:
                raise ValueError(
                    "it takes more memory or time for a text than a bundle's model may"
                )
        if len(shape) != 1:
            raise ValueError("the last of its layers must give one vector a text")
        self.outputs: int = shape[0]

    def __call__(self, ids: Ids, threads: int) -> Floats:
        from sentilab.kernels import inference

        mask = ids != Encoding.PAD if self._masked else None
        x: Floats | inference.Tokens = inference.Tokens(ids, self._table, self._multiplied(ids))
        for step in self._steps:
            x = step(x, mask, threads)
        assert isinstance(x, np.ndarray)
        return x

    def _multiplied(self, ids: Ids) -> Floats | None:
        """The table times the first LSTM's kernels, once more tokens were read than it has words."""
        first = self._steps[0]
        if self._projected is None and isinstance(first, _Lstm):
            self._read += ids.size
            words = len(self._table)
            small = words * first.gates <= MOST_MULTIPLIED
            if small and self._read > words and self._making.acquire(blocking=False):
                # Others go on without it meanwhile; the answers are the same to the last bit.
                self._projected = first.multiplied(self._table)
        return self._projected


class _Lstm:
    def __init__(self, layer: Layer, tensors: Mapping[str, Floats], inputs: int) -> None:
        from sentilab.kernels import inference

        way = layer.settings.get("directions")
        if way not in ("forward", "backward", "both"):
            raise ValueError(f"an LSTM's directions are {way!r}")
        directions = 2 if way == "both" else 1
        if len(layer.weights) not in (2 * directions, 3 * directions):
            raise ValueError(f"an LSTM has {len(layer.weights)} tensors")
        parts = _of(layer, tensors, len(layer.weights))
        each = len(parts) // directions
        self._directions = tuple(
            inference.Weights(*parts[one * each : (one + 1) * each]) for one in range(directions)
        )
        if parts[1].ndim != 2 or not parts[1].shape[0]:
            raise ValueError(f"an LSTM's recurrent kernel has shape {parts[1].shape}")
        units = parts[1].shape[0]
        wanted = [(inputs, 4 * units), (units, 4 * units), (4 * units,)][:each] * directions
        if [one.shape for one in parts] != wanted:
            raise ValueError(
                f"an LSTM's tensors have shapes {[one.shape for one in parts]}, not {wanted}"
            )
        self.units, self.gates = units, 4 * units * directions
        self._reverse = way == "backward"
        self.sequences = layer.settings.get("sequences", False) is True
        self.width = units * directions

    def multiplied(self, table: Floats) -> Floats:
        from sentilab.kernels import inference

        return inference.project(table, self._directions)

    def __call__(self, x: Any, mask: NDArray[np.bool_] | None, threads: int) -> Floats:
        from sentilab.kernels import inference

        return inference.forward(
            x,
            self._directions,
            mask=mask,
            reverse=self._reverse,
            sequences=self.sequences,
            threads=threads,
        )


def _flattened(x: Any, *_: Any) -> Floats:
    if not isinstance(x, np.ndarray):
        x = x.table[x.ids]
    return np.asarray(x.reshape(len(x), -1), np.float32)


class _Dense:
    def __init__(self, layer: Layer, tensors: Mapping[str, Floats], inputs: int) -> None:
        kernel, *bias = _of(layer, tensors, len(layer.weights))
        if len(bias) > 1 or kernel.ndim != 2 or kernel.shape[0] != inputs:
            raise ValueError(f"a dense kernel has shape {kernel.shape} for {inputs} inputs")
        if bias and bias[0].shape != kernel.shape[1:]:
            raise ValueError(f"a dense bias has shape {bias[0].shape}")
        activation = str(layer.settings.get("activation"))
        if activation not in ACTIVATIONS:
            raise ValueError(f"a dense layer's activation is {activation!r}")
        self._kernel, self._bias = kernel, bias[0] if bias else None
        self._activate = ACTIVATIONS[activation]
        self.width = kernel.shape[1]

    def __call__(self, x: Any, mask: NDArray[np.bool_] | None, threads: int) -> Floats:
        y = x @ self._kernel
        if self._bias is not None:
            y += self._bias
        return np.asarray(self._activate(y), np.float32)


def _sigmoid(x: Floats) -> Floats:
    # 0.5 tanh(x / 2) + 0.5: no overflow at either end.
    return np.asarray(0.5 * np.tanh(0.5 * x) + 0.5, np.float32)


def _softmax(x: Floats) -> Floats:
    grown = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True), np.float32)


ACTIVATIONS: Mapping[str, Callable[[Floats], Floats]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "softmax": _softmax,
}


def _of(layer: Layer, tensors: Mapping[str, Floats], number: int) -> list[Floats]:
    if len(layer.weights) != number or not number:
        raise ValueError(f"a layer {layer.kind!r} has {len(layer.weights)} tensors")
    missing = [one for one in layer.weights if one not in tensors]
    if missing:
        raise ValueError(f'there is no tensor "{missing[0]}"')
    of_floats = [tensors[one] for one in layer.weights]
    if any(one.dtype != np.float32 for one in of_floats):
        raise ValueError(f"a layer {layer.kind!r} has tensors that are not float32")
    return of_floats


def _tensors(bundle: Bundle) -> dict[str, Floats]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    content = bundle.read(WEIGHTS)
    try:
        tensors = load(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise bundle.fault(WEIGHTS, f"it is not a file of safetensors ({error})") from error
    for name, tensor in tensors.items():
        if tensor.dtype not in (np.float32, np.int32):
            raise bundle.fault(WEIGHTS, f'"{name}" is of {tensor.dtype}, not float32 or int32')
        if not tensor.size:
            raise bundle.fault(WEIGHTS, f'"{name}" is empty')
        if not np.isfinite(tensor).all():
            raise bundle.fault(WEIGHTS, f'"{name}" has values that are not finite')
    return {name: np.ascontiguousarray(one) for name, one in tensors.items()}


def cores() -> int:
    """How many this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _counted(threads: int) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
