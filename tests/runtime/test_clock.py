import random
from collections.abc import Callable

import pytest

from fluxhero.messages import Nanos
from fluxhero.runtime.clock import DrivenClock


def noted(clock: DrivenClock, log: list[tuple[str, int]], name: str) -> Callable[[], None]:
    return lambda: log.append((name, clock.now()))


def run(clock: DrivenClock) -> None:
    while clock.next() is not None:
        clock.fire()


def test_time_begins_at_0_and_stands_still() -> None:
    clock = DrivenClock()
    assert (clock.now(), clock.now(), clock.next()) == (0, 0, None)


def test_time_never_goes_back() -> None:
    clock = DrivenClock()
    for to, now in ((5, 5), (3, 5), (9, 9), (9, 9), (0, 9)):
        clock.advance(Nanos(to))
        assert clock.now() == now


def test_timers_fire_by_their_time_and_then_by_their_setting() -> None:
    clock, log = DrivenClock(), list[tuple[str, int]]()
    for name, when in (("b", 20), ("a", 10), ("c", 20), ("d", 5), ("e", 20)):
        clock.at(Nanos(when), noted(clock, log, name))
    assert clock.next() == 5
    run(clock)
    assert log == [("d", 5), ("a", 10), ("b", 20), ("c", 20), ("e", 20)]


def test_any_number_of_timers_fires_in_order() -> None:
    for seed in range(20):
        rng, clock, log = random.Random(seed), DrivenClock(), list[tuple[str, int]]()
        whens = [rng.randrange(10) for _ in range(100)]
        for n, when in enumerate(whens):
            clock.at(Nanos(when), noted(clock, log, str(n)))
        run(clock)
        assert log == [(str(n), when) for when, n in sorted((when, n) for n, when in enumerate(whens))]


def test_a_timer_that_is_overdue_fires_now_and_moves_nothing() -> None:
    clock, log = DrivenClock(), list[tuple[str, int]]()
    clock.advance(Nanos(50))
    clock.at(Nanos(10), noted(clock, log, "late"))
    assert clock.next() == 10
    clock.fire()
    assert (log, clock.now()) == ([("late", 50)], 50)


def test_to_advance_fires_nothing() -> None:
    clock, log = DrivenClock(), list[tuple[str, int]]()
    clock.at(Nanos(10), noted(clock, log, "a"))
    clock.advance(Nanos(20))
    assert (log, clock.next()) == ([], 10)


def test_a_timer_may_set_the_next_one() -> None:
    clock, log = DrivenClock(), list[tuple[str, int]]()

    def again() -> None:
        log.append(("tick", clock.now()))
        if clock.now() < 30:
            clock.at(Nanos(clock.now() + 10), again)

    clock.at(Nanos(10), again)
    clock.at(Nanos(20), noted(clock, log, "before"))
    run(clock)
    assert log == [("tick", 10), ("before", 20), ("tick", 20), ("tick", 30)]


@pytest.mark.parametrize("gone", range(4))
def test_a_timer_that_is_canceled_is_never_called_nor_seen(gone: int) -> None:
    clock, log = DrivenClock(), list[tuple[str, int]]()
    timers = [clock.at(Nanos(n), noted(clock, log, str(n))) for n in range(1, 5)]
    timers[gone].cancel()
    timers[gone].cancel()
    assert clock.next() == (2 if gone == 0 else 1)
    run(clock)
    assert log == [(str(n), n) for n in range(1, 5) if n != gone + 1]


def test_a_timer_may_cancel_another_of_its_time() -> None:
    clock, log = DrivenClock(), list[tuple[str, int]]()
    clock.at(Nanos(1), lambda: second.cancel())
    second = clock.at(Nanos(1), noted(clock, log, "second"))
    run(clock)
    assert (log, clock.now()) == ([], 1)


def test_to_cancel_what_has_fired_does_nothing() -> None:
    clock, log = DrivenClock(), list[tuple[str, int]]()
    timer = clock.at(Nanos(1), noted(clock, log, "a"))
    run(clock)
    timer.cancel()
    assert (log, clock.next()) == ([("a", 1)], None)


def test_to_fire_passes_over_what_was_canceled() -> None:
    clock, log = DrivenClock(), list[tuple[str, int]]()
    clock.at(Nanos(10), noted(clock, log, "a")).cancel()
    clock.at(Nanos(20), noted(clock, log, "b"))
    clock.fire()
    assert log == [("b", 20)]
