"""An order without word is no order that failed: what is done until there is evidence."""

from __future__ import annotations

import msgspec
import pytest

from fluxhero.core.lives import HEARTBEAT, WATCH
from fluxhero.core.states import State
from fluxhero.messages import SECOND, Booked, Granted, Lot, Model, Nanos, Says, Shares, Statement, Unavailable, Why
from tests.core.desk import (
    CASH,
    FEE,
    Diary,
    T,
    aim,
    aside,
    at,
    buy,
    canceling,
    did,
    enter,
    evidence,
    guard,
    hear,
    holding,
    holding_in_bars,
    new,
    reborn,
    sell,
    stopped,
    survives,
    usd,
)

LATE = 10_001  # ms, after which an entry is not sent again


def sent() -> Diary:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    return survives(desk)


def protecting() -> Diary:
    """A position whose stop, order 2, has no word yet."""
    desk = sent()
    hear(desk, 1, Says.FILL, 100)
    return survives(desk)


def unavailable(n: int, ms: int) -> Unavailable:
    return Unavailable(ts=at(ms), what=buy(n).cid, why="503")


@pytest.mark.parametrize("says", [Says.UNANSWERED, Says.ABSENT])
def test_no_answer_and_no_trace_make_it_unknown_and_it_counts_in_full(says: Says) -> None:
    desk = sent()
    assert desk.update(aside(1, says, at(1))).rows == [evidence(1, 0, says, State.UNKNOWN, at(1))]
    entering = (Lot(slot=0, qty=Shares(100), price=usd(100.5)),)  # at its cap
    assert survives(desk).booked() == Booked(cash=CASH, held=(), entering=entering, grants=1)


def test_its_status_is_asked_every_heartbeat_until_there_is_a_word() -> None:
    desk = sent()
    desk.update(aside(1, Says.UNANSWERED, at(1)))
    for ms in (5_000, 10_000, 15_000):
        assert desk.next() == at(ms)
        plan = desk.woken(at(ms))
        assert (plan.rows, plan.sends, plan.asks) == ([], [], [buy(1).cid])
    assert Nanos(at(5_000) - T) == HEARTBEAT


def test_an_entry_that_is_absent_within_ten_seconds_is_sent_again_byte_for_byte() -> None:
    desk = sent()
    assert desk.update(aside(1, Says.ABSENT, at(3_000))).sends == [buy(1)]
    assert desk.next() == at(8_000)
    assert desk.update(aside(1, Says.ABSENT, at(10_000))).sends == [buy(1)]


def test_an_entry_that_is_absent_later_is_canceled_instead_and_watched_for() -> None:
    desk = sent()
    desk.update(aside(1, Says.UNANSWERED, at(1)))
    plan = desk.update(aside(1, Says.ABSENT, at(LATE)))
    assert did(plan) == ([canceling(1, Why.LATE, at(LATE))], [stopped(1, at(LATE))], [])
    hear(survives(desk), 1, Says.CANCEL_REJECTED, ts=at(LATE + 1))
    assert desk.update(aside(1, Says.ABSENT, at(20_000))).sends == []
    assert survives(desk).booked().entering == (Lot(slot=0, qty=Shares(100), price=usd(100.5)),)


def drained() -> Diary:
    desk = sent()
    desk.update(aside(1, Says.ABSENT, at(LATE)))
    hear(desk, 1, Says.CANCEL_REJECTED, ts=at(LATE + 1))
    return survives(desk)


def test_an_entry_that_turns_up_late_is_canceled_at_once_and_never_chased() -> None:
    desk = drained()
    assert hear(desk, 1, Says.ACCEPTED, ts=at(90_000)).sends == [stopped(1, at(90_000))]
    plan = hear(survives(desk), 1, Says.CANCELED, ts=at(90_001))
    assert (plan.sends, plan.chasing, survives(desk).lives) == ([], [], {})
    assert reborn(desk).resume(at(90_002)).chasing == []


def test_an_entry_that_turns_up_filled_is_protected() -> None:
    desk = drained()
    assert hear(desk, 1, Says.FILL, 100, ts=at(90_000)).sends == [guard(2, ts=at(90_000))]


