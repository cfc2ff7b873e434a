"""What the packaged studies answer, as the tables of docs/answers.md.

.venv/bin/sentilab study homework --protocol both --seeds 10     on two cores an hour and a half
.venv/bin/sentilab study character && .venv/bin/sentilab probe runs/character
.venv/bin/python -m benchmarks.answers runs/homework runs/character

Each table stands between two markers of the page; a study that is not given keeps its own, and so does a
model of `character` that was not trained.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.special import chdtri

from benchmarks import pages
from sentilab.probe import behaviour, calibration, contrast, padding
from sentilab.report.answers import word
from sentilab.report.differences import Compared, judged
from sentilab.report.probed import over_seeds, probed
from sentilab.report.reading import Group, gather, picks
from sentilab.report.sentences import between_points, figure, optimism, p_value, points
from sentilab.studies import StudyResults, read_results

PAGE = pages.page("answers.md")
ASKED = {"notebook": "As the notebook did", "holdout": "Held out"}


def verdicts(results: StudyResults, protocol: str) -> str:
    """Every comparison that the questions ask for, held against the notebook's single runs."""
    groups = gather(results, protocol)
    compared = judged(results.questions, groups)
    columns = ("", "difference (points)", "95% interval", "p", "verdict", "the notebook's")
    rows = [_verdict(one) for one in compared.first_screen]
    caption = (
        f"**{ASKED[protocol]}** ({len(results.seeds)} seeds; differences of test accuracy; p corrected "
        f"for {compared.number} comparisons):"
    )
    return f"{caption}\n\n{pages.table(columns, rows)}"


def _verdict(one: Compared) -> tuple[str, ...]:
    unclear, more = one.verdict.kind == "unclear", one.verdict.more_seeds
    return (
        f"{one.other.title}, against {one.baseline.title[0].lower()}{one.baseline.title[1:]}",
        points(one.found.difference),
        between_points(one.found.interval),
        p_value(one.adjusted_p).removeprefix("p = ").removeprefix("p "),
        word(one) + (f" ({more} more seeds)" if unclear and more else ""),
        _recorded(one),
    )


def _recorded(one: Compared) -> str:
    first, second = (group.first.recorded for group in (one.baseline, one.other))
    if first is None or second is None or first.accuracy is None or second.accuracy is None:
        return ""
    return points(second.accuracy - first.accuracy)


def deviations(results: StudyResults) -> str:
    """Mean accuracy and its standard deviation from seed to seed, of each setting."""
    groups = [gather(results, protocol) for protocol in ("notebook", "holdout")]
    columns = (
        "",
        *("on all training texts", "sd (points)"),
        *("on four fifths of them", "sd (points)"),
        "the notebook's",
    )
    rows = []
    for name, one in groups[0].items():
        if not one.finished:
            continue
        cells = [cell for each in groups for cell in _deviation(each[name])]
        recorded = one.first.recorded
        its = "" if recorded is None or recorded.accuracy is None else figure(recorded.accuracy)
        rows.append((one.title, *cells, its))
    return pages.table(columns, rows)


def _deviation(group: Group) -> tuple[str, str]:
    """The deviation with its own 95% interval, from the chi-square distribution."""
    freedom = len(group.finished) - 1
    deviation = 100 * (group.deviation or 0.0)
    low, high = (deviation * math.sqrt(freedom / chdtri(freedom, p)) for p in (0.025, 0.975))
    return figure(group.accuracy), f"{deviation:.2f} ({low:.2f}–{high:.2f})"


def flattery(results: StudyResults) -> str:
    """What choosing on the test split shows more than there is."""
    before, after = (gather(results, protocol) for protocol in ("notebook", "holdout"))
    both = [(before[name], one) for name, one in after.items() if one.finished]
    return optimism(picks(both), len(both))


def character(results: StudyResults) -> str:
    """What the probes found, a line a model."""
    groups = list(gather(results, "holdout").values())
    columns = (
        *("", "accuracy", "originals", "twins", "both right", "calibration error, scaled"),
        *("temperature", "200 zeros before: changed", "and behind"),
    )
    rows = []
    for of in zip(
        probed(groups, "contrast", contrast.Result),
        probed(groups, "calibration", calibration.Result),
        probed(groups, "padding", padding.Result),
        strict=True,
    ):
        pairs, sure, zeros = (one.results for one in of)
        rows.append(
            (
                of[0].title,
                over_seeds([one.before.accuracy for one in sure], 3),
                over_seeds([one.originals_right.mean() for one in pairs], 3),
                over_seeds([one.twins_right.mean() for one in pairs], 3),
                over_seeds([one.both_right.mean() for one in pairs], 3),
                f"{_mean([one.before.ece for one in sure])}, "
                f"{_mean([one.after.ece for one in sure if one.after])}",
                over_seeds([one.temperature for one in sure if one.temperature], 2),
                *(_changed(zeros, side) for side in ("front", "behind")),
            )
        )
    return pages.table(columns, rows)


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f}"


def _changed(zeros: Sequence[padding.Result], side: str) -> str:
    shares = [one.flips(effect) for one in zeros for effect in one.furthest if effect.side == side]
    return f"{np.mean(shares):.1%}" if shares else "no other length"


def failures(results: StudyResults) -> str:
    """Failure rates of the behavioural suite's checks, the worst first, one column a model."""
    found = probed(list(gather(results, "holdout").values()), "behaviour", behaviour.Result)
    rates = [
        {(check.capability, check.name): [] for check in one.results[0].checks} for one in found
    ]
    for one, of in zip(found, rates, strict=True):
        for result in one.results:
            for check in result.checks:
                of[check.capability, check.name].append(check.rate)
    keys = sorted(rates[0], key=lambda key: -float(np.mean([np.mean(of[key]) for of in rates])))
    rows = [(f"{key[0]}: {key[1]}", *(f"{np.mean(of[key]):.0%}" for of in rates)) for key in keys]
    return pages.table(("", *(one.title for one in found)), rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("studies", type=Path, nargs="+", help="folders of finished studies")
    page = PAGE.read_text(encoding="utf-8")
    for folder in parser.parse_args().studies:
        results = read_results(folder)
        if set(results.protocols) == {"notebook", "holdout"}:
            found = {
                "verdicts": "\n\n".join(verdicts(results, one) for one in ("holdout", "notebook")),
                "deviations": deviations(results),
                "flattery": flattery(results),
            }
        else:
            asked = {"character": character(results), "failures": failures(results)}
            found = {
                name: pages.merged(pages.between(page, name), new) for name, new in asked.items()
            }
        for name, text in found.items():
            page = pages.replaced(page, name, text)
    PAGE.write_text(page, encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
