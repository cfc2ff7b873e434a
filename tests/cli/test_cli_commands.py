import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Sentilab = Callable[..., subprocess.CompletedProcess[str]]

STUDY = """
name = "small"
[data]
source = "generated"
words = 300
length = 12
[protocol]
name = "notebook"
[[run]]
name = "e{epochs}"
model = "mlp"
model_settings = { embedding = 4, units = 4 }
epochs = [1, 2]
"""


def test_help_imports_no_heavy_package() -> None:
    code = (
        "import sys; from sentilab.cli import cli; cli(['--help'], standalone_mode=False);"
        "print(sorted({'keras', 'jax', 'numpy', 'pyarrow', 'altair', 'sklearn', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    for command in ("study", "train", "summary", "models", "data", "report"):
        assert command in done.stdout


@pytest.mark.parametrize("command", ["study", "train", "summary", "models", "data", "report"])
def test_every_command_has_help(sentilab: Sentilab, command: str) -> None:
    done = sentilab(command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_a_study_from_the_command_line(sentilab: Sentilab, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(STUDY)
    plan = sentilab("study", "small.toml", "--dry-run")
    assert plan.returncode == 0, plan.stderr
    assert "2 of 2 trainings to do" in plan.stdout
    assert "continues after epoch 1" in plan.stdout

    done = sentilab("study", "small.toml")
    assert done.returncode == 0, done.stderr
    assert "NOT IMDB FIGURES" in done.stdout
    assert "[1/2] mlp" in done.stdout
    assert "val_acc 0." in done.stdout
    folder = tmp_path / "runs" / "small-generated"
    assert (folder / "report.html").exists()
    assert (folder / "report.md").exists()

    again = sentilab("study", "small.toml")
    assert "2 of 2 trainings are already done" in again.stdout
    assert "[1/2]" not in again.stdout

    rebuilt = sentilab("report", str(folder))
    assert rebuilt.returncode == 0, rebuilt.stderr


def test_training_on_ones_own_file(sentilab: Sentilab, tmp_path: Path) -> None:
    rows = [
        f'"a {word} film, number {n}",{label}'
        for n in range(40)
        for word, label in (("good", "positive"), ("bad", "negative"))
    ]
    rows[10] = "no label here"
    (tmp_path / "reviews.csv").write_text("text,sentiment\n" + "\n".join(rows) + "\n")
    done = sentilab(
        "train", "--data", "reviews.csv", "--model", "mlp", "--set", "units=4", "--epochs", "1"
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 80 rows were set aside" in done.stderr
    rejected = next((tmp_path / "runs").glob("*.rejected.csv")).read_text()
    assert "12" in rejected.splitlines()[1]
    folder = Path(tmp_path, done.stdout.rpartition("Run folder: ")[2].strip())
    assert (folder / "predictions.parquet").exists()


def test_a_refused_model_ends_with_the_explanation(sentilab: Sentilab) -> None:
    done = sentilab("train", "--data", "generated", "--model", "mlp-unflattened")
    assert done.returncode == 1
    assert "(None, 200, 1)" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("study", "nothing"), "homework"),
        (("train", "--data", "generated", "--model", "mpl"), "mlp"),
        (("train", "--data", "generated", "--set", "units"), "KEY=VALUE"),
        (("train", "--data", "generated", "--epochs", "0"), "at least 1"),
        (("train", "--data", "missing.csv"), "missing.csv"),
        (("train", "--data", "generated", "--restore-best"), "--patience"),
        (("summary", "nothing"), "bilstm1"),
        (("report", "."), "no study here"),
        (("frobnicate",), "No such command"),
    ],
)
def test_a_mistake_is_answered_in_words_and_without_a_traceback(
    sentilab: Sentilab, arguments: tuple[str, ...], complaint: str
) -> None:
    done = sentilab(*arguments)
    assert done.returncode in (1, 2)
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_where_the_data_are_missing_every_place_looked_at_is_named(
    tmp_path: Path, sentilab: Sentilab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SENTILAB_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    done = sentilab("study", "homework", "--dry-run")
    assert done.returncode == 1
    for place in ("nowhere", "datasets", "cache"):
        assert place in done.stderr


def test_where_the_data_are_missing_a_study_may_go_on_with_the_generated_corpus(
    tmp_path: Path, sentilab: Sentilab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("SENTILAB_DATA", raising=False)
    (tmp_path / "small.toml").write_text(STUDY.replace('"generated"', '"imdb"'))
    done = sentilab("study", "small.toml", "--only", "e1", "--on-missing-data", "generated")
    assert done.returncode == 0, done.stderr
    assert "IMDB reviews were not found" in done.stderr
    assert "NOT IMDB FIGURES" in done.stdout
    page = (tmp_path / "runs" / "small-generated" / "report.html").read_text()
    assert page.count("GENERATED DATA: THESE ARE NOT IMDB FIGURES") >= 2


def test_ctrl_c_says_what_was_kept_and_how_to_go_on(tmp_path: Path) -> None:
    import signal

    (tmp_path / "small.toml").write_text(STUDY.replace("[1, 2]", "[1, 400]"))
    # A job in the background inherits an ignored SIGINT; a person's terminal does not.
    as_from_a_terminal = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
        "os.execv(sys.executable, [sys.executable, '-m', 'sentilab', 'study', 'small.toml'])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", as_from_a_terminal],
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "epoch 3/400" in line:
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read()
    assert process.returncode == 130
    assert "1 of 2 trainings are left" in rest
    assert "sentilab study small.toml" in rest
