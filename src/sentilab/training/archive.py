"""A Keras model as the bytes of its file."""

import io
import json
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from sentilab import models


def keras_archive(model: Any) -> bytes:
    """The model as a .keras file whose bytes depend on the model alone.

    Keras stamps the time into the archive, and numbers shared objects by their address in memory;
    here every entry carries the zip format's earliest time, and they are numbered as they come. It is
    saved without optimizer, whose state is in state.safetensors while it is needed.
    """
    keras = models.import_keras()
    copy = _copied(keras, model)
    copy.set_weights(model.get_weights())
    plain = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        stamped = Path(folder, "model.keras")
        copy.save(stamped)
        with zipfile.ZipFile(stamped) as source, zipfile.ZipFile(plain, "w") as target:
            for name in sorted(source.namelist()):
                content = source.read(name)
                if name == "metadata.json":
                    content = json.dumps(json.loads(content) | {"date_saved": ""}).encode()
                if name == "config.json":
                    content = _renumbered(content)
                target.writestr(zipfile.ZipInfo(name), content)
    return plain.getvalue()


def _copied(keras: Any, model: Any) -> Any:
    """The same layers anew, compiled as the model is, where stock Keras can read how that is."""
    compiled = model.compiled
    try:
        keras.saving.deserialize_keras_object(model.get_compile_config())
    except (TypeError, ValueError):
        # An optimizer or a loss of our own: the answers do not depend on it.
        model.compiled = False
    try:
        return keras.models.clone_model(model)
    finally:
        model.compiled = compiled


def _renumbered(config: bytes) -> bytes:
    numbers: dict[bytes, int] = {}
    return re.sub(
        rb'("shared_object_id": )(\d+)',
        lambda found: found[1] + str(numbers.setdefault(found[2], len(numbers))).encode(),
        config,
    )
