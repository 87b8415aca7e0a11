"""Every arm of supervision, in virtual time: begun anew, SAFE, given up, looked after; and what an operator can do."""

import dataclasses
import itertools
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import trio
import trio.testing

from fluxhero import daemon as page
from fluxhero.actors.control import PARTING, PATIENCE, Controller
from fluxhero.actors.heart import BEAT
from fluxhero.config import Config, Risk, Strategy
from fluxhero.core import journal
from fluxhero.daemon import Daemon, run
from fluxhero.house import House
from fluxhero.kernel import codes
from fluxhero.kernel.indicators import MATURE
from fluxhero.kernel.plug import settled
from fluxhero.messages import MINUTE, SECOND, Leave
from fluxhero.replay import Replay
from fluxhero.runtime import seeded
from fluxhero.runtime.supervise import GaveUp
from fluxhero.runtime.vitals import STUCK
from fluxhero.store.sqlite import SQLiteStore, verified
from fluxhero.store.venue import VenueLedger
from fluxhero.world import EmbeddedWorld
from tests.market import FIRST, sessions, write, write_bars, write_ticks
from tests.simulation.world import Fence, Killed, Trace, VirtualHost, alarmed, scenario, simulate

NEXT = date(2024, 3, 27)
MODELS = {"quote": ("AAA", "BBB"), "bar": ("CCC", "DDD")}
ACTORS = ("recorder", "orders", "risk", "candles", "strategy", "feed")
SEEKERS = ("feed", "candles", "strategy")
STEP = 5 * SECOND  # from quote to quote of the market by hand
LATENCY = 50_000_000  # ns from send to arrival


class Ray(Exception):
    """A cosmic one."""


# -- faults


class Tripwire:
    """What an actor iterates over; `trips` looks at each message before it is dealt with."""

    def __init__(self, inner: Any, trips: Callable[[Any], Awaitable[None]]) -> None:
        self._inner, self._trips = inner, trips

    def __aiter__(self) -> "Tripwire":
        return self

    async def __anext__(self) -> Any:
        message = await self._inner.__anext__()
        await self._trips(message)
        return message

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


Which = Callable[[Any], bool]


def at(*numbers: int) -> Which:
    """The n-th messages, counted over all lives."""
    count = itertools.count(1)
    return lambda message: next(count) in numbers


def six(of: Which) -> Which:
    """The first six of a kind: one more than is borne."""
    count = itertools.count(1)
    return lambda message: of(message) and next(count) <= 6


def once(of: Which) -> Which:
    count = itertools.count()
    return lambda message: of(message) and next(count) == 0


def since(actor: str, ts: int) -> Which:
    """Messages of market time `ts` and later, as the actor sees them."""
    if actor == "strategy":
        return lambda m: hasattr(m, "sealed") and m.sealed.ts >= ts
    return lambda m: getattr(m, "ts", 0) >= ts


def tripping(patch: pytest.MonkeyPatch, actor: str, trips: Callable[[Any], Awaitable[None]]) -> None:
    real = getattr(page, actor)

    async def faulty(inbox: Any, *args: Any) -> None:
        await real(Tripwire(inbox, trips), *args)

    patch.setattr(page, actor, faulty)


def crashing(patch: pytest.MonkeyPatch, actor: str, which: Which) -> None:
    async def trips(message: Any) -> None:
        if which(message):
            raise Ray

    tripping(patch, actor, trips)


def hanging(patch: pytest.MonkeyPatch, actor: str, which: Which) -> trio.Event:
    """Set when it hangs."""
    hung = trio.Event()

    async def trips(message: Any) -> None:
        if which(message):
            hung.set()
            await trio.sleep_forever()

    tripping(patch, actor, trips)
    return hung


def failing(patch: pytest.MonkeyPatch, ledger: Any, before: bool, numbers: tuple[int, ...]) -> None:
    """Some of its commits raise, before or after they are made."""
    commit, count = ledger.commit, itertools.count(1)

    def faulty(*args: Any, **kwargs: Any) -> None:
        fails = next(count) in numbers
        if fails and before:
            raise sqlite3.OperationalError("disk I/O error")
        commit(*args, **kwargs)
        if fails:
            raise sqlite3.OperationalError("disk I/O error")

    patch.setattr(ledger, "commit", faulty)


# -- a daemon, and somebody who plays with it


class Said:
    """systemd's ear."""

    interval = 2.0

    def __init__(self) -> None:
        self.words: list[tuple[float, str]] = []

    def __call__(self, words: str) -> None:
        self.words += [(trio.current_time(), word) for word in words.split("\n")]

    def times(self, word: str) -> list[float]:
        return [at for at, said in self.words if said == word]


