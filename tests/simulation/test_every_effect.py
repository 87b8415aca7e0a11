"""Killed before any effect of an hour, and once more while it recovers: every promise is kept, and nobody can tell.

CI draws some; FLUXHERO_POINTS=all: every single one; =double: each of those with every FLUXHERO_EVERY-th (1) of its
recovery. FLUXHERO_SEED draws others.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import pytest

from fluxhero import restore
from fluxhero.actors import orders
from fluxhero.core import journal
from fluxhero.core.lives import Life, Plan
from fluxhero.core.orders import Desk
from fluxhero.core.states import State
from fluxhero.messages import SECOND, Booked, Cancel, Nanos, Note, Order, Role, Says, Why
from fluxhero.store.sqlite import Restored, SQLiteStore
from tests.simulation import hour as an
from tests.simulation.fence import EFFECTS, NEXT, Border, Guarded
from tests.simulation.invariants import PROMISES, both
from tests.simulation.surviving import Fate, Played, copied, played
from tests.simulation.world import Killed

POINTS, SEED = os.environ.get("FLUXHERO_POINTS", ""), os.environ.get("FLUXHERO_SEED", "0")
EVERY = int(os.environ.get("FLUXHERO_EVERY", "1"))
RECOVERY = 100  # effects, within which a life has seen again what a former one had

# How many deaths CI draws: single ones, and double ones.
DRAWN: dict[tuple[str, Fate], tuple[int, int]] = {
    ("quote", Fate.DIES): (6, 3),
    ("quote", Fate.ARRIVES): (6, 3),
    ("quote", Fate.LOST): (4, 2),
    ("quote", Fate.AHEAD): (4, 2),
    ("quote", Fate.FAULTY): (4, 2),
    ("bar", Fate.DIES): (6, 3),
    ("bar", Fate.ARRIVES): (3, 2),
}


class Hours(NamedTuple):
    data: Path
    whole: dict[tuple[str, Fate], Played]  # that nobody killed

    def wrong(self, model: str, fate: Fate, kills: Sequence[int]) -> list[str]:
        """Each death has its own faults."""
        return an.wrong(self.data, model, self.whole[model, Fate.DIES], fate, kills, seed=kills[0])


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> Hours:
    data = tmp_path_factory.mktemp("hours")
    for model in an.MODELS:
        an.market(data, model)
    return Hours(data, {of: an.hour(data, *of) for of in DRAWN})


def deaths(of: tuple[str, Fate], effects: Sequence[str], often: int, salt: str, only: str = "") -> Iterator[int]:
    return islice(an.drawn(effects, of[1], random.Random(f"{SEED}/{of}/{salt}"), only), often)


def test_the_dead_do_nothing_more() -> None:
    border, done = Border(2), list[str]()
    store = Guarded("store", SimpleNamespace(commit=done.append, seq=7), border)
    store.commit("first")
    for word in ("second", "in a finally clause"):
        with pytest.raises(Killed):
            store.commit(word)
    assert (done, border.crossed, store.seq) == (["first"], ["store.commit"] * 2, 7)


@pytest.mark.parametrize("of", DRAWN, ids="-".join)
def test_whole_hours_keep_every_promise_and_meet_everything(of: tuple[str, Fate], hours: Hours) -> None:
    p = hours.whole[of]
    assert p.broken == ()
    assert p.end is not None
    roles = {role for _, _, role, *_ in p.end.orders}
    assert (roles, len(p.end.fills) >= 10) == ({Role.ENTRY, Role.STOP, Role.EXIT}, True)
    ports = {effect.partition(".")[0] for effect in p.effects[0]}
    assert ports == {"store", "world", "source", "broker", "notify", "offload", "sentinel"} | ({"ledger"} & ports)
    if of[0] == "quote":
        assert max(int(cid[-1]) for cid, *_ in p.end.orders) == 3  # chased as often as may be
        assert {e for e in p.effects[0] if e.startswith("broker")} == {f"broker.{name}" for name in EFFECTS["broker"]}


@pytest.mark.parametrize("of", DRAWN, ids="-".join)
def test_killed_before_any_effect_it_keeps_every_promise(of: tuple[str, Fate], hours: Hours) -> None:
    (single, _), effects, found = DRAWN[of], hours.whole[of].effects[0], list[str]()
    for n in an.points(effects, of[1]) if POINTS == "all" else deaths(of, effects, single, "once"):
        found += hours.wrong(*of, (n,))
    assert found == []


@pytest.mark.parametrize("of", DRAWN, ids="-".join)
def test_killed_again_while_it_recovers_it_keeps_every_promise(of: tuple[str, Fate], hours: Hours) -> None:
    (_, double), effects, found = DRAWN[of], hours.whole[of].effects[0], list[str]()
    chance = random.Random(f"{SEED}/{of}/again")
    for n in an.points(effects, of[1]) if POINTS == "double" else deaths(of, effects, double, "twice"):
        for m in range(1, RECOVERY, EVERY) if POINTS == "double" else [chance.randrange(1, RECOVERY)]:
            found += hours.wrong(*of, (n, m))
    assert found == []


@pytest.mark.parametrize("model", an.MODELS)
def test_killed_before_any_effect_of_its_first_moments_it_begins_anew(model: str, hours: Hours, tmp_path: Path) -> None:
    """The account's opening among them."""
    whole = played(an.stage(hours.data, tmp_path / "whole", model))
    assert whole.end == hours.whole[model, Fate.DIES].end
    opening = max(whole.effects[0].index(first) for first in (NEXT, "broker.listen")) + 1
    assert {"randomness.token", "store.commit", "broker.listen"} <= set(whole.effects[0][:opening])
    for n in range(1, opening + 1) if POINTS else range(2, opening + 1, 5):
        p = played(an.stage(hours.data, tmp_path / f"{n}", model), (n, n))
        assert (n, p.broken, p.end) == (n, (), whole.end)


