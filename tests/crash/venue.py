"""The venue as a process of its own, which outlives every daemon: python -m tests.crash.venue DIR SYMBOLS SEED."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import msgspec
import trio

from fluxhero.core.calendar import nyse
from fluxhero.exchange.matching import Snapshot
from fluxhero.exchange.quotes import QuoteVenue
from fluxhero.feeds import recording
from fluxhero.feeds.replay import Tape
from fluxhero.kernel.plug import loaded
from fluxhero.messages import Cancel, Cid, Nanos, Order, Update, micros
from tests.crash.http import Gone, serve
from tests.crash.letters import PATIENCE, WITHHELD, Dump, Letter, Receipt, Reply, encode


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a request is dealt with: seconds before it is applied, and from there until it is answered."""

    odds: float
    before: float = 0.0
    after: float = 0.0
    status: int = 200
    applies: bool = True
    answers: bool = True


MANNERS = (
    Manner(odds=0.50, after=0.004),
    Manner(odds=0.24, before=0.004),
    Manner(odds=0.10, after=0.040),
    Manner(odds=0.09, before=0.040, after=0.004),
    Manner(odds=0.04, status=503),  # and yet it was applied
    Manner(odds=0.02, status=429, applies=False),
    Manner(odds=0.01, answers=False),
)
ONCE = Manner(odds=0.0)  # what comes again is dealt with at once, so that no request fares badly for ever


class Exchange:
    """The market's side: it follows the tape as far as it is told, once, and dedupes on what arrives."""

    def __init__(self, tape: Tape, venue: QuoteVenue) -> None:
        self.cursor = 0
        self.orders: dict[Cid, Order] = {}
        self.words: list[tuple[int | None, Update]] = []
        self.said = trio.Event()
        self._events, self._venue, self._now = tape.events(0), venue, Nanos(0)
        self._canceled: set[tuple[Cid, Nanos]] = set()

    @property
    def rests(self) -> bool:
        return bool(self._venue.resting)

    def reach(self, letter: Letter) -> None:
        while self.cursor < letter.fed:
            event = next(self._events)
            self.cursor, self._now = event.index + 1, event.ts
            self._say(self._venue.event(event), event.index)
        self._now = max(self._now, letter.now)

    def take(self, order: Order) -> bool:
        """False where it is known."""
        if order.cid in self.orders:
            return False
        self.orders[order.cid] = order
        self._say(self._venue.order(order, self._now))
        return True

    def cancel(self, cancel: Cancel) -> bool:
        """False where it is known."""
        if (cancel.cid, cancel.ts) in self._canceled:
            return False
        self._canceled.add((cancel.cid, cancel.ts))
        filled = max((u.filled for _, u in self.words if u.cid == cancel.cid), default=0)
        self._say(self._venue.cancel(cancel, self._now, filled))
        return True

    def beside(self, order: Order) -> Cid | None:
        """Another order of the same intent that stands open."""
        intent = order.cid.rpartition("-")[0]
        return next((c for c in self._venue.resting if c != order.cid and c.rpartition("-")[0] == intent), None)

    def reply(self, after: int | None = None, account: bool = False) -> Reply:
        return Reply(
            said=len(self.words), rests=self.rests, words=[] if after is None else self.words[after:],
            statement=self._venue.statement(self._now) if account else None,
        )  # fmt: skip

    def dump(self, receipts: list[Receipt], heard: list[int]) -> Dump:
        return Dump(
            cursor=self.cursor, orders=list(self.orders.values()), words=[u for _, u in self.words], receipts=receipts,
            heard=heard, statement=self._venue.statement(self._now),
        )  # fmt: skip

    def _say(self, updates: Iterable[Update], event: int | None = None) -> None:
        self.words += [(event, update) for update in updates]
        said, self.said = self.said, trio.Event()
        said.set()


