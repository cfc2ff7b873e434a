"""The application in a process: its socket, its signals, and a quiet end."""

import asyncio
import gc
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import uvicorn
from fastapi import FastAPI

from sentilab.errors import SentilabError
from sentilab.serve.app import Service
from sentilab.serve.observing import log_to_stderr

# The worker threads compute in Python too, while they tokenise; by default they would keep the event
# loop, and so a refusal, waiting for 5 ms at a time.
SWITCH_SECONDS = 0.0005

BACKLOG = 2_048

# Longer than proxies keep theirs (a minute): else one may send a request just as we close.
KEEP_ALIVE_SECONDS = 75


@dataclass(frozen=True)
class Address:
    """A listening socket and how to call it."""

    socket: socket.socket
    host: str

    @classmethod
    def bind(cls, host: str, port: int) -> "Address":
        """Listens at ``host``; port 0 takes a free one.

        Raises SentilabError if that cannot be.
        """
        try:
            (family, _, protocol, _, where), *_ = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        except (OSError, UnicodeError) as error:
            raise SentilabError(f'"{host}" is no address of this machine ({error}).') from error
        # asyncio sends small packets at once only where the protocol is said to be TCP; else a
        # response's second packet may wait for 40 ms.
        made = socket.socket(family, socket.SOCK_STREAM, protocol)
        try:
            if sys.platform != "win32":
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(where)
        except OSError as error:
            made.close()
            raise SentilabError(
                f"{host}, port {port}: cannot listen there ({error.strerror}).\n"
                "  Name another with --port; --port 0 takes one that is free."
            ) from error
        return cls(made, host)

    @property
    def port(self) -> int:
        number: int = self.socket.getsockname()[1]
        return number

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


class Server(uvicorn.Server):
    """uvicorn, that says /ready no before it stops listening and ends without an error.

    SIGTERM comes from what looks after services, and gives it time to look elsewhere; SIGINT from a
    person, who need not wait. A second signal ends at once.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handled = (signal.SIGINT, signal.SIGTERM)
        before = {one: signal.signal(one, self.handle_exit) for one in handled}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        seconds = self._service.settings.drain_seconds if sig == signal.SIGTERM else 0.0
        if self._service.leaving:
            self.force_exit = self.should_exit
            self.should_exit = True
            return
        self._service.leaving = True
        if not seconds:
            self.should_exit = True
            return
        # Signals interrupt the main thread, which is the loop's, anywhere: hence "threadsafe".
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(lambda: loop.call_later(seconds, self._stop))

    def _stop(self) -> None:
        self.should_exit = True


def server_of(app: FastAPI) -> Server:
    """A server for an application of ``create_app``'s; ``server.run([address.socket])`` starts it."""
    service: Service = app.state.service
    settings = service.settings
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="on",
        ws="none",
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        limit_concurrency=settings.connections,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_seconds)),
        # Nothing here depends on the caller's address, behind a proxy or not.
        proxy_headers=False,
    )
    return Server(config, service)


def run(app: FastAPI, address: Address) -> None:
    """Serves until SIGTERM or SIGINT; finishes what was accepted, then returns."""
    log_to_stderr()
    sys.setswitchinterval(SWITCH_SECONDS)
    # What is loaded by now stays: the collector need not look at it again, and so looks at the rest
    # more often and more quickly.
    gc.collect()
    gc.freeze()
    server_of(app).run([address.socket])
