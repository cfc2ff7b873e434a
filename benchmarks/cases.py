"""What is measured, and how many floating-point operations it needs at least."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from itertools import pairwise
from typing import Any

WORDS = 20_000
EMBEDDING = 128

QUANTITIES = {"step": "training step", "predict": "predict", "epoch": "training epoch"}
"""What is measured: ms a step of ``fit``, ms a batch of ``predict``, s an epoch of IMDB."""


@dataclass(frozen=True)
class Case:
    """One model at one batch size, length and width (``units``).

    ``layers`` counts bidirectional LSTMs; 0 is the notebook's MLP, two dense layers of ``units``.
    """

    layers: int
    units: int
    length: int
    batch: int

    @property
    def key(self) -> str:
        """A short name, which --case matches."""
        model = f"bilstm{self.layers}" if self.layers else "mlp"
        return f"{model}-h{self.units}-t{self.length}-b{self.batch}"

    @property
    def title(self) -> str:
        """The case in words."""
        model = {0: "MLP", 1: "one layer", 2: "two layers"}[self.layers]
        return f"{model}, {self.units} units, length {self.length}, batch {self.batch}"

    @property
    def parameters(self) -> int:
        """How many numbers training changes."""
        if not self.layers:
            hidden = (self.length * EMBEDDING + 1) * self.units + (self.units + 1) * self.units
            return WORDS * EMBEDDING + hidden + self.units + 1
        lstms = sum(
            2 * 4 * self.units * (inputs + self.units + 1)
            for inputs in (EMBEDDING, 2 * self.units)[: self.layers]
        )
        return WORDS * EMBEDDING + lstms + 2 * self.units + 1

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"key": self.key, "title": self.title}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "Case":
        """The inverse of ``to_json``."""
        return cls(plain["layers"], plain["units"], plain["length"], plain["batch"])


@dataclass(frozen=True)
class Product:
    """``times`` matrix products of (rows, inner) and (inner, columns)."""

    name: str
    rows: int
    inner: int
    columns: int
    times: int = 1

    @property
    def flops(self) -> int:
        """A multiplication and an addition are two."""
        return 2 * self.rows * self.inner * self.columns * self.times


def products(case: Case, *, training: bool, distinct: int | None = None) -> list[Product]:
    """The matrix products that a training step, or a batch of inference, cannot do without.

    ``distinct`` is how many different tokens a batch holds: the first layer's input projection, its
    weights' gradient and its input's gradient are then taken once for each of them instead of
    once for each of batch times length tokens, which is the same sum in another order.

    Nonlinearities, the optimizer and the embedding's look-up are not counted.
    """
    if not case.layers:
        widths = [case.length * EMBEDDING, case.units, case.units, 1]
        found = [
            Product(f"dense {number}", case.batch, inputs, outputs)
            for number, (inputs, outputs) in enumerate(pairwise(widths), 1)
        ]
        return [each for one in found for each in _with_gradients(one, training)]
    found = []
    for layer, inputs in enumerate((EMBEDDING, 2 * case.units)[: case.layers], start=1):
        tokens = case.batch * case.length
        rows = distinct if distinct is not None and layer == 1 else tokens
        projection = Product(f"projection {layer}", rows, inputs, 4 * case.units, times=2)
        found += _with_gradients(projection, training)
        # One step after the other; but the weights' gradient is one product over all steps.
        steps = 2 * case.length
        recurrent = Product(f"recurrent {layer}", case.batch, case.units, 4 * case.units, steps)
        by_state, _ = gradients(recurrent)
        found.append(recurrent)
        if training:
            over_time = Product(recurrent.name + " dW", case.units, tokens, 4 * case.units, times=2)
            found += [by_state, over_time]
    return found + _with_gradients(Product("output", case.batch, 2 * case.units, 1), training)


def gradients(product: Product) -> tuple[Product, Product]:
    """The products of the gradients by the left factor (dx) and by the right one (dW)."""
    rows, inner, columns, times = product.rows, product.inner, product.columns, product.times
    return (
        Product(product.name + " dx", rows, columns, inner, times),
        Product(product.name + " dW", inner, rows, columns, times),
    )


def _with_gradients(product: Product, training: bool) -> list[Product]:
    return [product, *gradients(product)] if training else [product]


def flops(case: Case, *, training: bool, distinct: int | None = None) -> int:
    """Floating-point operations of ``products``."""
    return sum(one.flops for one in products(case, training=training, distinct=distinct))


def adam_bytes(case: Case) -> int:
    """What a dense Adam moves: it reads p, g, m and v, and writes p, m and v, of 4 bytes each."""
    return 7 * 4 * case.parameters


ACCEPTANCE = (
    *(Case(2, 64, 200, batch) for batch in (32, 16, 64)),
    *(Case(2, units, 200, 32) for units in (128, 256)),
    *(Case(0, 64, 200, batch) for batch in (32, 16, 64)),
)


def grid(name: str) -> tuple[Case, ...]:
    """ "small": the acceptance cases. "full": all cases, those first, then from small to large."""
    if name == "small":
        return ACCEPTANCE
    every = {
        Case(layers, units, length, batch)
        for layers in (1, 2)
        for units in (64, 128, 256)
        for length in (200, 500)
        for batch in (16, 32, 64, 256)
    } | {Case(0, 64, 200, batch) for batch in (16, 32, 64, 256)}
    rest = sorted(every - set(ACCEPTANCE), key=lambda one: (flops(one, training=True), one.key))
    return (*ACCEPTANCE, *rest)


def selected(cases: Sequence[Case], patterns: Sequence[str]) -> tuple[Case, ...]:
    """The cases whose key matches any of the globs; all, if there are none.

    Raises ValueError for a glob that matches nothing.
    """
    for pattern in patterns:
        if not any(fnmatch(one.key, pattern) for one in cases):
            raise ValueError(f'--case "{pattern}" matches none of the cases, as {cases[0].key}.')
    return tuple(
        one for one in cases if not patterns or any(fnmatch(one.key, each) for each in patterns)
    )


def quantities(case: Case, grid_name: str, with_epoch: bool) -> tuple[str, ...]:
    """What is measured of a case; the small grid has inference at batch 32 only."""
    wanted = ["step"]
    if grid_name != "small" or case.batch == 32:
        wanted.append("predict")
    if with_epoch:
        wanted.append("epoch")
    return tuple(wanted)
