"""The scheduler alone: events and times in, starts and kills out."""

import time

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sentilab.engines.scheduler import Kill, Patience, Scheduler, Start
from sentilab.engines.tasks import Needs, Outcome, Task

ONE = Needs(cores=1, memory=4)
DONE = Outcome("done", 1)
LOST = Outcome("lost", reason="Its worker was killed.")
STARVED = Outcome("starved", reason="Memory had run out.")
TROUBLE = Outcome("trouble", reason="runs: No space left on device")


def task(key: str, *after: str, needs: Needs = ONE, silence: float = 900.0) -> Task:
    return Task(key, "module:function", needs=needs, after=after, silence=silence)


def scheduler_of(*tasks: Task, workers: int = 1, patience: Patience | None = None) -> Scheduler:
    """With workers "w0", "w1" ... that joined at 0."""
    scheduler = Scheduler(tasks, patience)
    for number in range(workers):
        scheduler.joined(f"w{number}", ONE, 0.0)
    return scheduler


def started(scheduler: Scheduler, now: float) -> dict[str, str]:
    """What begins now: the task's key by the worker's name."""
    return {one.worker: one.task.key for one in scheduler.decide(now) if isinstance(one, Start)}


def test_tasks_begin_in_their_order() -> None:
    scheduler = scheduler_of(task("b"), task("a"), task("c"), workers=2)
    assert started(scheduler, 0) == {"w0": "b", "w1": "a"}
    assert started(scheduler, 0) == {}
    assert scheduler.ended("w1", DONE, 1) == "a"
    assert started(scheduler, 1) == {"w1": "c"}


def test_a_task_waits_for_those_it_comes_after_however_they_end() -> None:
    scheduler = scheduler_of(task("a"), task("b"), task("c", "a", "b", "a"), workers=3)
    assert started(scheduler, 0) == {"w0": "a", "w1": "b"}
    scheduler.ended("w0", DONE, 1)
    assert started(scheduler, 1) == {}
    scheduler.ended("w1", Outcome("failed", reason="It diverged."), 2)
    assert list(started(scheduler, 2).values()) == ["c"]
    assert scheduler.statuses["b"].outcome == Outcome("failed", reason="It diverged.")


def test_a_task_may_be_added_while_others_run() -> None:
    scheduler = scheduler_of(task("a"), workers=2)
    started(scheduler, 0)
    scheduler.add(task("b", "a"))
    assert started(scheduler, 1) == {}
    scheduler.ended("w0", DONE, 1)
    assert not scheduler.finished
    scheduler.add(task("c", "a"))
    assert sorted(started(scheduler, 1).values()) == ["b", "c"]


def test_a_task_that_is_there_already_or_comes_after_an_unknown_one_is_refused() -> None:
    scheduler = scheduler_of(task("a"))
    with pytest.raises(ValueError, match="a: there is such a task already"):
        scheduler.add(task("a"))
    with pytest.raises(ValueError, match="b: it comes after c, which is not known"):
        scheduler.add(task("b", "a", "c"))
    assert list(scheduler.statuses) == ["a"]


@pytest.mark.parametrize(("outcome", "allowed"), [(LOST, 5), (STARVED, 3)])
def test_a_task_whose_worker_goes_is_tried_again_and_fails_in_the_end(
    outcome: Outcome, allowed: int
) -> None:
    scheduler = scheduler_of(task("a"), workers=0)
    for number in range(allowed):
        scheduler.joined(f"v{number}", ONE, number)
        assert started(scheduler, number) == {f"v{number}": "a"}
        assert not scheduler.finished
        assert scheduler.left(f"v{number}", outcome, number + 0.5) == "a"
    assert scheduler.finished
    assert scheduler.statuses["a"].attempts == allowed
    told = f"{outcome.reason} (tried {allowed} times)"
    assert scheduler.statuses["a"].outcome == Outcome("failed", reason=told)


def test_refusals_are_tried_again_after_a_pause_that_doubles() -> None:
    patience = Patience(lasting=0, trouble=4, troubles=9, longest_pause=3)
    scheduler = scheduler_of(task("a"), patience=patience)
    now, pauses = 0.0, []
    for _ in range(3):
        assert started(scheduler, now) == {"w0": "a"}
        scheduler.ended("w0", TROUBLE, now)
        due = scheduler.wakeup()
        assert due is not None
        assert started(scheduler, due - 0.01) == {}
        pauses.append(due - now)
        now = due
    assert pauses == [1, 2, 3]
    assert started(scheduler, now) == {"w0": "a"}
    scheduler.ended("w0", TROUBLE, now)
    told = "runs: No space left on device (tried 4 times)"
    assert scheduler.statuses["a"].outcome == Outcome("failed", reason=told)


