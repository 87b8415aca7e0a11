"""What each fault looks like from our end, and that whoever does as the port says hears all in the end."""

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fluxhero.brokers.faults import FAULTS, Ask, Pick, drawn, scripted
from fluxhero.brokers.faulty import Faulty
from fluxhero.messages import Order, Says, Statement, Unavailable, Update
from fluxhero.ports import Broker
from tests.brokers.contract import Life, cid, lives, orderly
from tests.brokers.stages import BarStage, PaperStage, QuoteStage
from tests.core.desk import MEMORY

A, P, F = Says.ACCEPTED, Says.PARTIAL_FILL, Says.FILL
OUT, NO = Says.CANCELED, Says.CANCEL_REJECTED
ABSENT, PENDING, UNANSWERED = Says.ABSENT, Says.PENDING, Says.UNANSWERED


class Badly(PaperStage):
    """Puts faults before a stage's broker."""

    faulty: Faulty
    pick: Pick | None = None

    def _made(self) -> Broker:
        self.faulty = Faulty(self.paper, self.clock, lambda ask, n: self.pick(ask, n) if self.pick else None)
        return self.faulty

    def script(self, *faults: tuple[Ask, int, str]) -> None:
        self.pick = scripted({(ask, n): name for ask, n, name in faults})

    def new(self) -> list[Any]:
        """What was heard since it was last looked at: words of orders by what they say."""
        said = [w.says if isinstance(w, Update) else w for w in self.heard]
        self.heard.clear()
        return said


class BadQuotes(Badly, QuoteStage):
    pass


class BadBars(Badly, BarStage):
    pass


@pytest.fixture
def stage() -> Iterator[BadQuotes]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        made = BadQuotes(Path(folder))
        yield made
        made.close()


# By fault: heard of an entry once the market traded, when asked for it, and half a minute later.
ENTRIES = {
    "lost": ([], [ABSENT], []),
    "mute": ([], [A, F], []),
    "slow": ([], [ABSENT], [A, F]),
    "timeout": ([UNANSWERED], [ABSENT], [A, F]),
    "error": ([UNANSWERED], [A, F], []),
    "lie": ([UNANSWERED, A, F], [], []),
    "limited": ([UNANSWERED], [ABSENT], []),
    "double": ([A, A, F, F], [], []),
    "echo": ([A, F], [], [A, F]),
    "late": ([], [A, F], [A, F]),
    "swapped": ([F, A], [], []),
    "stuck": ([PENDING], [PENDING], []),
    "unseen": ([UNANSWERED], [ABSENT], []),
}


@pytest.mark.parametrize("name", ENTRIES)
async def test_a_fault_of_an_entry_and_that_asking_or_sending_again_heals_it(name: str, stage: BadQuotes) -> None:
    stage.script((Ask.ENTRY, 1, name))
    await stage.send(entry := stage.entry(1))
    await stage.wait(0)
    await stage.market(100.0)
    await stage.wait(2)
    heard = [stage.new()]
    await stage.broker.status(cid(1))
    await stage.wait(1)
    heard.append(stage.new())
    await stage.wait(30)
    heard.append(stage.new())
    assert tuple(heard) == ENTRIES[name]
    stage.faulty.let_go()
    await stage.send(entry)
    await stage.wait(1)
    stage.listen()
    assert stage.new() == [A, F]


def test_every_fault_of_an_entry_is_shown() -> None:
    assert {name for name, fault in FAULTS.items() if Ask.ENTRY in fault.of} == ENTRIES.keys()


