"""Which words push the models, whether that is so, and why they err; and one text explained."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from sentilab.probe.attributions import BASELINES, TITLES, Explanation, strongest
from sentilab.probe.faithfulness import SHARES, Estimate, Ordered
from sentilab.probe.words import AT_LEAST, Mistake, Pushing, Result
from sentilab.report.blocks import (
    Block,
    Chart,
    Charts,
    Document,
    Folded,
    Highlighted,
    Paragraph,
    Section,
    Table,
)
from sentilab.report.figures import chart_of, over
from sentilab.report.probed import Probed, over_seeds, probed, seeds_note
from sentilab.report.reading import Group
from sentilab.report.sentences import count, listed

SHOWN = 10  # words of a plot, a label
NAMED = 4  # words of a sentence
EARLY = 2  # into SHARES: a tenth of the words

ORDERS = {"ig": "integrated gradients", "occlusion": "occlusion", "random": "random order"}


def section(groups: Sequence[Group]) -> Section | None:
    """None where words were not probed; ``groups`` are those of one protocol."""
    found = probed(groups, "words", Result)
    if not found:
        return None
    best = max(found, key=lambda one: one.group.validation)
    others = [one for one in found if one.group.is_recurrent != best.group.is_recurrent]
    featured = [best, max(others, key=lambda one: one.group.validation)] if others else [best]
    mistakes = [_mistake(one) for one in best.results[0].mistakes]
    blocks: list[Block] = [
        Paragraph(_answer(best), "answer"),
        Charts([_strongest_words(one) for one in featured]),
        Charts([_curves(best, which) for which in ("deletion", "insertion")]),
        *mistakes[:1],
    ]
    if mistakes[1:]:
        more = f"The next {count(len(mistakes) - 1, 'confident mistake')} of {best.title}"
        blocks.append(Folded(more, mistakes[1:]))
    blocks += [
        _all_words(found),
        _all_areas(found),
        Folded(f"Phrases that push {best.title}", [_phrases(best)]),
        Folded("How words were explained", [_how(best)]),
    ]
    return Section("Which words push the models?", "words", blocks)


def explanation(why: Explanation, of: str) -> Document:
    """One text and what each of its words does to the answer of the run called ``of``."""
    names = [TITLES[method] for method in why.values]
    blocks: list[Block] = [Paragraph(answer(why), "answer")]
    blocks += [Paragraph(text, "warning") for text in warnings(why)]
    blocks += [
        Highlighted(why.pieces(one), TITLES[one].capitalize(), why.sides) for one in why.values
    ]
    values = [np.asarray(one) for one in why.values.values()]
    shown = strongest(values[0])
    words = why.words()
    blocks.append(
        Table(
            f"The {count(len(shown), 'word')} of largest effect by {names[0]}, in log odds of "
            f"{why.sides[1]}",
            ("word", *names),
            [(words[at], *(signed(float(one[at])) for one in values)) for at in shown],
            frozenset(names),
        )
    )
    blocks += [Paragraph(text) for text in notes(why)]
    return Document(
        title="A text explained",
        subtitle=f"What each word of it does to the answer of {of}.",
        status="",
        banner="",
        highlights=(),
        sections=[Section("What the words do", "words", blocks)],
    )


def answer(why: Explanation) -> str:
    """The model's answer, and the words that speak most for and against it."""
    first = next(iter(why.values.values()))
    words = why.words()
    ends = []
    for name, sign in zip(why.sides, (-1, 1), strict=True):
        top = [at for at in strongest(first, len(first)) if sign * first[at] > 0][:NAMED]
        said = list(dict.fromkeys(f'"{words[at]}"' for at in top))
        if said:
            ends.append(f"for {name} speak most {listed(said)}")
    probability = f"p({why.sides[1]}) = {why.probability:.3f}, log odds {signed(why.log_odds)}"
    return f"{probability}; {', '.join(ends)}." if ends else f"{probability}; no word matters."


