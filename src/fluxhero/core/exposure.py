"""The daily risk report: what is at stake, and the account against its limits. Micro-dollars."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Sequence

import msgspec

from fluxhero.core.stakes import HELD, Line, Stake, Sum, added, stake
from fluxhero.messages import Micros, Nanos

UNSURE = "unknown"  # nobody can say whether such an entry stands


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """As the watch has it."""

    equity: Micros
    cash: Micros
    day_base: Micros
    peak: Micros  # the highest equity ever
    crest: Micros  # the drawdown breaker's reference


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of `config.risk`, by its names."""

    position_cap: float
    deployed_cap: float
    slots: int
    day_loss: float
    soft_drawdown: float
    hard_drawdown: float
    correlated: float
    crowded: float
    crowded_slots: int


class Tripped(msgspec.Struct, frozen=True, kw_only=True):
    """A trip of the day, or one that is still held."""

    trip: str
    ts: Nanos
    value: float
    limit: float
    released: Nanos | None = None


class Name(enum.StrEnum):
    """Of a limit."""

    POSITION = "largest position"
    DEPLOYED = "deployed"
    SLOTS = "positions"
    DAY_LOSS = "day loss"
    SOFT = "soft drawdown"
    HARD = "hard drawdown"
    CORRELATED = "correlation"
    CROWDED = "crowd"


class Level(enum.StrEnum):
    """How far something is from where it should be."""

    WITHIN = "within"
    OVER = "over"  # to be watched: prices may have done it, or it only bears on new entries
    BROKEN = "broken"


WITHIN, OVER, BROKEN = Level


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """How near a limit is. Shares are of equity, the day's base or the breaker's reference; None: of nothing."""

    name: Name
    value: float | None
    bound: float
    level: Level = Level.WITHIN

    @property
    def used(self) -> float | None:
        """The part of it that is used up, never less than nothing."""
        if self.value is None:
            return None
        return max(0.0, self.value / self.bound) if self.bound else float(self.value > 0.0)


class Kind(enum.StrEnum):
    """Of a breach."""

    LIMIT = "limit"
    NAKED = "naked"
    BEYOND = "beyond"
    UNSURE = "unsure"
    TRIP = "trip"


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """What should not be: prices in USD, naked and unsure as shares against what is held or sought."""

    kind: Kind
    level: Level
    name: str = ""  # of the limit or the trip, the state of an order
    slot: int = -1
    value: float | None
    bound: float
    ts: Nanos = Nanos(0)  # of a trip; 0: it stands now
    released: Nanos | None = None


class Company(msgspec.Struct, frozen=True, kw_only=True):
    """How alike what is held and sought has moved; None where that is not known."""

    slots: tuple[int, ...]
    matrix: tuple[tuple[float | None, ...], ...]  # of prices, unsigned by sides
    most: float | None  # of a pair, signed by both sides: a short beside a long of what moves alike is a hedge
    mean: float | None  # of all pairs, likewise


class RiskReport(msgspec.Struct, frozen=True, kw_only=True):
    account: Account
    positions: tuple[Stake, ...]
    entries: tuple[Stake, ...]  # under way, at their worst
    held: Sum
    sought: Sum
    largest: Stake | None  # position
    limits: tuple[Limit, ...]
    company: Company
    breaches: tuple[Breach, ...]  # the worst first

    @property
    def deployed(self) -> Micros:
        return Micros(self.held.gross + self.sought.gross)

    @property
    def risk(self) -> Micros:
        """Deployed: of what is held, and of what is sought should it fill."""
        return Micros(self.held.risk + self.sought.risk)


def share(part: float, whole: float) -> float | None:
    """None where there is no whole to compare with."""
    return part / whole if whole > 0 else None


def report(
    account: Account, lines: Sequence[Line], bounds: Bounds, matrix: Sequence[Sequence[float]] = (),
    tripped: Iterable[Tripped] = (),
) -> RiskReport:  # fmt: skip
    """`matrix`: correlations by slot, NaN where not known; needed where two symbols are held or sought."""
    stakes = [stake(x) for x in lines if x.qty]
    positions = tuple(s for s in stakes if s.state == HELD)
    entries = tuple(s for s in stakes if s.state != HELD)
    company = _company(stakes, matrix)
    limits = tuple(_limits(account, stakes, company, bounds))
    breaches = (*map(_trip, tripped), *(b for s in stakes for b in _exposed(s)), *_broken(limits))
    return RiskReport(
        account=account, positions=positions, entries=entries, held=added(positions), sought=added(entries),
        largest=max(positions, key=lambda s: s.value, default=None), limits=limits, company=company,
        breaches=tuple(sorted(breaches, key=lambda b: b.level is not BROKEN)),
    )  # fmt: skip


