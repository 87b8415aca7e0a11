"""What an account has really done, from its journal, in the same tables as a backtest writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fluxhero.core import journal
from fluxhero.core.bars import read
from fluxhero.core.ladder import BITS
from fluxhero.core.states import OPEN, State
from fluxhero.kernel import codes, ledger
from fluxhero.kernel.places import TABLES
from fluxhero.kernel.state import BAR
from fluxhero.messages import Array, Nanos, Order, Role
from fluxhero.store.queries import Reader

ROLES = {Role.ENTRY: ledger.ENTRY, Role.EXIT: ledger.EXIT, Role.STOP: ledger.STOP}
TRIPS = {trip.value: bit for trip, bit in BITS.items()}


@dataclass(frozen=True, eq=False)
class Recorded:
    """T seals, S symbols; tables as in kernel.ledger."""

    ends: Array  # (T,) UTC ns
    bars: Array  # BAR (T, S)
    equity: Array  # (T,) micro-dollars
    cash: Array
    tables: dict[str, Array]


def recorded(reader: Reader) -> Recorded:
    """The whole journal."""
    scribe = Scribe(len(reader.symbols))
    for row in rows(reader):
        scribe.take(row)
    return scribe.told()


def rows(reader: Reader) -> Iterator[journal.Row]:
    for (body,) in reader.db.execute("SELECT body FROM journal ORDER BY seq"):
        yield journal.decode(body)


class Scribe:
    """Turns rows into tables."""

    def __init__(self, symbols: int) -> None:
        self._symbols = symbols
        self._ends, self._equity, self._cash = list[int](), list[int](), list[int]()
        self._bars: list[Array] = []
        self._tables: dict[str, list[Array]] = {name: [] for name in TABLES._fields}
        self._orders: dict[str, Order] = {}
        self._open: dict[int, dict[str, int]] = {}  # by slot: how its round trip began
        self._asked: dict[int, Array] = {}  # by slot: the newest decision
        self._level: dict[int, int] = {}
        self._owed: dict[int, int] = {}  # by slot sold short: the first session not paid for
        self._let_go: list[Array] = []  # trips, since the last seal

    def take(self, r: journal.Row) -> None:
        match r:
            case journal.Seal():
                self._seal(r)
            case journal.Decided():
                self._decided(r)
            case journal.Judged():
                self._judged(r)
            case journal.Intent():
                self._sent(r.order)
            case journal.Filled():
                self._filled(r)
            case journal.Evidence():
                self._heard(r)
            case journal.Closed():
                self._closed(r)
            case journal.Charged():
                self._charged(r)
            case journal.Tripped() if r.trip in TRIPS:
                self._put("trips", ts=r.ts, trip=TRIPS[r.trip], equity=r.equity, value=r.value, bound=r.limit)
            case journal.Released() if r.trip in TRIPS:
                self._released(r)

    def told(self) -> Recorded:
        bars = np.array(self._bars) if self._bars else np.zeros((0, self._symbols), BAR)
        tables = {
            name: np.concatenate(self._tables[name]) if self._tables[name] else np.zeros(0, kind)
            for name, kind in TABLES._asdict().items()
        }
        ends, equity, cash = (np.array(x, np.int64) for x in (self._ends, self._equity, self._cash))
        return Recorded(ends, bars, equity, cash, tables)

    def _put(self, name: str, **fields: Any) -> Array:
        made = np.zeros(1, getattr(TABLES, name))
        for field, value in fields.items():
            made[field] = value
        self._tables[name].append(made)
        return made

    def _seal(self, r: journal.Seal) -> None:
        self._ends.append(r.ts)
        self._equity.append(r.equity)
        self._cash.append(r.cash)
        bars = read(r.bars, self._symbols)
        self._bars.append(bars)
        session = int(bars["session"][bars["ts"] != 0].max(initial=-1))
        short = (slot for slot, began in self._open.items() if began["side"] < 0)
        self._owed.update((slot, session) for slot in short if bars["quality"][slot] == codes.FULL)
        for trip in self._let_go:
            trip["released"] = r.ts
        self._let_go.clear()

    def _decided(self, r: journal.Decided) -> None:
        made = self._put(
            "decided", ts=r.ts, slot=r.slot, action=r.action, side=int(r.side), mode=r.mode, regime=r.regime,
            gate=r.gate, stop=r.stop, risk=r.risk, scale=r.scale, wide=r.wide, value=np.nan, limit=np.nan,
            peer=-1, factor=1.0, weight=1.0, company=1.0, correlation=np.nan,
        )  # fmt: skip
        for check in r.checks:
            made["value"][0][check.condition] = np.nan if check.value is None else check.value
            made["limit"][0][check.condition] = check.limit
        for name, x in r.reading.items():
            made["reading"][name] = np.nan if x is None else x
        self._asked[r.slot] = made

    def _judged(self, r: journal.Judged) -> None:
        made = self._asked[r.slot]
        said = {
            "ruled": 1, "verdict": r.gate, "qty": r.qty, "over": r.value, "bound": r.limit, "by_risk": r.by_risk,
            "by_cap": r.by_cap, "by_room": r.by_room, "factor": r.factor, "weight": r.weight, "company": r.company,
            "correlation": np.nan if r.correlation is None else r.correlation, "peer": -1 if r.peer is None else r.peer,
        }  # fmt: skip
        for name, value in said.items():
            made[name] = value

    def _sent(self, o: Order) -> None:
        self._orders[o.cid] = o
        self._put(
            "sent", ts=o.ts, number=number(o.cid), slot=o.slot, role=ROLES[o.role], side=int(o.side), mode=o.mode,
            qty=o.qty, stop=o.stop, mark=o.mark, replaces=number(o.replaces), carried=o.carried, volume=o.volume,
            wide=o.wide,
        )  # fmt: skip

    def _filled(self, r: journal.Filled) -> None:
        o = self._orders[r.cid]
        if r.slot not in self._open:
            asked = self._asked.get(r.slot)
            regime = int(asked["regime"][0]) if asked is not None else codes.NEUTRAL
            self._open[r.slot] = {"stop": o.stop, "regime": regime, "begun": len(self._ends), "side": int(r.side)}
        self._open[r.slot]["role"] = ROLES[r.role]
        self._put(
            "fills", ts=r.ts, at=r.at, slot=r.slot, role=ROLES[r.role], side=int(r.side), mode=o.mode, qty=r.qty,
            price=r.price, fee=r.fee, order=number(r.cid),
        )  # fmt: skip

    def _heard(self, r: journal.Evidence) -> None:
        """A stop that stands, stands where it was sent to; one that is over, unless by another, protects nothing."""
        o = self._orders.get(r.cid)
        if o is not None and o.role is Role.STOP and r.state != State.REPLACED:
            self._move(o.slot, r.ts, o.stop if State(r.state) in OPEN else 0)

    def _move(self, slot: int, ts: Nanos, stop: int) -> None:
        if self._level.get(slot, 0) != stop:
            self._level[slot] = stop
            self._put("levels", ts=ts, slot=slot, stop=stop)

    def _closed(self, r: journal.Closed) -> None:
        began = self._open.pop(r.slot)
        self._put(
            "rounds", slot=r.slot, mode=r.mode, regime=began["regime"], qty=r.qty, opened=r.opened, closed=r.ts,
            entry=r.entry, exit=r.exit, stop=began["stop"], fees=r.fees, result=r.result, role=began["role"],
            bars=len(self._ends) - began["begun"] + 1,
        )  # fmt: skip
        self._move(r.slot, r.ts, 0)

    def _charged(self, r: journal.Charged) -> None:
        session = self._owed.get(r.slot, -1)
        self._put("charges", ts=r.ts, slot=r.slot, session=session, qty=r.qty, price=r.price, fee=r.fee)
        self._owed[r.slot] = session + 1

    def _released(self, r: journal.Released) -> None:
        """The scripted operator's word counts from the first seal of its session on."""
        for trip in self._tables["trips"]:
            if trip["trip"] == TRIPS[r.trip] and not trip["released"]:
                trip["released"] = r.ts
                self._let_go += [trip] if r.by == "script" else []


def number(cid: str | None) -> int:
    """Of an order; 0 of none."""
    return int(cid.rsplit("-", 2)[1]) if cid else 0