def test_what_was_told_of_a_lack_of_a_stop_is_not_told_again(hours: Hours, tmp_path: Path) -> None:
    begun, whole = an.begun(hours.data, "quote"), hours.whole["quote", Fate.DIES]
    played(an.stage(hours.data, copied(begun, tmp_path / "whole"), "quote"))
    told = [row.ts for row in both(tmp_path / "whole").rows if isinstance(row, journal.Naked)]
    assert len(told) >= 2
    for ts in told:  # 8 s later a fill has made it durable
        replay = an.stage(hours.data, copied(begun, tmp_path / f"{ts}"), "quote")
        played(replay, until=Nanos(ts + 8 * SECOND))
        assert played(replay).end == whole.end


# -- the same, with an error of ours: it must be found

Plant = Callable[[pytest.MonkeyPatch], None]


def desk(patch: pytest.MonkeyPatch, kind: type[Desk]) -> None:
    patch.setattr(restore, "Desk", kind)


def sends_first(patch: pytest.MonkeyPatch) -> None:
    """The journal's turn comes after the wire's."""

    async def ask(recorder: Any, commit: Any) -> None:
        await recorder.send(Note(rows=commit.rows, updates=commit.updates))

    patch.setattr(orders, "ask", ask)


def hears_twice(patch: pytest.MonkeyPatch) -> None:
    """After a restart it has forgotten what it heard last, and books it again."""
    restored = SQLiteStore.restore

    def forgets(self: SQLiteStore, keep: int) -> Restored:
        left = restored(self, keep)
        for life in left.lives:
            life.executions.clear()
        left.updates = max(0, left.updates - 1)
        return left

    patch.setattr(SQLiteStore, "restore", forgets)


