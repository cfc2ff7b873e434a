"""An ONNX file's content as plain values, read without onnx or protobuf, and refused unless plain.

Only what a bundle's graph may consist of is known here: nodes of numbers and texts, constants whose
values stand in the file, one input, one output. Subgraphs, functions, data in other files, and fields
that are not listed are refused, so that no other reader can find more in the bytes than was checked.

Source: onnx.proto, github.com/onnx/onnx; the wire format, protobuf.dev/programming-guides/encoding.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["int", "ints", "float", "floats", "text", "texts", "bytes", "message", "messages"]

# Parts of one message; the largest graphs made have some sixty nodes.
MOST_FIELDS = 10_000
# Values of a constant written one by one rather than as raw bytes: scales and zero points.
MOST_LISTED = 4_096
MOST_DIMENSIONS = 8

TYPES: Mapping[int, np.dtype[Any]] = MappingProxyType(
    {
        1: np.dtype("<f4"),
        2: np.dtype("u1"),
        3: np.dtype("i1"),
        6: np.dtype("<i4"),
        7: np.dtype("<i8"),
        9: np.dtype("?"),
        12: np.dtype("<u4"),
    }
)

_MODEL: dict[int, tuple[str, Kind]] = {
    1: ("ir_version", "int"),
    2: ("producer_name", "text"),
    3: ("producer_version", "text"),
    4: ("domain", "text"),
    5: ("model_version", "int"),
    6: ("doc_string", "text"),
    7: ("graph", "message"),
    8: ("opset_import", "messages"),
    14: ("metadata_props", "messages"),
}
_OPSET: dict[int, tuple[str, Kind]] = {1: ("domain", "text"), 2: ("version", "int")}
_ENTRY: dict[int, tuple[str, Kind]] = {1: ("key", "text"), 2: ("value", "text")}
_GRAPH: dict[int, tuple[str, Kind]] = {
    1: ("node", "messages"),
    2: ("name", "text"),
    5: ("initializer", "messages"),
    10: ("doc_string", "text"),
    11: ("input", "messages"),
    12: ("output", "messages"),
    13: ("value_info", "messages"),
}
_NODE: dict[int, tuple[str, Kind]] = {
    1: ("input", "texts"),
    2: ("output", "texts"),
    3: ("name", "text"),
    4: ("op_type", "text"),
    5: ("attribute", "messages"),
    6: ("doc_string", "text"),
    7: ("domain", "text"),
}
_ATTRIBUTE: dict[int, tuple[str, Kind]] = {
    1: ("name", "text"),
    2: ("f", "float"),
    3: ("i", "int"),
    4: ("s", "text"),
    8: ("ints", "ints"),
    13: ("doc_string", "text"),
    20: ("type", "int"),
}
_ATTRIBUTE_TYPES = {1: "f", 2: "i", 3: "s", 7: "ints"}
_TENSOR: dict[int, tuple[str, Kind]] = {
    1: ("dims", "ints"),
    2: ("data_type", "int"),
    4: ("float_data", "floats"),
    5: ("int32_data", "ints"),
    7: ("int64_data", "ints"),
    8: ("name", "text"),
    9: ("raw_data", "bytes"),
    12: ("doc_string", "text"),
    14: ("data_location", "int"),
}
_VALUE: dict[int, tuple[str, Kind]] = {
    1: ("name", "text"),
    2: ("type", "message"),
    3: ("doc_string", "text"),
}
_TYPE: dict[int, tuple[str, Kind]] = {1: ("tensor_type", "message"), 6: ("denotation", "text")}
_TENSOR_TYPE: dict[int, tuple[str, Kind]] = {1: ("elem_type", "int"), 2: ("shape", "message")}
_SHAPE: dict[int, tuple[str, Kind]] = {1: ("dim", "messages")}
_DIMENSION: dict[int, tuple[str, Kind]] = {
    1: ("dim_value", "int"),
    2: ("dim_param", "text"),
    3: ("denotation", "text"),
}

Attribute = int | float | str | tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One operation; an input or output that is left out is ""."""

    operator: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True)
class Declared:
    """A tensor's name, type and dimensions: a number, or a name where any number will do."""

    name: str
    type: np.dtype[Any]
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Graph:
    """Nodes in the file's order, constants by name, and what goes in and out."""

    ir_version: int
    opsets: Mapping[str, int]
    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[Any]]
    inputs: tuple[Declared, ...]
    outputs: tuple[Declared, ...]