def test_an_entry_that_turns_up_filled_in_part_is_canceled_and_protected_for_it() -> None:
    desk = drained()
    assert hear(desk, 1, Says.PARTIAL_FILL, 30, ts=at(90_000)).sends == [stopped(1, at(90_000))]
    assert hear(survives(desk), 1, Says.CANCELED, ts=at(90_001)).sends == [guard(2, 30, ts=at(90_001))]


def test_an_entry_that_never_turns_up_is_given_up_after_two_days() -> None:
    desk = drained()
    assert WATCH == 48 * 3600 * SECOND
    assert desk.update(aside(1, Says.ABSENT, Nanos(T + WATCH))).rows == []
    ts = Nanos(T + WATCH + 1)
    row = evidence(1, 0, Says.ABSENT, State.CANCELED, ts, "it never turned up at the venue")
    assert did(desk.update(aside(1, Says.ABSENT, ts))) == ([row], [], [])
    assert (survives(desk).lives, desk.booked().entering) == ({}, ())


def test_a_halt_takes_an_unknown_entry_back_and_it_is_not_sent_again() -> None:
    desk = sent()
    assert desk.granted(Granted(ts=at(1), cancel_entries=True)).sends == [stopped(1, at(1))]
    hear(desk, 1, Says.CANCEL_REJECTED, ts=at(2))
    assert desk.update(aside(1, Says.ABSENT, at(3))).sends == []
    assert hear(survives(desk), 1, Says.ACCEPTED, ts=at(4)).sends == [stopped(1, at(4))]


@pytest.mark.parametrize("ms", [1, LATE, 10 * LATE])
def test_a_stop_that_is_absent_is_sent_again_however_late(ms: int) -> None:
    desk = protecting()
    assert desk.update(aside(2, Says.ABSENT, at(ms))).sends == [guard(2)]


def test_an_exit_that_is_absent_is_sent_again_however_late() -> None:
    desk = holding()
    desk.granted(Granted(ts=at(1), exits=(0,)))
    hear(desk, 2, Says.CANCELED, ts=at(2))
    assert desk.update(aside(3, Says.ABSENT, at(LATE))).sends == [sell(3, ts=at(2))]


def test_a_read_that_failed_proves_nothing_and_a_stop_is_sent_again() -> None:
    desk = protecting()
    assert did(desk.unavailable(unavailable(2, 6_000))) == ([], [guard(2)], [])
    assert did(sent().unavailable(unavailable(1, 6_000))) == ([], [], [])


def test_a_read_that_failed_changes_nothing_of_what_stands() -> None:
    assert did(holding().unavailable(unavailable(2, 1))) == ([], [], [])
    assert did(holding().unavailable(Unavailable(ts=T, what="account", why="503"))) == ([], [], [])


def test_a_stop_that_stands_is_not_asked_for() -> None:
    plan = holding().woken(at(20_000))
    assert (plan.asks, plan.sends) == ([], [])


def test_a_stop_whose_end_waits_for_its_fills_is_asked_for() -> None:
    desk = holding()
    desk.update(aside(2, Says.CANCELED, at(1), filled=30))
    assert (desk.next(), desk.woken(at(5_000)).asks) == (at(5_000), [guard(2).cid])


def test_a_stop_that_its_entry_carries_is_not_asked_for_before_it_stands() -> None:
    desk = holding_in_bars()
    desk.granted(Granted(ts=at(1)))
    assert desk.granted(Granted(ts=at(60_000))).asks == []


def test_the_cancel_of_a_stop_that_was_refused_is_sent_again_a_heartbeat_later() -> None:
    desk = holding()
    desk.granted(Granted(ts=at(1), exits=(0,)))
    plan = hear(desk, 2, Says.CANCEL_REJECTED, ts=at(2))
    assert did(plan) == ([evidence(2, 4, Says.CANCEL_REJECTED, State.LIVE, at(2))], [], [])
    assert survives(desk).next() == at(5_001)
    plan = desk.woken(at(5_001))
    assert (plan.asks, plan.sends) == ([guard(2).cid], [stopped(2, at(5_001))])
    assert hear(survives(desk), 2, Says.CANCELED, ts=at(5_002)).sends == [sell(3, ts=at(5_002))]


