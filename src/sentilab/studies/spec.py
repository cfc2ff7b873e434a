"""A study file: TOML, validated whole before anything runs.

name = "batch-sizes"
title = "Does the batch size matter?"
seeds = [1, 2, 3]

[data]
source = "imdb"                # or "generated", or a file beside this one
words = 20_000                 # a run may have words and a length of its own
length = 200
without = "contrast-originals" # reviews that the contrast sets edit; by default all are kept

[protocol]
name = "holdout"               # or "notebook", "both", or "validation": the test part is not read
validation_fraction = 0.2

[defaults]                     # any setting of a run
epochs = 2

[[run]]
name = "batch-{batch_size}"    # a list makes a grid; the name tells its points apart
model = "mlp"
batch_size = [16, 32, 64]

[[run]]
name = "taught"                # learns what another has learned, from texts without labels
model = "mlp"
teaching = { teacher = "batch-32", unlabelled = "imdb" }

[[run]]
name = "all three"             # one model of other runs: see sentilab.training.ensembling
ensemble = ["batch-16", "batch-32", "batch-64"]
model_settings = { kind = "stacking", folds = 5 }

[[question]]
kind = "compare"
title = "Batch size"
asks = "How does the accuracy change with the batch size?"
runs = ["batch-16", "batch-32", "batch-64"]
axis = "batch_size"
"""

import difflib
import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from sentilab import models
from sentilab.data.contrast import ORIGINALS
from sentilab.errors import SettingsError
from sentilab.readable import listed, printable, shown, toml_of
from sentilab.studies.records import Question, QuestionKind, Recorded
from sentilab.training import (
    DEFAULT_SEED,
    AdversarialTraining,
    EarlyStopping,
    Pretraining,
    Protocol,
    Reading,
    RunSettings,
    Schedule,
    Teaching,
    WeightAveraging,
)
from sentilab.training.ensembling import How, ensemble_settings
from sentilab.training.settings import LARGEST_SEED

AT_THE_TOP = (
    "name",
    "title",
    "description",
    "seeds",
    "models_from",
    "data",
    "protocol",
    "defaults",
    "run",
    "question",
)
# What a [[run]] may set itself; the rest of RunSettings belongs to [data], [protocol] and seeds.
OF_A_RUN = (
    "model",
    "model_settings",
    "batch_size",
    "epochs",
    "learning_rate",
    "early_stopping",
    "kernels",
    "words",
    "length",
    "schedule",
    "averaging",
    "adversarial",
    "label_smoothing",
    "clip_norm",
    "bucketed",
    "pretraining",
    "reading",
    "teaching",
)
# Those of them that are tables, each with one that is right.
TABLES: Mapping[str, tuple[type, str]] = {
    "early_stopping": (EarlyStopping, '{ monitor = "val_accuracy", patience = 3 }'),
    "schedule": (Schedule, '{ kind = "cosine", warmup = 0.1 }'),
    "averaging": (WeightAveraging, '{ kind = "ema", decay = 0.999 }'),
    "adversarial": (AdversarialTraining, '{ kind = "virtual", radius = 5.0 }'),
    "pretraining": (Pretraining, '{ unlabelled = "imdb", epochs = 3 }'),
    "reading": (Reading, '{ unlabelled = "imdb" }'),
    "teaching": (Teaching, '{ teacher = "the name of a run", unlabelled = "imdb" }'),
}


# Far beyond what anybody has time for; a grid can ask for more than memory holds by a slip.
MOST_RUNS = 10_000
LARGEST_FILE = 1 << 20
LONGEST_NAME = 200
# tomllib needs time in the square of what a dotted key has parts.
LONG_DOTTED_KEY = re.compile(rb"(?<![\w\"'-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){20}")
IN_BRACES = re.compile(r"\{(\w+)(?:\[(\w+)\])?\}|[{}]")


@dataclass(frozen=True)
class PlannedRun:
    """A run as the study file names it; protocol and seed are filled in by the plan."""

    name: str
    title: str
    settings: RunSettings
    recorded: Recorded | None = None


@dataclass(frozen=True)
class StudySpec:
    """A validated study. ``source`` is a data name or a path relative to the study file.

    ``without`` is what its data are loaded without, as sentilab.data.load takes it.
    """

    name: str
    title: str
    description: str
    source: str
    protocols: tuple[Protocol, ...]
    seeds: tuple[int, ...]
    runs: tuple[PlannedRun, ...]
    questions: tuple[Question, ...]
    path: Path
    without: str = ""


