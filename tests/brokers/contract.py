"""What any broker owes us. A test file parametrizes over `CLAUSES` with a stage of its own."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable

import msgspec

from fluxhero.messages import (
    Cancel,
    Cid,
    Lot,
    Micros,
    Nanos,
    Order,
    Role,
    Says,
    Shares,
    Side,
    Statement,
    Type,
    Unavailable,
    Update,
)
from fluxhero.ports import Broker, Word

TERMINAL = frozenset({Says.FILL, Says.CANCELED, Says.REPLACED, Says.REJECTED})
CASH = Micros(100_000_000_000)
SEEDS = range(12)
DEEDS = ("entry", "entry", "exit", "stop", "move", "cancel", "again", "ask", "die", *["market"] * 4)
PRICES = (78.0, 85.0, 99.0, 100.0, 100.0, 115.0, 122.0)


def usd(x: float) -> Micros:
    return Micros(round(x * 1e6))


def cid(n: int) -> Cid:
    return Cid(f"fh-test-0-{n}-0")


class Stage(ABC):
    """A broker with an account of 100,000 USD and one symbol, in slot 0, around 100 USD; nothing has happened yet.

    `carries`: an entry takes its stop with it, and an exit clears it.
    """

    broker: Broker
    heard: list[Word]
    carries: bool

    @property
    @abstractmethod
    def now(self) -> Nanos: ...

    @abstractmethod
    async def settle(self) -> None:
        """All that is under way arrives, both ways."""

    @abstractmethod
    async def market(self, price: float, size: int = 1000) -> None:
        """The market trades there; as many shares are shown."""

    @abstractmethod
    async def reopen(self) -> None:
        """Our process dies, or its connection; nobody listens until `listen`."""

    def listen(self, after: int = 0) -> None:
        self.heard = []
        self.broker.listen(self.heard.append, after)

    # -- what is sent

    def entry(self, n: int, qty: int = 100, limit: float = 101.0, side: Side = Side.BUY) -> Order:
        """Where entries are limits, one that 100 fills."""
        kind = Type.MARKET if self.carries else Type.LIMIT
        return Order(
            cid=cid(n), ts=self.now, slot=0, role=Role.ENTRY, side=side, type=kind, qty=Shares(qty), mark=usd(100),
            limit=Micros(0) if self.carries else usd(limit), stop=usd(100 - 20 * side),
            stop_cid=cid(n + 1) if self.carries else None, volume=1e6,
        )  # fmt: skip

    def exit(self, n: int, qty: int = 100, side: Side = Side.SELL) -> Order:
        return Order(
            cid=cid(n), ts=self.now, slot=0, role=Role.EXIT, side=side, type=Type.MARKET, qty=Shares(qty), volume=1e6
        )

    def stop(self, n: int, level: float, qty: int = 100, replaces: int = 0, side: Side = Side.SELL) -> Order:
        return Order(
            cid=cid(n), ts=self.now, slot=0, role=Role.STOP, side=side, type=Type.STOP, qty=Shares(qty),
            stop=usd(level), replaces=cid(replaces) if replaces else None, volume=1e6,
        )  # fmt: skip

    async def send(self, what: Order | Cancel) -> None:
        if isinstance(what, Cancel):
            await self.broker.cancel(what)
        elif what.replaces:
            await self.broker.replace_stop(what)
        else:
            await self.broker.place(what)

    async def cancel(self, n: int) -> None:
        await self.broker.cancel(Cancel(cid=cid(n), ts=self.now))

    # -- what is heard

    @property
    def words(self) -> list[Update]:
        """What it counts."""
        return [w for w in self.heard if isinstance(w, Update) and w.seq]

    def of(self, n: int) -> list[Says]:
        return [w.says for w in self.words if w.cid == cid(n)]

    async def statement(self) -> Statement:
        await self.broker.account()
        await self.settle()
        told = [w for w in self.heard if isinstance(w, Statement)]
        assert told, "no statement came"
        return told[-1]

    async def holding(self) -> Order:
        """100 shares behind their stop at 80, which is given back; orders 1 and 2."""
        await self.send(self.entry(1))
        await self.settle()
        await self.market(100.0)
        guard = self.stop(2, 80.0)
        if not self.carries:
            await self.send(guard)
        await self.settle()
        assert (self.of(1)[-1], self.of(2)) == (Says.FILL, [Says.ACCEPTED])
        return guard


def orderly(words: list[Update], first: int = 1) -> None:
    """Numbered without a gap, in time, and `filled` is the sum of the executions."""
    assert [w.seq for w in words] == list(range(first, first + len(words)))
    assert [w.ts for w in words] == sorted(w.ts for w in words)
    executed: Counter[Cid] = Counter()
    for w in words:
        executed[w.cid] += w.qty if w.exec_id else 0
        assert w.filled == executed[w.cid]
        assert (w.qty > 0) == bool(w.exec_id) == (w.says in (Says.FILL, Says.PARTIAL_FILL)) or w.says is Says.CHARGED
    executions = [w.exec_id for w in words if w.exec_id]
    assert len(set(executions)) == len(executions)


def lives(words: list[Update]) -> None:
    """An order's first word says whether it was taken; nothing but a late cancel's answer follows its last."""
    for one in {w.cid for w in words if w.says is not Says.CHARGED}:
        said = [w.says for w in words if w.cid == one and w.says is not Says.CANCEL_REJECTED]
        ends = [i for i, says in enumerate(said) if says in TERMINAL]
        assert ends in ([], [len(said) - 1]), (one, said)
        assert said[:1] in ([], [Says.ACCEPTED], [Says.REJECTED], [Says.CANCELED]), (one, said)
        assert said.count(Says.ACCEPTED) == (said[:1] == [Says.ACCEPTED])


def account(words: list[Update], orders: dict[Cid, Order]) -> tuple[int, tuple[Lot, ...]]:
    """Cash and positions as the words make them."""
    cash, held = CASH, 0
    for w in words:
        side = orders[w.cid].side if w.exec_id else 0
        cash = Micros(cash - side * w.qty * w.price - w.fee)
        held += side * w.qty
    return cash, (Lot(slot=0, qty=Shares(held), price=Micros(0)),) if held else ()


# -- the clauses


async def an_order_is_taken_and_filled(stage: Stage) -> None:
    await stage.send(stage.entry(1))
    await stage.settle()
    await stage.market(100.0)
    await stage.settle()
    assert stage.of(1) == [Says.ACCEPTED, Says.FILL]
    orderly(stage.words)


async def an_order_sent_again_has_one_effect(stage: Stage) -> None:
    entry = stage.entry(1)
    for _ in range(3):
        await stage.send(entry)
    await stage.settle()
    await stage.send(entry)
    await stage.market(100.0)
    await stage.settle()
    await stage.send(entry)
    await stage.settle()
    await stage.market(100.0)
    await stage.settle()
    assert stage.of(1) == [Says.ACCEPTED, Says.FILL]
    assert [lot.qty for lot in (await stage.statement()).held] == [100]


async def a_cancel_sent_again_has_one_effect(stage: Stage) -> None:
    await stage.holding()
    out = Cancel(cid=cid(2), ts=stage.now)
    for _ in range(3):
        await stage.send(out)
        await stage.settle()
    assert stage.of(2) == [Says.ACCEPTED, Says.CANCELED]


async def a_filled_order_cannot_be_canceled(stage: Stage) -> None:
    await stage.holding()
    await stage.cancel(1)
    await stage.settle()
    last = [w for w in stage.words if w.cid == cid(1)][-1]
    assert (last.says, last.filled, last.exec_id) == (Says.CANCEL_REJECTED, 100, "")


async def what_never_came_cannot_be_canceled(stage: Stage) -> None:
    await stage.cancel(9)
    await stage.settle()
    assert [(w.says, w.filled) for w in stage.words] == [(Says.CANCEL_REJECTED, 0)]


async def a_question_for_an_order_that_never_came_finds_none(stage: Stage) -> None:
    await stage.broker.status(cid(9))
    await stage.settle()
    absent = [w for w in stage.heard if not isinstance(w, Statement)]
    assert absent == [Update(seq=0, ts=absent[0].ts, cid=cid(9), says=Says.ABSENT)]
    await stage.send(stage.entry(9))
    await stage.settle()
    assert stage.of(9)[:1] == [Says.ACCEPTED]


async def a_question_for_an_order_that_came_never_denies_it(stage: Stage) -> None:
    """Nor says of it what its words do not."""
    await stage.send(stage.entry(1))
    await stage.broker.status(cid(1))
    await stage.settle()
    await stage.market(100.0)
    await stage.broker.status(cid(1))
    await stage.broker.status(cid(2) if stage.carries else cid(1))
    await stage.settle()
    assert {type(w) for w in stage.heard} == {Update}
    assert Says.ABSENT not in {w.says for w in stage.heard if isinstance(w, Update)}
    stage.listen()
    await stage.settle()
    assert stage.of(1) == [Says.ACCEPTED, Says.FILL]


async def whoever_listens_anew_hears_the_same_again(stage: Stage) -> None:
    await stage.holding()
    await stage.send(stage.stop(3, 90.0, replaces=2))
    await stage.settle()
    await stage.market(85.0)
    await stage.settle()
    said = stage.words
    orderly(said)
    for after in range(len(said) + 1):
        stage.listen(after)
        await stage.settle()
        assert stage.words == said[after:]


async def a_listener_hears_nothing_once_another_came(stage: Stage) -> None:
    first = stage.heard
    stage.listen()
    await stage.holding()
    assert (first, len(stage.heard) > 0) == ([], True)


async def a_stop_moves_in_one_step(stage: Stage) -> None:
    await stage.holding()
    before = len(stage.words)
    await stage.send(stage.stop(3, 90.0, replaces=2))
    await stage.settle()
    assert [(w.cid, w.says) for w in stage.words[before:]] == [(cid(2), Says.REPLACED), (cid(3), Says.ACCEPTED)]
    resting = (await stage.statement()).orders
    assert [(r.cid, r.type, r.left, r.stop) for r in resting] == [(cid(3), Type.STOP, 100, usd(90))]
    await stage.market(85.0)
    await stage.settle()
    assert (stage.of(3)[-1], (await stage.statement()).held) == (Says.FILL, ())


async def what_is_no_resting_stop_cannot_be_moved(stage: Stage) -> None:
    await stage.holding()
    await stage.send(stage.stop(3, 90.0, replaces=1))
    await stage.send(stage.stop(4, 90.0, replaces=77))
    await stage.settle()
    assert (stage.of(3), stage.of(4), stage.of(2)) == ([Says.REJECTED], [Says.REJECTED], [Says.ACCEPTED])


async def only_what_is_held_can_be_stopped_or_sold(stage: Stage) -> None:
    await stage.send(stage.stop(10, 90.0))
    await stage.send(stage.exit(11))
    await stage.settle()
    await stage.holding()
    await stage.send(stage.stop(12, 90.0))
    await stage.send(stage.stop(13, 90.0, qty=101, replaces=2))
    await stage.settle()
    assert [stage.of(n) for n in (10, 11, 12, 13)] == [[Says.REJECTED]] * 4
    assert [(r.cid, r.left) for r in (await stage.statement()).orders] == [(cid(2), 100)]


async def a_statement_is_the_sum_of_the_words(stage: Stage) -> None:
    assert msgspec.structs.replace(await stage.statement(), ts=Nanos(0), heard=0) == Statement(
        ts=Nanos(0), heard=0, cash=CASH, held=(), orders=()
    )
    entry, guard = stage.entry(1), await stage.holding()
    statement = await stage.statement()
    orders = {o.cid: o for o in (entry, guard)}
    assert (statement.cash, statement.held) == account(stage.words, orders)
    assert statement.heard == stage.words[-1].seq
    assert [(r.cid, r.slot, r.side, r.type, r.left, r.stop) for r in statement.orders] == [
        (cid(2), 0, Side.SELL, Type.STOP, 100, usd(80))
    ]


async def a_new_life_finds_all_as_it_was(stage: Stage) -> None:
    await stage.holding()
    await stage.send(move := stage.stop(3, 90.0, replaces=2))
    await stage.settle()
    said, statement = stage.words, await stage.statement()
    await stage.reopen()
    stage.listen(2)
    await stage.send(move)
    await stage.settle()
    assert stage.words == said[2:]
    again = await stage.statement()
    assert msgspec.structs.replace(again, ts=statement.ts) == statement
    await stage.market(85.0)
    await stage.settle()
    assert stage.of(3)[-1] is Says.FILL
    orderly(stage.words, first=3)


async def any_life_is_orderly(stage: Stage, seed: int) -> None:
    """Entries, exits, stops, moves, cancels, resends, questions, deaths and markets in any order."""
    life = Life(stage, random.Random(seed))
    for _ in range(60):
        await life.step()
    await life.end()


class Life:
    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self.stage, self.chance, self.n = stage, chance, 0
        self.sent: list[Order | Cancel] = []
        self.known: Statement | None = None

    async def step(self) -> None:
        stage, chance = self.stage, self.chance
        what = chance.choice(DEEDS)
        match what:
            case "market":
                await stage.market(chance.choice(PRICES), chance.choice([30, 1000]))
            case "again":
                await self._send(chance.choice(self.sent)) if self.sent else None
            case "ask":
                await stage.broker.status(cid(chance.randint(1, max(1, self.n))))
            case "die":
                await self._die()
            case _:
                await self._send(self._new(what))
        if chance.random() < 0.7:
            await stage.settle()
            await self._look()

    async def end(self) -> None:
        """Once all that is open has been canceled, every order that was taken has had its last word."""
        await self.stage.settle()
        for r in (await self.stage.statement()).orders:
            await self._send(Cancel(cid=r.cid, ts=self.stage.now))
        self.stage.listen()
        await self.stage.settle()
        lives(self.stage.words)
        closed = {w.cid for w in self.stage.words if w.says in TERMINAL}
        sent = {o.cid for o in self.sent if isinstance(o, Order)}
        assert sent <= closed
        assert (await self.stage.statement()).orders == ()

    def _new(self, what: str) -> Order | Cancel:
        """Mostly such as make sense."""
        stage, chance = self.stage, self.chance
        self.n += 2
        held = self.known.held[0].qty if self.known and self.known.held else 0
        resting = [r for r in self.known.orders if r.type is Type.STOP] if self.known else []
        old = chance.choice([chance.randint(1, self.n), *(int(r.cid.split("-")[3]) for r in resting for _ in range(4))])
        side = Side.SELL if held > 0 else Side.BUY
        qty = abs(held) if held and chance.random() < 0.8 else chance.choice([40, 100])
        level = 100 + side * chance.choice([10, 20])
        made: dict[str, Callable[[], Order | Cancel]] = {
            "entry": lambda: stage.entry(self.n, qty, chance.choice([90.0, 101.0, 110.0]), chance.choice(list(Side))),
            "exit": lambda: stage.exit(self.n, qty, side),
            "stop": lambda: stage.stop(self.n, level, qty, side=side),
            "move": lambda: stage.stop(self.n, level, qty, old, side),
            "cancel": lambda: Cancel(cid=cid(old), ts=stage.now),
        }
        return made[what]()

    async def _send(self, what: Order | Cancel) -> None:
        self.sent.append(what)
        await self.stage.send(what)

    async def _die(self) -> None:
        """What was under way may be lost with us, so that all of it is sent again."""
        heard = len(self.stage.words)
        await self.stage.reopen()
        self.stage.listen()
        for what in self.sent:
            await self.stage.send(what)
        await self.stage.settle()
        assert len(self.stage.words) >= heard

    async def _look(self) -> None:
        words = self.stage.words
        orderly(words)
        lives(words)
        self.known = statement = await self.stage.statement()
        orders = {o.cid: o for o in self.sent if isinstance(o, Order)}
        orders |= {o.stop_cid: msgspec.structs.replace(o, side=Side(-o.side)) for o in orders.values() if o.stop_cid}
        assert (statement.cash, statement.held) == account(self.stage.words, orders)
        assert statement.heard == len(self.stage.words)
        held = statement.held[0].qty if statement.held else 0
        stops = [r for r in statement.orders if r.type is Type.STOP]
        assert all(-r.side * held > 0 for r in stops)
        assert sum(r.left for r in stops) <= abs(held)
        assert not [w for w in self.stage.heard if isinstance(w, Unavailable)]


Clause = Callable[[Stage], Awaitable[None]]
CLAUSES: tuple[Clause, ...] = (
    an_order_is_taken_and_filled,
    an_order_sent_again_has_one_effect,
    a_cancel_sent_again_has_one_effect,
    a_filled_order_cannot_be_canceled,
    what_never_came_cannot_be_canceled,
    a_question_for_an_order_that_never_came_finds_none,
    a_question_for_an_order_that_came_never_denies_it,
    whoever_listens_anew_hears_the_same_again,
    a_listener_hears_nothing_once_another_came,
    a_stop_moves_in_one_step,
    what_is_no_resting_stop_cannot_be_moved,
    only_what_is_held_can_be_stopped_or_sold,
    a_statement_is_the_sum_of_the_words,
    a_new_life_finds_all_as_it_was,
)