def test_refusal_after_refusal_is_the_machines_fault_and_nothing_more_begins() -> None:
    patience = Patience(lasting=7, pause=0)
    scheduler = scheduler_of(*(task(str(one)) for one in range(9)), patience=patience)
    for now in range(8):
        assert scheduler.blocked_by is None
        assert started(scheduler, now)
        scheduler.ended("w0", TROUBLE, now)
    assert scheduler.blocked_by == TROUBLE
    assert scheduler.decide(10_000) == []
    assert not scheduler.finished


def test_a_success_between_refusals_says_that_the_machine_is_well() -> None:
    scheduler = scheduler_of(*(task(str(one)) for one in range(30)))
    for now in range(20):
        started(scheduler, now)
        scheduler.ended("w0", DONE if now % 8 == 7 else TROUBLE, now)
    assert scheduler.blocked_by is None


def test_tasks_that_fail_of_refusals_are_no_success() -> None:
    patience = Patience(lasting=0, trouble=1, troubles=4, pause=0)
    scheduler = scheduler_of(*(task(str(one)) for one in range(9)), patience=patience)
    for now in range(4):
        started(scheduler, now)
        scheduler.ended("w0", TROUBLE, now)
    assert scheduler.blocked_by == TROUBLE


def test_a_silent_worker_is_killed_once_and_its_task_counts_as_hung() -> None:
    scheduler = scheduler_of(task("a", silence=10))
    started(scheduler, 0)
    scheduler.heard("w0", 4)
    assert scheduler.wakeup() == 10
    assert scheduler.decide(10) == []
    assert scheduler.wakeup() == 14
    hung = Outcome("hung", reason="It gave no sign of life for 10 s.")
    assert scheduler.decide(14) == [Kill("w0", hung)]
    assert scheduler.decide(99) == []
    assert scheduler.left("w0", hung, 100) == "a"
    assert scheduler.statuses["a"].spoilt == {"hung": 1}

    scheduler.joined("w1", ONE, 100)
    started(scheduler, 100)
    assert [type(one) for one in scheduler.decide(110)] == [Kill]
    scheduler.left("w1", hung, 111)
    told = "It gave no sign of life for 10 s. (tried 2 times)"
    assert scheduler.statuses["a"].outcome == Outcome("failed", reason=told)


def test_what_ends_while_its_worker_is_being_killed_counts() -> None:
    scheduler = scheduler_of(task("a", silence=10), task("b"))
    started(scheduler, 0)
    scheduler.decide(10)
    assert scheduler.ended("w0", DONE, 10.1) == "a"
    assert started(scheduler, 10.2) == {}  # it is as good as dead
    assert scheduler.left("w0", LOST, 10.3) == ""
    assert scheduler.statuses["a"].outcome == DONE


def test_a_starved_task_asks_for_twice_the_memory_but_no_more_than_the_largest_worker_has() -> None:
    scheduler = scheduler_of(task("a"), workers=0)
    for name, memory in (("small", 4), ("middle", 9), ("large", 15)):
        scheduler.joined(name, Needs(1, memory), 0)
    seen = []
    for now in range(3):
        [start] = scheduler.decide(now)
        assert isinstance(start, Start)
        seen.append((start.worker, start.task.needs.memory))
        scheduler.ended(start.worker, STARVED, now)
    assert seen == [("small", 4), ("middle", 8), ("large", 15)]


def test_a_starved_task_does_not_wait_for_a_larger_worker_that_is_not_there() -> None:
    scheduler = scheduler_of(task("a"))
    started(scheduler, 0)
    scheduler.left("w0", STARVED, 1)  # the only one
    scheduler.joined("w1", ONE, 2)
    assert started(scheduler, 2) == {"w1": "a"}


def test_memory_is_capped_at_the_largest_worker_that_has_the_cores() -> None:
    scheduler = scheduler_of(task("a", needs=Needs(2, 4)), workers=0)
    scheduler.joined("many cores", Needs(2, 4), 0)
    scheduler.joined("much memory", Needs(1, 16), 0)
    assert started(scheduler, 0) == {"many cores": "a"}
    scheduler.ended("many cores", STARVED, 1)
    assert started(scheduler, 1) == {"many cores": "a"}


