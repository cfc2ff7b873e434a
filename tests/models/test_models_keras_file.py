"""A .keras file that was made to harm is refused before Keras does what it says."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from sentilab import models
from sentilab.errors import SentilabError
from sentilab.training.archive import keras_archive

Change = Callable[[dict[str, bytes]], Any]


@pytest.fixture(scope="module")
def members() -> dict[str, bytes]:
    """What a good file holds, by name."""
    task = models.Task(words=50, length=6, classes=2)
    content = keras_archive(models.build("mlp", task, {"embedding": 4, "units": 3}))
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def written(path: Path, members: dict[str, bytes], packed: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", packed) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def with_config(change: Callable[[dict[str, Any]], Any]) -> Change:
    def changed(members: dict[str, bytes]) -> None:
        plain = json.loads(members["config.json"])
        change(plain)
        members["config.json"] = json.dumps(plain).encode()

    return changed


def with_weights(change: Callable[[h5py.File, str], Any]) -> Change:
    def changed(members: dict[str, bytes]) -> None:
        buffer = io.BytesIO(members["model.weights.h5"])
        with h5py.File(buffer, "a") as file:
            names: list[str] = []
            file.visititems(lambda name, one: names.append(name) if hasattr(one, "shape") else None)
            shape = file[names[0]].shape
            del file[names[0]]
            change(file, names[0], shape)
        members["model.weights.h5"] = buffer.getvalue()

    return changed


def first_layer(plain: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in plain["config"]["layers"] if one["class_name"] == "Embedding")


def code(module: str, name: str) -> dict[str, Any]:
    config = {"command": "touch trace", "args": "touch trace", "name": "x"}
    return {"module": module, "class_name": name, "config": config, "registered_name": name}


FUNCTION = {"module": "keras.layers", "class_name": "function", "config": "TorchModuleWrapper"}
LAMBDA = {
    "module": "keras.layers",
    "class_name": "Lambda",
    "config": {"name": "x", "function": {"class_name": "__lambda__", "config": {"value": ["4w==", None, None]}}},
    "registered_name": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_config(lambda plain: first_layer(plain).update(code("os", "system"))), "Could not"),
        (with_config(lambda plain: first_layer(plain).update(code("subprocess", "Popen"))), "Could not"),
        (with_config(lambda plain: first_layer(plain).update(code("builtins", "exec"))), "Could not"),
        (with_config(lambda plain: first_layer(plain).update(code("keras.utils", "get_file"))), "."),
        (with_config(lambda plain: first_layer(plain).update(LAMBDA)), "lambda"),
        (with_config(lambda plain: plain.update(code("keras.config", "enable_unsafe_deserialization"))), "."),
        (
            with_config(lambda plain: first_layer(plain)["config"].update(output_dim=10**9)),
            ".",
        ),
        (
            with_config(lambda plain: first_layer(plain)["config"].update(input_dim=10**12)),
            "its layers have .* numbers",
        ),
        (
            with_config(lambda plain: plain["config"]["layers"][-1]["config"].update(activation=FUNCTION)),
            "keras.layers.TorchModuleWrapper is no function of a model",
        ),
        (lambda members: members.update({"config.json": b"[" * 100_000}), "nested too deeply"),
        (lambda members: members.update({"config.json": b"[]"}), "its configuration is no object"),
        (lambda members: members.update({"config.json": b'{"a": 1}'}), "it is no model"),
        (lambda members: members.update({"../up": b"x"}), "and nothing else"),
        (lambda members: members.update({"assets/x": b"x"}), "and nothing else"),
        (lambda members: members.pop("model.weights.h5"), "and nothing else"),
        (lambda members: members.update({"model.weights.h5": b"x" * 99}), "."),
        (
            with_weights(lambda file, name, _: file.create_dataset(name, (1 << 40,), "f4", chunks=(99,))),
            "do not lie in it",
        ),
        (
            with_weights(
                lambda file, name, shape: file.create_dataset(
                    name, shape, "f4", external=[("/etc/passwd", 0, 4 * int(np.prod(shape)))]
                )
            ),
            "do not lie in it",
        ),
        (
            with_weights(lambda file, name, _: file.update({name: h5py.ExternalLink("/etc/passwd", "/")})),
            "do not lie in it",
        ),
        (
            with_weights(lambda file, name, shape: file.create_dataset(name, data=np.full(shape, np.nan, "f4"))),
            "what is no number",
        ),
        (
            with_weights(lambda file, name, shape: file.create_dataset(name, data=np.zeros((*shape, 2), "f4"))),
            ".",
        ),
    ],
)  # fmt: skip
def test_a_file_that_was_made_to_harm_is_refused_and_named(
    members: dict[str, bytes], tmp_path: Path, change: Change, said: str, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    changed = dict(members)
    change(changed)
    path = written(tmp_path / "model.keras", changed)
    for kernels in ("auto", "keras"):
        with pytest.raises(SentilabError, match=said) as refused:
            models.load(path, kernels=kernels)  # type: ignore[arg-type]
        assert str(refused.value).startswith(f"{path}: Keras cannot load this model (")
        assert len(str(refused.value)) < 1_000
    assert [one.name for one in tmp_path.iterdir()] == ["model.keras"]


def test_a_packed_bomb_is_refused_by_what_it_says_of_itself(
    members: dict[str, bytes], tmp_path: Path
) -> None:
    changed = members | {"model.weights.h5": bytes(20 << 20)}
    path = written(tmp_path / "model.keras", changed, zipfile.ZIP_DEFLATED)
    with pytest.raises(SentilabError, match=r"model\.weights\.h5 would unpack to 20,971,520 bytes"):
        models.load(path)


def test_safe_mode_is_on_though_the_process_has_switched_it_off(
    members: dict[str, bytes], tmp_path: Path
) -> None:
    from keras.src.saving import serialization_lib

    changed = dict(members)
    with_config(lambda plain: first_layer(plain).update(LAMBDA))(changed)
    path = written(tmp_path / "model.keras", changed)
    keras.config.enable_unsafe_deserialization()
    try:
        with pytest.raises(SentilabError, match="lambda"):
            models.load(path)
    finally:
        serialization_lib.global_state.set_global_attribute("safe_mode_saving", None)


def test_other_endings_than_keras_are_refused(members: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(members["model.weights.h5"])
    with pytest.raises(SentilabError, match=r"must end in \.keras"):
        models.load(path)


def test_a_good_file_is_loaded_and_leaves_nothing_waiting(
    members: dict[str, bytes], tmp_path: Path
) -> None:
    from keras.src.backend.common import global_state

    model = models.load(written(tmp_path / "model.keras", members))
    assert model.predict(np.ones((2, 6), np.int32), verbose=0).shape == (2, 1)
    assert not global_state.get_global_attribute("uninitialized_variables")
