"""A watch, what it is told, and what it says: the words of its tests."""

from datetime import date

import msgspec
import numpy as np

from fluxhero.core import journal
from fluxhero.core.calendar import nyse
from fluxhero.core.ladder import ACCOUNT, Trip
from fluxhero.core.risk import Risk
from fluxhero.core.terms import Terms, account
from fluxhero.kernel.state import BAR
from fluxhero.messages import (
    MINUTE,
    Booked,
    Entry,
    Lot,
    Micros,
    Model,
    Nanos,
    Quality,
    Quote,
    Raise,
    Sealed,
    Shares,
    Side,
    Signal,
    Signals,
    Watched,
)
from tests.accounts import rules

N = 8
CASH = Micros(100_000_000_000)
DAY, NEXT = nyse().between(date(2024, 3, 26), date(2024, 3, 27))
OPEN = DAY.open


def usd(x: float) -> Micros:
    return Micros(round(x * 1e6))


def terms(
    model: Model = Model.BAR, release: bool = True, unshortable: frozenset[int] = frozenset(),
    limits: dict[str, float] | None = None,
) -> Terms:  # fmt: skip
    return Terms(
        params=rules(model, limits), model=model, calendar=nyse(), symbols=N, auto_release=release,
        unshortable=unshortable,
    )  # fmt: skip


def risk(
    model: Model = Model.BAR, release: bool = True, unshortable: frozenset[int] = frozenset(),
    limits: dict[str, float] | None = None,
) -> Risk:  # fmt: skip
    """With 100,000 USD; shorts are allowed unless `limits` say otherwise."""
    return Risk(account(CASH), terms(model, release, unshortable, limits))


def minute(n: int, day: int = 0) -> Nanos:
    """The end of the session's n-th minute, from 1."""
    return Nanos((DAY, NEXT)[day].open + n * MINUTE)


def sealed(ts: int, closes: dict[int, float], session: int = DAY.index, quality: Quality = Quality.FULL) -> Sealed:
    bars = np.zeros(N, BAR)
    for slot, close in closes.items():
        bars[slot] = (ts - MINUTE, close, close, close, close, 1e4, session, 100, quality, 0, -1.0)
    return Sealed(ts=Nanos(ts), bars=bars)


def extended(ts: int, closes: dict[int, float]) -> Sealed:
    return sealed(ts, closes, -1, Quality.EXTENDED)


def held(*lots: tuple[int, int], cash: float = 0.0, grants: int = 0, entering: tuple[Lot, ...] = ()) -> Booked:
    own = tuple(Lot(slot=slot, qty=Shares(qty), price=Micros(0)) for slot, qty in lots)
    return Booked(cash=usd(cash), held=own, entering=entering, grants=grants)


def seek(slot: int = 0, price: float = 50.0, stop: float = 48.0, share: float = 0.01, scale: float = 1.0) -> Signal:
    return Signal(slot=slot, entry=True, mode=1, price=usd(price), stop=usd(stop), risk=share, scale=scale, volume=5e4)


def short(slot: int = 0, price: float = 50.0, stop: float = 52.0, wide: float = 1.0) -> Signal:
    return Signal(
        slot=slot, entry=True, side=Side.SELL, mode=1, price=usd(price), stop=usd(stop), risk=0.01, scale=1.0,
        wide=wide, volume=5e4,
    )  # fmt: skip


def leave(slot: int = 0, price: float = 50.0) -> Signal:
    return Signal(slot=slot, entry=False, mode=1, price=usd(price), stop=Micros(0), risk=0.0, scale=0.0, volume=5e4)


def signals(ts: int, *given: Signal, raises: tuple[Raise, ...] = (), of: Sealed | None = None) -> Signals:
    return Signals(sealed=of or sealed(ts, dict.fromkeys(range(N), 50.0)), signals=given, raises=raises)


def entry(slot: int = 0, qty: int = 400) -> Entry:
    return Entry(slot=slot, side=Side.BUY, qty=Shares(qty), mode=1, price=usd(50), stop=usd(48), wide=1.0, volume=5e4)


def quote(ts: int, price: float, slot: int = 0, spread: float = 0.0, size: int = 100) -> Quote:
    return Quote(
        index=0, ts=Nanos(ts), slot=slot, bid=usd(price - spread), ask=usd(price + spread), bid_size=Shares(size),
        ask_size=Shares(size),
    )  # fmt: skip


def judged(
    ts: int, slot: int, gate: int, value: float, limit: float, entry: bool = True, qty: int = 0
) -> journal.Judged:
    return journal.Judged(ts=Nanos(ts), slot=slot, entry=entry, gate=gate, value=value, limit=limit, qty=Shares(qty))


def tripped(ts: int, trip: Trip, cause: str, equity: float, value: float, limit: float) -> journal.Tripped:
    return journal.Tripped(ts=Nanos(ts), trip=trip, cause=cause, equity=usd(equity), value=value, limit=limit)


def opened(model: Model = Model.BAR, release: bool = True, price: float = 100.0) -> Risk:
    """1,000 shares of slot 0 at `price`, no cash, one seal into the session: equity 100,000 at 100."""
    watch = risk(model, release)
    watch.on_book(held((0, 1000)))
    watch.on_sealed(sealed(minute(1), {0: price}))
    return watch


def rows(watch: Risk, m: Sealed) -> list[journal.Row]:
    return watch.on_sealed(m)[1].rows


def seen(w: Watched) -> tuple[Micros, Micros, float]:
    return w.equity, w.cash, w.trail


TS = minute(5)


def booked(*lots: tuple[int, int], **more: object) -> Booked:
    """The book of 100,000 USD, all of it cash, and these shares."""
    return msgspec.structs.replace(held(*lots, cash=100_000), ts=TS, **more)


def row(
    trip: Trip, cause: str, ts: int = TS, value: float = 0.0, limit: float = 0.0, slot: int = ACCOUNT
) -> journal.Tripped:
    return journal.Tripped(
        ts=Nanos(ts), trip=trip, cause=cause, equity=CASH, value=value, limit=limit, slot=slot
    )  # fmt: skip


def ended(trip: Trip, reason: str, ts: int = TS, slot: int = ACCOUNT, by: str = "evidence") -> journal.Released:
    return journal.Released(ts=Nanos(ts), trip=trip, by=by, reason=reason, slot=slot)


def gates(watch: Risk, ts: Nanos = TS, slots: int = 3) -> list[tuple[int, float]]:
    """What refuses an entry of each symbol, and its value."""
    _, ruling = watch.on_signals(signals(ts, *(seek(slot) for slot in range(slots))))
    return [(r.gate, r.value) for r in ruling.rows if isinstance(r, journal.Judged)]
