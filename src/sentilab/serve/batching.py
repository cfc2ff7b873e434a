"""Requests of many clients computed together: a bounded queue and one worker thread a lane.

All methods are called on the event loop; only ``answer``, the function that computes, runs in the
worker thread. While that is busy, what arrives gathers and becomes the next batch. An idle lane
starts at once, except where the batch before held several requests: then it waits for as many
again, for ``wait`` seconds at most.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from sentilab.serve.errors import Overloaded, ServiceError

Question = TypeVar("Question")
Answer = TypeVar("Answer")

MOST_RETRY = 60

# How much the latest batch counts in the running mean of the seconds that a unit of weight takes.
LATEST = 0.2


class Job(Generic[Question, Answer]):
    """One request's questions in a lane; ``answers`` are theirs, in the same order.

    ``answers`` ends in the error that ``leave`` was given, or that computing them raised.
    """

    def __init__(
        self, lane: "Lane[Question, Answer]", questions: Sequence[Question], weight: int
    ) -> None:
        self._lane = lane
        self.questions = questions
        self.weight = weight  # of each question
        self.answers: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        self.taken = 0  # questions that a batch has taken
        self.found: list[Answer] = []

    @property
    def left(self) -> int:
        """Questions that wait."""
        return len(self.questions) - self.taken

    def leave(self, reason: ServiceError | None = None) -> None:
        """Gives up: what still waits leaves the queue. Nothing happens where answers are there.

        Without a reason nobody waits for the answers any longer.
        """
        if self.answers.done():
            return
        if reason is None:
            self.answers.cancel()
        else:
            self.answers.set_exception(reason)
        self._lane.forget(self)


class Part(Generic[Question, Answer]):
    """What one batch takes of a job, and what came of it."""

    def __init__(self, job: Job[Question, Answer], most: int) -> None:
        self.job = job
        self.questions = job.questions[job.taken : job.taken + most]
        job.taken += len(self.questions)
        self.answers: Sequence[Answer] = ()
        self.failure: Exception | None = None


class Lane(Generic[Question, Answer]):
    """A queue before one function.

    ``answer`` maps questions to as many answers, in order. ``batch`` is how many questions it gets at
    most, ``limit`` the weight that may wait, ``observe`` is told (questions, seconds) of each batch.
    A job of more questions than a batch is computed in parts, between which others have their turn.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Question]], Sequence[Answer]],
        *,
        batch: int,
        wait: float,
        limit: int,
        observe: Callable[[int, float], None] = lambda *_: None,
        name: str = "lane",
    ) -> None:
        self._answer, self._observe = answer, observe
        self._batch, self._wait, self._limit = batch, wait, limit
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=name)
        # A dict, since jobs leave from the middle.
        self._jobs: dict[Job[Question, Answer], None] = {}
        self._waiting = 0
        self._questions = 0
        self._busy = False
        self._company = 1  # requests in the batch before
        self._timer: asyncio.TimerHandle | None = None
        self._pace = 0.0  # seconds that a unit of weight takes

    @property
    def waiting(self) -> int:
        """The weight that waits."""
        return self._waiting

    def ask(self, questions: Sequence[Question], weight: int = 1) -> Job[Question, Answer]:
        """Accepts the questions, of ``weight`` each, or raises Overloaded at once."""
        self.check(len(questions) * weight)
        job = Job(self, questions, weight)
        if not questions:
            job.answers.set_result([])
            return job
        self._jobs[job] = None
        self._count(job, job.left)
        self._start()
        return job

    def check(self, weight: int = 1) -> None:
        """Raises Overloaded if so much more must not wait."""
        # What is heavier than the limit is accepted when nothing waits: else it never could be.
        if self._waiting and self._waiting + weight > self._limit:
            seconds = math.ceil(self._waiting * self._pace)
            raise Overloaded(retry_seconds=min(max(seconds, 1), MOST_RETRY))

    def forget(self, job: Job[Question, Answer]) -> None:
        """The job's questions that wait leave the queue."""
        if job in self._jobs:
            del self._jobs[job]
            self._count(job, -job.left)

    def close(self) -> None:
        """Ends the worker thread once it has computed what it is at."""
        self._cancel_timer()
        self._worker.shutdown(wait=True)

    def _count(self, job: Job[Question, Answer], questions: int) -> None:
        self._questions += questions
        self._waiting += questions * job.weight

    def _start(self, *, now: bool = False) -> None:
        if self._busy or not self._jobs:
            return
        alone = len(self._jobs) < self._company and self._questions < self._batch
        if alone and self._wait and not now:
            if self._timer is None:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(self._wait, self._start_now)
            return
        self._cancel_timer()
        parts = self._take()
        self._company = len(parts)
        self._busy = True
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._worker, self._compute, parts)
        work.add_done_callback(self._done)

    def _start_now(self) -> None:
        self._timer = None
        self._start(now=True)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _take(self) -> list[Part[Question, Answer]]:
        """The next batch, first come first served; what is left of a large job goes to the end."""
        parts: list[Part[Question, Answer]] = []
        room = self._batch
        while room and self._jobs:
            job = next(iter(self._jobs))
            del self._jobs[job]
            part = Part(job, room)
            room -= len(part.questions)
            self._count(job, -len(part.questions))
            if job.left:
                self._jobs[job] = None
            parts.append(part)
        return parts

    def _compute(self, parts: list[Part[Question, Answer]]) -> list[Part[Question, Answer]]:
        """In the worker thread. A failure costs its own request and no other."""
        begun = time.perf_counter()
        questions = [one for part in parts for one in part.questions]
        try:
            self._share(parts, questions)
        except Exception:
            for part in parts:
                try:
                    self._share([part], part.questions)
                except Exception as error:
                    part.failure = error
        seconds = time.perf_counter() - begun
        self._observe(len(questions), seconds)
        weight = sum(len(part.questions) * part.job.weight for part in parts)
        share = LATEST if self._pace else 1.0
        self._pace += share * (seconds / weight - self._pace)
        return parts

    def _share(self, parts: list[Part[Question, Answer]], questions: Sequence[Question]) -> None:
        answers = self._answer(questions)
        if len(answers) != len(questions):
            raise RuntimeError(f"{len(answers)} answers for {len(questions)} questions")
        at = 0
        for part in parts:
            part.answers = answers[at : at + len(part.questions)]
            at += len(part.questions)

    def _done(self, work: "asyncio.Future[list[Part[Question, Answer]]]") -> None:
        self._busy = False
        # Before the answers are handed out, so that the worker is not idle meanwhile.
        self._start()
        for part in work.result():
            job = part.job
            if job.answers.done():
                continue
            if part.failure is not None:
                job.answers.set_exception(part.failure)
                self.forget(job)
                continue
            job.found.extend(part.answers)
            if len(job.found) == len(job.questions):
                job.answers.set_result(job.found)
