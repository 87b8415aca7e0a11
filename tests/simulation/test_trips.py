"""What trips holds: from any event of an hour on nothing goes in, through deaths, until somebody lets go of it.

CI draws some; FLUXHERO_POINTS=all: every event of the hour, each with a death; FLUXHERO_SEED draws others.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fluxhero.actors.orders import Wire
from fluxhero.core.gate import Gate
from fluxhero.core.ladder import Trip
from fluxhero.core.orders import Desk
from fluxhero.kernel import codes
from fluxhero.messages import MINUTE
from fluxhero.store.sqlite import Restored, SQLiteStore
from tests.simulation import hour as an
from tests.simulation.fence import NEXT
from tests.simulation.surviving import Fate, copied, played
from tests.simulation.tripping import (
    PACE,
    Cause,
    Hand,
    books,
    by_file,
    deposits,
    halts,
    reaching,
    releases,
    senses,
    signals,
    silence,
    worth,
)

POINTS, SEED = os.environ.get("FLUXHERO_POINTS", ""), os.environ.get("FLUXHERO_SEED", "0")
EARLY = 40  # effects after a trip, among which every second death is
USD = 1_000_000

CAUSES: dict[str, Cause] = {
    "day loss": Cause(Trip.DAY_LOSS, worth("day_base", 1.1), releases),
    "drawdown": Cause(Trip.DRAWDOWN, worth("crest", 2.0), releases),
    "halt": Cause(Trip.HALT, halts, releases),
    "signal": Cause(Trip.HALT, signals, releases, beside=True, paced=True),
    "file": Cause(Trip.HALT, by_file, releases, paced=True),
    "rejects": Cause(Trip.REJECTS, books(lambda e: {"rejects": (e.ts,) * 5}), releases),
    "rate": Cause(Trip.RATE, senses(True), releases),
    "clock": Cause(Trip.CLOCK, senses(True), releases),
    "disk": Cause(Trip.DISK, senses(True), senses(False)),
    "feed": Cause(Trip.FEED, silence(True), silence(False), quoted=True),
    "stale": Cause(Trip.STALE, silence(True), silence(False), slot=0, quoted=True),
    "drift": Cause(Trip.DRIFT, deposits(50 * USD), deposits(-50 * USD), outlives=True),
    "naked": Cause(Trip.NAKED, books(lambda e: {"fled": ((1, 31.0),)}), releases, slot=1),
}  # fmt: skip
OF = [(model, name) for model in an.MODELS for name, c in CAUSES.items() if model == "quote" or not c.quoted]
LAST = 100  # minute of the session by which it has tripped, so that there is an entry after its release


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trips")
    for model in an.MODELS:
        an.begun(an.market(folder, model), model)
    return folder


class Tried:
    """One hour with a hand in it."""

    def __init__(self, data: Path, model: str, name: str, n: int, kills: Sequence[int] = ()) -> None:
        cause = CAUSES[name]
        self.hand = Hand(cause, n)
        state = data / f"{model}-{name}-{n}-{kills}"
        replay = an.stage(data, copied(an.begun(data, model), state), model, speed=PACE if cause.paced else 0.0)
        fate = Fate.ARRIVES if cause.outlives else Fate.DIES
        try:
            with reaching(self.hand):
                p = played(replay, kills, fate)
        finally:
            shutil.rmtree(state, ignore_errors=True)
        self.effects = p.effects[0]
        what = f"{model}, {name} at {n}, killed before {tuple(kills)}: "
        broken = [said for said in p.broken if not self._held_back(said)]
        self.found = [what + said for said in (*self.hand.found, *broken)]
        if p.end is None or self.hand.released is None:
            self.found.append(f"{what}the end was not reached, or it was never released")

    def _held_back(self, said: str) -> bool:
        """Of an order that was never sent the venue has no word; ours ends it."""
        return said.startswith("I4 ") and said.split(": ")[1].split()[0] not in self.hand.posted

    def between(self, share: float = 0.0) -> int:
        """The effect that is at this share of the way from trip to release."""
        nexts = [n for n, effect in enumerate(self.effects, 1) if effect == NEXT]
        first, last = (nexts[call - 1] for call in self.hand.span)
        return int(first + share * (last - first))

    def deaths(self, chance: random.Random) -> int:
        """Before an effect between the trip and its release, soon after it as often as not."""
        first, last = self.between(), self.between(1.0)
        soon = chance.random() < 0.5
        return chance.randrange(first + 1, min(last, first + EARLY) if soon else last)


def indices(data: Path, model: str) -> list[int]:
    """Of the tape, from the hour's beginning on."""
    tape = an.stage(data, data / "none", model).recording.tape
    return [n for n, ts in enumerate(tape.ts) if an.BEGINS <= ts < an.OPEN + LAST * MINUTE]


