"""The data's outline: how many texts of each label, how long they are, which words the test adds."""

from collections.abc import Iterator

import numpy as np

from sentilab.checkup.excerpts import start_of
from sentilab.checkup.finding import Finding, Severity, Table
from sentilab.checkup.material import TEST, TRAIN, Material
from sentilab.checkup.wording import count, joined
from sentilab.text import Encoding, Vocabulary

# The largest label over the smallest.
UNEVEN = 3.0
FEWEST_TEXTS = 20
QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)
MANY = 0.01
UNKNOWN = 0.1


def balance(material: Material) -> Iterator[Finding]:
    """Texts by label and split."""
    names = material.dataset.label_names
    parts = [
        part for part in material.part_names if (material.labels[material.parts == part] >= 0).any()
    ]
    if not parts:
        return
    counts = np.stack(
        [
            np.bincount(material.labels[material.parts == part], minlength=len(names))
            for part in parts
        ]
    )
    total = counts.sum(axis=0)
    missing = [
        f"{part} has no “{name}”"
        for at, part in enumerate(parts)
        for number, name in enumerate(names)
        if not counts[at, number]
    ]
    rare = [f"“{name}” ({total[n]:,})" for n, name in enumerate(names) if total[n] < FEWEST_TEXTS]
    largest, smallest = int(total.max()), int(total[total > 0].min())
    shares = counts / counts.sum(axis=1, keepdims=True)
    severity: Severity = "fine"
    sentence, advice = "The labels are balanced.", ""
    if (total > 0).sum() < 2:
        severity = "problem"
        sentence = "All texts have one label: there is nothing to tell apart."
        advice = "Add texts of another label."
    elif missing:
        severity = "problem"
        sentence = f"A label is missing: {joined(missing[:3])}."
        advice = "Nothing can be learned or measured there; draw the splits anew, by label."
    elif largest / smallest >= UNEVEN or rare:
        severity = "worth knowing"
        sentence = (
            f"The labels are uneven: always saying “{names[int(total.argmax())]}” is right in "
            f"{largest / total.sum():.0%} of all texts."
            if largest / smallest >= UNEVEN
            else f"Few texts have the label {joined(rare[:3])}."
        )
        advice = "Compare every accuracy with that share, and look at each label by itself."
    elif np.ptp(shares, axis=0).max() > 0.05:
        severity = "worth knowing"
        sentence = "The labels have other shares in train than in test."
        advice = "An accuracy on the test split then says less about other data."
    yield Finding(
        name="label balance",
        severity=severity,
        sentence=sentence,
        advice=advice,
        table=Table(
            ("label", *parts),
            tuple((name, *counts[:, number].tolist()) for number, name in enumerate(names)),
        ),
    )


def lengths(material: Material) -> Iterator[Finding]:
    """Words a text: quantiles, texts of none or one, the longest."""
    words = material.tokens.lengths
    rows: list[tuple[str | float, ...]] = []
    for part in material.part_names:
        here = words[material.parts == part]
        quantiles = np.quantile(here, QUANTILES).round().astype(int).tolist()
        cut = float((here >= Encoding().length).mean())
        rows.append((part, *quantiles, int((here == 0).sum()), int((here == 1).sum()), cut))
    empty, single = np.flatnonzero(words == 0), np.flatnonzero(words == 1)
    share = len(empty) / max(len(words), 1)
    severity: Severity = (
        "problem" if share >= MANY else "worth knowing" if len(empty) or len(single) else "fine"
    )
    said = [
        f"{count(len(found), 'text')} {'has' if len(found) == 1 else 'have'} {what}"
        for found, what in ((empty, "no word"), (single, "one word only"))
        if len(found)
    ]
    odd = [*material.by_id(empty)[:2], *material.by_id(single)[:2]]
    longest = material.by_id(np.flatnonzero(words == words.max()))[:1] if len(words) else []
    yield Finding(
        name="lengths",
        severity=severity,
        sentence=f"{joined(said)}." if said else "Every text has at least two words.",
        advice="A model sees nothing in a text without words, and answers it by chance; remove it or "
        "find out what was there."
        if len(empty)
        else "Look at them: some may be fragments."
        if len(single)
        else "",
        table=Table(
            (
                "split",
                "shortest",
                "5%",
                "median",
                "95%",
                "longest",
                "empty",
                "one word",
                "share cut",
            ),
            tuple(rows),
        ),
        examples=tuple(
            (material.passage(row, start_of(material.texts[row])),) for row in [*odd, *longest]
        ),
    )


def vocabulary(material: Material) -> Iterator[Finding]:
    """The share of words in the test split that the vocabulary of the training split lacks.

    Without splits: the share of words that stand in one text only, which is what would be unknown
    on average if that text were left out. Source: Good (1953), equation (9).
    """
    tokens = material.tokens
    encoding = Encoding()
    train, test = (np.flatnonzero(material.parts == part) for part in (TRAIN, TEST))
    if len(train) and len(test):
        known = Vocabulary.learn(tokens, train, encoding).index
        has = np.fromiter((word in known for word in tokens.words), bool, len(tokens.words))
        ids, _ = tokens.of(test)
        seen = np.zeros(len(tokens.words), bool)
        seen[tokens.of(train)[0]] = True
        numbers = {
            "words in the vocabulary": len(known),
            "different words in train": int(seen.sum()),
            "share of words in test outside the vocabulary": _share(~has[ids]),
            "share of words in test that train never has": _share(~seen[ids]),
        }
        unknown = numbers["share of words in test outside the vocabulary"]
        sentence = (
            f"{unknown:.1%} of the words in test are outside the {len(known):,} words learned from "
            "train."
        )
    else:
        ids, spans = tokens.of(material.labelled)
        text = np.repeat(np.arange(len(spans)), spans)
        pairs = np.unique(ids.astype(np.int64) * max(len(spans), 1) + text)
        texts_with = np.bincount(pairs // max(len(spans), 1), minlength=len(tokens.words))
        unknown = _share(texts_with[ids] == 1)
        numbers = {
            "different words": int((texts_with > 0).sum()),
            "share of words that stand in one text only": unknown,
        }
        sentence = (
            f"{unknown:.1%} of the words stand in one text only: so many a new text would add."
        )
    many = unknown >= UNKNOWN
    yield Finding(
        name="unknown words",
        severity="worth knowing" if many else "fine",
        sentence=sentence,
        advice="A model reads all of these as one and the same unknown word. More training texts "
        "help; so do models of word pieces or characters."
        if many
        else "",
        numbers=numbers,
    )


def _share(which: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    return float(which.mean()) if len(which) else 0.0


def set_aside(material: Material) -> Iterator[Finding]:
    """Rows that could not be read."""
    rejected = material.dataset.rejected
    if not rejected.total:
        return
    listed = f" Each is listed with its reason in {rejected.path.name}." if rejected.path else ""
    yield Finding(
        name="rows set aside",
        severity="worth knowing" if rejected.count else "fine",
        sentence=f"{rejected.count:,} of {count(rejected.total, 'row')} could not be used.{listed}"
        if rejected.count
        else f"All {count(rejected.total, 'row')} could be read.",
        advice="Mend them in the file: they are in none of the figures here."
        if rejected.count
        else "",
        numbers={"rows set aside": rejected.count, "rows": rejected.total},
    )
