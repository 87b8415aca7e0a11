"""The audit: our books against every statement of the venue's, and the symbols that rest until the two agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fluxhero.core import journal
from fluxhero.core.blotter import Blotter
from fluxhero.core.differences import Difference, Kind, Known, Ours, What, known
from fluxhero.core.drifts import Drifts
from fluxhero.core.lives import Life, Plan
from fluxhero.core.reconcile import reconcile
from fluxhero.core.states import UNPROVEN, State
from fluxhero.messages import Cancel, Cid, Lot, Micros, Nanos, Says, Shares, Statement, Traded

EVERYTHING = -1  # frozen, where cash drifts
NOWHERE = Micros(0)


class Audit:
    def __init__(self, book: Blotter, prefix: str, drifts: Iterable[journal.Drift] = ()) -> None:
        """`prefix`: of our cids; `drifts`: those that a former life has left."""
        self._book, self._prefix = book, prefix
        self._drifts, self._ignored = Drifts(), dict[str, Difference]()
        for row in drifts:
            found = Difference(
                kind=Kind(row.kind), what=What(row.what), slot=row.slot, name=row.name, ours=row.ours, theirs=row.theirs
            )
            self._drifts.held[found.key] = found
            if row.ignored:
                self._ignored[row.key] = found

    @property
    def frozen(self) -> tuple[int, ...]:
        """Symbols that rest."""
        return tuple(sorted({d.slot for d in self._held() if _freezes(d) and not self._is_ignored(d)}))

    def read(self, s: Statement) -> Plan:
        """What differs and lasts is a row; nothing is corrected."""
        plan = Plan()
        if not self._drifts.held and not self._drifts.seen and self._same(s):
            return plan
        findings = reconcile(self._ours(), s)
        told = {d.key: _gap(d) for d in self._held()}
        new, healed = self._drifts.feed(s.ts, findings.differences)
        new += [d for d in self._held() if told.get(d.key, _gap(d)) != _gap(d)]  # what is adopted is what was told
        plan.asks += [cid for cid in findings.ask if not self._travels(cid)]
        plan.rows += [_row(d, s.ts) for d in new]
        for d in self._held():
            self._vanished(d, s.ts, plan)
        plan.rows += [journal.Healed(ts=s.ts, key=_key(d)) for d in healed]
        return plan

    def _vanished(self, d: Difference, ts: Nanos, plan: Plan) -> None:
        """An order that stood and is in no statement any more may be there or not: it guards nothing."""
        life = self._book.lives.get(Cid(d.name))
        if d.what is What.ORDER and not d.theirs and life and life.open and not life.unheard:
            life.state, reason = State.UNKNOWN, "the venue's statements do not have it"
            row = journal.Evidence(
                ts=ts, cid=life.order.cid, seq=0, says=Says.ABSENT, state=life.state.value, reason=reason
            )
            plan.rows.append(row)
            plan.asks.append(life.order.cid)
            plan.gone.append(life.order.slot)

    def ignore(self, slots: Iterable[int], ts: Nanos, plan: Plan) -> None:
        """For as long as a difference stays what it is, it freezes nothing."""
        for d in self._of(slots):
            self._ignored[_key(d)] = d
            plan.rows.append(_row(d, ts, ignored=True))

    def adopt(self, marks: Iterable[Lot], ts: Nanos, plan: Plan) -> None:
        """The venue's word becomes ours: positions at the marks given, cash, and what of our orders stands there.

        What differed is added to what we have by now: both sides may have traded on since the statement.
        """
        prices, book = {lot.slot: lot.price for lot in marks}, self._book.book
        for d in self._of(prices):
            gap = _gap(d)
            if d.what is What.POSITION and isinstance(gap, int):
                self._position(d.slot, book.held(d.slot) + gap, prices[d.slot], ts, plan)
            elif d.what is What.CASH and isinstance(gap, int):
                self._adopted(EVERYTHING, 0, Micros(0), Micros(book.cash + gap), ts, plan)
            elif d.name.startswith(self._prefix):
                self._order(Cid(d.name), int(d.theirs or 0) if d.what is What.ORDER else 1, ts, plan)
            del self._drifts.held[d.key]
            plan.rows.append(journal.Healed(ts=ts, key=_key(d)))

    # -- the rest is ours

    def _held(self) -> list[Difference]:
        return list(self._drifts.held.values())

    def _of(self, slots: Iterable[int]) -> list[Difference]:
        """What is frozen of these symbols; cash is of every one."""
        wanted = set(slots)
        return [d for d in self._held() if wanted and d.slot in {*wanted, EVERYTHING} and _freezes(d)]

    def _is_ignored(self, d: Difference) -> bool:
        known = self._ignored.get(_key(d))
        return known is not None and _gap(known) == _gap(d)

    def _travels(self, cid: Cid) -> bool:
        """Is it a stop that goes with its entry, which nobody sends or asks for by itself?"""
        life = self._book.lives.get(cid)
        return life is not None and life.order.carried and life.unheard

    def _ours(self) -> Ours:
        b = self._book
        return Ours(
            prefix=self._prefix, heard=b.seq, cash=Micros(b.book.cash),
            held={slot: p.qty for slot, p in b.book.positions.items()}, orders=tuple(self._known()),
        )  # fmt: skip

    def _known(self) -> Iterator[Known]:
        moving = {s.stop for s in self._book.slots.values() if s.moving}
        for life in self._book.lives.values():
            if life.open:
                going = life.canceling is not None or life.ending is not None or life.order.cid in moving
                yield known(life.order, Shares(life.left), life.state, going)

    def _same(self, s: Statement) -> bool:
        """The common case, cheaply."""
        b = self._book
        stands = {k.order.cid: k.order for k in self._known() if k.state not in UNPROVEN}
        return (
            s.heard == b.seq
            and s.cash == b.book.cash
            and not s.others
            and {lot.slot: lot.qty for lot in s.held} == {slot: p.qty for slot, p in b.book.positions.items()}
            and {r.cid: r for r in s.orders} == stands
        )

    def _position(self, slot: int, qty: int, price: Micros, ts: Nanos, plan: Plan) -> None:
        s, was = self._book.slots.get(slot), self._book.book.held(slot)
        mode, stop = (s.mode, Micros(s.aim)) if s else (0, Micros(0))
        self._adopted(slot, qty, price, Micros(self._book.book.cash), ts, plan, mode, stop)
        traded = Traded(slot=slot, qty=Shares(qty - was), price=price, mode=mode, stop=stop, wide=1.0, counted=False)
        plan.traded.append(traded)

    def _adopted(
        self, slot: int, qty: int, price: Micros, cash: Micros, ts: Nanos, plan: Plan, mode: int = 0,
        stop: Micros = NOWHERE,
    ) -> None:  # fmt: skip
        book = self._book.book
        flow = Micros(cash - book.cash + (qty - book.held(slot)) * price)
        row = journal.Adopted(
            ts=ts, slot=slot, qty=Shares(qty), price=price, cash=cash, mode=mode, stop=stop, flow=flow
        )  # fmt: skip
        plan.rows.append(row)
        book.adopt(slot, qty, price, cash, ts)
        self._book.news.flows.append(flow)

    def _order(self, cid: Cid, stands: int, ts: Nanos, plan: Plan) -> None:
        """One that stands there, and not as we have it, is canceled; one that does not is over."""
        life: Life | None = self._book.lives.get(cid)
        if stands:
            plan.sends.append(Cancel(cid=cid, ts=ts))
        elif life and life.open:
            life.state = State.CANCELED
            row = journal.Evidence(
                ts=ts, cid=cid, seq=0, says=Says.ABSENT, state=life.state.value, reason="adopted: it does not stand"
            )
            plan.rows.append(row)
            plan.ended.append(life)


def _gap(d: Difference) -> int | tuple[int | str, int | str]:
    """What stays the same while both sides go on trading."""
    if isinstance(d.ours, int) and isinstance(d.theirs, int):
        return d.theirs - d.ours
    return d.ours, d.theirs


def _freezes(d: Difference) -> bool:
    return d.kind is Kind.UNEXPLAINED and (d.slot >= 0 or d.what is What.CASH)


def _key(d: Difference) -> str:
    return f"{d.what.value} {d.slot} {d.name}".strip()


def _row(d: Difference, ts: Nanos, ignored: bool = False) -> journal.Drift:
    return journal.Drift(
        ts=ts, key=_key(d), kind=d.kind.value, what=d.what.value, slot=d.slot, name=d.name, ours=d.ours,
        theirs=d.theirs, ignored=ignored,
    )  # fmt: skip