def warnings(why: Explanation) -> list[str]:
    """What keeps the numbers from being trusted as they are."""
    found = []
    if why.gap_is_large:
        found.append(
            f"The words' values sum to {signed(why.gap or 0)} log odds away from what they should: "
            "the model changes its answer too suddenly on the way for these steps. Values may "
            "be off by that much; more steps may or may not help, and occlusion does not need them."
        )
    if not why.is_exact:
        found.append(
            "The model does not end in a dense layer with a sigmoid or softmax: log odds are those "
            "of its probabilities, which say little where they are close to 0 or 1."
        )
    return found


def notes(why: Explanation) -> list[str]:
    """How the numbers came about, a sentence or two each."""
    found = []
    if why.gap is not None:
        found.append(
            f"Integrated gradients: {count(why.steps, 'step')} from {BASELINES[why.baseline]} (log "
            f"odds {signed(why.reference or 0)}); the values' sum is off by {signed(why.gap, 4)}."
        )
    if "occlusion" in why.values:
        found.append("Occlusion: each word in turn replaced by the out-of-vocabulary token.")
    agree = why.agreement
    if agree is not None:
        rank = "not defined" if agree.spearman is None else f"{agree.spearman:.3f}"
        found.append(
            f"The two agree on {agree.shared} of the {agree.of} largest; Spearman's rank correlation "
            f"over all words is {rank}."
        )
    if why.first_read:
        found.append(
            f"The first {count(why.first_read, 'word')} were cut off; the model has not read them."
        )
    if any(why.unknown):
        found.append(
            f"Not in the vocabulary: {sum(why.unknown)} of the {count(len(why.unknown), 'word')} read; "
            "the model cannot tell these apart."
        )
    return found


def signed(value: float, digits: int = 2) -> str:
    """With its sign, and a true minus."""
    return f"{value:+.{digits}f}".replace("-", "−")


def _answer(one: Probed[Result]) -> str:
    result = one.results[0]
    shown = _shared(one)
    ends = [
        f"towards {label} by {listed([_quoted(word) for word, _, _, _ in rows[:NAMED]])}"
        for label in result.label_names
        if (rows := [row for row in shown if row[1] == label])
    ]
    pushed = (
        f"{one.title} is pushed most {', '.join(ends)}."
        if ends
        else f"No word pushes {one.title} for certain."
    )
    best, chance = (_of_order(one, order) for order in (result.method, "random"))
    early = [float(np.mean([each.deletion[EARLY] for each in of])) for of in (best, chance)]
    whole = float(np.mean([each.deletion[0] for each in best]))
    if all(each.deletion_gain.low > 0 for each in best):
        faithful = (
            f"Deleting the {SHARES[EARLY]:.0%} of a text's words that are said to matter most takes "
            f"the probability of the answer from {whole:.2f} to {early[0]:.2f}; as many at random, "
            f"to {early[1]:.2f}."
        )
    else:
        faithful = (
            "Deleting words in this order takes the answer down no faster than at random, so "
            "these values should not be trusted."
        )
    numbers = [word for word, *_ in shown if word.isdecimal()]
    if len(numbers) > 1:
        said = listed([_quoted(word) for word in numbers[:NAMED]])
        pushed += (
            f" Bare numbers are among them ({said}); they may be ratings that the texts state."
        )
    return f"{pushed} {faithful}"


def _quoted(word: str) -> str:
    """A word in quotation marks."""
    return f'"{word}"'


# (word, label, push over seeds, (low, high))
_Row = tuple[str, str, float, tuple[float, float]]


def _shared(one: Probed[Result], kind: str = "words") -> list[_Row]:
    """What all seeds list, by label, the strongest first; bounds are intervals, or the seeds' range."""
    each = [
        {(push.words, push.label): push for push in getattr(result, kind)} for result in one.results
    ]
    rows: list[_Row] = []
    for key, first in each[0].items():
        seeds: list[Pushing] = [found[key] for found in each if key in found]
        if len(seeds) < len(each):
            continue
        means = [push.push.mean for push in seeds]
        bounds = (min(means), max(means)) if len(each) > 1 else (first.push.low, first.push.high)
        rows.append((*key, float(np.mean(means)), bounds))
    return rows


