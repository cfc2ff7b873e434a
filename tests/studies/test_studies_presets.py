import pytest

from sentilab import models
from sentilab.errors import SettingsError
from sentilab.studies import presets


@pytest.mark.parametrize("name", presets.packaged())
def test_every_packaged_preset_can_be_read_and_opens_with_what_it_achieves(name: str) -> None:
    preset = presets.read(name)
    assert preset.settings.model in models.names()
    text = presets.packaged()[name].read_text()
    assert text.startswith("# ")
    assert f"sentilab train --preset {name}" in text


def test_the_candidates_are_in_order_and_the_first_needs_no_training() -> None:
    places = [one.place for one in presets.candidates()]
    assert places == sorted(set(places))
    assert presets.candidates()[0].settings.model == "majority"


def test_a_preset_has_the_models_defaults_unless_it_says_otherwise() -> None:
    text = 'summary = "s"\n[run]\nmodel = "fasttext"\nepochs = 9\n'
    settings = presets.parse(text, "mine").settings
    defaults = models.describe("fasttext").defaults
    assert settings.epochs == 9 != defaults["epochs"]
    assert settings.length == defaults["length"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('summary = "s"\n[run]\nmodel = "nothing"', 'mine.toml, run: There is no model "nothing"'),
        ('summary = "s"\n[run]\nmodel = "mlp"\nepoch = 3', "mine.toml, run.epoch"),
        ('summary = "s"\n[run]\nmodel = "mlp"\nseed = 3', "mine.toml, run.seed"),
        ('summary = "s"\n[run]\nmodel = "mlp"\nepochs = 0', "mine.toml, run: epochs is 0"),
        ('summary = "s"\nplace = "first"\n[run]\nmodel = "mlp"', "mine.toml, place"),
        ('summary = "s"\nsome = 1\n[run]\nmodel = "mlp"', "mine.toml, some: unknown key"),
        ('[run]\nmodel = "mlp"', "mine.toml, summary: is missing"),
        ('summary = "s"', "mine.toml, run: is missing"),
        ("summary =", "mine.toml: not valid TOML"),
    ],
)
def test_a_preset_that_is_wrong_is_told_where(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as told:
        presets.parse(text, "mine")
    assert complaint in str(told.value)


def test_an_unknown_preset_is_told_the_nearest() -> None:
    with pytest.raises(SettingsError, match='Did you mean "fasttext"'):
        presets.read("fastext")
