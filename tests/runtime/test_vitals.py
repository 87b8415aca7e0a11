"""Looks at whether actors get on; no clock of its own."""

from collections.abc import Callable
from typing import Any

import pytest

from fluxhero.runtime.vitals import STUCK, Pulse, Vitals


class Box:
    """An inbox as its watcher sees it."""

    def __init__(self, taken: int = 0, idle: bool = True) -> None:
        self.taken, self.idle = taken, idle


def vitals(**boxes: Box) -> Vitals:
    v = Vitals()
    boxes_: Any = boxes
    v.born(boxes_, counting(), 0.0)
    v.ready = True
    return v


def counting() -> Callable[[], int]:
    n = iter(range(1_000_000))
    return lambda: next(n)


# -- a pulse


def test_who_has_nothing_to_do_has_no_age() -> None:
    pulse = Pulse(lambda: 0, lambda: True, 0.0)
    assert [pulse.age(t) for t in (1.0, 1e3, 1e6)] == [0.0, 0.0, 0.0]


def test_who_has_something_to_do_ages_until_he_gets_on() -> None:
    box = Box(idle=False)
    pulse = Pulse(lambda: box.taken, lambda: box.idle, 0.0)
    ages = [pulse.age(1.0), pulse.age(5.0)]
    box.taken += 1
    ages += [pulse.age(6.0), pulse.age(8.5)]
    box.idle = True
    assert [*ages, pulse.age(100.0)] == [1.0, 5.0, 0.0, 2.5, 0.0]


def test_the_age_begins_when_he_was_last_seen_idle() -> None:
    box = Box()
    pulse = Pulse(lambda: box.taken, lambda: box.idle, 0.0)
    pulse.age(50.0)
    box.idle = False
    assert pulse.age(53.0) == 3.0


# -- all of them


def test_a_life_begins_unready_and_without_ages() -> None:
    v = vitals(risk=Box(idle=False))
    v.look(100.0)
    v.born({}, counting(), 100.0)
    assert (v.ready, v.trouble, v.ages, v.stuck) == (False, "starting", {"feed": 0.0}, [])


def test_the_stuck_are_named_with_their_ages() -> None:
    v = vitals(risk=Box(idle=False), orders=Box(), recorder=Box(idle=False))
    for now in (3.0, STUCK - 0.001):
        v.look(now)
        assert (v.stuck, v.trouble) == ([], "")
    v.look(12.4)
    assert (v.stuck, v.trouble) == (["risk 12 s", "recorder 12 s"], "stuck: risk 12 s, recorder 12 s")


def test_an_actor_that_gets_on_slowly_is_not_stuck() -> None:
    box = Box(idle=False)
    v = vitals(risk=box)
    for now in range(9, 900, 9):
        box.taken += 1
        v.look(float(now))
        assert v.stuck == []


def test_the_source_is_stuck_when_it_does_not_stir() -> None:
    v = Vitals()
    v.born({}, lambda: 7, 0.0)
    v.look(STUCK)
    assert v.stuck == ["feed 10 s"]


@pytest.mark.parametrize(
    ("ready", "safe", "leaving", "age", "trouble"),
    [
        (True, "", False, 0.0, ""),
        (False, "", False, 0.0, "starting"),
        (True, "reasons", False, 0.0, "SAFE: reasons"),
        (True, "", False, 11.0, "stuck: risk 11 s"),
        (True, "reasons", False, 11.0, "SAFE: reasons"),
        (False, "reasons", False, 11.0, "starting"),
        (False, "reasons", True, 11.0, "leaving"),
    ],
)
def test_the_worst_trouble_is_told(ready: bool, safe: str, leaving: bool, age: float, trouble: str) -> None:
    v = vitals(risk=Box(idle=False))
    v.ready, v.safe, v.leaving = ready, safe, leaving
    v.look(age)
    assert v.trouble == trouble


def test_crashes_are_counted_over_all_lives() -> None:
    v = vitals()
    v.crashed("risk")
    assert v.ready is False
    v.born({}, counting(), 0.0)
    v.crashed("risk")
    v.crashed("feed")
    assert v.crashes == {"risk": 2, "feed": 1}
