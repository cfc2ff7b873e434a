"""The table and the plot of a measurement, from its JSON alone.

.venv/bin/python -m benchmarks.render                       beside benchmarks/results/lstm.json
.venv/bin/python -m benchmarks.render --into acceptance --picture docs/pictures/speed.svg
.venv/bin/python -m benchmarks.render benchmarks/results/grid.json --into grid
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from benchmarks import pages
from benchmarks.cases import QUANTITIES
from benchmarks.contenders import BASELINE, TITLES
from benchmarks.driver import ROOT

Results = dict[str, Any]

# More than this many cores busy with something else, and a figure is marked.
DISTURBED = 0.1

HEADINGS = {
    "step": "A training step (ms)",
    "predict": "`predict`, a batch (ms)",
    "epoch": "A training epoch of the IMDB reviews (s)",
}

# The report's colours (page.css) by light and by dark; both reach 4.5:1 on their page.
LIGHT = {
    "page": "#fdfdfb",
    "text": "#1d2327",
    "soft": "#5c666e",
    "line": "#dfe3e6",
    "sentilab": "#1f6f8b",
    "keras-jax": "#5d676f",
    "keras-tensorflow": "#d1662b",
    "torch": "#6b5fa8",
}
DARK = {
    "page": "#14181b",
    "text": "#e4e8ea",
    "soft": "#9ba7af",
    "line": "#333c42",
    "sentilab": "#6cc0da",
    "keras-jax": "#aab4bb",
    "keras-tensorflow": "#f0945d",
    "torch": "#b3a6f0",
}
SHAPES = {
    "sentilab": "circle",
    "keras-jax": "square",
    "keras-tensorflow": "triangle-up",
    "torch": "diamond",
}


def markdown(results: Results) -> str:
    """The environment, a table of all cases for each quantity, and what is to be known of them.

    A contender's cell holds its median and, in brackets, how many times as fast it is as Keras on
    JAX. The floor is the time that the case's arithmetic takes at the FMA peak; in brackets, where
    each distinct token of a batch is projected once.
    """
    names = [name for name in TITLES if name in results["contenders"]]
    columns = ["model", "batch", *(TITLES[name] for name in names), "floor (distinct tokens)"]
    lines = [opening(results), ""]
    for quantity, heading in HEADINGS.items():
        measured = [one for one in results["cases"] if one["quantities"].get(quantity)]
        if not measured:
            continue
        lines += [
            f"**{heading}**",
            "",
            f"| {' | '.join(columns)} |",
            "| --- |" + " ---: |" * (len(columns) - 1),
            *(row(one, quantity, names) for one in sorted(measured, key=order)),
            "",
        ]
    return "\n".join(lines + closing(results)) + "\n"


def order(case: Results) -> tuple[Any, ...]:
    """LSTMs of two layers first, the MLP last; small before large."""
    return -case["layers"], case["length"], case["units"], case["batch"]


def row(case: Results, quantity: str, names: list[str]) -> str:
    """One case as a row of the table."""
    model = case["title"].rpartition(", batch")[0]
    taken = case["quantities"][quantity]
    scale = 1.0 if quantity == "epoch" else 1e3
    cells = [model, str(case["batch"])]
    for name in names:
        if name not in taken:
            cells.append("failed" if name in case["failed"] else "-")
            continue
        text = number(scale * taken[name]["median"])
        times = faster(taken, name)
        if times is not None and name != BASELINE:
            text += f" ({times:.{0 if times >= 10 else 1 if times >= 1 else 2}f}×)"
        cells.append(text + ("†" if taken[name]["others_cores"] > DISTURBED else ""))
    floor = case["floors"]["ms"].get(quantity, {})
    text = number(floor["fma"]) if "fma" in floor else "-"
    if "fma_distinct" in floor:
        text += f" ({number(floor['fma_distinct'])})"
    return "| " + " | ".join([*cells, text]) + " |"


def faster(taken: Results, name: str) -> float | None:
    """How many times as fast as Keras on JAX; None where that was not measured."""
    if BASELINE not in taken or name not in taken:
        return None
    return float(taken[BASELINE]["median"] / taken[name]["median"])


def number(value: float) -> str:
    """Three digits, as many as five turns earn: 0.123, 1.23, 12.3, 123, 1,234."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def opening(results: Results) -> str:
    """What was measured on what, with which versions."""
    known, floors = results["environment"], results["floors"]
    packages: dict[str, str] = {}
    for one in results["contenders"].values():
        packages |= one["versions"]
    packages.pop("jaxlib", None)
    said = ", ".join(f"{name} {version}" for name, version in packages.items())
    peak = (
        "FMA peak" if floors["fma_measured"] else "best sgemm (no C++ compiler: taken for the peak)"
    )
    return (
        f"Measured {results['date']} on {known['cpu']}, {known['cores']} cores "
        f"({known['threads']} threads each), {known['system']}, Python {known['python']}, {said}. "
        f"The machine: {peak} {floors['fma_flops'] / 1e9:.0f} GFLOP/s, sgemm of 2048 by 2048 "
        f"{floors['sgemm_flops'] / 1e9:.0f} GFLOP/s ({known.get('blas', 'BLAS')}), memory "
        f"{floors['bandwidth'] / 1e9:.0f} GB/s on one thread; medians over all cases."
    )


