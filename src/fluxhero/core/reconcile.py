"""Our books against the venue's statement: what differs, whether an order of ours accounts for it, and what to ask.

Nothing is corrected here, and no fill is ever made up: only the venue's words change the books.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import msgspec

from fluxhero.core.differences import Difference, Findings, Kind, Known, Ours, What
from fluxhero.core.states import UNPROVEN, State
from fluxhero.messages import Cid, Resting, Side, Statement

CENT = 10_000  # by which cash may differ
FLOOR, CEILING = 100, 10**12  # micro-dollars that a share can cost


class Words(enum.Enum):
    """How the words that we have heard lie to the statement."""

    ALL = 0  # it knows none but these
    COMING = 1  # it knows of more
    PAST = 2  # it is older than the newest
    UNCOUNTED = 3  # nobody can tell


class Case(enum.Enum):
    """How an order differs."""

    NEWS = 0  # it stands, and we had no word
    LESS = 1  # less of it is left
    MORE = 2
    GONE = 3  # it does not stand, and we think it does
    GOING = 4  # the same, while its end is due
    STRANGE = 5  # it stands, and is over or was never ours, though the name is


class Verdict(enum.Enum):
    """When a case is explained."""

    YES = 0
    NO = 1
    FITS = 2  # position and cash have moved as its fills would have moved them
    MOVED = 3  # the same, and they have moved


Y, N, F, M = Verdict
VERDICTS: dict[Case, tuple[Verdict, ...]] = {  # by the order of Words
    Case.NEWS:    (Y, Y, Y, Y),
    Case.LESS:    (N, F, Y, F),
    Case.MORE:    (N, N, Y, N),
    Case.GONE:    (N, F, Y, M),
    Case.GOING:   (N, F, Y, F),
    Case.STRANGE: (N, N, Y, N),
}  # fmt: skip


def reconcile(ours: Ours, theirs: Statement) -> Findings:
    """Every difference, in an order that depends on nothing but them."""
    sight = _Sight(ours, theirs)
    rows = (*sight.positions(), *sight.others(), *sight.money(), *sight.orders())
    unknown = {k.order.cid for k in ours.orders if k.state is State.UNKNOWN}
    return Findings(differences=rows, ask=tuple(sorted(unknown.union(*(d.orders for d in rows)))))


class _Move(msgspec.Struct, frozen=True):
    """A position's move, and the most that can have been traded unheard to bring it about."""

    by: int
    fits: bool
    bought: int = 0
    sold: int = 0


