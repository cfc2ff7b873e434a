"""Ctrl-C that is not lost.

Python raises KeyboardInterrupt wherever the main thread stands. If that is a destructor, a weak reference's
callback or one of the garbage collector's (JAX has one), it is printed and ignored, as any exception is there,
and a command goes on that was asked to stop.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_heard = False


@contextmanager
def heeded() -> Iterator[None]:
    """Within, ``raise_if_lost`` knows of each Ctrl-C. In another thread, or where somebody else
    handles it already, it changes nothing.
    """
    global _heard
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, _hear)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _heard = False


def _hear(number: int, frame: FrameType | None) -> None:
    global _heard
    _heard = True
    signal.default_int_handler(number, frame)


def raise_if_lost() -> None:
    """Raises KeyboardInterrupt if one has been raised, which has then not arrived here.

    Loops that run for long call it between their steps.
    """
    global _heard
    if _heard:
        _heard = False
        raise KeyboardInterrupt
