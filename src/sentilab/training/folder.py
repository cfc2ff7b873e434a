"""The run folder: plain files that other tools can read, each written in one step.

config.toml           the settings
metrics.jsonl         one line an epoch
timings.jsonl         seconds an epoch; apart, so that metrics.jsonl repeats byte for byte
speed.json            seconds for answering a few texts, batch by batch; measured anew each time
environment.json      versions, CPU, which LSTM path ran
ensemble.json         an ensemble's members, what they weigh, and how well each does alone
anatomy.json          layers, shapes, parameter arithmetic
teaching.json         by which run it was taught, and how many texts, where it was
vocabulary.json       words and encoding settings
weights.safetensors   the kept weights
model.keras           the same, as Keras loads it
predictions.parquet   id, label, probability for each test text (and each class)
validation.parquet    the same for the validation texts, where they are others than the test's
pretraining.json      where there was one: the language model's curve, seconds and folder
result.json           how it ended; written last, so that its presence means "finished"
state.safetensors     all that resuming needs; removed once no run can continue from it
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tomli_w
from numpy.typing import NDArray

from sentilab import atomic
from sentilab.errors import DataError, SentilabError, SettingsError
from sentilab.readable import json_file, json_of, misfit, printable, toml_of
from sentilab.tables import read_table
from sentilab.text import Vocabulary
from sentilab.training.settings import RunSettings
from sentilab.training.stopping import CURVE, EpochMetrics

Scored = Literal["test", "validation"]
SCORED: dict[Scored, str] = {"test": "predictions.parquet", "validation": "validation.parquet"}


# What a run's result.json has the checksums of.
CHECKED = ("weights.safetensors", "model.keras", *SCORED.values(), "vocabulary.json")
NUMBERS_BY_NAME = {"*": float}

# What the files must hold, as far as it is reported, compared or gone on from.
FORMS: dict[str, Any] = {
    "result.json": {
        "status": str,
        "reason?": str,
        "label_names?": [str],
        "stopped_early?": bool,
        "test?": {"loss": float, "accuracy": float},
        "kept?": dict,
    },
    "anatomy.json": {"parameters": int},
    "environment.json": dict,
    "ensemble.json": {"members": [dict]},
    "speed.json": {"texts": int, "seconds": [float]},
    "pretraining.json": {"folder": str, "seconds": [float]},
    "teaching.json": {"seconds?": NUMBERS_BY_NAME},
}
CONFIG = {"run": dict, "data": {"name": str, "fingerprint": str, "without?": str}}
STATUSES = ("finished", "refused", "failed")
TIMING = {"seconds": float}


@dataclass(frozen=True)
class Predictions:
    """A finished run's answers on the test or validation texts, in the data's order.

    ``ids`` and ``labels`` have shape (texts,); ``probabilities`` has shape (texts, classes).
    """

    ids: NDArray[np.str_]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Shape (texts,): where the likeliest label is the right one; a tie goes to the lower.

        Two-label models give p(second label); Keras's accuracy asks whether it exceeds 0.5, and
        so does this.
        """
        answers = np.argmax(self.probabilities, axis=1)
        return np.asarray(answers == self.labels)


