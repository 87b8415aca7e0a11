"""What the limits of an account came to, reckoned anew from the journal of a replay of bars.

When a trip was due, whether all was left at once, and what of the loss nobody could have kept from us.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from fluxhero.config import Risk
from fluxhero.core import journal
from fluxhero.core.ladder import Trip
from fluxhero.messages import Quality, Role, micros
from fluxhero.store.queries import Reader

KINDS = "'opened', 'seal', 'tripped', 'released', 'intent', 'filled'"
LIMITS = (Trip.DAY_LOSS, Trip.DRAWDOWN)


class Bar(NamedTuple):
    start: int
    open: int
    close: int


class Moment(NamedTuple):
    """A seal: full bars by slot, prices and equity in micro-dollars."""

    ts: int
    session: int
    equity: int
    bars: dict[int, Bar]


class Due(NamedTuple):
    """A limit that closes are beyond: the last moment within it, the one that trips, what the loss is a share of."""

    trip: Trip
    good: int
    at: int
    of: int


class Stopped(NamedTuple):
    """A trip and its end; shares of the day's base or the crest. lost = limit - room + gap + moved + costs."""

    trip: Trip
    ts: int
    limit: float
    value: float  # at the trip
    lost: float  # when all was left
    room: float  # at the last close within the limit
    gap: float  # from closes to the next opens
    moved: float  # within bars
    costs: float
    held: float  # share of equity that was in positions at the last close within the limit
    out: int | None  # when the bar began at whose open the last position was left; None: it was not


class Past:
    """A state read whole."""

    def __init__(self, directory: Path) -> None:
        with closing(Reader(directory)) as reader:
            self.symbols = list(reader.symbols)
            bodies = reader.db.execute(f"SELECT body FROM journal WHERE kind IN ({KINDS}) ORDER BY seq").fetchall()
            self.equity, self.cash = reader.account()
        self.rows: list[Any] = [journal.decode(body) for (body,) in bodies]
        self.index()

    def index(self) -> None:
        """What follows from the rows."""
        self.began = int(self.rows[0].cash)
        self.moments = [m for row in self.rows if isinstance(row, journal.Seal) if (m := _moment(row)).session >= 0]
        self.trips = [row for row in self.rows if isinstance(row, journal.Tripped)]
        self.fills: dict[tuple[int, int], list[journal.Filled]] = defaultdict(list)  # by slot and bar
        for row in self.rows:
            if isinstance(row, journal.Filled):
                self.fills[row.slot, row.at].append(row)

    @property
    def entries(self) -> int:
        """Those that filled."""
        return len({row.cid for row in self.rows if isinstance(row, journal.Filled) and row.role is Role.ENTRY})

    @property
    def drawdown(self) -> float:
        """The deepest, at closes."""
        crest, deepest = self.began, 0.0
        for m in self.moments:
            crest = max(crest, m.equity)
            deepest = max(deepest, 1.0 - m.equity / crest)
        return deepest


def _moment(row: journal.Seal) -> Moment:
    full = {b.slot: Bar(b.start, micros(b.open), micros(b.close)) for b in row.bars if b.quality == Quality.FULL}
    return Moment(row.ts, max((b.session for b in row.bars), default=-1), row.equity, full)


def due(past: Past, rules: Risk, daily: bool, auto: bool) -> Iterator[Due]:
    """By the closes alone; `daily`: one close is enough, else it takes two, or one beyond twice the limit."""
    base = crest = last = past.began
    session, held, before, good = -1, set[Trip](), set[Trip](), dict.fromkeys(LIMITS, -1)
    for n, m in enumerate(past.moments):
        if m.session != session:
            base, session, before, good[Trip.DAY_LOSS] = last, m.session, set(), n - 1
            held -= {Trip.DAY_LOSS} if auto else set()
        last, crest = m.equity, max(crest, m.equity)
        of = {Trip.DAY_LOSS: base, Trip.DRAWDOWN: crest}
        lost = {
            Trip.DAY_LOSS: (base - last) / (rules.day_loss * base),
            Trip.DRAWDOWN: (crest - last) / (rules.hard_drawdown * crest),
        }
        over = {trip for trip in LIMITS if lost[trip] > 1.0 or (lost[trip] == 1.0 and trip is Trip.DRAWDOWN)}
        for trip in LIMITS:
            if trip not in over:
                good[trip] = n
            elif trip not in held and (daily or trip in before or lost[trip] > 2.0):
                held.add(trip)
                yield Due(trip, good[trip], n, of[trip])
        before = over


