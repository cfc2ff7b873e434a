"""Numbers of n-grams without a table of them: each n-gram is hashed into a bucket."""

from typing import Any

import keras
from keras import ops

from sentilab.errors import SettingsError

# Below 2 ** 31: a product with a 32-bit number fits into 63 bits, so that an engine that has no
# wrap-around multiplication computes the same in int64, by a remainder.
FOR_EARLIER, FOR_WORD = 0x5BD1E995, 0x3C6EF35F
ROUNDS = 2


@keras.saving.register_keras_serializable(package="sentilab")
class HashedNgrams(keras.layers.Layer):  # type: ignore[misc]
    """Ids (texts, T) -> bucket numbers (texts, T, orders - 1), int32.

    The last axis holds, for the orders 2 to ``orders``, the n-gram that ends at each position:
    ``first`` and the ``buckets`` - 1 after it, or 0 where it would begin before the text does. So
    padding in front adds zeros and changes nothing else.

    All arithmetic is modulo 2 ** 32. With ids w, the state of the unigram is s = w; that of the
    n-gram that adds w to one with the state s' is FOR_EARLIER s' + FOR_WORD w + order, mixed by two
    rounds of s = s (2 s + 1) and then exchanging the halves of s. The bucket is
    ``first`` + s mod ``buckets``.

    Source of the mixing, which maps no two states to one: the cipher RC6 (Rivest et al. 1998).

    Raises SettingsError for orders below 2, no buckets, or numbers beyond int32.
    """

    ignores_padding = True  # zeros stay zeros, and are alone in that

    def __init__(self, orders: int, buckets: int, first: int = 1, **settings: Any) -> None:
        super().__init__(**settings)
        if orders < 2 or buckets < 1 or first < 1 or first + buckets > 2**31:
            raise SettingsError(
                f"Hashed n-grams of orders up to {orders} in {buckets:,} buckets from {first:,} on: the "
                "highest order must be at least 2, the buckets at least 1, and all below 2 ** 31."
            )
        self.orders, self.buckets, self.first = orders, buckets, first
        self.supports_masking = True

    def call(self, ids: Any) -> Any:
        numbers = ops.cast(ids, "uint32")
        state, whole = numbers, ops.cast(ids, "int32") != 0
        columns = []
        for order in range(2, self.orders + 1):
            state = _mixed(
                _u32(FOR_EARLIER) * _one_earlier(state) + _u32(FOR_WORD) * numbers + _u32(order)
            )
            whole = ops.logical_and(_one_earlier(whole), whole)
            bucket = ops.cast(ops.mod(state, _u32(self.buckets)), "int32") + self.first
            columns.append(ops.where(whole, bucket, 0))
        return ops.stack(columns, axis=-1)

    def compute_mask(self, ids: Any, previous: Any = None) -> None:
        """None: which numbers are no n-grams differs by order, and the zeros say it."""

    def compute_output_spec(self, ids: Any) -> Any:
        return keras.KerasTensor((*ids.shape, self.orders - 1), dtype="int32")

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()
        return config | {"orders": self.orders, "buckets": self.buckets, "first": self.first}


def _u32(number: int) -> Any:
    return ops.cast(number, "uint32")


def _one_earlier(x: Any) -> Any:
    """Each row moved one position to the right, with a zero in front."""
    return ops.pad(x, ((0, 0), (1, 0)))[:, :-1]


def _mixed(state: Any) -> Any:
    # Multiplying by constants and adding shifted bits, without exclusive or, leaves the pattern that
    # the small numbers of frequent words have.
    half = _u32(16)
    for _ in range(ROUNDS):
        state = state * (state + state + _u32(1))
        state = ops.left_shift(state, half) + ops.right_shift(state, half)
    return state
