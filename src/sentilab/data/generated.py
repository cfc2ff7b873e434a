"""A corpus from a grammar: what can be told from words alone, and what only from their order.

Half of the sentences carry their label in their words: "a wonderful film with superb acting". The
other half come in pairs made of exactly the same words with opposite labels, so that an
order-blind model is right half of the time there by construction:

    negation   the acting was not dull but superb | the acting was not superb but dull
    contrast   the plot was dull, but in the end the film was superb | ... superb, ... dull
    correction the cast is not only superb, it is never dull | ... not only dull, it is never superb

A text's id names its construction, as in "train/negation/000123", so that results can be read
construction by construction.
"""

import re
from dataclasses import dataclass

import numpy as np

from sentilab.data.dataset import Dataset, fingerprint_of

NOTICE = "GENERATED DATA: THESE ARE NOT IMDB FIGURES"

GOOD = [
    "wonderful",
    "superb",
    "brilliant",
    "delightful",
    "moving",
    "gripping",
    "charming",
    "excellent",
    "clever",
    "beautiful",
    "funny",
    "fresh",
    "warm",
    "honest",
    "memorable",
    "splendid",
    "touching",
    "elegant",
    "lively",
    "masterful",
]
BAD = [
    "awful",
    "dull",
    "boring",
    "terrible",
    "clumsy",
    "tedious",
    "lifeless",
    "dreadful",
    "stupid",
    "ugly",
    "stale",
    "cold",
    "fake",
    "forgettable",
    "messy",
    "painful",
    "hollow",
    "lazy",
    "weak",
    "pointless",
]
THINGS = [
    "acting",
    "plot",
    "cast",
    "story",
    "dialogue",
    "music",
    "script",
    "ending",
    "direction",
    "camera",
    "pace",
    "humour",
    "soundtrack",
    "opening",
    "lead",
    "performance",
]
OPENINGS = (
    "i saw this last night and",
    "honestly",
    "for what it is worth",
    "my friends and i agree that",
    "after all the talk",
    "as for me",
    "having read the book",
    "",
    "",
)
CLOSINGS = (
    "and that is all there is to say",
    "at least on a rainy sunday",
    "and i will leave it at that",
    "so much for the evening",
    "which is what one remembers",
    "",
    "",
    "",
)

# {0} and {1} are adjectives; as written, {0} decides the label, and swapping them turns it.
ORDER = {
    "negation": (
        "the {thing} was not {1} but {0}",
        "the {thing} is {0} , not {1} as they say",
        "nobody could call the {thing} {1} , it was {0}",
    ),
    "contrast": (
        "the {thing} looked {1} at first , but in the end the film was {0}",
        "although the {thing} seemed {1} , the film as a whole is {0}",
        "what begins as {1} becomes {0} before the {thing} is over",
    ),
    "correction": (
        "the {thing} is not only {0} , it is never {1}",
        "the {thing} is not only {0} but the very opposite of {1}",
        "far from being {1} , the {thing} turns out {0}",
        "they promised something {1} and gave us a {thing} that is {0}",
    ),
}
WORDS = (
    "a {0} film with {2} {thing}",
    "the {thing} was {0} and the {other} was {2}",
    "{0} and {2} from start to finish , with a {3} {thing}",
    "what a {0} {thing} , and how {2} the {other}",
    "everything about the {thing} is {0} , even the {other} is {3}",
)


@dataclass(frozen=True)
class _Sentence:
    text: str
    label: int
    construction: str


def generate(train: int = 8_000, test: int = 4_000, seed: int = 297) -> Dataset:
    """A corpus of ``train`` and ``test`` sentences, the same for the same arguments.

    Both numbers are rounded up to multiples of four, so that each split is balanced between labels
    and between words and order. No text stands twice.

    Raises ValueError if more sentences are asked for than the grammar can make.
    """
    random = np.random.default_rng(seed)
    seen: set[str] = set()
    ids: list[str] = []
    texts: list[str] = []
    labels: list[int] = []
    splits: list[str] = []
    for split, wanted in (("train", train), ("test", test)):
        sentences: list[_Sentence] = []
        failures = 0
        while len(sentences) < wanted:
            four = [*_from_words(random), *_from_order(random)]
            if len({one.text for one in four} - seen) < len(four):
                failures += 1
                if failures > 1_000 + wanted:
                    raise ValueError(
                        f"The grammar cannot make {train + test:,} different sentences."
                    )
                continue
            seen.update(one.text for one in four)
            sentences += four
        for place in random.permutation(len(sentences)):
            one = sentences[place]
            ids.append(f"{split}/{one.construction}/{len(ids):06d}")
            texts.append(one.text)
            labels.append(one.label)
            splits.append(split)
    label_array, split_array = np.asarray(labels), np.asarray(splits)
    names = ("negative", "positive")
    return Dataset(
        name="generated",
        origin=f"the built-in grammar (seed {seed})",
        fingerprint=fingerprint_of(texts, label_array, names, split_array),
        ids=ids,
        texts=texts,
        labels=label_array,
        label_names=names,
        splits=split_array,
        notices=(NOTICE,),
        is_generated=True,
    )


def _from_words(random: np.random.Generator) -> list[_Sentence]:
    """One sentence of each label whose words tell it."""
    made = []
    for label, words in ((0, BAD), (1, GOOD)):
        chosen = random.choice(words, 4, replace=False)
        thing, other = random.choice(THINGS, 2, replace=False)
        sentence = str(random.choice(WORDS)).format(*chosen, thing=thing, other=other)
        made.append(_Sentence(_framed(sentence, *_frame(random)), label, "words"))
    return made


def _from_order(random: np.random.Generator) -> list[_Sentence]:
    """Two sentences of the same words and opposite labels."""
    construction = str(random.choice(list(ORDER)))
    template = str(random.choice(ORDER[construction]))
    good, bad, thing = (str(random.choice(words)) for words in (GOOD, BAD, THINGS))
    frame = _frame(random)
    return [
        _Sentence(_framed(template.format(first, second, thing=thing), *frame), label, construction)
        for label, first, second in ((1, good, bad), (0, bad, good))
    ]


def _frame(random: np.random.Generator) -> tuple[str, str]:
    return str(random.choice(OPENINGS)), str(random.choice(CLOSINGS))


def _framed(sentence: str, opening: str, closing: str) -> str:
    whole = " ".join(part for part in (opening, sentence, closing) if part)
    return re.sub(r"\ba (?=[aeiou]|honest)", "an ", whole).replace(" ,", ",") + "."
