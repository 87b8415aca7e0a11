"""The account through restarts: stopped anywhere and begun again, it is what it would have been."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fluxhero.config import Config, Gates
from fluxhero.core import journal
from fluxhero.core.bars import written
from fluxhero.core.calendar import nyse
from fluxhero.core.risk import Risk
from fluxhero.kernel import codes
from fluxhero.kernel.state import row
from fluxhero.kernel.strategies import metronome
from fluxhero.messages import (
    MINUTE,
    SECOND,
    Booked,
    Message,
    Micros,
    Model,
    Nanos,
    Quality,
    Round,
    Sealed,
    Shares,
    Signals,
    State,
)
from fluxhero.outset import Outset
from fluxhero.outset import outset as configured
from fluxhero.restore import begun
from fluxhero.store.sqlite import SQLiteStore
from tests.accounts import rules
from tests.core.watching import CASH, quote, sealed, short, usd
from tests.porting import ports_of

FIRST, *_, LAST = (s for s in nyse().sessions if s.date.isoformat() in ("2024-03-28", "2024-04-01"))
SYMBOLS = ("A", "B", "C")


def outset(directory: Path) -> Outset:
    return Outset(
        directory=directory, symbols=SYMBOLS, model=Model.BAR, cash=CASH, identity={}, settings="",
        strategy="metronome", auto_release=True, begins=Nanos(0), params=rules(limits={"weight_trades": 3}),
        rows=lambda: np.zeros(3, row(metronome.OWN)),
        think=lambda *_: 0,
    )  # fmt: skip


def script(seed: int) -> Iterator[Message]:
    """Two sessions with a long night between them, in which C has few trades; trades close all the while."""
    rng = np.random.default_rng(seed)
    for s, minutes in ((FIRST, 90), (LAST, 30)):
        for n in range(1, minutes):
            closes = dict(enumerate(rng.normal(50.0, 0.1, 3 if n % 9 == 0 else 2).tolist()))
            yield cut(sealed(s.open + n * MINUTE, closes, s.index))
            if rng.random() < 0.2:
                worth = usd(float(rng.normal(-10.0, 100.0)))
                yield Booked(cash=CASH, held=(), entering=(), grants=10**6, rounds=(Round(mode=n % 3, result=worth),))
        for n in range(570 if s is FIRST else 0):  # more than a restart reads seals
            yield cut(sealed(s.close + n * MINUTE, {0: 50.0}, -1, Quality.EXTENDED))


def cut(m: Sealed) -> Sealed:
    return Sealed(ts=m.ts, bars=m.bars[: len(SYMBOLS)])


def seal(m: Sealed) -> journal.Seal:
    return journal.Seal(ts=m.ts, bars=written(m.bars, [codes.HOLD] * len(SYMBOLS)), equity=CASH, cash=CASH)


def closed(ts: Nanos, r: Round) -> journal.Closed:
    return journal.Closed(
        ts=ts, slot=0, mode=r.mode, qty=Shares(1), opened=ts, entry=usd(1), exit=usd(1), fees=Micros(0), result=r.result
    )


class Lives:
    """One account after another, in one directory; what is told to it is on the disk before the next begins."""

    def __init__(self, directory: Path) -> None:
        self._outset, self._ts = outset(directory), Nanos(0)
        self._rows: list[journal.Row] = []
        self._states: tuple[State, ...] = ()
        self.store = SQLiteStore(directory)
        self.watch = self.begin()

    def __enter__(self) -> Lives:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def begin(self) -> Risk:
        self.store.commit(self._rows, self._states, 1, 0)
        self._rows = []
        self.watch = begun(self._outset, ports_of(self.store)).risk
        return self.watch

    def tell(self, m: Message, known: bool = True) -> None:
        """`known`: it lives to hear of it."""
        if isinstance(m, Sealed):
            self._ts = m.ts
            self._rows += [seal(m), *self.watch.on_sealed(m)[1].rows]
            self._states = self.watch.states()
        elif isinstance(m, Booked):
            self._rows += [closed(self._ts, r) for r in m.rounds]
            if known:
                self.watch.on_book(m)

    def counted(self) -> list[int]:
        """Trades by mode, after a new beginning."""
        trades: list[int] = self.begin().account["modes"]["trades"][0].tolist()
        return trades


def journaled(lives: Lives) -> list[journal.Row]:
    lives.begin()
    return [journal.decode(body) for _, _, _, body, _ in lives.store.lines()]


@pytest.mark.parametrize("seed", range(3))
def test_stopped_anywhere_and_begun_again_it_is_what_it_would_have_been(seed: int, tmp_path: Path) -> None:
    told = list(script(seed))
    dies = np.random.default_rng(seed).random(len(told)) < 0.02
    with Lives(tmp_path / "whole") as whole, Lives(tmp_path / "parts") as parts:
        for m, last in zip(told, dies.tolist(), strict=True):
            whole.tell(m)
            parts.tell(m, known=not last)
            if last:
                parts.begin()
        assert parts.watch.states() == whole.watch.states()
        rows = journaled(whole)
        assert journaled(parts) == rows
    assert sum(isinstance(r, journal.Weights) for r in rows) > 0
    assert int(whole.watch.account["modes"]["trades"].sum()) == sum(isinstance(m, Booked) for m in told) > 5
    assert whole.watch.tapes["count"].tolist() == [118, 118, 12]


def test_a_round_trip_that_nobody_lived_to_hear_of_is_counted_once(tmp_path: Path) -> None:
    trade = Booked(cash=CASH, held=(), entering=(), grants=0, rounds=(Round(mode=1, result=usd(-7)),))
    with Lives(tmp_path) as lives:
        lives.begin()
        lives.tell(trade, known=False)
        assert [lives.counted() for _ in range(3)] == [[0, 1, 0, 0, 0, 0, 0, 0]] * 3
        lives.tell(next(script(0)))  # its state is written from now on
        assert [lives.counted() for _ in range(3)] == [[0, 1, 0, 0, 0, 0, 0, 0]] * 3
        lives.tell(trade)
        assert lives.counted() == [0, 2, 0, 0, 0, 0, 0, 0]


def test_the_bars_from_before_an_account_are_on_its_tapes(tmp_path: Path) -> None:
    past = [journal.Past(ts=m.ts, bars=seal(m).bars) for m in script(0) if isinstance(m, Sealed)][:60]
    opened = journal.Opened(
        ts=Nanos(0), account="papr", epoch="0", cash=CASH, model=Model.BAR, symbols=SYMBOLS, identity={}
    )
    with SQLiteStore(tmp_path) as store:
        store.commit([opened, *past], (), 0, 0)
    with Lives(tmp_path) as lives:
        assert lives.watch.tapes["count"].tolist() == [60, 60, 6]
        assert lives.watch.equity() == CASH


def test_what_the_configuration_says_of_quotes_and_of_borrowing_reaches_the_gate(tmp_path: Path) -> None:
    gates = Gates(fresh=2.0, quiet=10.0, shorts=True, hard_to_borrow=("B",))
    o = configured(Config(gates=gates), tmp_path, SYMBOLS, Model.QUOTE, Nanos(0), {})
    ts = FIRST.open + MINUTE
    with SQLiteStore(tmp_path) as store:
        watch = begun(o, ports_of(store)).risk
        for slot in range(3):
            watch.on_quote(quote(ts - slot * 2 * SECOND, 50.0, slot=slot))
        bars = cut(sealed(ts, dict.fromkeys(range(3), 50.0), FIRST.index))
        _, ruling = watch.on_signals(Signals(sealed=bars, signals=(short(0), short(1), short(2))))
    assert [(r.slot, r.gate) for r in ruling.rows if isinstance(r, journal.Judged)] == [
        (0, codes.OPEN), (1, codes.SHORTS), (2, codes.FRESH),
    ]  # fmt: skip
