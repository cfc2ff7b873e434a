import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sentilab.bundle import load

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(sentilab: Command, tmp_path: Path) -> Path:
    """A run trained by the command line itself, on a file of the user's."""
    rows = "".join(
        f"{('good', 'bad')[one % 2]} film number {one},{('pos', 'neg')[one % 2]}\n"
        for one in range(80)
    )
    (tmp_path / "reviews.csv").write_text("text,label\n" + rows)
    done = sentilab(
        *("train", "--data", "reviews.csv", "--model", "mlp", "--epochs", "1"),
        *("--set", "units=4", "--set", "embedding=4"),
    )
    assert done.returncode == 0, done.stderr
    (found,) = (tmp_path / "runs").glob("*/*/result.json")
    return found.parent


def test_a_run_on_ones_own_file_becomes_a_bundle_and_an_onnx_file(
    run: Path, sentilab: Command, tmp_path: Path
) -> None:
    done = sentilab("export", str(run))
    assert done.returncode == 1
    assert "Name them with --data" in done.stderr
    mine = ("export", str(run), "--data", "reviews.csv")
    done = sentilab(*mine, "--out", "mine.zip", "--int8", "--threshold", "0.7")
    assert done.returncode == 0, done.stderr
    assert "mine.zip" in done.stdout
    assert "Largest difference in probability" in done.stdout
    assert "8-bit weights change the accuracy by" in done.stdout
    predictor = load(tmp_path / "mine.zip")
    assert predictor.manifest.threshold == 0.7
    assert predictor.manifest.name == "reviews-mlp"
    assert set(predictor.labels) == {"neg", "pos"}
    done = sentilab(*mine, "--to", "onnx")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reviews-mlp.onnx").stat().st_size > 0


def test_what_cannot_be_exported_is_said(
    run: Path, sentilab: Command, tmp_path: Path, small_bundle: Callable[..., Path]
) -> None:
    shutil.copytree(small_bundle(), tmp_path / "ready")
    done = sentilab("export", "ready")
    assert done.returncode == 1
    assert "this is a bundle already" in done.stderr
    done = sentilab("export", str(run), str(run), "--to", "onnx")
    assert done.returncode == 2
    done = sentilab("export", str(run), "--push", "me/it")
    assert done.returncode == 2
    (run / "result.json").unlink()
    done = sentilab("export", str(run))
    assert done.returncode == 1
    assert "no finished run here" in done.stderr
    assert not (tmp_path / "reviews-mlp").exists()


def test_a_command_whose_extra_is_missing_says_which_to_install() -> None:
    code = (
        "import sys; sys.modules['keras'] = None\n"
        "sys.argv = ['sentilab', 'summary', 'mlp']\n"
        "from sentilab.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "keras" in done.stderr
    assert 'pip install "sentilab[train]"' in done.stderr
    assert "Traceback" not in done.stderr
