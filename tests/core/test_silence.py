"""Silence: of one symbol, of all, over night; and whoever is heard again."""

from __future__ import annotations

import msgspec
import pytest

from fluxhero.core.calendar import nyse
from fluxhero.core.ladder import Rung, Trip
from fluxhero.core.marks import QUIET
from fluxhero.core.risk import Risk
from fluxhero.core.terms import Past, Ruling, account
from fluxhero.kernel import codes
from fluxhero.messages import (
    MINUTE,
    SECOND,
    Granted,
    Model,
    Nanos,
)
from tests.core.watching import (
    CASH,
    DAY,
    NEXT,
    OPEN,
    N,
    ended,
    gates,
    quote,
    row,
    terms,
)


def listening(begins: int = OPEN, model: Model = Model.QUOTE) -> Risk:
    return Risk(account(CASH), msgspec.structs.replace(terms(model), begins=Nanos(begins)))


def hear(watch: Risk, ts: int, *slots: int) -> list[Ruling | None]:
    return [watch.on_quote(quote(ts, 50.0, slot)) for slot in slots]


EVERY = range(N)
SILENT, MUTE = "no quote of any symbol for so many seconds", "no quote for so many seconds"


def test_a_market_that_says_nothing_for_a_minute_is_lost_until_it_is_heard_again() -> None:
    watch, due = listening(), Nanos(OPEN + QUIET)
    assert watch.next(OPEN) == due
    assert watch.woken(Nanos(due - 1)) is None
    assert watch.woken(due) == Ruling(
        [row(Trip.FEED, SILENT, due, 60.0, 60.0)], Granted(ts=due, cancel_entries=True, durable=True)
    )
    assert (watch.rung, watch.next(due), watch.woken(due)) == (Rung.REDUCING, None, None)
    assert hear(watch, due + SECOND, 3) == [Ruling([ended(Trip.FEED, "the market is heard again", due + SECOND)])]
    assert (watch.rung, watch.next(Nanos(due + SECOND))) == (Rung.NORMAL, due)


def test_a_symbol_that_is_silent_for_a_minute_while_others_speak_is_stale_until_it_is_quoted() -> None:
    watch = listening()
    hear(watch, OPEN + 10 * SECOND, *EVERY)
    hear(watch, OPEN + 40 * SECOND, 0, *range(3, N))
    due = Nanos(OPEN + 70 * SECOND)
    assert watch.next(Nanos(OPEN + 40 * SECOND)) == due
    assert watch.woken(Nanos(due - 1)) is None
    assert watch.woken(due) == Ruling(
        [row(Trip.STALE, MUTE, due, 60.0, 60.0, slot) for slot in (1, 2)],
        Granted(ts=due, cancels=(1, 2), durable=True),
    )
    assert (watch.rung, watch.next(due), watch.woken(due)) == (Rung.NORMAL, OPEN + 100 * SECOND, None)
    assert hear(watch, due + SECOND, 2, 0) == [
        Ruling([ended(Trip.STALE, "it is quoted again", due + SECOND, 2)]), None,
    ]  # fmt: skip
    assert [watch.trips.held(Trip.STALE, slot) for slot in (0, 1, 2)] == [False, True, False]


def test_a_stale_symbol_is_refused_for_the_age_of_its_quote() -> None:
    watch = listening()
    hear(watch, OPEN, *EVERY)
    hear(watch, OPEN + 30 * SECOND, 0)
    due = Nanos(OPEN + QUIET)
    watch.woken(due)
    assert watch.trips.held(Trip.STALE, 1)
    hear(watch, due + SECOND, 0)
    assert gates(watch, Nanos(due + SECOND), slots=2) == [(codes.OPEN, 0.0), (codes.FRESH, float("inf"))]


def test_a_bad_quote_is_word_of_its_symbol_too() -> None:
    watch = listening()
    watch.woken(Nanos(OPEN + QUIET))
    assert watch.on_quote(quote(OPEN + QUIET, 50.0, size=0)) is not None
    assert watch.rung is Rung.NORMAL


