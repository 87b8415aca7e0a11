"""A desk that is fed by hand."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec

from fluxhero.core import journal
from fluxhero.core.book import Book
from fluxhero.core.orders import Desk, Plan, State
from fluxhero.messages import (
    Cancel,
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
    Update,
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

    def __init__(self, model: Model) -> None:
        super().__init__(Book(CASH), model, cid, lambda ts: ts)
        self.model, self.rows = model, list[journal.Row]()

    def granted(self, g: Granted) -> Plan:
        plan = super().granted(g)
        self.rows += plan.rows
        return plan

    def update(self, u: Update) -> Plan:
        plan = super().update(u)
        self.rows += plan.rows
        return plan


def new(model: Model) -> Diary:
    return Diary(model)


def enter(slot: int = 0, qty: int = 100, stop: float = 98.0, side: Side = Side.BUY) -> Entry:
    return Entry(slot=slot, side=side, qty=Shares(qty), mode=2, price=usd(100), stop=usd(stop), wide=1.0, volume=5e4)


def buy(n: int, qty: int = 100, stop: float = 98.0, ts: Nanos = T, slot: int = 0, carries: int | None = None) -> Order:
    return Order(
        cid=cid(n), ts=ts, slot=slot, role=Role.ENTRY, side=Side.BUY, type=Type.MARKET, qty=Shares(qty),
        mark=usd(100), stop=usd(stop), stop_cid=cid(carries) if carries else None, volume=5e4, mode=2,
    )  # fmt: skip


def guard(n: int, qty: int = 100, stop: float = 98.0, ts: Nanos = T, slot: int = 0, replaces: int = 0) -> Order:
    return Order(
        cid=cid(n), ts=ts, slot=slot, role=Role.STOP, side=Side.SELL, type=Type.STOP, qty=Shares(qty),
        stop=usd(stop), replaces=cid(replaces) if replaces else None, volume=5e4, mode=2,
    )  # fmt: skip


def sell(n: int, qty: int = 100, ts: Nanos = T, slot: int = 0) -> Order:
    return Order(
        cid=cid(n), ts=ts, slot=slot, role=Role.EXIT, side=Side.SELL, type=Type.MARKET, qty=Shares(qty),
        volume=5e4, mode=2,
    )  # fmt: skip


def stopped(n: int, ts: Nanos) -> Cancel:
    return Cancel(cid=cid(n), ts=ts)


def aim(stop: float, leaving: bool = False, ts: Nanos = T, slot: int = 0) -> journal.Aim:
    return journal.Aim(ts=ts, slot=slot, leaving=leaving, stop=usd(stop), mode=2, volume=5e4)


def intent(order: Order) -> journal.Intent:
    return journal.Intent(ts=order.ts, order=order)


def evidence(n: int, seq: int, says: Says, state: State, ts: Nanos = T, reason: str = "") -> journal.Evidence:
    return journal.Evidence(ts=ts, cid=cid(n), seq=seq, says=says, state=state.value, reason=reason)


def says(desk: Desk, n: int, what: Says, qty: int = 0, price: float = 100.0, ts: Nanos = T, reason: str = "") -> Update:
    """The venue's next word, of order n."""
    seq = desk.seq + 1
    if what not in FILLS:
        return Update(seq=seq, ts=ts, cid=cid(n), says=what, reason=reason)
    return Update(
        seq=seq, ts=ts, cid=cid(n), says=what, exec_id=f"x{seq}", at=ts, price=usd(price), qty=Shares(qty),
        fee=Micros(qty * FEE),
    )  # fmt: skip


def hear(desk: Desk, n: int, what: Says, qty: int = 0, **more: Any) -> Plan:
    return desk.update(says(desk, n, what, qty, **more))


def did(plan: Plan) -> tuple[list[journal.Row], list[Order | Cancel], list[Traded]]:
    return plan.rows, plan.sends, plan.traded


def mind(desk: Desk) -> Any:
    """All that a desk knows, as one value that does not change."""
    parts = (desk.book.cash, desk.book.positions, desk.lives, desk.slots, desk.intents, desk.grants)
    return msgspec.msgpack.encode([msgspec.to_builtins(p, str_keys=True) for p in parts])


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
    desk.granted(Granted(ts=T, entries=(enter(),)))
    hear(desk, 1, Says.ACCEPTED)
    hear(desk, 1, Says.FILL, 100)
    hear(desk, 2, Says.ACCEPTED)
    return desk


def move(desk: Desk, stop: float, ms: int) -> Plan:
    return desk.granted(Granted(ts=at(ms), raises=(Raise(slot=0, stop=usd(stop)),)))


def reborn(desk: Diary) -> Diary:
    """The desk that a restart makes of what this one journaled."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as name, SQLiteStore(Path(name)) as store:
        opened = journal.Opened(
            ts=Nanos(0), account="test", epoch="0", cash=CASH, model=desk.model, symbols=("A", "B", "C"), identity={}
        )
        store.commit([opened, *desk.rows], (), 0, desk.seq)
        left = store.restore(1)
    again = Diary(desk.model)
    again.book.cash, again.book.positions = left.cash, left.positions
    again.seq, again.intents = left.updates, left.intents
    again.adopt(left.lives, left.aims)
    return again
