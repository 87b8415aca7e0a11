"""A desk against the real venues, in a process that may die."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from fluxhero.brokers.lanes import lane
from fluxhero.brokers.paper import Paper
from fluxhero.config import Config, Costs
from fluxhero.core import journal
from fluxhero.core.calendar import nyse
from fluxhero.core.lives import Plan
from fluxhero.core.terms import parameters
from fluxhero.exchange.bars import BarVenue
from fluxhero.exchange.matching import Snapshot
from fluxhero.exchange.quotes import QuoteVenue
from fluxhero.kernel.state import BAR, row
from fluxhero.kernel.strategies import metronome
from fluxhero.messages import (
    MINUTE,
    Bars,
    Cancel,
    Chase,
    Chasing,
    Entry,
    Event,
    Granted,
    Micros,
    Model,
    Nanos,
    Order,
    Quality,
    Quote,
    Raise,
    Says,
    Shares,
    Side,
    Statement,
    Trade,
    Update,
)
from fluxhero.outset import Outset
from fluxhero.ports import Word
from fluxhero.restore import Minds, begun
from fluxhero.runtime.clock import DrivenClock, Due
from fluxhero.store.sqlite import SQLiteStore
from fluxhero.store.venue import VenueLedger
from tests.core.desk import CASH, FEE, MS, T, at_market, enter, kept, restored, usd
from tests.porting import ports_of


class Wish(msgspec.Struct, frozen=True):
    """What risk might grant at an event, if it makes sense then."""

    what: str  # enter, leave, raise, cancel
    slot: int = 0
    qty: int = 100
    stop: int = 980  # tenths of a USD
    side: Side = Side.BUY  # of an entry
    eager: int = 1  # by how many tenths of a USD an entry goes beyond the mid


class Script(msgspec.Struct, frozen=True):
    model: Model
    events: tuple[Event, ...]
    wishes: tuple[tuple[Wish, ...], ...]  # by event
    costly: bool = True  # else without slippage and borrow fees


class Died(Exception):
    """The process is gone."""


class Fuse:
    """Burns a little at every effect; when it is burnt, the process dies."""

    def __init__(self, effects: int | None) -> None:
        self._left = effects

    def burn(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise Died


class MortalLedger(VenueLedger):
    """The venue lives in the daemon's process, and dies with it."""

    def __init__(self, folder: Path, heard: int, fresh: bool, fuse: Fuse) -> None:
        super().__init__(folder, heard, fresh)
        self._fuse = fuse

    def commit(
        self, state: Snapshot, cursor: int, arrived: Iterable[str], updates: Sequence[Update], event: int | None
    ) -> None:
        self._fuse.burn()
        super().commit(state, cursor, arrived, updates, event)
        self._fuse.burn()


PARAMS = parameters(Config(), Model.BAR)
SMOOTH = parameters(Config(costs=Costs(slip=0.0, impact=0.0)), Model.BAR)
SLOTS = 2
AFTER = Nanos(5 * MINUTE)  # the last event: until then every entry has been chased to its end


def at_once(work: Coroutine[Any, Any, None]) -> None:
    """Runs what is async but never waits."""
    with pytest.raises(StopIteration):
        work.send(None)


