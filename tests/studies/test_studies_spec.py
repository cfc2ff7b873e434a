from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentilab import studies
from sentilab.errors import SettingsError
from sentilab.training.ensembling import members_of


def written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


GRID = """
seeds = [1, 2]
[data]
source = "generated"
words = 500
[defaults]
epochs = 3
[[run]]
name = "b{batch_size}-u{units}"
title = "Batch {batch_size}, {units} units"
model = "mlp"
batch_size = [16, 32]
model_settings = { units = [8, 16], embedding = 4 }
"""


def test_lists_span_a_grid(tmp_path: Path) -> None:
    spec = studies.read(written(tmp_path, GRID))
    assert [one.name for one in spec.runs] == ["b16-u8", "b16-u16", "b32-u8", "b32-u16"]
    last = spec.runs[-1]
    assert last.title == "Batch 32, 16 units"
    assert last.settings.model_settings == {"units": 16, "embedding": 4}
    assert (last.settings.batch_size, last.settings.epochs, last.settings.words) == (32, 3, 500)
    assert spec.seeds == (1, 2)
    assert spec.protocols == ("holdout",)


def test_a_run_has_options_of_training_and_an_encoding_of_its_own(tmp_path: Path) -> None:
    text = """
    [data]
    words = 500
    [defaults]
    averaging = { kind = "ema", decay = 0.9 }
    [[run]]
    name = "l{length}-{adversarial[radius]}"
    model = "recurrent"
    length = [20, 40]
    adversarial = [{ kind = "virtual", radius = 2.0 }, { kind = "virtual", radius = 4.0 }]
    bucketed = true
    clip_norm = 1.0
    """
    runs = studies.read(written(tmp_path, text)).runs
    assert [one.name for one in runs] == ["l20-2.0", "l20-4.0", "l40-2.0", "l40-4.0"]
    last = runs[-1].settings
    assert (last.words, last.length, last.bucketed, last.clip_norm) == (500, 40, True, 1.0)
    assert last.averaging is not None
    assert last.averaging.decay == 0.9
    assert last.adversarial is not None
    assert last.adversarial.radius == 4.0


def test_the_packaged_study_has_the_notebooks_runs_and_questions() -> None:
    spec = studies.read("homework")
    assert len(spec.runs) == 13
    assert sum(one.settings.model == "mlp-unflattened" for one in spec.runs) == 1
    recorded = {one.name: one.recorded.accuracy for one in spec.runs if one.recorded}
    assert recorded["two-layers-batch-32"] == 0.8648
    assert recorded["two-layers-batch-16"] == 0.8479
    assert recorded["two-layers-batch-64"] == 0.8669
    assert recorded["two-layers-5-epochs"] == 0.8517
    assert recorded["mlp-1-epoch-batch-32"] == 0.8726
    assert spec.protocols == ("notebook",)
    assert [one.kind for one in spec.questions][:3] == ["data", "summary", "compare"]


