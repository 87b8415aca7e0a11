"""An entry that finds nobody is sent anew, three times at most, and never before its predecessor's end."""

from __future__ import annotations

import pytest

from fluxhero.core.lives import CHASE, CHASES, HEARTBEAT
from fluxhero.core.risk import Risk
from fluxhero.core.states import State
from fluxhero.kernel import codes
from fluxhero.messages import (
    SECOND,
    Chase,
    Chasing,
    Command,
    Granted,
    Lot,
    Micros,
    Model,
    Nanos,
    Says,
    Shares,
    Side,
    Verb,
    Why,
)
from tests.core.desk import (
    Diary,
    T,
    answer,
    aside,
    asks,
    at,
    buy,
    canceling,
    chased,
    did,
    enter,
    entered,
    evidence,
    guard,
    hear,
    intent,
    new,
    reborn,
    stopped,
    survives,
    usd,
)
from tests.core.watching import DAY, minute, quote, risk

MINUTE = 60_000  # ms


def waiting(attempt: int = 0, since: int = 0) -> Diary:
    """An entry that stands, sent at `since` ms."""
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    for n in range(attempt):
        hear(desk, 1, Says.ACCEPTED, attempt=n)
        desk.woken(at((n + 1) * MINUTE))
        hear(desk, 1, Says.CANCELED, attempt=n, ts=at((n + 1) * MINUTE))
        desk.granted(Granted(ts=at((n + 1) * MINUTE), chases=(answer(1, 100.0, n),)))
    hear(desk, 1, Says.ACCEPTED, attempt=attempt, ts=at(attempt * MINUTE + since))
    return survives(desk)


def chasing(attempt: int = 0) -> Diary:
    """Gone, and to be sent anew if it may be."""
    desk, ts = waiting(attempt), at((attempt + 1) * MINUTE)
    desk.woken(ts)
    hear(desk, 1, Says.CANCELED, attempt=attempt, ts=ts)
    return survives(desk)


def test_after_a_minute_in_vain_it_is_canceled_and_asked_for_once_it_is_gone() -> None:
    desk = waiting()
    assert at(MINUTE) - T == CHASE
    assert did(desk.woken(at(MINUTE - 1)))[1] == []
    plan = desk.woken(at(MINUTE))
    assert did(plan) == ([canceling(1, Why.CHASE, at(MINUTE))], [stopped(1, at(MINUTE))], [])
    assert survives(desk).booked().entering == (Lot(slot=0, qty=Shares(100), price=usd(100.5)),)
    plan = hear(desk, 1, Says.CANCELED, ts=at(MINUTE + 50))
    assert did(plan) == ([evidence(1, 2, Says.CANCELED, State.CANCELED, at(MINUTE + 50))], [], [])
    assert plan.chasing == [asks(1, at(MINUTE + 50))]
    assert survives(desk).booked().entering == (Lot(slot=0, qty=Shares(100), price=usd(100.5)),)


def test_the_look_comes_at_the_minute_whatever_the_heartbeat_is() -> None:
    desk = waiting()
    for ms in range(5_000, MINUTE, 5_000):
        assert desk.next() == at(ms)
        assert did(desk.woken(at(ms))) == ([], [], [])
    assert desk.next() == at(MINUTE)
    desk = waiting()
    desk.woken(at(58_000))
    assert desk.next() == at(MINUTE)


def test_the_next_attempt_is_the_same_intent_at_the_new_price_and_of_the_same_size() -> None:
    desk = chasing()
    order = buy(1, attempt=1, ts=at(MINUTE), limit=100.25)
    plan = desk.granted(Granted(ts=at(MINUTE), chases=(answer(1, 100.25),)))
    assert did(plan) == ([chased(1, at(MINUTE), 100.25), intent(order)], [order], [])
    assert survives(desk).intents == 1
    hear(desk, 1, Says.ACCEPTED, attempt=1, ts=at(MINUTE))
    assert desk.woken(at(2 * MINUTE - 1)).sends == []
    assert desk.woken(at(2 * MINUTE)).sends == [stopped(1, at(2 * MINUTE), 1)]


