"""The scheduler with models made for the test: who is answered, when, with what, and what a failure costs whom."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloister import DeadlineExceeded, ModelFailed, Overloaded, Unavailable, WorkerDied
from cloister.runtime.batching import Batch, Output, Scheduler
from cloister.runtime.packing import PADDING_BOUND
from cloister.runtime.queue import Limits

Make = Callable[..., "Scheduler[str, str]"]


class Upper:
    """Answers a text in capitals. A text's length is its tokens.

    `gate`, where given, holds every run until it is opened.
    """

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.batches: list[list[str]] = []
        self.entered = threading.Semaphore(0)
        self._gate = gate

    def run(self, batch: Sequence[str]) -> Iterator[Output]:
        self.batches.append(list(batch))
        self.entered.release()
        if self._gate is not None:
            assert self._gate.wait(30)
        if any("poison" in text for text in batch):
            raise RuntimeError("poisoned")
        if any("kill" in text for text in batch):
            raise SystemExit
        for index, text in enumerate(batch):
            yield Output(index, text.upper())


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Scheduler[str, str]] = []

    def scheduler(model: Upper, *, batch: int = 100, queue: int = 1000, workers: int = 1, **more: object) -> object:
        made.append(Scheduler(model, workers=workers, limits=Limits(batch, queue), **more))  # type: ignore[arg-type]
        return made[-1]

    yield scheduler  # type: ignore[misc]
    for one in made:
        one.close(timeout=5)


def test_an_answer_per_input_in_order(make: Make) -> None:
    assert list(make(Upper()).submit(["a", "bb", "c"]).result()) == ["A", "BB", "C"]


def test_nothing_asked_is_answered_at_once(make: Make) -> None:
    assert list(make(Upper()).submit([]).result()) == []


@settings(max_examples=30, deadline=None)
@given(
    requests=st.lists(st.lists(st.text("abc", min_size=1, max_size=40), max_size=6), max_size=12),
    workers=st.integers(1, 3),
)
def test_every_request_has_its_own_answers_and_every_batch_keeps_its_bounds(
    requests: list[list[str]], workers: int
) -> None:
    model = Upper()
    scheduler: Scheduler[str, str] = Scheduler(model, workers=workers, limits=Limits(64, 10_000))
    try:
        tickets = [scheduler.submit(texts) for texts in requests]
        assert [list(t.result()) for t in tickets] == [[x.upper() for x in texts] for texts in requests]
    finally:
        assert scheduler.close(timeout=10)
    assert sorted(x for b in model.batches for x in b) == sorted(x for texts in requests for x in texts)
    for batch in model.batches:
        lengths = [len(x) for x in batch]
        assert len(batch) == 1 or sum(lengths) <= 64
        assert len(batch) * max(lengths) ** 2 <= PADDING_BOUND * sum(n * n for n in lengths) + 1e-9
    assert scheduler.waiting_tokens == 0


def test_an_idle_worker_starts_at_once_and_the_queue_grows_while_it_is_busy(make: Make) -> None:
    gate = threading.Event()
    model = Upper(gate)
    scheduler = make(model)
    first = scheduler.submit(["a"])
    assert model.entered.acquire(timeout=10)
    rest = [scheduler.submit([x]) for x in "bcde"]
    gate.set()
    assert [list(t.result()) for t in [first, *rest]] == [["A"], ["B"], ["C"], ["D"], ["E"]]
    assert model.batches == [["a"], ["b", "c", "d", "e"]]


def test_a_text_over_the_budget_runs_alone(make: Make) -> None:
    model = Upper()
    assert list(make(model, batch=10, queue=20).submit(["x" * 500]).result()) == ["X" * 500]


def test_a_full_queue_refuses_at_once_and_takes_work_again_later(make: Make) -> None:
    gate = threading.Event()
    model = Upper(gate)
    scheduler = make(model, queue=10)
    running = scheduler.submit(["a"])
    assert model.entered.acquire(timeout=10)
    waiting = scheduler.submit(["bbbbbbbb"])
    with pytest.raises(Overloaded):
        scheduler.submit(["ccc"])
    gate.set()
    assert list(waiting.result()) == ["BBBBBBBB"]
    assert list(running.result()) == ["A"]
    assert list(scheduler.submit(["ccc"]).result()) == ["CCC"]


def test_who_leaves_frees_the_queue_and_never_runs(make: Make) -> None:
    gate = threading.Event()
    model = Upper(gate)
    scheduler = make(model, queue=10)
    running = scheduler.submit(["a"])
    assert model.entered.acquire(timeout=10)
    left = scheduler.submit(["bbbbbbbb"])
    left.cancel()
    assert scheduler.waiting_tokens == 0
    with pytest.raises(DeadlineExceeded):
        left.result()
    stays = scheduler.submit(["cccccccc"])
    gate.set()
    assert list(stays.result()) == ["CCCCCCCC"]
    assert list(running.result()) == ["A"]
    assert "bbbbbbbb" not in [x for b in model.batches for x in b]


def test_a_request_past_its_deadline_is_told_so_and_never_runs(make: Make) -> None:
    gate = threading.Event()
    model = Upper(gate)
    scheduler = make(model)
    running = scheduler.submit(["a"])
    assert model.entered.acquire(timeout=10)
    late = scheduler.submit(["b"], timeout=0.01)
    with pytest.raises(DeadlineExceeded):
        late.result()
    gate.set()
    assert list(running.result()) == ["A"]
    assert list(scheduler.submit(["c"]).result()) == ["C"]
    assert ["b"] not in model.batches


def test_a_sooner_deadline_goes_first(make: Make) -> None:
    gate = threading.Event()
    model = Upper(gate)
    scheduler = make(model, batch=1)
    tickets = [scheduler.submit(["a"])]
    assert model.entered.acquire(timeout=10)
    tickets += [scheduler.submit(["b"]), scheduler.submit(["c"])]
    scheduler.cost.fit([(1, 1, 1.0)])  # a text of one token takes a second, so a deadline of 30 s is not urgent yet
    tickets += [scheduler.submit(["d"], timeout=30.0), scheduler.submit(["e"], timeout=8.0)]
    gate.set()
    for ticket in tickets:
        ticket.result()
    assert [b[0] for b in model.batches] == ["a", "b", "c", "e", "d"]


def test_a_short_text_passes_long_ones_that_came_just_before(make: Make) -> None:
    gate = threading.Event()
    model = Upper(gate)
    scheduler = make(model, batch=400, queue=10_000)
    scheduler.cost.fit([(n, n * n, 0.01 * n) for n in (1, 10, 100, 400)])
    tickets = [scheduler.submit(["a"])]
    assert model.entered.acquire(timeout=10)
    tickets += [scheduler.submit(["x" * 400]) for _ in range(3)]
    tickets.append(scheduler.submit(["b"]))
    gate.set()
    for ticket in tickets:
        ticket.result()
    assert model.batches[1] == ["b"]


def test_a_poisonous_input_fails_nobody_but_its_owner(make: Make) -> None:
    gate = threading.Event()
    model = Upper(gate)
    scheduler = make(model)
    first = scheduler.submit(["aaaaaa"])
    assert model.entered.acquire(timeout=10)
    good = [scheduler.submit(["bbbbbb"]), scheduler.submit(["cccccc"])]
    bad = scheduler.submit(["poison"])
    both = scheduler.submit(["dddddd", "poison"])
    gate.set()
    assert [list(t.result()) for t in (first, *good)] == [["AAAAAA"], ["BBBBBB"], ["CCCCCC"]]
    for ticket in (bad, both):
        with pytest.raises(ModelFailed) as caught:
            ticket.result()
        assert "poison" not in str(caught.value)
        assert caught.value.__cause__ is None
    assert scheduler.waiting_tokens == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_worker_is_replaced_and_its_callers_are_told(make: Make) -> None:
    gate = threading.Event()
    model = Upper(gate)
    scheduler = make(model, batch=10)
    first = scheduler.submit(["aaaaaaaa"])
    assert model.entered.acquire(timeout=10)
    killed = [scheduler.submit(["kill"]), scheduler.submit(["bbbb"])]
    after = scheduler.submit(["cccccccccc"])
    gate.set()
    assert list(first.result()) == ["AAAAAAAA"]
    for ticket in killed:
        with pytest.raises(WorkerDied):
            ticket.result()
    assert list(after.result()) == ["CCCCCCCCCC"]
    assert list(scheduler.submit(["d"]).result()) == ["D"]
    assert scheduler.deaths == 1


def test_an_output_that_never_comes_is_an_error(make: Make) -> None:
    class Forgetful(Upper):
        def run(self, batch: Sequence[str]) -> Iterator[Output]:
            return (o for o in super().run(batch) if o.item)

    with pytest.raises(ModelFailed):
        make(Forgetful()).submit(["a"]).result()


def test_many_outputs_of_one_input_come_as_they_are_made(make: Make) -> None:
    class Letters(Upper):
        def run(self, batch: Sequence[str]) -> Iterator[Output]:
            for index, text in enumerate(batch):
                for letter in text:
                    yield Output(index, letter, last=False)
                yield Output(index, text)

    came: list[tuple[int, str]] = []
    ticket = make(Letters()).submit(["ab", "c"], on_output=lambda index, value: came.append((index, value)))
    assert list(ticket.result()) == ["ab", "c"]
    assert sorted(came) == sorted([(0, "a"), (0, "b"), (0, "ab"), (1, "c"), (1, "c")])


def test_threads_and_coroutines_share_one_queue(make: Make) -> None:
    model = Upper()
    scheduler = make(model, workers=2, batch=64, queue=100_000)
    texts = [f"text {i}" for i in range(200)]

    async def ask() -> list[list[str]]:
        return [list(x) for x in await asyncio.gather(*(_awaited(scheduler, [t]) for t in texts))]

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(_asked, scheduler, t) for t in texts]
        assert asyncio.run(ask()) == [[t.upper()] for t in texts]
        assert [f.result() for f in asked] == [[t.upper()] for t in texts]


def _asked(scheduler: "Scheduler[str, str]", text: str) -> list[str]:
    return list(scheduler.submit([text]).result())


async def _awaited(scheduler: "Scheduler[str, str]", texts: list[str]) -> Sequence[str]:
    return await scheduler.submit(texts, timeout=30)


def test_a_cancelled_task_takes_its_request_along(make: Make) -> None:
    gate = threading.Event()
    model = Upper(gate)
    scheduler = make(model)

    async def run() -> None:
        first = asyncio.ensure_future(_awaited(scheduler, ["a"]))
        await asyncio.to_thread(model.entered.acquire)
        second = asyncio.ensure_future(_awaited(scheduler, ["b"]))
        while not scheduler.waiting_tokens:
            await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert scheduler.waiting_tokens == 0
        gate.set()
        assert list(await first) == ["A"]

    asyncio.run(run())
    assert model.batches == [["a"]]


def test_a_deadline_wakes_a_coroutine_although_the_model_still_runs(make: Make) -> None:
    gate = threading.Event()
    scheduler = make(Upper(gate))

    async def run() -> None:
        with pytest.raises(DeadlineExceeded):
            await scheduler.submit(["a"], timeout=0.02)

    asyncio.run(run())
    gate.set()


def test_close_finishes_what_was_accepted_and_takes_nothing_more(make: Make) -> None:
    gate = threading.Event()
    model = Upper(gate)
    scheduler = make(model)
    tickets = [scheduler.submit(["a"])]
    assert model.entered.acquire(timeout=10)
    tickets.append(scheduler.submit(["b"]))
    closing = threading.Thread(target=scheduler.close)
    closing.start()
    while True:
        try:
            tickets.append(scheduler.submit(["c"]))
        except Unavailable:
            break
    gate.set()
    closing.join(10)
    assert not closing.is_alive()
    assert [next(iter(t.result())) for t in tickets[:2]] == ["A", "B"]


def test_close_with_a_limit_answers_those_who_still_wait(make: Make) -> None:
    gate = threading.Event()
    model = Upper(gate)
    scheduler = make(model)
    running = scheduler.submit(["a"])
    assert model.entered.acquire(timeout=10)
    waiting = scheduler.submit(["b"])
    assert not scheduler.close(timeout=0.01)
    for ticket in (running, waiting):
        with pytest.raises(Unavailable):
            ticket.result()
    gate.set()


def test_idle_workers_share_what_waits(make: Make) -> None:
    gate = threading.Event()
    model = Upper(gate)
    scheduler = make(model, workers=2, batch=1000, queue=10_000)
    warm = []
    for text in ("a", "b" * 30):
        warm.append(scheduler.submit([text]))
        assert model.entered.acquire(timeout=10)  # by one worker each: they are two batches to learn the speed from
    gate.set()
    for ticket in warm:
        ticket.result()
    while scheduler._idle < 2:  # a worker that has answered may not wait yet, and only one that waits gets a share
        time.sleep(0)
    gate.clear()
    ticket = scheduler.submit(["x" * 100] * 8)
    for _ in range(2):
        assert model.entered.acquire(timeout=10)
    gate.set()
    ticket.result()
    assert [len(b) for b in model.batches[-2:]] == [4, 4]


def test_observers_see_figures_and_no_content(make: Make) -> None:
    seen: list[Batch] = []
    scheduler = make(Upper(), observe=seen.append)
    scheduler.submit(["aaaa", "bbbb"]).result()
    assert scheduler.close()
    assert [(b.items, b.tokens, b.failed) for b in seen] == [(2, 8, False)]
    assert seen[0].padding == 0.0


def test_many_who_leave_do_not_pile_up(make: Make) -> None:
    gate = threading.Event()
    model = Upper(gate)
    scheduler = make(model)
    running = scheduler.submit(["a"])
    assert model.entered.acquire(timeout=10)
    for _ in range(2000):
        scheduler.submit(["bbbb"], timeout=math.inf).cancel()
    assert sum(len(heap) for heap in scheduler._queue._heaps.values()) < 200
    gate.set()
    running.result()