@dataclass(frozen=True)
class RunFolder:
    """Reads and writes the files of one run."""

    path: Path

    @property
    def state(self) -> Path:
        return self.path / "state.safetensors"

    @property
    def weights(self) -> Path:
        return self.path / "weights.safetensors"

    @property
    def model(self) -> Path:
        return self.path / "model.keras"

    def write_config(self, settings: RunSettings, data: dict[str, Any]) -> None:
        """The settings under [run]; the data's name, fingerprint and what they lack under [data]."""
        document = {"data": data, "run": settings.to_dict()}
        atomic.write_text(self.path / "config.toml", tomli_w.dumps(document))

    def settings(self) -> RunSettings:
        """Raises SentilabError if there is no readable configuration."""
        config = self._config()
        try:
            return RunSettings.from_dict(config["run"])
        except SettingsError as error:
            raise SentilabError(f"{self.path / 'config.toml'}: {error}") from error

    def data(self) -> dict[str, Any]:
        """The data's "name", "fingerprint" and what they are "without" ("" for nothing).

        Raises SentilabError as ``settings`` does.
        """
        data = self._config()["data"]
        return {
            "name": data["name"],
            "fingerprint": data["fingerprint"],
            "without": data.get("without", ""),
        }

    def vocabulary(self) -> Vocabulary:
        """The words and the encoding that the run has learned.

        Raises SentilabError if the file is not there or is damaged.
        """
        path = self.path / "vocabulary.json"
        try:
            return Vocabulary.from_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, DataError) as error:
            raise SentilabError(f"{path}: {printable(str(error))}") from error

    def _config(self) -> dict[str, Any]:
        path = self.path / "config.toml"
        try:
            config = toml_of(path.read_text(encoding="utf-8"))
            if fault := misfit(config, CONFIG):
                raise ValueError(fault)
        except (OSError, ValueError) as error:
            raise SentilabError(
                f"{path}: not a run's configuration ({printable(str(error))})."
            ) from error
        return config

    def checksums(self) -> dict[str, str]:
        """The SHA-256 of what answers come from, of those files that are there."""
        files = (self.path / name for name in CHECKED)
        return {one.name: _sha256(one) for one in files if one.exists()}

    def checked(self, path: Path) -> Path:
        """``path``, one of this run's files, once it is found to be what was written.

        Raises SentilabError if it is not. A run from before there were checksums is believed.
        """
        written = ((self.read_json("result.json") or {}).get("files") or {}).get(path.name)
        if written is not None and path.exists() and _sha256(path) != written:
            raise SentilabError(
                f"{path}: this file is not what was written: its checksum is another.\n"
                "  Remove its folder, and the same command trains the run anew."
            )
        return path

    def write_json(self, name: str, content: object) -> None:
        atomic.write_text(
            self.path / name, json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        )

    def read_json(self, name: str) -> Any:
        """The file's content, or None where it does not exist yet.

        Raises SentilabError if it is damaged: not JSON, of another form, or with numbers that are none.
        """
        path = self.path / name
        if not path.exists():
            return None
        advice = "; remove the run folder."
        content = json_file(path, FORMS.get(name, object), advice)
        if name == "result.json" and (fault := _fault_of_result(content)):
            raise SentilabError(f"{path}: not valid ({fault}){advice}")
        return content

    def write_curve(self, history: Sequence[EpochMetrics], seconds: Sequence[float]) -> None:
        metrics = (json.dumps(asdict(one)) for one in history)
        timings = (
            json.dumps({"epoch": number, "seconds": round(took, 3)})
            for number, took in enumerate(seconds, start=1)
        )
        atomic.write_text(self.path / "metrics.jsonl", "".join(f"{line}\n" for line in metrics))
        atomic.write_text(self.path / "timings.jsonl", "".join(f"{line}\n" for line in timings))

    def history(self) -> tuple[EpochMetrics, ...]:
        lines = self._lines("metrics.jsonl", CURVE)
        return tuple(EpochMetrics(*(line[name] for name in CURVE)) for line in lines)

    def seconds(self) -> tuple[float, ...]:
        return tuple(float(one["seconds"]) for one in self._lines("timings.jsonl", TIMING))

    def prediction_ms(self) -> float | None:
        """Milliseconds for answering 1,000 encoded texts; None where that was not measured."""
        found = self.read_json("speed.json")
        if not found or found["texts"] < 1 or not found["seconds"]:
            return None
        return float(1e6 * np.median(found["seconds"]) / found["texts"])

    def pretraining_seconds(self) -> float:
        """What pretraining and a teacher took, though other runs may share them; 0 where there was none."""
        return seconds_of([self]) - sum(self.seconds())

    def size(self) -> int | None:
        """Bytes of the weights' file; None before there is one."""
        return self.weights.stat().st_size if self.weights.exists() else None

    def write_predictions(
        self, predictions: Predictions, label_names: Sequence[str], part: Scored = "test"
    ) -> None:
        """Columns: id, label (name), probability (of the last label, or one column a label)."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        names = np.asarray(label_names)
        columns: dict[str, Any] = {
            "id": pa.array(predictions.ids.tolist(), pa.string()),
            "label": pa.array(names[predictions.labels].tolist(), pa.string()),
        }
        if len(label_names) == 2:
            columns["probability"] = pa.array(predictions.probabilities[:, 1])
        else:
            for number, name in enumerate(label_names):
                columns[f"probability_{name}"] = pa.array(predictions.probabilities[:, number])
        table = pa.table(columns, metadata={"labels": json.dumps(list(label_names))})
        with atomic.replacing(self.path / SCORED[part]) as temporary:
            pq.write_table(table, temporary, compression="zstd")

    def predictions(self, part: Scored = "test") -> Predictions:
        """Raises SentilabError if the run has not finished, or scored no other texts than the test's."""
        path = self.path / SCORED[part]
        if not path.exists():
            if (self.path / "result.json").exists():
                raise SentilabError(f"{path}: this run was validated on its test texts alone.")
            raise SentilabError(f"{path}: no predictions yet; the run has not finished.")
        try:
            return _predictions_of(read_table(self.checked(path)))
        except (ValueError, KeyError, TypeError, NotImplementedError) as error:
            raise SentilabError(
                f"{path}: not a run's predictions ({printable(str(error))}); remove the run folder."
            ) from error

    def _lines(self, name: str, form: Any) -> list[dict[str, Any]]:
        path = self.path / name
        if not path.exists():
            return []
        lines = []
        try:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                content = json_of(line)
                if fault := misfit(content, form):
                    raise ValueError(f"line {number}: {fault}")
                lines.append(content)
        except (OSError, ValueError) as error:
            raise SentilabError(
                f"{path}: not valid ({printable(str(error))}); remove the run folder."
            ) from error
        return lines


