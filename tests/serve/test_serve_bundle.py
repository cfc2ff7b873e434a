"""The command with a real bundle, from outside."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from sentilab.bundle import load

TEXTS = ["a fine and moving film", "dull, not worth the time", "", "Ein schöner Film 🎬"]


def test_served_bundles_answer_as_they_do_in_python(
    small_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    packed = shutil.make_archive(str(tmp_path / "mlp"), "zip", small_bundle("mlp"))
    paths = [str(small_bundle()), packed]
    with subprocess.Popen(
        [sys.executable, "-m", "sentilab", "serve", *paths, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            assert running.stdout is not None
            said = [running.stdout.readline() for _ in range(3)]
            assert said[0].startswith("small-bilstm1: ")
            assert said[1].startswith("small-mlp: ")
            url = re.search(r"http://127\.0\.0\.1:\d+", said[2])
            assert url, said
            with httpx.Client(
                base_url=url[0], timeout=30, transport=httpx.HTTPTransport(retries=20)
            ) as client:
                for path, name in zip(paths, ("small-bilstm1", "small-mlp"), strict=True):
                    predictor = load(path)
                    response = client.post(f"/v1/models/{name}/predict", json={"texts": TEXTS})
                    wanted = predictor.probabilities(TEXTS)
                    for answer, row in zip(response.json()["answers"], wanted, strict=True):
                        found = list(answer["probabilities"].values())
                        assert found == pytest.approx(row.tolist(), abs=1e-6)
                    why = client.post(f"/v1/models/{name}/explain", json={"text": TEXTS[0]}).json()
                    expected = predictor.explain(TEXTS[0])
                    assert why["side"] == expected.side
                    assert [one["text"] for one in why["pieces"]] == [
                        one for one, _ in expected.pieces
                    ]
                    assert client.get(f"/v1/models/{name}/card").text == predictor.card
            running.send_signal(signal.SIGINT)
            rest, log = running.communicate(timeout=30)
            assert running.returncode == 0, log
            assert rest == "Ended.\n"
            assert "moving" not in log
        finally:
            running.kill()