def believes_in_stops(patch: pytest.MonkeyPatch) -> None:
    """After a restart a stop that may never have arrived is taken for one that stands."""

    class Believing(Desk):
        def resume(self, ts: Nanos) -> Plan:
            plan = super().resume(ts)
            for what in [w for w in plan.sends if isinstance(w, Order) and w.role is Role.STOP]:
                plan.sends.remove(what)
                self.lives[what.cid].state = State.LIVE
            return plan

    desk(patch, Believing)


def chases_early(patch: pytest.MonkeyPatch) -> None:
    """The next attempt goes out with the cancel of the last."""

    class Hasty(Desk):
        def _cancel(self, life: Life, ts: Nanos, plan: Plan, why: Why) -> None:
            super()._cancel(life, ts, plan, why)
            if why is Why.CHASE:
                self._ask_to_chase(life.order.slot, life, ts, plan)

    desk(patch, Hasty)


def counts_in_memory(patch: pytest.MonkeyPatch) -> None:
    """Every life numbers its orders on from another place."""

    class Counting(Desk):
        def adopt(self, *args: Any) -> None:
            super().adopt(*args)
            self.intents += 100 if self.seq else 0

    desk(patch, Counting)


def takes_absence_for_an_end(patch: pytest.MonkeyPatch) -> None:
    """404 proves nothing."""

    class Trusting(Desk):
        def _absent(self, life: Life, ts: Nanos, plan: Plan) -> None:
            life.state = State.CANCELED
            row = journal.Evidence(ts=ts, cid=life.order.cid, seq=0, says=Says.ABSENT, state="canceled", reason="404")
            plan.rows.append(row)

    desk(patch, Trusting)


def forgets_the_unknown(patch: pytest.MonkeyPatch) -> None:
    """An entry counts once it is heard of."""

    class Light(Desk):
        def booked(self, ts: Nanos = Nanos(0)) -> Booked:
            known = {x.order.slot for x in self.lives.values() if not x.unheard and x.order.role is Role.ENTRY}
            told = super().booked(ts)
            return msgspec.structs.replace(told, entering=tuple(lot for lot in told.entering if lot.slot in known))

    desk(patch, Light)


def sends_another(patch: pytest.MonkeyPatch) -> None:
    """An entry that is sent again carries the time of that."""

    class Fresh(Desk):
        def resume(self, ts: Nanos) -> Plan:
            plan = super().resume(ts)
            plan.sends = [
                what if isinstance(what, Cancel) else msgspec.structs.replace(what, ts=Nanos(what.ts + 1))
                for what in plan.sends
            ]
            return plan

    desk(patch, Fresh)


NUMBERS = {*(p.number for p in PROMISES), "I19"}
PLANTED: dict[Plant, tuple[Fate, set[str], str]] = {  # and the effects to die before
    sends_first: (Fate.ARRIVES, {"I1"}, ""),
    hears_twice: (Fate.DIES, {"I19"}, "store.commit"),
    believes_in_stops: (Fate.LOST, {"I12"}, "broker.place"),
    chases_early: (Fate.ARRIVES, {"I9"}, ""),
    counts_in_memory: (Fate.DIES, {"I3", "I19"}, ""),
    takes_absence_for_an_end: (Fate.FAULTY, {"I4"}, ""),
    forgets_the_unknown: (Fate.ARRIVES, {"I5"}, ""),
    sends_another: (Fate.LOST, {"I1"}, "broker.place"),
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_error_is_found(plant: Plant, hours: Hours, monkeypatch: pytest.MonkeyPatch) -> None:
    fate, numbers, effect = PLANTED[plant]
    effects, found = hours.whole["quote", fate].effects[0], list[str]()
    plant(monkeypatch)
    for n in deaths(("quote", fate), effects, 40, plant.__name__, effect):
        found += hours.wrong("quote", fate, (n,))
        if numbers <= {number for number in NUMBERS if any(f": {number} " in f for f in found)}:
            return
    raise AssertionError(f"{numbers} were not found to be broken, but {found}")
