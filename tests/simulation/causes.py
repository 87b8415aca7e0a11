"""The ways in which trips come about, and go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from fluxhero.core.ladder import Rung, Trip
from fluxhero.messages import MINUTE, SECOND, Command, Event, Nanos, Outcome, Sensed, Verb
from fluxhero.runtime.channels import ask
from tests.simulation.midst import EVERY
from tests.simulation.tripping import GLANCED, Act, Cause, Hand, Life

USD = 1_000_000
SEALED, SILENT = Nanos(70 * SECOND), Nanos(150 * SECOND)  # by when it has come about
LASTING = Nanos((EVERY + 1) * MINUTE)  # two marks in a row are to be had soon after an entry alone


async def halts(hand: Hand, life: Life, e: Event) -> None:
    outcome: Outcome = await ask(life.own, Command(verb=Verb.HALT, reason="we want it"))
    assert outcome.ok


async def releases(hand: Hand, life: Life, e: Event) -> None:
    """By the operator; a day's loss is over by then, for as long as it lasts it trips again."""
    life.watch.account["day_base"] = life.watch.account["equity"]
    await ask(life.own, Command(verb=Verb.RELEASE, trip=hand.cause.trip, reason="we have looked"))


def worth(name: str, times: float) -> Act:
    """Equity was so much more."""

    async def bring(hand: Hand, life: Life, e: Event) -> None:
        life.watch.account[name] = int(life.watch.account["equity"][0] * times)

    return bring


async def exceeds(hand: Hand, life: Life, e: Event) -> None:
    """As the last function before the broker says it."""
    life.own.send_nowait(Sensed(trip=hand.cause.trip, over=True, cause="the test", value=1.0, limit=0.0))


def senses(over: bool) -> Act:
    async def bring(hand: Hand, life: Life, e: Event) -> None:
        await ask(life.own, Sensed(trip=hand.cause.trip, over=over, cause="the test", value=1.0, limit=0.0))

    return bring


def books(told: Callable[[Event], dict[str, Any]]) -> Act:
    """The desk tells risk, beside what it has told before."""

    async def bring(hand: Hand, life: Life, e: Event) -> None:
        news = {"rounds": (), "flows": (), "rejects": (), "fled": (), "resent": (), **told(e)}
        life.own.send_nowait(msgspec.structs.replace(life.watch.book, ts=e.ts, **news))

    return bring


def silence(is_: bool) -> Act:
    async def bring(hand: Hand, life: Life, e: Event) -> None:
        hand.silent = is_

    return bring


def deposits(by: int) -> Act:
    """Somebody moves cash at the broker; that is his word, as long as it stands."""

    async def bring(hand: Hand, life: Life, e: Event) -> None:
        if hand.moved is (by < 0):
            hand.venue.cash += by
            hand.moved = by > 0

    return bring


async def signals(hand: Hand, life: Life, e: Event) -> None:
    """As SIGUSR1 does."""
    life.brake.pull(Rung.HALTED, "SIGUSR1")


async def by_file(hand: Hand, life: Life, e: Event) -> None:
    life.brake.sentinel.write("written by hand")


CAUSES: dict[str, Cause] = {
    "day loss": Cause(Trip.DAY_LOSS, worth("day_base", 1.1), releases, marked=True, slow=SEALED),
    "lasting loss": Cause(Trip.DAY_LOSS, worth("day_base", 1.05), releases, slow=LASTING),
    "drawdown": Cause(Trip.DRAWDOWN, worth("crest", 2.0), releases, marked=True, slow=SEALED),
    "halt": Cause(Trip.HALT, halts, releases, wired=True),
    "signal": Cause(Trip.HALT, signals, releases, beside=True, paced=True, slow=GLANCED),
    "file": Cause(Trip.HALT, by_file, releases, paced=True, slow=GLANCED),
    "rejects": Cause(Trip.REJECTS, books(lambda e: {"rejects": (e.ts,) * 5}), releases),
    "rate": Cause(Trip.RATE, exceeds, releases),
    "clock": Cause(Trip.CLOCK, senses(True), releases, wired=True),
    "disk": Cause(Trip.DISK, senses(True), senses(False), wired=True),
    "feed": Cause(Trip.FEED, silence(True), silence(False), quoted=True, slow=SILENT),
    "stale": Cause(Trip.STALE, silence(True), silence(False), slot=0, quoted=True, slow=SILENT),
    "drift": Cause(Trip.DRIFT, deposits(50 * USD), deposits(-50 * USD), outlives=True, slow=SEALED),
    "naked": Cause(Trip.NAKED, books(lambda e: {"fled": ((1, 31.0),)}), releases, slot=1),
}  # fmt: skip
