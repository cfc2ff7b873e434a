"""The study's outcome as a compact table for a terminal."""

from rich import box
from rich.table import Table

from sentilab.report.document import STATUS
from sentilab.report.reading import Group, gather
from sentilab.report.sentences import duration, figure, points
from sentilab.studies import StudyResults


def compact_table(results: StudyResults) -> Table:
    """One line a setting: accuracy with half its 95% interval, beside the notebook's figure."""
    compared = any(run.recorded and run.recorded.accuracy for run in results.runs)
    over = "test texts" if len(results.seeds) == 1 else "seeds"
    table = Table(
        box=box.SIMPLE_HEAD,
        title=results.title,
        title_justify="left",
        caption=f"± is half a 95% interval, over {over}"
        + ("; differences are in points" if compared else ""),
        caption_justify="left",
        pad_edge=False,
    )
    table.add_column("run")
    beside = ("notebook", "differs") if compared else ()
    for name in ("parameters", "epochs", "time", "accuracy", *beside):
        table.add_column(name, justify="right", no_wrap=True)
    for protocol in results.protocols:
        if len(results.protocols) > 1:
            table.add_section()
            table.add_row(f"[bold]{protocol} protocol[/bold]")
        for group in gather(results, protocol).values():
            table.add_row(group.title, *_cells(group)[: len(table.columns) - 1])
    return table


def _cells(group: Group) -> tuple[str, ...]:
    run = group.first
    size = f"{run.parameters:,}" if run.parameters else ""
    recorded = run.recorded.accuracy if run.recorded else None
    told = "" if recorded is None else figure(recorded)
    if not group.finished:
        return (size, "", "", STATUS[run.status], told, "")
    half = (group.interval.high - group.interval.low) / 2
    return (
        size,
        str(len(run.history)),
        duration(group.seconds),
        f"{figure(group.accuracy)} ± {half:.4f}",
        told,
        "" if recorded is None else points(group.accuracy - recorded),
    )