@pytest.mark.parametrize("how", ["sent again", "listened for anew"])
@pytest.mark.parametrize("name", ["mute", "error", "unseen"])
async def test_what_is_sent_again_or_listened_for_anew_is_withheld_no_more(
    name: str, how: str, stage: BadQuotes
) -> None:
    stage.script((Ask.ENTRY, 1, name))
    await stage.send(entry := stage.entry(1, limit=90.0))
    await stage.wait(1)
    stage.new()
    if how == "sent again":
        await stage.send(entry)
    else:
        stage.listen()
    assert stage.new() == [A]
    await stage.broker.status(cid(1))
    await stage.cancel(1)
    await stage.wait(1)
    denied = name == "unseen" and how != "sent again"  # a new connection does not change what a question finds
    assert stage.new() == ([ABSENT, OUT] if denied else [OUT])


async def test_an_order_that_is_stuck_and_sent_again_stays_so(stage: BadQuotes) -> None:
    stage.script((Ask.ENTRY, 1, "stuck"))
    entry = stage.entry(1)
    for _ in range(2):
        await stage.send(entry)
        await stage.wait(30)
        assert stage.new() == [PENDING]
    stage.faulty.let_go()
    assert stage.new() == [A]


async def test_a_stop_and_its_move_suffer_the_same(stage: BadQuotes) -> None:
    stage.script((Ask.STOP, 1, "mute"), (Ask.MOVE, 1, "lost"), (Ask.EXIT, 1, "limited"))
    await stage.send(stage.entry(1))
    await stage.wait(1)
    await stage.market(100.0)
    await stage.send(stage.stop(2, 80.0))
    await stage.wait(1)
    await stage.send(stage.stop(3, 90.0, replaces=2))
    await stage.wait(1)
    await stage.send(stage.exit(4))
    await stage.wait(1)
    assert stage.new() == [A, F, UNANSWERED]
    assert [r.cid for r in (await stage.statement()).orders] == [cid(2)]


# -- cancels


async def half_filled(stage: BadQuotes) -> None:
    """An entry for 100, of which 30 are filled."""
    await stage.send(stage.entry(1))
    await stage.wait(0)
    await stage.market(100.0, 30)
    assert stage.new() == [A, P]


@pytest.mark.parametrize(
    ("name", "sizes", "heard"),
    [
        ("lost", (20, 1000), [P, F]),
        ("slow", (20, 20), [P, P, OUT]),
        ("limited", (20, 20), [UNANSWERED, P, P]),
        ("outrun", (20, 1000), [P, F, NO]),
        ("outrun", (20, 20), [P, P, OUT]),
        ("bitten", (20, 20), [P, OUT]),
        ("bitten", (1000, 20), [F, NO]),
        ("stuck", (20, 20), [PENDING, P, P, OUT]),
        ("stuck", (20, 1000), [PENDING, P, F, NO]),
        ("mute", (20, 20), []),
    ],
)
async def test_a_fault_of_a_cancel(name: str, sizes: tuple[int, int], heard: list[Says], stage: BadQuotes) -> None:
    stage.script((Ask.CANCEL, 1, name))
    await half_filled(stage)
    await stage.cancel(1)
    for size in sizes:
        await stage.market(100.0, size)
        await stage.wait(1)
    await stage.wait(30)
    stage.faulty.let_go()
    await stage.wait(1)
    assert stage.new() == heard
    stage.listen()
    orderly(stage.words)
    lives(stage.words)


async def test_who_asks_for_an_order_whose_cancel_is_stuck_hears_that_it_is_pending(stage: BadQuotes) -> None:
    stage.script((Ask.CANCEL, 1, "stuck"))
    await half_filled(stage)
    await stage.cancel(1)
    await stage.broker.status(cid(1))
    await stage.wait(1)
    assert stage.new() == [PENDING, PENDING]


# -- reads


@pytest.mark.parametrize(("ask", "what"), [(Ask.STATUS, cid(1)), (Ask.ACCOUNT, "account")])
async def test_a_read_that_fails_says_so_and_nothing_else(ask: Ask, what: str, stage: BadQuotes) -> None:
    stage.script((ask, 1, "unreadable"), (ask, 2, "lost"))
    for _ in range(2):
        await (stage.broker.status(cid(1)) if ask is Ask.STATUS else stage.broker.account())
        await stage.wait(30)
    (word,) = stage.heard
    assert word == Unavailable(ts=word.ts, what=what, why="503 service unavailable")


