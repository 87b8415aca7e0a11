"""A desk that is fed by hand."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from fluxhero.core import journal
from fluxhero.core.book import Book
from fluxhero.core.lives import Life, Plan
from fluxhero.core.orders import Desk
from fluxhero.core.states import State
from fluxhero.messages import (
    Cancel,
    Chase,
    Chasing,
    Cid,
    Entry,
    Granted,
    Micros,
    Model,
    Nanos,
    Order,
    Raise,
    Role,
    Says,
    Shares,
    Side,
    Traded,
    Type,
    Unavailable,
    Update,
    Why,
)
from fluxhero.store.sqlite import SQLiteStore

CASH = Micros(100_000_000_000)
FEE = Micros(5_000)
T = Nanos(1_711_461_600_000_000_000)  # 2024-03-26 10:00 in New York
MS = 1_000_000
FILLS = (Says.PARTIAL_FILL, Says.FILL)
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # where an fsync costs nothing


def usd(x: float) -> Micros:
    return Micros(round(x * 1e6))


def at(ms: int) -> Nanos:
    return Nanos(T + ms * MS)


def cid(intent: int, attempt: int = 0) -> Cid:
    return Cid(f"fh-test-0-{intent}-{attempt}")


class Diary(Desk):
    """A desk that keeps the rows that it would have journaled."""

    def __init__(self, model: Model, cid: Callable[[int, int], Cid] = cid) -> None:
        super().__init__(Book(CASH), model, cid, lambda ts: ts)
        self.model, self.rows = model, list[journal.Row]()

    def granted(self, g: Granted) -> Plan:
        return self._noted(super().granted(g))

    def update(self, u: Update) -> Plan:
        return self._noted(super().update(u))

    def unavailable(self, x: Unavailable) -> Plan:
        return self._noted(super().unavailable(x))

    def woken(self, ts: Nanos) -> Plan:
        return self._noted(super().woken(ts))

    def resume(self, ts: Nanos) -> Plan:
        return self._noted(super().resume(ts))

    def _noted(self, plan: Plan) -> Plan:
        self.rows += plan.rows
        return plan


def new(model: Model) -> Diary:
    desk = Diary(model)
    desk.resume(T)
    desk.woken(T)  # the first look is at the statement
    return desk


def enter(slot: int = 0, qty: int = 100, stop: float = 98.0, side: Side = Side.BUY, limit: float = 100.0) -> Entry:
    """With quotes; at most half a USD beyond the decision's close."""
    return Entry(
        slot=slot, side=side, qty=Shares(qty), mode=2, price=usd(100), limit=usd(limit), cap=usd(100 + side * 0.5),
        stop=usd(stop), wide=1.0, volume=5e4,
    )  # fmt: skip


def at_market(entry: Entry) -> Entry:
    """As it is in bars."""
    return msgspec.structs.replace(entry, limit=Micros(0), cap=Micros(0))


def enter_in(model: Model) -> Entry:
    return at_market(enter()) if model is Model.BAR else enter()


def buy(
    n: int, qty: int = 100, stop: float = 98.0, ts: Nanos = T, slot: int = 0, carries: int | None = None,
    attempt: int = 0, limit: float = 100.0,
) -> Order:  # fmt: skip
    """A limit order; in bars, where it carries its stop, a market order."""
    price = (Micros(0), Micros(0)) if carries else (usd(limit), usd(100.5))
    return Order(
        cid=cid(n, attempt), ts=ts, slot=slot, role=Role.ENTRY, side=Side.BUY,
        type=Type.MARKET if carries else Type.LIMIT, qty=Shares(qty), mark=usd(100), limit=price[0], cap=price[1],
        stop=usd(stop), stop_cid=cid(carries) if carries else None, volume=5e4, mode=2,
    )  # fmt: skip


def guard(
    n: int, qty: int = 100, stop: float = 98.0, ts: Nanos = T, slot: int = 0, replaces: int = 0, carried: bool = False
) -> Order:
    return Order(
        cid=cid(n), ts=ts, slot=slot, role=Role.STOP, side=Side.SELL, type=Type.STOP, qty=Shares(qty),
        stop=usd(stop), replaces=cid(replaces) if replaces else None, carried=carried, volume=5e4, mode=2,
    )  # fmt: skip


