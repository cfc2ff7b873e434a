"""A folder with texts that nobody has labelled, for studies that read such."""

from pathlib import Path

import pytest

from sentilab.data.generated import generate


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder; more.txt in it has a text a line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more.txt").write_text("\n".join(generate(train=60, test=0, seed=1).texts) + "\n")
    return tmp_path
