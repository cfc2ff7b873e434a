"""N-grams looked up in a model's graph, and what the distinct ones of a text add up to."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from sentilab.text import ngrams

_LARGEST = 2**31 - 1


@keras.saving.register_keras_serializable(package="sentilab")
class Ngrams(keras.layers.Layer):  # type: ignore[misc]
    """The number, from 1 to ``slots``, of the known n-gram that ends at each position; 0: none does.

    Words (texts, length) of int32 become (texts, length, ``orders``) of int32: n-grams of one word, of
    two, and so on. Padding (0) is in none, so that any amount of it in front changes nothing. What an
    n-gram is known by, and where in the weight ``table`` (slots,) it may lie, sentilab.text.ngrams
    says; a slot that holds 0 is empty. Until ``set_table`` no n-gram is known.
    """

    ignores_padding = True

    def __init__(self, orders: int, slots: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.orders = orders
        self.slots = slots

    def build(self, shape: Any) -> None:
        self.table = self.add_weight(
            (self.slots,), "zeros", "int32", trainable=False, autocast=False, name="table"
        )

    def set_table(self, hashes: ngrams.Hashes) -> NDArray[np.int64]:
        """Makes these distinct n-grams (numbers of sentilab.text.ngrams) known; gives their numbers.

        The layer has to be built. Raises sentilab.text.ngrams.NoPlace where they do not fit.
        """
        places = ngrams.place(hashes, self.slots)
        table = np.zeros(self.slots, np.uint32)
        table[places] = hashes
        self.table.assign(table.view(np.int32))
        return places + 1

    def call(self, words: Any) -> Any:
        words = ops.cast(words, "int32")
        found = []
        before: Any = 0
        for order in range(1, self.orders + 1):
            there = words != 0
            if order > 1:
                # Where the n-gram's first words end: one position earlier.
                before = ops.pad(before, ((0, 0), (1, 0)))[:, :-1]
                there = ops.logical_and(there, before != 0)
            mixed = _rotated((before + words * ngrams.C) * ngrams.A) * ngrams.B
            before = ops.where(there, mixed, 0)
            found.append(self._number(before))
        return ops.stack(found, axis=-1)

    def _number(self, hashes: Any) -> Any:
        numbers = ops.zeros_like(hashes)
        for one in ngrams.PLACES:
            place = ops.mod(ops.bitwise_and(_rotated(hashes * one), _LARGEST), self.slots)
            held = ops.take(self.table, place)
            numbers = ops.where(held == hashes, place + 1, numbers)
        return ops.where(hashes != 0, numbers, 0)

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape, self.orders)

    def compute_output_spec(self, words: Any) -> Any:
        return keras.KerasTensor(self.compute_output_shape(words.shape), "int32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "orders": self.orders, "slots": self.slots}


def _rotated(y: Any) -> Any:
    """sentilab.text.ngrams.rotated in int32, whose shift to the right would keep the sign."""
    return ops.left_shift(y, 16) + ops.bitwise_and(ops.right_shift(y, 16), 0xFFFF)


@keras.saving.register_keras_serializable(package="sentilab")
class NgramSums(keras.layers.Layer):  # type: ignore[misc]
    """Sums over the distinct n-grams of a text, divided by a length where there is one to divide by.

    Numbers (texts, length, orders) from ``Ngrams`` of so many ``slots`` become (texts, ``outputs``).
    The weight ``columns`` (slots + 1, outputs + norms) has a row for each number, all 0 for the number
    0: what the n-gram adds to each output, and then what it adds to the squared lengths, which are
    none, one for all outputs, or one for each (``norms``). A text of length 0 gives 0.
    """

    ignores_padding = True

    def __init__(self, slots: int, outputs: int = 1, norms: int = 0, **settings: Any) -> None:
        super().__init__(**settings)
        if norms not in (0, 1, outputs):
            raise ValueError(f"norms is {norms}; it must be 0, 1 or {outputs}, the outputs.")
        self.slots = slots
        self.outputs = outputs
        self.norms = norms

    def build(self, shape: Any) -> None:
        self.columns = self.add_weight(
            (self.slots + 1, self.outputs + self.norms), "zeros", name="columns"
        )

    def call(self, numbers: Any) -> Any:
        # Sorted by order: n-grams of one order only repeat each other, and short rows sort faster.
        numbers = ops.sort(ops.transpose(numbers, (0, 2, 1)), axis=-1)
        before = ops.pad(numbers, ((0, 0), (0, 0), (1, 0)))[:, :, :-1]
        numbers = ops.where(numbers != before, numbers, 0)
        sums = ops.sum(ops.take(self.columns, numbers, axis=0), axis=(1, 2))
        if not self.norms:
            return sums
        squares = sums[:, self.outputs :]
        # Not 1 / sqrt(0), nor its gradient.
        lengths = ops.sqrt(ops.where(squares > 0, squares, 1.0))
        return sums[:, : self.outputs] / lengths

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], self.outputs)

    def get_config(self) -> dict[str, Any]:
        own = {"slots": self.slots, "outputs": self.outputs, "norms": self.norms}
        return {**super().get_config(), **own}