def sell(n: int, qty: int = 100, ts: Nanos = T, slot: int = 0) -> Order:
    return Order(
        cid=cid(n), ts=ts, slot=slot, role=Role.EXIT, side=Side.SELL, type=Type.MARKET, qty=Shares(qty),
        volume=5e4, mode=2,
    )  # fmt: skip


def stopped(n: int, ts: Nanos, attempt: int = 0) -> Cancel:
    return Cancel(cid=cid(n, attempt), ts=ts)


def canceling(n: int, why: Why, ts: Nanos, attempt: int = 0) -> journal.Canceling:
    return journal.Canceling(ts=ts, cid=cid(n, attempt), why=why)


def asks(n: int, ts: Nanos, attempt: int = 0) -> Chasing:
    """May the entry be sent anew?"""
    return Chasing(ts=ts, slot=0, cid=cid(n, attempt), side=Side.BUY, cap=usd(100.5))


def answer(n: int, price: float, attempt: int = 0, gate: int = 0, value: float = 0.0, limit: float = 0.0) -> Chase:
    return Chase(cid=cid(n, attempt), slot=0, gate=gate, value=value, limit=limit, price=usd(price))


def chased(
    n: int, ts: Nanos, price: float = 0.0, attempt: int = 0, gate: int = 0, value: float = 0.0, limit: float = 0.0
) -> journal.Chased:
    return journal.Chased(
        ts=ts, slot=0, cid=cid(n, attempt), attempt=attempt, gate=gate, value=value, limit=limit, price=usd(price)
    )


def entered(n: int, qty: int, price: float, ts: Nanos, wanted: int = 100, attempt: int = 0) -> journal.Entered:
    """Bought, for a decision at 100."""
    return journal.Entered(
        ts=ts, slot=0, cid=cid(n, attempt), wanted=Shares(wanted), qty=Shares(qty), decided=usd(100),
        price=usd(price), shortfall=Micros(qty * usd(price - 100)),
    )  # fmt: skip


def guarded(since: Nanos, ts: Nanos, slot: int = 0) -> journal.Guarded:
    return journal.Guarded(ts=ts, slot=slot, since=since)


def naked(since: Nanos, ts: Nanos, held: int = 100, guarded: int = 0, fled: bool = False) -> journal.Naked:
    return journal.Naked(ts=ts, slot=0, since=since, held=held, guarded=guarded, fled=fled)


def aim(stop: float, leaving: bool = False, ts: Nanos = T, slot: int = 0) -> journal.Aim:
    return journal.Aim(ts=ts, slot=slot, leaving=leaving, stop=usd(stop), mode=2, volume=5e4)


def intent(order: Order) -> journal.Intent:
    return journal.Intent(ts=order.ts, order=order)


def evidence(n: int, seq: int, says: Says, state: State, ts: Nanos = T, reason: str = "") -> journal.Evidence:
    return journal.Evidence(ts=ts, cid=cid(n), seq=seq, says=says, state=state.value, reason=reason)


def says(
    desk: Desk, n: int, what: Says, qty: int = 0, price: float = 100.0, ts: Nanos = T, reason: str = "",
    filled: int = 0, attempt: int = 0,
) -> Update:  # fmt: skip
    """The venue's next word, of order n."""
    seq = desk.seq + 1
    if what not in FILLS:
        return Update(seq=seq, ts=ts, cid=cid(n, attempt), says=what, reason=reason, filled=Shares(filled))
    return Update(
        seq=seq, ts=ts, cid=cid(n, attempt), says=what, exec_id=f"x{seq}", at=ts, price=usd(price), qty=Shares(qty),
        fee=Micros(qty * FEE), filled=Shares(filled),
    )  # fmt: skip


def aside(n: int, what: Says, ts: Nanos = T, attempt: int = 0, filled: int = 0) -> Update:
    """What is not counted: an answer, or the want of one."""
    return Update(seq=0, ts=ts, cid=cid(n, attempt), says=what, filled=Shares(filled))


