"""Results -> one page that opens offline, the same as Markdown, and a table for the terminal."""

from pathlib import Path

from sentilab import atomic
from sentilab.report import markdown, page
from sentilab.report.document import document
from sentilab.report.terminal import compact_table
from sentilab.studies import StudyResults

__all__ = ["compact_table", "taken", "write"]


def taken(results: StudyResults) -> list[str]:
    """What a study that asks for it says of the model to take, in a few sentences."""
    if not any(one.kind == "frontier" for one in results.questions):
        return []
    return list(document(results).highlights[:1])


def write(results: StudyResults, folder: Path) -> tuple[Path, Path]:
    """Writes report.html and report.md into ``folder``; returns their paths.

    Works for a study under way too: what has not finished is shown as such.
    """
    whole = document(results)
    html, text = folder / "report.html", folder / "report.md"
    atomic.write_text(html, page.render(whole))
    atomic.write_text(text, markdown.render(whole))
    return html, text
