"""sentilab explain"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from sentilab.cli import options
from sentilab.errors import SettingsError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from sentilab.probe.attributions import Explanation, Method
    from sentilab.training import RunFolder

# From these shares of the largest value on: the colour alone, in bold, and as background. Colours
# that both light and dark terminals show; blue and orange are told apart by colour-blind readers too.
FAINT, PLAIN, STRONG = 0.1, 0.3, 0.6
BELOW, ABOVE = "#d1662b", "#2f86b8"


@click.command(name="explain")
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("text", required=False)
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the text.",
)
@click.option("--id", "identity", help="The id of a text in the data that the run was trained on.")
@click.option(
    "--method",
    type=click.Choice(["ig", "occlusion", "both"]),
    default="both",
    show_default=True,
    help="Integrated gradients, leaving out one word at a time, or both and how far they agree; both "
    "are one where the model has no word vectors.",
)
@click.option(
    "--steps",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="Steps of integrated gradients.",
)
@click.option(
    "--baseline",
    type=click.Choice(["zero", "padding", "unknown"]),
    default="zero",
    show_default=True,
    help="Where integrated gradients starts: each word's vector zero, padding, or the unknown word's.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page that opens offline.",
)
@click.option(
    "--json",
    "data_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the numbers.",
)
@click.option(
    "--data", "where", help="With --id: where the data lie, if not where they are looked for."
)
@options.models_from
@options.data_options
def command(
    run: Path,
    text: str | None,
    file: Path | None,
    identity: str | None,
    method: str,
    steps: int,
    baseline: Any,
    html: Path | None,
    data_file: Path | None,
    where: str | None,
    models_from: tuple[Path, ...],
    **reading: Any,
) -> None:
    """Show what each word of one text does to the answer of the model in RUN, a run's folder.

    The text is TEXT, the content of --file, or the data's own by --id.
    """
    import json

    from rich.console import Console

    from sentilab import atomic, workbench
    from sentilab.probe import Classifier
    from sentilab.probe.attributions import Explainer, explain
    from sentilab.report import explained, page

    if sum(one is not None for one in (text, file, identity)) != 1:
        raise click.UsageError("Give one of TEXT, --file and --id.")
    options.load_models(models_from)
    found = workbench.finished_run(run)
    label = None
    if file is not None:
        text = _read(file)
    elif identity is not None:
        text, label = _of_id(found, identity, where, reading)
    explainer = Explainer(Classifier.from_run(found.path))
    methods = explainer.methods if method == "both" else (cast("Method", method),)
    why = explain(explainer, text or "", methods, steps=steps, baseline=baseline)
    console = Console(highlight=False, markup=False, emoji=False)
    if method == "both" and explainer.obstacle:
        console.print(
            f"Explained by occlusion alone, without integrated gradients: {explainer.obstacle}",
            style="dim",
        )
    if label is not None:
        console.print(printable(f"Labelled {label}."))
    _show(console, why)
    if html is not None:
        atomic.write_text(html, page.render(explained.explanation(why, found.path.name)))
        console.print(f"Page: {html}", soft_wrap=True)
    if data_file is not None:
        atomic.write_text(data_file, json.dumps(why.to_json(), indent=1, ensure_ascii=False) + "\n")
        console.print(f"Data: {data_file}", soft_wrap=True)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: this is no text in UTF-8 ({error}).") from error


def _of_id(
    run: "RunFolder", identity: str, where: str | None, reading: dict[str, Any]
) -> tuple[str, str]:
    """The text with this id and its label's name."""
    from sentilab import workbench

    subjects = workbench.Subjects(lambda source: options.load_data(source, where, **reading))
    dataset = subjects.of(run).dataset
    if identity not in dataset.ids:
        raise SettingsError(
            f'{dataset.name} has no text "{identity}"; its ids are like "{dataset.ids[0]}".'
        )
    row = list(dataset.ids).index(identity)
    return dataset.texts[row], dataset.label_names[dataset.labels[row]]


def _show(console: "Console", why: "Explanation") -> None:
    from sentilab.report import explained

    console.print(printable(explained.answer(why)))
    for text in explained.warnings(why):
        console.print(text, style="yellow")
    if console.color_system and not console.no_color:
        # By the first method alone: the table beneath has the other beside it.
        console.print()
        console.print(_coloured(why, next(iter(why.values))))
    console.print()
    console.print(_table(why))
    for text in explained.notes(why):
        console.print(text, style="dim")


def _coloured(why: "Explanation", method: "Method") -> "Text":
    """A line that says how to read it, and the text, its words coloured by their values."""
    from rich.text import Text

    from sentilab.probe.attributions import TITLES

    shown = Text()
    shown.append(f"{TITLES[method]}: ", "bold")
    for name, sign in zip(why.sides, (-1, 1), strict=True):
        shown.append(f" {printable(name)} ", style=style(sign))
        shown.append(" ")
    shown.append("\n")
    largest = max(map(abs, why.values[method]), default=0.0) or 1.0
    for piece, value in why.pieces(method):
        shown.append(printable(piece), "dim" if value is None else style(value / largest))
    return shown


def style(share: float) -> str:
    """How a word is shown whose value is this share of the largest, between -1 and 1."""
    size, colour = abs(share), ABOVE if share > 0 else BELOW
    if size < FAINT:
        return ""
    if size < PLAIN:
        return colour
    return f"bold {colour}" if size < STRONG else f"bold #ffffff on {colour}"


def printable(text: str) -> str:
    """The same with "�" for characters that could command the terminal or turn its writing about."""
    import unicodedata

    def commands(one: str) -> bool:
        turns = unicodedata.bidirectional(one) in _TURNING
        return turns or (unicodedata.category(one) in ("Cc", "Cs") and one not in "\n\t")

    return "".join("�" if commands(one) else one for one in text)


_TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def _table(why: "Explanation") -> Any:
    """The ten strongest words; where two methods were asked, by the first."""
    import numpy as np
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from sentilab.probe.attributions import TITLES, strongest
    from sentilab.report.explained import signed

    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"strongest words, log odds of {printable(why.sides[1])}",
        title_justify="left",
        pad_edge=False,
    )
    table.add_column("word", overflow="fold")
    for method in why.values:
        table.add_column(TITLES[method], justify="right")
    words = why.words()
    values = [np.asarray(one) for one in why.values.values()]
    for at in strongest(values[0]):
        # Text, since a word may look like rich's markup.
        table.add_row(Text(printable(words[at])), *(signed(float(one[at])) for one in values))
    return table