def test_after_three_chases_it_is_given_up_and_that_is_said() -> None:
    desk = waiting(CHASES)
    ts = at((CHASES + 1) * MINUTE)
    desk.woken(ts)
    plan = hear(desk, 1, Says.CANCELED, attempt=CHASES, ts=ts)
    assert plan.rows[1:] == [chased(1, ts, attempt=3, gate=codes.CHASES, value=3, limit=3)]
    assert (plan.sends, plan.chasing, desk.lives, desk.booked().entering) == ([], [], {}, ())
    assert reborn(survives(desk)).resume(ts).chasing == []


def test_a_fill_before_the_chase_arrives_ends_it_and_what_filled_is_protected() -> None:
    desk = waiting()
    desk.woken(at(MINUTE))
    plan = hear(desk, 1, Says.PARTIAL_FILL, 30, ts=at(MINUTE + 1))
    assert plan.sends == []  # its cancel is on the way
    plan = hear(survives(desk), 1, Says.CANCELED, ts=at(MINUTE + 2))
    stop = guard(2, 30, ts=at(MINUTE + 2))
    assert did(plan)[0][1:] == [entered(1, 30, 100, at(MINUTE + 2)), intent(stop)]
    assert (plan.sends, plan.chasing) == ([stop], [])
    assert reborn(survives(desk)).resume(at(MINUTE + 2)).chasing == []


def test_an_entry_that_fills_whole_before_the_chase_arrives_is_protected_at_once() -> None:
    desk = waiting()
    desk.woken(at(MINUTE))
    plan = hear(desk, 1, Says.FILL, 100, ts=at(MINUTE + 1))
    assert (plan.sends, plan.chasing) == ([guard(2, ts=at(MINUTE + 1))], [])
    hear(survives(desk), 1, Says.CANCEL_REJECTED, ts=at(MINUTE + 2))
    assert [*survives(desk).lives] == [guard(2).cid]


def test_an_entry_that_was_filled_in_part_is_not_chased_after_its_minute() -> None:
    desk = waiting()
    hear(desk, 1, Says.PARTIAL_FILL, 30, ts=at(1))
    hear(desk, 1, Says.CANCEL_REJECTED, ts=at(2))
    assert did(desk.woken(at(5_001))) == ([canceling(1, Why.REST, at(5_001))], [stopped(1, at(5_001))], [])
    assert stopped(1, at(MINUTE)) not in desk.woken(at(MINUTE)).sends


@pytest.mark.parametrize("gate", [codes.RUNG, codes.PAUSED, codes.FRESH, codes.RATE, codes.HOURS])
def test_a_gate_that_refuses_ends_it_with_its_reason(gate: int) -> None:
    desk = chasing()
    plan = desk.granted(Granted(ts=at(MINUTE), chases=(answer(1, 0.0, gate=gate, value=7.0, limit=5.0),)))
    assert did(plan) == ([chased(1, at(MINUTE), gate=gate, value=7.0, limit=5.0)], [], [])
    assert survives(desk).booked().entering == ()
    assert reborn(desk).resume(at(MINUTE)).chasing == []


UNWANTED = [Granted(ts=at(MINUTE + 1), cancel_entries=True), Granted(ts=at(MINUTE + 1), cancels=(0,)),
            Granted(ts=at(MINUTE + 1), exits=(0,))]  # fmt: skip
NAMES = ["halt", "pause", "exit"]


@pytest.mark.parametrize("unwanted", UNWANTED, ids=NAMES)
def test_what_is_no_longer_wanted_while_its_chase_is_pending_is_not_sent_whatever_the_answer(unwanted: Granted) -> None:
    desk = chasing()
    plan = desk.granted(unwanted)
    assert did(plan) == ([chased(1, at(MINUTE + 1), gate=codes.UNWANTED)], [], [])
    assert survives(desk).booked().entering == ()
    assert did(desk.granted(Granted(ts=at(MINUTE + 2), chases=(answer(1, 100.0),)))) == ([], [], [])
    assert reborn(survives(desk)).resume(at(MINUTE + 2)).chasing == []