def test_quotes_that_a_former_life_has_judged_release_nothing() -> None:
    watch = listening()
    watch.woken(Nanos(OPEN + QUIET))
    assert watch.on_quote(quote(OPEN + QUIET, 50.0), judge=False) is None
    assert watch.rung is Rung.REDUCING


def test_what_was_lost_at_night_is_heard_before_the_session() -> None:
    watch = listening()
    watch.woken(Nanos(OPEN + QUIET))
    early = NEXT.open - MINUTE
    assert hear(watch, early, 0) == [Ruling([ended(Trip.FEED, "the market is heard again", early)])]


def test_with_bars_alone_there_is_no_silence() -> None:
    assert listening(model=Model.BAR).next(OPEN) is None


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (OPEN - MINUTE, OPEN + QUIET),
        (DAY.close - QUIET - 1, DAY.close - 1),
        (DAY.close - QUIET, NEXT.open + QUIET),
        (DAY.close - 1, NEXT.open + QUIET),
        (DAY.close, NEXT.open + QUIET),
        (NEXT.open - 1, NEXT.open + QUIET),
        (NEXT.open, NEXT.open + QUIET),
        (NEXT.open + 1, NEXT.open + 1 + QUIET),
    ],
)
def test_closed_hours_are_no_silence(last: int, due: int) -> None:
    watch = listening()
    hear(watch, last, *EVERY)
    assert watch.next(Nanos(last)) == due
    assert watch.woken(Nanos(due - 1)) is None
    assert watch.woken(Nanos(due)) is not None


@pytest.mark.parametrize("ts", [OPEN - 1, DAY.close, DAY.close + MINUTE])
def test_out_of_hours_nobody_is_silent(ts: int) -> None:
    watch = listening(OPEN - 10 * MINUTE)
    assert watch.woken(Nanos(ts)) is None


def test_a_tape_that_begins_within_a_session_is_awaited_from_there() -> None:
    watch = listening(OPEN + 10 * MINUTE)
    assert watch.next(Nanos(OPEN + 10 * MINUTE)) == OPEN + 11 * MINUTE
    assert watch.woken(Nanos(OPEN + 11 * MINUTE - 1)) is None
    assert watch.woken(Nanos(OPEN + 11 * MINUTE)) is not None


def test_beyond_the_calendar_nothing_is_due() -> None:
    last = nyse().sessions[-1]
    watch = listening(last.open)
    hear(watch, last.close - QUIET - 1, *EVERY)
    assert watch.next(last.open) == last.close - 1
    hear(watch, last.close - QUIET, *EVERY)
    assert watch.next(last.open) is None


def test_how_long_silence_may_be_can_be_said() -> None:
    own = msgspec.structs.replace(terms(Model.QUOTE), begins=OPEN, quiet=Nanos(90 * SECOND))
    watch = Risk(account(CASH), own)
    assert watch.next(OPEN) == OPEN + 90 * SECOND
    ruling = watch.woken(Nanos(OPEN + 91 * SECOND))
    assert ruling
    assert ruling.rows == [row(Trip.FEED, SILENT, OPEN + 91 * SECOND, 91.0, 90.0)]


def test_the_market_is_silent_since_its_last_word() -> None:
    watch = listening()
    hear(watch, OPEN + SECOND, *EVERY)
    hear(watch, OPEN + 2 * SECOND, 4)
    ruling = watch.woken(Nanos(OPEN + 63 * SECOND))
    assert ruling
    assert ruling.rows == [row(Trip.FEED, SILENT, OPEN + 63 * SECOND, 61.0, 60.0)]


def test_where_every_symbol_is_stale_already_nothing_more_is_due() -> None:
    own = msgspec.structs.replace(terms(Model.QUOTE), begins=OPEN)
    watch = Risk(account(CASH), own, Past(trips=[row(Trip.STALE, MUTE, slot=slot) for slot in EVERY]))
    assert watch.next(OPEN) is None