def closing(results: Results) -> list[str]:
    """Notes below the table: absent contenders, failures, cases left out, disturbances."""
    notes = [f"- {TITLES[name]} is absent: {why}." for name, why in results["absent"].items()]
    for one in results["cases"]:
        notes += [
            f"- {one['title']}: {TITLES[k]} failed: {why}" for k, why in one["failed"].items()
        ]
    mlps = [one for one in results["cases"] if not one["layers"]]
    if mlps:
        adam = number(mlps[0]["floors"]["ms"]["step"]["adam"])
        notes.append(
            f"- The MLP's step is bound by memory: a dense Adam's pass over its "
            f"{mlps[0]['parameters']:,} parameters takes {adam} ms at the bandwidth of one thread."
        )
    paths = {one["lstm_path"].get("sentilab") for one in results["cases"] if one["layers"]}
    notes += [f"- Sentilab's LSTM: {path}." for path in sorted(filter(None, paths))]
    if "†" in "".join(
        row(one, each, list(TITLES)) for one in results["cases"] for each in one["quantities"]
    ):
        notes.append("- † More than a tenth of a core was busy with something else meanwhile.")
    if results["left_out"]:
        left = "; ".join(f"{one['title']} ({one['reason']})" for one in results["left_out"])
        notes.append(f"- Left out for lack of time: {left}.")
    return notes


def plot(results: Results) -> dict[str, Any]:
    """A Vega-Lite specification: speed against Keras on JAX by case, one panel a quantity."""
    import altair as alt

    names = [name for name in TITLES if name in results["contenders"]]
    titles = [TITLES[name] for name in names]
    colors = alt.Scale(domain=titles, range=[LIGHT[name] for name in names])
    shapes = alt.Scale(domain=titles, range=[SHAPES[name] for name in names])
    legend = alt.Legend(orient="top", offset=12, symbolSize=90, labelLimit=400)
    panels = []
    for quantity in QUANTITIES:
        rows = [
            {"case": one["title"], "contender": TITLES[name], "times": faster(taken, name)}
            for one in sorted(results["cases"], key=order)
            for taken in [one["quantities"].get(quantity, {})]
            # The later ones are drawn over the earlier: the one that is always at 1 comes first.
            for name in sorted(names, key=BASELINE.__ne__)
            if faster(taken, name) is not None
        ]
        if not rows:
            continue
        base = alt.Chart(alt.InlineData(values=rows))
        y = alt.Y(
            "case:N", sort=None, title=None, axis=alt.Axis(labelLimit=400, grid=True, ticks=False)
        )
        points = base.mark_point(filled=True, size=90, opacity=1).encode(
            x=alt.X(
                "times:Q",
                scale=alt.Scale(type="log", domain=limits(results), nice=False),
                axis=alt.Axis(values=ticks(results), format="~g"),
                title="times as fast as Keras on JAX",
            ),
            y=y,
            color=alt.Color("contender:N", scale=colors, title=None, legend=legend),
            shape=alt.Shape("contender:N", scale=shapes, title=None, legend=legend),
        )
        height = 24 * len({one["case"] for one in rows})
        title = alt.TitleParams(QUANTITIES[quantity], anchor="start")
        panels.append(points.properties(width=440, height=height, title=title))
    if not panels:
        raise SystemExit("Nothing was measured beside Keras on JAX: there is no ratio to plot.")
    spec: dict[str, Any] = alt.vconcat(*panels, spacing=24).to_dict()
    spec["config"] = look()
    return spec


