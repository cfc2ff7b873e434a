"""What Sentilab's own layers do to the data on their way, in words."""

from typing import Any

Shape = tuple[int | None, ...]

_POOLED = {
    "max": "the maximum",
    "mean": "the mean",
    "attention": "a learnt weighted mean",
    "max+mean": "maximum and mean, side by side,",
}


def explanation(layer: Any, result: Shape) -> str:
    """Of a layer of sentilab.layers that is none of Keras's; "" for any other."""
    from sentilab import layers

    if isinstance(layer, layers.Ngrams):
        return (
            f"each {_lengths(layer.orders)} that ends at a position becomes its number in a table of "
            f"{_slots(layer)}, or 0 where it is not known"
        )
    if isinstance(layer, layers.NgramSums):
        scores = f"{layer.outputs:,} score{'s' * (layer.outputs > 1)} of a text"
        divided = ", divided by the text's length as a vector" if layer.norms else ""
        return f"what its distinct n-grams weigh adds up to {scores}{divided}"
    if isinstance(layer, layers.HashedNgrams):
        return (
            f"each {_lengths(layer.orders, first=2)} that ends at a position becomes one of "
            f"{layer.buckets:,} numbers by hashing"
        )
    if isinstance(layer, layers.JoinNgrams):
        how = "added to" if layer.kind == "add" else "put beside"
        return f"the n-grams' vectors are {how} the word's: {result[-1]:,} numbers a position"
    if isinstance(layer, layers.Pooling):
        return f"{_POOLED[layer.kind]} over the words' positions; {result[-1]:,} numbers stay of a text"
    if isinstance(layer, layers.WordDropout):
        return f"in training, {layer.rate:.0%} of the words are left out; the shape stays"
    if isinstance(layer, layers.Reencoding):
        return f"the integers of a vocabulary of {layer.words:,}, of the last {layer.length:,} positions"
    if isinstance(layer, layers.Combination):
        members = layer.member_weights.shape[0]
        return f"the answers of {members:,} models, weighed against each other, become one"
    return ""


def formula(layer: Any) -> tuple[str, int]:
    """How its parameters come about and how many they are; ("", 0) where nothing is to be said."""
    from sentilab import layers

    if isinstance(layer, layers.Ngrams):
        return _slots(layer), layer.slots
    if isinstance(layer, layers.NgramSums):
        columns = layer.outputs + layer.norms
        return f"({_slots(layer)} + 1) × {columns:,}", (layer.slots + 1) * columns
    return "", 0


def _slots(layer: Any) -> str:
    return f"{layer.slots:,} slot{'s' * (layer.slots != 1)}"


def _lengths(orders: int, first: int = 1) -> str:
    names = ["word", "pair of words", *(f"run of {n} words" for n in range(3, orders + 1))]
    named = names[first - 1 : orders]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