async def test_a_stale_statement_is_of_the_time_when_it_was_asked_for(stage: BadQuotes) -> None:
    stage.script((Ask.ACCOUNT, 1, "stale"))
    await stage.broker.account()
    await stage.wait(1)
    await stage.send(stage.entry(1))
    await stage.wait(1)
    await stage.broker.account()
    await stage.wait(30)
    told = [w for w in stage.heard if isinstance(w, Statement)]
    assert [(s.heard, len(s.orders)) for s in told] == [(1, 1), (0, 0)]
    assert told[0].ts > told[1].ts


async def test_a_torn_statement_has_the_orders_of_the_one_before(stage: BadQuotes) -> None:
    stage.script((Ask.ACCOUNT, 2, "torn"))
    await stage.send(stage.entry(1))
    await stage.wait(1)
    before = await stage.statement()
    await stage.market(100.0)
    torn, whole = await stage.statement(), await stage.statement()
    assert (torn.orders, whole.orders, len(before.orders)) == (before.orders, (), 1)
    assert torn == msgspec.structs.replace(whole, ts=torn.ts, orders=before.orders)


async def test_a_fault_befalls_only_what_it_can(stage: BadQuotes) -> None:
    stage.script((Ask.STATUS, 1, "mute"))
    with pytest.raises(ValueError, match=r"'taken, and no word before it is asked for' cannot befall status: it is of"):
        await stage.broker.status(cid(1))


# -- all of them together


class Heeding(Life):
    """Listens as the port wants it: in order of number, and anew where one is missing or a Statement knows of more."""

    def __init__(self, stage: Badly, chance: random.Random) -> None:
        super().__init__(stage, chance)
        self.bad, self.words, self.missed = stage, list[Update](), False
        stage.pick = drawn(chance.random, 0.4)
        self._listen()

    def hear(self, word: Any) -> None:
        if isinstance(word, Statement):
            self.known, self.missed = word, self.missed or word.heard > len(self.words)
        elif isinstance(word, Update) and word.seq == len(self.words) + 1:
            self.words.append(word)
        elif isinstance(word, Update) and word.seq > len(self.words):
            self.missed = True

    async def end(self) -> None:
        self.bad.pick = None
        self.bad.faulty.let_go()
        for what in self.sent:
            await self.bad.send(what)
        await self.bad.wait(60)
        await self._look()

    def _listen(self) -> None:
        self.missed = False
        self.bad.broker.listen(self.hear, len(self.words))

    async def _die(self) -> None:
        await self.bad.reopen()
        self._listen()
        for what in self.sent:
            await self.bad.send(what)

    async def _look(self) -> None:
        await self.bad.broker.account()
        await self.bad.settle()
        if self.missed:
            self._listen()
            await self.bad.settle()


@pytest.mark.parametrize("kind", [BadQuotes, BadBars])
@pytest.mark.parametrize("seed", range(12))
async def test_who_heeds_the_port_hears_all_that_was_said_whatever_goes_wrong(seed: int, kind: type[Badly]) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        stage = kind(Path(folder))
        life = Heeding(stage, random.Random(seed))
        for _ in range(60):
            await life.step()
        await life.end()
        said = [update for _, update in stage.ledger.after(0)]
        stage.close()
    assert life.words == said
    lives(said)
    orders = {what.cid for what in life.sent if isinstance(what, Order)}
    assert orders <= {w.cid for w in said}


def test_the_same_chance_draws_the_same_faults() -> None:
    one, other = (drawn(random.Random(7).random, 0.5) for _ in range(2))
    drew = [(one(ask, n), other(ask, n)) for n in range(200) for ask in Ask]
    assert all(a == b for a, b in drew)
    assert {fault.meaning for fault, _ in drew if fault} == {fault.meaning for fault in FAULTS.values()}