class Process:
    """One life over a script: start-up, feed, recorder and orders, with the tasks' order written down."""

    def __init__(self, script: Script, folder: Path, fuse: Fuse) -> None:
        self.script, self.fuse, self.inbox = script, fuse, deque[Word | Granted]()
        self.rows: list[journal.Row] = []
        self.odd: list[Says] = []  # of words that the table does not know
        self.store = SQLiteStore(folder)
        heard, fresh = self.store.heard, self.store.seq == 0
        mind = self._begun(folder)
        self.desk, self.ours, self.last = mind.desk, mind.tape, mind.last
        self._armed: tuple[Nanos, Due] | None = None
        self.position = self.ours
        self.ledger, self.clock = MortalLedger(folder, heard, fresh, fuse), DrivenClock()
        snapshot = self.ledger.state or Snapshot(cash=CASH)
        bar = script.model is Model.BAR
        params, borrow = (PARAMS, 0.003) if script.costly else (SMOOTH, 0.0)
        costs = (FEE, borrow, nyse().at)
        self.venue = BarVenue(snapshot, *costs, params) if bar else QuoteVenue(snapshot, *costs)
        self.paper = Paper(self.venue, self.ledger, self.clock, Nanos(0 if bar else 50 * MS))

    def _begun(self, folder: Path) -> Minds:
        outset = Outset(
            directory=folder, symbols=tuple("AB"), model=self.script.model, cash=CASH, identity={}, settings="",
            strategy="metronome", auto_release=True, begins=T,
            params=PARAMS, rows=lambda: np.zeros(SLOTS, row(metronome.OWN)), think=lambda *_: 0,
        )  # fmt: skip
        return begun(outset, ports_of(self.store, seed=b"epoch"))

    def live(self) -> None:
        """As feeds.replay, actors.orders, actors.risk and actors.recorder do it."""
        self.paper.listen(self.inbox.append, after=self.desk.seq)
        self._act(self.desk.resume(self.last))
        self._drain()
        for e in self.script.events[min(self.ours, self.paper.cursor) :]:
            while (due := self.clock.next()) is not None and due <= e.ts:
                self.clock.fire()
                self._drain()
            self.clock.advance(e.ts)
            self.paper.event(e)
            self._drain()
            self.position = max(self.position, e.index + 1)
            if e.index >= self.ours:
                self._act(self.desk.granted(self._granted(e)))
                self._drain()
        until = self.script.events[-1].ts + AFTER
        while (due := self.clock.next()) is not None and due <= until:
            self.clock.fire()
            self._drain()
        self.paper.flush()
        self._commit()

    def close(self) -> None:
        self.ledger.close()
        self.store.close()

    def _granted(self, e: Event) -> Granted:
        wishes, desk = self.script.wishes[e.index], self.desk
        busy = {lot.slot for lot in (*desk.booked().held, *desk.booked().entering)}
        entries = {w.slot: w for w in wishes if w.what == "enter" and w.slot not in busy}
        return Granted(
            ts=e.ts,
            exits=tuple(w.slot for w in wishes if w.what == "leave" and desk.book.held(w.slot)),
            entries=tuple(entry for w in entries.values() for entry in self._entry(w, e.ts)),
            raises=tuple(Raise(slot=w.slot, stop=usd(w.stop / 10)) for w in wishes if w.what == "raise"),
            cancel_entries=any(w.what == "cancel" for w in wishes),
        )

    def _entry(self, w: Wish, ts: Nanos) -> list[Entry]:
        entry = enter(w.slot, w.qty, w.stop / 10, w.side)
        if self.script.model is Model.BAR:
            return [at_market(entry)]
        mid = self._price(w.slot, ts)
        limit = mid + w.side * w.eager * 100_000
        return [msgspec.structs.replace(entry, limit=limit, cap=limit + w.side * 500_000)] if mid else []

    def _price(self, slot: int, ts: Nanos) -> int:
        """The middle of the last quote, 0 where there is none."""
        quotes = (e for e in reversed(self.script.events) if isinstance(e, Quote) and e.slot == slot and e.ts <= ts)
        return next(((q.bid + q.ask) // 2 for q in quotes), 0)

    def _drain(self) -> None:
        while self.inbox:
            filled = {c: life.filled for c, life in self.desk.lives.items()}
            held = {slot: p.qty for slot, p in self.desk.book.positions.items()}
            self._act(self._heard(self.inbox.popleft()))
            assert all(held.get(slot, p.qty) * p.qty > 0 for slot, p in self.desk.book.positions.items())
            for c, life in self.desk.lives.items():
                assert filled.get(c, 0) <= life.filled <= life.order.qty

    def _heard(self, m: Word | Granted) -> Plan:
        match m:
            case Update():
                return self.desk.update(m)
            case Statement():
                return self.desk.statement(m)
            case Granted():
                return self.desk.granted(m)
        raise AssertionError(m)

    def _act(self, plan: Plan) -> None:
        self.rows += plan.rows
        self.odd += [r.says for r in plan.rows if isinstance(r, journal.Odd)]
        if plan.sends or plan.traded:
            self._commit()
        for what in sorted(plan.sends, key=lane):
            self.fuse.burn()
            self._send(what)
        for cid in plan.asks:
            self.paper.ask(cid)
        if plan.account:
            self.paper.ask(None)
        if plan.relisten:
            self.paper.listen(self.inbox.append, after=self.desk.seq)
        self.inbox.extend(map(self._answer, plan.chasing))
        self._arm()

    def _answer(self, c: Chasing) -> Granted:
        """As the gate does: at the new middle, no worse than the cap."""
        price = self._price(c.slot, c.ts)
        price = price if c.side * (c.cap - price) > 0 else c.cap
        chase = Chase(cid=c.cid, slot=c.slot, gate=0, value=0.0, limit=0.0, price=Micros(price))
        return Granted(ts=c.ts, chases=(chase,))

    def _arm(self) -> None:
        when = self.desk.next()
        if self._armed and self._armed[0] != when:
            self._armed[1].cancel()
            self._armed = None
        if when is not None and not self._armed:
            self._armed = when, self.clock.at(when, self._look, rank=2)

    def _look(self) -> None:
        assert self._armed
        when, self._armed = self._armed[0], None
        self._act(self.desk.woken(when))

    def _send(self, what: Order | Cancel) -> None:
        self.paper.post(what)

    def _commit(self) -> None:
        self.fuse.burn()
        self.store.commit(self.rows, (), self.position, self.desk.seq)
        self.rows = []
        self.fuse.burn()


class Doubtful(Process):
    """One that asks after every word whether a restart now would make a difference."""

    def _act(self, plan: Plan) -> None:
        super()._act(plan)
        self._commit()
        again = restored(self.store, self.script.model, self.desk._cid)
        assert kept(again) == kept(self.desk)


def lived(script: Script, folder: Path, deaths: Sequence[int] = ()) -> Process:
    """The last life over a script; each of `deaths` is how many effects a life before it had."""
    for effects in [*deaths, None]:
        process = Process(script, folder, Fuse(effects))
        try:
            process.live()
        except Died:
            continue
        finally:
            process.close()
        return process
    raise AssertionError


def plain(order: Order) -> Order:
    """Without the note that its entry brings it, which a venue does not need."""
    return msgspec.structs.replace(order, carried=False)


def tables(folder: Path) -> dict[str, list[Any]]:
    """All that both sides keep, but for who wrote it."""
    found = {}
    for file in ("fluxhero.sqlite", "venue.sqlite"):
        with sqlite3.connect(folder / file) as db:
            names = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'") if n != "runs"]
            found.update({f"{file}/{n}": sorted(map(repr, db.execute(f"SELECT * FROM {n}"))) for n in names})
        db.close()
    return found


NIGHT = -1  # instead of ms: until half an hour after the next open


def morning(ts: Nanos) -> Nanos:
    return Nanos(nyse().sessions[_session(ts) + 1].open + 30 * MINUTE)


def _session(ts: Nanos) -> int:
    session = nyse().at(ts)
    assert session is not None
    return session.index


def quotes_script(steps: list[Any]) -> Script:
    """With an end in which every slot is quoted in size, often enough for all that waits."""
    calm: list[Any] = [(("quote", slot, 1000, 1, 10**6, 10**6), 60, []) for _ in range(8) for slot in range(SLOTS)]
    ts, events, wishes = T, list[Event](), list[tuple[Wish, ...]]()
    for (kind, slot, price, spread, bids, asks), ms, wanted in [*steps, *calm]:
        ts, index = morning(ts) if ms == NIGHT else Nanos(ts + ms * MS), len(events)
        if kind == "trade":
            events.append(Trade(index=index, ts=ts, slot=slot, price=price / 10, size=Shares(1)))
        else:
            events.append(
                Quote(
                    index=index, ts=ts, slot=slot, bid=usd(price / 10), ask=usd((price + spread) / 10),
                    bid_size=bids, ask_size=asks,
                )
            )  # fmt: skip
        wishes.append(tuple(wanted))
    return Script(Model.QUOTE, tuple(events), tuple(wishes))


FIELDS = ("ts", "open", "high", "low", "close", "volume", "session", "left", "quality")


def bars_script(steps: list[Any]) -> Script:
    calm: list[Any] = [([(1000, 1000, Quality.FULL)] * SLOTS, [])] * 3
    ts, events, wishes = T, list[Event](), list[tuple[Wish, ...]]()
    for candles, wanted, *night in [*steps, *calm]:
        bars, ts = np.zeros(SLOTS, BAR), morning(ts) if any(night) else ts
        for slot, candle in enumerate(candles):
            if candle:
                opens, close, quality = candle[0] / 10, candle[1] / 10, candle[2]
                made = (ts, opens, max(opens, close), min(opens, close), close, 9e4, _session(ts), 60, quality)
                for name, value in zip(FIELDS, made, strict=True):
                    bars[name][slot] = value
        ts = Nanos(ts + MINUTE)
        events.append(Bars(index=len(events), ts=ts, bars=bars))
        wishes.append(tuple(wanted))
    return Script(Model.BAR, tuple(events), tuple(wishes))


PRICES = st.integers(975, 1025)  # tenths of a USD
SIZES = st.sampled_from([0, 40, 100, 1000])
PLACES = st.integers(0, SLOTS - 1)
QUOTES = st.tuples(st.just("quote"), PLACES, PRICES, st.sampled_from([-1, 0, 1]), SIZES, SIZES)
TRADES = st.tuples(st.just("trade"), PLACES, PRICES, st.just(0), st.just(1), st.just(1))
CANDLES = st.lists(
    st.one_of(st.none(), st.tuples(PRICES, PRICES, st.sampled_from([Quality.FULL, Quality.FULL, Quality.EXTENDED]))),
    min_size=SLOTS, max_size=SLOTS,
)  # fmt: skip
VERBS = ["enter", "enter", "leave", "raise", "raise", "cancel"]


def scripts(sides: Sequence[Side], stops: st.SearchStrategy[int], nights: bool) -> st.SearchStrategy[Script]:
    """Of either model; with `nights` over several sessions."""
    wish = st.builds(
        Wish, st.sampled_from(VERBS), PLACES, st.sampled_from([1, 100, 250]), stops, st.sampled_from(sides),
        st.sampled_from([1, 0, -4]),
    )  # fmt: skip
    wishes = st.lists(wish, max_size=3)
    gaps = st.sampled_from([0, 1, 49, 50, 51, 400, 400, 20_000, 60_000, *([NIGHT] * nights)])
    ticks = st.tuples(st.one_of(QUOTES, QUOTES, TRADES), gaps, wishes)
    minutes = st.tuples(CANDLES, wishes, st.sampled_from([False, False, False, nights]))
    return st.one_of(
        st.lists(ticks, min_size=3, max_size=40).map(quotes_script),
        st.lists(minutes, min_size=3, max_size=25).map(bars_script),
    )


SLOWLY = settings(max_examples=250)
OFTEN = settings(max_examples=100)
