"""JSON and TOML that may be damaged or made to harm -> plain values of a known form.

Python's own readers raise what they please for nesting without end or a number of 5,000 digits, and take
NaN for a number. Here whatever is wrong is a ValueError.
"""

import json
import math
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sentilab.errors import SentilabError

LONGEST_SHOWN = 100
# What a packed file may take, in bytes or in times its own size.
FREE = 128 << 20
MOST_TIMES = 100

Form = Any
"""What a value must be: a type, (type, ...) or None among them; [form] for a list of such; {key: form} for
an object that has these keys and others, a key that ends in "?" if it is there; {"*": form} for any keys.
"""

_NOUNS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
    None: "null",
}


def json_of(text: str | bytes) -> Any:
    """Parsed JSON; raises ValueError if it is none, or holds numbers that are none."""
    try:
        return json.loads(text, parse_float=_finite, parse_constant=_finite)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def toml_of(text: str) -> dict[str, Any]:
    """Parsed TOML; raises ValueError if it is none."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def json_file(path: Path, form: Form = object, advice: str = "") -> Any:
    """The content of a JSON file, which must have ``form``.

    Raises SentilabError naming the file, the place in it and ``advice``.
    """
    try:
        content = json_of(path.read_bytes())
        if fault := misfit(content, form):
            raise ValueError(fault)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise SentilabError(f"{path}: not valid ({said}){advice or '.'}") from error
    return content


def misfit(value: Any, form: Form, where: str = "") -> str:
    """Where ``value`` has another form, and what it must be; "" if it fits."""
    return next(_misfits(value, form, where), "")


def most_unpacked(path: Path) -> int:
    """How many bytes a packed file may come to before it is taken for one that was made to harm."""
    return max(FREE, MOST_TIMES * path.stat().st_size)


def too_large(size: int) -> str:
    """What an error says of a file that unpacks to ``size`` bytes, which are more."""
    return f"it unpacks to more than {size >> 20:,} MiB, far more than its size allows for"


def shown(value: object) -> str:
    """A value as an error may show it: cut where it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits
        text = f"a huge {type(value).__name__}"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def listed(names: Any, most: int = 12, mark: str = '"') -> str:
    """Names for an error, between marks: the first ``most`` of them, each cut where it is long."""
    names = list(names)
    some = ", ".join(f"{mark}{printable(str(one))}{mark}" for one in names[:most])
    return some if len(names) <= most else f"{some} and {len(names) - most:,} more"


def printable(text: str, most: int = 2 * LONGEST_SHOWN) -> str:
    """What an error may show: one line without control characters and half characters, cut if long."""
    text = " ".join(text[: 2 * most].splitlines())
    text = "".join(one if one.isprintable() else "�" for one in text)
    return text if len(text) <= most else f"{text[:most]}..."


def _misfits(value: Any, form: Form, where: str) -> Iterator[str]:
    if isinstance(form, Mapping):
        if not isinstance(value, dict):
            yield _must_be(where, value, dict)
            return
        for key, of_key in form.items():
            if key == "*":
                for name, one in value.items():
                    yield from _misfits(one, of_key, f"{where}.{printable(name)}")
            elif key.removesuffix("?") in value:
                name = key.removesuffix("?")
                yield from _misfits(value[name], of_key, f"{where}.{name}")
            elif not key.endswith("?"):
                yield f"{(where + '.' + key).lstrip('.')} is missing"
    elif isinstance(form, list):
        if not isinstance(value, list):
            yield _must_be(where, value, list)
            return
        for number, one in enumerate(value, start=1):
            yield from _misfits(one, form[0], f"{where}[{number}]")
    elif not _is_one(value, form):
        yield _must_be(where, value, form)


def _is_one(value: Any, form: Form) -> bool:
    if isinstance(form, tuple):
        return any(_is_one(value, one) for one in form)
    if form is None:
        return value is None
    if isinstance(value, bool) and form in (int, float):
        return False
    if form is float:
        try:
            return isinstance(value, int | float) and math.isfinite(value)
        except OverflowError:  # a whole number of hundreds of digits
            return False
    return isinstance(value, form)


def _must_be(where: str, value: object, form: Form) -> str:
    forms = form if isinstance(form, tuple) else (form,)
    wanted = " or ".join(_NOUNS.get(one, "another") for one in forms)
    return f"{where.lstrip('.') or 'it'} is {printable(shown(value))}; it must be {wanted}"


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{printable(text)} is no number that can be meant")
    return number
