"""All checks, one after another."""

from collections.abc import Callable, Iterable

from sentilab.checkup import shape, traits
from sentilab.checkup.damage import damage
from sentilab.checkup.finding import SEVERITIES, Checkup, Finding
from sentilab.checkup.giveaways import words
from sentilab.checkup.material import Material, Unlabelled
from sentilab.checkup.near import nearly
from sentilab.checkup.repeats import repeats
from sentilab.checkup.traits import Columns
from sentilab.data import Dataset
from sentilab.errors import DataError

Check = Callable[[Material], Iterable[Finding]]


def check_data(
    dataset: Dataset,
    *,
    unlabelled: Unlabelled | None = None,
    columns: Columns | None = None,
    threshold: float = 0.8,
    progress: Callable[[str], None] | None = None,
) -> Checkup:
    """Looks for what is wrong with ``dataset``, or worth knowing before one trains on it.

    ``unlabelled`` texts are looked at beside the labelled ones. ``columns`` are the other columns of
    the file, each with a value for each row of ``dataset``. Texts are near-duplicates if the Jaccard
    index of their shingles is at least ``threshold``. ``progress`` hears what is done next.

    Findings come most severe first. Apart from the one about the rows' order they do not depend on
    that order.

    Raises DataError if there are no texts, ValueError if the threshold is not in [0.5, 1] or a
    column has not one value for each row.
    """
    if not 0.5 <= threshold <= 1:
        raise ValueError(f"threshold {threshold}: it must lie between 0.5 and 1")
    for name, values in (columns or {}).items():
        if len(values) != len(dataset):
            raise ValueError(f'column "{name}": {len(values)} values for {len(dataset)} rows')
    if not len(dataset):
        raise DataError(f"{dataset.name}: there are no texts to check.")
    say = progress or (lambda _: None)
    material = Material.of(dataset, unlabelled)
    checks: list[tuple[str, Check]] = [
        ("looking for repeats", repeats),
        ("splitting texts into words, and counting", shape.set_aside),
        ("splitting texts into words, and counting", shape.balance),
        ("splitting texts into words, and counting", shape.lengths),
        ("splitting texts into words, and counting", shape.vocabulary),
        ("looking for near-duplicates", lambda it: nearly(it, threshold)),
        ("looking for damaged characters", damage),
        ("looking for words that give the label away", words),
        ("looking at lengths, order and columns", traits.length),
        ("looking at lengths, order and columns", traits.order),
        ("looking at lengths, order and columns", lambda it: traits.columns(it, columns or {})),
    ]
    findings: list[Finding] = []
    said = ""
    for stage, check in checks:
        if stage != said:
            say(stage)
            said = stage
        findings.extend(check(material))
    findings.sort(key=lambda one: SEVERITIES.index(one.severity))
    return Checkup(
        name=dataset.name,
        origin=dataset.origin,
        texts={part: int((material.parts == part).sum()) for part in material.part_names},
        findings=tuple(findings),
    )