def test_a_stop_that_was_canceled_before_it_was_known_is_sent_again_and_then_canceled() -> None:
    """Whether it arrived is open: an exit beside it might sell twice."""
    desk = protecting()
    plan = desk.granted(Granted(ts=at(1), exits=(0,)))
    assert did(plan) == ([aim(98, True, at(1)), canceling(2, Why.LEAVING, at(1))], [stopped(2, at(1))], [])
    assert hear(desk, 2, Says.CANCEL_REJECTED, ts=at(2)).sends == []
    assert desk.update(aside(2, Says.ABSENT, at(6_000))).sends == [guard(2), stopped(2, at(6_000))]
    hear(desk, 2, Says.CANCEL_REJECTED, ts=at(6_010))  # it left first, as cancels do
    assert hear(survives(desk), 2, Says.ACCEPTED, ts=at(6_050)).sends == [stopped(2, at(6_050))]
    assert hear(desk, 2, Says.CANCELED, ts=at(6_100)).sends == [sell(3, ts=at(6_100))]


def test_a_stop_that_was_rejected_is_not_sent_again_though_its_cancel_has_no_answer() -> None:
    desk = protecting()
    desk.granted(Granted(ts=at(1), exits=(0,)))
    assert hear(desk, 2, Says.REJECTED, ts=at(2)).sends == [sell(3, ts=at(2))]
    for word in (Says.ABSENT, Says.UNANSWERED):
        assert desk.update(aside(2, word, at(3), filled=30)).sends == []
        assert desk.lives[guard(2).cid].state is State.REJECTED


def test_an_entry_without_word_is_asked_for_after_a_minute_and_never_chased() -> None:
    desk = sent()
    desk.update(aside(1, Says.UNANSWERED, at(1)))
    plan = desk.woken(at(60_000))
    assert (plan.rows, plan.sends, plan.asks) == ([], [], [buy(1).cid])


def test_an_entry_whose_end_waits_for_its_fills_is_asked_for_after_a_minute_and_never_chased() -> None:
    desk = sent()
    hear(desk, 1, Says.ACCEPTED)
    desk.update(aside(1, Says.CANCELED, at(1), filled=60))
    assert desk.lives[buy(1).cid].state is State.LIVE
    desk.woken(at(58_000))
    assert desk.next() == at(63_000)
    assert desk.woken(at(63_000)).asks == [buy(1).cid]


def test_an_exit_that_waits_for_the_market_is_not_chased() -> None:
    desk = holding()
    desk.granted(Granted(ts=at(1), exits=(0,)))
    hear(desk, 2, Says.CANCELED, ts=at(2))
    hear(desk, 3, Says.ACCEPTED, ts=at(3))
    assert (desk.woken(at(60_002)).sends, desk.lives[sell(3).cid].canceling) == ([], None)


def test_what_is_watched_for_is_asked_for_and_not_canceled_again_before_it_turns_up() -> None:
    plan = drained().woken(at(60_000))
    assert (plan.rows, plan.sends, plan.asks) == ([], [], [buy(1).cid])


def test_of_an_order_that_is_over_only_the_cancel_goes_out_again() -> None:
    desk = protecting()
    desk.granted(Granted(ts=at(1), exits=(0,)))
    hear(desk, 2, Says.REJECTED, ts=at(2))
    hear(desk, 3, Says.FILL, 100, ts=at(3))
    plan = desk.woken(at(5_001))
    assert (plan.asks, plan.sends) == ([], [stopped(2, at(1))])


def test_a_cancel_without_an_answer_goes_out_again_while_the_market_is_closed() -> None:
    desk = sent()
    hear(desk, 1, Says.ACCEPTED)
    desk._opens = lambda ts: max(ts, at(3_600_000))
    assert desk.next() == at(60_000)  # a minute in vain
    desk.granted(Granted(ts=at(1), cancel_entries=True))
    assert desk.next() == at(5_001)


# -- after a restart


def test_after_a_restart_a_young_entry_is_sent_again_and_an_old_one_is_drained() -> None:
    assert reborn(sent()).resume(at(10_000)).sends == [buy(1)]
    again = reborn(sent())
    plan = again.resume(at(LATE))
    assert did(plan) == ([canceling(1, Why.LATE, at(LATE))], [stopped(1, at(LATE))], [])


