"""How often Sentilab's intervals hold and its tests err, in simulations whose truth is known.

.venv/bin/python -m benchmarks.coverage                     all tables, into docs/statistics.md
.venv/bin/python -m benchmarks.coverage --only power --only splits  these tables, in their places
.venv/bin/python -m benchmarks.coverage --simulations 200 --print   a quick look

Answers come from a latent two-way model: how clearly run s of setting k is right on text i is

    mean[k] + shared[i] + text[k, i] + seed[k, s] + rest[k, s, i]

of total variance 1 apart from the seed, and a seed also leans towards one label. With a mean of
1.1, accuracy is 86.4%, as of the notebook's models. What accuracy, log loss, F1 and AUC are over all
texts and seeds then follows exactly, by quadrature at most.
"""

import argparse
import concurrent.futures
import math
import os
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr, ndtri

from benchmarks import pages
from sentilab.compare import (
    METRICS,
    SequentialRule,
    accuracy_interval,
    difference_of,
    holm,
    mcnemar_exact,
    mean_interval,
    paired_difference,
    seeds_to_detect,
    verdict,
    winning,
)
from sentilab.compare.sequential import FIRST_LOOK
from sentilab.training import Predictions

PAGE = pages.page("statistics.md")
SEEDS = (3, 5, 10, 30)
SIMULATIONS = 4_000

Random = np.random.Generator
Floats = NDArray[np.float64]

SHARPNESS = 2.5  # log odds for one unit of the latent scale
SHARED, TEXT, REST = 0.75, 0.05, 0.20  # variances
MEAN = 1.1


@dataclass(frozen=True)
class World:
    """Two settings; ``deviation`` is that of a setting's accuracy from seed to seed.

    ``gap`` is how much more accurate the second is. All in shares, not points.
    """

    deviation: float
    gap: float = 0.0
    texts: int = 1000

    @property
    def seed(self) -> float:
        """Standard deviation of the seed's effect on the latent scale."""
        return self.deviation / (math.exp(-(MEAN**2) / 2) / math.sqrt(2 * math.pi))

    @property
    def lean(self) -> float:
        """Standard deviation of the seed's lean towards the second label."""
        return 2 * self.seed

    @property
    def means(self) -> tuple[float, float]:
        spread = math.sqrt(1 + self.seed**2 + self.lean**2)
        first = float(ndtr(MEAN / spread))
        return MEAN, spread * float(ndtri(first + self.gap))

    def truth(self, metric: str) -> float:
        """The expected difference over all seeds and texts."""
        first, second = (self._expected(metric, mean) for mean in self.means)
        return second - first

    def _expected(self, metric: str, mean: float) -> float:
        spread = math.sqrt(1 + self.seed**2 + self.lean**2)
        nodes, weights = np.polynomial.hermite_e.hermegauss(60)
        weights = weights / weights.sum()
        if metric == "accuracy":
            return float(ndtr(mean / spread))
        if metric == "auc":
            return float(ndtr(2 * mean / math.sqrt(2 + 4 * self.seed**2)))
        if metric == "log_loss":
            return float(np.logaddexp(0, -SHARPNESS * (mean + spread * nodes)) @ weights)
        effect, lean = mean + self.seed * nodes[:, None], self.lean * nodes
        found, false = ndtr(effect + lean), ndtr(lean - effect)
        return float(weights @ (2 * found / (1 + found + false)) @ weights)

    def runs(self, random: Random, seeds: int) -> tuple[list[Predictions], list[Predictions]]:
        """``seeds`` pairs of runs, all on the same new texts."""
        first, second = self.settings(random, seeds, self.means)
        return first, second

    def settings(
        self, random: Random, seeds: int, means: Iterable[float]
    ) -> list[list[Predictions]]:
        """``seeds`` runs of each of as many settings as there are means."""
        labels = random.integers(0, 2, self.texts)
        ids = np.arange(self.texts)
        sign = (2 * labels - 1).astype(np.float32)
        shared = self._normal(random, SHARED)

        def run(clear: NDArray[np.float32]) -> Predictions:
            effect, lean = random.normal(0, self.seed), random.normal(0, self.lean)
            right = clear + self._normal(random, REST) + np.float32(effect)
            second = expit(np.float32(SHARPNESS) * (sign * right + np.float32(lean)))
            return Predictions(ids, labels, np.stack([1 - second, second], axis=1))

        made = []
        for mean in means:
            clear = np.float32(mean) + shared + self._normal(random, TEXT)
            made.append([run(clear) for _ in range(seeds)])
        return made

    def _normal(self, random: Random, variance: float) -> NDArray[np.float32]:
        return np.float32(math.sqrt(variance)) * random.standard_normal(self.texts, np.float32)