@pytest.mark.parametrize(
    ("change", "where", "hint"),
    [
        (("epochs = 3", "epoch = 3"), "mine.toml, defaults.epoch", 'did you mean "epochs"'),
        (("epochs = 3", 'epochs = "3"'), "run[1]", "must be a whole number"),
        (("epochs = 3", "epochs = 0"), "run[1]", "at least 1"),
        (('model = "mlp"', 'model = "mpl"'), "run[1]", "mlp"),
        (('model = "mlp"', ""), "run[1].model", "is missing"),
        (("units = [8, 16]", "unit = 8"), "run[1]", "units"),
        (("batch_size = [16, 32]", "batch_size = []"), "run[1].batch_size", "at least one value"),
        (("seeds = [1, 2]", "seeds = [1, 1]"), "seeds", "different"),
        (("seeds = [1, 2]", 'seeds = "1"'), "seeds", "whole numbers"),
        (("b{batch_size}-u{units}", "same"), "run", "needs its settings in braces"),
        (("b{batch_size}-u{units}", "{batch}"), "run[1].name", "batch_size"),
        (("[data]", "[date]"), "date", 'did you mean "data"'),
        (("words = 500", "words = 2"), "run[1]", "words is 2"),
        (("[defaults]", '[protocol]\nname = "test"\n[defaults]'), "protocol.name", '"both"'),
        (("[defaults]", "[defaults]\nschedule = 'cosine'"), "schedule", "must be a table"),
        (("[defaults]", "[defaults]\naveraging = { decays = 1 }"), "averaging.decays", '"decay"'),
        (("[defaults]", "[defaults]\nadversarial = { radius = -1 }"), "run[1]", "at least 0"),
        (("[defaults]", "[defaults]\nearly_stopping = 3"), "early_stopping", "must be a table"),
        (
            ("[defaults]", "[defaults]\nearly_stopping = { patients = 3 }"),
            "early_stopping.patients",
            "patience",
        ),
        (
            ("[[run]]", '[[question]]\nkind = "why"\ntitle = ""\nasks = ""\n[[run]]'),
            "question[1].kind",
            "compare",
        ),
        (
            (
                "[[run]]",
                '[[question]]\nkind = "best"\ntitle = ""\nasks = ""\nruns = ["b16-u9"]\n[[run]]',
            ),
            "question[1].runs",
            "b16-u8",
        ),
    ],
)
def test_an_error_names_the_file_the_key_and_what_would_be_right(
    change: tuple[str, str], where: str, hint: str, tmp_path: Path
) -> None:
    text = GRID.replace(*change)
    assert text != GRID
    with pytest.raises(SettingsError) as caught:
        studies.read(written(tmp_path, text))
    assert "mine.toml" in str(caught.value)
    assert where in str(caught.value)
    assert hint in str(caught.value)


def test_a_file_that_is_not_toml_is_an_error_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"mine\.toml: not valid TOML.*line 1"):
        studies.read(written(tmp_path, "seeds = ]"))


def test_an_unknown_study_is_an_error_that_lists_the_packaged_ones() -> None:
    with pytest.raises(SettingsError, match="homework"):
        studies.read("homwork")


def test_a_study_without_runs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no runs"):
        studies.read(written(tmp_path, 'title = "empty"'))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "run", "model", "epochs", "data", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["name", "title", "seeds", "data", "protocol", "defaults", "run", "question", "odd"]
        ),
        json_like,
    )
)
def test_no_document_makes_the_reader_fail_otherwise_than_by_a_settings_error(
    document: dict[str, object],
) -> None:
    from sentilab.studies.spec import _study, _Table

    with suppress(SettingsError):
        _study(_Table(document, "file", ""), Path("file.toml"))


ENSEMBLE = """
[[run]]
name = "one"
model = "mlp"
[[run]]
name = "two"
model = "mlp"
epochs = 3
[[run]]
name = "both"
ensemble = ["one", "two"]
model_settings = { kind = "stacking" }
"""


def test_an_ensemble_is_made_of_the_runs_it_names(tmp_path: Path) -> None:
    spec = studies.read(written(tmp_path, ENSEMBLE))
    one, two, both = spec.runs
    assert (both.name, both.settings.model) == ("both", "ensemble")
    assert members_of(both.settings) == (one.settings, two.settings)


@pytest.mark.parametrize(
    ("change", "where", "hint"),
    [
        (('["one", "two"]', '["one", "too"]'), "run[3].ensemble", 'did you mean "two"'),
        (('["one", "two"]', '"one"'), "run[3].ensemble", "list of texts"),
        (('["one", "two"]', '["one"]'), "run[3]", "two runs or more"),
        (('"stacking"', '"voting"'), "run[3]", "averaging"),
        (("{ kind", "{ kinds"), "run[3].model_settings.kinds", 'did you mean "kind"'),
        (("model_settings = {", "epochs = 2 # {"), "run[3].epochs", "unknown key"),
    ],
)
def test_a_mistake_in_an_ensemble_is_named(
    change: tuple[str, str], where: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError) as error:
        studies.read(written(tmp_path, ENSEMBLE.replace(*change)))
    assert where in str(error.value)
    assert hint in str(error.value)


