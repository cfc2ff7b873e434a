"""Ids of one vocabulary as those of another, so that models of different vocabularies share an input."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from sentilab.errors import SettingsError

OUT_OF_VOCABULARY = 2


@keras.saving.register_keras_serializable(package="sentilab")
class Reencoding(keras.layers.Layer):  # type: ignore[misc]
    """Ids (texts, T) -> ids (texts, min(T, length)), as a vocabulary of ``words`` ids has them.

    Kept are the last ``length`` columns. They are what an encoding of that length would give: its rows
    hold a text's last words, and the start token only if the text is shorter, in which case it stands
    within those columns here too.

    Ids from ``words`` on become 2, out of the vocabulary: right where the smaller vocabulary is the
    larger one's beginning. Where it is not, ``table_size`` > 0 makes room for a table of so many
    integers, one for each id that may come, which ``set_table`` fills.

    Raises SettingsError for fewer words than the special ids take, or for a length below 1.
    """

    def __init__(self, words: int, length: int, table_size: int = 0, **settings: Any) -> None:
        super().__init__(**settings)
        if words <= OUT_OF_VOCABULARY or length < 1 or table_size < 0:
            raise SettingsError(
                f"Re-encoding to {words} words and {length} tokens, by a table of {table_size}: there "
                f"must be more than {OUT_OF_VOCABULARY} words, a token or more, and no negative table."
            )
        self.words, self.length, self.table_size = words, length, table_size

    def build(self, shape: Any) -> None:
        if self.table_size:
            self.table = self.add_weight(
                name="table",
                shape=(self.table_size,),
                dtype="int32",
                initializer=keras.initializers.Constant(OUT_OF_VOCABULARY),
                trainable=False,
                autocast=False,
            )
        self.built = True

    def set_table(self, table: NDArray[np.int32]) -> None:
        """``table`` of shape (table_size,) has the new id of each id."""
        if not self.built:
            self.build(None)
        self.table.assign(table)

    def call(self, ids: Any) -> Any:
        ids = ops.cast(ids, "int32")[:, -self.length :]
        if self.table_size:
            return ops.take(self.table, ids, axis=0)
        return ops.where(ids < self.words, ids, OUT_OF_VOCABULARY)

    def compute_output_shape(self, shape: Any) -> Any:
        texts, tokens = shape
        return (texts, None if tokens is None else min(tokens, self.length))

    def compute_output_spec(self, ids: Any) -> Any:
        return keras.KerasTensor(self.compute_output_shape(ids.shape), dtype="int32")

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()
        own = {"words": self.words, "length": self.length, "table_size": self.table_size}
        return config | own
