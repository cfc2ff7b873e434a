"""What accuracy costs and which options pay, as the tables of docs/accuracy.md.

.venv/bin/sentilab study accuracy
.venv/bin/sentilab study unlabelled
.venv/bin/sentilab study options
.venv/bin/sentilab crossvalidate --data rotten-tomatoes.csv --seeds 5 ...
.venv/bin/python -m benchmarks.accuracy runs/accuracy runs/unlabelled runs/options runs/rotten-tomatoes-...

Each table stands between two markers of the page; what is not given keeps its own.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks import pages
from sentilab.report.answers import word
from sentilab.report.differences import Compared, judged
from sentilab.report.frontier import COSTS
from sentilab.report.reading import Group, gather
from sentilab.report.sentences import between_points, duration, points
from sentilab.studies import StudyResults, read_results

PAGE = pages.page("accuracy.md")


def percent(value: float) -> str:
    return f"{100 * value:.2f}"


def interval(low: float, high: float) -> str:
    return f"{percent(low)} to {percent(high)}"


def costs(results: StudyResults) -> str:
    """A line a model: accuracy on the test texts, and what it costs."""
    groups = [one for one in gather(results, "holdout").values() if one.finished]
    columns = (
        "",
        "accuracy (%)",
        "95% interval",
        "sd (points)",
        "trained in",
        "1,000 texts",
        "size",
    )
    return pages.table(columns, [_costs(one) for one in groups])


def _costs(group: Group) -> tuple[str, ...]:
    told = [(one.of(group), one.told) for one in COSTS]
    return (
        group.title,
        percent(group.accuracy),
        interval(group.interval.low, group.interval.high),
        "" if group.deviation is None else percent(group.deviation),
        *("" if value is None else say(value) for value, say in told),
    )


def options(results: StudyResults) -> str:
    """A line an option: what it changes on the validation texts, and what it costs."""
    groups = gather(results, "validation")
    compared = judged(results.questions, groups)
    columns = ("", "difference (points)", "95% interval", "p", "verdict", "training time")
    return pages.table(columns, [_option(one) for one in compared.first_screen])


def _option(one: Compared) -> tuple[str, ...]:
    return (
        one.other.title,
        points(one.found.difference),
        between_points(one.found.interval),
        f"{one.adjusted_p:.2g}",
        word(one),
        f"{one.other.seconds / one.baseline.seconds:.2f} times",
    )


def folds(facts: dict[str, Any]) -> str:
    """A line a model: accuracy over all folds."""
    columns = ("", "accuracy (%)", "95% interval", "all training")
    return pages.table(
        columns,
        [
            (
                one["title"],
                percent(one["accuracy"]),
                interval(*one["interval"]),
                duration(one["seconds"]),
            )
            for one in facts["settings"]
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+", help="of finished studies, or of folds")
    page = PAGE.read_text(encoding="utf-8")
    for folder in parser.parse_args().folders:
        validated = folder / "crossvalidation.json"
        if validated.exists():
            name, text = "folds", folds(json.loads(validated.read_text(encoding="utf-8")))
        else:
            results = read_results(folder)
            name = results.name
            text = options(results) if name == "options" else costs(results)
        page = pages.replaced(page, name, text)
    PAGE.write_text(page, encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
