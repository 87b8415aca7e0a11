"""What a program gone mad cannot do: ten entries a minute, a hundred a day; stops, exits and cancels always leave."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from fluxhero.actors.orders import Wire
from fluxhero.brokers.lanes import lane
from fluxhero.core.ladder import Rung
from fluxhero.core.rate import A_DAY, A_MINUTE, CEILING, DAY, Rate
from fluxhero.messages import MINUTE, SECOND, Cancel, Cid, Nanos, Order, Says, Sensed, Update
from fluxhero.runtime.brake import Brake
from fluxhero.store.sentinel import HaltFile
from tests.core.desk import T, at, buy, guard, sell, stopped
from tests.core.venues import at_once

MIDNIGHT = Nanos(T // DAY * DAY)


def every(seconds: float, n: int, since: Nanos = T) -> list[Nanos]:
    return [Nanos(since + int(i * seconds * SECOND)) for i in range(n)]


def test_ten_a_minute_and_the_next_when_the_first_is_a_minute_old() -> None:
    rate = Rate(every(1, A_MINUTE))
    assert rate.over(Nanos(T + 9 * SECOND)) == (10, A_MINUTE)
    assert rate.over(Nanos(T + MINUTE - 1)) == (10, A_MINUTE)
    assert rate.over(Nanos(T + MINUTE)) is None


def test_a_hundred_a_day_and_the_next_on_the_day_after() -> None:
    rate = Rate(every(60, A_DAY, MIDNIGHT))
    assert rate.over(Nanos(MIDNIGHT + DAY - 1)) == (100, A_DAY)
    assert rate.over(Nanos(MIDNIGHT + DAY)) is None


@pytest.mark.parametrize("seed", range(20))
def test_whoever_asks_first_never_sends_more_than_may_be_in_any_minute_or_day(seed: int) -> None:
    chance, rate, sent, ts = random.Random(seed), Rate(), list[Nanos](), MIDNIGHT
    for _ in range(1000):
        ts = Nanos(ts + chance.choice([1, SECOND, 5 * SECOND, MINUTE, 20 * MINUTE]))
        minute = sum(ts - t < MINUTE for t in sent)
        today = sum(t // DAY == ts // DAY for t in sent)
        assert (rate.over(ts) is None) == (minute < A_MINUTE and today < A_DAY)
        if rate.over(ts) is None:
            rate.count(ts)
            sent.append(ts)


@pytest.mark.parametrize("seed", range(20))
def test_a_rate_that_was_told_what_another_counted_is_the_same(seed: int) -> None:
    chance, rate, sent, ts = random.Random(seed), Rate(), list[Nanos](), MIDNIGHT
    for _ in range(300):
        ts = Nanos(ts + chance.choice([SECOND, 5 * SECOND, MINUTE]))
        if rate.over(ts) is None:
            rate.count(ts)
            sent.append(ts)
        assert Rate(sent[-A_DAY:]).over(ts) == rate.over(ts)


# -- the last function before the broker


class Heard:
    """A broker that notes how it was called."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Order | Cancel | Cid | None]] = []

    def listen(self, deliver: object, after: int) -> None:
        self.calls.append(("listen", None))

    async def place(self, order: Order) -> None:
        self.calls.append(("place", order))

    async def cancel(self, cancel: Cancel) -> None:
        self.calls.append(("cancel", cancel))

    async def replace_stop(self, order: Order) -> None:
        self.calls.append(("replace_stop", order))

    async def status(self, cid: Cid) -> None:
        self.calls.append(("status", cid))

    async def account(self) -> None:
        self.calls.append(("account", None))


def held_back(order: Order, why: str) -> Update:
    return Update(seq=0, ts=T, cid=order.cid, says=Says.CANCELED, reason=f"held back, never sent: {why}")


def sending(
    entries: Rate, *given: Order | Cancel, rung: int = 0, new: bool = True
) -> tuple[list[tuple[str, Order | Cancel | Cid | None]], list[str], list[Sensed | Update]]:  # fmt: skip
    """What reached the broker at T, what was logged, and what was told."""
    broker, brake, told = Heard(), Brake(HaltFile(Path("nowhere"))), list[Sensed | Update]()
    brake.stands(rung)
    wire = Wire(broker, entries, brake, lambda: T, told.append)
    with capture_logs() as logs:
        for what in given:
            at_once(wire.send(what, new))
    return broker.calls, [log["event"] for log in logs], told