def test_a_large_task_waits_for_its_worker_and_smaller_ones_go_before_it() -> None:
    scheduler = scheduler_of(task("large", needs=Needs(4, 4)), task("small"))
    assert started(scheduler, 0) == {"w0": "small"}
    scheduler.joined("big", Needs(8, 8), 1)
    assert started(scheduler, 1) == {"big": "large"}


def test_the_smallest_worker_that_suffices_is_taken() -> None:
    scheduler = scheduler_of(task("a"), task("b"), workers=0)
    for name, capacity in (("any", Needs(1, 0)), ("big", Needs(4, 9)), ("fits", Needs(1, 5))):
        scheduler.joined(name, capacity, 0)
    assert started(scheduler, 0) == {"fits": "a", "any": "b"}


def test_events_of_workers_that_are_not_known_change_nothing() -> None:
    scheduler = scheduler_of(task("a"))
    started(scheduler, 0)
    assert scheduler.left("nobody", LOST, 1) == ""
    assert scheduler.ended("nobody", DONE, 1) == ""
    scheduler.heard("nobody", 1)
    scheduler.ended("w0", DONE, 2)
    assert scheduler.ended("w0", TROUBLE, 3) == ""
    assert scheduler.left("w0", LOST, 3) == ""
    assert scheduler.left("w0", LOST, 3) == ""
    assert scheduler.statuses["a"].spoilt == {}


def test_a_worker_that_begins_anew_has_lost_what_it_did() -> None:
    scheduler = scheduler_of(task("a"), task("b"))
    started(scheduler, 0)
    assert scheduler.joined("w0", ONE, 1) == "a"
    assert started(scheduler, 1) == {"w0": "a"}
    assert scheduler.statuses["a"].spoilt == {"lost": 1}


def test_ten_thousand_tasks_that_no_worker_can_do_cost_little() -> None:
    large = [task(f"large {one}", needs=Needs(64, 4)) for one in range(10_000)]
    small = [task(f"small {one}") for one in range(500)]
    scheduler = scheduler_of(*large, *small, workers=1_000)
    begun = time.process_time()
    assert len(started(scheduler, 0)) == 500
    for number in range(500):
        scheduler.ended(f"w{number}", DONE, 1)
        assert started(scheduler, 1) == {}
    assert time.process_time() - begun < 2


PATIENCE = Patience(
    lost=3, hung=2, starved=3, trouble=4, troubles=5, lasting=0, pause=1, longest_pause=3
)
NAMES = st.sampled_from([f"w{one}" for one in range(6)])
NEEDS = st.builds(Needs, st.integers(1, 3), st.sampled_from([0, 2, 4, 8]))


