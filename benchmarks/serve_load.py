"""Clients of a service, in a process of their own: HTTP/1.1 on plain sockets, so that they cost little.

Reads one JSON request from stdin, writes one JSON answer to stdout; benchmarks.serve speaks with it.
Each answer is compared with what is expected of its own texts, so that a lost or swapped one shows.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# Probabilities of the same text in another batch differ by float32's rounding.
TOLERANCE = 1e-4

PROBE_SECONDS = 0.02


@dataclass
class Ask:
    """A request as bytes, and the second label's probability of each of its texts."""

    content: bytes
    expected: list[float]


@dataclass
class Seen:
    """Latencies in seconds by status; ``wrong`` counts answers that are not the texts' own."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    texts: int = 0

    def add(self, status: int, seconds: float, body: bytes, asked: Ask) -> None:
        self.seconds.setdefault(status, []).append(seconds)
        if status == 200:
            self.texts += len(asked.expected)
            found = answers(json.loads(body))
            self.wrong += len(found) != len(asked.expected) or any(
                abs(one - two) > TOLERANCE for one, two in zip(found, asked.expected, strict=False)
            )

    def to_json(self) -> dict[str, Any]:
        return {
            "statuses": {str(status): len(all_) for status, all_ in self.seconds.items()},
            "seconds": {str(status): sorted(all_) for status, all_ in self.seconds.items()},
            "errors": dict(self.errors),
            "wrong": self.wrong,
            "texts": self.texts,
        }


def answers(content: dict[str, Any]) -> list[float]:
    """The second label's probabilities, of the service's answer or the plain handler's."""
    if "answers" not in content:
        return [content["probability"]]
    return [list(one["probabilities"].values())[-1] for one in content["answers"]]


class Connection:
    """One kept-alive connection; opened when it is first needed, and again after an error."""

    def __init__(self, host: str, port: int) -> None:
        self._where = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used = 0.0

    async def ask(self, one: Ask, seen: Seen) -> int:
        """The status, 0 if none came."""
        begun = time.perf_counter()
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(*self._where)
            reader, writer = self._streams
            writer.write(one.content)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
        except (OSError, EOFError, ValueError) as error:
            # A server may close a connection that was idle; that is another thing than a lost answer.
            idle = f", {begun - self._used:.0f} s idle" if self._used else ", new"
            seen.errors[f"{type(error).__name__}{idle}"] += 1
            self.close()
            return 0
        self._used = time.perf_counter()
        status = int(head[9:12])
        seen.add(status, time.perf_counter() - begun, body, one)
        if b"connection: close" in head:
            self.close()
        return status

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams, self._used = None, 0.0


async def closed(
    where: tuple[str, int], asks: list[Ask], clients: int, seconds: float
) -> dict[str, Any]:
    """So many clients, each of which asks again as soon as it is answered."""
    seen, end = Seen(), time.perf_counter() + seconds

    async def client(number: int) -> None:
        connection, dice = Connection(*where), random.Random(number)
        while time.perf_counter() < end:
            await connection.ask(dice.choice(asks), seen)
        connection.close()

    begun = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    return {**seen.to_json(), "elapsed": time.perf_counter() - begun}


async def opened(
    where: tuple[str, int], asks: list[Ask], rate: float, seconds: float, probes: list[Ask]
) -> dict[str, Any]:
    """So many requests a second whether they are answered or not; then probes until all is well.

    ``recovery``: seconds from the last request's sending until a single text, asked after that, has
    its answer.
    """
    seen, dice = Seen(), random.Random(0)
    idle: list[Connection] = []
    tasks: set[asyncio.Task[None]] = set()
    most = 0

    async def one(asked: Ask) -> None:
        connection = idle.pop() if idle else Connection(*where)
        await connection.ask(asked, seen)
        idle.append(connection)

    begun = time.perf_counter()
    sent = 0
    while (now := time.perf_counter() - begun) < seconds:
        while sent < now * rate:
            task = asyncio.create_task(one(dice.choice(asks)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            sent += 1
        most = max(most, len(tasks))
        await asyncio.sleep(0.001)
    elapsed = time.perf_counter() - begun
    ended = time.perf_counter()
    after = Seen()
    probe = Connection(*where)
    while await probe.ask(probes[0], after) != 200:
        await asyncio.sleep(PROBE_SECONDS)
    recovery = time.perf_counter() - ended
    probe.close()
    while tasks:
        await asyncio.wait(tasks)
    for connection in idle:
        connection.close()
    return {
        **seen.to_json(),
        "elapsed": elapsed,
        "sent": sent,
        "recovery": recovery,
        "open_at_once": most,
        "probes_refused": sum(len(all_) for status, all_ in after.seconds.items() if status != 200),
    }


def asks_of(plan: dict[str, Any], texts: int) -> list[Ask]:
    """Requests of so many texts each, or, for the plain handler, of one."""
    rows, expected = plan["texts"], plan["expected"]
    made = []
    for at in range(0, len(rows) - texts + 1, texts):
        some = rows[at : at + texts]
        plain = plan["path"] == "/predict"
        body = json.dumps({"text": some[0]} if plain else {"texts": some}).encode()
        head = (
            f"POST {plan['path']} HTTP/1.1\r\nhost: {plan['host']}:{plan['port']}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        made.append(Ask(head.encode() + body, expected[at : at + texts]))
    return made


def main() -> None:
    plan = json.loads(sys.stdin.read())
    where = plan["host"], plan["port"]
    asks = asks_of(plan, plan["texts_per_request"])
    if plan["do"] == "closed":
        done = closed(where, asks, plan["clients"], plan["seconds"])
    else:
        done = opened(where, asks, plan["rate"], plan["seconds"], asks_of(plan, 1))
    print(json.dumps(asyncio.run(done)))


if __name__ == "__main__":
    main()