class Living:
    """One process of a daemon in the simulation."""

    def __init__(self, replay: Replay, store: SQLiteStore, clock: trio.testing.MockClock, options: Any) -> None:
        self.worlds: list[EmbeddedWorld] = []
        self.controllers: list[Controller] = []
        self.pages: dict[str, tuple[int, str]] = {}  # at the end
        self.gone = 0.0
        self.speed = replay.speed or 1e9
        self.said, self.leaving, self.clock = Said(), trio.Event(), clock
        of = replay.outset()
        real = replay.ports(of, store, VirtualHost(0))

        def world() -> Any:
            self.worlds.append(real.world())  # type: ignore[arg-type]
            return self.worlds[-1]

        ports = dataclasses.replace(real, world=world, notify=self.said)
        self.house = House(replay.config, of, ports)
        self.daemon = Daemon(of, ports, self.house, self.leaving, **options)

    @property
    def market(self) -> int:
        return self.worlds[-1].clock.now() if self.worlds else 0

    async def until(self, ts: int) -> None:
        """The market's time, in the life of that moment."""
        while self.market < ts:
            left = (ts - self.market) / 1e9 / self.speed if self.market else 0.0
            await trio.sleep(min(1.0, max(0.005, left / 2)))

    async def ask(self, cmd: str, **request: Any) -> dict[str, Any]:
        while not self.controllers:
            await trio.lowlevel.checkpoint()
        return await self.controllers[-1].answer(msgspec.json.encode({"cmd": cmd, **request}))

    def page(self, path: str) -> tuple[int, str]:
        page = self.house.pages[path]()
        return page.status, page.body.decode()

    def ended(self) -> None:
        self.gone = trio.current_time()
        self.pages = {path: self.page(path) for path in self.house.pages}

    def metrics(self) -> dict[str, float]:
        lines = (line.rpartition(" ") for line in self.pages["/metrics"][1].splitlines() if line[0] != "#")
        return {name.removeprefix("fluxhero_"): float(value) for name, _, value in lines}


Play = Callable[[Living], Awaitable[None]]


async def hangs(*args: Any) -> None:
    """An actor that never asks for anything."""
    await trio.sleep_forever()


async def looks_on(d: Living) -> None:
    """Does nothing."""


def live(replay: Replay, play: Play = looks_on, *, seed: int = 0, patience: float = 1000.0, **options: Any) -> Living:
    """Until the tape ends or somebody wants it to go."""
    made: list[Living] = []
    clock = trio.testing.MockClock(autojump_threshold=0)

    class Known(Controller):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made[0].controllers.append(self)

    async def main(store: SQLiteStore) -> None:
        made.append(Living(replay, store, clock, options))
        with trio.fail_after(patience):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(play, made[0])
                await run(made[0].daemon)
                made[0].ended()
                nursery.cancel_scope.cancel()

    with SQLiteStore(replay.directory) as store, alarmed(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "Controller", Known)
        seeded.run(main, store, seed=seed, clock=clock)
    return made[0]


def query(state: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(state / "fluxhero.sqlite")) as db:
        return db.execute(sql, values).fetchall()


def sound(state: Path) -> None:
    """The chain holds, and every share that is held has a stop at the venue, and no more."""
    with closing(sqlite3.connect(state / "fluxhero.sqlite")) as db:
        assert verified(db) is None
    held = dict(query(state, "SELECT slot, qty FROM positions"))
    stops = query(
        state,
        "SELECT slot, sum(qty - filled) FROM orders WHERE role = 'stop' AND state IN ('live', 'partial') GROUP BY slot",
    )
    assert dict(stops) == held


# -- markets


def ended(trace: Trace) -> tuple[object, ...]:
    return trace.journal, trace.orders, trace.fills, trace.positions