class Loss:
    """What is held, followed from bar to bar; micro-dollars."""

    def __init__(self, past: Past, good: int) -> None:
        self._past = past
        self.held, self._closes = _held(past, good)
        self.began = past.moments[good].equity if good >= 0 else past.began
        self.gross = sum(abs(qty) * self._closes[slot] for slot, qty in self.held.items())
        self.gap = self.moved = self.costs = 0

    @property
    def equity(self) -> int:
        return self.began - self.gap - self.moved - self.costs

    def bar(self, slot: int, bar: Bar) -> None:
        """To the open, through the fills, to the close."""
        qty = self.held[slot]
        self.gap -= qty * (bar.open - self._closes.get(slot, bar.open))
        for f in self._past.fills[slot, bar.start]:
            worse = f.side * f.qty * (f.price - bar.open)
            self.moved += worse if f.role is Role.STOP else 0
            self.costs += f.fee + (0 if f.role is Role.STOP else worse)
            qty += f.side * f.qty
        self.moved -= qty * (bar.close - bar.open)
        self.held[slot], self._closes[slot] = qty, bar.close


def stopped(past: Past, d: Due, rules: Risk) -> Stopped:
    """From the last close within the limit to the end of all that was held when it tripped, to the micro-dollar."""
    loss, at = Loss(past, d.good), past.moments[d.at]
    for m in past.moments[d.good + 1 : d.at + 1]:
        for slot, bar in m.bars.items():
            loss.bar(slot, bar)
    assert loss.equity == at.equity, "money came from nowhere"
    out = _out(past, d, loss)
    limit = rules.day_loss if d.trip is Trip.DAY_LOSS else rules.hard_drawdown
    return Stopped(
        trip=d.trip, ts=at.ts, limit=limit, value=1.0 - at.equity / d.of, lost=1.0 - loss.equity / d.of,
        room=limit - 1.0 + loss.began / d.of, gap=loss.gap / d.of, moved=loss.moved / d.of, costs=loss.costs / d.of,
        held=loss.gross / loss.began, out=out,
    )  # fmt: skip


def _out(past: Past, d: Due, loss: Loss) -> int | None:
    out: int | None = past.moments[d.at].ts
    for m in past.moments[d.at + 1 :]:
        if not any(loss.held.values()):
            return out
        for slot, bar in m.bars.items():
            if loss.held[slot]:
                loss.bar(slot, bar)
                out = bar.start
    return None if any(loss.held.values()) else out


def _held(past: Past, upto: int) -> tuple[dict[int, int], dict[int, int]]:
    """Shares and closes by slot, once the moment `upto` is over."""
    held: dict[int, int] = defaultdict(int)
    closes: dict[int, int] = {}
    for m in past.moments[: upto + 1]:
        for slot, bar in m.bars.items():
            closes[slot] = bar.close
            held[slot] += sum(f.side * f.qty for f in past.fills[slot, bar.start])
    return held, closes


def wrongs(past: Past, rules: Risk, daily: bool, auto: bool) -> list[str]:
    """Sentences, one for each way in which a limit did not hold."""
    ours = [(d.trip.value, past.moments[d.at].ts) for d in due(past, rules, daily, auto)]
    theirs = [(row.trip, row.ts) for row in past.trips]
    told = [f"trips {theirs}, due were {ours}"] if sorted(ours) != sorted(theirs) else []
    return [*told, *_grown(past), *_late(past)]


def _grown(past: Past) -> Iterator[str]:
    """While a trip is held nothing seeks to enter, and every fill makes a position smaller."""
    trips: set[str] = set()
    held: dict[int, int] = defaultdict(int)
    for row in past.rows:
        if isinstance(row, journal.Tripped):
            trips.add(row.trip)
        elif isinstance(row, journal.Released):
            trips.discard(row.trip)
        elif isinstance(row, journal.Intent) and trips and row.order.role is Role.ENTRY:
            yield f"an entry left at {row.ts} under {sorted(trips)}"
        elif isinstance(row, journal.Filled):
            before, now = held[row.slot], held[row.slot] + row.side * row.qty
            held[row.slot] = now
            if trips and not (0 <= now * before < before * before):
                yield f"{before} shares became {now} at {row.ts} under {sorted(trips)}"


def _late(past: Past) -> Iterator[str]:
    """What is held at a trip is left at the open of the symbol's next bar."""
    at = {m.ts: n for n, m in enumerate(past.moments)}
    for trip in past.trips:
        if trip.ts not in at:
            yield f"{trip.trip} tripped at {trip.ts}, which is no close"
            continue
        held, _ = _held(past, at[trip.ts])
        for slot, qty in held.items():
            bar = next((m.bars[slot] for m in past.moments[at[trip.ts] + 1 :] if slot in m.bars), None)
            left = bar and sum(f.side * f.qty for f in past.fills[slot, bar.start])
            if qty and bar and left != -qty:
                yield f"{past.symbols[slot]}: {qty} shares held at {trip.ts}, of which the next bar took {left}"
            opens = [f.price for f in past.fills[slot, bar.start]] if bar and qty else []
            if bar and any(abs(price / bar.open - 1.0) > 0.01 for price in opens):
                yield f"{past.symbols[slot]}: left at {opens}, though the bar opened at {bar.open}"
