"""Run folders that hold planted answers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sentilab.training import Predictions, RunFolder, RunSettings


@pytest.fixture
def write_run(small_settings: Callable[..., RunSettings], tmp_path: Path) -> Callable[..., Path]:
    """Writes the folder of a run that ended with these answers, as training does."""

    def write(
        predictions: Predictions | None, *, data: str = "made-up", **settings: object
    ) -> Path:
        chosen = small_settings(**settings)
        run = RunFolder(tmp_path / "runs" / chosen.folder_name(data))
        run.path.mkdir(parents=True)
        run.write_config(chosen, {"name": data, "fingerprint": data})
        if predictions is not None:
            names = [str(one) for one in range(predictions.probabilities.shape[1])]
            run.write_predictions(predictions, names)
            run.write_json(
                "result.json", {"status": "finished", "test": {"accuracy": 0.8, "loss": 0.5}}
            )
        return run.path

    return write
