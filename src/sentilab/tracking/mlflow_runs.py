"""Runs in MLflow: an experiment a study, in a database file or on a server."""

import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from filelock import FileLock
from platformdirs import user_cache_path

from sentilab.errors import SettingsError
from sentilab.tracking.recording import Recording, recording_of, status_of
from sentilab.training import RunFolder

# MLflow would repeat a request to a server that is down for minutes, say where each run is to be seen,
# and tell its makers of its use. What the user has set goes before this.
MANNERS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}

DEFAULT_URI = "sqlite:///mlflow.db"  # MLflow's own: in the current folder

RUN = "sentilab.run"  # the tag by which a run is found: its folder's name
WHOLE = "sentilab.recorded"  # set last, to how the run ended: without it the record is half a one

# What a server takes at once, and of one text.
_MOST_PARAMS, _MOST_METRICS, _LONGEST = 100, 1000, 5000

One = TypeVar("One")


class MLflow:
    """Records in the tracking store at ``uri``, by default $MLFLOW_TRACKING_URI or ./mlflow.db."""

    def __init__(self, spec: str, uri: str = "") -> None:
        """Raises SettingsError for a plain folder, which MLflow no longer writes to.

        MLflow takes its manners from the environment: they are put there, for the whole process.
        """
        self.spec = spec
        self.uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
        scheme, separator, _ = self.uri.partition(":")
        allowed = os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("1", "true")
        if (not separator or scheme == "file") and self.uri != "databricks" and not allowed:
            raise SettingsError(
                f"{self.uri}: MLflow keeps runs in a database or on a server, no longer in plain "
                f"folders.\n  Name one, as in mlflow={DEFAULT_URI} or mlflow=http://localhost:5000."
            )
        for key, value in MANNERS.items():
            os.environ.setdefault(key, value)
        import mlflow  # noqa: F401 (whether it is there is to be known before anything is trained)

        logging.getLogger("mlflow").setLevel(logging.ERROR)

    def record(self, run: RunFolder, name: str, study: str) -> bool:
        """See ``Tracker.record``. Half a record, which a kill has left, is deleted and made anew."""
        # Two commands at once would both find nothing and record twice.
        lock = user_cache_path("sentilab") / "mlflow.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=60):
            return self._record(run, name, study)

    def _record(self, run: RunFolder, name: str, study: str) -> bool:
        from mlflow import MlflowClient

        status = status_of(run)
        _require_writable(self.uri)
        client = MlflowClient(tracking_uri=self.uri)
        found = client.get_experiment_by_name(study)
        experiment = found.experiment_id if found else client.create_experiment(study)
        folder = run.path.resolve().name
        there = client.search_runs([experiment], f"tags.`{RUN}` = '{folder}'")
        # A run that failed may have been trained anew, and ended otherwise.
        if any(one.data.tags.get(WHOLE) == status for one in there):
            return False
        told = recording_of(run, study)
        for one in there:
            client.delete_run(one.info.run_id)
        _write(client, experiment, name, told)
        return True

    def shown_by(self, runs: Path) -> str:
        if self.uri.startswith("http"):
            return self.uri
        return f"mlflow ui --backend-store-uri {self.uri}"


def _write(client: Any, experiment: str, name: str, told: Recording) -> None:
    from mlflow.entities import Metric, Param, RunTag

    began, ended = (int(1000 * one) for one in (told.ended - told.seconds, told.ended))
    tags = {RUN: told.run, **told.tags}
    run = client.create_run(
        experiment,
        start_time=began,
        run_name=name,
        tags={key: value[:_LONGEST] for key, value in tags.items()},
    ).info.run_id
    parameters = [Param(key, str(value)[:_LONGEST]) for key, value in told.parameters.items()]
    for some in _portions(parameters, _MOST_PARAMS):
        client.log_batch(run, params=some)
    metrics = [
        Metric(one.name, one.value, int(1000 * told.time_of(one)), one.step) for one in told.points
    ]
    for some in _portions(metrics, _MOST_METRICS):
        client.log_batch(run, metrics=some)
    client.set_terminated(run, "FINISHED" if told.status == "finished" else "FAILED", ended)
    client.log_batch(run, tags=[RunTag(WHOLE, told.status)])


def _portions(several: Sequence[One], most: int) -> Iterator[Sequence[One]]:
    for start in range(0, len(several), most):
        yield several[start : start + most]


def _require_writable(uri: str) -> None:
    """Raises OSError or sqlite3.Error at once where MLflow would try for two minutes."""
    _, separator, path = uri.partition("sqlite:///")
    if separator:
        file = Path(unquote(path.partition("?")[0]))
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file)) as database:
            database.execute("BEGIN IMMEDIATE")
