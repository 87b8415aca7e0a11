"""A halt by signal, by file and with a disk that hangs: it holds, through kill -9 and restarts, until its release."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trio

from fluxhero import replay
from fluxhero.brokers.paper import Paper
from fluxhero.cli import main
from fluxhero.core import journal
from fluxhero.core.ladder import Rung
from fluxhero.messages import Cancel, Order, Role
from fluxhero.store.sentinel import FILE, HaltFile
from tests.simulation.surviving import death
from tests.simulation.test_arms import MODELS, Living, by_hand, live, minute, walk, write_path
from tests.simulation.world import Killed
from tests.test_run import SOON, Running, configured, query, wait_for

LONG = 40  # minutes of the market: two beats of every symbol
WITHIN = 2.0  # s from a halt to its cancels at the broker

Start = Callable[[], Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Lives of one state, none of which is left."""
    config, lives = configured(tmp_path, speed=1200), list[Running]()

    def begin() -> Running:
        state = tmp_path / "s"
        lives.append(Running(state, "--state", state, "--config", config).ready())
        return lives[-1]

    yield begin
    for running in lives:
        running.kill()


def entries(state: Path) -> int:
    return int(query(state, "SELECT count(*) FROM orders WHERE role = 'entry'")[0][0])


def seals(state: Path) -> int:
    return int(query(state, "SELECT count(*) FROM journal WHERE kind = 'seal'")[0][0])


def passes(running: Running, minutes: int = LONG) -> None:
    until = seals(running.state) + minutes
    wait_for(lambda: seals(running.state) >= until or running.process.poll() is not None)


def halted(running: Running) -> None:
    wait_for(lambda: running.ask(cmd="status")["rung"] == "HALTED", SOON)
    assert running.ask(cmd="status")["trips"] == ["halt"]


def held_until_released(start: Start, running: Running) -> None:
    """Through a kill; and once it is released they go on."""
    state, before = running.state, entries(running.state)
    running.kill()
    again = start()
    halted(again)
    passes(again)
    assert (entries(state), (state / FILE).exists()) == (before, True)
    assert main(["ctl", "--state", str(state), "release", "halt", "--reason", "we have looked"]) == 0
    assert (again.ask(cmd="status")["rung"], (state / FILE).exists()) == ("NORMAL", False)
    wait_for(lambda: entries(state) > before)
    trips = "SELECT trip, count(*), sum(released IS NULL) FROM trips GROUP BY trip"
    assert query(state, trips) == [("halt", 1, 0)]
    again.kill()
    assert main(["verify", "--state", str(state)]) == 0


def test_a_signal_halts_through_kills_until_the_halt_is_released(start: Start) -> None:
    running = start()
    wait_for(lambda: bool(query(running.state, "SELECT 1 FROM fills")))
    running.process.send_signal(signal.SIGUSR1)
    halted(running)
    held_until_released(start, running)


def test_who_is_killed_with_the_signal_is_halted_when_he_begins_again(start: Start) -> None:
    running = start()
    wait_for(lambda: bool(query(running.state, "SELECT 1 FROM fills")))
    running.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: (running.state / FILE).exists())
    held_until_released(start, running)


@pytest.mark.parametrize("lives", [True, False], ids=["while it lives", "while it is dead"])
def test_a_file_written_by_hand_halts_through_kills_until_the_halt_is_released(lives: bool, start: Start) -> None:
    running = start()
    wait_for(lambda: bool(query(running.state, "SELECT 1 FROM fills")))
    if not lives:
        running.kill()
    (running.state / FILE).write_text("the operator does not like the look of it\n")
    if lives:
        halted(running)
    held_until_released(start, running)
    ((cause,),) = query(running.state, "SELECT cause FROM trips")
    assert cause == "the operator does not like the look of it"


# -- a disk that hangs


class Disk:
    """An Offload that does not answer while it hangs."""

    def __init__(self) -> None:
        self.hangs = False

    async def __call__(self, work: Callable[[], Any]) -> Any:
        if self.hangs:
            await trio.sleep_forever()
        return work()


class Sent(NamedTuple):
    at: float  # s of host time
    what: Order | Cancel


@pytest.fixture(scope="module")
def resting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From minute 90 on nobody takes the entries for 45 s."""
    folder = tmp_path_factory.mktemp("resting")
    for n, symbol in enumerate(MODELS["quote"]):
        cents = walk(n)
        cents[90 * 12 : 90 * 12 + 9] += 50
        write_path(folder, symbol, cents)
    return folder


def lived(data: Path, state: Path, speed: float, play: Callable[[Living], Awaitable[None]]) -> None:
    """To its end, or until it is killed."""
    try:
        live(by_hand(data, state, speed=speed), play)
    except BaseException as e:
        if not death(e):
            raise


def test_a_halt_needs_no_disk(resting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The brake at once, cancels soon, the rows in the file; and in the journal once, at the next start."""
    state, disk, sent, seen = tmp_path / "s", Disk(), list[Sent](), list[Any]()
    post = Paper.post

    def posted(self: Paper, what: Order | Cancel) -> None:
        sent.append(Sent(trio.current_time(), what))
        post(self, what)

    async def begins(d: Living) -> None:
        await d.until(minute(89.9))
        d.leaving.set()

    async def halts(d: Living) -> None:
        await d.until(minute(90.2))
        disk.hangs = True
        asked = trio.current_time()
        seen.append((await d.ask("halt", reason="the disk is dead"))["ok"])
        seen.append((d.house.brake.rung, trio.current_time() - asked <= WITHIN))
        await trio.sleep(10)
        seen.append(asked)
        raise Killed

    async def looks(d: Living) -> None:
        await d.until(minute(92))
        seen.append((await d.ask("status"))["rung"])
        d.leaving.set()

    monkeypatch.setattr(replay, "inline", disk)
    monkeypatch.setattr(Paper, "post", posted)
    lived(resting, state, 600.0, begins)
    lived(resting, state, 1.0, halts)
    asked = seen.pop()
    entered = {s.what.cid for s in sent if isinstance(s.what, Order) and s.what.role is Role.ENTRY and s.at < asked}
    after = [s for s in sent if s.at >= asked]
    assert seen[:2] == [True, (Rung.HALTED, True)]
    assert ([s.what for s in after if isinstance(s.what, Order)], len(entered) > 0) == ([], True)
    canceled = {s.what.cid: s.at - asked for s in after if s.at - asked <= WITHIN}
    live = query(state, "SELECT cid FROM orders WHERE state = 'live' AND role = 'entry'")
    assert set(canceled) == {cid for (cid,) in live}
    stands = HaltFile(state).read()
    assert stands is not None
    rows = [journal.decode(body) for body in stands[1]]
    assert {type(row) for row in rows} >= {journal.Tripped, journal.Canceling}
    disk.hangs = False
    lived(resting, state, 1.0, looks)
    kept = [body for (body,) in query(state, "SELECT body FROM journal")]
    assert (seen[-1], [kept.count(body) for body in stands[1]]) == ("HALTED", [1] * len(rows))
    assert query(state, "SELECT trip, cause FROM trips") == [("halt", "the disk is dead")]
    assert main(["verify", "--state", str(state)]) == 0