Tally = dict[str, float]


def two_way(world: World, seeds: int, simulations: int, random: Random) -> Tally:
    """Shares of intervals that hold the truth, of p-values up to 0.05, and of wins' intervals."""
    truth = {metric: world.truth(metric) for metric in METRICS}
    tally = dict.fromkeys([*METRICS, *(f"{one} alarms" for one in METRICS), "share"], 0.0)
    for _ in range(simulations):
        first, second = world.runs(random, seeds)
        for metric in METRICS:
            found = difference_of(first, second, metric)
            tally[metric] += found.interval.low <= truth[metric] <= found.interval.high
            tally[f"{metric} alarms"] += found.p_value <= 0.05
            tally["share"] += (found.seed_share or 0.0) / len(METRICS)
    return _shares(tally, simulations)


def winning_seeds(seeds: int, simulations: int, random: Random) -> Tally:
    """The interval of the chance of winning, where the difference is half its own deviation."""
    truth, held = float(ndtr(0.5)), 0
    for _ in range(simulations):
        _, interval = winning(random.normal(0.5, 1, seeds))
        assert interval is not None
        held += interval.low <= truth <= interval.high
    return {"wins": held / simulations}


def one_run(texts: int, simulations: int, random: Random) -> Tally:
    """Intervals and tests over test texts alone: seeds have no effect here, and all is planted."""
    same, apart = World(0, 0, texts), World(0, 0.01, texts)
    accuracy = float(ndtr(MEAN))
    truth = {metric: apart.truth(metric) for metric in METRICS}
    tally = dict.fromkeys(["wilson", "newcombe", "mcnemar", *METRICS], 0.0)
    for _ in range(simulations):
        first, second = apart.runs(random, 1)
        low, high = accuracy_interval(int(first[0].correct.sum()), texts)
        tally["wilson"] += low <= accuracy <= high
        low, high = paired_difference(second[0].correct, first[0].correct).interval
        tally["newcombe"] += low <= 0.01 <= high
        for metric in METRICS[1:]:
            low, high = difference_of(first, second, metric).interval
            tally[metric] += low <= truth[metric] <= high
        first, second = same.runs(random, 1)
        tally["mcnemar"] += mcnemar_exact(first[0].correct, second[0].correct) <= 0.05
    return _shares(tally, simulations)


def family(settings: int, seeds: int, simulations: int, random: Random) -> Tally:
    """Any false alarm among settings that all equal the baseline, with Holm and without."""
    world = World(0.006, texts=1000)
    tally = dict.fromkeys(["holm", "uncorrected"], 0.0)
    for _ in range(simulations):
        baseline, *others = world.settings(random, seeds, [MEAN] * (settings + 1))
        found = [difference_of(baseline, one).p_value for one in others]
        tally["holm"] += min(holm(found)) <= 0.05
        tally["uncorrected"] += min(found) <= 0.05
    return _shares(tally, simulations)