@pytest.mark.parametrize("unwanted", UNWANTED, ids=NAMES)
def test_what_is_no_longer_wanted_while_its_cancel_is_on_the_way_is_not_sent_anew(unwanted: Granted) -> None:
    desk = waiting()
    desk.woken(at(MINUTE))
    plan = desk.granted(unwanted)
    assert plan.rows[-1] == chased(1, at(MINUTE + 1), gate=codes.UNWANTED)
    assert plan.sends == []
    plan = hear(survives(desk), 1, Says.CANCELED, ts=at(MINUTE + 2))
    assert (plan.chasing, survives(desk).booked().entering) == ([], ())
    assert reborn(desk).resume(at(MINUTE + 2)).chasing == []


def test_what_was_never_to_be_chased_is_canceled_and_nothing_is_said_of_a_chase() -> None:
    desk = waiting()
    plan = desk.granted(Granted(ts=at(1), cancel_entries=True))
    assert did(plan) == ([canceling(1, Why.UNWANTED, at(1))], [stopped(1, at(1))], [])


def test_what_was_filled_before_its_chase_is_no_chase_that_anybody_could_not_want() -> None:
    desk = waiting()
    desk.woken(at(MINUTE))
    hear(desk, 1, Says.PARTIAL_FILL, 30, ts=at(MINUTE + 1))
    assert did(desk.granted(Granted(ts=at(MINUTE + 2), cancel_entries=True))) == ([], [], [])
    assert desk.lives[buy(1).cid].why is Why.CHASE


def test_an_entry_that_was_rejected_before_its_chase_is_over_whatever_becomes_of_the_cancel() -> None:
    desk = waiting()
    desk.woken(at(MINUTE))
    hear(desk, 1, Says.REJECTED, ts=at(MINUTE + 1))
    assert did(desk.granted(Granted(ts=at(MINUTE + 2), cancel_entries=True))) == ([], [], [])
    assert survives(desk).booked().entering == ()


def test_an_entry_that_its_day_ended_is_over_without_a_chase() -> None:
    desk = waiting()
    plan = hear(desk, 1, Says.CANCELED, reason="expired at the close")
    assert (plan.chasing, survives(desk).booked().entering) == ([], ())


def test_a_cancel_that_was_refused_though_the_entry_stands_is_sent_again_a_heartbeat_later() -> None:
    desk = waiting()
    desk.woken(at(MINUTE))
    assert hear(desk, 1, Says.CANCEL_REJECTED, ts=at(MINUTE + 1)).sends == []
    assert desk.next() == at(MINUTE) + HEARTBEAT
    assert desk.woken(at(MINUTE + 5_000)).sends == [stopped(1, at(MINUTE + 5_000))]
    assert hear(survives(desk), 1, Says.CANCELED, ts=at(MINUTE + 5_001)).chasing == [asks(1, at(MINUTE + 5_001))]


def test_a_cancel_without_an_answer_goes_out_again_as_it_was() -> None:
    desk = waiting()
    desk.woken(at(MINUTE))
    plan = desk.woken(at(MINUTE + 5_000))
    assert (plan.asks, plan.sends) == ([buy(1).cid], [stopped(1, at(MINUTE))])


def test_no_chase_before_the_terminal_word() -> None:
    desk = waiting()
    desk.woken(at(MINUTE))
    for word in (aside(1, Says.UNANSWERED), aside(1, Says.PENDING), aside(1, Says.ACCEPTED), aside(1, Says.ABSENT)):
        plan = desk.update(word)
        assert ([x for x in plan.sends if x == buy(1, attempt=1)], plan.chasing) == ([], [])
        survives(desk)


def test_a_terminal_word_that_speaks_of_a_fill_unheard_waits_for_it_and_is_no_chase() -> None:
    desk = waiting()
    desk.woken(at(MINUTE))
    plan = desk.update(aside(1, Says.CANCELED, at(MINUTE + 1), filled=30))
    assert (plan.chasing, plan.sends, plan.asks) == ([], [], [buy(1).cid])
    plan = hear(desk, 1, Says.PARTIAL_FILL, 30, filled=30, ts=at(MINUTE + 2))
    assert (plan.chasing, plan.sends) == ([], [guard(2, 30, ts=at(MINUTE + 2))])