def last_before(data: Path, model: str, minute: int) -> int:
    """The last event before that minute of the session."""
    tape = an.stage(data, data / "none", model).recording.tape
    return max(n for n in indices(data, model) if tape.ts[n] < an.OPEN + minute * MINUTE)


def points(data: Path, model: str, name: str, chance: random.Random) -> list[int]:
    """Where entries are under way as often as not."""
    every = indices(data, model)
    if POINTS == "all":
        return every
    tape = an.stage(data, data / "none", model).recording.tape
    if name == "signal":  # the minute is over before anybody looks
        return [last_before(data, model, 90)]
    busy = [n for n in every if (int(tape.ts[n]) - an.OPEN) // MINUTE % 15 < 2]
    return [chance.choice(busy if chance.random() < 0.6 else every)]


@pytest.mark.parametrize(("model", "name"), OF, ids=["-".join(of) for of in OF])
def test_what_has_tripped_lets_nothing_in_until_it_is_released(model: str, name: str, data: Path) -> None:
    chance, found = random.Random(f"{SEED}/{model}/{name}"), list[str]()
    for n in points(data, model, name, chance):
        whole = Tried(data, model, name, n)
        found += whole.found
        if whole.hand.released is not None:
            found += Tried(data, model, name, n, (whole.deaths(chance),)).found
        if not whole.hand.entries:
            found.append(f"{model}, {name} at {n}: nobody entered after the release")
    assert found == []


@pytest.mark.parametrize(("name", "leaves"), [("disk", True), ("halt", False), ("day loss", True)])
def test_exits_go_on_where_the_rung_lets_them(name: str, leaves: bool, data: Path) -> None:
    """What was entered at minute 75 is to be left at 85."""
    tried = Tried(data, "quote", name, last_before(data, "quote", 85))
    assert (tried.found, tried.hand.exits > 0) == ([], leaves)


# -- the same, with an error of ours: it must be found


def forgets(patch: pytest.MonkeyPatch) -> None:
    """A new life begins without trips."""
    restored = SQLiteStore.restore

    def restore(self: SQLiteStore, keep: int) -> Restored:
        left = restored(self, keep)
        left.trips.clear()
        return left

    patch.setattr(SQLiteStore, "restore", restore)


def rolls_on(patch: pytest.MonkeyPatch) -> None:
    """Neither gate nor wire asks for the rung."""
    patch.setattr(Gate, "_shut", lambda self, slot, ts: (codes.OPEN, 0.0, 0.0))
    patch.setattr(Wire, "_barred", lambda self, slot, when: "")


def cancels_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Desk, "_unwanted", lambda self, granted, plan: None)


@pytest.mark.parametrize(
    ("plant", "minute", "later", "said"),
    [
        (forgets, 85, 0, "a new life does not hold halt"),
        (rolls_on, 90, 0, "an entry, left while halt was held"),
        (cancels_nothing, 90, 3, "an entry, rests"),
    ],
)
def test_a_planted_error_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], minute: int, later: int, said: str, data: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    n = last_before(data, "quote", minute) + later
    whole = Tried(data, "quote", "halt", n)
    plant(monkeypatch)
    kills = () if plant is not forgets else (whole.between(0.5),)
    assert any(said in found for found in Tried(data, "quote", "halt", n, kills).found)
