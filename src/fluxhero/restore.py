"""How the actors' minds begin: from the store, always; a new account is one whose journal has just been opened."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import structlog

from fluxhero.actors.strategy import Strategy
from fluxhero.core import journal
from fluxhero.core.bars import read, written
from fluxhero.core.book import Book
from fluxhero.core.calendar import CalendarEnd, nyse
from fluxhero.core.candles import KEEP, Candles
from fluxhero.core.ladder import Trip
from fluxhero.core.orders import Desk
from fluxhero.core.rate import Rate
from fluxhero.core.risk import Risk
from fluxhero.core.terms import Past, Terms, account
from fluxhero.kernel import codes
from fluxhero.messages import MINUTE, Cid, Micros, Nanos, Sealed, State
from fluxhero.outset import Outset
from fluxhero.ports import Ports
from fluxhero.store.recount import adopted, unwarmed
from fluxhero.store.sqlite import Restored

ACCOUNT = "papr"

log = structlog.get_logger()


@dataclass(frozen=True)
class Minds:
    """The pure objects of one life."""

    tape: int
    last: Nanos  # the journal's newest time
    sent: Rate  # the last day's entry orders
    candles: Candles
    strategy: Strategy
    risk: Risk
    desk: Desk


def begun(o: Outset, ports: Ports, safe: str = "") -> Minds:
    """The first life of an account opens it; `safe`: why nobody will think, if so."""
    left: Restored = ports.store.restore(KEEP)
    if left.opened is None:
        past, kernel = _warmed(o)
        ports.store.commit([*_genesis(o, ports), *past], [kernel] if past else [], 0, 0)
        left = ports.store.restore(KEEP)
    elif left.settings != o.settings:
        ports.store.commit([_settings(o, left.last)], (), left.tape, 0)
    if rows := _unwritten(ports, left):
        ports.store.commit(rows, (), left.tape, 0)
        ports.sentinel.kept()
        left = ports.store.restore(KEEP)
    if safe and not left.blind:
        ports.store.commit([journal.Blind(ts=left.last, why=safe)], (), left.tape, 0)
    sealed_until = left.seals[-1].ts if left.seals else Nanos(0)
    length = Nanos(int(o.params["rules"]["span"][0]))
    candles = Candles(len(o.symbols), nyse(), sealed_until, o.begins, length)
    watch = _watch(o, left, ports, safe)
    for seal in left.seals:
        sealed = _sealed(seal, len(o.symbols))
        candles.sealed(sealed)
    strategy, desk = _strategy(o, left, ports), _desk(o, left)
    watch.begun(desk.booked())  # a command may be the first thing that it hears
    return Minds(
        tape=left.tape,
        last=max(left.last, o.begins),
        sent=Rate(left.entries),
        candles=candles,
        strategy=strategy,
        risk=watch,
        desk=desk,
    )


def _unwritten(ports: Ports, left: Restored) -> list[journal.Row]:
    """What the journal could not be told when it had to be, and the halt that stands because of it, or by hand."""
    stands = ports.sentinel.read()
    if stands is None:
        return []
    why, bodies = stands
    rows = [row for body in bodies if not ports.store.knows(body) for row in _decoded(body)]
    tripped = [*left.trips, *(row for row in rows if isinstance(row, journal.Tripped))]
    if any(row.trip == Trip.HALT for row in tripped):
        return rows
    halt = journal.Tripped(ts=left.last, trip=Trip.HALT, cause=why, equity=Micros(0), value=0.0, limit=0.0)
    return [*rows, halt]


def _decoded(body: bytes) -> list[journal.Row]:
    """The row, if it is one: a line may have been torn, or written by hand."""
    try:
        return [journal.decode(body)]
    except msgspec.MsgspecError as e:
        log.error("a line of the halt's file is no row, and left out", body=body.hex(), error=str(e))
        return []


def _opens(ts: Nanos) -> Nanos:
    """When the market is next open; after the calendar's last session, never again: there is nothing to wait for."""
    try:
        return max(ts, nyse().next(ts).open)
    except CalendarEnd:
        return ts


def _settings(o: Outset, ts: Nanos) -> journal.Settings:
    return journal.Settings(ts=ts, hash=o.settings, strategy=o.strategy, params=o.params.tobytes())


