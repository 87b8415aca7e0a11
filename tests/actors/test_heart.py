"""Virtual time: an hour of beats costs none."""

import itertools

import pytest
import trio
import trio.testing

from fluxhero.actors.heart import BEAT, heart
from fluxhero.runtime.channels import Traffic, box
from fluxhero.runtime.vitals import STUCK, Vitals


class Host:
    """Its sleep is late by as much as it is told."""

    def __init__(self, late: float = 0.0) -> None:
        self.late = late

    def now(self) -> float:
        return trio.current_time()

    def wall(self) -> int:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds + self.late)


class Notify:
    def __init__(self, interval: float) -> None:
        self.interval = interval
        self.said: list[tuple[float, str]] = []

    def __call__(self, words: str) -> None:
        self.said.append((trio.current_time(), words))

    @property
    def pings(self) -> list[float]:
        return [at for at, words in self.said if words == "WATCHDOG=1"]


class Patient:
    """A heart with one actor to look after, whose work is `taken` while it is not `idle`."""

    def __init__(self, interval: float = 2.0, late: float = 0.0) -> None:
        self.traffic, self.vitals, self.notify = Traffic(), Vitals(), Notify(interval)
        self.host, self.ready, self.late = Host(late), list[float](), list[float]()
        self.outbox, self.inbox = box(8, self.traffic)
        self.beats = itertools.count()

    async def __call__(self) -> None:
        self.vitals.born({"worker": self.inbox}, lambda: next(self.beats), trio.current_time())
        await heart(
            self.host,  # type: ignore[arg-type]
            self.traffic,
            self.vitals,
            self.notify,
            lambda: self.ready.append(trio.current_time()),
            self.late.append,
        )

    async def begins(self) -> None:
        """The worker asks for its first message, and waits."""
        with trio.move_on_after(0):
            await anext(self.inbox)

    async def works(self, seconds: float) -> None:
        """Takes a message and is done with it after so long."""
        await self.outbox.send("work")
        await anext(self.inbox)
        await trio.sleep(seconds)
        await self.begins()


def gaps(times: list[float]) -> list[float]:
    return [b - a for a, b in itertools.pairwise(times)]


async def test_it_is_silent_until_every_actor_has_begun(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    patient = Patient()
    nursery.start_soon(patient)
    await trio.sleep(100)
    assert (patient.notify.said, patient.ready, patient.vitals.ready) == ([], [], False)
    began = trio.current_time()
    await patient.begins()
    await trio.sleep(5)
    assert (patient.ready, patient.vitals.ready) == ([began], True)
    assert patient.notify.pings == [began, began + 2, began + 4]


@pytest.mark.parametrize("interval", [0.1, 0.5, 1.0, 3.3, 10.0, 20.0])
@pytest.mark.parametrize("late", [0.0, 0.003])
async def test_it_pings_no_later_than_a_beat_after_each_interval(
    interval: float, late: float, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    patient = Patient(interval, late)
    nursery.start_soon(patient)
    await patient.begins()
    await trio.sleep(200)
    pings = patient.notify.pings
    assert max(gaps(pings)) <= interval + BEAT + late
    assert (min(gaps(pings)) >= interval, patient.vitals.pings == len(pings)) == (True, True)


@pytest.mark.parametrize("phase", range(8))
async def test_whoever_does_not_get_on_ends_the_pings_until_he_does(
    phase: int, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    patient = Patient(interval=8.0)
    nursery.start_soon(patient)
    await patient.begins()
    await trio.sleep(30.5 + phase)
    began = trio.current_time()
    await patient.works(60)
    got_on = trio.current_time()
    await trio.sleep(20)
    silent = [t for t in patient.notify.pings if began + STUCK + BEAT < t < got_on]
    resumed = min(t for t in patient.notify.pings if t >= got_on)
    assert (silent, resumed - got_on <= BEAT) == ([], True)


async def test_work_that_ends_within_ten_seconds_is_no_trouble(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    patient = Patient(interval=2.0)
    nursery.start_soon(patient)
    await patient.begins()
    for _ in range(20):
        await patient.works(STUCK - BEAT - 0.1)
    assert max(gaps(patient.notify.pings)) <= 3.0


@pytest.mark.parametrize("phase", range(10))
async def test_a_loop_that_stood_still_is_nobodys_fault_and_the_pings_go_on_at_once(
    phase: int, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    """A commit of 12 s in the loop: while it lasts nobody can ping. systemd allows three intervals."""
    patient = Patient(interval=10.0)
    nursery.start_soon(patient)
    await patient.begins()
    await trio.sleep(20 + phase)
    await patient.outbox.send("work")
    await anext(patient.inbox)
    autojump_clock.jump(12.0)
    stood = trio.current_time()
    await trio.sleep(0.5)
    await patient.begins()
    await trio.sleep(30)
    before, after = (t for t in _around(patient.notify.pings, stood))
    assert after - before <= 10.0 + 12.0 + BEAT


def _around(times: list[float], moment: float) -> tuple[float, float]:
    return max(t for t in times if t < moment - 6.0), min(t for t in times if t >= moment)


async def test_a_source_that_does_not_stir_is_stuck(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    patient = Patient()
    patient.beats = itertools.chain(range(5), itertools.repeat(5))  # type: ignore[assignment]
    nursery.start_soon(patient)
    await patient.begins()
    await trio.sleep(30)
    assert patient.vitals.trouble.startswith("stuck: feed 2")
    assert max(patient.notify.pings) <= 5 + STUCK + BEAT


async def test_it_says_by_how_much_each_beat_was_late(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    patient = Patient(late=0.25)
    nursery.start_soon(patient)
    await patient.begins()
    await trio.sleep(5.1)
    assert [round(s, 9) for s in patient.late] == [0.25] * 4
