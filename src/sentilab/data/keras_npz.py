"""Keras's imdb.npz without unpickling.

Its arrays x_train and x_test hold Python lists of integers, which NumPy stores as a pickle. A
pickle is a program; running one from a file is what must not happen. The opcodes that such an array
is made of are few, so this module walks them itself: it builds lists of integers and nothing else,
never imports or calls what the file names, and refuses any opcode that has no place there.
"""

import io
import lzma
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sentilab.errors import DataError
from sentilab.readable import json_of, misfit, printable

# Keras's four arrays unpack to some 90 MB; what is far beyond is another file.
LARGEST_ARRAY = 1 << 26
# And what they hold: 25,000 reviews each, of words ranked up to 88,584.
MOST_LABELS = 1 << 17
MOST_STEPS = 1 << 20
HIGHEST_RANK = 1 << 20
LONGEST_NAME = 1 << 10
# What an object array's envelope may name: how NumPy says "an array of objects".
ENVELOPE = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


def read_sequences(path: Path) -> dict[str, tuple[list[list[int]], list[int]]]:
    """(sequences, labels) under "train" and "test"; raises DataError for any other content."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                split: (_array(archive, f"x_{split}"), _array(archive, f"y_{split}"))
                for split in ("train", "test")
            }
    # RuntimeError and NotImplementedError are what zipfile says to encryption and odd compression.
    except (
        zipfile.BadZipFile,
        zlib.error,
        KeyError,
        OSError,
        EOFError,
        RuntimeError,
        ValueError,
        lzma.LZMAError,
    ) as error:
        raise DataError(f"{path}: not Keras's imdb.npz ({printable(str(error))}).") from error


def word_of_rank(index: Path) -> tuple[Callable[[int], str], bool]:
    """(rank -> word, whether ``index``, Keras's imdb_word_index.json, was there to tell).

    The sequences are stored by rank, from 1, without start token or offset.
    """
    if not index.is_file():
        return "rank{}".format, False
    try:
        content = json_of(index.read_bytes())
        if fault := misfit(content, {"*": int}):
            raise ValueError(fault)
        words = {rank: word for word, rank in content.items()}
        "".join(words.values()).encode()
    except (OSError, ValueError) as error:
        raise DataError(f"{index}: not a word index ({printable(str(error))}).") from error
    return (lambda rank: words.get(rank, f"rank{rank}")), True


def _array(archive: zipfile.ZipFile, name: str) -> Any:
    """The array's content as a list; raises ValueError if it is not one as Keras stores it."""
    member = archive.getinfo(f"{name}.npy")
    if member.file_size > LARGEST_ARRAY:
        raise ValueError(f"{name} would unpack to {member.file_size:,} bytes")
    content = io.BytesIO(archive.read(member))
    version = np.lib.format.read_magic(content)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise ValueError(f"{name} has the unknown format version {version}")
    try:
        with warnings.catch_warnings():
            # A header that Python 2 wrote is good, if slow; nobody can do anything about it.
            warnings.simplefilter("ignore", UserWarning)
            _, _, kind = read_header(content)
    except (SyntaxError, tokenize.TokenError, RecursionError, MemoryError) as error:
        raise ValueError(f"the header of {name} cannot be read: {error}") from error
    body = content.read()
    if kind == np.dtype(object):
        try:
            return _Walker(body).result()
        except (struct.error, IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{name} is not an array as Keras stores it: {error}") from error
    if kind.kind not in "iu":
        raise ValueError(f"{name} is not an array as Keras stores it: its type is {kind}")
    labels = np.frombuffer(body, kind)
    if len(labels) > MOST_LABELS:
        raise ValueError(f"{name} has {len(labels):,} numbers")
    return labels.tolist()


class _Name(tuple[str, str]):
    """A global that the envelope names. It stands for itself and is never looked up."""


class _Walker:
    """Walks one pickle. Its stack holds ints, strings, bytes, lists, tuples and _Names only."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0
        self._stack: list[object] = []
        self._marks: list[int] = []
        self._memo: dict[int, object] = {}
        self._steps = 0
        # Equal ranks are one object, as small ones are in Python itself.
        self._ranks = list(range(1 << 16))

    def result(self) -> Any:
        """The array's content: a list of lists of ints. Raises ValueError for anything else."""
        body, stack = self._body, self._stack
        while True:
            code = body[self._at]
            self._at += 1
            if code == 0x4B:  # BININT1: by far the most frequent, so it comes first
                stack.append(body[self._at])
                self._at += 1
            elif code == 0x4D:  # BININT2
                stack.append(self._ranks[body[self._at] | body[self._at + 1] << 8])
                self._at += 2
            elif code == 0x4A:  # BININT
                rank = self._unpack("<i")
                if abs(rank) > HIGHEST_RANK:
                    raise ValueError(f"{rank:,} is no word's rank")
                stack.append(self._ranks[rank] if 0 <= rank < len(self._ranks) else rank)
            elif code == 0x2E:  # STOP
                return self._content()
            else:
                self._step(code)

    def _step(self, code: int) -> None:
        stack = self._stack
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise ValueError("it is made of more parts than the reviews are")
        match chr(code):
            case "\x80":  # PROTO
                self._at += 1
            case "\x95":  # FRAME
                self._at += 8
            case "(":  # MARK
                self._marks.append(len(stack))
            case "]":  # EMPTY_LIST
                stack.append([])
            case "e":  # APPENDS
                items = self._since_mark()
                self._list().extend(items)
            case "a":  # APPEND
                item = stack.pop()
                self._list().append(item)
            case ")":  # EMPTY_TUPLE
                stack.append(())
            case "\x85" | "\x86" | "\x87":  # TUPLE1, TUPLE2, TUPLE3
                size = code - 0x84
                items = stack[-size:]
                del stack[-size:]
                stack.append(tuple(items))
            case "t":  # TUPLE
                stack.append(tuple(self._since_mark()))
            case "N" | "\x88" | "\x89":  # NONE, NEWTRUE, NEWFALSE
                stack.append({"N": None, "\x88": True, "\x89": False}[chr(code)])
            case "X":  # BINUNICODE
                stack.append(self._take(min(self._unpack("<I"), LONGEST_NAME)).decode("utf-8"))
            case "\x8c":  # SHORT_BINUNICODE
                stack.append(self._take(self._take(1)[0]).decode("utf-8"))
            case "U" | "C":  # SHORT_BINSTRING, SHORT_BINBYTES
                stack.append(self._take(self._take(1)[0]))
            case "q":  # BINPUT
                self._memo[self._take(1)[0]] = stack[-1]
            case "r":  # LONG_BINPUT
                self._memo[self._unpack("<I")] = stack[-1]
            case "\x94":  # MEMOIZE
                self._memo[len(self._memo)] = stack[-1]
            case "h":  # BINGET
                stack.append(self._remembered(self._take(1)[0]))
            case "j":  # LONG_BINGET
                stack.append(self._remembered(self._unpack("<I")))
            case "c":  # GLOBAL
                stack.append(self._named(self._line(), self._line()))
            case "\x93":  # STACK_GLOBAL
                name, module = stack.pop(), stack.pop()
                stack.append(self._named(str(module), str(name)))
            case "R":  # REDUCE: not called; only an empty array or a dtype may be meant
                arguments, callee = stack.pop(), stack.pop()
                if not isinstance(callee, _Name):
                    raise ValueError("it calls something that is no name")
                stack.append(arguments)
            case "b":  # BUILD: the state of the array or of its dtype
                state = stack.pop()
                stack[-1] = state
            case _:
                raise ValueError(f"opcode {code:#04x} has no place in it")

    def _content(self) -> Any:
        state = self._stack[-1]
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[4], list):
            raise ValueError("it is no array of lists")
        _, shape, _, _, lists = state
        if shape != (len(lists),):
            raise ValueError("its shape does not fit its content")
        for one in lists:
            if not isinstance(one, list) or not all(type(item) is int for item in one):
                raise ValueError("it holds something else than lists of whole numbers")
        return lists

    def _remembered(self, number: int) -> object:
        found = self._memo[number]
        # One list in many places would be read as often as it stands there.
        if isinstance(found, list):
            raise ValueError("a list stands in it twice")
        return found

    def _named(self, module: str, name: str) -> _Name:
        if (module, name) not in ENVELOPE:
            raise ValueError(f"it names {module}.{name}")
        return _Name((module, name))

    def _since_mark(self) -> list[object]:
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _list(self) -> list[object]:
        last = self._stack[-1]
        if not isinstance(last, list):
            raise ValueError("it appends to something that is no list")
        return last

    def _take(self, size: int) -> bytes:
        taken = self._body[self._at : self._at + size]
        if len(taken) < size:
            raise ValueError("it ends too early")
        self._at += size
        return taken

    def _unpack(self, form: str) -> int:
        return int(struct.unpack(form, self._take(struct.calcsize(form)))[0])

    def _line(self) -> str:
        end = self._body.index(b"\n", self._at)
        line = self._body[self._at : end].decode("utf-8")
        self._at = end + 1
        return line
