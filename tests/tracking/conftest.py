"""Run folders as training leaves them, written by hand: trackers read nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sentilab.training import EpochMetrics, RunFolder, RunSettings

CURVE = [EpochMetrics(1, 0.7, 0.5, 0.69, 0.55), EpochMetrics(2, 0.5, 0.75, 0.6, 0.7)]


def _ended(home: Path, status: str = "finished", seed: int = 297, **changes: object) -> RunFolder:
    plain = {"model": "mlp", "model_settings": {"units": 4}, "epochs": 2, "seed": seed}
    settings = RunSettings.from_dict(plain | changes)
    run = RunFolder(home / settings.folder_name("f1"))
    run.write_config(settings, {"name": "reviews", "fingerprint": "f1"})
    if status == "running":
        return run
    if status != "finished":
        run.write_json("result.json", {"status": status, "reason": "The loss is nan."})
        return run
    run.write_curve(CURVE, [1.5, 2.0])
    run.write_json(
        "result.json",
        {
            "status": "finished",
            "kept_epoch": 2,
            "test": {"loss": 0.625, "accuracy": 0.625, "texts": 8},
            "parameters": 1234,
        },
    )
    return run


@pytest.fixture
def ended(tmp_path: Path) -> Callable[..., RunFolder]:
    """A run of a study's folder, by how it ended and its settings."""

    def make(status: str = "finished", **changes: object) -> RunFolder:
        return _ended(tmp_path / "runs" / "study", status, **changes)

    return make