class Counter:
    """Where requests arrive. It notes what came and when each answer left, and keeps some back."""

    def __init__(self, exchange: Exchange, chance: random.Random, slow: float) -> None:
        """`slow`: seconds by which cancels are applied late."""
        self._exchange, self._chance, self._slow = exchange, chance, slow
        self._receipts: list[Receipt] = []
        self._known: dict[Cid | tuple[Cid, Nanos], Order | Cancel] = {}
        self._heard: dict[int, trio.Event] = {}  # by process
        self._trap: trio.Event | None = None  # set once an answer is kept back

    async def answer(self, path: str, body: bytes, gone: Gone) -> tuple[int, bytes] | None:
        letter = msgspec.json.decode(body, type=Letter)
        match path:
            case "/order" | "/cancel":
                return await self._written(letter, gone)
            case "/status":
                return 200 if letter.cid in self._exchange.orders else 404, self._reply()
            case "/account":
                return 200, encode(self._exchange.reply(account=True))
            case "/advance":
                self._exchange.reach(letter)
                return 200, self._reply()
            case "/words":
                return 200, await self._words(letter)
            case "/trap":
                return 200, await self._trapped()
            case "/heard":
                return 200, await self._hears(letter.pid)
            case "/dump":
                heard = [pid for pid, event in self._heard.items() if event.is_set()]
                return 200, encode(self._exchange.dump(self._receipts, heard))
        return 404, b""

    async def _written(self, letter: Letter, gone: Gone) -> tuple[int, bytes] | None:
        what = letter.order or letter.cancel
        assert what is not None
        receipt = self._received(letter.pid, what)
        manner = ONCE if receipt.known else self._drawn()
        if isinstance(what, Cancel):
            await trio.sleep(self._slow)
        held = self._held() if manner is not ONCE else None
        if held is not None and self._chance.random() < 0.5:
            await gone(WITHHELD)
            held = None
        await self._pause(manner.before)
        status = self._apply(letter, receipt) if manner.applies else 0
        if held is not None:
            await gone(WITHHELD)
        await self._pause(manner.after)
        if not manner.answers:
            await gone(WITHHELD)
            return None
        receipt.left = time.monotonic()
        return status or manner.status, self._reply()

    def _apply(self, letter: Letter, receipt: Receipt) -> int:
        """422 where it had been applied before."""
        self._exchange.reach(letter)
        if letter.order:
            receipt.beside = self._exchange.beside(letter.order)
            new = self._exchange.take(letter.order)
        else:
            assert letter.cancel is not None
            new = self._exchange.cancel(letter.cancel)
        return 0 if new else 422

    def _received(self, pid: int, what: Order | Cancel) -> Receipt:
        key = what.cid if isinstance(what, Order) else (what.cid, what.ts)
        before = self._known.setdefault(key, what)
        receipt = Receipt(
            pid=pid, cid=what.cid, came=time.monotonic(), known=before is not what, changed=before != what
        )
        self._receipts.append(receipt)
        return receipt

    def _drawn(self) -> Manner:
        (manner,) = self._chance.choices(MANNERS, [m.odds for m in MANNERS])
        return manner

    async def _pause(self, most: float) -> None:
        if most:
            await trio.sleep(self._chance.uniform(0.0, most))

    def _held(self) -> trio.Event | None:
        """Is somebody waiting for an answer to be kept back? This one is."""
        trap, self._trap = self._trap, None
        if trap is not None:
            trap.set()
        return trap

    async def _trapped(self) -> bytes:
        """Until an order or cancel has come whose answer is kept back, or nothing comes."""
        trap = self._trap = trio.Event()
        with trio.move_on_after(PATIENCE):
            await trap.wait()
        self._trap = None
        return msgspec.json.encode(trap.is_set())

    async def _hears(self, pid: int) -> bytes:
        heard = self._heard.setdefault(pid, trio.Event())
        with trio.move_on_after(PATIENCE):
            await heard.wait()
        return msgspec.json.encode(heard.is_set())

    async def _words(self, letter: Letter) -> bytes:
        self._heard.setdefault(letter.pid, trio.Event()).set()
        if letter.patient and len(self._exchange.words) <= letter.after:
            with trio.move_on_after(PATIENCE):
                await self._exchange.said.wait()
        return encode(self._exchange.reply(letter.after))

    def _reply(self) -> bytes:
        return encode(self._exchange.reply())


async def main(folder: Path, symbols: tuple[str, ...], seed: int, slow: float) -> None:
    config = loaded(folder / "config.toml")
    tape = recording.load(recording.Request(data=folder, symbols=symbols), nyse()).tape
    snapshot, costs = Snapshot(cash=micros(config.paper.cash)), config.costs
    venue = QuoteVenue(snapshot, micros(costs.commission), costs.borrow, nyse().at)
    counter = Counter(Exchange(tape, venue), random.Random(seed), slow)
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    print(listener.socket.getsockname()[1], flush=True)
    await trio.serve_listeners(partial(serve, answering=counter.answer), [listener])


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), tuple(sys.argv[2].split(",")), int(sys.argv[3]), float(sys.argv[4]))