def test_after_a_restart_an_entry_that_was_canceled_unseen_is_not_sent_again() -> None:
    desk = sent()
    desk.granted(Granted(ts=at(1), cancel_entries=True))
    assert reborn(desk).resume(at(2)).sends == [stopped(1, at(1))]


def test_after_a_restart_an_unknown_order_is_asked_for_before_anything_is_sent() -> None:
    desk = protecting()
    desk.update(aside(2, Says.UNANSWERED, at(1)))
    again = reborn(desk)
    assert again.resume(at(2)).sends == []
    assert again.woken(at(5_001)).asks == [guard(2).cid]


# -- words that are missing


def test_a_gap_is_asked_for_once_and_what_comes_after_it_waits() -> None:
    desk = sent()
    one, two, three = (msgspec.structs.replace(aside(1, Says.ACCEPTED, at(n)), seq=n) for n in (1, 2, 3))
    assert (desk.update(two).relisten, desk.update(three).relisten, desk.seq) == (True, False, 0)
    assert [desk.update(u).relisten for u in (one, two, three)] == [False, False, False]
    assert (desk.seq, survives(desk).lives[buy(1).cid].state) == (3, State.LIVE)


def test_every_gap_is_asked_for_wherever_it_is() -> None:
    desk = sent()
    for n in (1, 4, 7):
        late = msgspec.structs.replace(aside(1, Says.ACCEPTED, at(n)), seq=n + 1)
        hear(desk, 1, Says.ACCEPTED, ts=at(n))
        assert desk.seq == n
        assert desk.update(msgspec.structs.replace(late, seq=n + 2)).relisten
        assert not desk.update(msgspec.structs.replace(late, seq=n + 3)).relisten
        hear(desk, 1, Says.ACCEPTED, ts=at(n))
        hear(desk, 1, Says.ACCEPTED, ts=at(n))


def test_what_is_not_counted_or_comes_twice_is_no_gap() -> None:
    desk = sent()
    first = msgspec.structs.replace(aside(1, Says.ACCEPTED), seq=1)
    words = [aside(1, Says.UNANSWERED), first, first, msgspec.structs.replace(first, seq=2), first]
    assert [desk.update(u).relisten for u in words] == [False] * 5


def test_where_nothing_was_ever_wanted_no_stop_rests_and_nothing_is_bare() -> None:
    assert (sent().stop_of(7), sent().bare(7, T)) == (0, 0)


def test_a_terminal_word_waits_for_the_executions_that_it_speaks_of() -> None:
    desk = sent()
    plan = desk.update(aside(1, Says.CANCELED, at(1), filled=60))
    assert (plan.sends, plan.asks, desk.lives[buy(1).cid].state) == ([], [buy(1).cid], State.LIVE)
    plan = hear(desk, 1, Says.PARTIAL_FILL, 40, ts=at(2), filled=40)
    assert (plan.sends, desk.lives[buy(1).cid].state) == ([], State.PARTIAL)
    assert hear(desk, 1, Says.PARTIAL_FILL, 20, ts=at(3), filled=60).sends == [guard(2, 60, ts=at(3))]
    assert buy(1).cid not in desk.lives


def test_an_execution_that_is_told_twice_is_booked_once() -> None:
    desk = sent()
    hear(desk, 1, Says.PARTIAL_FILL, 40, ts=at(1))
    twice = msgspec.structs.replace(aside(1, Says.PARTIAL_FILL, at(2)), exec_id="x1", qty=Shares(40))
    assert did(desk.update(twice)) == ([], [], [])
    assert (desk.book.held(0), desk.book.cash) == (40, CASH - 40 * usd(100) - 40 * FEE)


def test_a_statement_that_knows_of_words_that_we_have_not_heard_asks_for_them() -> None:
    desk = sent()
    said = Statement(ts=at(1), heard=2, cash=CASH, held=(), orders=())
    assert (desk.statement(said).relisten, desk.statement(said).relisten) == (True, True)
    hear(desk, 1, Says.ACCEPTED)
    hear(desk, 1, Says.CANCELED)
    assert not desk.statement(said).relisten