class _Sight:
    def __init__(self, ours: Ours, theirs: Statement) -> None:
        self.ours, self.theirs = ours, theirs
        self.words = _words(ours.heard, theirs.heard)
        self.known = {k.order.cid: k for k in ours.orders}
        stand = sorted(theirs.orders, key=msgspec.structs.astuple)
        self.there = {r.cid: r for r in reversed(stand)}
        self.twins = [b for a, b in pairwise(stand) if a.cid == b.cid]
        self.held = Counter[int]()
        for lot in theirs.held:
            self.held[lot.slot] += lot.qty
        self.spans = {cid: self._span(k) for cid, k in sorted(self.known.items())}
        slots = {*self.held, *ours.held, *(k.order.slot for k in ours.orders)}
        self.moves = {slot: self._move(slot) for slot in sorted(slots)}
        cash = theirs.cash - ours.cash
        self.cash = cash if abs(cash) > CENT else 0
        self.paid = self.words is Words.PAST or self._payable()

    # -- the differences

    def positions(self) -> Iterator[Difference]:
        for slot, move in self.moves.items():
            if move.by:
                yield Difference(
                    kind=self._kind(self._fits(slot)), what=What.POSITION, slot=slot,
                    ours=self.ours.held.get(slot, 0), theirs=self.held[slot], orders=self._filling({slot}),
                )  # fmt: skip

    def others(self) -> Iterator[Difference]:
        for symbol, qty in sorted(self.theirs.others):
            if qty:
                yield Difference(kind=Kind.FOREIGN, what=What.POSITION, name=symbol, ours=0, theirs=qty)

    def money(self) -> Iterator[Difference]:
        if self.cash:
            yield Difference(
                kind=self._kind(self.paid), what=What.CASH, ours=self.ours.cash, theirs=self.theirs.cash,
                orders=self._filling(set(self.moves)),
            )  # fmt: skip

    def orders(self) -> Iterator[Difference]:
        for cid in sorted({*self.known, *self.there}):
            k, r = self.known.get(cid), self.there.get(cid)
            if r and not self._our_name(cid):
                yield self._stray(r)
            elif k and r and _body(k.order) != _body(r):
                yield Difference(
                    kind=Kind.UNEXPLAINED, what=What.BODY, slot=k.order.slot, name=cid, ours=_body(k.order),
                    theirs=_body(r), orders=(cid,),
                )  # fmt: skip
            elif case := _case(k, r):
                yield self._order(case, k, r)
        yield from map(self._stray, self.twins)

    def _stray(self, r: Resting) -> Difference:
        """Another's order, or a second one under a name of ours."""
        kind, orders = (Kind.UNEXPLAINED, (r.cid,)) if self._our_name(r.cid) else (Kind.FOREIGN, ())
        return Difference(kind=kind, what=What.ORDER, slot=r.slot, name=r.cid, ours=0, theirs=r.left, orders=orders)

    def _our_name(self, cid: Cid) -> bool:
        return cid.startswith(self.ours.prefix)

    def _order(self, case: Case, k: Known | None, r: Resting | None) -> Difference:
        order = k.order if k else r
        assert order
        return Difference(
            kind=self._kind(self._explained(case, order)), what=What.ORDER, slot=order.slot, name=order.cid,
            ours=_stands(k), theirs=r.left if r else 0, orders=(order.cid,),
        )  # fmt: skip

    # -- what explains them

    def _kind(self, explained: bool) -> Kind:
        return Kind.EXPLAINED if explained else Kind.UNEXPLAINED

    def _explained(self, case: Case, order: Resting) -> bool:
        verdict = VERDICTS[case][self.words.value]
        if verdict in (Verdict.YES, Verdict.NO):
            return verdict is Verdict.YES
        return self._fits(order.slot) and (verdict is Verdict.FITS or self._moved(order))

    def _fits(self, slot: int) -> bool:
        return self.words is Words.PAST or (self.moves[slot].fits and self.paid)

    def _moved(self, order: Resting) -> bool:
        """Can some of it have been filled, and has any money moved at all?"""
        move = self.moves[order.slot]
        return bool(self.cash and (move.bought if order.side is Side.BUY else move.sold))

    def _filling(self, slots: set[int]) -> tuple[Cid, ...]:
        """Orders that may have been filled unheard."""
        return tuple(cid for cid, (_, most) in self.spans.items() if most and self.known[cid].order.slot in slots)

    def _span(self, k: Known) -> tuple[int, int]:
        """The least and the most of an order that may have been filled unheard."""
        if self.words is Words.ALL:
            return 0, 0
        r = self.there.get(k.order.cid)
        return (max(0, k.order.left - r.left),) * 2 if r else (0, k.order.left)

    def _move(self, slot: int) -> _Move:
        by = self.held[slot] - self.ours.held.get(slot, 0)
        least, most = Counter[Side](), Counter[Side]()
        for cid, (low, high) in self.spans.items():
            if self.known[cid].order.slot == slot:
                least[self.known[cid].order.side] += low
                most[self.known[cid].order.side] += high
        sold = min(most[Side.SELL], most[Side.BUY] - by)
        if sold < max(least[Side.SELL], least[Side.BUY] - by):
            return _Move(by, False)
        return _Move(by, True, by + sold, sold)

    def _payable(self) -> bool:
        """Can the trades that fit have moved the cash as it has moved? Words under way may be of a short's cost."""
        bought, sold = sum(m.bought for m in self.moves.values()), sum(m.sold for m in self.moves.values())
        least, most = sold * FLOOR - bought * CEILING, sold * CEILING - bought * FLOOR
        if self.words is Words.COMING and any(qty < 0 for qty in (*self.held.values(), *self.ours.held.values())):
            least -= CEILING
        return least <= self.cash <= most


def _words(ours: int, theirs: int) -> Words:
    if ours == theirs:
        return Words.ALL if ours else Words.UNCOUNTED
    return Words.COMING if ours < theirs else Words.PAST


def _body(r: Resting) -> str:
    at = f" at {r.stop / 1e6:g}" if r.stop else ""
    return f"{r.side.name.lower()} {r.type.value}{at} in slot {r.slot}"


def _stands(k: Known | None) -> int:
    """Shares that we know to stand at the venue."""
    return k.order.left if k and k.state not in UNPROVEN else 0


def _case(k: Known | None, r: Resting | None) -> Case | None:
    """None: it does not differ."""
    if k is None:
        return Case.STRANGE
    if r is None:
        return (Case.GOING if k.going else Case.GONE) if _stands(k) else None
    if r.left > k.order.left:
        return Case.MORE
    if k.state in UNPROVEN:
        return Case.NEWS
    return Case.LESS if r.left < k.order.left else None
