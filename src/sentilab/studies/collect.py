"""Run folders from anywhere, gathered as if one study had planned them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sentilab.errors import SentilabError, SettingsError
from sentilab.studies.plan import Named
from sentilab.studies.records import Question, Run, StudyResults
from sentilab.studies.store import read_run
from sentilab.training import RunFolder, RunSettings
from sentilab.training.ensembling import ENSEMBLE, members_of, title

# What is said of a run only where runs differ in it.
SOMETIMES = (
    "learning_rate",
    "early_stopping",
    "words",
    "length",
    "split_seed",
    "kernels",
    "fold",
    "inner_fold",
)


def collect(folders: Sequence[Path]) -> StudyResults:
    """The runs in ``folders``; runs whose settings differ in the seed alone are one setting.

    Each setting is compared with the first. Raises SentilabError where the folders hold runs on
    different data, or one is no run's folder.
    """
    runs = [RunFolder(one) for one in folders]
    data = [one.data() for one in runs]
    settings = [one.settings() for one in runs]
    for run, one in zip(runs, settings, strict=True):
        _require_members(run, one)
    for run, seen in zip(runs, data, strict=True):
        if seen["fingerprint"] != data[0]["fingerprint"]:
            raise SentilabError(
                f"{run.path}: trained on other data ({seen['name']}) than {runs[0].path}; "
                "their figures cannot be compared."
            )
    titles = _titles(settings)
    read = tuple(
        read_run(Named(f"{title}@{one.protocol}-{one.seed}", title, one, None, run.path))
        for run, one, title in zip(runs, settings, titles, strict=True)
    )
    names = tuple(dict.fromkeys(one.name.partition("@")[0] for one in read))
    return StudyResults(
        name="runs",
        title=f"{len(read)} runs on {data[0]['name']}",
        description="",
        questions=_questions(names),
        runs=read,
        protocols=tuple(dict.fromkeys(one.protocol for one in settings)),
        seeds=tuple(dict.fromkeys(one.seed for one in settings)),
        portrait={},
        data_name=data[0]["name"],
        data_origin="as their folders say",
        label_names=_label_names(read),
        is_generated=data[0]["name"] == "generated",
        notices=(),
        duplicates={},
        environment=next((one.environment for one in read if one.environment), {}),
        finished=all(one.status in ("finished", "refused", "failed") for one in read),
    )


def _require_members(run: RunFolder, settings: RunSettings) -> None:
    if settings.model != ENSEMBLE:
        return
    try:
        members_of(settings)
    except SettingsError as error:
        raise SentilabError(f"{run.path / 'config.toml'}: {error}") from error


def _questions(names: tuple[str, ...]) -> tuple[Question, ...]:
    if len(names) < 2:
        return (
            Question("summary", "The model", "What is it made of, and how well does it do?", names),
        )
    asks = f"How do the other settings compare with {names[0]}?"
    return (Question("compare", "The settings compared", asks, names, None, names[0]),)


def _label_names(runs: Sequence[Run]) -> tuple[str, ...]:
    for one in runs:
        found = (RunFolder(one.folder).read_json("result.json") or {}).get("label_names")
        if found:
            return tuple(found)
    return ()


def _titles(settings: Sequence[RunSettings]) -> list[str]:
    """Names that tell settings apart, equal for those that differ in seed or protocol alone."""
    plain = [asdict(replace(one, seed=0, protocol="holdout")) for one in settings]
    differing = [key for key in SOMETIMES if len({str(one[key]) for one in plain}) > 1]
    return [
        ", ".join(
            [
                *(_made_of(one) if one["model"] == ENSEMBLE else _trained(one)),
                *(_told(key, one) for key in differing),
            ]
        )
        for one in plain
    ]


def _trained(settings: Mapping[str, Any]) -> list[str]:
    return [
        settings["model"],
        *(f"{key} {value}" for key, value in sorted(settings["model_settings"].items())),
        f"batch {settings['batch_size']}",
        f"{settings['epochs']} epoch{'' if settings['epochs'] == 1 else 's'}",
    ]


def _made_of(settings: Mapping[str, Any]) -> list[str]:
    # Members of one model may differ in any setting: a mark stands for them.
    own = json.dumps(settings["model_settings"], sort_keys=True)
    return [f"{title(settings['model_settings'])} #{hashlib.sha256(own.encode()).hexdigest()[:4]}"]


def _told(key: str, settings: Mapping[str, Any]) -> str:
    value = settings[key]
    if key == "early_stopping":
        return "no early stopping" if value is None else f"patience {value['patience']}"
    return f"{key.replace('_', ' ')} {'auto' if value is None else value}"