@pytest.mark.parametrize("name", studies.packaged())
def test_every_packaged_study_can_be_read(name: str) -> None:
    spec = studies.read(name)
    asked = {run for question in spec.questions for run in question.runs}
    assert spec.name == name
    assert asked <= {one.name for one in spec.runs}


# What benchmarks/fuzz_inputs.py found.

RUN = '[[run]]\nmodel = "mlp"\n'
MANY = list(range(1, 10_001))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{RUN}batch_size = {MANY}\nepochs = {MANY}\nlearning_rate = {MANY}", "1,000,000,000,000 runs"),
        (f"seeds = {MANY}\n{RUN}epochs = [1, 2]", "more than the 10,000 trainings"),
        (f"seeds = [{2**32}]\n{RUN}", "seeds"),
        (f"{RUN}epochs = {10**30}", "epochs is 10{30}; it must be at most"),
        (f"{RUN}epochs = 0x{'f' * 5000}", "epochs is a huge int"),
        (f"epochs = {'9' * 5000}", "not valid TOML"),
        ("a = " + "[" * 5000 + "]" * 5000, "not valid TOML: nested too deeply"),
        ("a." * 50_000 + "a = 1", "a key has more parts"),
        ('[[run]]\nmodel = "mlp"\nname = "{batch_size:>999999999}"\nbatch_size = 1', "cannot be filled in"),
        ('[[run]]\nmodel = "mlp"\nname = "{model.__class__.__mro__}"', "cannot be filled in"),
        ('[[run]]\nmodel = {}\nname = "a"', "There is no model"),
        ('[[run]]\nmodel = "mlp"\nmodel_settings = { units = nan }', "units"),
        ('[[run]]\nmodel = "mlp"\nschedule = { kind = [] }', r"schedule.kind is \[\]"),
        (f'[[run]]\nmodel = "mlp"\nmodel_settings = "{"a" * 70_000}"', "model_settings: is 'aaa"),
        ('[[run]]\nmodel = "mlp"\nname = "\\u001b[2J"', "must be one line"),
        (f'{RUN}[[run]]\nensemble = [{"x" * 3!r}]', "there is no run"),
        ("#" * (2 << 20), "larger than a study file"),
    ],
)  # fmt: skip
def test_a_study_that_was_made_to_harm_is_refused_at_once_in_few_words(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        studies.read(written(tmp_path, text))
    assert "mine.toml" in str(refused.value)
    assert len(str(refused.value)) < 1_000
    assert str(refused.value).isprintable()


def test_folds_without_end_are_refused_before_they_are_planned(tmp_path: Path) -> None:
    folds = "ensemble = ['a', 'b']\nmodel_settings = { kind = 'stacking', folds = 1_000_000_000 }"
    runs = "[[run]]\nname = 'a'\nmodel = 'mlp'\n[[run]]\nname = 'b'\nmodel = 'bilstm1'\n"
    with pytest.raises(SettingsError, match="folds is 1000000000; it must be at most 1000"):
        studies.read(written(tmp_path, f"{runs}[[run]]\n{folds}"))


def test_the_largest_study_that_may_be_is_planned_in_seconds(tmp_path: Path) -> None:
    from sentilab.studies.plan import plan

    spec = studies.read(written(tmp_path, f"seeds = {MANY[:2_000]}\n{RUN}epochs = [1, 2, 3, 4, 5]"))
    planned = plan(spec, tmp_path, "0" * 64)
    assert len(planned.trainings) == 10_000
    assert sum(one.continues is not None for one in planned.trainings) == 8_000
