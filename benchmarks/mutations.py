"""Bundles damaged on purpose, each from a kind and a number: the same two give the same bundle.

Most kinds change one file and then mend the manifest's sizes and checksums, so that what lies behind
them is reached. Nothing here needs a bundle's own reader; graphs are changed with the onnx package.
"""

import hashlib
import io
import json
import os
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

MANIFEST = "bundle.json"
JSON_FILES = (MANIFEST, "vocabulary.json", "golden.json", "provenance.json")
GRAPHS = ("model.onnx", "model.int8.onnx")
WEIGHTS = "weights.safetensors"

Contents = dict[str, bytes]
Mutation = Callable[[Contents, Random, Path], None]
"""Writes a changed copy of the contents to the path, a folder or a .zip."""

KINDS: dict[str, Mutation] = {}


def kind(mutation: Mutation) -> Mutation:
    KINDS[mutation.__name__] = mutation
    return mutation


def mutant(contents: Mapping[str, bytes], name: str, seed: int, path: Path) -> None:
    """Writes the bundle that ``contents`` (by file) become by the kind ``name`` and ``seed``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # names twice in a .zip are meant
        KINDS[name](dict(contents), Random(f"{name} {seed}"), path)


def write_folder(contents: Contents, path: Path) -> None:
    path.mkdir()
    for name, content in contents.items():
        (path / name).write_bytes(content)


def write_zip(contents: Contents, path: Path, method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in contents.items():
            file.writestr(name, content)


def mended(contents: Contents) -> Contents:
    """The manifest's sizes and checksums made those of the files, where it still has such."""
    try:
        plain = json.loads(contents[MANIFEST])
        for name, said in plain["files"].items():
            if name in contents:
                said["bytes"] = len(contents[name])
                said["sha256"] = hashlib.sha256(contents[name]).hexdigest()
        contents[MANIFEST] = json.dumps(plain).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return contents


def either(contents: Contents, random: Random, path: Path) -> None:
    """A folder, or the same as a .zip."""
    if random.random() < 0.8:
        write_folder(contents, path)
    else:
        write_zip(contents, path)


# Bytes


def damaged(content: bytes, random: Random) -> bytes:
    """The bytes with some flipped, cut, added, moved or overwritten."""
    changed = bytearray(content)
    if not changed:
        return b"\0"
    at = random.randrange(len(changed))
    way = random.randrange(7)
    if way == 0:
        for _ in range(random.choice((1, 1, 2, 8, 64))):
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    elif way == 1:
        del changed[at:]
    elif way == 2:
        changed += random.randbytes(random.choice((1, 7, 4096)))
    elif way == 3:
        length = random.choice((1, 4, 8, 100))
        changed[at : at + length] = bytes(length)
    elif way == 4:
        changed[at : at + 8] = random.randbytes(8)
    elif way == 5:
        del changed[at : at + random.choice((1, 4, 100))]
    else:
        changed[at:at] = changed[at : at + random.choice((1, 16, 1000))]
    return bytes(changed)


@kind
def bytes_of_a_file(contents: Contents, random: Random, path: Path) -> None:
    name = random.choice(sorted(contents))
    contents[name] = damaged(contents[name], random)
    either(contents, random, path)


@kind
def bytes_of_a_file_with_checksums(contents: Contents, random: Random, path: Path) -> None:
    name = random.choice(sorted(set(contents) - {MANIFEST}))
    for _ in range(random.choice((1, 1, 3))):
        contents[name] = damaged(contents[name], random)
    either(mended(contents), random, path)


@kind
def file_missing_or_exchanged(contents: Contents, random: Random, path: Path) -> None:
    one, other = random.sample(sorted(contents), 2)
    way = random.randrange(4)
    if way == 0:
        del contents[one]
    elif way == 1:
        contents[one], contents[other] = contents[other], contents[one]
    elif way == 2:
        contents[one] = b""
    else:
        contents[one] = random.randbytes(random.choice((1, 1000)))
    either(mended(contents) if random.random() < 0.5 else contents, random, path)


# JSON

VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    3,
    2**31,
    2**63,
    -(2**63) - 1,
    10**400,
    0.5,
    -0.0,
    1e308,
    5e-324,
    "",
    "0",
    "a" * 70_000,
    "\ud800",
    "\0",
    "\x1b[2J",
    "../../up",
    "/etc/passwd",
    ".",
    "..",
    "ﷺ\u202e" * 3,
    [],
    {},
    [[]],
    [None] * 3000,
    {"a": {"b": []}},
    [1e308, -1e308],
    ["x"] * 5,
)
# Written as they are, since Python's own writer does not make them.
_RAW = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    "[" * 3000 + "]" * 3000,
    "1" * 5000,
    "01",
    "",
)


def _places(plain: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything in it."""
    found: list[tuple[Any, Any]] = []
    waiting = [plain]
    while waiting:
        one = waiting.pop()
        items = one.items() if isinstance(one, dict) else enumerate(one)
        # Of long lists a few places are enough.
        for key, value in list(items)[:200]:
            found.append((one, key))
            if isinstance(value, dict | list):
                waiting.append(value)
    return found


def restructured(content: bytes, random: Random) -> bytes:
    """JSON with members left out, exchanged or of other values."""
    plain = json.loads(content)
    mark = '"<here>"'
    raw = ""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        places = _places(plain)
        if not places:
            break
        # Near the top as often as deep in a list.
        places = places if random.random() < 0.5 else places[:12]
        holder, key = random.choice(places)
        way = random.randrange(8)
        if way == 0:
            del holder[key]
        elif way == 1 and isinstance(holder, dict):
            holder[random.choice(("", "files", "format", "\ud800", "x" * 999))] = holder.pop(key)
        elif way == 2 and not raw:
            raw = random.choice(_RAW)
            holder[key] = mark[1:-1]
        elif way == 3:
            other, there = random.choice(places)
            holder[key] = json.loads(json.dumps(other[there]))
        elif way == 4 and isinstance(holder[key], int | float):
            holder[key] = holder[key] * random.choice((-1, 0.999, 2, 1e6)) + random.choice((0, 1))
        elif way == 5 and isinstance(holder[key], list):
            holder[key] = holder[key] * random.choice((0, 2, 7)) + random.choice(([], [None], [0]))
        else:
            holder[key] = random.choice(VALUES)
    text = json.dumps(plain, ensure_ascii=random.random() < 0.5).replace(mark, raw)
    if random.random() < 0.1 and text.startswith("{"):
        text = '{"format": 1, "files": {}, "words": [], ' + text[1:]  # keys twice
    return text.encode("utf-8", "surrogatepass")


@kind
def json_structure(contents: Contents, random: Random, path: Path) -> None:
    name = random.choice((MANIFEST, *JSON_FILES))
    contents[name] = restructured(contents[name], random)
    either(mended(contents) if name != MANIFEST else contents, random, path)


@kind
def manifest_values(contents: Contents, random: Random, path: Path) -> None:
    """Values of the right type that may be out of range, or do not belong to the model."""
    plain = json.loads(contents[MANIFEST])
    way = random.randrange(12)
    whole = random.choice(
        (0, -1, 1, 2, 4, 5, 11, 13, 299, 301, 65_536, 100_000, 5_000_000, 2**31, 2**62)
    )
    real = random.choice((0.0, -1.0, 1e-300, 1e-30, 0.3, 1e30, 1e300, 1.0000001))
    words = json.loads(contents["vocabulary.json"])
    if way == 0:
        plain["encoding"]["length"] = words["encoding"]["length"] = whole
    elif way == 1:
        plain["encoding"]["words"] = words["encoding"]["words"] = whole
        words["words"] = words["words"][: max(0, whole - 4)]
    elif way == 2:
        plain["temperature"] = real
    elif way == 3:
        plain["threshold"] = real
    elif way == 4:
        plain["labels"] = [f"l{n}" for n in range(random.choice((2, 3, 10, 1000)))]
    elif way == 5:
        plain["labels"].reverse()
    elif way == 6:
        plain["name"] = random.choice(
            ("", ".", "..", "a" * 5000, "é", "con", "a/b", "a\nb", "\u202e")
        )
    elif way == 7:
        plain["format"] = random.choice((0, 2, 10**30, -1))
    elif way == 8:
        one = random.choice(sorted(plain["files"]))
        plain["files"][one]["bytes"] = whole
    elif way == 9:
        one = random.choice(sorted(plain["files"]))
        plain["files"][one]["sha256"] = random.choice(("", "0" * 64, "é", "A" * 64))
    elif way == 10:
        plain["labels"][random.randrange(2)] = random.choice(
            ("", "\x1b[2J", "\ud800", " ", "a" * 9**5)
        )
    else:
        plain["tokeniser"] = random.choice(("", "2-unicode-99", "\0"))
    contents["vocabulary.json"] = json.dumps(words).encode()
    contents[MANIFEST] = json.dumps(plain).encode()
    either(contents if way in (8, 9) else mended(contents), random, path)


@kind
def manifest_layers(contents: Contents, random: Random, path: Path) -> None:
    """Other layers for the compiled kernel, in the right form."""
    plain = json.loads(contents[MANIFEST])
    layers = plain["model"]["layers"]
    if not layers:
        plain["model"]["layers"] = layers = [{"kind": "dense", "weights": [], "settings": {}}]
    names = [name for one in layers for name in one["weights"]] or ["x"]
    for _ in range(random.choice((1, 1, 2, 3))):
        if not layers:
            break
        at = random.randrange(len(layers))
        one, way = layers[at], random.randrange(10)
        if way == 0:
            del layers[at]
        elif way == 1:
            layers.insert(random.randrange(len(layers) + 1), json.loads(json.dumps(one)))
        elif way == 2:
            one["kind"] = random.choice(("embedding", "lstm", "flatten", "dense", "", "gru"))
        elif way == 3:
            random.shuffle(one["weights"])
        elif way == 4 and one["weights"]:
            one["weights"][random.randrange(len(one["weights"]))] = random.choice(
                (*names, "", "nowhere")
            )
        elif way == 5:
            one["weights"] = one["weights"] * random.choice((0, 2, 3))
        elif way == 6:
            settings = ("masked", "directions", "sequences", "activation")
            values = (
                True,
                False,
                1,
                None,
                "both",
                "forward",
                "backward",
                "relu",
                [],
                {},
                "softmax",
                "tanh",
            )
            one["settings"] = {
                **(one["settings"] or {}),
                random.choice(settings): random.choice(values),
            }
        elif way == 7:
            one["settings"] = random.choice(({}, [], None))
        elif way == 8:
            layers[0]["settings"] = {"masked": random.choice((True, False))}
        else:
            layers *= random.choice((2, 50))
    contents[MANIFEST] = json.dumps(plain).encode()
    either(contents, random, path)


# Vocabulary and golden examples


@kind
def vocabulary(contents: Contents, random: Random, path: Path) -> None:
    plain = json.loads(contents["vocabulary.json"])
    words = plain["words"]
    way = random.randrange(9)
    if way == 0:
        words[random.randrange(len(words))] = random.choice(words)
    elif way == 1:
        words[random.randrange(len(words))] = random.choice(
            ("", " ", "a b", "A", "a\n", "\ud800", "İ", "x!")
        )
    elif way == 2:
        random.shuffle(words)
    elif way == 3:
        del words[random.randrange(len(words)) :]
    elif way == 4:
        words += [f"new{n}" for n in range(random.choice((1, 1000, 100_000)))]
    elif way == 5:
        words[random.randrange(len(words))] = "w" * random.choice((1000, 1_000_000))
    elif way == 6:
        plain["encoding"]["length"] += random.choice((-1, 1, 1000))
    elif way == 7:
        plain["encoding"]["words"] = random.choice((1, 4, 5, 10**9, 2**63))
    else:
        one, other = random.sample(range(len(words)), 2)
        words[one], words[other] = words[other], words[one]
    contents["vocabulary.json"] = json.dumps(plain).encode("utf-8", "surrogatepass")
    either(mended(contents), random, path)


@kind
def golden(contents: Contents, random: Random, path: Path) -> None:
    plain = json.loads(contents["golden.json"])
    texts, answers = plain["texts"], plain["probabilities"]
    at, way = random.randrange(len(texts)), random.randrange(9)
    if way == 0:
        answers[at][0] += random.choice((1e-3, -0.5, 1e300, 1e-9))
    elif way == 1:
        texts[at] = random.choice(
            ("other words", "\ud800", "a" * 1_000_000, "a " * 500_000, "\0" * 9)
        )
    elif way == 2:
        del answers[at]
    elif way == 3:
        count = random.choice((1_000, 300_000))
        plain["texts"], plain["probabilities"] = [""] * count, [answers[0]] * count
    elif way == 4:
        plain["texts"], plain["probabilities"] = [], []
    elif way == 5:
        answers[at] = random.choice(([1.0], [], [[0.5, 0.5]], ["0.5", "0.5"], [None, 1], {}, 0.5))
    elif way == 6:
        plain["texts"] = random.choice((None, "text", {"0": "text"}, [1, 2]))
    elif way == 7:
        nested: Any = 0.5
        for _ in range(random.choice((3, 70, 900))):
            nested = [nested]
        plain["probabilities"] = nested
    else:
        answers[at] = [10**400, 1]
    contents["golden.json"] = json.dumps(plain).encode("utf-8", "surrogatepass")
    either(mended(contents), random, path)


# Weights


@kind
def weights(contents: Contents, random: Random, path: Path) -> None:
    content = contents[WEIGHTS]
    (size,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + size]), bytearray(content[8 + size :])
    names = [one for one in header if one != "__metadata__"]
    one = header[random.choice(names)]
    way = random.randrange(14)
    text: bytes | None = None
    length: int | None = None
    if way == 0:
        one["dtype"] = random.choice(("F64", "F16", "I8", "BF16", "U64", "X", "", "F32 "))
    elif way == 1:
        one["shape"] = random.choice(
            ([], [0], [2**62, 4], [-1], [1.5], None, [1] * 70, one["shape"][::-1])
        )
    elif way == 2:
        one["data_offsets"] = random.choice(
            ([0, 0], [8, 4], [0, 2**63], [-4, 0], [0], None, [0, 4])
        )
    elif way == 3:
        header[random.choice(names)]["data_offsets"] = one["data_offsets"]
    elif way == 4:
        length = random.choice((0, 1, size - 1, size + 1, 2**40, 2**63, 2**64 - 1))
    elif way == 5:
        text = random.choice(
            (b"", b"{}", b"[]", b"null", b"{" * 9999, b'{"a": 1}', b"\xff" * 20, b" " * 99)
        )
    elif way == 6:
        header.pop(random.choice(names))
    elif way == 7:
        header["more"] = {"dtype": "F32", "shape": [0], "data_offsets": [len(data), len(data)]}
    elif way == 8:
        header[random.choice(("", "\ud800", "../x", "n" * 9999))] = header.pop(random.choice(names))
    elif way == 9:
        header["__metadata__"] = random.choice(({}, {"a": "b"}, {"a": 1}, [], "x"))
    elif way == 10:
        at = random.randrange(len(data) // 4) * 4
        data[at : at + 4] = struct.pack(
            "<f", random.choice((float("nan"), float("inf"), 1e38, -0.0))
        )
    elif way == 11:
        first, second = random.sample(names, 2)
        header[first], header[second] = header[second], header[first]
    elif way == 12:
        data += bytes(random.choice((1, 4, 1000)))
    else:
        text = json.dumps(header).replace("{", '{"a": {}, "a": {}, ', 1).encode()
    if text is None:
        text = json.dumps(header).encode("utf-8", "surrogatepass")
    contents[WEIGHTS] = (
        struct.pack("<Q", len(text) if length is None else length) + text + bytes(data)
    )
    either(mended(contents), random, path)


# Graphs


@kind
def graph_bytes(contents: Contents, random: Random, path: Path) -> None:
    """Bits of the graph's structure rather than of its weights: the parts before and behind these."""
    name = random.choice([one for one in GRAPHS if one in contents])
    content = bytearray(contents[name])
    for _ in range(random.choice((1, 1, 2, 5))):
        reach = min(len(content), 3_000)
        at = random.randrange(reach)
        at = at if random.random() < 0.6 else len(content) - 1 - at
        content[at] = random.choice((content[at] ^ (1 << random.randrange(8)), 0, 0xFF, 0x80, 0x7F))
    contents[name] = bytes(content)
    either(mended(contents), random, path)


@kind
def graph_structure(contents: Contents, random: Random, path: Path) -> None:
    import onnx

    name = random.choice([one for one in GRAPHS if one in contents])
    model = onnx.load_from_string(contents[name])
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        if any(one.attribute for one in model.graph.node) and model.graph.initializer:
            random.choice(_GRAPH_CHANGES)(model, random)
    contents[name] = model.SerializeToString()
    either(mended(contents), random, path)


_OPERATORS = (
    "Add", "ArgMax", "Cast", "Concat", "Conv", "DequantizeLinear", "Gather", "GatherElements", "Greater",
    "Identity", "LSTM", "MatMul", "MatMulInteger", "Mod", "Mul", "Range", "ReduceMax", "ReduceSum", "Relu",
    "Reshape", "Shape", "Sigmoid", "Softmax", "Squeeze", "Sub", "Tanh", "Transpose", "Loop", "If", "Scan",
    "GRU", "RNN", "Expand", "Tile", "ConstantOfShape", "NonZero", "Einsum", "Resize", "StringNormalizer",
    "TopK", "Pad", "Unique", "DynamicQuantizeLSTM", "DynamicQuantizeLinear", "Constant",
)  # fmt: skip


def _operator(model: Any, random: Random) -> None:
    node = random.choice(model.graph.node)
    node.op_type = random.choice(_OPERATORS)
    if random.random() < 0.2:
        node.domain = random.choice(("", "com.microsoft", "ai.onnx.ml", "evil"))


def _number(random: Random) -> int:
    return random.choice((0, 1, -1, 2, 3, 7, 8, 16, 2**20, 2**31 - 1, 2**31, 2**62, -(2**63)))


def _attribute(model: Any, random: Random) -> None:
    nodes = [one for one in model.graph.node if one.attribute]
    attribute = random.choice(random.choice(nodes).attribute)
    way = random.randrange(5)
    if way == 0:
        attribute.i = _number(random)
    elif way == 1:
        attribute.ints[:] = [_number(random) for _ in range(random.randrange(5))]
    elif way == 2:
        attribute.s = random.choice((b"reverse", b"bidirectional", b"forward", b"", b"\xff"))
    elif way == 3:
        attribute.type = random.randrange(15)
    else:
        attribute.name = random.choice(
            ("axis", "keepdims", "layout", "clip", "activations", "to", "x")
        )


def _edge(model: Any, random: Random) -> None:
    names = [name for one in model.graph.node for name in (*one.input, *one.output)]
    names += ["", "ids", "nowhere", *(one.name for one in model.graph.initializer)]
    node = random.choice(model.graph.node)
    side = node.input if random.random() < 0.8 and node.input else node.output
    way = random.randrange(3)
    if way == 0 or not side:
        side.append(random.choice(names))
    elif way == 1:
        side[random.randrange(len(side))] = random.choice(names)
    else:
        del side[random.randrange(len(side))]


def _node(model: Any, random: Random) -> None:
    nodes = list(model.graph.node)
    at, way = random.randrange(len(nodes)), random.randrange(4)
    if way == 0:
        del nodes[at]
    elif way == 1:
        nodes.insert(random.randrange(len(nodes)), nodes[at])
    elif way == 2:
        random.shuffle(nodes)
    else:
        nodes = nodes[:1] * random.choice((0, 50, 2_000))
    copies = [type(one).FromString(one.SerializeToString()) for one in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _constant(model: Any, random: Random) -> None:
    tensor = random.choice(model.graph.initializer)
    way = random.randrange(7)
    if way == 0:
        tensor.dims[:] = [_number(random) for _ in range(random.randrange(4))]
    elif way == 1 and tensor.dims:
        tensor.dims[:] = list(tensor.dims)[::-1]
    elif way == 2:
        tensor.data_type = random.randrange(24)
    elif way == 3:
        tensor.raw_data = damaged(tensor.raw_data, random)
    elif way == 4:
        tensor.data_location = 1
        location = random.choice(("/etc/passwd", "../../x", "model.onnx", ""))
        tensor.external_data.add(key="location", value=location)
    elif way == 5:
        tensor.name = random.choice(("ids", "probabilities", "", "x"))
    else:
        small = [one for one in model.graph.initializer if len(one.raw_data) == 8]
        if small:
            random.choice(small).raw_data = struct.pack("<q", _number(random))


def _ends(model: Any, random: Random) -> None:
    side = random.choice((model.graph.input, model.graph.output))
    way = random.randrange(4)
    if way == 0:
        side.add().name = random.choice(("ids", "more"))
    elif way == 1:
        del side[:]
    elif way == 2 and side:
        side[0].type.tensor_type.elem_type = random.randrange(20)
    elif side:
        shape = side[0].type.tensor_type.shape
        shape.dim.add().dim_value = _number(random)


def _model(model: Any, random: Random) -> None:
    way = random.randrange(6)
    if way == 0:
        model.ir_version = _number(random)
    elif way == 1:
        model.opset_import[0].version = _number(random)
    elif way == 2:
        model.opset_import.add(
            domain=random.choice(("", "x", "com.microsoft")), version=_number(random)
        )
    elif way == 3:
        model.metadata_props.add(key="k" * random.choice((1, 10**6)), value="v")
    elif way == 4:
        function = model.functions.add(name="Sigmoid", domain=random.choice(("", "x")))
        function.node.add().op_type = "Identity"
    else:
        model.graph.sparse_initializer.add()


def _subgraph(model: Any, random: Random) -> None:
    node = random.choice(model.graph.node)
    attribute = node.attribute.add(name="body", type=5)
    attribute.g.name = "body"
    for _ in range(random.choice((0, 20))):
        attribute = attribute.g.node.add(op_type="If").attribute.add(name="then_branch", type=5)
        attribute.g.name = "deeper"


_GRAPH_CHANGES = (
    _operator,
    _attribute,
    _attribute,
    _edge,
    _node,
    _constant,
    _constant,
    _ends,
    _model,
    _subgraph,
)


# Zip files


@kind
def zip_bytes(contents: Contents, random: Random, path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(
        packed, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    ) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    content = packed.getvalue()
    # The list of entries stands at the end; half of the damage is done there.
    if random.random() < 0.5:
        cut = min(len(content), 900)
        content = content[:-cut] + damaged(content[-cut:], random)
    else:
        content = damaged(content, random)
    path.write_bytes(content)


@kind
def zip_fields(contents: Contents, random: Random, path: Path) -> None:
    """One field of one entry, in its own header, in the list's, or in both."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in contents.items():
            file.writestr(name, content)
        entries = {one.filename: one.header_offset for one in file.infolist()}
    content = bytearray(packed.getvalue())
    name = random.choice(sorted(entries))
    local, listed = entries[name], content.rfind(b"PK\x01\x02", 0, content.rfind(name.encode()))
    # (offset in the list, offset in the header, struct): flags, method, CRC, sizes, name's length.
    fields = (
        (8, 6, "<H"),
        (10, 8, "<H"),
        (16, 14, "<I"),
        (20, 18, "<I"),
        (24, 22, "<I"),
        (28, 26, "<H"),
    )
    at_list, at_local, form = random.choice((*fields, (42, 14, "<I")))
    most = 2 ** (8 * struct.calcsize(form)) - 1
    value = random.choice((0, 1, 8, 9, 12, 14, 93, 99, 0x41, 2**15, most, random.randrange(most)))
    where = random.choice(("list", "local", "both"))
    if where != "local":
        struct.pack_into(form, content, listed + at_list, min(value, most))
    if where != "list":
        struct.pack_into(form, content, local + at_local, min(value, most))
    path.write_bytes(bytes(content))


@kind
def zip_entries(contents: Contents, random: Random, path: Path) -> None:
    names = sorted(contents)
    one = random.choice(names)
    way = random.randrange(10)
    method = zipfile.ZIP_DEFLATED
    if way == 0:
        method = random.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_STORED))
    with zipfile.ZipFile(path, "w", method) as file:
        for name in names:
            if way == 1 and name == one:
                continue
            if way == 2 and name == one:
                entry = zipfile.ZipInfo(name)
                entry.external_attr = 0o120777 << 16
                file.writestr(entry, "/etc/passwd")
                continue
            if way == 3 and name == one:
                file.writestr(f"{name}/", "")
                continue
            file.writestr(f"folder/{name}" if way == 4 else name, contents[name])
        if way == 5:
            for extra in ("../../up", "/tmp/absolute", "C:\\x", "a\0b", "bundle.json/x", ".", ""):
                file.writestr(zipfile.ZipInfo(extra or "/"), b"x")
        elif way == 6:
            file.NameToInfo.pop(one)
            file.writestr(one, random.choice((contents[one], b"another")))
        elif way == 7:
            file.writestr(one.upper(), b"another")
            file.writestr(one.replace("o", "ο"), b"another")
        elif way == 8:
            for n in range(random.choice((500, 20_000))):
                file.writestr(f"n{n}", b"")
        elif way == 9:
            file.comment = random.randbytes(random.choice((1, 65_535)))
    if way == 9 and random.random() < 0.5:
        path.write_bytes(random.randbytes(1_000) + path.read_bytes())


@kind
def zip_bomb(contents: Contents, random: Random, path: Path) -> None:
    """A small file that unpacks to much, said or not said."""
    name = random.choice(sorted(contents))
    size = random.choice((1 << 24, 1 << 27, 1 << 29))
    way = random.randrange(3)
    plain = json.loads(contents[MANIFEST])
    if way and name != MANIFEST:
        plain["files"].setdefault(name, {"sha256": ""})["bytes"] = size
        if way == 2:
            digest = hashlib.sha256()
            for _ in range(size >> 20):
                digest.update(bytes(1 << 20))
            plain["files"][name]["sha256"] = digest.hexdigest()
        contents[MANIFEST] = json.dumps(plain).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for one, content in contents.items():
            if one != name:
                file.writestr(one, content)
        with file.open(name, "w") as packed:
            for _ in range(size >> 20):
                packed.write(bytes(1 << 20))


# Folders


@kind
def folder_entries(contents: Contents, random: Random, path: Path) -> None:
    write_folder(contents, path)
    name = random.choice(sorted(contents))
    one = path / name
    way = random.randrange(9)
    one.unlink()
    if way == 0:
        one.mkdir()
    elif way == 1:
        os.mkfifo(one)
    elif way == 2:
        one.symlink_to(
            random.choice(("/dev/zero", "/dev/full", "/dev/null", "/dev/stdin", "/dev/tty"))
        )
    elif way == 3:
        one.symlink_to(random.choice((name, ".", "..", "nowhere", "/")))
    elif way == 4:
        (path / "aside").write_bytes(contents[name])
        one.symlink_to("aside")
    elif way == 5:
        with one.open("wb") as file:
            file.truncate(random.choice((1 << 33, 1 << 40)))
    elif way == 6:
        one.symlink_to(
            random.choice(("/proc/self/mem", "/proc/self/environ", "/proc/kmsg", "/etc/passwd"))
        )
    elif way == 7:
        one.write_bytes(contents[name])
        (path / name.upper()).write_bytes(b"another")
        (path / "more").mkdir()
    else:
        one.write_bytes(contents[name])
        one.chmod(0)


@kind
def no_bundle(contents: Contents, random: Random, path: Path) -> None:
    way = random.randrange(6)
    if way == 0:
        path.mkdir()
    elif way == 1:
        path.write_bytes(random.choice((b"", b"PK\x05\x06" + bytes(18), random.randbytes(999))))
    elif way == 2:
        os.mkfifo(path)
    elif way == 3:
        path.symlink_to(random.choice(("/dev/zero", "/dev/null", "nowhere", path.name)))
    elif way == 4:
        path.write_bytes(contents["model.onnx"])
    # else nothing stands there
