import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import pytest

from sentilab import models
from sentilab.errors import SettingsError
from sentilab.models import Task, check_settings, registry

OWN = """
import keras
from sentilab.models import Task, head, register

@register("{name}", summary="the mean of the word vectors")
def averaging(task: Task, *, embedding: int = 8, dropout: float = 0.5) -> keras.Model:
    words = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(task.words, embedding)(words)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(words, head(keras.layers.Dropout(dropout)(x), task))
"""


@pytest.fixture(autouse=True)
def _registry_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test registers or loads is gone after it."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("sentilab_models_from_"):
            del sys.modules[name]


def test_the_built_in_models_are_known() -> None:
    notebook = {"bilstm2", "bilstm1", "mlp", "mlp-unflattened"}
    assert notebook | {"averaging", "fasttext", "cnn"} <= set(models.names())


def test_a_users_file_registers_a_model(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN.format(name="own-averaging"))
    models.load_models_from(file)
    models.load_models_from(file)  # a second time is no conflict
    assert models.describe("own-averaging").settings == {"embedding": 8, "dropout": 0.5}
    model = models.build("own-averaging", Task(20, 5, 2), {"dropout": 0})
    assert model.count_params() == 20 * 8 + 9


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "taken.py"
    file.write_text(OWN.format(name="mlp"))
    with pytest.raises(SettingsError, match="registered already"):
        models.load_models_from(file)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("x = 1", "registers no model"),
        ("1 / 0", "ZeroDivisionError"),
        ("def", "SyntaxError"),
        (None, "no such file"),
    ],
)
def test_a_file_that_brings_no_model_is_an_error(
    tmp_path: Path, content: str | None, complaint: str
) -> None:
    file = tmp_path / "bad.py"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=complaint):
        models.load_models_from(file)


@pytest.mark.parametrize(
    ("name", "settings", "complaint"),
    [
        ("bilstm", {}, 'Did you mean "bilstm'),
        ("mlp", {"unit": 3}, 'did you mean "units"'),
        ("mlp", {"depth": 3}, "embedding = 128, units = 64"),
        ("mlp", {"units": "64"}, "a whole number"),
        ("mlp", {"units": True}, "a whole number"),
        ("mlp", {"units": 0}, "at least 1"),
        ("mlp", {"units": 1.5}, "a whole number"),
    ],
)
def test_a_wrong_name_or_setting_is_answered_with_what_would_be_right(
    name: str, settings: dict[str, object], complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint):
        check_settings(name, settings)


@pytest.mark.parametrize(
    ("default", "good", "bad", "complaint"),
    [
        (0.5, 1, "much", "a number"),
        (0.5, 0.1, True, "a number"),
        (True, False, 1, "true or false"),
        ("relu", "tanh", 3, "a text"),
        (0, -1, 0.5, "a whole number"),
        ((1, 2), (3,), 5, "a tuple"),
    ],
)
def test_a_setting_must_be_of_its_defaults_type(
    default: object, good: object, bad: object, complaint: str
) -> None:
    @models.register("typed", summary="for the test")
    def typed(task: Task, *, setting: object = default, free: object = None) -> None: ...

    check_settings("typed", {"setting": good, "free": bad})
    with pytest.raises(SettingsError, match=complaint):
        check_settings("typed", {"setting": bad})


def no_task() -> None: ...
def open_ended(task: Task, **settings: int) -> None: ...
def positional(task: Task, units: int = 3) -> None: ...
def without_default(task: Task, *, units: int) -> None: ...
def keyword_task(*, task: Task) -> None: ...


@pytest.mark.parametrize(
    "function", [no_task, open_ended, positional, without_default, keyword_task]
)
def test_a_function_of_another_form_is_refused_with_an_example(function: object) -> None:
    with pytest.raises(SettingsError, match=r"task: Task, \*, embedding: int = 128"):
        models.register("formless", summary="")(function)  # type: ignore[type-var]
    assert "formless" not in models.names()


def test_a_notebooks_cell_may_be_run_again_but_not_take_anothers_name() -> None:
    for _ in range(2):

        @models.register("cell", summary="run twice")
        def cell(task: Task) -> None: ...

    with pytest.raises(SettingsError, match="registered already"):

        @models.register("cell", summary="another function")
        def other(task: Task) -> None: ...


def two_inputs(task: Task) -> keras.Model:
    one, other = keras.Input((None,)), keras.Input((None,))
    return keras.Model([one, other], one + other)


def wrong_length(task: Task) -> keras.Model:
    inputs = keras.Input((7,))
    return keras.Model(inputs, keras.layers.Dense(1)(inputs))


def no_inputs(task: Task) -> keras.Model:
    return keras.Sequential([keras.layers.Dense(1)])


def nothing(task: Task) -> None: ...


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (nothing, "returns None, which is no keras.Model"),
        (no_inputs, "begin with keras.Input"),
        (two_inputs, "2 inputs and 1 outputs"),
        (wrong_length, r"\(None, 7\), and texts come as \(None, 5\)"),
    ],
)
def test_what_is_no_model_of_texts_is_refused_when_it_is_built(
    function: object, complaint: str
) -> None:
    models.register("odd", summary="")(function)  # type: ignore[type-var]
    with pytest.raises(SettingsError, match=complaint):
        models.build("odd", Task(20, 5, 2))


def test_a_users_model_bears_its_registered_name_and_can_be_taken_apart(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN.format(name="own-averaging"))
    models.load_models_from(file)
    task = Task(20, 5, 3)
    parts = models.anatomy(models.build("own-averaging", task), task)
    assert (parts.model, parts.output_shape, parts.trainable) == (
        "own-averaging",
        "(None, 3)",
        True,
    )


def test_a_file_that_was_edited_replaces_its_models(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    for name in ("first", "second"):
        file.write_text(OWN.format(name=name))
        models.load_models_from(file)
    assert "second" in models.names()
    assert "first" not in models.names()


def test_a_file_that_fails_leaves_the_models_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN.format(name="whole"))
    models.load_models_from(file)
    before, parameters = models.names(), models.describe("whole").settings
    file.write_text(OWN.format(name="half") + "\nimport nowhere_to_be_found\n")
    line = len(file.read_text().splitlines())
    with pytest.raises(SettingsError, match=f"mine.py: .*line {line}: ModuleNotFoundError"):
        models.load_models_from(file)
    assert (models.names(), models.describe("whole").settings) == (before, parameters)


def test_a_script_that_exits_does_not_end_the_command(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text("raise SystemExit(0)")
    with pytest.raises(SettingsError, match="SystemExit"):
        models.load_models_from(file)


def test_a_users_file_may_define_classes_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "classes.py"
    file.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "@dataclass\nclass Sizes:\n    units: int = 3\n" + OWN.format(name="with-class")
    )
    models.load_models_from(file)
    assert "with-class" in models.names()


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "models.txt"
    file.write_text("")
    with pytest.raises(SettingsError, match=r"must end in \.py"):
        models.load_models_from(file)
