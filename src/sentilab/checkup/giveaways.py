"""Words that give the label away: leaks such as a rating in a review, or a source's signature."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sentilab.checkup.excerpts import around, start_of, visible
from sentilab.checkup.finding import Finding, Passage, Table
from sentilab.checkup.material import Material, Rows
from sentilab.checkup.terms import Stream, Term, Terms
from sentilab.checkup.wording import count
from sentilab.text.words import FILTERS

# A word gives the label away if it is wrong at most this often, as a share of how often the
# label's own frequency would be wrong.
ERROR_LEFT = 0.1
SIGNIFICANT = 0.01
FEWEST_TEXTS = 10
LEAST_SHARE = 0.001
# One word in so many of a label's texts, and in hardly any other's, is no choice of words.
PERVASIVE = 0.25
LISTED = 5

# What stands between words, as a set in a regular expression.
BETWEEN = re.escape(FILTERS + " ")


@dataclass(frozen=True)
class Giveaway:
    """A term that all but decides the label ``label``.

    ``texts`` counts the distinct texts that hold it, ``right`` those of them with the label,
    ``coverage`` is their share of all texts of the label; ``p_value`` has been multiplied by the
    number of terms and labels tried.
    """

    term: Term
    spelt: str
    label: int
    right: int
    texts: int
    coverage: float
    p_value: float

    @property
    def has_number(self) -> bool:
        return any(character.isdigit() for character in self.spelt)


def words(material: Material) -> Iterator[Finding]:
    """Words and pairs of successive words whose presence all but decides the label."""
    rows = material.examples
    stream = Stream.of(material.tokens, rows, material.labels, material.dataset.classes)
    totals = np.bincount(stream.labels, minlength=stream.classes)
    if (totals > 0).sum() < 2:
        return
    least = max(FEWEST_TEXTS, int(np.ceil(LEAST_SHARE * len(rows))))
    terms = stream.frequent(least)
    tried = sum(one.texts.size for one in terms)
    found = _giveaways(terms, totals, material.tokens.words)
    numbers: dict[str, float] = {"words and pairs tried": tried, "in at least (texts)": least}
    if found:
        yield _finding(material, stream, found, numbers)
    else:
        yield Finding(
            name="words that give the label away",
            severity="fine",
            sentence="No word, and no two successive words, give the label away.",
            numbers=numbers,
        )


def _giveaways(tried: Sequence[Terms], totals: Rows, spelling: Sequence[str]) -> list[Giveaway]:
    """The give-aways, those in most texts of their label first.

    One-sided exact test that a term stands in texts of a label no more often than by chance (Fisher,
    1935), with Bonferroni's correction for all terms and labels tried.
    """
    from scipy.stats import hypergeom

    texts = int(totals.sum())
    chance = totals / texts
    many = sum(terms.texts.size for terms in tried)
    found = []
    for terms in tried:
        support = terms.texts.sum(axis=1)
        error = 1 - terms.texts / support[:, None]
        which, label = np.nonzero((error <= ERROR_LEFT * (1 - chance)) & (chance > 0))
        right = terms.texts[which, label]
        p = many * hypergeom.sf(right - 1, texts, totals[label], support[which])
        for at in np.flatnonzero(p < SIGNIFICANT):
            term = tuple(terms.words[which[at]].tolist())
            found.append(
                Giveaway(
                    term,
                    " ".join(spelling[word] for word in term),
                    int(label[at]),
                    int(right[at]),
                    int(support[which[at]]),
                    float(right[at] / totals[label[at]]),
                    float(p[at]),
                )
            )
    alone = {(one.term[0], one.label) for one in found if len(one.term) == 1}
    # A pair says something new only where neither of its words says it alone.
    kept = [
        one
        for one in found
        if len(one.term) == 1 or not any((word, one.label) in alone for word in one.term)
    ]
    return sorted(kept, key=lambda one: (-one.right, one.texts, one.spelt))


def _finding(
    material: Material, stream: Stream, found: list[Giveaway], numbers: dict[str, float]
) -> Finding:
    names = material.dataset.label_names
    # Numbers come first: a rating is a leak, and a word of praise is not.
    ratings = [one for one in found if one.has_number]
    listed = [*ratings[:LISTED], *[one for one in found if not one.has_number][:LISTED]]
    shown = {one: _example(material, stream, one) for one in listed}
    holds = np.zeros(len(stream.labels), bool)
    for one in found:
        holds[stream.holding(one.term)] = True
    first = listed[0]
    terms = f"{count(len(found), 'term')} (words, or pairs of them) give"
    sentence = f"{terms if len(found) > 1 else 'One word or pair of words gives'} the label away"
    if ratings and len(found) > 1:
        sentence += (
            f"; {len(ratings):,} of them {'holds' if len(ratings) == 1 else 'hold'} a number"
        )
    return Finding(
        name="words that give the label away",
        severity="problem" if any(one.coverage >= PERVASIVE for one in found) else "worth knowing",
        sentence=f"{sentence}: “{shown[first][0]}” means “{names[first.label]}” in "
        f"{first.right:,} of {count(first.texts, 'text')}.",
        advice="A rating, a signature or a name is a leak: the model learns it in place of the "
        "language. Remove it from the texts. A word of praise or blame may stay.",
        numbers={**numbers, "share of texts that hold such a term": float(holds.mean())},
        table=Table(
            ("term", "label", "texts", "share right", "share of label", "p"),
            tuple(
                (
                    shown[one][0],
                    names[one.label],
                    one.texts,
                    one.right / one.texts,
                    one.coverage,
                    one.p_value,
                )
                for one in listed
            ),
        ),
        examples=tuple((shown[one][1],) for one in listed[:3]),
    )


def _example(material: Material, stream: Stream, one: Giveaway) -> tuple[str, Passage]:
    """(the term with what stands between its words, a text of the label that holds it)."""
    holding = stream.holding(one.term)
    holding = holding[stream.labels[holding] == one.label]
    row = material.by_id(material.examples[holding])[0]
    text = material.texts[row]
    spelt = f"[{BETWEEN}]+".join(re.escape(word) for word in one.spelt.split(" "))
    found = re.search(rf"(?<![^{BETWEEN}]){spelt}(?![^{BETWEEN}])", text, re.IGNORECASE)
    if found is None:  # its lower case has other letters, as that of "İ"
        return one.spelt, material.passage(row, start_of(text))
    return visible(found[0]).lower(), material.passage(row, around(text, *found.span()))
