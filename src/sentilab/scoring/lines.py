"""The lines of a file that may be packed and of any size, one at a time."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sentilab.errors import DataError

LONGEST_LINE = 16 << 20
HEAD = 1 << 20
_BLOCK = 1 << 20


class Overlong(bytes):
    """The beginning of a line that is too long to be kept, which has ``size`` bytes in all."""

    size: int


class File:
    """A file of lines; ``packed`` if it is to be unpacked with gzip."""

    def __init__(self, path: Path, packed: bool) -> None:
        self.path, self.packed = path, packed

    @contextmanager
    def opened(self, offset: int = 0) -> Iterator["Reading"]:
        """Open for reading from byte ``offset`` of what it holds unpacked.

        Raises DataError if it is not there, or turns out to be damaged in the block.
        """
        try:
            with self.path.open("rb", buffering=_BLOCK) as raw:
                file: BinaryIO = gzip.GzipFile(fileobj=raw) if self.packed else raw  # type: ignore[assignment]
                file.seek(offset)
                yield Reading(raw, file)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"{self.path}: damaged or cut off ({error}).") from error
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise DataError(f"{self.path}: this cannot be read ({error.strerror}).") from error

    def head(self, size: int = HEAD) -> bytes:
        """The file's first bytes."""
        with self.opened() as reading:
            return reading.file.read(size)


class Reading:
    """An open file: ``file`` unpacked, ``raw`` as it lies on disk."""

    def __init__(self, raw: BinaryIO, file: BinaryIO) -> None:
        self.raw, self.file = raw, file

    def lines(self, end: bytes = b"\n") -> Iterator[bytes]:
        """The lines with their ends. One above ``LONGEST_LINE`` comes as ``Overlong``."""
        if end == b"\n":
            return self._lines()
        return _split(self.file, end)

    def _lines(self) -> Iterator[bytes]:
        readline = self.file.readline
        while line := readline(LONGEST_LINE):
            if len(line) == LONGEST_LINE and line[-1:] != b"\n":
                size = len(line)
                while more := readline(LONGEST_LINE):
                    size += len(more)
                    if more[-1:] == b"\n":
                        break
                yield _overlong(line, size)
            else:
                yield line


def size_of(line: bytes) -> int:
    """Bytes of the line in the file."""
    return line.size if isinstance(line, Overlong) else len(line)


def _overlong(line: bytes, size: int) -> Overlong:
    made = Overlong(line[:_BLOCK])
    made.size = size
    return made


def _split(file: BinaryIO, end: bytes) -> Iterator[bytes]:
    rest, dropped = b"", 0
    while block := file.read(_BLOCK):
        *whole, last = (rest + block).split(end)
        for line in whole:
            line += end
            is_long = dropped + len(line) > LONGEST_LINE
            yield _overlong(line, dropped + len(line)) if is_long else line
            dropped = 0
        rest = last
        if dropped + len(rest) > LONGEST_LINE:
            # Its beginning is kept; what follows is only counted.
            dropped += len(rest[_BLOCK:])
            rest = rest[:_BLOCK]
    if rest:
        is_long = dropped + len(rest) > LONGEST_LINE
        yield _overlong(rest, dropped + len(rest)) if is_long else rest
