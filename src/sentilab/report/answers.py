"""Each kind of question, answered from the runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from sentilab.report import figures, frontier
from sentilab.report.blocks import Block, Chart, Charts, Folded, Paragraph, Table, Verbatim
from sentilab.report.differences import Compared, Comparisons, chosen
from sentilab.report.reading import Group, finished
from sentilab.report.sentences import (
    against_the_notebook,
    best_epoch,
    best_of_kind,
    between,
    between_points,
    between_signed,
    caveat,
    change,
    count,
    duration,
    each,
    figure,
    learned,
    margin,
    outcome,
    overfitting,
    p_value,
    points,
    ranking,
    stopping,
)
from sentilab.studies import Question, StudyResults

NOT_YET = Paragraph("The runs that answer this have not finished yet.")
# More comparisons than these are not read one after another: a sentence counts them.
FEW = 6
RUN_COLUMNS = frozenset(
    {
        *("parameters", "accuracy", "test accuracy", "validation", "sd over seeds", "95% interval"),
        *("difference", "p", "wins", "time", "epochs"),
    }
)


@dataclass(frozen=True)
class Answer:
    """``blocks`` for the section, ``highlight`` for the summary at the top.

    ``chosen`` says that figures were compared in order to choose one of them.
    """

    blocks: Sequence[Block]
    highlight: str = ""
    chosen: bool = False


@dataclass(frozen=True)
class Asked:
    """A question with what is needed to answer it under one protocol."""

    question: Question
    groups: dict[str, Group]
    results: StudyResults
    comparisons: Comparisons
    found: list[Group] = field(default_factory=list)

    @property
    def baseline(self) -> Group | None:
        name = self.question.baseline or (self.question.runs[0] if self.question.runs else "")
        group = self.groups.get(name)
        return group if group and group.finished else None

    def against(self, baseline: Group) -> list[Compared]:
        """The other settings of the question, each held against ``baseline``."""
        pairs = (self.comparisons.of(baseline, one) for one in self.found if one is not baseline)
        return [one for one in pairs if one is not None]


def answer(
    question: Question,
    groups: dict[str, Group],
    results: StudyResults,
    comparisons: Comparisons,
) -> Answer:
    """Answers ``question`` from the runs of one protocol, whose ``comparisons`` are judged."""
    asked = Asked(question, groups, results, comparisons, finished(groups, question.runs))
    return _ANSWERS[question.kind](asked)


def _data(asked: Asked) -> Answer:
    look = asked.results.portrait
    texts, length = look["texts"], look["length"]
    sentence = (
        f"The training data are a matrix of {texts['train']:,} by {length}: one row a text, one "
        f"column a word position. Each number is a word's place in a vocabulary of {look['words']:,}, "
        "by how often it occurs in the training texts; 1 marks the start, 2 an unknown word, 0 padding. "
        f"A text has {look['mean_length']:.0f} tokens on average and {look['length_quantiles']['0.5']:.0f} "
        f"in the middle; {look['truncated_share']:.1%} of the texts are longer than {length} and lose "
        f"their beginning, and {look['padding_share']:.1%} of all positions are padding. "
        f"{look['unknown_share']:.1%} of the words are not in the vocabulary."
    )
    labels = Table(
        "Texts by label",
        ("label", "training", "test"),
        [
            (name, f"{parts['train']:,}", f"{parts['test']:,}")
            for name, parts in look["labels"].items()
        ],
        frozenset({"training", "test"}),
    )
    example = look["example"]
    encoded = example["encoded"]
    padding = next((n for n, one in enumerate(encoded) if one), len(encoded))
    shown = " ".join(map(str, encoded[padding:]))
    row = f"[{padding} zeros] {shown}" if padding else shown
    frequent = ", ".join(f"{word} {number}" for word, number in look["frequent_words"])
    return Answer(
        [
            Paragraph(sentence, "answer"),
            figures.lengths(look["length_histogram"], length),
            labels,
            Folded(
                "One text, encoded and decoded",
                [
                    Paragraph(f"{example['id']}, {example['label']}:"),
                    Verbatim(example["text"]),
                    Paragraph(f"Encoded, {len(encoded)} numbers:"),
                    Verbatim(row),
                    Paragraph("Decoded:"),
                    Verbatim(example["decoded"]),
                    Paragraph(f"The most frequent words and their numbers: {frequent}."),
                ],
            ),
            *_repeats(asked.results),
        ]
    )


def _repeats(results: StudyResults) -> list[Block]:
    blocks: list[Block] = []
    for protocol, counted in results.duplicates.items():
        if protocol == "notebook" and counted["straddling_official_splits"]:
            blocks.append(
                Paragraph(
                    f"{counted['straddling_official_splits']:,} texts stand in both the training and "
                    "the test split (after folding white space and case). The notebook protocol leaves "
                    "them there, as the notebook did.",
                    "warning",
                )
            )
        if protocol == "holdout" and (
            counted["removed_from_training"] or counted["grouped_in_holdout"]
        ):
            blocks.append(
                Paragraph(
                    f"Held out: {count(counted['removed_from_training'], 'training row')} removed because "
                    f"the same text is in the test split; {counted['grouped_in_holdout']:,} rows that "
                    "repeat one another kept on one side."
                )
            )
    return blocks


def _summary(asked: Asked) -> Answer:
    blocks: list[Block] = []
    highlight = ""
    for name in asked.question.runs:
        group = asked.groups.get(name)
        if group is None:
            continue
        if group.first.anatomy:
            blocks.append(anatomy_table(group))
        if group.finished:
            highlight = (
                f"{group.title} has {group.first.parameters:,} parameters and reaches "
                f"{outcome(group)}."
            )
            blocks.append(Paragraph(f"{highlight} {against_the_notebook(group)}".strip(), "answer"))
    return Answer(blocks or [NOT_YET], highlight if len(asked.results.runs) == 1 else "")


def anatomy_table(group: Group) -> Table:
    """The layers of a model, with the arithmetic of their parameters."""
    parts = group.first.anatomy or {}
    return Table(
        f"{parts['model']}: {parts['parameters']:,} parameters",
        ("layer", "gives out", "parameters, worked out"),
        [
            (f"{one['name']} ({one['kind']})", one["shape"], one["arithmetic"])
            for one in parts["layers"]
        ],
    )


def _compare(asked: Asked) -> Answer:
    baseline = asked.baseline
    compared = asked.against(baseline) if baseline else []
    if baseline is None or not compared:
        return Answer([NOT_YET])
    told = compared if len(compared) <= FEW else _telling(compared)
    sentences = [
        change(one, _called(one.other, asked), of=_called(baseline, asked, lower=True))
        for one in told
    ]
    summary = [learned(compared)] if len(told) < len(compared) else []
    blocks: list[Block] = [
        Paragraph(" ".join([*summary, *sentences]), "answer"),
        figures.differences(compared, baseline=_called(baseline, asked, lower=True)),
        comparison_table(asked.found, baseline, compared),
        Paragraph(caveat(compared, asked.comparisons.number)),
        *further(compared),
    ]
    if asked.question.axis == "model":
        blocks.insert(1, Paragraph(_costs(baseline, [one.other for one in compared])))
    return Answer(blocks, f"{asked.question.title}: {sentences[0]}", chosen=True)


def _telling(compared: Sequence[Compared]) -> list[Compared]:
    """Those with a difference; where there is none, the one that is furthest from nothing."""
    real = [one for one in compared if one.verdict.kind in ("better", "worse")]
    return real or [max(compared, key=lambda one: abs(one.found.difference))]


def _called(group: Group, asked: Asked, *, lower: bool = False) -> str:
    """A run by what sets it apart from the others of its question."""
    axis = asked.question.axis
    if axis == "batch_size":
        return f"{'batch' if lower else 'Batch'} {group.first.settings.batch_size}"
    return group.title


def _costs(baseline: Group, others: Sequence[Group]) -> str:
    costs = [
        f"{one.title}: {one.first.parameters:,} parameters, {duration(one.seconds)} of training"
        for one in (baseline, *others)
    ]
    return "; ".join(costs) + "."


def comparison_table(
    groups: Sequence[Group], baseline: Group, compared: Sequence[Compared]
) -> Table:
    """Accuracies, and differences from the baseline with their verdicts."""
    of = {one.other.name: one for one in compared}
    rows: list[tuple[str, ...]] = []
    for group in groups:
        one = of.get(group.name)
        row = (group.title, figure(group.accuracy), _spread(group))
        if one is None:
            rows.append((*row, "", "", "", "", _recorded(group)))
            continue
        difference = f"{points(one.found.difference)} ({between_points(one.found.interval)})"
        wins = "" if one.found.wins is None else f"{one.found.wins:.0%}"
        rows.append((*row, difference, p_value(one.adjusted_p), wins, word(one), _recorded(group)))
    columns = (
        *("run", "accuracy", "sd over seeds", "difference", "p", "wins"),
        *("verdict", "notebook"),
    )
    caption = (
        f"{baseline.judged_on.capitalize()} accuracy; differences in points from {baseline.title}"
    )
    return Table(caption, columns, rows, RUN_COLUMNS).without_empty_columns()


def _spread(group: Group) -> str:
    return "" if group.deviation is None else f"{100 * group.deviation:.2f} points"


def word(compared: Compared) -> str:
    """The verdict as it stands in a table."""
    kind: str = compared.verdict.kind
    words = {"same": f"no difference above {margin()}", "unclear": "cannot tell"}
    return words.get(kind, kind)


def further(compared: Sequence[Compared]) -> list[Block]:
    """The same comparisons by other metrics, and McNemar's test seed by seed."""
    rows = []
    for one in compared:
        found = {"accuracy": one.found, **one.others()}
        rows += [
            (
                one.other.title if metric == "accuracy" else "",
                metric.replace("_", " "),
                f"{one_of.first:.4f}",
                f"{one_of.second:.4f}",
                f"{one_of.difference:+.4f}".replace("-", "−"),
                between_signed(one_of.interval),
                p_value(one_of.p_value),
            )
            for metric, one_of in found.items()
        ]
    columns = ("run", "metric", "baseline", "run's own", "difference", "95% interval", "p, alone")
    table = Table(
        f"Against {compared[0].baseline.title}, by every metric",
        columns,
        rows,
        frozenset(columns[2:]),
    )
    seeds = [
        f"{one.other.title}: {', '.join(p_value(p) for p in one.found.mcnemar)}"
        for one in compared
        if one.found.mcnemar
    ]
    blocks: list[Block] = [table]
    if seeds:
        blocks.append(Paragraph(f"McNemar's exact test, one for each seed. {'; '.join(seeds)}."))
    return [Folded("Other metrics, and the test of each seed", blocks)]