def sequential(world: World, max_seeds: int, simulations: int, random: Random) -> Tally:
    """How ``SequentialRule`` ends: each kind of verdict, and the seeds it took on average."""
    rule = SequentialRule(max_seeds)
    tally = dict.fromkeys(["better", "worse", "same", "open", "seeds"], 0.0)
    for _ in range(simulations):
        first, second = world.runs(random, max_seeds)
        kind = "open"
        for seeds in range(FIRST_LOOK, max_seeds + 1):
            found = rule.resolved(rule.difference(first[:seeds], second[:seeds]))
            if found is not None:
                kind = found.kind
                break
        tally[kind] += 1
        tally["seeds"] += seeds
    return _shares(tally, simulations)


def planned(world: World, simulations: int, random: Random) -> Tally:
    """Is a difference of one point found in 80% of cases with the seeds that were asked for?

    "known": the seeds asked for where the variances are known well (200 seeds); "pilot": where five
    seeds were unclear and as many were added as the verdict asked for (up to 100).
    """
    known = seeds_to_detect(difference_of(*world.runs(random, 200)), 0.01)
    assert known is not None
    tally = dict.fromkeys(["known", "pilot", "pilots", "asked"], 0.0)
    for _ in range(simulations):
        found = difference_of(*world.runs(random, known))
        tally["known"] += found.p_value <= 0.05
        first, second = world.runs(random, 105)
        more = verdict(difference_of(first[:5], second[:5])).more_seeds
        if more is not None and more <= 100:
            total = 5 + more
            tally["pilots"] += 1
            tally["asked"] += more
            tally["pilot"] += difference_of(first[:total], second[:total]).p_value <= 0.05
    pilots = max(tally["pilots"], 1.0)
    return {
        "seeds": known,
        "known": tally["known"] / simulations,
        "pilot": tally["pilot"] / pilots,
        "asked": tally["asked"] / pilots,
        "pilots": tally["pilots"],
    }