class AnyEvents(RuleBasedStateMachine):
    """Any events in any order; what is known of them is kept here a second time, plainly."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(patience=PATIENCE)
        self.now = 0.0
        self.tasks: dict[str, Task] = {}
        self.capacities: dict[str, Needs] = {}
        self.running: dict[str, str] = {}
        self.heard_at: dict[str, float] = {}
        self.killed: set[str] = set()
        self.spoilt: dict[str, dict[str, int]] = {}
        self.over: dict[str, Outcome] = {}
        self.not_before: dict[str, float] = {}
        self.in_a_row = 0
        self.blocked = False

    # What may happen.

    @rule(data=st.data(), needs=NEEDS, silence=st.sampled_from([5.0, 20.0]))
    def add(self, data: st.DataObject, needs: Needs, silence: float) -> None:
        key = f"t{len(self.tasks)}"
        known = sorted(self.tasks)
        after = data.draw(st.lists(st.sampled_from(known), max_size=3)) if known else []
        self.tasks[key] = task(key, *after, needs=needs, silence=silence)
        self.scheduler.add(self.tasks[key])

    @precondition(lambda self: self.tasks)
    @rule()
    def add_wrongly(self) -> None:
        with pytest.raises(ValueError, match="already"):
            self.scheduler.add(self.tasks["t0"])
        with pytest.raises(ValueError, match="not known"):
            self.scheduler.add(task("new", "nothing"))

    @rule(name=NAMES, capacity=NEEDS)
    def join(self, name: str, capacity: Needs) -> None:
        lost = self.scheduler.joined(name, capacity, self.now)
        assert lost == self.running.get(name, "")
        self._gone(name, Outcome("lost", reason="Its worker began anew."))
        self.capacities[name] = capacity

    @rule(name=NAMES, outcome=st.sampled_from([LOST, STARVED]))
    def leave(self, name: str, outcome: Outcome) -> None:
        assert self.scheduler.left(name, outcome, self.now) == self.running.get(name, "")
        self._gone(name, outcome)

    @rule(name=NAMES, ending=st.sampled_from(["done", "failed", "trouble", "starved"]))
    def end(self, name: str, ending: str) -> None:
        outcome = Outcome(ending, reason=f"{ending} at {self.now}")  # type: ignore[arg-type]
        key = self.running.pop(name, "")
        assert self.scheduler.ended(name, outcome, self.now) == key
        if key:
            self._heard_end(key, outcome)

    @rule(name=NAMES)
    def hear(self, name: str) -> None:
        self.scheduler.heard(name, self.now)
        self.heard_at[name] = self.now

    @rule(seconds=st.sampled_from([0.5, 3.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def wait_until_asked(self) -> None:
        """Nothing is due before the time that ``wakeup`` says."""
        self.decide()
        due, soonest = self.scheduler.wakeup(), self._soonest()
        assert due is None or due > self.now
        assert soonest is None or (due is not None and due <= soonest)
        self.now = due or self.now

    @rule()
    def decide(self) -> None:
        for one in self.scheduler.decide(self.now):
            if isinstance(one, Kill):
                self._kills(one)
            else:
                self._starts(one)
        for worker, key in self.running.items():
            silent = self.now - self.heard_at[worker] >= self.tasks[key].silence
            assert worker in self.killed or not silent
        if self.blocked:
            return
        idle = set(self.capacities) - set(self.running) - self.killed
        for key in self._could_begin():
            if "starved" not in self.spoilt.get(key, {}):
                needs = self.tasks[key].needs
                assert not any(suffices(self.capacities[one], needs) for one in idle)

    # What it must keep to.

    def _kills(self, one: Kill) -> None:
        key = self.running[one.worker]
        assert one.worker not in self.killed
        assert one.why.ending == "hung"
        assert self.now - self.heard_at[one.worker] >= self.tasks[key].silence
        self.killed.add(one.worker)

    def _starts(self, one: Start) -> None:
        key, needs, asked = one.task.key, one.task.needs, self.tasks[one.task.key].needs
        assert not self.blocked
        assert one.worker not in self.running
        assert one.worker not in self.killed
        assert key in self._could_begin()
        assert suffices(self.capacities[one.worker], needs)
        assert needs.cores == asked.cores
        assert needs.memory <= asked.memory * 2 ** self.spoilt.get(key, {}).get("starved", 0)
        assert needs == asked or "starved" in self.spoilt[key]
        self.running[one.worker] = key
        self.heard_at[one.worker] = self.now

    def _could_begin(self) -> list[str]:
        busy = set(self.running.values())
        return [
            key
            for key, one in self.tasks.items()
            if key not in busy
            and key not in self.over
            and self.not_before.get(key, 0) <= self.now
            and all(before in self.over for before in one.after)
        ]

    def _soonest(self) -> float | None:
        paused = [] if self.blocked else [at for at in self.not_before.values() if at > self.now]
        silent = [
            self.heard_at[worker] + self.tasks[key].silence
            for worker, key in self.running.items()
            if worker not in self.killed
        ]
        return min(paused + silent, default=None)

    def _gone(self, name: str, outcome: Outcome) -> None:
        self.capacities.pop(name, None)
        self.killed.discard(name)
        key = self.running.pop(name, "")
        if key:
            self._heard_end(key, outcome)

    def _heard_end(self, key: str, outcome: Outcome) -> None:
        assert key not in self.over
        if outcome.ending in ("done", "failed"):
            self.in_a_row = 0 if outcome.ending == "done" else self.in_a_row
            self.over[key] = outcome
            return
        counts = self.spoilt.setdefault(key, {})
        times = counts[outcome.ending] = counts.get(outcome.ending, 0) + 1
        if outcome.ending == "trouble":
            self.in_a_row += 1
            self.blocked = self.blocked or self.in_a_row >= PATIENCE.troubles
            self.not_before[key] = self.now + min(2 ** (times - 1), 3)
        if times == PATIENCE.allowed(outcome.ending):
            self.over[key] = Outcome("failed", reason=outcome.reason)
            self.not_before.pop(key, None)

    @invariant()
    def every_task_is_where_it_should_be(self) -> None:
        assert self.scheduler.finished == (len(self.over) == len(self.tasks))
        assert (self.scheduler.blocked_by is not None) == self.blocked
        running = {one.worker: one.task.key for one in self.scheduler.running}
        assert running == self.running
        assert len(set(running.values())) == len(running)
        for key, status in self.scheduler.statuses.items():
            assert status.spoilt == self.spoilt.get(key, {})
            expected = self.over.get(key)
            if expected is None or status.outcome is None:
                assert expected is status.outcome
                continue
            assert status.state == status.outcome.ending == expected.ending
            assert status.outcome.reason.startswith(expected.reason)
            for ending, times in status.spoilt.items():
                if times == PATIENCE.allowed(ending):
                    assert status.outcome.reason.endswith(f"(tried {times} times)")

    def teardown(self) -> None:
        """With a worker that can do everything, all tasks come to an end."""
        for name in list(self.capacities):
            self.leave(name, LOST)
        if self.blocked:
            return
        for _ in range(len(self.tasks)):
            self.join("able", Needs(3, 8))
            self.now += 4
            self.decide()
            self.end("able", "done")
        self.every_task_is_where_it_should_be()
        assert self.scheduler.finished


def suffices(capacity: Needs, needs: Needs) -> bool:
    memory = not needs.memory or not capacity.memory or needs.memory <= capacity.memory
    return needs.cores <= capacity.cores and memory


TestAnyEventsInAnyOrder = AnyEvents.TestCase
TestAnyEventsInAnyOrder.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)


def test_refusals_must_last_before_the_machine_is_at_fault() -> None:
    scheduler = Scheduler([Task("t", "")], Patience(trouble=99, troubles=3, lasting=10, pause=0))
    scheduler.joined("w", Needs(), 0)
    for now in (0, 1, 2, 3, 9):
        assert scheduler.decide(now)
        scheduler.ended("w", Outcome("trouble", reason="full"), now)
        assert scheduler.blocked_by is None
    assert scheduler.decide(11)
    scheduler.ended("w", Outcome("trouble", reason="full"), 11)
    assert scheduler.blocked_by is not None


def test_what_was_lost_before_a_milestone_does_not_count() -> None:
    scheduler = Scheduler([Task("t", "")], Patience(lost=2))
    for number in range(5):
        scheduler.joined(f"w{number}", Needs(), number)
        assert scheduler.decide(number)
        scheduler.heard(f"w{number}", number, milestone=True)
        scheduler.left(f"w{number}", Outcome("lost", reason="gone"), number)
    assert scheduler.statuses["t"].state == "waiting"


def test_where_everyone_is_refused_nothing_begins_for_a_while() -> None:
    scheduler = scheduler_of(
        *(task(str(one)) for one in range(9)), patience=Patience(pause=2, longest_pause=8)
    )
    assert list(started(scheduler, 0).values()) == ["0"]
    scheduler.ended("w0", TROUBLE, 0)  # one worker, refused once: it may be the task
    assert list(started(scheduler, 0).values()) == ["1"]
    scheduler.ended("w0", TROUBLE, 0)
    for now, held in ((0, 2), (2, 6), (6, 14), (14, 22)):
        assert started(scheduler, now) == {} or now
        assert scheduler.decide(held - 0.1) == []
        assert (scheduler.wakeup() or 0) <= held
        assert started(scheduler, held)
        scheduler.ended("w0", TROUBLE, held)


def test_attempts_in_vain_that_were_made_before_count() -> None:
    before = Task("t", "", spoilt={"hung": 1})
    scheduler = Scheduler([before], Patience(hung=2))
    scheduler.joined("w0", Needs(), 0)
    assert scheduler.decide(0)
    assert scheduler.decide(before.silence)
    scheduler.left("w0", Outcome("hung"), before.silence)
    assert scheduler.statuses["t"].state == "failed"


def test_what_the_pool_knows_of_a_silent_worker_counts() -> None:
    scheduler = scheduler_of(task("a", silence=10), patience=Patience(hung=1))
    started(scheduler, 0)
    assert [type(one) for one in scheduler.decide(10)] == [Kill]
    scheduler.left("w0", Outcome("lost", reason="Its node is gone."), 11)
    assert scheduler.statuses["a"].spoilt == {"lost": 1}
    assert scheduler.statuses["a"].state == "waiting"
