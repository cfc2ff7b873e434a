"""Does padding change a model's answers, on which side, and from which layer on?

Texts shorter than the model's length are padded with zeros in front, as in the notebook, and a
model that does not mask them reads them like words. Here a sample of test texts is answered with
more zeros in front, with zeros behind, and with all of its own padding moved behind the words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sentilab.models import import_keras
from sentilab.probe.subject import BATCH, Subject
from sentilab.text import Encoding

Side = Literal["front", "behind", "moved"]
"""Zeros added in front; added behind; or the text's own zeros moved from the front to behind."""

SEED = 0
# Texts sampled of each stratum, and those among them whose layers' outputs are compared.
SAMPLED = 100
TRACED = 16

# The zeros that are added, as shares of the model's length: 50, 100 and 200 for 200.
ADDED = (0.25, 0.5, 1.0)

# A layer's outputs differ if they do by more than this share of its largest output. Sums in another
# order, over two hundred steps, stay hundreds of times below it.
NOISE = 1e-4

# A final state has forgotten the texts of a length if it differs between them by less than this
# share of what it differs by between those of another length.
FORGOTTEN = 0.01


@dataclass(frozen=True)
class Stratum:
    """Test texts of ``shortest`` to ``longest`` tokens read; ``right`` of ``texts`` are answered right.

    ``sampled`` of them were answered again under other paddings.
    """

    shortest: int
    longest: int
    texts: int
    right: int
    sampled: int


@dataclass(frozen=True)
class Effect:
    """What one other padding changes, for each stratum of the result, in its order.

    ``flipped`` counts sampled texts that get another label; ``mean`` and ``largest`` are of
    |change of p|, for more than two labels that of the label whose p changes most.
    """

    side: Side
    zeros: int
    flipped: tuple[int, ...]
    mean: tuple[float, ...]
    largest: tuple[float, ...]


@dataclass(frozen=True)
class Outputs:
    """The largest difference in what a layer gives out, as a share of its largest output.

    ``part`` is "forward" or "backward" for the directions of a bidirectional layer, else "".
    Outputs of shape (texts, positions, numbers) are compared at the words' positions, others as
    they are; None where their shapes differ, so that nothing can be said.
    """

    layer: str
    part: str
    difference: float | None

    @property
    def differs(self) -> bool:
        """By more than sums in another order can."""
        return self.difference is not None and self.difference > NOISE


@dataclass(frozen=True)
class Trace:
    """The model's layers, in order, under one other padding."""

    side: Side
    zeros: int
    outputs: tuple[Outputs, ...]

    @property
    def first_layer(self) -> str:
        """The first layer that padding reaches; "" if it reaches none."""
        return next((one.layer for one in self.outputs if one.differs), "")

    @property
    def first(self) -> str:
        """The same with the direction, where the layer has two."""
        layer = self.first_layer
        parts = [one.part for one in self.outputs if one.layer == layer and one.differs]
        if not layer or not parts[0]:
            return layer
        direction = "both directions" if len(parts) > 1 else f"the {parts[0]} direction"
        return f"{direction} of {layer}"


@dataclass(frozen=True)
class FinalState:
    """What a recurrent layer ends with, under the run's own padding, in front.

    ``spread`` is the standard deviation over texts, averaged over the state's numbers, for each
    stratum of the result: 0 if the state is the same whatever the text says.
    """

    layer: str
    part: str
    spread: tuple[float, ...]

    @property
    def name(self) -> str:
        """The layer, with the direction where it has two."""
        return f"the {self.part} direction of {self.layer}" if self.part else self.layer

    @property
    def forgotten(self) -> tuple[bool, ...]:
        """For each stratum whether nothing of its texts is left in the state."""
        return tuple(one < FORGOTTEN * max(self.spread) for one in self.spread)


@dataclass(frozen=True)
class Result:
    """``length`` is the tokens that the model reads; ``fixed`` says that it takes no other length."""

    length: int
    fixed: bool
    strata: tuple[Stratum, ...]
    effects: tuple[Effect, ...]
    traces: tuple[Trace, ...]
    states: tuple[FinalState, ...]

    def flips(self, effect: Effect) -> float:
        """The share of all test texts that get another label, from each stratum's sample."""
        pairs = zip(effect.flipped, self.strata, strict=True)
        return self._over_texts([flipped / one.sampled for flipped, one in pairs])

    def change(self, effect: Effect) -> float:
        """Mean |change of p| over all test texts, from each stratum's sample."""
        return self._over_texts(list(effect.mean))

    @property
    def furthest(self) -> tuple[Effect, ...]:
        """Of each side the effect of the most zeros."""
        return tuple({one.side: one for one in self.effects}.values())

    @property
    def reached(self) -> bool:
        """Whether any of the paddings changes what a layer gives out."""
        return any(one.first_layer for one in self.traces)

    def forgotten(self, state: FinalState) -> tuple[Stratum, ...]:
        """The lengths of which ``state`` has forgotten the texts."""
        pairs = zip(self.strata, state.forgotten, strict=True)
        return tuple(one for one, forgotten in pairs if forgotten)

    def _over_texts(self, values: Sequence[float]) -> float:
        return float(np.average(values, weights=[one.texts for one in self.strata]))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Result":
        """Raises KeyError or TypeError for anything but what ``to_json`` gives."""
        return cls(
            length=plain["length"],
            fixed=plain["fixed"],
            strata=tuple(Stratum(**one) for one in plain["strata"]),
            effects=tuple(
                Effect(
                    one["side"],
                    one["zeros"],
                    tuple(one["flipped"]),
                    tuple(one["mean"]),
                    tuple(one["largest"]),
                )
                for one in plain["effects"]
            ),
            traces=tuple(
                Trace(one["side"], one["zeros"], tuple(Outputs(**each) for each in one["outputs"]))
                for one in plain["traces"]
            ),
            states=tuple(
                FinalState(one["layer"], one["part"], tuple(one["spread"]))
                for one in plain["states"]
            ),
        )


