"""A position without its stop is told of after 10 s, left after 30 s, and every such time is a row."""

from __future__ import annotations

import pytest

from fluxhero.core import journal
from fluxhero.core.lives import FLEE, PAGE, RETRIES, RETRY
from fluxhero.messages import Granted, Model, Says, Why
from tests.core.desk import (
    Diary,
    T,
    aim,
    at,
    bare,
    canceling,
    did,
    enter,
    guard,
    guarded,
    hear,
    holding,
    intent,
    move,
    naked,
    new,
    reborn,
    sell,
    stopped,
    survives,
)


def unprotected() -> Diary:
    """100 held since T; the stop, order 2, has no word."""
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    hear(desk, 1, Says.FILL, 100)
    return survives(desk)


def refused() -> Diary:
    """And three stops were refused at 1 ms."""
    desk = unprotected()
    for n in range(2, 2 + RETRIES):
        hear(desk, n, Says.REJECTED, ts=at(1))
    return desk


def test_the_times_are_those_that_are_promised() -> None:
    assert (at(10_000) - T, at(30_000) - T, at(30_000) - T) == (PAGE, FLEE, RETRY)


def test_a_stop_that_comes_in_time_leaves_how_long_it_took() -> None:
    desk = unprotected()
    assert hear(desk, 2, Says.ACCEPTED, ts=at(1_700)).rows[1:] == [guarded(T, at(1_700))]
    assert bare(survives(desk)) == {}


def test_a_stop_that_comes_with_the_fill_is_no_time_without_one() -> None:
    assert [row for row in holding().rows if isinstance(row, type(guarded(T, T)))] == []


def test_how_long_it_lacks_its_stop_can_be_asked() -> None:
    desk = unprotected()
    assert [desk.bare(0, at(ms)) for ms in (-1, 0, 1, 1_700)] == [0, 0, 1_000_000, 1_700_000_000]
    assert desk.bare(1, at(1_700)) == 0
    hear(desk, 2, Says.ACCEPTED, ts=at(1_700))
    assert desk.bare(0, at(1_800)) == 0


def test_after_ten_seconds_it_is_told_and_not_before() -> None:
    desk = unprotected()
    assert [row for row in desk.woken(at(9_999)).rows if row == naked(T, at(9_999))] == []
    assert desk.woken(at(10_000)).rows == [naked(T, at(10_000))]
    assert desk.next() == at(14_999)  # the heartbeat
    assert desk.woken(at(20_000)).rows == []


def test_a_stop_that_was_refused_three_times_rests_and_is_tried_again_when_it_is_told() -> None:
    desk = refused()
    assert desk.lives == {}
    assert desk.next() == at(10_000)
    stop = guard(5, ts=at(10_000))
    assert did(desk.woken(at(10_000))) == ([naked(T, at(10_000)), intent(stop)], [stop], [])
    assert hear(survives(desk), 5, Says.ACCEPTED, ts=at(10_050)).rows[1:] == [guarded(T, at(10_050))]


def test_after_thirty_seconds_it_is_left() -> None:
    desk = refused()
    desk.woken(at(10_000))
    for n in range(5, 5 + RETRIES):
        hear(desk, n, Says.REJECTED, ts=at(10_001))
    assert desk.next() == at(30_000)
    exit = sell(8, ts=at(30_000))
    assert did(desk.woken(at(30_000))) == (
        [naked(T, at(30_000), fled=True), aim(98, True, at(30_000)), intent(exit)], [exit], [],
    )  # fmt: skip
    assert hear(survives(desk), 8, Says.FILL, 100, ts=at(30_050)).rows[-1] == guarded(T, at(30_050))


def test_a_stop_that_nobody_knows_is_canceled_before_it_is_left() -> None:
    desk = unprotected()
    desk.woken(at(10_000))
    plan = desk.woken(at(30_000))
    assert plan.rows == [
        naked(T, at(30_000), fled=True), aim(98, True, at(30_000)), canceling(2, Why.LEAVING, at(30_000)),
    ]  # fmt: skip
    assert plan.sends == [stopped(2, at(30_000))]


def test_as_long_as_it_lasts_it_is_told_every_thirty_seconds() -> None:
    desk, told = refused(), []
    for ms in range(1_000, 121_000, 1_000):
        told += [(ms, row.fled) for row in desk.woken(at(ms)).rows if isinstance(row, type(naked(T, T)))]
    assert told == [(10_000, False), (30_000, True), (60_000, True), (90_000, True), (120_000, True)]


def test_a_part_without_a_stop_counts() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    hear(desk, 1, Says.PARTIAL_FILL, 30)
    assert bare(survives(desk)) == {0: T}
    assert desk.woken(at(10_000)).rows == [naked(T, at(10_000), held=30)]


def test_leaving_is_a_time_without_a_stop_and_is_measured() -> None:
    desk = holding()
    desk.granted(Granted(ts=at(1), exits=(0,)))
    hear(desk, 2, Says.CANCELED, ts=at(50))
    assert bare(survives(desk)) == {0: at(50)}
    assert hear(desk, 3, Says.FILL, 100, ts=at(150)).rows[-1] == guarded(at(50), at(150))


def test_a_stop_that_moves_is_never_without_one() -> None:
    desk = holding()
    move(desk, 99, 1)
    assert bare(desk) == {}
    hear(desk, 2, Says.REPLACED, ts=at(2))
    assert bare(survives(desk)) == {0: at(2)}  # until the word on the new one, which is the venue's next
    assert hear(desk, 3, Says.ACCEPTED, ts=at(2)).rows[1:] == []
    assert bare(survives(desk)) == {}


def test_of_several_it_is_told_by_slot() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(slot=2), enter(slot=0), enter(slot=1))))
    for n in (1, 2, 3):
        hear(desk, n, Says.FILL, 100)
    assert [row.slot for row in desk.woken(at(10_000)).rows if isinstance(row, journal.Naked)] == [0, 1, 2]


def test_while_the_market_is_closed_it_is_told_but_not_left() -> None:
    desk = refused()
    desk._opens = lambda ts: max(ts, at(3_600_000))
    desk.woken(at(10_000))
    plan = desk.woken(at(30_000))
    assert plan.rows[:2] == [naked(T, at(30_000), fled=True), aim(98, True, at(30_000))]
    assert [order for order in plan.sends if order == sell(6, ts=at(30_000))] == []


@pytest.mark.parametrize("ms", [0, 9_000, 25_000, 300_000])
def test_a_restart_does_not_forget_since_when(ms: int) -> None:
    desk = unprotected()
    desk.woken(at(ms))
    again = reborn(desk)
    again.resume(at(ms))
    assert bare(again) == bare(desk) == {0: T}
    assert again.next() is not None
    later = [at(t) for t in range(ms + 5_000, ms + 65_000, 5_000)]
    assert [again.woken(ts).rows for ts in later] == [desk.woken(ts).rows for ts in later]
