"""What trips holds: from any event of a day on nothing goes in, through deaths, until somebody lets go of it.

CI draws some; FLUXHERO_POINTS=all: every event, most with a death or two; FLUXHERO_SEED draws others.
With -n0 -s each says what it came to.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest

from fluxhero.actors.orders import Wire
from fluxhero.core.gate import Gate
from fluxhero.core.orders import Desk
from fluxhero.core.terms import Ruling
from fluxhero.core.watch import Watch
from fluxhero.kernel import codes
from fluxhero.messages import MINUTE, SECOND, Nanos
from fluxhero.store.sqlite import Restored, SQLiteStore
from tests.simulation import hour as an
from tests.simulation.causes import CAUSES
from tests.simulation.midst import EVERY, Day, memory
from tests.simulation.reaching import reaching
from tests.simulation.surviving import Fate, played
from tests.simulation.tripping import HOLDS, NEVER, PACE, Cause, Hand

POINTS, SEED = os.environ.get("FLUXHERO_POINTS", ""), os.environ.get("FLUXHERO_SEED", "0")
SOON = {"quote": 40, "bar": 10}  # effects from one death to the next, and as often as not to the first
LATE = {"quote": 200, "bar": 50}  # and else to it
FLAT = Nanos(150 * SECOND)  # from the release until what is held is left, or given up
LAST = 93  # minute of the session by which it has tripped, so that there is an entry after its release

OF = [(model, name) for model in an.MODELS for name, c in CAUSES.items() if model == "quote" or not c.quoted]
Days = dict[str, Day]


@pytest.fixture(scope="module")
def days() -> Iterator[Days]:
    with memory() as folder:
        yield {model: Day(folder, model) for model in an.MODELS}


class Tried:
    """A hand in a day, from shortly before an event until somebody has entered after its release."""

    def __init__(self, day: Day, name: str, n: int, deaths: Sequence[int] = (), fate: Fate = Fate.DIES) -> None:
        cause = CAUSES[name]
        self.hand = Hand(cause, n, deaths)
        state = day.folder / "tried"
        replay = day.at(n, until(day, n, cause), state, speed=PACE if cause.paced else 0.0)
        try:
            with reaching(self.hand):
                p = played(replay, (NEVER,) * len(deaths), Fate.ARRIVES if cause.outlives else fate)
        finally:
            shutil.rmtree(state, ignore_errors=True)
        self.took = self.hand.judged()
        what = f"{day.model}, {name} at {n}, {fate}, killed before {tuple(deaths)}: "
        broken = [said for said in p.broken if not self._held_back(said)]
        self.found = [what + said for said in (*self.hand.found, *broken)]
        if p.end is None or self.hand.released is None:
            self.found.append(f"{what}the end was not reached, or it was never released")

    def _held_back(self, said: str) -> bool:
        """Of an order that was never sent the venue has no word; ours ends it."""
        return said.startswith("I4 ") and said.split(": ")[1].split()[0] not in self.hand.posted


def until(day: Day, n: int, cause: Cause) -> Nanos:
    """A minute and a half after the first entry that can follow the release."""
    free = (day.tape.ts[n] + cause.slow + HOLDS + FLAT - an.OPEN) // MINUTE
    return Nanos(an.OPEN + (free // EVERY + 1) * EVERY * MINUTE + 90 * SECOND)


def last_before(day: Day, minute: int) -> int:
    """The last event before that minute of the session."""
    return day.indices(an.BEGINS, Nanos(an.OPEN + minute * MINUTE))[-1]


def drawn(model: str, chance: random.Random) -> tuple[list[int], Fate]:
    """None, one or two deaths, and what becomes of the venue."""
    first = chance.randint(1, chance.choice((SOON[model], LATE[model])))
    deaths = [first, chance.randint(1, SOON[model])][: chance.choice((0, 1, 1, 2))]
    return deaths, chance.choice((Fate.DIES, Fate.ARRIVES, Fate.LOST))


@pytest.mark.parametrize("model", an.MODELS)
def test_a_day_begun_in_its_midst_is_the_same_day(model: str, days: Days) -> None:
    """What a hand does to it, it does to this."""
    day = days[model]
    n = day.indices(an.BEGINS, Nanos(an.OPEN + 80 * MINUTE))[-1]
    at_once, later = (played(day.whole(state)) for state in (day.folder / "whole", day.begun(n, day.folder / "later")))
    assert (at_once.broken, later.broken, later.end) == ((), (), at_once.end)


def points(day: Day, chance: random.Random) -> list[int]:
    """Where entries are under way as often as not."""
    every = day.indices(an.BEGINS, Nanos(an.OPEN + LAST * MINUTE))
    if POINTS == "all":
        return every
    busy = [n for n in every if (int(day.tape.ts[n]) - an.OPEN) // MINUTE % EVERY < 2]
    return [chance.choice(busy if chance.random() < 0.6 else every)]


def told(model: str, name: str, tried: Sequence[Tried]) -> str:
    """What it came to; ms of the market, or of the host where somebody has to look."""
    died, refused = sum(t.hand.died for t in tried), sum(t.hand.refused > 0 for t in tried)
    pace = 1e6 * (PACE if CAUSES[name].paced else 1)
    durable, canceled = (max(t.took[i] for t in tried) / pace for i in range(2))
    blocked = sum(not t.hand.entries for t in tried)
    return (
        f"{model}, {name}: {len(tried)} points, {died} deaths; at {refused} an entry was refused, at {blocked} an order"
        f" that never came blocks it still; durable after {durable:g} ms, canceled after {canceled:g} ms at the worst"
    )


@pytest.mark.parametrize(("model", "name"), OF, ids=["-".join(of) for of in OF])
def test_what_has_tripped_lets_nothing_in_until_it_is_released(model: str, name: str, days: Days) -> None:
    day, found, tried = days[model], list[str](), list[Tried]()
    for n in points(day, random.Random(f"{SEED}/{model}/{name}")):
        t = Tried(day, name, n, *drawn(model, random.Random(f"{SEED}/{model}/{name}/{n}")))
        tried.append(t)
        found += t.found
        if not (t.hand.entries or t.hand.busy):
            found.append(f"{model}, {name} at {n}: nobody entered after the release")
    print(told(model, name, tried))
    assert found == []


@pytest.mark.parametrize(("name", "leaves"), [("disk", True), ("halt", False), ("day loss", True)])
def test_exits_go_on_where_the_rung_lets_them(name: str, leaves: bool, days: Days) -> None:
    """What was entered at minute 72 is to be left at 76."""
    tried = Tried(days["quote"], name, last_before(days["quote"], 76))
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


def tells_late(patch: pytest.MonkeyPatch) -> None:
    """What trips waits for the next commit."""
    act = Watch._act

    def waits(self: Watch, rows: list[Any], ts: Nanos) -> Ruling:
        ruling = act(self, rows, ts)
        assert ruling.granted
        return Ruling(ruling.rows, msgspec.structs.replace(ruling.granted, durable=False))

    patch.setattr(Watch, "_act", waits)


@pytest.mark.parametrize(
    ("plant", "name", "minute", "later", "deaths", "said"),
    [
        (forgets, "halt", 85, 0, [100], "a new life does not hold halt"),
        (rolls_on, "halt", 90, 0, [], "an entry, left while halt was held"),
        (cancels_nothing, "halt", 84, 3, [], "an entry, rests"),
        (cancels_nothing, "halt", 84, 3, [], "halt took"),
        (tells_late, "rejects", 78, 0, [], "durable False"),
        (tells_late, "rejects", 78, 0, [], "rejects took"),
    ],
)  # fmt: skip
def test_a_planted_error_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], name: str, minute: int, later: int, deaths: list[int], said: str,
    days: Days, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    day = days["quote"]
    n = last_before(day, minute) + later
    day.begun(n, day.folder / f"before {plant.__name__} {said}")  # without the error
    plant(monkeypatch)
    assert any(said in found for found in Tried(day, name, n, deaths).found)
