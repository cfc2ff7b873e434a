"""A study's results -> the document that page and Markdown render."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sentilab.report import (
    behaviour,
    calibration,
    contrast,
    explained,
    figures,
    frontier,
    overfitting,
    padding,
)
from sentilab.report.answers import Answer, anatomy_table, answer, learning_curves
from sentilab.report.blocks import (
    Block,
    Chart,
    Charts,
    Document,
    Folded,
    Paragraph,
    Section,
    Table,
)
from sentilab.report.differences import Compared, Comparisons, judged
from sentilab.report.reading import Group, gather, picks
from sentilab.report.sentences import (
    between,
    duration,
    figure,
    flattery,
    learned,
    listed,
    optimism,
    points,
)
from sentilab.studies import Run, StudyResults
from sentilab.training import RunFolder, seconds_of

BANNER = "GENERATED DATA: THESE ARE NOT IMDB FIGURES"
OPTIMISTIC = "chosen on the test split: optimistic"
PROTOCOLS = {
    "notebook": "Judged on the test split, as the notebook did",
    "holdout": "Held out: choices on validation data, the test split scored once",
    "validation": "Judged on validation texts; the test texts were not read",
}
# What trained models have learned beside one accuracy, in the order of the page.
SECTIONS: tuple[Callable[[Sequence[Group]], Section | None], ...] = (
    overfitting.section,
    behaviour.section,
    contrast.section,
    padding.section,
    calibration.section,
    explained.section,
)
FIRST_SCREEN = frozenset({"behaviour", "contrast"})
ByProtocol = dict[str, dict[str, Group]]
SHORT = 5  # lines on the first screen
STATUS = {
    "planned": "planned",
    "running": "under way",
    "refused": "refused",
    "failed": "failed",
}


def document(results: StudyResults) -> Document:
    """The whole report, of a finished study or of one under way."""
    by_protocol: ByProtocol = {name: gather(results, name) for name in results.protocols}
    judgements = {name: judged(results.questions, groups) for name, groups in by_protocol.items()}
    ended = sum(one.status in ("finished", "refused", "failed") for one in results.runs)
    questions, said = _questions(results, by_protocol, judgements)
    flattery, optimistic = _optimism(by_protocol)
    # Choices are made on validation texts wherever some were held out.
    honest = "holdout" if "holdout" in by_protocol else results.protocols[0]
    probed, found = _probed(by_protocol[honest])
    sections = [
        *questions,
        *flattery,
        *probed,
        _all_runs(results, by_protocol),
        *_costs(results, by_protocol),
        *_curves(by_protocol),
        *_models(results),
        _made_with(results),
    ]
    compared = judgements[honest]
    seeds = f"seed {results.seeds[0]}" if len(results.seeds) == 1 else f"{len(results.seeds)} seeds"
    return Document(
        title=results.title,
        subtitle=f"{_sentence(results.description)} {_data_line(results)}, {seeds}.".strip(),
        status="" if results.finished else f"{ended} of {len(results.runs)} runs finished so far",
        banner=BANNER if results.is_generated else "",
        highlights=_in_short(compared, said, optimistic, found),
        sections=sections,
        plot=_plot(compared.first_screen),
    )


def _plot(compared: Sequence[Compared]) -> Chart | None:
    """What was compared, at a glance; None where that is one pair."""
    if len(compared) < 2:
        return None
    (baseline, *others) = {one.baseline.title for one in compared}
    title = f"Differences in {compared[0].baseline.judged_on} accuracy"
    return figures.differences(compared, title, "" if others else baseline)


def _in_short(
    compared: Comparisons, said: Mapping[str, str], optimistic: str, found: Sequence[str]
) -> list[str]:
    """At most five lines, the ones that a reader would miss first."""
    asked = compared.first_screen
    lines = [learned(asked)] if len(asked) > 1 else []
    order = (
        "frontier",
        "conclusion",
        "best",
        "longer",
        "compare",
        "refused",
        "stopping",
        "summary",
    )
    ready = [said[kind] for kind in order if said.get(kind)]
    if optimistic:
        lines.append(optimistic)
    lines += ready[: max(1, SHORT - len(lines) - len(found))]
    return (lines + list(found))[:SHORT]


def _sentence(text: str) -> str:
    """With a capital and a full stop, where it has none yet."""
    return text if not text or text[-1] in ".?!" else f"{text[0].upper()}{text[1:]}."


def _data_line(results: StudyResults) -> str:
    return f"Data: {results.data_name} ({results.data_origin})"


def _questions(
    results: StudyResults, by_protocol: ByProtocol, judgements: Mapping[str, Comparisons]
) -> tuple[list[Section], dict[str, str]]:
    """A section a question, and the first answer of each kind in one line."""
    sections = []
    said: dict[str, str] = {}
    for number, question in enumerate(results.questions, start=1):
        blocks: list[Block] = [Paragraph(question.asks, "asked")]
        if question.notebook_says:
            blocks.append(Paragraph(question.notebook_says, "notebook"))
        # How the data look, and what a model is made of, is the same under every protocol.
        shared = question.kind in ("data", "refused")
        names = results.protocols[:1] if shared else results.protocols
        badge = ""
        for name in names:
            found = answer(question, by_protocol[name], results, judgements[name])
            if len(names) > 1:
                blocks.append(Paragraph(f"{PROTOCOLS[name]}:", "protocol"))
            blocks += found.blocks
            badge = badge or _badge(name, found)
            if question.kind == "frontier":  # what was chosen, and then what it reached
                chosen = f"{said.get('frontier', '')} {found.highlight}"
                said["frontier"] = chosen.strip()
            elif name == names[-1] and found.highlight:
                said.setdefault(question.kind, found.highlight)
        sections.append(
            Section(f"{number}. {question.title}", _anchor(question.title), blocks, badge)
        )
    return sections, said


def _badge(protocol: str, found: Answer) -> str:
    return OPTIMISTIC if protocol == "notebook" and found.chosen else ""


def _optimism(by_protocol: ByProtocol) -> tuple[list[Section], str]:
    """What the choice on the test split flatters: the best shown there against an honest pick."""
    if not {"notebook", "holdout"} <= by_protocol.keys():
        return [], ""
    both = [
        (by_protocol["notebook"][name], group)
        for name, group in by_protocol["holdout"].items()
        if name in by_protocol["notebook"]
        and group.finished
        and by_protocol["notebook"][name].finished
    ]
    found = picks(both)
    if not found:
        return [], ""
    sentence = optimism(found, len(both))
    rows = [
        (
            notebook.title,
            figure(
                sum(max(m.val_accuracy for m in one.history) for one in notebook.finished)
                / len(notebook.finished)
            ),
            figure(notebook.accuracy),
            figure(holdout.accuracy),
            points(notebook.accuracy - holdout.accuracy),
        )
        for notebook, holdout in both
    ]
    columns = ("run", "best epoch on test", "notebook protocol", "held out", "difference")
    table = Table(
        "Test accuracy under both protocols; held out, a fifth less text is trained on",
        columns,
        rows,
        frozenset(columns[1:]),
    )
    title = "What choosing on the test set flatters"
    return [Section(title, "optimism", [Paragraph(sentence, "answer"), table])], flattery(found)


def _probed(groups: Mapping[str, Group]) -> tuple[list[Section], list[str]]:
    """What was found beside accuracy, and the answers of it that belong on the first screen."""
    done = [one for one in groups.values() if one.finished]
    sections = [one for section in SECTIONS if (one := section(done)) is not None]
    answers = [
        block.text
        for one in sections
        if one.anchor in FIRST_SCREEN
        for block in one.blocks[:1]
        if isinstance(block, Paragraph)
    ]
    return sections, answers[:2]


def _all_runs(results: StudyResults, by_protocol: ByProtocol) -> Section:
    blocks: list[Block] = []
    for protocol, groups in by_protocol.items():
        several = len(results.seeds) > 1
        spread = "deviation over seeds (points)" if several else "95% interval"
        columns = (
            *("run", "batch", "epochs", "parameters", "accuracy", spread, "loss", "time"),
            *("notebook", "difference"),
        )
        rows = [_row(group, several) for group in groups.values()]
        numeric = frozenset(columns) - {"run", "notebook"}
        blocks.append(Table(PROTOCOLS[protocol], columns, rows, numeric).without_empty_columns())
        blocks += [
            Paragraph(f"{run.title}: {run.reason}", "warning")
            for group in groups.values()
            for run in group.runs
            if run.status == "failed"
        ]
    note = (
        "Accuracy and loss are of the kept weights on the test texts. Intervals are Wilson's, over "
        "test texts."
        if len(results.seeds) == 1
        else "Accuracies and losses are means over seeds."
    )
    badge = OPTIMISTIC if "notebook" in by_protocol else ""
    return Section("All runs", "runs", [*blocks, Paragraph(note)], badge)


def _row(group: Group, several: bool) -> tuple[str, ...]:
    run = group.first
    settings = run.settings
    recorded = run.recorded
    asked = str(settings.epochs)
    head = (group.title, str(settings.batch_size))
    size = f"{run.parameters:,}" if run.parameters else ""
    said = recorded.text if recorded else ""
    if not group.finished:
        state = "refused" if run.status == "refused" else STATUS[run.status]
        return (*head, f"{len(run.history)} of {asked}", size, state, "", "", "", said, "")
    epochs = asked if len(run.history) == settings.epochs else f"{len(run.history)} of {asked}"
    spread = between(group.interval)
    if several:
        spread = "" if group.deviation is None else f"{100 * group.deviation:.2f}"
    difference = ""
    if recorded and recorded.accuracy is not None:
        difference = points(group.accuracy - recorded.accuracy)
    done = f" ({len(group.finished)} of {len(group.runs)} seeds)" if len(group.runs) > 1 else ""
    return (
        *head,
        epochs,
        size,
        figure(group.accuracy) + done,
        spread,
        f"{group.loss:.4f}",
        duration(group.seconds),
        said,
        difference,
    )


def _costs(results: StudyResults, by_protocol: ByProtocol) -> list[Section]:
    """What accuracy costs, where no question of the study has asked for it already."""
    if any(one.kind == "frontier" for one in results.questions):
        return []
    for protocol in ("holdout", "validation", "notebook"):
        found = frontier.section(list(by_protocol.get(protocol, {}).values()))
        if found is not None:
            return [replace(found, badge=OPTIMISTIC if protocol == "notebook" else "")]
    return []


def _curves(by_protocol: ByProtocol) -> list[Section]:
    blocks: list[Block] = []
    for protocol, groups in by_protocol.items():
        curves = learning_curves([one for one in groups.values() if one.finished])
        if curves:
            if len(by_protocol) > 1:
                blocks.append(Paragraph(f"{PROTOCOLS[protocol]}:", "protocol"))
            blocks.append(Charts(curves))
    if not blocks:
        return []
    note = Paragraph(
        "The dashed line marks the epoch that was best by validation accuracy. Runs of one epoch have "
        "no curve."
    )
    return [Section("Learning curves", "curves", [note, *blocks])]


def _models(results: StudyResults) -> list[Section]:
    different: dict[str, Run] = {}
    for run in results.runs:
        if run.anatomy:
            different.setdefault(run.settings.model, run)
    blocks: list[Block] = []
    for name, run in different.items():
        group = Group(name, run.title, run.settings.protocol, (run,))
        blocks.append(Folded(f"{name}: {run.parameters:,} parameters", [anatomy_table(group)]))
    return [Section("The models", "models", blocks)] if blocks else []


def _made_with(results: StudyResults) -> Section:
    environment = results.environment
    names = {
        "sentilab": "Sentilab",
        "python": "Python",
        "keras": "Keras",
        "jax": "JAX",
        "backend": "Keras's backend",
        "numpy": "NumPy",
        "system": "system",
        "cpu": "processor",
        "cores": "cores",
    }
    rows = [(title, str(environment[key])) for key, title in names.items() if key in environment]
    paths: dict[str, set[str]] = {}
    for run in results.runs:
        if run.environment and run.anatomy:
            path = run.environment.get("lstm_path", "")
            paths.setdefault(path, set()).add(run.settings.model)
    rows += [
        (f"LSTM of {listed(sorted(models))}", path)
        for path, models in paths.items()
        if path and not path.startswith("none")
    ]
    trained = seconds_of(RunFolder(one) for one in {run.folder for run in results.runs})
    blocks: list[Block] = [
        Paragraph(
            f"{_data_line(results)}; labels: {listed(list(results.label_names))}. Time is the sum of a "
            f"run's epochs with their validation, and of its pretraining; {duration(trained)} in all. A "
            "run that goes on from a shorter one counts that one's epochs as its own, one that shares a "
            "pretraining the whole of it."
        ),
        Table("Made with", ("what", "version"), rows),
        Paragraph(
            "The same seed gives the same weights, bit for bit, each time on the same machine."
            + (
                " Each run starts from its seed, where the notebook set one for all its runs together."
                if any(run.recorded for run in results.runs)
                else ""
            )
        ),
    ]
    blocks += [Paragraph(notice, "warning") for notice in results.notices]
    return Section("How this was made", "made", blocks)


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def contents(sections: Sequence[Section]) -> list[tuple[str, str]]:
    """(anchor, title) of each section."""
    return [(one.anchor, one.title) for one in sections]