def _recorded(group: Group) -> str:
    recorded = group.first.recorded
    return recorded.text if recorded else ""


def _longer(asked: Asked) -> Answer:
    if not asked.found:
        return Answer([NOT_YET])
    longer = asked.found[0]
    sentence = overfitting(longer.curve, len(longer.finished))
    blocks: list[Block] = [Paragraph(sentence, "answer")]
    compared = asked.against(asked.baseline) if asked.baseline else []
    if compared:
        blocks.append(Paragraph(" ".join(map(change, compared))))
        blocks.append(figures.differences(compared, baseline=compared[0].baseline.title))
        blocks.append(Paragraph(caveat(compared, asked.comparisons.number)))
    blocks.append(
        Charts(
            [
                figures.curve(longer, "accuracy", 220, "Accuracy"),
                figures.curve(longer, "loss", 220, "Loss"),
            ]
        )
    )
    blocks.append(epochs_table(longer.title, longer.curve))
    return Answer(blocks, f"{asked.question.title}: {sentence}", chosen=True)


def epochs_table(title: str, history: Sequence[object]) -> Table:
    """A curve in figures."""
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    return Table(
        f"{title}, epoch by epoch",
        ("epoch", "training loss", "training accuracy", "validation loss", "validation accuracy"),
        [
            (str(number), *(f"{getattr(one, name):.4f}" for name in names))
            for number, one in enumerate(history, start=1)
        ],
        frozenset(
            {
                "epoch",
                "training loss",
                "training accuracy",
                "validation loss",
                "validation accuracy",
            }
        ),
    )


