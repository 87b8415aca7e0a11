"""The line to a venue: who goes first, and how many may go."""

import itertools
import math
import random

import pytest
import trio
from trio.testing import MockClock

from fluxhero.brokers.lanes import BUDGET, KEPT, SPAN, Lane, Lanes, lane
from fluxhero.messages import Cancel, Cid, Nanos, Order, Role, Shares, Side, Type

POLL = "account"


def order(n: int, role: Role = Role.ENTRY) -> Order:
    kind = Type.STOP if role is Role.STOP else Type.MARKET
    return Order(cid=Cid(f"{role}-{n}"), ts=Nanos(n), slot=0, role=role, side=Side.BUY, type=kind, qty=Shares(1))


def cancel(n: int) -> Cancel:
    return Cancel(cid=Cid(f"entry-{n}"), ts=Nanos(n))


def drained(lanes: "Lanes[object]") -> list[object]:
    return list(iter(lanes.next, None))


class Watch:
    """Host time that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_each_request_has_its_lane() -> None:
    asked = [cancel(1), order(1, Role.EXIT), order(1, Role.STOP), POLL, Cid("entry-1"), order(1)]
    assert [lane(what) for what in asked] == [
        Lane.CANCEL, Lane.CLOSE, Lane.CLOSE, Lane.POLL, Lane.POLL, Lane.ENTRY,
    ]  # fmt: skip


def test_cancels_leave_before_exits_and_stops_those_before_polls_and_all_before_entries() -> None:
    inside = [cancel(1), cancel(2), order(3, Role.STOP), order(4, Role.EXIT), POLL, order(5), order(6)]
    for seed in range(50):
        mixed = random.Random(seed).sample(inside, len(inside))
        lanes = Lanes[object](Watch())
        for what in mixed:
            lanes.put(what)
        assert drained(lanes) == sorted(mixed, key=lane), seed


def test_what_waits_already_does_not_wait_twice_and_what_has_left_may_leave_again() -> None:
    lanes = Lanes[object](Watch())
    for what in (order(1), POLL, order(1), POLL, order(2)):
        lanes.put(what)
    assert (len(lanes), order(1) in lanes, order(3) in lanes) == (3, True, False)
    assert drained(lanes) == [POLL, order(1), order(2)]
    lanes.put(order(1))
    assert drained(lanes) == [order(1)]


def test_polls_and_entries_leave_the_last_of_the_budget_to_cancels_and_exits() -> None:
    watch = Watch()
    lanes = Lanes[object](watch)
    for n in range(BUDGET):
        lanes.put(order(n))
    assert len(drained(lanes)) == BUDGET - KEPT
    lanes.put(POLL)
    assert drained(lanes) == []
    for n in range(BUDGET):
        lanes.put(cancel(n))
        lanes.put(order(n, Role.EXIT))
    assert drained(lanes) == [cancel(n) for n in range(KEPT)]
    watch.seconds = SPAN
    assert drained(lanes) == [cancel(n) for n in range(KEPT, BUDGET)] + [order(n, Role.EXIT) for n in range(KEPT)]


def test_no_minute_however_laid_sees_more_than_the_budget() -> None:
    for seed in range(20):
        chance, watch, left = random.Random(seed), Watch(), list[tuple[float, Lane]]()
        lanes = Lanes[object](watch, budget=12, kept=4)
        fresh = itertools.count()
        for _ in range(400):
            watch.seconds += chance.choice((0.0, 0.1, 3.0, 20.0))
            n = next(fresh)
            lanes.put(chance.choice((cancel(n), order(n, Role.EXIT), Cid(f"poll-{n}"), order(n))))
            left += [(watch.seconds, lane(what)) for what in drained(lanes)]
        for at, _ in left:
            span = [of for when, of in left if at <= when < at + SPAN]
            assert len(span) <= 12, (seed, at)
            assert [of for of in span[8:] if of in (Lane.POLL, Lane.ENTRY)] == [], (seed, at)


def test_the_wait_is_until_the_first_that_waits_may_leave() -> None:
    watch = Watch()
    lanes = Lanes[object](watch, budget=3, kept=1)
    assert lanes.wait() == math.inf
    for second in range(2):
        watch.seconds = second
        lanes.put(order(second))
        assert (lanes.wait(), lanes.next()) == (0.0, order(second))
    lanes.put(order(7))
    assert (lanes.wait(), lanes.next()) == (SPAN - 1.0, None)
    lanes.put(cancel(7))
    assert (lanes.wait(), lanes.next()) == (0.0, cancel(7))
    watch.seconds = SPAN - 0.5
    assert (lanes.wait(), lanes.next()) == (1.5, None)
    watch.seconds = SPAN + 1.0
    assert (lanes.wait(), lanes.next()) == (0.0, order(7))


def test_whoever_takes_waits_for_work_and_for_room() -> None:
    left: list[tuple[float, object]] = []

    async def takes(lanes: "Lanes[object]", began: float) -> None:
        while True:
            what = await lanes.take()
            left.append((round(trio.current_time() - began, 6), what))

    async def main() -> None:
        lanes = Lanes[object](trio.current_time, budget=2, kept=1)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(takes, lanes, trio.current_time())
            await trio.sleep(1.0)
            for n in range(3):
                lanes.put(order(n))
            await trio.sleep(10.0)
            lanes.put(cancel(9))
            await trio.sleep(3 * SPAN)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert left == [
        (1.0, order(0)), (11.0, cancel(9)), (11.0 + SPAN, order(1)), (11.0 + 2 * SPAN, order(2)),
    ]  # fmt: skip


@pytest.mark.parametrize(("budget", "kept"), [(10, 10), (10, 11), (10, -1), (0, 0)])
def test_a_budget_that_leaves_nothing_to_the_others_is_refused(budget: int, kept: int) -> None:
    with pytest.raises(ValueError, match=f"{kept} of {budget} requests"):
        Lanes[object](Watch(), budget, kept)
