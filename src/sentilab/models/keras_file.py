"""A .keras file before Keras reads it: a model and nothing else, no larger than its weights say.

Keras itself refuses lambdas and whatever else would run code. But its configuration may ask for layers of
any size, its weights may be packed bombs, or lie in other files.
"""

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
WEIGHTS = "model.weights.h5"
LARGEST_CONFIG = 16 << 20
# Where Keras's functions of a model are; elsewhere in it a name may be that of a class.
FUNCTIONS = {"activations", "initializers", "losses", "metrics", "regularizers"}


def require_harmless(path: Path) -> None:
    """Raises ValueError, or zipfile's or HDF5's error, for what must not reach Keras."""
    if path.suffix != ".keras":
        raise ValueError("its name must end in .keras")
    with zipfile.ZipFile(path) as file:
        found = file.infolist()
        if len(found) != len(MEMBERS) or {one.filename for one in found} != MEMBERS:
            raise ValueError(f"it must hold {', '.join(sorted(MEMBERS))} and nothing else")
        for one in found:
            if one.file_size > max(LARGEST_CONFIG, one.compress_size) or one.flag_bits & 1:
                raise ValueError(f"{one.filename} would unpack to {one.file_size:,} bytes")
        try:
            config = json.loads(file.read("config.json"))
        except RecursionError as error:
            raise ValueError("its configuration is nested too deeply") from error
        with file.open(WEIGHTS) as weights:
            numbers = _numbers_in(weights)
    if not isinstance(config, dict):
        raise ValueError("its configuration is no object")
    _require_functions(config)
    wanted = _numbers_of(config)
    if wanted is not None and wanted > numbers:
        raise ValueError(f"its layers have {wanted:,} numbers, and its weights are {numbers:,}")


def require_finite(model: Any) -> None:
    """Raises ValueError if a weight is no number."""
    for one in model.variables:
        values = np.asarray(one.value)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"its weight {one.path} holds what is no number")


def _require_functions(config: Any) -> None:
    """Raises ValueError for a function that is one of Keras's classes, which would then be called."""
    parts = list(config.values()) if isinstance(config, dict) else config
    if not isinstance(parts, list):
        return
    if isinstance(config, dict) and config.get("class_name") == "function":
        package, _, name = str(config.get("module")).partition(".")
        if package == "keras" and name not in FUNCTIONS:
            raise ValueError(
                f"{config.get('module')}.{config.get('config')} is no function of a model"
            )
    for one in parts:
        _require_functions(one)


def _numbers_in(weights: Any) -> int:
    """How many numbers an HDF5 file holds. Raises ValueError for one that is not all there is to it."""
    import h5py

    numbers = 0

    # What a visitor returns ends the visit; h5py loses what it raises.
    def elsewhere(name: str, link: Any) -> str | None:
        return None if isinstance(link, h5py.HardLink) else name

    def not_all_there(name: str, one: Any) -> str | None:
        nonlocal numbers
        if not isinstance(one, h5py.Dataset):
            return None
        numbers += one.size
        apart = one.external or one.is_virtual or one.nbytes > one.id.get_storage_size()
        return name if apart else None

    with h5py.File(weights, "r") as file:
        name = file.visititems_links(elsewhere) or file.visititems(not_all_there)
    if name is not None:
        raise ValueError(f"the numbers of {name} do not lie in it")
    return numbers


def _numbers_of(config: dict[str, Any]) -> int | None:
    """How many numbers the variables of a model would hold, none of which is made; None if not known."""
    import keras
    from keras.src.backend.common import global_state
    from keras.src.backend.common.stateless_scope import StatelessScope

    waiting = global_state.get_global_attribute("uninitialized_variables", [])
    try:
        # Variables that are made within such a scope have a shape and no value until it ends.
        with StatelessScope():
            try:
                model = keras.saving.deserialize_keras_object(_not_compiled(config))
                if not isinstance(model, keras.Model):
                    raise ValueError("it is no model")
                return sum(int(math.prod(one.shape)) for one in model.weights)
            finally:
                global_state.set_global_attribute("uninitialized_variables", [])
    except ValueError as error:
        # A layer of a user's own may have a way of its own to make variables.
        if "stateless scope" not in str(error):
            raise
        return None
    finally:
        global_state.set_global_attribute("uninitialized_variables", waiting)


def _not_compiled(config: Any) -> Any:
    """The configuration without optimizers, whose variables are made at once."""
    if isinstance(config, dict):
        return {k: _not_compiled(one) for k, one in config.items() if k != "compile_config"}
    return [_not_compiled(one) for one in config] if isinstance(config, list) else config