def packaged() -> dict[str, Path]:
    """The studies that come with Sentilab, by name."""
    folder = Path(str(resources.files("sentilab.studies")))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def read(name_or_path: str) -> StudySpec:
    """The packaged study of that name, or the study file at that path.

    Raises SettingsError naming the file, the key and what would be right.
    """
    path = packaged().get(name_or_path, Path(name_or_path))
    if not path.is_file():
        known = ", ".join(packaged())
        raise SettingsError(
            f'There is no study "{name_or_path}": it is neither a packaged study ({known}) nor a file.'
        )
    return _study(_Table(_document(path), path.name, ""), path)


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise SettingsError(f"{path.name}: larger than a study file can be meant to be.")
        content = path.read_bytes()
        if LONG_DOTTED_KEY.search(content):
            raise SettingsError(f"{path.name}: a key has more parts than any of a study.")
        return toml_of(content.decode("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path.name}: cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise SettingsError(f"{path.name}: not valid TOML: {printable(str(error))}.") from error


@dataclass
class _Table:
    """One table of the file, read key by key so that every complaint can say where."""

    content: Mapping[str, Any]
    file: str
    where: str

    def allow(self, keys: Iterable[str]) -> None:
        keys = tuple(keys)
        for key in self.content:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, n=1)
                hint = f'did you mean "{near[0]}"?' if near else "allowed are " + ", ".join(keys)
                raise self.error(key, f"unknown key; {hint}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.content.get(key, default)
        if value is None:
            raise self.error(key, "is missing; it must be a text")
        if not isinstance(value, str):
            raise self.error(key, f"is {shown(value)}; it must be a text in quotes")
        return value

    def list_of(self, kind: type, key: str, default: list[Any]) -> list[Any]:
        value = self.content.get(key, default)
        noun = {int: "whole numbers", str: "texts"}[kind]
        right = isinstance(value, list) and all(
            isinstance(one, kind) and not isinstance(one, bool) for one in value
        )
        if not right:
            raise self.error(key, f"is {shown(value)}; it must be a list of {noun}")
        return list(value)

    def table(self, key: str) -> "_Table":
        value = self.content.get(key, {})
        if not isinstance(value, dict):
            raise self.error(key, f"is {shown(value)}; it must be a table, [{key}]")
        return _Table(value, self.file, self.path_of(key))

    def tables(self, key: str) -> list["_Table"]:
        value = self.content.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.error(key, f"must be a list of tables, each opened by [[{key}]]")
        return [
            _Table(one, self.file, f"{key}[{number}]") for number, one in enumerate(value, start=1)
        ]

    def path_of(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def error(self, key: str, complaint: str) -> SettingsError:
        return SettingsError(f"{self.file}, {printable(self.path_of(key))}: {complaint}.")


def _study(top: _Table, path: Path) -> StudySpec:
    top.allow(AT_THE_TOP)
    for file in top.list_of(str, "models_from", []):
        models.load_models_from(path.parent / file)

    data = top.table("data")
    data.allow(("source", "words", "length", "without"))
    protocol = top.table("protocol")
    protocol.allow(("name", "validation_fraction", "split_seed"))
    shared = {
        key: table.content[key]
        for table, keys in (
            (data, ("words", "length")),
            (protocol, ("validation_fraction", "split_seed")),
        )
        for key in keys
        if key in table.content
    }
    defaults = top.table("defaults")
    defaults.allow(OF_A_RUN)

    tables = top.tables("run")
    grids = [
        () if "ensemble" in one.content else tuple(_grid(one, defaults.content, shared))
        for one in tables
    ]
    plain = {one.name: one.settings for grid in grids for one in grid}
    planned = [
        one
        for table, grid in zip(tables, grids, strict=True)
        for one in (grid or (_ensemble(table, plain),))
    ]
    if not planned:
        raise top.error("run", "the study has no runs; add at least one [[run]] with a model")
    _require_teachers(tables, grids)
    by_name = {one.name: one for one in planned}
    if len(by_name) < len(planned):
        repeated = next(one.name for one in planned if by_name[one.name] is not one)
        raise top.error(
            "run",
            f'two runs are named "{printable(repeated)}"; a grid\'s name needs its settings in braces',
        )
    seeds = top.list_of(int, "seeds", [DEFAULT_SEED])
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0 or max(seeds) > LARGEST_SEED:
        raise top.error(
            "seeds", f"must be one or more different whole numbers from 0 to {LARGEST_SEED}"
        )
    source = data.text("source", "imdb")
    without = data.text("without", "")
    if without not in ("", ORIGINALS):
        raise data.error(
            "without", f'is "{printable(without)}"; all that can be left out is "{ORIGINALS}"'
        )
    asked = protocols(protocol.text("name", "holdout"), protocol.error)
    if len(planned) * len(seeds) * len(asked) > MOST_RUNS:
        raise top.error(
            "seeds",
            f"{len(planned):,} runs of {len(seeds):,} seeds are more than the {MOST_RUNS:,} trainings "
            "that a study may have; make several studies of it",
        )
    return StudySpec(
        name=top.text("name", path.stem),
        title=top.text("title", path.stem),
        description=top.text("description", "").strip(),
        source=source if source in ("imdb", "generated") else str(path.parent / source),
        protocols=asked,
        seeds=tuple(seeds),
        runs=tuple(planned),
        questions=tuple(_question(one, by_name) for one in top.tables("question")),
        path=path,
        without=without,
    )


def _require_teachers(tables: Sequence[_Table], grids: Sequence[Sequence[PlannedRun]]) -> None:
    """Raises SettingsError for a run whose teacher is none of those above it."""
    above: list[str] = []
    for table, grid in zip(tables, grids, strict=True):
        for one in grid:
            asked = one.settings.teaching
            if asked is not None and asked.teacher not in above:
                raise table.error(
                    "teaching.teacher",
                    f'is "{printable(asked.teacher)}"; it must be the name of a run above'
                    + (f": {listed(above, mark='')}" if above else ""),
                )
        above += [one.name for one in grid] or [table.text("name", "ensemble")]


def protocols(name: str, error: Any = None) -> tuple[Protocol, ...]:
    """ "notebook", "holdout", "validation" or "both" as a tuple; raises SettingsError for another word."""
    choices: dict[str, tuple[Protocol, ...]] = {
        "notebook": ("notebook",),
        "holdout": ("holdout",),
        "validation": ("validation",),
        "both": ("notebook", "holdout"),
    }
    if name not in choices:
        complaint = (
            f'is "{printable(name)}"; it must be "notebook", "holdout", "validation" or "both"'
        )
        raise error("name", complaint) if error else SettingsError(f"protocol {complaint}.")
    return choices[name]


def _grid(
    table: _Table,
    defaults: Mapping[str, Any],
    shared: Mapping[str, Any],
) -> Iterable[PlannedRun]:
    """Every point of the grid that one [[run]] spans: each list is an axis."""
    table.allow(("name", "title", "recorded", *OF_A_RUN))
    wanted = {**defaults, **{k: v for k, v in table.content.items() if k in OF_A_RUN}}
    of_model = wanted.pop("model_settings", {})
    if not isinstance(of_model, dict):
        raise table.error("model_settings", f"is {shown(of_model)}; it must be a table of settings")
    axes: dict[Any, Any] = {
        **wanted,
        **{("model_settings", key): value for key, value in of_model.items()},
    }
    spread = [value if isinstance(value, list) else [value] for value in axes.values()]
    for key, values in zip(axes, spread, strict=True):
        if not values:
            raise table.error(str(key), "is an empty list; give at least one value")
    points = math.prod(map(len, spread))
    if points > MOST_RUNS:
        raise SettingsError(
            f"{table.file}, {table.where}: its lists span {points:,} runs; a study may have {MOST_RUNS:,}."
        )
    recorded = _recorded(table.table("recorded")) if "recorded" in table.content else None
    for point in itertools.product(*spread):
        chosen = dict(zip(axes, point, strict=True))
        settings = {key: value for key, value in chosen.items() if isinstance(key, str)}
        settings["model_settings"] = {k[1]: v for k, v in chosen.items() if isinstance(k, tuple)}
        words = {**settings, **settings["model_settings"]}
        usual = "-".join(shown(v).strip("'") for v in point if not isinstance(v, dict))
        name = _fill(table, "name", usual[:LONGEST_NAME], words)
        yield PlannedRun(
            name=name,
            title=_fill(table, "title", name, words),
            settings=_settings(table, settings, shared),
            recorded=recorded,
        )


def _ensemble(table: _Table, runs: Mapping[str, RunSettings]) -> PlannedRun:
    """A run made of others, which are those of its own seed and protocol."""
    table.allow(("name", "title", "ensemble", "model_settings"))
    members = table.list_of(str, "ensemble", [])
    for one in members:
        _require_run(table, "ensemble", one, runs)
    name = _name(table, "name", table.text("name", "ensemble"))
    own = table.table("model_settings")
    own.allow(one.name for one in fields(How))
    try:
        settings = ensemble_settings([runs[one] for one in members], How(**own.content))
    except (SettingsError, TypeError) as error:
        raise SettingsError(f"{table.file}, {table.where}: {error}") from error
    return PlannedRun(name, table.text("title", name), settings)


def _require_run(table: _Table, key: str, name: str, runs: Iterable[str]) -> None:
    if name not in runs:
        near = difflib.get_close_matches(name, runs, n=1)
        hint = f'; did you mean "{near[0]}"?' if near else f"; runs are {listed(runs, mark='')}"
        raise table.error(key, f'there is no run "{printable(name)}"{hint}')


def _settings(table: _Table, wanted: Mapping[str, Any], shared: Mapping[str, Any]) -> RunSettings:
    for key, (kind, example) in TABLES.items():
        value = wanted.get(key)
        if value is None:
            continue
        if not isinstance(value, dict):
            raise table.error(key, f"is {shown(value)}; it must be a table, as in {example}")
        _Table(value, table.file, table.path_of(key)).allow(one.name for one in fields(kind))
    if "model" not in wanted:
        raise table.error("model", f"is missing; known are {', '.join(models.names())}")
    try:
        models.check_settings(wanted["model"], wanted["model_settings"])
        return RunSettings.from_dict({**shared, **wanted})
    except SettingsError as error:
        raise SettingsError(f"{table.file}, {table.where}: {error}") from error


def _fill(table: _Table, key: str, default: str, words: Mapping[str, Any]) -> str:
    """The template with settings in place of their names in braces: {epochs}, {adversarial[radius]}.

    Not str.format: that can be told to reach into a value, or to pad it to a gigabyte.
    """
    if key not in table.content:
        return default
    template = table.text(key)

    def setting(found: re.Match[str]) -> str:
        value = words.get(found[1], _NOTHING)
        if found[2]:
            value = value.get(found[2], _NOTHING) if isinstance(value, dict) else _NOTHING
        if value is _NOTHING:
            raise table.error(
                key,
                f'"{printable(template)}" cannot be filled in ({printable(found[0])}); in braces may '
                f"stand {', '.join(words)}",
            )
        return value if isinstance(value, str) else shown(value)

    return _name(table, key, IN_BRACES.sub(setting, template))


_NOTHING = object()


def _name(table: _Table, key: str, name: str) -> str:
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise table.error(
            key, f'"{printable(name)}" must be one line of at most {LONGEST_NAME} characters'
        )
    return name


def _recorded(table: _Table) -> Recorded:
    table.allow(one.name for one in fields(Recorded))
    for key in ("accuracy", "best_accuracy"):
        value = table.content.get(key, 0.0)
        if not isinstance(value, float) or not 0 <= value <= 1:
            raise table.error(key, f"is {shown(value)}; it must be a number between 0.0 and 1.0")
    if not isinstance(table.content.get("epochs_run", 0), int):
        raise table.error("epochs_run", "must be a whole number")
    table.text("text", "")
    return Recorded(**table.content)


def _question(table: _Table, runs: Mapping[str, PlannedRun]) -> Question:
    table.allow(one.name for one in fields(Question))
    kind = table.text("kind")
    if kind not in get_args(QuestionKind):
        raise table.error(
            "kind", f'is "{printable(kind)}"; it must be one of {", ".join(get_args(QuestionKind))}'
        )
    named = table.list_of(str, "runs", [])
    baseline = table.text("baseline", "") or None
    for name in [*named, *([baseline] if baseline else [])]:
        _require_run(table, "runs", name, runs)
    return Question(
        kind=kind,  # type: ignore[arg-type]  # just checked against QuestionKind
        title=table.text("title"),
        asks=table.text("asks"),
        runs=tuple(named),
        axis=table.text("axis", "") or None,
        baseline=baseline,
        notebook_says=table.text("notebook_says", ""),
    )