def _genesis(o: Outset, ports: Ports) -> list[journal.Row]:
    epoch = ports.randomness.token(4).hex()
    return [
        journal.Opened(
            ts=Nanos(0), account=ACCOUNT, epoch=epoch, cash=o.cash, model=o.model, symbols=o.symbols,
            identity=o.identity,
        ),
        _settings(o, Nanos(0)),
    ]  # fmt: skip


def _warmed(o: Outset) -> tuple[list[journal.Row], State]:
    """The bars from before the account, and the kernel's rows once they have seen them; what they seek is let go."""
    rows, busy = o.rows(), np.zeros(len(o.symbols), np.int64)
    past: list[journal.Row] = []
    for bars in o.history():
        o.think(rows, bars, o.params, float(o.params["rules"]["stop_atr"][0]), busy)
        seen = written(bars, [codes.HOLD] * len(o.symbols))
        past.append(journal.Past(ts=Nanos(int(bars["ts"].max()) + MINUTE), bars=seen))
    return past, State(name="kernel", blob=rows.tobytes())


def _watch(o: Outset, left: Restored, ports: Ports, safe: str) -> Risk:
    """The account as it was at its last ruling, and the round trips and flows since."""
    cash, past = account(left.cash), Past(
        trips=left.trips, paused=left.paused, answered=left.answered, entries=left.entries, rejects=left.rejects,
        trades=left.trades,
    )  # fmt: skip
    if "account" in left.states:
        cash[:] = np.frombuffer(left.states["account"].blob, cash.dtype)
        past.rounds, past.flows = left.states["account"].count, left.states["tapes"].count
    terms = Terms(
        params=o.params, model=o.model, calendar=nyse(), symbols=len(o.symbols), auto_release=o.auto_release,
        unshortable=o.unshortable, fresh=o.fresh, quiet=o.quiet, begins=max(o.begins, left.last), safe=bool(safe),
        collar=o.collar,
    )  # fmt: skip
    watch = Risk(cash, terms, past)
    if "tapes" in left.states:  # they reach further back than the seals, where nights are long or trades are rare
        watch.tapes[:] = np.frombuffer(left.states["tapes"].blob, watch.tapes.dtype)
    else:
        for seal in left.seals:
            watch.on_past(_sealed(seal, len(o.symbols)))
    watch.marks.closes = [left.marks.get(slot, Micros(0)) for slot in range(len(o.symbols))]
    for r in ports.store.rounds_after(past.rounds):
        watch.on_round(r)
    for flow in ports.store.flows_after(past.flows):
        watch.on_flow(flow)
    return watch


def _strategy(o: Outset, left: Restored, ports: Ports) -> Strategy:
    """The rows as they were at their last seal, and the fills since."""
    rows, seen = o.rows(), 0
    if "kernel" in left.states:
        rows[:] = np.frombuffer(left.states["kernel"].blob, rows.dtype)
        seen = left.states["kernel"].count
    if left.blind:
        rows = unwarmed(rows)
    mind = Strategy(rows, o.params, o.think, seen)
    for traded in ports.store.fills_after(seen):
        mind.traded(traded)
    for slot in range(len(o.symbols)):  # what was adopted since is no fill
        position, aim = left.positions.get(slot), left.aims.get(slot)
        held, worth = (position.qty, position.paid + position.received) if position else (0, 0)
        mode, stop = (aim.mode, aim.aim) if aim else (0, 0)
        adopted(mind.rows, slot, held, Micros(worth // abs(held) if held else 0), mode, Micros(stop))
    return mind


def _desk(o: Outset, left: Restored) -> Desk:
    assert left.opened is not None
    prefix = f"fh-{left.opened.account}-{left.opened.epoch}"
    book = Book(left.cash)
    book.positions = left.positions
    desk = Desk(book, o.model, lambda intent, attempt: Cid(f"{prefix}-{intent}-{attempt}"), _opens, left.drifts)
    desk.seq, desk.intents = left.updates, left.intents
    desk.adopt(left.lives, left.aims)
    return desk


def _sealed(seal: journal.Seal | journal.Past, symbols: int) -> Sealed:
    return Sealed(ts=seal.ts, bars=read(seal.bars, symbols))