def _fault_of_result(content: dict[str, Any]) -> str:
    if content["status"] not in STATUSES:
        return f"status is {printable(content['status'])}; it must be one of {', '.join(STATUSES)}"
    test = content.get("test")
    if content["status"] == "finished" and test is None:
        return "test is missing"
    if test is not None and not 0 <= test["accuracy"] <= 1:
        return f"test.accuracy is {test['accuracy']}; it must lie between 0 and 1"
    return ""


def _predictions_of(table: Any) -> Predictions:
    """Raises ValueError, KeyError or TypeError for a table that is no run's predictions."""
    import pyarrow as pa

    label_names = json_of((table.schema.metadata or {})[b"labels"])
    if misfit(label_names, [str]) or not 2 <= len(set(label_names)) == len(label_names):
        raise ValueError("its labels are none")
    several = [f"probability_{name}" for name in label_names]
    asked = ["probability"] if len(label_names) == 2 else several
    if not table.num_rows or any(table[one].null_count for one in ("id", "label", *asked)):
        raise ValueError("values are missing")
    if not all(pa.types.is_floating(table[name].type) for name in asked):
        raise TypeError("its probabilities are no numbers")
    columns = [table[name].to_numpy() for name in asked]
    if len(asked) == 1:
        columns.insert(0, 1 - columns[0])
    probabilities = np.stack(columns, axis=1)
    # Their last bits may be beyond.
    if not (np.abs(probabilities - 0.5) <= 0.5 + 1e-6).all():
        raise ValueError("a probability is missing, or not between 0 and 1")
    number_of = {name: number for number, name in enumerate(label_names)}
    return Predictions(
        ids=np.asarray(table["id"].cast(pa.string()).to_pylist()),
        labels=np.asarray([number_of[name] for name in table["label"].to_pylist()]),
        probabilities=probabilities,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seconds_of(runs: Iterable[RunFolder]) -> float:
    """What all these took to train; what several of them share, or start from, counts once."""
    shares: dict[str, float] = {}
    for run in runs:
        shares |= shares_of(run)
    return sum(shares.values())


def shares_of(run: RunFolder) -> dict[str, float]:
    """The seconds that a run took, with those of its pretraining and its teacher, each under a name.

    Wherever the same name stands, the same work was done once.
    """
    shares = {run.path.name: float(sum(run.seconds()))}
    if pretraining := run.read_json("pretraining.json"):
        shares[f"pretraining/{pretraining['folder']}"] = float(sum(pretraining["seconds"]))
    if teaching := run.read_json("teaching.json"):
        shares |= teaching.get("seconds", {})
    return shares