def splits(count: int, simulations: int, random: Random) -> Tally:
    """Two learners on ``count`` random splits of 500 texts, against their expected difference.

    Texts are points in ten dimensions, two classes at +-0.25 along each; the learners classify by
    the nearer mean of the training points, one of them in the first five dimensions alone.
    """
    texts, tested, width = 500, 100, 10
    centre = np.full(width, 0.25)

    def draw(number: int) -> tuple[Floats, NDArray[np.int64]]:
        labels = random.integers(0, 2, number)
        return random.standard_normal((number, width)) + np.outer(2 * labels - 1, centre), labels

    def learn(x: Floats, labels: NDArray[np.int64], used: int) -> tuple[Floats, float]:
        high, low = x[labels == 1, :used].mean(axis=0), x[labels == 0, :used].mean(axis=0)
        return high - low, float((high - low) @ (high + low)) / 2

    def expected(used: int) -> float:
        weights, threshold = learn(*draw(texts - tested), used)
        along, size = float(weights @ centre[:used]), float(np.linalg.norm(weights))
        return float(ndtr((along - threshold) / size) + ndtr((along + threshold) / size)) / 2

    truth = float(np.mean([expected(width) - expected(width // 2) for _ in range(10_000)]))
    tally = dict.fromkeys(["corrected", "naive"], 0.0)
    for _ in range(simulations):
        x, labels = draw(texts)
        runs: tuple[list[Predictions], list[Predictions]] = ([], [])
        for _ in range(count):
            order = random.permutation(texts)
            train, test = order[tested:], np.sort(order[:tested])
            for used, into in zip((width // 2, width), runs, strict=True):
                weights, threshold = learn(x[train], labels[train], used)
                answers = (x[test, :used] @ weights > threshold).astype(np.float32)
                both = np.stack([1 - answers, answers], axis=1)
                into.append(Predictions(test, labels[test], both))
        low, high = difference_of(*runs, training_texts=texts - tested).interval
        tally["corrected"] += low <= truth <= high
        means = [b.correct.mean() - a.correct.mean() for a, b in zip(*runs, strict=True)]
        low, high = mean_interval(means)[2]
        tally["naive"] += low <= truth <= high
    return _shares(tally, simulations)


def _shares(tally: Tally, simulations: int) -> Tally:
    return {name: value / simulations for name, value in tally.items()}


@dataclass(frozen=True)
class Cell:
    """One line of a table: what is simulated, and how often."""

    table: str
    title: tuple[str, ...]
    simulate: Callable[..., Tally]
    arguments: tuple[object, ...]
    simulations: int


def cells(simulations: int) -> list[Cell]:
    """All there is to simulate; the dear ones less often than the cheap."""
    found = []
    for table, gap in (("coverage", 0.01), ("alarms", 0.0)):
        for deviation in (0.0, 0.006, 0.02):
            for seeds in SEEDS:
                title = (f"{100 * deviation:.1f}", str(seeds))
                world = World(deviation, gap)
                found.append(Cell(table, title, two_way, (world, seeds), simulations))
    for texts, seeds in ((1000, 2), (25_000, 3), (25_000, 10)):
        often = simulations if texts == 1000 else simulations // 8
        world = World(0.006, 0.01, texts)
        found.append(Cell("others", (f"{texts:,}", str(seeds)), two_way, (world, seeds), often))
    found += [
        Cell("wins", (str(seeds),), winning_seeds, (seeds,), simulations) for seeds in (2, *SEEDS)
    ]
    for texts in (200, 1000, 25_000):
        often = simulations if texts <= 1000 else simulations // 2
        found.append(Cell("texts", (f"{texts:,}",), one_run, (texts,), often))
    for seeds in SEEDS:
        often = simulations // 4 if seeds <= 10 else simulations // 8
        found.append(Cell("family", ("10", str(seeds)), family, (10, seeds), often))
    for deviation in (0.002, 0.006):
        for gap in (0.0, 0.01, 0.02):
            title = (f"{100 * deviation:.1f}", f"{100 * gap:.0f}")
            world = World(deviation, gap, 5000)
            found.append(Cell("sequential", title, sequential, (world, 10), simulations // 4))
    for deviation in (0.004, 0.006, 0.008):
        world = World(deviation, 0.01, 5000)
        title = (f"{100 * deviation:.1f}",)
        found.append(Cell("power", title, planned, (world,), simulations // 10))
    found += [Cell("splits", (str(count),), splits, (count,), simulations // 4) for count in SEEDS]
    return found


def done(cell: Cell, number: int) -> Tally:
    """Simulates one cell; its random numbers depend on its place in the list alone."""
    return cell.simulate(*cell.arguments, cell.simulations, np.random.default_rng([297, number]))


HEADINGS = {
    "coverage": (
        "A difference of 1 point: intervals over seeds and texts that hold it (%)",
        ("sd over seeds (points)", "seeds", "seeds' share of variance"),
        METRICS,
    ),
    "alarms": (
        "No difference: p-values up to 0.05 (%)",
        ("sd over seeds (points)", "seeds", "seeds' share of variance"),
        tuple(f"{one} alarms" for one in METRICS),
    ),
    "others": (
        "Two seeds, and as many texts as IMDB has: intervals that hold (%)",
        ("texts", "seeds", "seeds' share of variance"),
        METRICS,
    ),
    "wins": ("The chance of winning: intervals that hold (%)", ("seeds",), ("wins",)),
    "texts": (
        "One run each: intervals over texts that hold, and false alarms of McNemar's test (%)",
        ("texts",),
        ("wilson", "newcombe", "log_loss", "f1", "auc", "mcnemar"),
    ),
    "family": (
        "Ten comparisons without a difference: any false alarm (%)",
        ("comparisons", "seeds"),
        ("holm", "uncorrected"),
    ),
    "sequential": (
        "Looking after each of 3 to 10 seeds: how it ends (%)",
        ("sd over seeds (points)", "true difference (points)"),
        ("better", "worse", "same", "open", "mean seeds"),
    ),
    "power": (
        "A difference of 1 point, with as many seeds as were asked for: found (%)",
        ("sd over seeds (points)",),
        ("seeds", "known", "mean added", "pilot"),
    ),
    "splits": (
        "Random splits of 500 texts: intervals that hold (%)",
        ("splits",),
        ("corrected", "naive"),
    ),
}
NAMES = {
    "log_loss": "log loss",
    "f1": "F1",
    "auc": "AUC",
    "wilson": "Wilson",
    "newcombe": "Newcombe",
    "mcnemar": "McNemar, false alarms",
    "wins": "interval",
    "holm": "Holm",
    "open": "unresolved",
    "known": "variances known",
    "pilot": "after five seeds",
}
COUNTS = {"seeds": "{:.0f}", "mean seeds": "{:.1f}", "mean added": "{:.1f}"}


def tables(found: list[tuple[Cell, Tally]]) -> dict[str, str]:
    """Each table as Markdown, by its heading; a share carries its simulation's standard error."""
    made = {}
    for key, (heading, titles, columns) in HEADINGS.items():
        rows = [(cell, tally) for cell, tally in found if cell.table == key]
        if not rows:
            continue
        names = [
            NAMES.get(one.removesuffix(" alarms"), one.removesuffix(" alarms")) for one in columns
        ]
        head = [*titles, *names, "± (standard error)"]
        lines = [f"| {' | '.join(head)} |", "|" + " ---: |" * len(head)]
        for cell, tally in rows:
            title = [*cell.title]
            if len(title) < len(titles):
                title.append(f"{100 * tally['share']:.0f}%")
            cells_ = [_written(tally, one) for one in columns]
            shares = [tally[one] for one in columns if one in tally and one not in COUNTS]
            often = tally.get("pilots", cell.simulations)
            largest = max(math.sqrt(one * (1 - one) / max(often, 1)) for one in shares)
            lines.append(f"| {' | '.join([*title, *cells_, f'{100 * largest:.1f}'])} |")
        made[heading] = "\n".join(lines)
    return made


def _written(tally: Tally, column: str) -> str:
    if column in COUNTS:
        key = {"mean seeds": "seeds", "mean added": "asked"}.get(column, column)
        return COUNTS[column].format(tally[key])
    return f"{100 * tally[column]:.1f}"


def written_into(page: str, new: dict[str, str], opening: str) -> str:
    """``page`` with the ``new`` tables in their places; those that it has besides stay."""
    middle = pages.between(page, "simulated")
    parts = re.split(r"^\*\*(.+)\*\*$", middle, flags=re.MULTILINE)
    known = dict(zip(parts[1::2], (one.strip() for one in parts[2::2]), strict=True)) | new
    ordered = [
        f"**{heading}**\n\n{known[heading]}"
        for heading, _, _ in HEADINGS.values()
        if heading in known
    ]
    return pages.replaced(page, "simulated", "\n\n".join([opening, *ordered]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--simulations", type=int, default=SIMULATIONS)
    parser.add_argument("--only", choices=list(HEADINGS), action="append")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--print", action="store_true", help="leave the page as it is")
    options = parser.parse_args()
    wanted = [
        (number, one)
        for number, one in enumerate(cells(options.simulations))
        if options.only is None or one.table in options.only
    ]
    started = time.perf_counter()
    with concurrent.futures.ProcessPoolExecutor(options.workers) as pool:
        running = [pool.submit(done, cell, number) for number, cell in wanted]
        found = []
        for (_, cell), one in zip(wanted, running, strict=True):
            found.append((cell, one.result()))
            took = time.perf_counter() - started
            print(f"{took:5.0f} s  {cell.table} {cell.title} {found[-1][1]}", flush=True)
    made = tables(found)
    print("\n\n".join(f"**{heading}**\n\n{table}" for heading, table in made.items()))
    if not options.print:
        often = f"--simulations {options.simulations}"
        opening = f"Simulated with `python -m benchmarks.coverage {often}`."
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(written_into(page, made, opening), encoding="utf-8")
        print(PAGE)


if __name__ == "__main__":
    main()
