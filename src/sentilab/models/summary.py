"""A model explained before it is trained: Keras's table, then the same worked out."""

import textwrap
from collections.abc import Mapping
from typing import Any

from sentilab.models.anatomy import anatomy
from sentilab.models.registry import Task, build

# Keras draws its table with a terminal's 80 columns in mind and cuts wider ones.
KERAS_WIDTH = 80


def summary(
    name: str,
    task: Task | None = None,
    settings: Mapping[str, Any] | None = None,
    *,
    width: int = 100,
) -> str:
    """Keras's summary of the model ``name``, then parameters and shapes with the numbers put in.

    ``task`` is by default the notebook's: 20,000 words, 200 tokens, two labels. The text fits
    ``width`` columns.
    """
    task = task or Task(20_000, 200, 2)
    model = build(name, task, settings)
    lines: list[str] = []
    model.summary(
        line_length=min(width, KERAS_WIDTH), print_fn=lambda line, **_: lines.append(line)
    )
    parts = anatomy(model, task)
    lines = "\n".join(lines).rstrip().split("\n")
    lines += ["", f"The same, worked out for texts of {task.length} tokens:"]
    column = max(len(f"{one.name} ({one.kind})") for one in parts.layers) + 2
    for one in parts.layers:
        lines += ["", f"{f'{one.name} ({one.kind})':{column}}{one.shape}"]
        lines += _indented(one.explanation, width)
        if one.parameters or "=" in one.arithmetic:
            lines += _indented(one.arithmetic, width)
    counts = " + ".join(f"{one.parameters:,}" for one in parts.layers if one.parameters)
    lines += ["", *textwrap.wrap(f"{counts} = {parts.parameters:,} parameters", width)]
    if parts.refusal:
        lines.append("")
        for line in parts.refusal.splitlines():
            hanging = " " * (len(line) - len(line.lstrip(" -")))
            lines += textwrap.wrap(line, width, subsequent_indent=hanging)
    return "\n".join(lines).strip("\n") + "\n"


def _indented(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")
