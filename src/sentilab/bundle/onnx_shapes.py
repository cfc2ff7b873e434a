"""What is known of a graph's tensors without their numbers, and what a text may cost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentilab.bundle.onnx_reader import Attribute

# What one text may cost: numbers in all tensors on the way, and multiplications. The notebook's models
# take some 10^5 and 10^8, an ensemble of five LSTMs that read 1,000 words a hundred times as much.
NUMBERS = 1 << 25
PRODUCTS = 1 << 33

FLOAT = np.dtype("<f4")
INT32 = np.dtype("<i4")
INT64 = np.dtype("<i8")
UINT32 = np.dtype("<u4")
BOOL = np.dtype("?")
BYTES = (np.dtype("u1"), np.dtype("i1"))
WHOLE = (INT32, INT64, UINT32)
ANY = (FLOAT, *WHOLE, *BYTES, BOOL)


@dataclass(frozen=True)
class Tensor:
    """What is known of a tensor: its values where they follow, else the range of whole numbers.

    ``constant`` says that its numbers stand in the file.
    """

    type: np.dtype[Any]
    shape: tuple[int, ...]
    values: NDArray[Any] | None = None
    low: int | None = None
    high: int | None = None
    constant: bool = False

    @property
    def range(self) -> tuple[int, int]:
        """The smallest and largest value that a whole number in it can have."""
        if self.values is not None and self.values.size:
            return int(self.values.min()), int(self.values.max())
        if self.type == BOOL:
            return 0, 1
        limits = np.iinfo(self.type)
        return (
            limits.min if self.low is None else self.low,
            limits.max if self.high is None else self.high,
        )


@dataclass
class Bill:
    """What the walk has come to, for ``texts`` texts."""

    texts: int
    stored: int
    numbers: int = 0
    products: int = 0

    def hold(self, numbers: int) -> None:
        self.numbers += numbers
        # What is derived from the constants alone costs once, not for each text.
        if self.numbers > self.texts * NUMBERS + 4 * self.stored:
            raise ValueError(f"it takes more than {NUMBERS:,} numbers a text")

    def multiply(self, products: int) -> None:
        self.products += products
        if self.products > self.texts * PRODUCTS:
            raise ValueError(f"it takes more than {PRODUCTS:,} multiplications a text")


@dataclass
class Call:
    """One node with its inputs; an input that is left out is None."""

    inputs: Sequence[Tensor | None]
    attributes: Mapping[str, Attribute]
    wanted: int
    bill: Bill = field(repr=False)

    def __getitem__(self, number: int) -> Tensor:
        found = self.optional(number)
        if found is None:
            raise ValueError(f"its input {number} is missing")
        return found

    def optional(self, number: int) -> Tensor | None:
        return self.inputs[number] if number < len(self.inputs) else None

    def of_type(self, number: int, *types: np.dtype[Any]) -> Tensor:
        found = self[number]
        require(found.type in types, f"its input {number} is of type {found.type}")
        return found

    def known(self, number: int) -> NDArray[Any]:
        """The input's whole numbers, which must follow from the graph and the shapes alone."""
        values = self.of_type(number, INT64).values
        if values is None:
            raise ValueError(f"its input {number} must follow from shapes and constants alone")
        return values

    def whole(self, name: str, default: int | None = None) -> int:
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise ValueError(f'its attribute "{name}" must be a whole number')
        return value

    def numbers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        value = self.attributes.get(name, default)
        if not isinstance(value, tuple):
            raise ValueError(f'its attribute "{name}" must be whole numbers')
        return value

    def axis(self, name: str, default: int | None, rank: int) -> int:
        return axis_of(self.whole(name, default), rank)


def require(fits: bool, why: str) -> None:
    if not fits:
        raise ValueError(why)


Rule = Callable[[Call], Sequence[Tensor]]


def axis_of(axis: int, rank: int) -> int:
    require(-rank <= axis < rank, f"axis {axis} of {rank} dimensions")
    return axis % rank


def broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of what is computed number by number; 1 fits any."""
    require(all(len(one) <= 8 for one in shapes), "it has too many dimensions")
    try:
        return tuple(np.broadcast_shapes(*shapes))
    except ValueError:
        raise ValueError(f"shapes {' and '.join(map(str, shapes))} do not fit") from None


def require_constant(call: Call, number: int, kind: np.dtype[Any], shape: tuple[int, ...]) -> None:
    found = call.of_type(number, kind)
    require(
        found.constant and found.shape == shape,
        f"its input {number} must be a constant of shape {shape}, not {found.shape}",
    )
