"""Files scored with a real bundle, and by the real command."""

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sentilab.bundle import EngineChoice, load
from sentilab.data import Dataset
from sentilab.scoring import score_file


@pytest.mark.parametrize("engine", ["native", "onnx"])
@pytest.mark.parametrize(("model", "masked"), [("mlp", False), ("bilstm1", True)])
def test_rows_get_the_probabilities_that_their_texts_get_alone(
    small_bundle: Callable[..., Path],
    corpus: Dataset,
    tmp_path: Path,
    model: str,
    masked: bool,
    engine: EngineChoice,
) -> None:
    predictor = load(small_bundle(model, masked), engine=engine, threads=1)
    texts = list(corpus.texts)
    (tmp_path / "in.txt").write_text("\n".join(texts), encoding="utf-8")
    done = score_file(predictor, tmp_path / "in.txt", tmp_path / "out.csv", workers=2)
    assert done.rows == len(texts)
    assert done.engine == predictor.engine
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == texts
    found = [[float(row[f"probability_{label}"]) for label in predictor.labels] for row in rows]
    wanted = predictor.probabilities(texts)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2e-6)
    decided = [predictor.labels[one] for one in predictor.decide(wanted)]
    assert sum(one != row["label"] for one, row in zip(decided, rows, strict=True)) == 0


def test_the_command_scores_a_file_and_answers_a_text(
    small_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("text\ngood\nbad film\n")
    command = [sys.executable, "-m", "sentilab", "predict", str(small_bundle())]
    done = subprocess.run(
        [*command, "--file", "in.csv", "--explain"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "2 rows scored" in done.stdout
    with (tmp_path / "in.scored.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    alone = subprocess.run([*command, "good"], capture_output=True, text=True, check=True)
    assert alone.stdout.split() == [row["label"], f"{float(row['probability']):.1%}"]
    again = subprocess.run(
        [*command, "--file", "in.csv"], cwd=tmp_path, capture_output=True, text=True
    )
    assert again.returncode == 1
    assert "--restart" in again.stderr
