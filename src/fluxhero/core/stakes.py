"""What one position or entry is worth, and what it loses at its stop or past it. Micro-dollars."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from fluxhero.messages import Micros, Shares

HELD = "held"  # else the state of the order that seeks it
GAP = 2  # stop distances that a price may jump at once


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A position, or what is left of an entry."""

    slot: int
    qty: Shares  # signed: short is less than 0
    mark: Micros  # the last close, or an entry's decision close
    worst: Micros  # the worst price that it may yet be had at; of a position, its mark
    stop: Micros = Micros(0)  # where it rests, or is to rest; 0: nowhere
    guarded: Shares = Shares(0)  # the shares that it is for
    state: str = HELD


class Stake(msgspec.Struct, frozen=True, kw_only=True):
    """What a line is worth, and what it loses, before costs. A share without a stop counts at its full value, and so
    does one whose stop the price has passed: it should have filled, so that nobody can say what it will do.
    """

    slot: int
    qty: Shares
    state: str
    mark: Micros
    stop: Micros
    value: Micros
    distance: Micros  # from the worst price to the stop, less than 0 where that price is beyond it
    naked: Shares  # shares that no stop protects
    risk: Micros  # if the stop is hit
    gapped: Micros  # if the price jumps twice as far

    @property
    def beyond(self) -> bool:
        """Has the price passed the stop?"""
        return self.stop > 0 and self.distance <= 0


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """Of stakes."""

    long: Micros = Micros(0)
    short: Micros = Micros(0)
    naked: Micros = Micros(0)  # the value of what no stop protects
    risk: Micros = Micros(0)
    gapped: Micros = Micros(0)

    @property
    def gross(self) -> Micros:
        return Micros(self.long + self.short)

    @property
    def net(self) -> Micros:
        return Micros(self.long - self.short)


def stake(x: Line) -> Stake:
    side, shares = (1 if x.qty > 0 else -1), abs(x.qty)
    value = Micros(max(x.mark, x.worst))
    distance = side * (x.worst - x.stop) if x.stop > 0 else 0
    guarded = min(shares, x.guarded) if distance > 0 else 0
    jump = min(GAP * distance, x.worst) if side > 0 else GAP * distance  # a long share is worth nothing at worst
    bare = (shares - guarded) * value
    return Stake(
        slot=x.slot, qty=x.qty, state=x.state, mark=x.mark, stop=x.stop, value=Micros(shares * value),
        distance=Micros(distance), naked=Shares(shares - guarded), risk=Micros(guarded * distance + bare),
        gapped=Micros(guarded * jump + bare),
    )  # fmt: skip


def added(stakes: Iterable[Stake]) -> Sum:
    total = Sum()
    for s in stakes:
        bare = s.value * s.naked // abs(s.qty)
        total = Sum(
            long=Micros(total.long + (s.value if s.qty > 0 else 0)),
            short=Micros(total.short + (s.value if s.qty < 0 else 0)),
            naked=Micros(total.naked + bare), risk=Micros(total.risk + s.risk), gapped=Micros(total.gapped + s.gapped),
        )  # fmt: skip
    return total