def _best(asked: Asked) -> Answer:
    if not asked.found:
        return Answer([NOT_YET])
    best = chosen(asked.found)
    ordered = sorted(asked.found, key=lambda one: -one.validation)
    compared = asked.against(best)
    blocks: list[Block] = [Paragraph(ranking(best, compared), "answer")]
    if compared:
        blocks.append(figures.differences(compared, baseline=best.title))
    blocks.append(comparison_table(ordered, best, compared))
    blocks += _tried(asked.found)
    if compared:
        blocks.append(Paragraph(caveat(compared, asked.comparisons.number)))
    return Answer(blocks, chosen=True)


def _tried(groups: Sequence[Group]) -> list[Block]:
    """What the number of trials is worth: the best of more runs is higher, whatever they are."""
    scores = [one.validation_accuracy for group in groups for one in group.finished]
    if len(scores) < 4:
        return []
    return [
        Folded(
            f"What trying {len(scores)} runs is worth",
            [
                Paragraph(
                    "The best validation accuracy to be expected of so many runs, drawn at random "
                    "from those above (Dodge et al. 2019): results may be compared at an equal "
                    "number of trials only."
                ),
                figures.expected_best(scores),
            ],
        )
    ]


def _refused(asked: Asked) -> Answer:
    groups = [asked.groups[name] for name in asked.question.runs if name in asked.groups]
    refused = next((one for one in groups if one.first.status == "refused"), None)
    shown = [one for one in groups if one.first.anatomy]
    blocks: list[Block] = []
    highlight = ""
    if refused:
        parts = refused.first.anatomy or {}
        highlight = (
            f"{refused.title} has {parts['parameters']:,} parameters, gives out "
            f"{parts['output_shape']}, and cannot be trained on labels of shape (None,)."
        )
        blocks += [Paragraph(highlight, "answer"), Verbatim(refused.first.reason)]
    if len(shown) > 1:
        blocks.append(_shapes(shown))
    blocks += [
        Folded(f"{one.title}: parameters worked out", [anatomy_table(one)])
        for one in _one_a_model(shown)
    ]
    return Answer(blocks or [NOT_YET], highlight)