def test_each_kind_has_its_own_way() -> None:
    moved = guard(3, replaces=2)
    given: list[Order | Cancel] = [buy(1), guard(2), moved, stopped(2, T), sell(4)]
    calls, told, _ = sending(Rate(), *given)
    assert calls == [
        ("place", buy(1)), ("place", guard(2)), ("replace_stop", moved), ("cancel", stopped(2, T)), ("place", sell(4)),
    ]  # fmt: skip
    assert told == []


def test_the_eleventh_entry_of_a_minute_is_held_back_and_told_of() -> None:
    orders = [buy(n, slot=n) for n in range(1, 13)]
    calls, logged, told = sending(Rate(), *orders)
    assert calls == [("place", order) for order in orders[:A_MINUTE]]
    assert logged == ["an entry was held back"] * 2
    cause, why = "so many entries were about to leave in a minute or a day", "10 have been sent, 10 is the most"
    assert told == [
        word for order in orders[A_MINUTE:] for word in (
            Sensed(trip="rate", over=True, cause=cause, value=11.0, limit=10.0), held_back(order, why)
        )
    ]  # fmt: skip


@pytest.mark.parametrize("rung", [Rung.REDUCING, Rung.SAFE, Rung.HALTED, Rung.FLATTEN])
def test_while_the_brake_is_on_no_entry_leaves_and_all_that_lessens_risk_does(rung: Rung) -> None:
    moved = guard(3, replaces=2)
    given: list[Order | Cancel] = [buy(1), guard(2), moved, stopped(2, T), sell(4), buy(5, attempt=1)]
    calls, _, told = sending(Rate(), *given, rung=rung)
    assert [what for _, what in calls] == given[1:5]
    why = f"trading stands at {rung.name}"
    assert told == [held_back(buy(1), why), held_back(buy(5, attempt=1), why)]


def test_an_entry_of_a_symbol_that_is_cut_down_does_not_leave_and_those_of_others_do() -> None:
    broker, brake, told = Heard(), Brake(HaltFile(Path("nowhere"))), list[Sensed | Update]()
    brake.stands(0, frozenset({1}))
    wire = Wire(broker, Rate(), brake, lambda: T, told.append)
    for what in (buy(1, slot=1), buy(2, slot=0), guard(3)):
        at_once(wire.send(what, new=True))
    assert [what for _, what in broker.calls] == [buy(2, slot=0), guard(3)]
    assert told == [held_back(buy(1, slot=1), "its symbol is cut down")]


def test_of_what_may_be_at_the_broker_already_only_the_broker_knows() -> None:
    assert sending(Rate(), buy(1), rung=Rung.HALTED, new=False) == ([], ["an entry was held back"], [])


def test_resends_and_chases_are_entries_too() -> None:
    given = [buy(1)] * 6 + [buy(1, attempt=1)] * 6
    calls, *_ = sending(Rate(), *given)
    assert calls == [("place", order) for order in given[:A_MINUTE]]


def test_what_a_former_life_sent_counts() -> None:
    assert sending(Rate(every(1, A_MINUTE, Nanos(T - 30 * SECOND))), buy(1))[0] == []
    assert sending(Rate(every(1, A_MINUTE, Nanos(T - 90 * SECOND))), buy(1))[0] == [("place", buy(1))]


def test_what_lessens_risk_always_leaves_and_too_much_of_it_is_told_once_a_minute() -> None:
    given: list[Order | Cancel] = [sell(1), guard(2), stopped(2, T)] * 40
    calls, told, _ = sending(Rate(every(0, A_DAY)), *given)
    assert [what for _, what in calls] == given
    assert (len(given) > CEILING, told) == (True, ["too many stops, exits and cancels in a minute"])


def test_cancels_leave_before_exits_and_stops_and_those_before_entries() -> None:
    given: list[Order | Cancel] = [buy(1), sell(2), guard(3), stopped(4, T), buy(5), stopped(6, at(1))]
    assert sorted(given, key=lane) == [
        stopped(4, T), stopped(6, at(1)), sell(2), guard(3), buy(1), buy(5),
    ]  # fmt: skip