def hear(desk: Desk, n: int, what: Says, qty: int = 0, **more: Any) -> Plan:
    return desk.update(says(desk, n, what, qty, **more))


def did(plan: Plan) -> tuple[list[journal.Row], list[Order | Cancel], list[Traded]]:
    return plan.rows, plan.sends, plan.traded


def mind(desk: Desk) -> Any:
    """All that a desk knows, as one value that does not change."""
    parts = (desk.book.cash, desk.book.positions, desk.lives, desk.slots, desk.intents, desk.grants)
    return msgspec.msgpack.encode([msgspec.to_builtins(p, str_keys=True, order="deterministic") for p in parts])


def holding(stop: float = 98.0, qty: int = 100) -> Diary:
    """In `quote`, a position behind its live stop: order 1 bought it, order 2 protects it."""
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(qty=qty, stop=stop),)))
    hear(desk, 1, Says.ACCEPTED)
    hear(desk, 1, Says.FILL, qty)
    hear(desk, 2, Says.ACCEPTED)
    return desk


def holding_in_bars() -> Diary:
    desk = new(Model.BAR)
    desk.granted(Granted(ts=T, entries=(at_market(enter()),)))
    hear(desk, 1, Says.ACCEPTED)
    hear(desk, 1, Says.FILL, 100)
    hear(desk, 2, Says.ACCEPTED)
    return desk


def move(desk: Desk, stop: float, ms: int) -> Plan:
    return desk.granted(Granted(ts=at(ms), raises=(Raise(slot=0, stop=usd(stop)),)))


def reborn(desk: Diary) -> Diary:
    """The desk that a restart makes of what this one journaled."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as name, SQLiteStore(Path(name)) as store:
        store.commit([opened(desk.model), *desk.rows], (), 0, desk.seq)
        return restored(store, desk.model)


def opened(model: Model) -> journal.Opened:
    return journal.Opened(
        ts=Nanos(0), account="test", epoch="0", cash=CASH, model=model, symbols=("A", "B", "C"), identity={}
    )


def restored(store: SQLiteStore, model: Model, cid: Callable[[int, int], Cid] = cid) -> Diary:
    """As fluxhero.restore does it."""
    left, again = store.restore(1), Diary(model, cid)
    again.book.cash, again.book.positions = left.cash, left.positions
    again.seq, again.intents = left.updates, left.intents
    again.adopt(left.lives, left.aims)
    return again


def kept(desk: Desk) -> Any:
    """What a restart must not change. Only memory knows when we last looked, how often something was rejected, what
    was told of a fill before it came, and whom it was told to.
    """
    lives = {cid: _kept(life) for cid, life in desk.lives.items()}
    slots = {
        slot: (s.entry, s.exit, s.stop, s.moving, s.chasing and _kept(s.chasing), s.leaving, s.aim, s.mode, s.volume)
        for slot, s in desk.slots.items()
        if s.mode  # else nothing has ever been wanted of it
    }
    stops = {slot: desk.stop_of(slot) for slot in slots}
    booked = msgspec.structs.replace(desk.booked(), grants=0, rounds=(), flows=(), rejects=(), fled=(), resent=())
    return lives, slots, stops, booked, desk.book.cash, desk.book.positions, desk.seq, desk.intents


def _kept(x: Life) -> Any:
    return x.order, x.state, x.filled, x.paid, x.canceling, x.why, x.executions


def bare(desk: Desk) -> dict[int, Nanos]:
    return {slot: s.bare for slot, s in desk.slots.items() if s.bare is not None}


def reminded(again: Desk, desk: Desk) -> Desk:
    """With what only memory knows: then it looks again when the other does."""
    again._audited = desk._audited
    for cid, life in again.lives.items():
        life.looked, life.ending = desk.lives[cid].looked, desk.lives[cid].ending
    for slot, s in again.slots.items():
        s.waits, s.paged = desk.slots[slot].waits, desk.slots[slot].paged
    return again


def survives(desk: Diary) -> Diary:
    """A restart now would make no difference."""
    again = reborn(desk)
    assert kept(again) == kept(desk)
    assert bare(again) == bare(desk)
    assert reminded(again, desk).next() == desk.next()
    return desk