def measure(subject: Subject) -> Result:
    """Asks the model again, for up to 100 test texts of each of five lengths."""
    x = subject.examples.test.x
    right = subject.run.predictions().correct
    tokens = (x != Encoding.PAD).sum(axis=1)
    length = subject.classifier.length
    random = np.random.default_rng(SEED)
    strata, samples = [], []
    for shortest, longest in length_bins(length):
        rows = np.flatnonzero((tokens >= shortest) & (tokens <= longest))
        if len(rows):
            sample = random.permutation(rows)[:SAMPLED]
            samples.append(x[sample])
            strata.append(
                Stratum(shortest, longest, len(rows), int(right[rows].sum()), len(sample))
            )
    model = subject.classifier.model
    fixed = model.input_shape[1] is not None
    sampled = np.concatenate(samples)
    own = subject.classifier.score(sampled)
    effects = []
    for side, zeros in paddings(length, fixed):
        other = subject.classifier.score(padded(sampled, side, zeros))
        effects.append(_effect(side, zeros, own, other, strata))
    few = np.concatenate([one[:TRACED] for one in samples])
    furthest = dict(paddings(length, fixed))
    traces = [
        Trace(side, zeros, trace(model, few, padded(few, side, zeros)))
        for side, zeros in furthest.items()
    ]
    states = final_states(model, samples)
    return Result(length, fixed, tuple(strata), tuple(effects), tuple(traces), states)


def lines(result: Result) -> list[str]:
    """What was found, for a terminal: three sentences."""
    texts = sum(one.sampled for one in result.strata)
    fixed = "; its length is fixed, so that no zeros can be added" if result.fixed else ""
    if not result.reached:
        return [f"padding: it changes nothing that any layer gives out ({texts} test texts){fixed}"]
    far = result.furthest
    labels = ", ".join(f"{result.flips(one):.1%} {described(one.side, one.zeros)}" for one in far)
    p = ", ".join(f"{result.change(one):.3f} ({max(one.largest):.3f} at most)" for one in far)
    layers = ", ".join(one.first or "no layer" for one in result.traces)
    wiped = [
        f"{state.name} ends in the same state whatever a text says, for texts of "
        f"{' and '.join(spans(lengths))} tokens"
        for state in result.states
        if (lengths := result.forgotten(state))
    ]
    return [
        f"padding: labels that change: {labels} (from {texts} test texts){fixed}",
        f"mean change of p: {p}",
        f"the first layer that it reaches: {layers}",
        *wiped,
    ]


def described(side: Side, zeros: int) -> str:
    """A padding in words."""
    if side == "moved":
        return "with the padding moved behind the words"
    return f"with {zeros} more zeros {'in front' if side == 'front' else 'behind'}"


def spanned(stratum: Stratum) -> str:
    """A stratum's lengths: "51-100", or "200" alone."""
    return _span(stratum.shortest, stratum.longest)


def spans(strata: Sequence[Stratum]) -> list[str]:
    """The lengths of several, in ascending order; neighbours are one span, as in "1-150"."""
    ends: list[tuple[int, int]] = []
    for one in strata:
        if ends and ends[-1][1] + 1 == one.shortest:
            ends[-1] = (ends[-1][0], one.longest)
        else:
            ends.append((one.shortest, one.longest))
    return [_span(*one) for one in ends]


def _span(shortest: int, longest: int) -> str:
    return str(longest) if shortest == longest else f"{shortest}-{longest}"