def read_graph(content: bytes) -> Graph:
    """Constants are views of ``content``, not copies. Raises ValueError, saying what and where."""
    model = _fields(memoryview(content), "the file", _MODEL)
    if "graph" not in model:
        raise ValueError("the file holds no graph")
    opsets: dict[str, int] = {}
    for one in model.get("opset_import", ()):
        entry = _fields(one, "an operator set", _OPSET)
        domain = entry.get("domain", "")
        if domain in opsets:
            raise ValueError(f'the operator set "{_short(domain)}" is named twice')
        opsets[domain] = entry.get("version", 0)
    for one in model.get("metadata_props", ()):
        _fields(one, "the metadata", _ENTRY)
    graph = _fields(model["graph"], "the graph", _GRAPH)
    for one in graph.get("value_info", ()):
        _declared(one)
    return Graph(
        ir_version=model.get("ir_version", 0),
        opsets=opsets,
        nodes=tuple(_node(one, n) for n, one in enumerate(graph.get("node", ()))),
        constants=_constants(graph.get("initializer", ())),
        inputs=tuple(_declared(one) for one in graph.get("input", ())),
        outputs=tuple(_declared(one) for one in graph.get("output", ())),
    )


def _node(content: memoryview, number: int) -> Node:
    where = f"node {number}"
    node = _fields(content, where, _NODE)
    attributes: dict[str, Attribute] = {}
    for one in node.get("attribute", ()):
        attribute = _fields(one, f"an attribute of {where}", _ATTRIBUTE)
        name, kind = attribute.get("name", ""), attribute.get("type", 0)
        if name in attributes:
            raise ValueError(f'{where} has the attribute "{_short(name)}" twice')
        if kind not in _ATTRIBUTE_TYPES:
            raise ValueError(
                f'{where}: the attribute "{_short(name)}" is neither a number, a text nor whole numbers'
            )
        wanted = _ATTRIBUTE_TYPES[kind]
        if set(attribute) - {"name", "type", "doc_string", wanted}:
            raise ValueError(f'{where}: the attribute "{_short(name)}" has values of two types')
        empty: dict[str, Attribute] = {"f": 0.0, "i": 0, "s": "", "ints": ()}
        value = attribute.get(wanted, empty[wanted])
        attributes[name] = tuple(value) if wanted == "ints" else value
    return Node(
        node.get("op_type", ""),
        node.get("domain", ""),
        tuple(node.get("input", ())),
        tuple(node.get("output", ())),
        attributes,
    )


def _constants(contents: list[memoryview]) -> dict[str, NDArray[Any]]:
    constants: dict[str, NDArray[Any]] = {}
    for content in contents:
        tensor = _fields(content, "a constant", _TENSOR)
        name = tensor.get("name", "")
        if not name or name in constants:
            raise ValueError(f'the constant "{_short(name)}" has no name of its own')
        try:
            constants[name] = _values(tensor)
        except ValueError as error:
            raise ValueError(f'the constant "{_short(name)}": {error}') from None
    return constants


def _values(tensor: Mapping[str, Any]) -> NDArray[Any]:
    if tensor.get("data_location"):
        raise ValueError("its values lie in another file")
    number = tensor.get("data_type", 0)
    if number not in TYPES or TYPES[number] == np.dtype("?"):
        raise ValueError(f"values of type {number} are not among those that a bundle may hold")
    kind = TYPES[number]
    shape = tuple(tensor.get("dims", ()))
    count = _count(shape)
    given = [one for one in ("raw_data", "float_data", "int32_data", "int64_data") if one in tensor]
    if len(given) != 1 and count:
        raise ValueError(f"its values stand in {len(given)} places; it must be one")
    if not given:
        return np.zeros(shape, kind)
    if given == ["raw_data"]:
        raw = tensor["raw_data"]
        if len(raw) != count * kind.itemsize:
            raise ValueError(
                f"{len(raw):,} bytes where its shape {shape} asks for {count * kind.itemsize:,}"
            )
        return np.frombuffer(raw, kind).reshape(shape)
    wanted = {"<f4": "float_data", "<i8": "int64_data", "<u4": ""}.get(kind.str, "int32_data")
    values = tensor[given[0]]
    if given != [wanted] or len(values) != count or count > MOST_LISTED:
        raise ValueError(
            f"{len(values):,} values in {given[0]} do not fit its shape {shape} or type"
        )
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        if not all(limits.min <= one <= limits.max for one in values):
            raise ValueError("a value is too large for its type")
    return np.array(values, kind).reshape(shape)


