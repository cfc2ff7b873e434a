"""The queue and the worker: what was accepted is answered once, with its own answer."""

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentilab.serve.batching import Lane
from sentilab.serve.errors import Overloaded, TooLate

FOREVER = 3_600.0


class Doubling:
    """Doubles numbers, when it is let; 13 it cannot."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[list[int]] = []

    def __call__(self, questions: Sequence[int]) -> Sequence[int]:
        assert self.gate.wait(30)
        self.batches.append(list(questions))
        if 13 in questions:
            raise ValueError("13")
        return [2 * one for one in questions]


def within(test: Callable[[Lane[int, int], Doubling], Awaitable[None]], **options: float) -> None:
    """Runs the test with a lane in an event loop of its own."""

    async def run() -> None:
        double = Doubling()
        plain = {"batch": 4, "wait": 0.0, "limit": 8}
        lane: Lane[int, int] = Lane(double, **{**plain, **options})  # type: ignore[arg-type]
        try:
            await test(lane, double)
        finally:
            double.gate.set()
            await asyncio.to_thread(lane.close)

    asyncio.run(asyncio.wait_for(run(), 60))


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), batch=st.integers(1, 7), wait=st.sampled_from([0.0, 0.001]))
def test_every_accepted_question_is_answered_once_with_its_own_answer_whoever_leaves(
    seed: int, batch: int, wait: float
) -> None:
    dice = random.Random(seed)

    async def test(lane: Lane[int, int], double: Doubling) -> None:
        async def client(number: int) -> None:
            for turn in range(4):
                questions = [dice.randrange(100, 10**6) for _ in range(dice.randint(1, 9))]
                try:
                    job = lane.ask(questions)
                except Overloaded:
                    refused.append(number)
                    await asyncio.sleep(0)
                    continue
                leaves = dice.random() < 0.3
                if leaves:
                    asyncio.get_running_loop().call_later(dice.random() / 500, job.leave, TooLate())
                try:
                    assert await job.answers == [2 * one for one in questions]
                    answered.extend(questions)
                except TooLate:
                    assert leaves
                await asyncio.sleep(dice.choice([0, 0, 0.001]))
                assert turn < 4

        answered: list[int] = []
        refused: list[int] = []
        await asyncio.gather(*(client(number) for number in range(8)))
        assert lane.waiting == 0
        computed = [one for batch_ in double.batches for one in batch_]
        assert all(len(one) <= batch for one in double.batches)
        assert len(computed) >= len(answered)
        for one in set(answered):
            assert computed.count(one) >= answered.count(one)

    within(test, batch=batch, wait=wait, limit=20)


def test_what_arrives_while_the_worker_is_busy_is_computed_together() -> None:
    async def test(lane: Lane[int, int], double: Doubling) -> None:
        double.gate.clear()
        jobs = [lane.ask([number]) for number in range(1, 6)]
        double.gate.set()
        assert [await job.answers for job in jobs] == [[2], [4], [6], [8], [10]]
        assert double.batches == [[1], [2, 3, 4, 5]]

    within(test)


def test_an_idle_lane_does_not_wait_for_company() -> None:
    async def test(lane: Lane[int, int], double: Doubling) -> None:
        for number in range(3):
            assert await lane.ask([number]).answers == [2 * number]

    within(test, wait=FOREVER)


def test_after_a_batch_of_several_the_next_waits_for_as_many() -> None:
    async def test(lane: Lane[int, int], double: Doubling) -> None:
        double.gate.clear()
        jobs = [lane.ask([number]) for number in range(3)]
        double.gate.set()
        await asyncio.gather(*(job.answers for job in jobs))
        first = lane.ask([5])
        await asyncio.sleep(0.02)
        assert not first.answers.done()
        second = lane.ask([6])
        assert [await first.answers, await second.answers] == [[10], [12]]
        assert double.batches[-1] == [5, 6]

    within(test, wait=FOREVER)


def test_company_that_does_not_come_is_waited_for_no_longer_than_was_said() -> None:
    async def test(lane: Lane[int, int], double: Doubling) -> None:
        double.gate.clear()
        jobs = [lane.ask([number]) for number in range(3)]
        double.gate.set()
        await asyncio.gather(*(job.answers for job in jobs))
        assert await lane.ask([5]).answers == [10]

    within(test, wait=0.001)


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    async def test(lane: Lane[int, int], double: Doubling) -> None:
        double.gate.clear()
        running = lane.ask([0])
        jobs = [lane.ask([number, number]) for number in range(1, 5)]
        assert lane.waiting == 8
        with pytest.raises(Overloaded) as refused:
            lane.ask([9])
        assert refused.value.retry_seconds >= 1
        double.gate.set()
        assert await running.answers == [0]
        assert [await job.answers for job in jobs] == [[2, 2], [4, 4], [6, 6], [8, 8]]

    within(test)


def test_whoever_leaves_makes_room() -> None:
    async def test(lane: Lane[int, int], double: Doubling) -> None:
        double.gate.clear()
        running = lane.ask([0])
        leaver = lane.ask([1] * 8)
        leaver.leave(TooLate())
        with pytest.raises(TooLate):
            await leaver.answers
        assert lane.waiting == 0
        stayer = lane.ask([2] * 8)
        double.gate.set()
        assert await running.answers == [0]
        assert await stayer.answers == [4] * 8
        assert not any(1 in batch for batch in double.batches)

    within(test)


def test_a_question_that_fails_costs_its_own_request_and_no_other() -> None:
    async def test(lane: Lane[int, int], double: Doubling) -> None:
        double.gate.clear()
        lane.ask([0])
        jobs = [lane.ask([number]) for number in (1, 13, 3)]
        double.gate.set()
        found = await asyncio.gather(*(job.answers for job in jobs), return_exceptions=True)
        assert (found[0], found[2]) == ([2], [6])
        assert isinstance(found[1], ValueError)
        assert await lane.ask([4]).answers == [8]

    within(test)


def test_a_failing_part_ends_its_request_and_the_rest_of_it_leaves() -> None:
    async def test(lane: Lane[int, int], double: Doubling) -> None:
        job = lane.ask([13, *range(100, 107)])
        with pytest.raises(ValueError, match="13"):
            await job.answers
        assert await lane.ask([4]).answers == [8]
        assert lane.waiting == 0

    within(test, batch=2)


def test_a_large_request_is_computed_in_parts_between_which_others_have_their_turn() -> None:
    async def test(lane: Lane[int, int], double: Doubling) -> None:
        double.gate.clear()
        lane.ask([0])
        large, small = lane.ask([1, 2, 3, 4, 5, 6, 7]), lane.ask([8])
        double.gate.set()
        assert await small.answers == [16]
        assert await large.answers == [2, 4, 6, 8, 10, 12, 14]
        assert double.batches == [[0], [1, 2, 3, 4], [8, 5, 6, 7]]

    within(test)


def test_what_is_heavier_than_the_limit_is_accepted_when_nothing_waits() -> None:
    async def test(lane: Lane[int, int], double: Doubling) -> None:
        double.gate.clear()
        lane.ask([0])
        heavy = lane.ask([1], weight=100)
        with pytest.raises(Overloaded):
            lane.ask([2])
        double.gate.set()
        assert await heavy.answers == [2]

    within(test)
