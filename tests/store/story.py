"""A state in which every table has a row, and the venue's ledger beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from fluxhero.core import journal
from fluxhero.exchange.matching import Snapshot, Working
from fluxhero.messages import Cid, Micros, Model, Nanos, Order, Role, Says, Shares, Side, Type, Update, Verb, Why
from fluxhero.store import counterparty, refold
from fluxhero.store.reckon import Difference
from fluxhero.store.sqlite import FILE, SQLiteStore
from fluxhero.store.venue import FILE as VENUE
from fluxhero.store.venue import VenueLedger

T = Nanos(1_711_461_600_000_000_000)
FEE = Micros(500_000)

Rows = list[journal.Row]
Words = list[Update]


def usd(x: float) -> Micros:
    return Micros(round(x * 1e6))


def at(n: int) -> Nanos:
    return Nanos(T + n)


def cid(n: int, attempt: int = 0) -> Cid:
    return Cid(f"fh-test-0-{n}-{attempt}")


def order(n: int, role: Role, side: Side, kind: Type, qty: int, slot: int = 0, **more: Any) -> Order:
    return Order(
        cid=more.pop("cid", cid(n)), ts=at(n), slot=slot, role=role, side=side, type=kind, qty=Shares(qty), **more
    )


TRIED = order(1, Role.ENTRY, Side.BUY, Type.LIMIT, 100, limit=usd(100), cap=usd(101), stop=usd(98), mode=1)
BUY = msgspec.structs.replace(TRIED, cid=cid(1, 1), ts=at(3), limit=usd(100.5))
STOP = order(2, Role.STOP, Side.SELL, Type.STOP, 60, stop=usd(98), mode=1)
MOVED = order(3, Role.STOP, Side.SELL, Type.STOP, 60, stop=usd(99), mode=1, replaces=STOP.cid)
SHORT = order(4, Role.ENTRY, Side.SELL, Type.MARKET, 50, 1, stop=usd(11), mode=2)
COVER = order(5, Role.EXIT, Side.BUY, Type.MARKET, 50, 1, mode=2)


def intent(o: Order) -> journal.Intent:
    return journal.Intent(ts=o.ts, order=o)


def word(seq: int, o: Order, says: Says, reason: str = "", filled: int = 0) -> Update:
    return Update(seq=seq, ts=at(seq + 10), cid=o.cid, says=says, reason=reason, filled=Shares(filled))


def execution(seq: int, o: Order, says: Says, qty: int, price: float, filled: int) -> Update:
    return Update(
        seq=seq, ts=at(seq + 10), cid=o.cid, says=says, exec_id=f"x{seq}", at=at(seq), price=usd(price),
        qty=Shares(qty), fee=FEE, filled=Shares(filled),
    )  # fmt: skip


def evidence(w: Update, state: str) -> journal.Evidence:
    return journal.Evidence(ts=w.ts, cid=w.cid, seq=w.seq, says=w.says, state=state, reason=w.reason)


def filled(w: Update, o: Order, state: str, cash: float) -> journal.Filled:
    return journal.Filled(
        ts=w.ts, cid=w.cid, seq=w.seq, exec_id=w.exec_id, at=w.at, slot=o.slot, role=o.role, side=o.side, price=w.price,
        qty=w.qty, fee=w.fee, state=state, filled=w.filled, cash=usd(cash),
    )  # fmt: skip


def drift(what: str, slot: int, ours: int, theirs: int, name: str = "") -> journal.Drift:
    return journal.Drift(
        ts=at(30), key=f"{what} {slot} {name}".strip(), kind="unexplained", what=what, slot=slot, name=name, ours=ours,
        theirs=theirs, ignored=False,
    )  # fmt: skip


def decided(n: int, slot: int) -> Rows:
    what = journal.Decided(
        ts=at(n), slot=slot, action=3, side=Side.BUY, mode=1, regime=1, gate=0, stop=usd(98), risk=0.01, scale=1.0,
        wide=1.0, reading={"close": 100.0}, checks=(),
    )  # fmt: skip
    return [what, journal.Judged(ts=at(n), slot=slot, entry=True, gate=0, value=0.0, limit=0.0, qty=Shares(100))]


def seal(n: int, close: float) -> journal.Seal:
    bar = journal.BarRow(0, at(n), close, close, close, close, 9.0, 1, 0)
    return journal.Seal(ts=at(n), bars=(bar,), equity=usd(100_000), cash=usd(100_000))


WORDS: Words = [
    word(1, TRIED, Says.ACCEPTED),
    word(2, TRIED, Says.CANCELED, "canceled"),
    execution(3, BUY, Says.PARTIAL_FILL, 40, 100.5, 40),
    execution(4, BUY, Says.PARTIAL_FILL, 20, 100.0, 60),
    word(5, BUY, Says.CANCELED, "canceled", 60),
    word(6, STOP, Says.ACCEPTED),
    word(7, STOP, Says.REPLACED),
    word(8, MOVED, Says.ACCEPTED),
    execution(9, SHORT, Says.FILL, 50, 10.0, 50),
    Update(
        seq=10, ts=at(20), cid=Cid("borrow-1-0"), says=Says.CHARGED, slot=1, price=usd(10), qty=Shares(50),
        fee=usd(0.25),
    ),
    execution(11, COVER, Says.FILL, 50, 9.0, 50),
    word(12, COVER, Says.ACCEPTED, filled=50),
]  # fmt: skip
W = {w.seq: w for w in WORDS}

# What is journaled at once, after the venue's words that it answers: an entry in two attempts, whose rest is canceled,
# its stop that moves, and a short that is held for a night and bought back.
STORY: list[tuple[int, Rows]] = [
    (
        0,
        [
            journal.Opened(
                ts=Nanos(0), account="test", epoch="0", cash=usd(100_000), model=Model.QUOTE, symbols=("A", "B"),
                identity={},
            ),
            journal.Settings(ts=Nanos(0), hash="00ff", strategy="metronome", params=b"p"),
        ],
    ),
    (
        0,
        [
            seal(1, 100.0), *decided(1, 0),
            journal.Aim(ts=at(1), slot=0, leaving=False, stop=usd(98), mode=1, volume=5e4), intent(TRIED),
        ],
    ),
    (1, [evidence(W[1], "live"), journal.Canceling(ts=at(2), cid=TRIED.cid, why=Why.CHASE)]),
    (2, [evidence(W[2], "canceled"), intent(BUY)]),
    (3, [filled(W[3], BUY, "partial", 95_979.5), journal.Canceling(ts=W[3].ts, cid=BUY.cid, why=Why.REST)]),
    (
        5,
        [
            filled(W[4], BUY, "partial", 93_979), evidence(W[5], "canceled"),
            journal.Entered(
                ts=W[5].ts, slot=0, cid=BUY.cid, wanted=Shares(100), qty=Shares(60), decided=usd(100),
                price=usd(100.333333), shortfall=usd(20),
            ),
            intent(STOP),
        ],
    ),
    (6, [evidence(W[6], "live"), seal(17, 101.0), intent(MOVED)]),
    (8, [evidence(W[7], "replaced"), evidence(W[8], "live"), *decided(18, 1), intent(SHORT)]),
    (9, [filled(W[9], SHORT, "filled", 94_478.5)]),
    (
        10,
        [
            journal.Charged(
                ts=W[10].ts, seq=10, slot=1, qty=Shares(50), price=usd(10), fee=usd(0.25), cash=usd(94_478.25)
            ),
            journal.Tripped(ts=at(20), trip="day_loss", cause="day loss", equity=usd(1), value=0.031, limit=0.03),
            journal.Released(ts=at(20), trip="day_loss", by="script", reason="a new session"),
            journal.Tripped(ts=at(20), trip="halt", cause="", equity=usd(1), value=0.0, limit=0.0),
            intent(COVER),
        ],
    ),
    (
        12,
        [
            filled(W[11], COVER, "filled", 94_027.75),
            journal.Closed(
                ts=W[11].ts, slot=1, mode=2, qty=Shares(-50), opened=W[9].ts, entry=usd(10), exit=usd(9),
                fees=usd(1.25), result=usd(48.75),
            ),
            journal.Odd(ts=W[12].ts, cid=COVER.cid, seq=12, says=Says.ACCEPTED, state="closed"),
            journal.Commanded(ts=at(22), verb=Verb.PAUSE, slots=(0, 1), trip="", reason="no", id="i", text="paused"),
            journal.Canceling(ts=at(23), cid=MOVED.cid, why=Why.LEAVING), drift("position", -1, 0, 7, name="XYZ"),
        ],
    ),
]  # fmt: skip

ROWS = [row for _, rows in STORY for row in rows]


def snapshot(said: int, cash: float, positions: dict[int, int], *resting: tuple[Order, int]) -> Snapshot:
    return Snapshot(
        cash=usd(cash), positions=positions, seq=said, resting=[Working(order=o, filled=n) for o, n in resting]
    )


# What the venue commits at once: the keys that arrive, up to which word it speaks, and its account then.
VENUES: list[tuple[tuple[str, ...], int, Snapshot]] = [
    ((TRIED.cid,), 1, snapshot(1, 100_000, {}, (TRIED, 0))),
    ((f"{TRIED.cid} cancel 2",), 2, snapshot(2, 100_000, {})),
    ((BUY.cid,), 3, snapshot(3, 95_979.5, {0: 40}, (BUY, 40))),
    ((f"{BUY.cid} cancel 13",), 5, snapshot(5, 93_979, {0: 60})),
    ((STOP.cid,), 6, snapshot(6, 93_979, {0: 60}, (STOP, 0))),
    ((MOVED.cid,), 8, snapshot(8, 93_979, {0: 60}, (MOVED, 0))),
    ((SHORT.cid,), 9, snapshot(9, 94_478.5, {0: 60, 1: -50}, (MOVED, 0))),
    ((), 10, snapshot(10, 94_478.25, {0: 60, 1: -50}, (MOVED, 0))),
    ((COVER.cid,), 12, snapshot(12, 94_027.75, {0: 60}, (MOVED, 0))),
]  # fmt: skip


def written(folder: Path) -> Iterator[str]:
    """The story as it would be written, commit by commit."""
    with SQLiteStore(folder) as store, closing(VenueLedger(folder)) as venue:
        store.begin_run(pid=1, host="h", started=T, version="1", code="c")
        venues, said = iter(VENUES), 0
        for heard, rows in STORY:
            while said < heard:
                keys, last, account = next(venues)
                venue.commit(account, last, keys, WORDS[said:last], None)
                said = last
                yield "venue"
            store.commit(rows, (), tape=heard, updates=heard)
            yield "ours"


def opened(folder: Path, file: str = FILE) -> sqlite3.Connection:
    return sqlite3.connect(folder / file, isolation_level=None)


def found(folder: Path) -> str:
    """What differs, if anything."""
    with closing(opened(folder)) as db, closing(counterparty.Counterparty(folder / VENUE)) as venue:
        try:
            refold.check(db, venue)
        except Difference as e:
            return str(e)
        return ""


def differs(db: sqlite3.Connection) -> str:
    try:
        refold.check(db)
    except Difference as e:
        return str(e)
    return ""


def but(row: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(row, **changes)
