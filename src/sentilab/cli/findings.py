"""A checkup as a person reads it on a terminal."""

from collections.abc import Iterator

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from sentilab.checkup import Checkup, Example, Finding, Passage, Severity, Table

STYLES: dict[Severity, str] = {"problem": "bold red", "worth knowing": "yellow", "fine": "green"}
SIGNS: dict[Severity, str] = {"problem": "✗", "worth knowing": "!", "fine": "✓"}
INDENT = 2
MOST_ROWS = 12


def show(checkup: Checkup, console: Console) -> None:
    """Prints the findings, most severe first."""
    counts = ", ".join(
        f"{many:,} {'texts' if part == 'all' else part}" for part, many in checkup.texts.items()
    )
    console.print(f"[bold]Checkup of {checkup.name}[/bold]: {counts}", highlight=False)
    console.print(_tally(checkup))
    is_open = True
    for finding in checkup.findings:
        heading, below = _heading(finding), _below(finding, console)
        if is_open or below:
            console.print()
        console.print(Group(heading, *below))
        is_open = bool(below)


def _tally(checkup: Checkup) -> Text:
    problems = len(checkup.of("problem"))
    pieces = [
        Text(f"{problems} problem{'' if problems == 1 else 's'}", STYLES["problem"]),
        Text(f"{len(checkup.of('worth knowing'))} worth knowing", STYLES["worth knowing"]),
        Text(f"{len(checkup.of('fine'))} fine", STYLES["fine"]),
    ]
    return Text(", ").join(pieces)


def _heading(finding: Finding) -> RenderableType:
    heading = Grid.grid(padding=(0, 1, 0, 0))
    heading.add_row(
        Text(SIGNS[finding.severity], STYLES[finding.severity]),
        Text(finding.sentence, "" if finding.severity == "fine" else "bold"),
    )
    return heading


def _below(finding: Finding, console: Console) -> list[RenderableType]:
    """Figures, examples and advice. What is fine needs no more than its table."""
    below = list(_figures(finding))
    if finding.severity != "fine":
        if below and finding.examples:
            below.append(Text())
        below += [_example(one, console) for one in finding.examples]
        if finding.advice:
            below.append(Text.assemble(("What to do: ", STYLES[finding.severity]), finding.advice))
    return [Padding(one, (0, 0, 0, INDENT), expand=False) for one in below]


def _figures(finding: Finding) -> Iterator[RenderableType]:
    table = finding.table
    if table and (finding.severity != "fine" or any(map(_says_something, table.rows))):
        yield _grid(table)
    if finding.severity != "fine":
        figures = {name: _figure(name, value) for name, value in finding.numbers.items()}
        # What the sentence says need not be said again.
        new = [f"{name}: {one}" for name, one in figures.items() if one not in finding.sentence]
        if new:
            yield Text("; ".join(new), "dim")


def _says_something(row: tuple[str | float, ...]) -> bool:
    return any(not isinstance(cell, str) and cell for cell in row)


def _grid(table: Table) -> RenderableType:
    grid = Grid(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    words = [
        any(isinstance(row[at], str) for row in table.rows) for at in range(len(table.columns))
    ]
    for name, is_word in zip(table.columns, words, strict=True):
        grid.add_column(Text(name), justify="left" if is_word else "right", overflow="fold")
    for row in table.rows[:MOST_ROWS]:
        grid.add_row(
            *(Text(_figure(name, cell)) for name, cell in zip(table.columns, row, strict=True))
        )
    more = len(table.rows) - MOST_ROWS
    return Group(grid, Text(f"and {more:,} more", "dim")) if more > 0 else grid


def _figure(name: str, value: str | float) -> str:
    """A count with separators, a share as a percentage, a p-value as a bound where it is small."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    if name.startswith("share"):
        if 0 < value < 0.0005:
            return "< 0.1%"
        return f"{value:.2%}" if 0 < value < 0.01 else f"{value:.1%}"
    if name == "p":
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    return f"{value:.0f}" if value.is_integer() else f"{value:.1f}" if value > 2 else f"{value:.2f}"


def _example(example: Example, console: Console) -> RenderableType:
    """One text below its place; two side by side."""
    if len(example) == 1:
        passage = _marked(example[0], console)
        return Group(Text(_place(example[0]), "dim"), Padding(passage, (0, 0, 0, INDENT)))
    columns = Grid.grid(padding=(0, 2, 0, 0))
    for _ in example:
        columns.add_column(ratio=1)
    columns.add_row(*(Text(_place(one), "dim") for one in example))
    columns.add_row(*(_marked(one, console) for one in example))
    return Padding(columns, (0, 0, 1, 0), expand=False)


def _place(passage: Passage) -> str:
    said = [passage.id, *passage.also]
    places = " = ".join(one.replace("line/", "line ").replace("row/", "row ") for one in said)
    return f"{places} ({passage.label})" if passage.label else places


def _marked(passage: Passage, console: Console) -> Text:
    """The passage; what is marked in it is in colour, or in brackets where there is none."""
    shown, at = Text(), 0
    for start, end in passage.marks:
        shown.append(passage.text[at:start])
        hit = passage.text[start:end]
        shown.append(hit if console.color_system else f"[{hit}]", "bold yellow")
        at = end
    return shown.append(passage.text[at:])