def length_bins(length: int) -> list[tuple[int, int]]:
    """(shortest, longest) in tokens read: quarters of ``length``, and texts that fill it."""
    edges = sorted({0, *(length * quarter // 4 for quarter in (1, 2, 3)), length - 1, length})
    return [(low + 1, high) for low, high in pairwise(edges)]


def paddings(length: int, fixed: bool) -> list[tuple[Side, int]]:
    """What is tried, the most zeros of each side last; a fixed length takes no more zeros."""
    moved: list[tuple[Side, int]] = [("moved", 0)]
    if fixed:
        return moved
    zeros = sorted({max(1, round(share * length)) for share in ADDED})
    sides: tuple[Side, ...] = ("front", "behind")
    return [*((side, number) for side in sides for number in zeros), *moved]


def padded(x: NDArray[np.int32], side: Side, zeros: int) -> NDArray[np.int32]:
    """``x``, of shape (texts, length), under another padding: (texts, length + zeros)."""
    if side == "moved":
        # A stable sort by "is padding" keeps the words in their order.
        order = np.argsort(x == Encoding.PAD, axis=1, kind="stable")
        return np.take_along_axis(x, order, axis=1)
    added = (zeros, 0) if side == "front" else (0, zeros)
    return np.pad(x, ((0, 0), added), constant_values=Encoding.PAD)


def trace(model: Any, x: NDArray[np.int32], other: NDArray[np.int32]) -> tuple[Outputs, ...]:
    """How far each layer's outputs differ between two paddings of the same texts.

    ``x`` and ``other`` have shapes (texts, any length), with the same words in each row. The two
    directions of a bidirectional layer are told apart where it sets them side by side.
    """
    watched = [layer for layer in model.layers if _has_one_output(layer)]
    found = []
    given, others = _given_out(model, watched, x, other)
    for layer, one, two in zip(watched, given, others, strict=True):
        first, second = _at_words(one, x), _at_words(two, other)
        found += [
            Outputs(layer.name, part, _difference(first[..., at], second[..., at]))
            for part, at in _parts(layer).items()
        ]
    return tuple(found)


def final_states(model: Any, samples: Sequence[NDArray[np.int32]]) -> tuple[FinalState, ...]:
    """Of each recurrent layer that ends in one state a text; ``samples`` has a part a stratum."""
    layers = import_keras().layers
    kinds = (layers.Bidirectional, layers.RNN)
    watched = [
        layer
        for layer in model.layers
        if isinstance(layer, kinds) and _has_one_output(layer) and len(layer.output.shape) == 2
    ]
    if not watched:
        return ()
    ends = np.cumsum([len(one) for one in samples])[:-1]
    (given,) = _given_out(model, watched, np.concatenate(samples))
    return tuple(
        FinalState(
            layer.name,
            part,
            tuple(float(each.std(axis=0).mean()) for each in np.split(output[:, at], ends)),
        )
        for layer, output in zip(watched, given, strict=True)
        for part, at in _parts(layer).items()
    )


def _given_out(
    model: Any, watched: Sequence[Any], *texts: NDArray[np.int32]
) -> list[list[NDArray[Any]]]:
    """For each array of texts what each of the watched layers gives out."""
    opened = import_keras().Model(model.inputs, [layer.output for layer in watched])
    answers = [opened.predict(x, batch_size=BATCH, verbose=0) for x in texts]
    # One output alone comes without its list.
    return [one if isinstance(one, list) else [one] for one in answers]


def _parts(layer: Any) -> dict[str, slice]:
    """Where on the last axis each direction lies, for a layer that sets two side by side."""
    bidirectional = import_keras().layers.Bidirectional
    if not isinstance(layer, bidirectional) or layer.merge_mode != "concat":
        return {"": slice(None)}
    half = layer.output.shape[-1] // 2
    return {"forward": slice(half), "backward": slice(half, None)}


def _has_one_output(layer: Any) -> bool:
    """Not so for the input, and for layers that are called several times or give out several.

    Nor for a model within the model: its output is that of its own input.
    """
    keras = import_keras()
    if isinstance(layer, keras.layers.InputLayer | keras.Model):
        return False
    try:
        return hasattr(layer.output, "shape")
    except (AttributeError, ValueError):
        return False


def _at_words(output: NDArray[Any], x: NDArray[np.int32]) -> NDArray[Any]:
    """(words of all texts, numbers), in order, where the output has the text's positions."""
    return output[x != Encoding.PAD] if output.shape[:-1] == x.shape else output


def _difference(one: NDArray[Any], other: NDArray[Any]) -> float | None:
    if one.shape != other.shape:
        return None
    largest = float(np.abs(one).max(initial=0))
    apart = float(np.abs(one.astype(np.float64) - other).max(initial=0))
    return apart / largest if largest else float(apart > 0)


def _effect(
    side: Side,
    zeros: int,
    own: NDArray[Any],
    other: NDArray[Any],
    strata: Sequence[Stratum],
) -> Effect:
    """``own`` and ``other`` have shape (sampled texts, labels), one stratum after another."""
    ends = np.cumsum([one.sampled for one in strata])[:-1]
    changes = np.split(np.abs(other - own).max(axis=1), ends)
    flips = np.split(own.argmax(axis=1) != other.argmax(axis=1), ends)
    return Effect(
        side,
        zeros,
        flipped=tuple(int(one.sum()) for one in flips),
        mean=tuple(float(one.mean()) for one in changes),
        largest=tuple(float(one.max()) for one in changes),
    )