def _shapes(groups: Sequence[Group]) -> Table:
    """The models side by side: what each layer gives out."""
    different = _one_a_model(groups)
    layers = [(one.first.anatomy or {})["layers"] for one in different]
    longest = max(map(len, layers))
    rows = [
        tuple(f"{own[row]['kind']} {own[row]['shape']}" if row < len(own) else "" for own in layers)
        for row in range(longest)
    ]
    totals = tuple(f"{(one.first.anatomy or {})['parameters']:,} parameters" for one in different)
    names = [(one.first.anatomy or {})["model"] for one in different]
    return Table("The data's shape from layer to layer", names, [*rows, totals])


def _one_a_model(groups: Sequence[Group]) -> list[Group]:
    return list({one.first.settings.model: one for one in reversed(groups)}.values())[::-1]


def _stopping(asked: Asked) -> Answer:
    if not asked.found:
        return Answer([NOT_YET])
    sentence = stopping(asked.found)
    rows = []
    for group in asked.found:
        runs = group.finished
        best = [best_epoch(one.history) for one in runs]
        rows.append(
            (
                group.title,
                f"{each([len(one.history) for one in runs])} of {group.first.settings.epochs}",
                each([one.epoch for one in best]),
                figure(float(np.mean([one.val_accuracy for one in best]))),
                figure(float(np.mean([one.history[-1].val_accuracy for one in runs]))),
                _recorded(group),
            )
        )
    table = Table(
        "Early stopping" + ("; accuracies are means over seeds" if len(runs) > 1 else ""),
        ("run", "epochs", "best epoch", "best accuracy", "last accuracy", "notebook"),
        rows,
        frozenset({"epochs", "best epoch", "best accuracy", "last accuracy"}),
    ).without_empty_columns()
    blocks: list[Block] = [
        Paragraph(sentence, "answer"),
        table,
        figures.stopping_curves(asked.found),
    ]
    return Answer(blocks, f"{asked.question.title}: {sentence}", chosen=True)


def _frontier(asked: Asked) -> Answer:
    if not asked.found:
        return Answer([NOT_YET])
    if len(asked.found) == 1:
        only = asked.found[0]
        once = (
            f"{only.title} reaches {outcome(only)} on the test texts, which were scored this once."
        )
        return Answer([Paragraph(once, "answer")], once)
    taken = asked.baseline if asked.question.baseline else None
    return Answer(
        frontier.blocks(asked.found, taken), frontier.sentence(asked.found, taken), chosen=True
    )


def _conclusion(asked: Asked) -> Answer:
    if not asked.found:
        return Answer([NOT_YET])
    ordered = sorted(asked.found, key=lambda one: -one.validation)
    recurrent = next((one for one in ordered if one.is_recurrent), None)
    dense = next((one for one in ordered if not one.is_recurrent), None)
    compared = asked.comparisons.of(recurrent, dense) if recurrent and dense else None
    blocks: list[Block] = []
    highlight = ""
    if compared:
        highlight = best_of_kind(compared)
        blocks += [
            Paragraph(highlight, "answer"),
            figures.differences([compared], baseline=compared.baseline.title),
            Paragraph(caveat([compared], asked.comparisons.number)),
        ]
    elif ordered:
        blocks.append(Paragraph(ranking(ordered[0], []), "answer"))
    blocks.append(
        Table(
            "Every setting, best first by "
            + ("test" if _on_test(asked) else "validation")
            + " accuracy",
            (
                "run",
                "validation",
                "test accuracy",
                "sd over seeds",
                "95% interval",
                "parameters",
                "time",
            ),
            [
                (
                    one.title,
                    "" if _on_test(asked) else figure(one.validation),
                    figure(one.accuracy),
                    _spread(one),
                    between(one.interval),
                    f"{one.first.parameters:,}",
                    duration(one.seconds),
                )
                for one in ordered
            ],
            RUN_COLUMNS,
        ).without_empty_columns()
    )
    return Answer(blocks, highlight and f"{asked.question.title} {highlight}", chosen=True)


def _on_test(asked: Asked) -> bool:
    return asked.found[0].protocol == "notebook"


def learning_curves(groups: Sequence[Group]) -> list[Chart]:
    """One small chart a setting; one epoch alone makes no curve."""
    return [figures.curve(one) for one in groups if len(one.curve) > 1]


_ANSWERS: dict[str, Callable[[Asked], Answer]] = {
    "data": _data,
    "summary": _summary,
    "compare": _compare,
    "longer": _longer,
    "best": _best,
    "refused": _refused,
    "stopping": _stopping,
    "frontier": _frontier,
    "conclusion": _conclusion,
}