def test_an_answer_that_is_of_another_attempt_is_none() -> None:
    desk = chasing()
    assert did(desk.granted(Granted(ts=at(MINUTE), chases=(answer(7, 100.0),)))) == ([], [], [])
    assert desk.granted(Granted(ts=at(MINUTE), chases=(answer(1, 100.0),))).sends == [buy(1, attempt=1, ts=at(MINUTE))]


def test_after_a_restart_the_question_is_asked_again_as_it_was() -> None:
    again = reborn(chasing())
    plan = again.resume(Nanos(at(MINUTE) + 1))
    assert (plan.chasing, plan.sends, plan.rows) == ([asks(1, at(MINUTE))], [], [])
    order = buy(1, attempt=1, ts=at(MINUTE + 2))
    assert again.granted(Granted(ts=at(MINUTE + 2), chases=(answer(1, 100.0),))).sends == [order]


def test_a_chase_that_was_durable_but_not_sent_is_sent_after_a_restart() -> None:
    desk = chasing()
    sent = desk.granted(Granted(ts=at(MINUTE), chases=(answer(1, 100.25),))).sends
    assert reborn(desk).resume(at(MINUTE + 1)).sends == sent


def test_what_a_chased_entry_cost_is_reckoned_from_its_decision() -> None:
    desk = chasing()
    desk.granted(Granted(ts=at(MINUTE), chases=(answer(1, 100.25),)))
    plan = hear(desk, 1, Says.FILL, 100, price=100.25, attempt=1, ts=at(MINUTE + 1))
    row = entered(1, 100, 100.25, at(MINUTE + 1), attempt=1)
    assert (row.shortfall, plan.rows[1]) == (Micros(25_000_000), row)


# -- the gate's answer

NOON = minute(150)


def chance(side: Side = Side.BUY, cap: float = 50.10, ts: Nanos = NOON) -> Chasing:
    return Chasing(ts=ts, slot=0, cid=buy(1).cid, side=side, cap=usd(cap))


def gate(side: Side = Side.BUY, cap: float = 50.10, ts: Nanos = NOON, watch: Risk | None = None) -> Chase:
    watch = watch or quoted(ts)
    granted = watch.on_chasing(chance(side, cap, ts)).granted
    assert granted
    (chase,) = granted.chases
    assert granted == Granted(ts=ts, chases=(chase,))
    return chase


def quoted(ts: Nanos = NOON, price: float = 50.03) -> Risk:
    watch = risk(Model.QUOTE)
    watch.on_quote(quote(ts, price, spread=0.015))
    return watch


def refused(ruled: int, value: float, limit: float) -> Chase:
    return Chase(cid=buy(1).cid, slot=0, gate=ruled, value=value, limit=limit, price=Micros(0))


def test_the_new_price_is_the_middle_on_the_far_sides_tick_and_never_beyond_the_cap() -> None:
    assert gate().price == usd(50.03)
    assert gate(watch=quoted(price=50.034)).price == usd(50.04)
    assert gate(watch=quoted(price=50.5)).price == usd(50.10)
    assert gate(Side.SELL, 49.90, watch=quoted(price=50.034)).price == usd(50.03)
    assert gate(Side.SELL, 49.90, watch=quoted(price=49.5)).price == usd(49.90)


def test_a_halt_a_pause_a_stale_quote_and_a_closed_market_refuse_it() -> None:
    halted, paused = quoted(), quoted()
    halted.command(Command(verb=Verb.HALT), NOON)
    paused.command(Command(verb=Verb.PAUSE, slots=(0,)), NOON)
    assert gate(watch=halted).gate == codes.RUNG
    assert gate(watch=paused) == refused(codes.PAUSED, 1.0, 0.0)
    assert gate(watch=quoted(Nanos(NOON - 6 * SECOND))) == refused(codes.FRESH, 6.0, 5.0)
    assert gate(watch=risk(Model.QUOTE)).gate == codes.FRESH
    assert gate(ts=Nanos(DAY.close)).gate == codes.HOURS


def test_ten_a_minute_are_let_through_and_not_an_eleventh() -> None:
    watch = quoted()
    assert [gate(watch=watch).gate for _ in range(12)] == [codes.OPEN] * 10 + [codes.RATE] * 2
    assert gate(watch=watch) == refused(codes.RATE, 10, 10)
