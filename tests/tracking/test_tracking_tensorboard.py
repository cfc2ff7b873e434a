import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

from sentilab import atomic
from sentilab.tracking import open_tracker
from sentilab.training import RunFolder

Ended = Callable[..., RunFolder]


def events(file: Path) -> Iterator[Any]:
    """The file's events; every length and every record must fit its checksum."""

    def masked(content: bytes) -> int:
        crc = crc32c(content)
        return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF

    content = file.read_bytes()
    while content:
        (length,), (check,) = struct.unpack("<Q", content[:8]), struct.unpack("<I", content[8:12])
        assert check == masked(content[:8])
        record = content[12 : 12 + length]
        assert struct.unpack("<I", content[12 + length : 16 + length]) == (masked(record),)
        yield Event.FromString(record)
        content = content[16 + length :]


def files(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file()]


def scalars(found: list[Any]) -> dict[str, list[tuple[int, float]]]:
    read: dict[str, list[tuple[int, float]]] = {}
    for event in found:
        for value in event.summary.value:
            if value.HasField("simple_value"):
                read.setdefault(value.tag, []).append((event.step, value.simple_value))
    return read


def test_a_run_reads_back_as_an_event_file(ended: Ended, tmp_path: Path) -> None:
    run = ended()
    assert open_tracker(f"tensorboard={tmp_path / 'tb'}").record(run, "mlp@holdout-297", "study")
    (file,) = files(tmp_path / "tb")
    assert file.parent.name == run.path.name
    assert file.name.startswith("events.out.tfevents.")
    found = list(events(file))
    assert found[0].file_version == "brain.Event:2"
    read = scalars(found)
    assert [step for step, _ in read["val_loss"]] == [1, 2]
    assert [value for _, value in read["val_loss"]] == pytest.approx([0.69, 0.6])
    assert read["test_accuracy"] == [(2, 0.625)]
    times = [one.wall_time for one in found if one.step]
    assert times == sorted(times)


def test_settings_and_tags_read_back_too(ended: Ended, tmp_path: Path) -> None:
    open_tracker(f"tensorboard={tmp_path / 'tb'}").record(ended(), "mlp@holdout-297", "study")
    values = {
        value.tag: value
        for event in events(files(tmp_path / "tb")[0])
        for value in event.summary.value
    }
    text = values["run/text_summary"].tensor.string_val[0].decode()
    assert "**mlp@holdout-297**" in text
    assert "| data_fingerprint | f1 |" in text
    start = values["_hparams_/session_start_info"].metadata.plugin_data.content
    settings = HParamsPluginData.FromString(start).session_start_info.hparams
    assert settings["model_settings.units"].number_value == 4
    assert settings["model"].string_value == "mlp"
    assert "_hparams_/session_end_info" in values


def test_it_lies_beside_the_runs_where_no_folder_is_named(ended: Ended) -> None:
    run, tracker = ended(), open_tracker("tensorboard")
    tracker.record(run, "mlp", "study")
    assert files(run.path.parent / "tensorboard" / run.path.name)
    assert str(run.path.parent / "tensorboard") in tracker.shown_by(run.path.parent)


def test_a_run_is_written_once(ended: Ended, tmp_path: Path) -> None:
    run, spec = ended(), f"tensorboard={tmp_path / 'tb'}"
    assert open_tracker(spec).record(run, "mlp", "study")
    before = [(one, one.stat().st_mtime_ns) for one in files(tmp_path / "tb")]
    assert not open_tracker(spec).record(run, "mlp", "study")
    assert [(one, one.stat().st_mtime_ns) for one in files(tmp_path / "tb")] == before


def test_a_run_that_failed_and_then_finished_is_written_anew(ended: Ended, tmp_path: Path) -> None:
    tracker = open_tracker(f"tensorboard={tmp_path / 'tb'}")
    assert tracker.record(ended("failed"), "mlp", "study")
    (failed,) = files(tmp_path / "tb")
    assert tracker.record(ended(), "mlp", "study")
    (finished,) = files(tmp_path / "tb")
    assert finished != failed
    assert "test_accuracy" in scalars(list(events(finished)))


def test_a_kill_leaves_no_half_of_a_file(
    ended: Ended, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, spec = ended(), f"tensorboard={tmp_path / 'tb'}"

    def killed(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True)
        path.with_name(f".1.partial.{path.name}").write_bytes(content[:100])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(atomic, "write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            open_tracker(spec).record(run, "mlp", "study")
    assert open_tracker(spec).record(run, "mlp", "study")
    (file,) = files(tmp_path / "tb")
    assert "test_accuracy" in scalars(list(events(file)))
