import subprocess
import sys

import pytest

import sentilab


def test_every_public_name_is_there() -> None:
    for name in sentilab.__all__:
        assert getattr(sentilab, name) is not None
    assert dir(sentilab) == sorted(sentilab.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = sentilab.nothing_of_the_kind


def test_importing_the_package_imports_no_framework() -> None:
    code = "import sys, sentilab; print({'keras', 'jax', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