def _limits(a: Account, stakes: Sequence[Stake], company: Company, b: Bounds) -> Iterable[Limit]:
    """A cap binds entries; by prices alone a position may pass it as far as equity may fall before all is sold."""
    by_slot = {s.slot: sum(x.value for x in stakes if x.slot == s.slot) for s in stakes}
    count, slack = len(by_slot), 1.0 / (1.0 - b.hard_drawdown) if b.hard_drawdown < 1.0 else math.inf
    crowd = company.mean if count >= b.crowded_slots else None
    yield _of(Name.POSITION, max(by_slot.values(), default=0), a.equity, b.position_cap, slack)
    yield _of(Name.DEPLOYED, sum(by_slot.values()), a.equity, b.deployed_cap, slack)
    yield Limit(name=Name.SLOTS, value=count, bound=b.slots, level=BROKEN if count > b.slots else WITHIN)
    yield _of(Name.DAY_LOSS, a.day_base - a.equity, a.day_base, b.day_loss)
    yield _reached(Name.SOFT, a.crest - a.equity, a.crest, b.soft_drawdown, OVER)
    yield _reached(Name.HARD, a.crest - a.equity, a.crest, b.hard_drawdown, BROKEN)
    yield _alike(Name.CORRELATED, company.most, b.correlated)
    yield _alike(Name.CROWDED, crowd, b.crowded)


def _of(name: Name, part: int, whole: int, bound: float, slack: float = 1.0) -> Limit:
    """Broken beyond `slack` times the bound. Compared as the kernel does it, so that both agree at the border."""
    if whole <= 0:
        return _of_nothing(name, part, bound)
    times = part / (bound * whole)
    level = BROKEN if times > slack else OVER if times > 1.0 else WITHIN
    return Limit(name=name, value=max(0, part) / whole, bound=bound, level=level)


def _reached(name: Name, part: int, whole: int, bound: float, then: Level) -> Limit:
    """To come to the bound is enough."""
    if whole <= 0:
        return _of_nothing(name, part, bound)
    return Limit(
        name=name, value=max(0, part) / whole, bound=bound, level=then if part / (bound * whole) >= 1.0 else WITHIN
    )


def _of_nothing(name: Name, part: int, bound: float) -> Limit:
    return Limit(name=name, value=None, bound=bound, level=BROKEN if part > 0 else WITHIN)


def _alike(name: Name, value: float | None, bound: float) -> Limit:
    return Limit(name=name, value=value, bound=bound, level=OVER if value is not None and value > bound else WITHIN)


def _company(stakes: Sequence[Stake], matrix: Sequence[Sequence[float]]) -> Company:
    sides = {s.slot: 1 if s.qty > 0 else -1 for s in stakes}
    slots = tuple(sorted(sides))
    rows = tuple(tuple(1.0 if i == j else _known(matrix[i][j]) for j in slots) for i in slots)
    pairs = [
        r * sides[slots[i]] * sides[slots[j]]
        for i, row in enumerate(rows)
        for j, r in enumerate(row[:i])
        if r is not None
    ]
    return Company(
        slots=slots, matrix=rows, most=max(pairs, default=None), mean=sum(pairs) / len(pairs) if pairs else None
    )


def _known(r: float) -> float | None:
    return None if math.isnan(r) else r


def _trip(t: Tripped) -> Breach:
    level = BROKEN if t.released is None else OVER
    return Breach(kind=Kind.TRIP, level=level, name=t.trip, value=t.value, bound=t.limit, ts=t.ts, released=t.released)


def _broken(limits: Iterable[Limit]) -> Iterable[Breach]:
    return (
        Breach(kind=Kind.LIMIT, level=x.level, name=x.name, value=x.value, bound=x.bound)
        for x in limits
        if x.level is not WITHIN
    )


def _exposed(s: Stake) -> Iterable[Breach]:
    """What is wrong with one position or entry."""
    if s.naked and not s.beyond:
        yield Breach(kind=Kind.NAKED, level=BROKEN, name=s.state, slot=s.slot, value=s.naked, bound=0)
    if s.beyond:
        yield Breach(kind=Kind.BEYOND, level=BROKEN, name=s.state, slot=s.slot, value=s.mark / 1e6, bound=s.stop / 1e6)
    if s.state == UNSURE:
        yield Breach(kind=Kind.UNSURE, level=OVER, name=s.state, slot=s.slot, value=abs(s.qty), bound=0)