def _strongest_words(one: Probed[Result]) -> Chart:
    """A dot a word, the first of two labels to the left, with intervals."""
    names = one.results[0].label_names
    two = len(names) == 2
    many = SHOWN if two else max(2, 2 * SHOWN // len(names))
    rows: list[dict[str, Any]] = []
    for label in names:
        sign = -1 if two and label == names[0] else 1
        chosen = [row for row in _shared(one) if row[1] == label][:many]
        chosen.sort(key=lambda row: -row[2])
        for word, _, push, (low, high) in chosen:
            rows.append(
                {
                    "word": word if two else f"{word} ({label})",
                    "towards": label,
                    "push": sign * push,
                    "low": sign * low,
                    "high": sign * high,
                }
            )
    colours = ["--second", "--first"] if two else ["--first", "--second", "--third", "--fourth"]
    scale = alt.Scale(domain=list(names), range=[colours[n % 4] for n in range(len(names))])
    y = alt.Y("word:N", sort=None, title=None, axis=alt.Axis(labelFontSize=12))
    color = alt.Color("towards:N", scale=scale, title="towards", legend=alt.Legend(orient="bottom"))
    base = over(rows).encode(y=y, color=color)
    zero = over([{"at": 0}]).mark_rule(strokeDash=[4, 3]).encode(x=alt.X("at:Q"))
    tooltip = ["word:N", "towards:N", alt.Tooltip("push:Q", format="+.2f")]
    layers = [
        base.mark_rule(strokeWidth=2, opacity=0.6).encode(x=alt.X("low:Q"), x2="high:Q"),
        base.mark_point(filled=True, size=70, opacity=1).encode(
            x=alt.X("push:Q", title="mean effect on the log odds", axis=alt.Axis(tickCount=6)),
            tooltip=tooltip,
        ),
        zero,
    ]
    described = "; ".join(
        f"{row['word']} {abs(row['push']):.2f} towards {row['towards']}" for row in rows
    )
    return chart_of(
        alt.layer(*layers).properties(height=18 * len(rows) + 10),
        f"Words that push {one.title} most: {described or 'none for certain'}.",
        one.title,
    )


def _curves(one: Probed[Result], which: str) -> Chart:
    """p(answer), mean over texts and seeds, as words are deleted or inserted; a line an order."""
    orders = [each.order for each in one.results[0].ordered]
    rows = [
        {
            "order": ORDERS[order],
            "share": share,
            "p": float(np.mean([curve[at] for curve in curves])),
        }
        for order in orders
        for curves in [[getattr(each, which) for each in _of_order(one, order)]]
        for at, share in enumerate(SHARES)
    ]
    scale = alt.Scale(
        domain=[ORDERS[order] for order in orders],
        range=["--first", "--second", "--soft"][-len(orders) :],
    )
    base = over(rows).encode(
        x=alt.X(
            "share:Q",
            title=f"share of words {_DONE[which]}",
            axis=alt.Axis(format="%", tickCount=5),
        ),
        y=alt.Y(
            "p:Q", scale=alt.Scale(domain=[0, 1]), title="p(answer)", axis=alt.Axis(tickCount=5)
        ),
        color=alt.Color(
            "order:N", scale=scale, title=None, legend=alt.Legend(orient="bottom", columns=1)
        ),
        strokeDash=alt.StrokeDash(
            "order:N",
            scale=alt.Scale(domain=scale["domain"], range=[[1, 0], [6, 3], [2, 3]][-len(orders) :]),
            title=None,
        ),
        tooltip=["order:N", alt.Tooltip("share:Q", format=".0%"), alt.Tooltip("p:Q", format=".2f")],
    )
    at_early = "; ".join(f"{r['order']} {r['p']:.2f}" for r in rows if r["share"] == SHARES[EARLY])
    good = "lower" if which == "deletion" else "higher"
    return chart_of(
        base.mark_line(strokeWidth=2.2).properties(height=190),
        f"{one.title}: probability of the answer as words are {_DONE[which]}; at "
        f"{SHARES[EARLY]:.0%} of the words: {at_early}.",
        f"{which.capitalize()}, {one.title} ({good} is better)",
    )


_DONE = {"deletion": "deleted", "insertion": "inserted"}


def _of_order(one: Probed[Result], order: str) -> list[Ordered]:
    """A seed each."""
    return [each for result in one.results for each in result.ordered if each.order == order]


def _mistake(one: Mistake) -> Highlighted:
    cut = (
        f"; its first {count(one.words_cut_off, 'word')} were not read" if one.words_cut_off else ""
    )
    return Highlighted(
        one.pieces,
        f"Labelled {one.label}, answered {one.answer} with p = {one.probability:.4f} ({one.id}{cut})",
        (one.against, one.towards),
    )


def _all_words(found: Sequence[Probed[Result]]) -> Table:
    labels = found[0].results[0].label_names
    columns = tuple(f"towards {label}" for label in labels)
    rows = []
    for one in found:
        shared = _shared(one)
        cells = [", ".join(row[0] for row in shared if row[1] == label) for label in labels]
        rows.append((one.title, *(", ".join(cell.split(", ")[:8]) for cell in cells)))
    seeds = any(len(one.results) > 1 for one in found)
    note = ", where each seed lists them" if seeds else ""
    return Table(f"The eight strongest words of each run{note}", ("run", *columns), rows)


def _all_areas(found: Sequence[Probed[Result]]) -> Table:
    measured = {each.order for one in found for each in one.results[0].ordered}
    orders = [order for order in ORDERS if order in measured]
    columns = [f"{which}, {ORDERS[order]}" for which in _DONE for order in orders]
    rows = []
    for one in found:
        areas = [
            [getattr(each, f"{which}_area") for each in _of_order(one, order)]
            for which in _DONE
            for order in orders
        ]
        rows.append((one.title, *(_area(each) for each in areas)))
    note = seeds_note(found) or "; ± is half a 95% interval over texts"
    texts = found[0].results[0]
    return Table(
        f"Areas below the curves over {texts.ordered_texts} {texts.part} texts: deletion should be "
        f"low, insertion high{note}",
        ("run", *columns),
        rows,
        frozenset(columns),
    )


def _area(each: Sequence[Estimate]) -> str:
    if not each:
        return "—"
    if len(each) > 1:
        return over_seeds([one.mean for one in each], 3)
    return f"{each[0].mean:.3f} ± {(each[0].high - each[0].low) / 2:.3f}"


def _phrases(one: Probed[Result]) -> Table:
    texts = {push.words: push.texts for push in one.results[0].phrases}
    rows = [
        (phrase, label, f"{push:.2f}", f"{low:.2f} to {high:.2f}", str(texts[phrase]))
        for phrase, label, push, (low, high) in _shared(one, "phrases")
    ]
    bounds = "range over seeds" if len(one.results) > 1 else "95% interval"
    return Table(
        "Mean effect on the log odds, the sum over the phrase's words",
        ("phrase", "towards", "effect", bounds, "texts"),
        rows,
        frozenset({"effect", bounds, "texts"}),
    )


def _how(one: Probed[Result]) -> Paragraph:
    result = one.results[0]
    part = "validation" if result.part == "validation" else "test (none were held out)"
    if result.gap is None or result.gap_share is None:
        how = (
            "by occlusion, as the model has no one vector for each word: each word in turn was replaced "
            "by the out-of-vocabulary token."
        )
    else:
        how = (
            f"by integrated gradients in {result.steps} steps from {BASELINES[result.baseline]}; the "
            f"median completeness gap is {result.gap:.2g} in log odds, {result.gap_share:.2%} of what "
            "was to be explained."
        )
    return Paragraph(
        f"{result.sampled:,} {part} texts were explained {how} Words and phrases of known words count if they stand in at least {AT_LEAST} texts; a text counts once. They are "
        "ranked by the end of the interval nearer to zero, and intervals are each for itself. "
        "Deletion replaces words by the out-of-vocabulary token; insertion begins with all replaced. "
        "A word's effect is what it does to this model, in these texts; it is not what it means."
    )
