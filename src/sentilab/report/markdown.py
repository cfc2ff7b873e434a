"""The document as Markdown: the same sentences and tables; plots by their descriptions."""

from collections.abc import Sequence

from sentilab.report.blocks import (
    Block,
    Chart,
    Charts,
    Document,
    Folded,
    Highlighted,
    Paragraph,
    Table,
    Verbatim,
)

_OPENINGS = {"asked": "> ", "notebook": "> The notebook: ", "answer": "**", "warning": "⚠ "}


def render(document: Document) -> str:
    """Markdown (CommonMark with tables)."""
    lines = [f"# {_plain(document.title)}", ""]
    if document.banner:
        lines += [f"**{document.banner}**", ""]
    lines += [_plain(document.subtitle), ""]
    if document.status:
        lines += [f"*{document.status}*", ""]
    lines += [f"- {_plain(one)}" for one in document.highlights]
    for section in document.sections:
        badge = f" ({section.badge})" if section.badge else ""
        lines += ["", f"## {_plain(section.title)}{badge}", "", *_blocks(section.blocks)]
    return "\n".join(lines).rstrip() + "\n"


def _blocks(blocks: Sequence[Block]) -> list[str]:
    return [line for one in blocks for line in [*_block(one), ""]]


def _block(block: Block) -> list[str]:
    match block:
        case Paragraph():
            closing = "**" if block.kind == "answer" else ""
            return [f"{_OPENINGS.get(block.kind, '')}{_plain(block.text)}{closing}"]
        case Table():
            rule = ["---:" if name in block.numeric else "---" for name in block.columns]
            rows = [block.columns, rule, *block.rows]
            cells = ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
            return [f"{_plain(block.caption)}:", "", *cells]
        case Chart():
            return [f"*Plot.* {_plain(block.description)}"]
        case Charts():
            return _blocks(block.charts)
        case Verbatim():
            return [f"    {line}" for line in block.text.splitlines()]
        case Highlighted():
            return [f"{_plain(block.title)}:", "", f"> {_highlighted(block)}"]
        case Folded():
            return [f"### {_plain(block.title)}", "", *_blocks(block.blocks)]


def _highlighted(block: Highlighted) -> str:
    """The text, with the value behind each word of at least half the largest."""
    parts = []
    for text, value in block.words:
        written = _escaped(text)
        if value and abs(value) >= block.largest / 2:
            written = f"**{written}** ({block.said(value)})"
        parts.append(written)
    return " ".join("".join(parts).split())


def _plain(text: str) -> str:
    """Text whose characters Markdown or HTML would read as marks, escaped."""
    return " ".join(_escaped(text).split())


def _escaped(text: str) -> str:
    for mark in "\\`*_[]<>":
        text = text.replace(mark, f"\\{mark}")
    return text


def _cell(text: str) -> str:
    return text if set(text) <= {"-", ":"} and text else _plain(text).replace("|", "\\|")