@pytest.fixture(scope="module")
def chance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of both models, by chance."""
    folder = tmp_path_factory.mktemp("chance")
    for n, symbol in enumerate(MODELS["quote"]):
        write_ticks(folder, symbol, n, per=6, minutes=150)
    for n, symbol in enumerate(MODELS["bar"]):
        write_bars(folder, symbol, n, last=FIRST, minutes=150)
    return folder


@dataclasses.dataclass(frozen=True)
class Whole:
    """A run that nothing happened to."""

    trace: Trace
    messages: dict[str, int]  # that each actor took
    commits: dict[Any, int]


@pytest.fixture(scope="module")
def wholes(chance: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Whole]:
    wholes = {}
    for model, symbols in MODELS.items():
        counts = {name: itertools.count() for name in (*ACTORS, SQLiteStore, VenueLedger)}
        with pytest.MonkeyPatch.context() as patch:
            for actor in ACTORS:
                crashing(patch, actor, never(counts[actor]))
            for ledger in (SQLiteStore, VenueLedger):
                counted(patch, ledger, counts[ledger])
            trace = simulate(scenario(chance, tmp_path_factory.mktemp(model) / "s", symbols), 0)
        assert len(trace.fills) >= 8
        seen = {name: next(count) for name, count in counts.items()}
        wholes[model] = Whole(trace, {a: seen[a] for a in ACTORS}, {c: seen[c] for c in (SQLiteStore, VenueLedger)})
    return wholes


def never(count: Iterator[int]) -> Which:
    """Counts the messages."""
    return lambda message: next(count) < 0


def counted(patch: pytest.MonkeyPatch, ledger: Any, count: Iterator[int]) -> None:
    commit = ledger.commit

    def counting(*args: Any, **kwargs: Any) -> None:
        next(count)
        commit(*args, **kwargs)

    patch.setattr(ledger, "commit", counting)


def spread(n: int) -> tuple[int, ...]:
    """The first, the last, and two in a row between: four crashes are borne in any minute."""
    return 1, n // 3, n // 3 + 1, n * 3 // 4


# -- begun anew


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("actor", ACTORS)
def test_the_market_cannot_tell_that_an_actor_crashed(
    actor: str, model: str, chance: Path, wholes: dict[str, Whole], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = wholes[model]
    crashing(monkeypatch, actor, at(*spread(whole.messages[actor]), whole.messages[actor]))
    crashed = simulate(scenario(chance, tmp_path / "s", MODELS[model]), 0)
    assert ended(crashed) == ended(whole.trace)
    sound(tmp_path / "s")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("ledger", [SQLiteStore, VenueLedger], ids=["ours", "the venue's"])
def test_the_market_cannot_tell_that_a_commit_raised(
    ledger: Any, before: bool, model: str, chance: Path, wholes: dict[str, Whole], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The first of ours opens the account, and is no actor's."""
    n = wholes[model].commits[ledger]
    failing(monkeypatch, ledger, before, (n // 4, n // 4 + 1, n // 2, n * 3 // 4))
    crashed = simulate(scenario(chance, tmp_path / "s", MODELS[model]), 0)
    assert ended(crashed) == ended(wholes[model].trace)


# -- a market by hand: quotes of 100 a side, so that of an entry of 199 only so much is filled


def write_path(folder: Path, symbol: str, cents: Any, ts: Any = None) -> None:
    """A quote every 5 s, and 10 ms later a trade at its ask: what is sent at a seal is under way when it comes."""
    n = len(cents)
    ts = sessions(FIRST, FIRST)[0].open + np.arange(n) * STEP if ts is None else ts
    hundred = np.full(n, 100)
    quotes = {"ts": ts, "bid": cents / 100, "ask": (cents + 1) / 100, "bid_size": hundred, "ask_size": hundred}
    write(folder / f"{symbol}_quotes.parquet", quotes)
    write(folder / f"{symbol}_trades.parquet", {"ts": ts + 10_000_000, "price": (cents + 1) / 100, "size": hundred})


def minute(m: float) -> int:
    return sessions(FIRST, FIRST)[0].open + int(m * MINUTE)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enters at minutes 75, 90 and 105, leaves 10 minutes later; no stop is touched."""
    folder = tmp_path_factory.mktemp("calm")
    for n, symbol in enumerate(MODELS["quote"]):
        write_path(folder, symbol, walk(n))
    return folder


def walk(seed: int) -> Any:
    """By chance; around the beat it stands still, so that entries are taken."""
    steps = np.random.default_rng(seed).integers(-1, 2, 112 * 12)
    steps[(np.arange(steps.size) + 6) % 180 <= 12] = 0
    return 10_000 + np.cumsum(steps)


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As calm, but from minute 90 on nobody takes the entry for 45 s."""
    folder = tmp_path_factory.mktemp("waiting")
    for n, symbol in enumerate(MODELS["quote"]):
        cents = walk(n)
        cents[90 * 12 : 90 * 12 + 9] += 50
        write_path(folder, symbol, cents)
    return folder


@pytest.fixture(scope="module")
def falling(calm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As calm, but AAA loses 3 % in minute 95, while it is held."""
    folder = tmp_path_factory.mktemp("falling")
    for n, symbol in enumerate(MODELS["quote"]):
        cents = walk(n)
        cents[95 * 12 :] -= 300 * (symbol == "AAA")
        write_path(folder, symbol, cents)
    return folder


def by_hand(data: Path, state: Path, **settings: Any) -> Replay:
    """With stops so far away that none is touched by chance."""
    config = settled(Config(strategy=Strategy(name="metronome"), risk=Risk(stop_atr=20.0)))
    return msgspec.structs.replace(scenario(data, state, MODELS["quote"], **settings), config=config)


def entries(state: Path) -> list[float]:
    """When they were decided, in minutes."""
    sql = "SELECT DISTINCT ts FROM orders WHERE role = 'entry' ORDER BY ts"
    return [(ts - minute(0)) / MINUTE for (ts,) in query(state, sql)]


def test_by_hand_it_enters_and_leaves_as_the_other_tests_take_for_granted(calm: Path, tmp_path: Path) -> None:
    live(by_hand(calm, tmp_path / "s"))
    assert entries(tmp_path / "s") == [75, 90, 105]
    exits = query(tmp_path / "s", "SELECT DISTINCT ts FROM orders WHERE role = 'exit' ORDER BY ts")
    assert [round((ts - minute(0)) / MINUTE, 1) for (ts,) in exits] == [85, 100]
    sound(tmp_path / "s")


# -- SAFE


@pytest.mark.parametrize("actor", SEEKERS)
def test_a_seeker_that_crashes_for_ever_stays_down_and_nothing_is_entered_again(
    actor: str, calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing(monkeypatch, actor, six(since(actor, minute(86))))
    d = live(by_hand(calm, tmp_path / "s"))
    why = f"actor {actor} crashed, more often than 5 times in 60 s: Ray"
    assert (d.house.vitals.safe, d.house.vitals.crashes) == (why, {actor: 6})
    assert entries(tmp_path / "s") == [75]
    assert (d.pages["/readyz"], d.pages["/livez"]) == ((503, f"SAFE: {why}\n"), (200, "alive\n"))
    m = d.metrics()
    assert (m["safe"], m["ready"], m["rung"]) == (1, 0, 2)
    assert {name: m[f'actor_up{{actor="{name}"}}'] for name in ACTORS} == {
        "recorder": 1, "orders": 1, "risk": 1, "candles": 0, "strategy": 0, "feed": 0,
    }  # fmt: skip
    assert m[f'actor_restarts_total{{actor="{actor}"}}'] == 6
    sound(tmp_path / "s")


def test_in_safe_stops_rest_and_trigger(falling: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing(monkeypatch, "strategy", six(since("strategy", minute(92))))
    live(by_hand(falling, tmp_path / "s"))
    fills = query(tmp_path / "s", "SELECT slot, role, sum(qty) FROM fills WHERE ts > ? GROUP BY slot, role", minute(92))
    assert fills == [(0, "stop", 100)]
    assert query(tmp_path / "s", "SELECT slot, qty FROM positions") == [(1, 100)]
    sound(tmp_path / "s")


def test_in_safe_an_exit_that_was_under_way_is_completed(
    calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop's cancel was sent at the seal; the crashes come 10 ms later, before it can have arrived."""
    crashing(monkeypatch, "feed", six(since("feed", minute(85))))
    live(by_hand(calm, tmp_path / "s"))
    assert query(tmp_path / "s", "SELECT slot, qty FROM positions") == []
    out = query(tmp_path / "s", "SELECT slot, state, filled FROM orders WHERE role = 'exit' ORDER BY slot")
    assert out == [(0, "filled", 100), (1, "filled", 100)]


def test_in_safe_an_entry_that_was_under_way_is_not_sent_again(
    calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent at the seal, and crashed upon before it has arrived: nobody can tell, so that it counts, and is canceled."""
    crashing(monkeypatch, "feed", six(since("feed", minute(90))))
    live(by_hand(calm, tmp_path / "s"))
    sql = "SELECT slot, state, filled, why FROM orders WHERE role = 'entry' AND ts = ?"
    assert query(tmp_path / "s", sql, minute(90)) == [(0, "unknown", 0, "unwanted"), (1, "unknown", 0, "unwanted")]
    sound(tmp_path / "s")


@pytest.mark.parametrize("model", MODELS)
def test_in_safe_an_operator_can_do_all_but_enter(
    model: str, calm: Path, chance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing(monkeypatch, "strategy", six(since("strategy", minute(93))))
    why = "actor strategy crashed, more often than 5 times in 60 s: Ray"
    told: list[Any] = []

    async def play(d: Living) -> None:
        await d.until(minute(95))
        status = await d.ask("status")
        told.append((status["rung"], status["state"], status["positions"]))
        requests: list[dict[str, Any]] = [
            {"cmd": "pause", "symbol": MODELS[model][0]}, {"cmd": "halt"},
            {"cmd": "release", "trip": "halt", "reason": "over"}, {"cmd": "flatten"}, {"cmd": "resume"},
        ]  # fmt: skip
        told.append([(await d.ask(**request))["text"] for request in requests])
        told.append([(a["actor"], a["up"]) for a in (await d.ask("actors"))["actors"]])

    replay = by_hand(calm, tmp_path / "s") if model == "quote" else scenario(chance, tmp_path / "s", MODELS["bar"])
    live(replay, play)
    assert told == [
        ("SAFE", f"SAFE: {why}", 2),
        [
            "paused: no new entries; exits and stops go on",
            "halted: entries and exits stop, protective stops stay",
            "released halt; rung SAFE",
            "flattening 2 of 2 symbols; no new entries before resume",
            "resumed; rung SAFE",
        ],
        [
            ("brake", True), ("candles", False), ("door", True), ("feed", False), ("heart", True), ("market", True),
            ("orders", True), ("recorder", True), ("risk", True), ("senses", True), ("strategy", False),
        ],
    ]  # fmt: skip
    assert query(tmp_path / "s", "SELECT * FROM positions") == []
    assert query(tmp_path / "s", "SELECT ts FROM orders WHERE role = 'entry' AND ts >= ?", minute(93)) == []
    sound(tmp_path / "s")


def test_crashes_in_safe_are_borne_and_it_stays_safe(
    calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing(monkeypatch, "strategy", six(since("strategy", minute(92))))
    crashing(monkeypatch, "risk", at(*range(3000, 3005)))
    d = live(by_hand(calm, tmp_path / "s"))
    assert (d.house.vitals.crashes, len(d.worlds)) == ({"strategy": 6, "risk": 5}, 12)
    assert entries(tmp_path / "s") == [75, 90]
    sound(tmp_path / "s")


def test_too_many_crashes_in_safe_give_up(calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing(monkeypatch, "strategy", six(since("strategy", minute(92))))
    crashing(monkeypatch, "risk", at(*range(3000, 3006)))
    with pytest.RaisesGroup(
        pytest.RaisesExc(GaveUp, match=r"^actor risk crashed, more often than 5 times in 60 s: Ray$")
    ):
        live(by_hand(calm, tmp_path / "s"))
    sound(tmp_path / "s")


def test_a_safe_process_that_is_restarted_is_whole_again_once_it_has_warmed_up_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bars of SAFE are not known: nothing is decided on indicators that lack them."""
    for n, symbol in enumerate(MODELS["quote"]):
        write_path(tmp_path, symbol, 10_000 + np.cumsum(np.random.default_rng(n).integers(-1, 2, 180 * 12)))

    async def stops(d: Living) -> None:
        await d.until(minute(96))
        d.leaving.set()

    with monkeypatch.context() as patch:
        crashing(patch, "candles", six(since("candles", minute(86))))
        assert live(by_hand(tmp_path, tmp_path / "s"), stops).house.vitals.safe
    assert entries(tmp_path / "s") == [75]
    d = live(by_hand(tmp_path, tmp_path / "s"))
    assert (d.house.vitals.safe, d.house.vitals.crashes) == ("", {})
    assert query(tmp_path / "s", "SELECT count(*) FROM journal WHERE kind = 'blind'") == [(1,)]
    first, second = entries(tmp_path / "s")[:2]
    assert (first, second >= 86 + MATURE) == (75, True)
    assert d.pages["/readyz"] == (200, "ready\n")
    sound(tmp_path / "s")


# -- given up


@pytest.mark.parametrize("actor", ["recorder", "orders", "risk"])
def test_without_the_protectors_there_is_no_going_on(
    actor: str, chance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next process goes on."""
    first = 10 if actor == "recorder" else 100  # it is told of nothing that nobody waits for
    why = f"^actor {actor} crashed, more often than 5 times in 60 s: Ray$"
    with monkeypatch.context() as patch:
        crashing(patch, actor, at(*range(first, first + 6)))
        with pytest.RaisesGroup(pytest.RaisesExc(GaveUp, match=why)):
            live(scenario(chance, tmp_path / "s", MODELS["quote"]))
    live(scenario(chance, tmp_path / "s", MODELS["quote"]))
    sound(tmp_path / "s")


@pytest.mark.parametrize("actor", ["control", "heart", "http"])
def test_neither_is_there_without_those_who_tell(
    actor: str, chance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crashes(*args: Any) -> None:
        await trio.lowlevel.checkpoint()
        raise Ray

    monkeypatch.setattr(page, actor, crashes)
    why = f"^actor {actor} crashed, more often than 5 times in 60 s: Ray$"
    options: dict[str, Any] = {"control": {"socket": object()}, "http": {"page": object()}}.get(actor, {})
    with pytest.RaisesGroup(pytest.RaisesExc(GaveUp, match=why)):
        live(scenario(chance, tmp_path / "s", MODELS["bar"]), **options)


def test_a_full_back_edge_is_a_crash_and_loud(chance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "BACK", 0)
    with pytest.RaisesGroup(pytest.RaisesExc(GaveUp, match="WouldBlock")):
        live(scenario(chance, tmp_path / "s", MODELS["quote"]))


def test_the_last_crash_decides_who_is_to_blame(chance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five of the strategy's, then one of risk: that is no reason to do without the strategy."""
    crashing(monkeypatch, "strategy", at(1, 2, 3, 4, 5))
    crashing(monkeypatch, "risk", at(400))
    with pytest.RaisesGroup(pytest.RaisesExc(GaveUp, match=r"^actor risk crashed")):
        live(scenario(chance, tmp_path / "s", MODELS["bar"]))


# -- looked after


def in_a_row(pings: list[float]) -> float:
    """The longest gap."""
    return max(b - a for a, b in itertools.pairwise(pings))


@pytest.mark.parametrize("actor", ACTORS)
def test_an_actor_that_hangs_is_named_and_the_watchdog_is_told_no_more(
    actor: str, chance: Path, wholes: dict[str, Whole], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = hanging(monkeypatch, actor, at(wholes["quote"].messages[actor] // 2))
    seen: list[Any] = []

    async def play(d: Living) -> None:
        await hung.wait()
        since = trio.current_time()
        await trio.sleep(60.0)
        seen.append([t for t in d.said.times("WATCHDOG=1") if t > since + STUCK + BEAT])
        seen.append((d.page("/livez"), d.page("/readyz")))
        d.leaving.set()

    live(scenario(chance, tmp_path / "s", MODELS["quote"]), play)
    late, ((status, body), (unready, why)) = seen
    assert (late, status, unready) == ([], 503, 503)
    assert body.startswith("stuck: ")
    assert re.search(rf"\b{actor} (58|59|60) s\b", body)
    assert why.startswith("stuck: ")


def test_what_hangs_before_it_has_begun_is_named_too(
    chance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never asks for its first message, and so the others wait for ever."""
    monkeypatch.setattr(page, "orders", hangs)
    seen: list[Any] = []

    async def play(d: Living) -> None:
        await trio.sleep(60.0)
        seen.append((d.page("/livez"), d.page("/readyz"), d.said.words))
        d.leaving.set()

    live(scenario(chance, tmp_path / "s", MODELS["quote"]), play)
    ((alive, body), ready, words) = seen[0]
    assert (ready, words) == ((503, "starting\n"), [])
    assert (alive, re.search(r"orders (59|60) s", body) is not None) == (503, True)


def test_a_quiet_that_never_comes_is_the_feeds_to_tell(chance: Path, tmp_path: Path) -> None:
    seen: list[Any] = []

    async def play(d: Living) -> None:
        await d.until(minute(20))
        d.controllers[-1]._wire._traffic.sent()  # a message that nobody will ever deal with
        lost = trio.current_time()
        await trio.sleep(60.0)
        seen.append((d.page("/livez"), [t for t in d.said.times("WATCHDOG=1") if t > lost + STUCK + BEAT]))
        d.leaving.set()

    live(scenario(chance, tmp_path / "s", MODELS["quote"]), play)
    ((status, body), late) = seen[0]
    assert (status, bool(re.match(r"stuck: feed (58|59|60) s\b", body)), late) == (503, True, [])


def test_pings_go_on_while_nothing_happens_for_an_hour(chance: Path, tmp_path: Path) -> None:
    async def play(d: Living) -> None:
        await trio.sleep(3600.0)
        d.leaving.set()

    d = live(scenario(chance, tmp_path / "s", MODELS["bar"], speed=0.01), play, patience=4000.0)
    pings = d.said.times("WATCHDOG=1")
    assert (len(pings) > 1000, in_a_row(pings) <= d.said.interval + BEAT + 0.1) == (True, True)


def test_pings_go_on_at_full_speed(chance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every commit takes half a second of the machine, in which nobody else has the loop."""
    commit, daemons = SQLiteStore.commit, list[Living]()

    def slow(*args: Any, **kwargs: Any) -> None:
        commit(*args, **kwargs)
        daemons[0].clock.jump(0.5)

    monkeypatch.setattr(SQLiteStore, "commit", slow)
    monkeypatch.setattr(Living, "__init__", noted(Living.__init__, daemons))
    d = live(scenario(chance, tmp_path / "s", MODELS["quote"], speed=0.0))
    pings = d.said.times("WATCHDOG=1")
    assert (len(pings) >= 5, in_a_row(pings) <= d.said.interval + 2 * BEAT) == (True, True)


def noted(init: Callable[..., None], into: list[Living]) -> Callable[..., None]:
    def noting(self: Living, *args: Any) -> None:
        init(self, *args)
        into.append(self)

    return noting


def test_a_commit_that_takes_long_delays_the_pings_by_no_more_than_itself(
    chance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the loop stands nobody can ping; once it goes on, nobody is to blame."""
    commit, daemons, count = SQLiteStore.commit, list[Living](), itertools.count()

    def slow(*args: Any, **kwargs: Any) -> None:
        commit(*args, **kwargs)
        if next(count) == 40:
            daemons[0].clock.jump(15.0)

    monkeypatch.setattr(SQLiteStore, "commit", slow)
    monkeypatch.setattr(Said, "interval", 10.0)
    monkeypatch.setattr(Living, "__init__", noted(Living.__init__, daemons))
    d = live(scenario(chance, tmp_path / "s", MODELS["quote"], speed=120.0))
    pings = d.said.times("WATCHDOG=1")
    assert (len(pings) > 5, in_a_row(pings) < 10.0 + 15.0 + 2 * BEAT) == (True, True)


def test_pings_go_on_in_safe(calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing(monkeypatch, "strategy", six(since("strategy", minute(2))))
    d = live(by_hand(calm, tmp_path / "s", speed=60.0))
    pings = d.said.times("WATCHDOG=1")
    assert d.house.vitals.safe
    assert (pings[-1] > 100.0, in_a_row(pings) <= d.said.interval + BEAT + 0.1) == (True, True)


def test_systemd_hears_ready_once_and_a_status_for_each_life(
    calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing(monkeypatch, "strategy", six(since("strategy", minute(2))))
    began: list[bool] = []
    ready = House.ready

    def noting(self: House) -> None:
        began.append(all(box.taken == 0 and box.idle for box in self.vitals.boxes.values()) and self.vitals.ready)
        ready(self)

    monkeypatch.setattr(House, "ready", noting)

    async def play(d: Living) -> None:
        await d.until(minute(10))
        d.leaving.set()
        d.house.leaving()

    d = live(by_hand(calm, tmp_path / "s"), play)
    why = "actor strategy crashed, more often than 5 times in 60 s: Ray"
    said = [word for _, word in d.said.words if word != "WATCHDOG=1"]
    assert said == [
        "READY=1", *["STATUS=trading"] * 6, f"STATUS=SAFE: {why}", "STOPPING=1", "STATUS=leaving",
    ]  # fmt: skip
    assert len(began) == 7


# -- leaving


def test_entries_under_way_are_canceled_when_we_go_and_stops_stay(waiting: Path, tmp_path: Path) -> None:
    async def play(d: Living) -> None:
        await d.until(minute(90) + LATENCY)
        d.leaving.set()

    live(by_hand(waiting, tmp_path / "s", speed=60.0), play, parting=True)
    sql = "SELECT slot, state, filled, canceling IS NOT NULL FROM orders WHERE ts = ? AND role = 'entry'"
    under_way = query(tmp_path / "s", sql, minute(90))
    assert under_way == [(0, "live", 0, 1), (1, "live", 0, 1)]
    live(by_hand(waiting, tmp_path / "s"))
    after = query(tmp_path / "s", "SELECT slot, state, filled FROM orders WHERE ts = ? AND role = 'entry'", minute(90))
    assert after == [(0, "canceled", 0), (1, "canceled", 0)]
    sound(tmp_path / "s")


def test_stops_stay_when_we_go(calm: Path, tmp_path: Path) -> None:
    async def play(d: Living) -> None:
        await d.until(minute(93))
        d.leaving.set()

    live(by_hand(calm, tmp_path / "s"), play, parting=True)
    assert query(tmp_path / "s", "SELECT slot, qty FROM positions") == [(0, 100), (1, 100)]
    sound(tmp_path / "s")


@pytest.mark.parametrize("actor", ACTORS)
def test_an_actor_that_hangs_keeps_nobody_from_going(
    actor: str, chance: Path, wholes: dict[str, Whole], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = hanging(monkeypatch, actor, at(wholes["quote"].messages[actor] // 3))
    told: list[float] = []

    async def play(d: Living) -> None:
        await hung.wait()
        told.append(trio.current_time())
        d.leaving.set()

    d = live(scenario(chance, tmp_path / "s", MODELS["quote"]), play, parting=True)
    assert d.gone - told[0] <= PARTING + 0.1
    sound(tmp_path / "s")


def test_what_hangs_before_it_has_begun_keeps_nobody_from_going(
    chance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "risk", hangs)

    async def play(d: Living) -> None:
        d.leaving.set()

    assert live(scenario(chance, tmp_path / "s", MODELS["bar"]), play, parting=True).gone <= PARTING + 0.1


def test_a_crash_while_we_go_keeps_nobody_from_going(
    waiting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next life has the same wish, and the entry is canceled in it."""
    crashing(monkeypatch, "risk", once(lambda m: isinstance(getattr(m, "question", None), Leave)))

    async def play(d: Living) -> None:
        await d.until(minute(90) + LATENCY)
        d.leaving.set()

    d = live(by_hand(waiting, tmp_path / "s", speed=60.0), play, parting=True)
    assert d.house.vitals.crashes == {"risk": 1}
    orders = query(tmp_path / "s", "SELECT canceling IS NOT NULL FROM orders WHERE ts = ?", minute(90))
    assert orders == [(1,), (1,)]


# -- commands


def test_a_flatten_that_comes_before_the_market_does_is_dated_by_the_journal(calm: Path, tmp_path: Path) -> None:
    """The first thing that a new life hears; the clock of its market has not begun to go."""

    async def stops(d: Living) -> None:
        await d.until(minute(93))
        d.leaving.set()

    live(by_hand(calm, tmp_path / "s"), stops)
    assert query(tmp_path / "s", "SELECT slot, qty FROM positions") == [(0, 100), (1, 100)]
    told: list[Any] = []

    async def flattens(d: Living) -> None:
        told.append(await d.ask("flatten", id="out"))

    d = live(by_hand(calm, tmp_path / "s"), flattens)
    assert told == [{"id": "out", "ok": True, "text": "flattening 2 of 2 symbols; no new entries before resume"}]
    assert (d.house.vitals.crashes, query(tmp_path / "s", "SELECT * FROM positions")) == ({}, [])
    ((at,),) = query(tmp_path / "s", "SELECT ts FROM commands")
    assert at >= minute(92)
    assert entries(tmp_path / "s") == [75, 90]


@pytest.mark.parametrize("seed", range(3))
def test_a_command_that_comes_before_the_market_does_is_obeyed_and_the_market_goes_on(
    seed: int, chance: Path, tmp_path: Path
) -> None:
    told: list[Any] = []

    async def play(d: Living) -> None:
        told.append((await d.ask("pause", id="first"))["ok"])
        await trio.sleep(STUCK + BEAT)
        told.append((d.page("/livez"), d.market > 0))
        d.leaving.set()

    live(scenario(chance, tmp_path / "s", MODELS["bar"]), play, seed=seed, patience=60.0)
    assert told == [True, ((200, "alive\n"), True)]


def test_what_is_commanded_while_the_tape_is_fed_again_is_not_dated_before_what_is_known(
    calm: Path, tmp_path: Path
) -> None:
    """A new life sees the last minutes again; its commands belong after them."""

    async def stops(d: Living) -> None:
        await d.until(minute(93.4))
        d.leaving.set()

    live(by_hand(calm, tmp_path / "s"), stops)
    ((last,),) = query(tmp_path / "s", "SELECT max(ts) FROM journal")

    async def pauses(d: Living) -> None:
        while not d.market:
            await trio.lowlevel.checkpoint()
        assert d.market < last
        await d.ask("pause")

    live(by_hand(calm, tmp_path / "s", speed=60.0), pauses)
    assert query(tmp_path / "s", "SELECT ts >= ? FROM commands", last) == [(1,)]


def test_a_paused_symbol_is_left_and_not_entered_until_it_is_resumed(calm: Path, tmp_path: Path) -> None:
    why: list[Any] = []

    async def play(d: Living) -> None:
        await d.until(minute(80))
        await d.ask("pause", symbol="AAA")
        await d.until(minute(91))
        why.append((await d.ask("why", symbol="AAA"))["why"])
        why.append((await d.ask("why", symbol="BBB"))["why"])
        await d.ask("resume", symbol="AAA")

    live(by_hand(calm, tmp_path / "s", speed=60.0), play)
    sql = "SELECT (ts - ?) / 60000000000 FROM orders WHERE role = ? AND slot = ? ORDER BY n"
    of = {
        (role, slot): [m for (m,) in query(tmp_path / "s", sql, minute(0), role, slot)]
        for role in ("entry", "exit")
        for slot in (0, 1)
    }
    assert of == {("entry", 0): [75, 105], ("exit", 0): [85], ("entry", 1): [75, 90, 105], ("exit", 1): [85, 100]}
    assert ("the symbol is paused by the operator" in why[0], "ordered 199" in why[1]) == (True, True)
    ((judged,),) = query(tmp_path / "s", "SELECT judged FROM decisions WHERE slot = 0 AND ts = ?", minute(90))
    assert journal.read(journal.Judged, judged).gate == codes.PAUSED


def test_a_pause_cancels_an_entry_under_way_and_no_other(waiting: Path, tmp_path: Path) -> None:
    async def play(d: Living) -> None:
        await d.until(minute(90) + LATENCY)
        await d.ask("pause", symbol="BBB")

    live(by_hand(waiting, tmp_path / "s", speed=60.0), play)
    orders = query(tmp_path / "s", "SELECT slot, state, filled FROM orders WHERE role = 'entry' AND ts = ?", minute(90))
    assert orders == [(0, "canceled", 100), (1, "canceled", 0)]
    sound(tmp_path / "s")


@pytest.mark.parametrize("cmd", ["pause", "flatten"])
def test_a_flatten_and_a_pause_are_obeyed_through_crashes_and_restarts(
    cmd: str, calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(d: Living) -> None:
        await d.until(minute(93))
        await d.ask(cmd, symbol="AAA")
        await d.until(minute(96))
        d.leaving.set()

    crashing(monkeypatch, "orders", at(60, 61))
    live(by_hand(calm, tmp_path / "s", speed=60.0), play)
    d = live(by_hand(calm, tmp_path / "s"))
    assert d.house.vitals.crashes == {}
    sql = "SELECT (ts - ?) / 60000000000 FROM orders WHERE role = 'entry' AND slot = 0 ORDER BY n"
    assert [m for (m,) in query(tmp_path / "s", sql, minute(0))] == [75, 90]
    left = {"pause": 100, "flatten": 93}[cmd]
    sql = "SELECT max((ts - ?) / 60000000000) FROM orders WHERE role = 'exit' AND slot = 0"
    assert query(tmp_path / "s", sql, minute(0)) == [(left,)]
    sound(tmp_path / "s")


@pytest.mark.parametrize("cmd", ["flatten", "pause", "halt"])
def test_what_is_commanded_after_hours_is_not_lost_over_a_death_and_a_night(cmd: str, tmp_path: Path) -> None:
    """The stop stays over night; a flattened position is left at the open, a paused or halted one later or never."""
    first, second = sessions(FIRST, NEXT)
    spans = [(first.open, 112 * 12), (first.close, 24), (second.open, 20 * 12)]
    ts = np.concatenate([opened + np.arange(n) * STEP for opened, n in spans])
    for n, symbol in enumerate(MODELS["quote"]):
        cents = walk(n)
        write_path(tmp_path, symbol, np.concatenate([cents, np.full(len(ts) - len(cents), cents[-1])]), ts)

    async def play(d: Living) -> None:
        await d.until(first.close + MINUTE)
        assert (await d.ask(cmd, id="night"))["ok"]
        raise Killed

    with pytest.raises((BaseExceptionGroup, Killed)):
        live(by_hand(tmp_path, tmp_path / "s"), play)
    assert query(tmp_path / "s", "SELECT slot, qty FROM positions") == [(0, 100), (1, 100)]
    sound(tmp_path / "s")
    live(by_hand(tmp_path, tmp_path / "s"))
    after = "SELECT DISTINCT role, (ts - ?) / 60000000000 FROM orders WHERE ts > ? AND role != 'stop' ORDER BY ts, role"
    done = query(tmp_path / "s", after, second.open, first.close)
    assert {"flatten": done == [("exit", 0)], "pause": [role for role, _ in done] == ["exit"], "halt": done == []}[cmd]
    sound(tmp_path / "s")


@contextmanager
def killed(n: int, before: bool) -> Iterator[Fence]:
    """Dies of its n-th commit, ours or the venue's; it must."""
    fence = Fence(n, before)
    with fence.up(), pytest.raises((BaseExceptionGroup, Killed)) as death:
        yield fence
    assert not isinstance(death.value, BaseExceptionGroup) or death.value.split(Killed)[1] is None


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_command_asked_again_after_any_death_is_obeyed_once(before: bool, calm: Path, tmp_path: Path) -> None:
    """Killed at each commit around it, begun again, and asked again under its id: one row, one answer, one effect."""
    commits = Fence(10**9, before=True)
    at: list[int] = []
    answers: list[Any] = []

    async def play(d: Living) -> None:
        await d.until(minute(93))
        at.append(commits.commits)
        answers.append(await d.ask("flatten", symbol="AAA", id="out"))

    with commits.up():
        live(by_hand(calm, tmp_path / "whole"), play)
    for n in range(at[0], at[0] + 7):
        state = tmp_path / f"{n}"
        with killed(n, before):
            live(by_hand(calm, state), play)
        live(by_hand(calm, state), play)
        assert query(state, "SELECT verb, id, count(*) FROM commands") == [("flatten", "out", 1)], n
        assert query(state, "SELECT slot FROM pauses") == [(0,)]
        sql = "SELECT (ts - ?) / 60000000000, filled FROM orders WHERE role = 'exit' AND slot = 0"
        exits = query(state, sql, minute(0))
        assert exits == [(85, 100), (93, 100)], n
        sound(state)
    assert len(answers) > 7
    assert [a for a in answers if a != answers[0]] == []


def test_a_command_during_a_crash_has_an_answer_or_a_clean_error_in_time(
    chance: Path, wholes: dict[str, Whole], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recorder dies of the command itself, with the command in its hands."""
    crashing(monkeypatch, "risk", lambda m: getattr(getattr(m, "question", None), "id", "") == "deadly")
    told: list[Any] = []

    async def play(d: Living) -> None:
        await d.until(minute(93))
        asked = trio.current_time()
        told.append(await d.ask("pause", id="deadly"))
        told.append(trio.current_time() - asked <= PATIENCE + 0.1)
        told.append((await d.ask("pause", id="harmless"))["ok"])

    d = live(scenario(chance, tmp_path / "s", MODELS["quote"], speed=60.0), play)
    assert d.house.vitals.crashes == {"risk": 1}
    assert (told[0]["ok"], told[0]["kind"], told[1:]) == (False, "busy", [True, True])
    assert query(tmp_path / "s", "SELECT id FROM commands") == [("harmless",)]


def test_a_thousand_ids_are_remembered_and_an_older_one_asked_again_hurts_nobody(chance: Path, tmp_path: Path) -> None:
    texts: list[Any] = []

    async def play(d: Living) -> None:
        await d.until(minute(20))
        for i in range(1001):
            await d.ask("pause", id=str(i))
        texts.extend([await d.ask("pause", id="0"), await d.ask("resume", id="1000")])
        d.leaving.set()

    d = live(scenario(chance, tmp_path / "s", MODELS["bar"], speed=60.0), play)
    assert d.house.vitals.crashes == {}
    assert (texts[0]["ok"], texts[0]["text"][:6]) == (True, "paused")
    other = {
        "id": "1000",
        "ok": False,
        "kind": "refused",
        "error": "id 1000 was another command, a pause; nothing done",
    }
    assert texts[1] == other
