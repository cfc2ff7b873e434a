"""Several trained models as one: each reads the same ids, and their log odds are weighed and added."""

# ruff: noqa: ARG001  # the function that is registered says what may be set, and cannot build it

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentilab.errors import SettingsError
from sentilab.models.backend import import_keras
from sentilab.models.head import scores_of
from sentilab.models.registry import Task, register
from sentilab.text import Encoding, Vocabulary

if TYPE_CHECKING:
    from keras import Model

NAME = "ensemble"


@dataclass(frozen=True)
class Member:
    """A trained model, what it is called in the ensemble, and the vocabulary that it was trained with."""

    name: str
    model: Any
    vocabulary: Vocabulary


@register(NAME, summary="several finished runs as one model", sequential=True)
def ensemble(
    task: Task,
    *,
    members: Any = None,
    kind: str = "averaging",
    calibrated: bool = False,
    folds: int | None = None,
    nonnegative: bool = True,
) -> "Model":
    """Its settings are those of a run (sentilab.training.ensembling); it is made of finished runs.

    Raises SettingsError: there is nothing to build it of.
    """
    raise SettingsError(
        "An ensemble is made of finished runs: `sentilab ensemble RUN RUN`, or, in a study, a run "
        'with ensemble = ["the name of a run", "of another"].'
    )


def combined(members: Sequence[Member], vocabulary: Vocabulary, classes: int) -> "Model":
    """One Keras model of all members, equally weighed, that reads ids of ``vocabulary``.

    A member sees what its own vocabulary would make of the text. The layer "combination" holds the
    weights; the members are its models, by their names.

    Raises SettingsError for a member that knows words which ``vocabulary`` lacks.
    """
    from sentilab import layers

    keras = import_keras()
    lengths = [one.model.inputs[0].shape[1] for one in members]
    # A model of a fixed length cannot be given texts of any length.
    length = vocabulary.encoding.length if any(lengths) else None
    words = keras.Input((length,), dtype="int32", name="words")
    # Answers near 0 and 1 keep their digits only before the members' last step.
    before = [scores_of(one.model) for one in members]
    exact = all(one is not None for one in before)
    answers = []
    for one, scored in zip(members, before, strict=True):
        own = one.vocabulary
        table = _table(own, vocabulary)
        reencoding = layers.Reencoding(
            own.encoding.words,
            own.encoding.length,
            table_size=0 if table is None else len(table),
            name=f"{one.name}_ids",
        )
        ids = reencoding(words)
        if table is not None:
            reencoding.set_table(table)
        model = scored if exact else one.model
        model.name = one.name
        answers.append(model(ids))
    scores = layers.Combination("scores" if exact else "probabilities", name="combination")(answers)
    link = "sigmoid" if classes == 2 else "softmax"
    output = keras.layers.Activation(link, name="output")(scores)
    return keras.Model(words, output, name=NAME)


def united(vocabularies: Sequence[Vocabulary], encoding: Encoding) -> Vocabulary:
    """The words of all: those of the largest vocabulary, and then what the others have beside them.

    Where all were learned from the same texts, that is the largest. ``encoding`` is given as many words
    as it takes.
    """
    largest = max(vocabularies, key=lambda one: len(one.words))
    words = dict.fromkeys(largest.words)
    for one in vocabularies:
        words.update(dict.fromkeys(one.words))
    room = max(encoding.words, len(words) + 1 + Encoding.OFFSET)
    return Vocabulary(tuple(words), Encoding(room, encoding.length))


def _table(member: Vocabulary, vocabulary: Vocabulary) -> NDArray[np.int32] | None:
    """The member's id of each of the vocabulary's; None where the first ids are the same.

    Then a larger id is a word that the member does not know.
    """
    missing = [word for word in member.words if word not in vocabulary.index]
    if missing:
        raise SettingsError(
            f"An ensemble's vocabulary must have its members' words; {len(missing):,} of them are "
            f'missing, such as "{missing[0]}".'
        )
    known = len(member.words)
    # A member with room for more words than there were would take a larger id for one of its own.
    full = known == len(vocabulary.words) or known == member.encoding.ranks
    if member.words == vocabulary.words[:known] and full:
        return None
    table = np.full(vocabulary.encoding.words, Encoding.OUT_OF_VOCABULARY, np.int32)
    table[: Encoding.OFFSET] = np.arange(Encoding.OFFSET)
    for word, number in vocabulary.index.items():
        table[number] = member.index.get(word, Encoding.OUT_OF_VOCABULARY)
    return table
