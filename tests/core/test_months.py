"""The weight of a mode: from its closed trades, each counted once, on the first bar of a month."""

from fluxhero.core import journal
from fluxhero.core.calendar import Session, nyse
from fluxhero.core.risk import Risk
from fluxhero.messages import MINUTE, Booked, Nanos, Round, Sealed
from tests.core.watching import CASH, risk, sealed, seek, signals, usd

SESSIONS = {s.date.isoformat(): s for s in nyse().sessions if s.date.year in (2023, 2024)}
MARCH, APRIL, LATER, MAY = (SESSIONS[d] for d in ("2024-03-28", "2024-04-01", "2024-04-30", "2024-05-01"))


def rounds(*results: float, mode: int = 1) -> tuple[Round, ...]:
    return tuple(Round(mode=mode, result=usd(r)) for r in results)


def booked(*closed: Round) -> Booked:
    return Booked(cash=CASH, held=(), entering=(), grants=10**6, rounds=closed)


def first(s: Session, n: int = 1) -> Sealed:
    return sealed(s.open + n * MINUTE, {0: 50.0}, s.index)


def rows(watch: Risk, m: Sealed) -> list[journal.Row]:
    return watch.on_sealed(m)[1].rows


def lost(watch: Risk, times: int = 10, mode: int = 1) -> Risk:
    """A profit factor of 0.6 over 20 trades."""
    for _ in range(times):
        watch.on_book(booked(*rounds(6.0, -10.0, mode=mode)))
    return watch


def weights(s: Session, *said: tuple[int, float, int, float]) -> list[journal.Row]:
    ts = Nanos(s.open + MINUTE)
    return [journal.Weights(ts=ts, mode=m, weight=w, trades=n, factor=f) for m, w, n, f in said]


def test_a_losing_mode_weighs_less_from_the_first_bar_of_the_next_month() -> None:
    watch = risk()
    assert rows(watch, first(MARCH)) == []
    lost(watch)
    assert rows(watch, first(MARCH, 2)) == []
    assert rows(watch, first(APRIL)) == weights(APRIL, (1, 0.6, 20, 0.6))
    assert rows(watch, first(APRIL, 2)) == []
    assert rows(watch, first(MAY)) == []  # it stays as it was


def test_a_first_month_begins_with_the_first_bar_and_changes_nothing() -> None:
    assert rows(lost(risk(), 9), first(APRIL)) == []
    assert rows(lost(risk()), first(APRIL)) == weights(APRIL, (1, 0.6, 20, 0.6))


def test_what_is_won_back_in_a_month_counts_from_the_next() -> None:
    watch = lost(risk())
    watch.on_sealed(first(APRIL))
    watch.on_book(booked(*rounds(1000.0)))
    assert rows(watch, first(LATER)) == []
    assert rows(watch, first(MAY)) == weights(MAY, (1, 1.0, 21, 10.6))


def test_modes_that_change_together_are_said_in_their_order() -> None:
    watch = lost(lost(risk(), mode=3), mode=2)
    assert rows(watch, first(APRIL)) == weights(APRIL, (2, 0.6, 20, 0.6), (3, 0.6, 20, 0.6))


def test_only_bars_of_a_session_begin_a_month() -> None:
    watch = lost(risk())
    watch.on_sealed(sealed(MARCH.open + MINUTE, {0: 50.0}, MARCH.index))
    assert rows(watch, sealed(APRIL.open - MINUTE, {0: 50.0}, -1)) == []
    assert int(watch.account["month"][0]) == 2024 * 12 + 3


def test_the_size_is_of_the_modes_weight_and_says_so() -> None:
    watch = lost(risk())
    watch.on_sealed(first(APRIL))
    granted, ruling = watch.on_signals(signals(APRIL.open + MINUTE, seek()))
    assert [e.qty for e in granted.entries] == [240]
    (row,) = ruling.rows
    assert isinstance(row, journal.Judged)
    assert (row.factor, row.weight, row.by_risk, row.by_cap) == (0.6, 0.6, 500, 400)
