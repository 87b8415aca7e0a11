"""A broker that misbehaves: it stands between a desk and an honest wire, and does what `faults` says."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from fluxhero.brokers.direct import Direct, Wire
from fluxhero.brokers.faults import Ask, Fault, Pick, Words
from fluxhero.messages import Cancel, Cid, Nanos, Order, Says, Statement, Unavailable, Update
from fluxhero.ports import Clock, Word


class Faulty(Direct):
    """What it withholds or delays is lost with the process, as on a real wire; the venue's ledger has it."""

    def __init__(self, wire: Wire, clock: Clock, pick: Pick) -> None:
        self._wire, self._clock, self._pick = wire, clock, pick
        self._deliver: Callable[[Word], None] = lambda word: None
        self._counts = dict.fromkeys(Ask, 0)
        self._posted: set[Cid] = set()
        self._ways: dict[Cid, Fault] = {}
        self._held: dict[Cid, list[Update]] = {}
        self._absent: dict[Cid, Nanos] = {}  # until when
        self._stuck: dict[Cid, list[Order | Cancel]] = {}
        self._waiting: list[tuple[Fault, Order | Cancel]] = []
        self._reads: deque[Fault | None] = deque()  # of the account, under way
        self._stated: Statement | None = None

    def listen(self, deliver: Callable[[Word], None], after: int) -> None:
        self._deliver = deliver
        self._ways.clear()
        self._held.clear()
        self._wire.listen(self._hear, after)

    def post(self, what: Order | Cancel) -> None:
        fault = self._picked(_kind(what))
        if self._again(what):
            return
        if fault is None:
            self._wire.post(what)
            return
        if fault.words is not Words.PLAIN:
            self._ways[what.cid] = fault
        if fault.absent:
            self._absent[what.cid] = Nanos(self._clock.now() + fault.absent)
        if fault.says:
            self._say(what.cid, fault.says)
        self._carry(what, fault)

    def ask(self, what: Cid | None) -> None:
        fault = self._picked(Ask.ACCOUNT if what is None else Ask.STATUS)
        if fault is None:
            self._ask(what, None)
        elif fault.fails:
            self._deliver(Unavailable(ts=self._clock.now(), what=what or "account", why="503 service unavailable"))
        elif fault.arrives:
            self._later(fault.late, partial(self._ask, what, fault))

    def let_go(self) -> None:
        """All that is stuck arrives."""
        stuck, self._stuck = self._stuck, {}
        for what in [what for requests in stuck.values() for what in requests]:
            self._wire.post(what)

    def _picked(self, ask: Ask) -> Fault | None:
        self._counts[ask] += 1
        fault = self._pick(ask, self._counts[ask])
        if fault is not None and ask not in fault.of:
            raise ValueError(f"{fault.meaning!r} cannot befall {ask}: it is of {', '.join(sorted(fault.of))}")
        return fault

    def _again(self, what: Order | Cancel) -> bool:
        """An order sent again is a question too: the venue knows the id. True if that was all."""
        if isinstance(what, Cancel):
            return False
        if what in self._stuck.get(what.cid, ()):
            self._say(what.cid, Says.PENDING)
            return True
        if what.cid in self._posted:
            self._show(what.cid)
        self._posted.add(what.cid)
        return False

    def _carry(self, what: Order | Cancel, fault: Fault) -> None:
        if fault.stuck:
            self._stuck.setdefault(what.cid, []).append(what)
        elif fault.until:
            self._waiting.append((fault, what))
            self._later(fault.late, partial(self._arrive, fault, what))
        elif fault.arrives:
            self._later(fault.late, partial(self._wire.post, what))

    def _arrive(self, fault: Fault, what: Order | Cancel) -> None:
        if (fault, what) in self._waiting:
            self._waiting.remove((fault, what))
            self._wire.post(what)

    def _ask(self, what: Cid | None, fault: Fault | None) -> None:
        if what is None:
            self._reads.append(fault)
            self._wire.ask(None)
        elif self._clock.now() < self._absent.get(what, 0):
            self._say(what, Says.ABSENT)
        elif what in self._stuck:
            self._say(what, Says.PENDING)
        else:
            self._show(what)
            self._wire.ask(what)

    def _hear(self, word: Word) -> None:
        if isinstance(word, Statement):
            self._state(word, self._reads.popleft())
        elif isinstance(word, Update) and word.seq:
            for fault, what in [w for w in self._waiting if w[1].cid == word.cid and word.says in w[0].until]:
                self._clock.at(self._clock.now(), partial(self._arrive, fault, what), rank=0)
            self._pass(word, self._ways.get(word.cid))
        else:
            self._deliver(word)

    def _pass(self, word: Update, fault: Fault | None) -> None:
        if fault is None or fault.words is Words.TWICE:
            self._deliver(word)
        else:
            self._held.setdefault(word.cid, []).append(word)
        if fault is not None and fault.words is not Words.HELD:
            self._later(fault.lag, lambda: self._come(word))
            if fault.words is Words.SWAPPED:
                del self._ways[word.cid]

    def _come(self, word: Update) -> None:
        """What was late or is said twice; it may have been asked for meanwhile."""
        held = self._held.get(word.cid, [])
        if word in held:
            held.remove(word)
        self._deliver(word)

    def _state(self, now: Statement, fault: Fault | None) -> None:
        told = replace(now, orders=self._stated.orders) if fault and fault.torn and self._stated else now
        self._stated = now
        self._later(fault.lag if fault else Nanos(0), lambda: self._deliver(told))

    def _show(self, cid: Cid) -> None:
        """What was withheld of an order, and from now on nothing is."""
        self._absent.pop(cid, None)
        self._ways.pop(cid, None)
        for word in self._held.pop(cid, ()):
            self._deliver(word)

    def _say(self, cid: Cid, says: Says) -> None:
        self._deliver(Update(seq=0, ts=self._clock.now(), cid=cid, says=says))

    def _later(self, lag: Nanos, call: Callable[[], None]) -> None:
        if lag:
            self._clock.at(Nanos(self._clock.now() + lag), call, rank=0)
        else:
            call()


def _kind(what: Order | Cancel) -> Ask:
    if isinstance(what, Cancel):
        return Ask.CANCEL
    return Ask.MOVE if what.replaces else Ask(what.role.value)
