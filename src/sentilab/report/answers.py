"""Each kind of question, answered from the runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sentilab.report import figures
from sentilab.report.blocks import Block, Chart, Charts, Folded, Paragraph, Table, Verbatim
from sentilab.report.reading import Group, compare, finished
from sentilab.report.sentences import (
    against_the_notebook,
    best_of_kind,
    between,
    between_points,
    caveat,
    change,
    count,
    duration,
    figure,
    outcome,
    overfitting,
    p_value,
    points,
    ranking,
    stopping,
)
from sentilab.studies import Question, StudyResults

NOT_YET = Paragraph("The runs that answer this have not finished yet.")
RUN_COLUMNS = frozenset({"parameters", "accuracy", "95% interval", "difference", "time", "epochs"})


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
    found: list[Group] = field(default_factory=list)

    @property
    def baseline(self) -> Group | None:
        name = self.question.baseline or (self.question.runs[0] if self.question.runs else "")
        group = self.groups.get(name)
        return group if group and group.finished else None


def answer(question: Question, groups: dict[str, Group], results: StudyResults) -> Answer:
    """Answers ``question`` from the runs of one protocol."""
    asked = Asked(question, groups, results, finished(groups, question.runs))
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
    others = [one for one in asked.found if baseline and one.name != baseline.name]
    if baseline is None or not others:
        return Answer([NOT_YET])
    sentences = [
        change(baseline, one, _called(one, asked), of=_called(baseline, asked, lower=True))
        for one in others
    ]
    blocks: list[Block] = [
        Paragraph(" ".join(sentences), "answer"),
        comparison_table(asked.found, baseline),
        figures.accuracies(asked.found),
        Paragraph(caveat(asked.found)),
    ]
    if asked.question.axis == "model":
        blocks.insert(1, Paragraph(_costs(baseline, others)))
    return Answer(blocks, f"{asked.question.title}: {sentences[0]}", chosen=True)


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


def comparison_table(groups: Sequence[Group], baseline: Group | None) -> Table:
    """Accuracies with intervals, and differences from the baseline."""
    rows: list[tuple[str, ...]] = []
    for one in groups:
        row: tuple[str, ...] = (one.title, figure(one.accuracy), between(one.interval))
        if baseline is not None:
            found = compare(baseline, one)
            is_other = one.name != baseline.name
            difference = f"{points(found.difference)} ({between_points(found.interval)})"
            row += (difference, p_value(found.p_value)) if is_other else ("", "")
        rows.append((*row, _recorded(one)))
    of_pairs = ("difference", "McNemar") if baseline else ()
    caption = "Test accuracy" + (
        f"; differences in points from {baseline.title}" if baseline else ""
    )
    columns = ("run", "accuracy", "95% interval", *of_pairs, "notebook")
    return Table(caption, columns, rows, RUN_COLUMNS).without_empty_columns()


def _recorded(group: Group) -> str:
    recorded = group.first.recorded
    return recorded.text if recorded else ""


def _longer(asked: Asked) -> Answer:
    if not asked.found:
        return Answer([NOT_YET])
    longer = asked.found[0]
    run = longer.first
    sentence = overfitting(run.history)
    blocks: list[Block] = [Paragraph(sentence, "answer")]
    if asked.baseline and asked.baseline.name != longer.name:
        blocks.append(Paragraph(change(asked.baseline, longer, longer.title)))
        blocks.append(Paragraph(caveat([asked.baseline, longer])))
    blocks.append(
        Charts(
            [
                figures.curve(run, "accuracy", 220, "Accuracy"),
                figures.curve(run, "loss", 220, "Loss"),
            ]
        )
    )
    blocks.append(epochs_table(run.title, run.history))
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
    ordered = sorted(asked.found, key=lambda one: -one.accuracy)
    blocks: list[Block] = [
        Paragraph(ranking(asked.found), "answer"),
        comparison_table(ordered, ordered[0]),
        figures.accuracies(ordered),
        Paragraph(caveat(ordered)),
    ]
    return Answer(blocks, chosen=True)


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
    runs = [one.first for one in asked.found]
    sentence = stopping(runs)
    rows = []
    for run in runs:
        best = max(run.history, key=lambda one: one.val_accuracy)
        rows.append(
            (
                run.title,
                f"{len(run.history)} of {run.settings.epochs}",
                str(best.epoch),
                figure(best.val_accuracy),
                figure(run.history[-1].val_accuracy),
                run.recorded.text if run.recorded else "",
            )
        )
    table = Table(
        "Early stopping",
        ("run", "epochs", "best epoch", "best accuracy", "last accuracy", "notebook"),
        rows,
        frozenset({"epochs", "best epoch", "best accuracy", "last accuracy"}),
    ).without_empty_columns()
    blocks: list[Block] = [
        Paragraph(sentence, "answer"),
        table,
        figures.stopping_curves(runs),
    ]
    return Answer(blocks, f"{asked.question.title}: {sentence}", chosen=True)


def _conclusion(asked: Asked) -> Answer:
    if not asked.found:
        return Answer([NOT_YET])
    ordered = sorted(asked.found, key=lambda one: -one.accuracy)
    recurrent = next((one for one in ordered if one.is_recurrent), None)
    dense = next((one for one in ordered if not one.is_recurrent), None)
    blocks: list[Block] = []
    highlight = ""
    if recurrent and dense:
        highlight = best_of_kind(recurrent, dense)
        blocks.append(Paragraph(highlight, "answer"))
    blocks += [
        Paragraph(ranking(ordered)),
        Table(
            "Every setting, best first",
            ("run", "accuracy", "95% interval", "parameters", "time"),
            [
                (
                    one.title,
                    figure(one.accuracy),
                    between(one.interval),
                    f"{one.first.parameters:,}",
                    duration(one.seconds),
                )
                for one in ordered
            ],
            RUN_COLUMNS,
        ),
        figures.accuracies(ordered),
        Paragraph(caveat(ordered)),
    ]
    return Answer(blocks, highlight and f"{asked.question.title} {highlight}", chosen=True)


def learning_curves(groups: Sequence[Group]) -> list[Chart]:
    """One small chart a group, of its first seed; one epoch alone makes no curve."""
    return [figures.curve(one.first) for one in groups if len(one.first.history) > 1]


_ANSWERS: dict[str, Callable[[Asked], Answer]] = {
    "data": _data,
    "summary": _summary,
    "compare": _compare,
    "longer": _longer,
    "best": _best,
    "refused": _refused,
    "stopping": _stopping,
    "conclusion": _conclusion,
}
