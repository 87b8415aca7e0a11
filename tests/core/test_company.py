"""Correlation at the gate: what the journal says of it, and what bars it is of."""

import pytest

from fluxhero.core import journal
from fluxhero.core.risk import Risk
from fluxhero.kernel import codes
from fluxhero.kernel.correlation import correlated
from fluxhero.messages import Granted, Lot, Quality, Shares, Side
from tests.accounts import together
from tests.core.watching import DAY, N, held, minute, risk, sealed, seek, short, signals, usd

BARS = 51


def moving(correlation: float, quality: Quality = Quality.FULL, limits: dict[str, float] | None = None) -> Risk:
    """A watch that has seen all symbols move together for 51 minutes."""
    watch = risk(limits=limits)
    for n, closes in enumerate(together(correlation, (1,) * N), 1):
        watch.on_sealed(sealed(minute(n), dict(enumerate(closes.tolist())), quality=quality))
    return watch


def last(watch: Risk, *given: object) -> tuple[Granted, list[journal.Judged]]:
    granted, ruling = watch.on_signals(signals(minute(BARS), *given))  # type: ignore[arg-type]
    return granted, [row for row in ruling.rows if isinstance(row, journal.Judged)]


def test_a_grant_says_with_whom_it_goes_and_how_closely() -> None:
    watch = moving(0.9)
    watch.on_book(held((3, 10), cash=100_000))
    _, (row,) = last(watch, seek(0))
    r = correlated(watch.tapes, 0, 3)
    assert (row.gate, row.qty, row.factor, row.company, row.correlation, row.peer) == (codes.OPEN, 200, 0.5, 0.5, r, 3)
    assert r == pytest.approx(0.9, abs=1e-9)


def test_what_is_unknown_is_said_to_be_so() -> None:
    watch = risk()
    watch.on_book(held((3, 10), cash=100_000))
    _, (row,) = last(watch, seek(0))
    assert (row.qty, row.factor, row.correlation, row.peer) == (400, 1.0, None, None)
    assert journal.decode(journal.encode(row)) == row


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_what_is_sought_counts_as_what_is_held(side: Side) -> None:
    watch = moving(0.9)
    watch.on_book(held(cash=100_000, entering=(Lot(slot=3, qty=Shares(side * 10), price=usd(50)),)))
    _, (row,) = last(watch, seek(0))
    assert (row.peer, row.factor) == (3, 0.5 if side is Side.BUY else 1.0)


def test_what_was_granted_in_the_batch_and_before_it_counts_too() -> None:
    watch = moving(0.9)
    _, first = last(watch, short(0), short(1))
    _, second = last(watch, short(2), seek(3))
    assert [(r.peer is None, r.factor) for r in (*first, *second)] == [(True, 1.0), *[(False, 0.5)] * 2, (False, 1.0)]
    assert (first[1].peer, second[0].peer in (0, 1), second[1].peer in (0, 1, 2)) == (0, True, True)


def test_an_entry_that_is_refused_leaves_no_side_behind() -> None:
    watch = moving(0.9)
    _, judged = last(watch, seek(0, stop=51.0), seek(1))
    assert [(r.gate, r.peer) for r in judged] == [(codes.STOP, None), (codes.OPEN, None)]


def test_a_crowd_is_refused_with_its_mean() -> None:
    watch = moving(0.9)
    watch.on_book(held((1, 10), (2, 10), (3, 10), cash=100_000))
    granted, (row,) = last(watch, seek(0))
    assert granted == Granted(ts=minute(BARS))
    assert row == journal.Judged(ts=minute(BARS), slot=0, entry=True, gate=codes.CROWDED, value=row.value, limit=0.8)
    assert row.value == pytest.approx(0.9, abs=1e-9)


def test_a_crowd_is_refused_to_a_hedge_neither_nor_to_a_long_beside_shorts() -> None:
    watch = moving(0.9)
    watch.on_book(held((1, 10), (2, 10), (3, 10), cash=100_000))
    assert last(watch, short(0))[1][0].gate == codes.OPEN


@pytest.mark.parametrize("quality", [Quality.EXTENDED, Quality.PARTIAL])
def test_bars_that_do_not_decide_are_not_kept(quality: Quality) -> None:
    assert moving(0.9, quality=quality).tapes["count"].tolist() == [0] * N


def test_each_symbol_keeps_the_bars_that_it_has() -> None:
    watch = risk()
    for n in range(1, 41):
        watch.on_sealed(sealed(minute(n), {0: 50.0 + n % 3, **({1: 60.0 - n % 5} if n % 2 else {})}))
    assert watch.tapes["count"].tolist() == [40, 20, *[0] * (N - 2)]
    assert watch.tapes["ts"][1][:3].tolist() == [DAY.open, minute(2), minute(4)]


def test_limits_of_the_configuration_hold() -> None:
    watch = moving(0.5, limits={"correlated": 0.4, "correlated_size": 0.25, "crowded": 0.4, "crowded_slots": 2})
    watch.on_book(held((1, 10), cash=100_000))
    assert last(watch, seek(0))[1][0].qty == 100
    watch.on_book(held((1, 10), (2, 10), cash=100_000))
    assert last(watch, seek(3))[1][0].gate == codes.CROWDED


def test_of_what_nobody_holds_nothing_is_asked() -> None:
    assert [(r.qty, r.correlation) for r in last(moving(0.99), seek(0))[1]] == [(400, None)]
