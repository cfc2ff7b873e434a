"""The study's outcome as a compact table for a terminal."""

from rich import box
from rich.table import Table

from sentilab.report.document import STATUS
from sentilab.report.reading import Group, gather
from sentilab.report.sentences import duration, figure, points
from sentilab.studies import StudyResults

# Below this width the columns of figures would leave the names no room.
WIDE = 100


def compact_table(results: StudyResults, width: int = WIDE) -> Table:
    """One line a setting: accuracy with half its 95% interval, beside the notebook's figure.

    Parameters and time are left out where ``width``, in columns, is too small for them.
    """
    compared = any(run.recorded and run.recorded.accuracy for run in results.runs)
    over = "test texts" + (" and seeds" if len(results.seeds) > 1 else "")
    table = Table(
        box=box.SIMPLE_HEAD,
        title=results.title,
        title_justify="left",
        caption=f"± is half a 95% interval, over {over}"
        + ("; differences are in points" if compared else ""),
        caption_justify="left",
        pad_edge=False,
    )
    table.add_column("run", overflow="fold")
    names = ("epochs", "accuracy", *(("notebook", "differs") if compared else ()))
    if width >= WIDE:
        names = (*names, "parameters", "time")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for protocol in results.protocols:
        if len(results.protocols) > 1:
            table.add_section()
            table.add_row(f"[bold]{protocol} protocol[/bold]")
        for group in gather(results, protocol).values():
            cells = _cells(group)
            table.add_row(group.title, *(cells[name] for name in names))
    return table


def _cells(group: Group) -> dict[str, str]:
    run = group.first
    recorded = run.recorded.accuracy if run.recorded else None
    cells = {
        "parameters": f"{run.parameters:,}" if run.parameters else "",
        "notebook": "" if recorded is None else figure(recorded),
    }
    if not group.finished:
        return {**cells, "epochs": "", "accuracy": STATUS[run.status], "differs": "", "time": ""}
    half = (group.interval.high - group.interval.low) / 2
    return {
        **cells,
        "epochs": str(len(run.history)),
        "accuracy": f"{figure(group.accuracy)} ± {half:.4f}",
        "differs": "" if recorded is None else points(group.accuracy - recorded),
        "time": duration(group.seconds),
    }
