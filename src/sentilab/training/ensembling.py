"""An ensemble's settings: its members, and how they are weighed. What is made of them: combining.

The settings hold those of every member, so that they say all that decides the ensemble's weights:

    model = "ensemble"
    model_settings = { kind = "stacking", folds = 5, members = [{ model = "mlp", ... }, ...] }

What the members have in common with the ensemble (``SHARED``) is left out of their tables.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from sentilab import models
from sentilab.errors import SettingsError
from sentilab.models.ensemble import NAME
from sentilab.readable import shown
from sentilab.training.folds import inner_fold_settings
from sentilab.training.require import require
from sentilab.training.settings import MOST_FOLDS, RunSettings

ENSEMBLE = NAME

Kind = Literal["averaging", "stacking"]

# Settings that a member has from the ensemble, unless its table says otherwise.
SHARED = (
    "seed",
    "protocol",
    "validation_fraction",
    "split_seed",
    "kernels",
    "folds",
    "fold",
    "inner_folds",
    "inner_fold",
)
# Of these, what decides the test part: members that differ here were judged on other texts.
SAME = ("protocol", "folds", "fold", "inner_folds", "inner_fold")


@dataclass(frozen=True)
class How:
    """How an ensemble weighs its members.

    "averaging": equally, after each one's temperature was fitted on the validation texts if
    ``calibrated``. "stacking": as a logistic regression finds, on the validation texts, or, with
    ``folds``, on out-of-fold answers to all texts that train or validate, scaled and shifted as a whole
    to fit the validation texts, where there are such. ``nonnegative`` keeps weights at 0 or above.
    """

    kind: Kind = "averaging"
    calibrated: bool = False
    folds: int | None = None
    nonnegative: bool = True

    def __post_init__(self) -> None:
        """Raises SettingsError for a kind that does not exist or settings of the other kind."""
        if self.kind not in get_args(Kind):
            raise SettingsError(
                f'An ensemble\'s kind is {shown(self.kind)}; it must be "averaging" or "stacking".'
            )
        if self.kind == "stacking" and self.calibrated:
            raise SettingsError(
                "An ensemble that stacks finds every member's weight, and needs no calibration.\n"
                '  Leave out calibrated, or take kind = "averaging".'
            )
        if self.folds is None:
            return
        if self.kind == "averaging":
            raise SettingsError(
                "An ensemble that averages learns nothing from folds.\n"
                '  Leave out folds, or take kind = "stacking".'
            )
        require("An ensemble's folds", self.folds, int, lowest=2, highest=MOST_FOLDS)


def ensemble_settings(members: Sequence[RunSettings], how: How | None = None) -> RunSettings:
    """The settings of the ensemble of runs with these settings; seeds and splits are the first's.

    Raises SettingsError for fewer than two members, one that is there twice, an ensemble among them,
    or members that were tested on different parts.
    """
    if len(members) < 2:
        raise SettingsError(f"An ensemble needs two runs or more; {len(members)} is named.")
    first = members[0]
    for number, one in enumerate(members):
        if one.model == ENSEMBLE:
            raise SettingsError(
                "An ensemble cannot be a member of another. Name the members of both."
            )
        if one in members[:number]:
            raise SettingsError(
                f"The same run ({one.model}, seed {one.seed}) is named twice; an ensemble needs "
                "runs that differ."
            )
        for key in SAME:
            if getattr(one, key) != getattr(first, key):
                raise SettingsError(
                    f"The members of an ensemble must be tested on the same texts, and {key} is "
                    f"{getattr(first, key)!r} for {first.model}, {getattr(one, key)!r} for "
                    f"{one.model}."
                )
    shared = {key: getattr(first, key) for key in SHARED}
    if any(one.kernels != first.kernels for one in members):
        shared["kernels"] = None
    tables = [
        {
            key: value
            for key, value in one.to_dict().items()
            if key not in SHARED or value != shared[key]
        }
        for one in members
    ]
    how = how or How()
    own = {one.name: getattr(how, one.name) for one in fields(How)}
    told = {key: value for key, value in own.items() if value != getattr(How(), key)}
    return RunSettings(
        model=ENSEMBLE,
        model_settings={"members": tables, "kind": how.kind, **told},
        epochs=1,
        words=max(one.words for one in members),
        length=max(one.length for one in members),
        **shared,
    )


def how_of(settings: RunSettings) -> How:
    """How the ensemble with these settings weighs. Raises SettingsError if it cannot be meant."""
    own = {key: value for key, value in settings.model_settings.items() if key != "members"}
    models.check_settings(ENSEMBLE, settings.model_settings)
    return How(**own)


def title(model_settings: Mapping[str, Any]) -> str:
    """An ensemble in a few words, such as "average of bilstm1 + 2 mlp"."""
    counted = Counter(one["model"] for one in model_settings["members"])
    parts = (name if many == 1 else f"{many} {name}" for name, many in counted.items())
    how = {"averaging": "average", "stacking": "stack"}[model_settings.get("kind", "averaging")]
    calibrated = "calibrated " if model_settings.get("calibrated") else ""
    return f"{calibrated}{how} of {' + '.join(parts)}"


def members_of(settings: RunSettings) -> tuple[RunSettings, ...]:
    """The settings of the members. Raises SettingsError if there are not two or more."""
    tables = settings.model_settings.get("members")
    if (
        not isinstance(tables, list | tuple)
        or len(tables) < 2
        or not all(isinstance(one, dict) for one in tables)
    ):
        models.build(
            ENSEMBLE, models.Task(settings.words, settings.length, 2)
        )  # which says what to do
    shared = {key: value for key, value in settings.to_dict().items() if key in SHARED}
    return tuple(RunSettings.from_dict({**shared, **one}) for one in tables or ())


def needed_folds(settings: RunSettings) -> tuple[RunSettings, ...]:
    """The runs, beside the members, whose answers the ensemble learns its weights from."""
    folds = how_of(settings).folds
    if folds is None:
        return ()
    members = members_of(settings)
    return tuple(fold for one in members for fold in inner_fold_settings(one, folds))