def _count(shape: tuple[int, ...]) -> int:
    if len(shape) > MOST_DIMENSIONS or any(one < 0 for one in shape):
        raise ValueError(f"{shape[: MOST_DIMENSIONS + 1]} is no shape")
    return math.prod(shape)


def _declared(content: memoryview) -> Declared:
    value = _fields(content, "a declaration", _VALUE)
    name = value.get("name", "")
    where = f'the declaration of "{_short(name)}"'
    kind = _fields(value.get("type", memoryview(b"")), where, _TYPE)
    tensor = _fields(kind.get("tensor_type", memoryview(b"")), where, _TENSOR_TYPE)
    if tensor.get("elem_type", 0) not in TYPES:
        raise ValueError(f"{where}: it is no tensor of a type that a bundle may hold")
    shape = _fields(tensor.get("shape", memoryview(b"")), where, _SHAPE)
    dimensions: list[int | str] = []
    for one in shape.get("dim", ()):
        dimension = _fields(one, where, _DIMENSION)
        if "dim_value" in dimension and "dim_param" in dimension:
            raise ValueError(f"{where}: a dimension is both a number and a name")
        dimensions.append(dimension.get("dim_value", dimension.get("dim_param", "")))
    return Declared(name, TYPES[tensor["elem_type"]], tuple(dimensions))


def _fields(
    content: memoryview, where: str, known: Mapping[int, tuple[str, Kind]]
) -> dict[str, Any]:
    """A message's fields by name; of repeated ones a list.

    Raises ValueError for a field that is not ``known``, or stands twice where it may stand once.
    """
    found: dict[str, Any] = {}
    for count, (number, wire, value) in enumerate(_parts(content, where)):
        if number not in known:
            raise ValueError(f"{where} has a field, number {number}, that a bundle's may not have")
        if count >= MOST_FIELDS:
            raise ValueError(f"{where} has more than {MOST_FIELDS:,} parts")
        name, kind = known[number]
        if kind in ("ints", "floats"):
            found.setdefault(name, []).extend(_listed(value, wire, kind, where))
            continue
        expected = {"int": 0, "float": 5}.get(kind, 2)
        if wire != expected:
            raise ValueError(f"{where}: its {name} is not written as such")
        if kind in ("text", "texts"):
            value = _text(value, where)
        elif kind == "int":
            value = _signed(value)
        elif kind == "float":
            value = float(np.frombuffer(value, "<f4")[0])
        if kind in ("texts", "messages"):
            found.setdefault(name, []).append(value)
        elif name in found:
            raise ValueError(f"{where} has two of {name}")
        else:
            found[name] = value
    return found


def _listed(value: Any, wire: int, kind: Kind, where: str) -> list[Any]:
    """Repeated numbers, which may be written one by one or packed."""
    if kind == "floats":
        if wire not in (2, 5) or len(value) % 4 or len(value) > 4 * MOST_LISTED:
            raise ValueError(f"{where}: its list of numbers is damaged or too long")
        return list(np.frombuffer(value, "<f4").tolist())
    if wire == 0:
        return [_signed(value)]
    if wire != 2:
        raise ValueError(f"{where}: its list of whole numbers is damaged")
    numbers, at = [], 0
    while at < len(value):
        number, at = _varint(value, at, where)
        numbers.append(_signed(number))
        if len(numbers) > MOST_LISTED:
            raise ValueError(f"{where}: its list of whole numbers is too long")
    return numbers


def _parts(content: memoryview, where: str) -> Iterator[tuple[int, int, Any]]:
    """(field number, wire type, an int or bytes) one after the other."""
    at, end = 0, len(content)
    while at < end:
        key, at = _varint(content, at, where)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(content, at, where)
            yield number, wire, value
            continue
        if wire == 2:
            size, at = _varint(content, at, where)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"{where} is damaged, or is no ONNX")
        if size > end - at:
            raise ValueError(f"{where} ends too early")
        yield number, wire, content[at : at + size]
        at += size


def _varint(content: memoryview, at: int, where: str) -> tuple[int, int]:
    """The unsigned number at ``at`` and where it ends; at most 64 bits."""
    number, shift = 0, 0
    for place in range(at, min(at + 10, len(content))):
        byte = content[place]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            if number >> 64:
                break
            return number, place + 1
        shift += 7
    raise ValueError(f"{where} is damaged, or is no ONNX")


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def _text(value: memoryview, where: str) -> str:
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{where}: a name in it is no text") from None


def _short(name: str) -> str:
    """As much of a name as a message should show."""
    printable = "".join(one if one.isprintable() else "�" for one in name[:40])
    return printable + ("…" if len(name) > 40 else "")
