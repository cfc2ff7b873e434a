import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sentilab.cli import _extra_with

# SQLAlchemy 2.1 finds fault with MLflow 3's tables.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")

Sentilab = Callable[..., subprocess.CompletedProcess[str]]

STUDY = """
name = "small"
seeds = [1]
[data]
source = "reviews.csv"
words = 100
length = 8
[protocol]
name = "notebook"
[[run]]
name = "e{epochs}"
model = "mlp"
model_settings = { embedding = 4, units = 4 }
epochs = [1, 2]
[[run]]
name = "unflattened"
model = "mlp-unflattened"
epochs = 1
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """The folder in which small.toml's runs will lie; nothing is trained yet."""
    rows = [
        f'"a {word} film, number {n}",{label}'
        for n in range(40)
        for word, label in (("good", "positive"), ("bad", "negative"))
    ]
    (tmp_path / "reviews.csv").write_text("text,sentiment\n" + "\n".join(rows) + "\n")
    (tmp_path / "small.toml").write_text(STUDY)
    return tmp_path / "runs" / "small"


def in_mlflow(database: Path) -> dict[str, str]:
    """How each recorded run ended, by its name."""
    client = MlflowClient(tracking_uri=f"sqlite:///{database}")
    experiment = client.get_experiment_by_name("small")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    assert len({one.info.run_name for one in found}) == len(found)
    return {one.info.run_name: one.data.tags["status"] for one in found}


def test_a_study_is_recorded_as_it_goes_or_afterwards_and_once(
    sentilab: Sentilab, study: Path, tmp_path: Path
) -> None:
    done = sentilab("study", "small.toml", "--track", "mlflow", "--track", "tensorboard")
    assert done.returncode == 0, done.stderr
    ends = {"e1@notebook-1": "finished", "e2@notebook-1": "finished"}
    ends["unflattened@notebook-1"] = "refused"
    assert in_mlflow(tmp_path / "mlflow.db") == ends
    assert len(list((study / "tensorboard").glob("*/events.out.tfevents.*"))) == 3

    # The same again, by the study, by its folder and by a run's.
    assert sentilab("study", "small.toml", "--track", "mlflow").returncode == 0
    run = next(study.glob("mlp-b32-e1-*"))
    for folder, many in ((study, 3), (run, 1)):
        again = sentilab("track", str(folder), "--to", "mlflow", "--to", "tensorboard")
        assert again.returncode == 0, again.stderr
        assert again.stdout.count(f"0 recorded, {many} there already") == 2
    assert in_mlflow(tmp_path / "mlflow.db") == ends

    later = sentilab("track", str(study), "--to", f"mlflow=sqlite:///{tmp_path / 'later.db'}")
    assert "3 recorded" in later.stdout
    assert "mlflow ui --backend-store-uri sqlite:///" in later.stdout
    assert in_mlflow(tmp_path / "later.db") == ends


def test_a_tracker_that_fails_stops_no_study(
    sentilab: Sentilab, study: Path, tmp_path: Path
) -> None:
    (tmp_path / "blocked").write_text("no folder")
    done = sentilab(
        "study",
        "small.toml",
        "--track",
        "tensorboard=blocked",
        "--track",
        "mlflow=http://me:secret@127.0.0.1:9",
        "--track",
        "tensorboard=events",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("runs are no longer recorded there") == 2
    assert "sentilab track runs/small --to tensorboard=blocked" in done.stderr
    assert "secret" not in done.stdout + done.stderr
    assert (study / "report.html").exists()
    assert len(list((tmp_path / "events").glob("*/events.out.tfevents.*"))) == 3

    (tmp_path / "blocked").unlink()
    mended = sentilab("track", "runs/small", "--to", "tensorboard=blocked")
    assert "3 recorded" in mended.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("study", "small.toml", "--track", "wandb"), "there are mlflow"),
        (("study", "small.toml", "--track", "mlflow=mlruns"), "sqlite:///"),
        (("track", ".", "--to", "tensorboard"), "no study here"),
        (("track", "."), "--to"),
    ],
)
def test_a_mistake_is_answered_before_anything_is_trained(
    sentilab: Sentilab, study: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    done = sentilab(*arguments)
    assert done.returncode in (1, 2)
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert not study.exists()


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extras as pyproject.toml has them, whatever was there when Sentilab was installed."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    wanted = [f"{one}; extra == '{name}'" for name, some in extras.items() for one in some]
    monkeypatch.setattr(metadata, "requires", lambda _: wanted)


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("mlflow", "mlflow"),
        ("mlflow.entities", "mlflow"),
        ("tensorboardX", "tensorboard"),
        ("tensorboardX.proto", "tensorboard"),
    ],
)
def test_what_is_not_installed_is_named_with_its_extra(module: str, extra: str) -> None:
    assert _extra_with(module) == extra


@pytest.mark.parametrize(
    ("tracker", "module"), [("mlflow", "mlflow"), ("tensorboard", "tensorboardX")]
)
def test_a_missing_package_is_noticed_before_anything_is_trained(
    study: Path, tmp_path: Path, tracker: str, module: str
) -> None:
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from importlib import metadata\n"
        f"metadata.requires = lambda _: ['{module}; extra == \"{tracker}\"',"
        " 'mlflow-skinny>=3; extra == \"mlflow\"']\n"
        f"sys.argv = ['sentilab', 'study', 'small.toml', '--track', {tracker!r}]\n"
        "from sentilab.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert f'pip install "sentilab[{tracker}]"' in done.stderr
    assert not study.exists()