def limits(results: Results) -> list[float]:
    """The x axis: all ratios, and 1, with some room."""
    found = [
        times
        for one in results["cases"]
        for taken in one["quantities"].values()
        for name in taken
        if (times := faster(taken, name)) is not None
    ]
    return [min([1.0, *found]) / 1.25, max([1.0, *found]) * 1.25]


def ticks(results: Results) -> list[float]:
    """Round numbers within the axis."""
    low, high = limits(results)
    round_ones = (0.02, 0.05, 0.1, 0.2, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10, 20, 50)
    return [one for one in round_ones if low <= one <= high]


def look() -> dict[str, Any]:
    """Vega's configuration in the colours of the light page."""
    axis = {
        "labelColor": LIGHT["soft"],
        "titleColor": LIGHT["soft"],
        "gridColor": LIGHT["line"],
        "domainColor": LIGHT["line"],
        "tickColor": LIGHT["line"],
        "labelFontSize": 12,
        "labelPadding": 6,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    }
    return {
        "background": LIGHT["page"],
        "padding": 16,
        "font": "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif",
        "axis": axis,
        "legend": {"labelColor": LIGHT["text"], "labelFontSize": 13},
        "title": {"color": LIGHT["text"], "fontSize": 14},
        "view": {"stroke": LIGHT["line"]},
    }


def svg(spec: dict[str, Any]) -> str:
    """The plot as SVG that turns dark, page and all, where the reader's system is."""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(spec)
    rules = "".join(
        f'[{part}="{LIGHT[name]}"]{{{part}:{DARK[name]}}}'
        for name in LIGHT
        for part in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"
    return re.sub(r"(<svg[^>]*>)", lambda found: found[1] + style, drawn, count=1)


def darkened(drawn: str) -> str:
    """The SVG as it looks in the dark, for those who cannot ask for it."""
    for name, color in LIGHT.items():
        drawn = drawn.replace(f'="{color}"', f'="{DARK[name]}"')
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    results = ROOT / "benchmarks" / "results"
    parser.add_argument("results", type=Path, nargs="?", default=results / "lstm.json")
    parser.add_argument("--markdown", type=Path, help="default: beside the results")
    parser.add_argument("--picture", type=Path, help="an .svg or a .png; default: beside them, SVG")
    parser.add_argument(
        "--into", help="write the table into docs/speed.md, in the place of this name"
    )
    parser.add_argument("--dark", action="store_true", help="a picture for dark pages only")
    options = parser.parse_args()
    measured: Results = json.loads(options.results.read_text())
    if options.into:
        page = pages.page("speed.md")
        text = pages.replaced(
            page.read_text(encoding="utf-8"), options.into, markdown(measured).strip()
        )
        page.write_text(text, encoding="utf-8")
        print(page)
    else:
        table = options.markdown or options.results.with_suffix(".md")
        table.write_text(markdown(measured), encoding="utf-8")
        print(table)
    if options.into and not options.picture:
        return
    picture = options.picture or options.results.with_suffix(".svg")
    drawn = svg(plot(measured))
    if options.dark:
        drawn = darkened(drawn)
    if picture.suffix == ".png":
        import vl_convert

        picture.write_bytes(vl_convert.svg_to_png(drawn, scale=2))
    else:
        picture.write_text(drawn, encoding="utf-8")
    print(picture)


if __name__ == "__main__":
    main()
