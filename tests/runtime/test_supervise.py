"""Virtual time: a crash every n seconds costs none."""

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from fluxhero.runtime.supervise import Child, Crashed, GaveUp, RestartBudget, family, supervise

Actor = Callable[[], Awaitable[None]]


def crashing(after: float, error: type[Exception] = ZeroDivisionError) -> Actor:
    async def actor() -> None:
        await trio.sleep(after)
        raise error("on purpose")

    return actor


def ending(after: float) -> Actor:
    async def actor() -> None:
        await trio.sleep(after)

    return actor


class Staying:
    """An actor that notes when it begins and when it is told to go."""

    def __init__(self) -> None:
        self.began: list[float] = []
        self.left: list[float] = []

    async def __call__(self) -> None:
        self.began.append(trio.current_time())
        try:
            await trio.sleep_forever()
        finally:
            self.left.append(trio.current_time())


# -- a family


async def test_a_family_ends_when_one_returns_and_the_others_are_told_to_go(
    autojump_clock: trio.testing.MockClock,
) -> None:
    others = [Staying(), Staying()]
    start = trio.current_time()
    await family([Child("a", others[0]), Child("b", ending(7)), Child("c", others[1])])
    assert [o.left for o in others] == [[start + 7]] * 2


async def test_a_child_gets_its_arguments() -> None:
    got: list[object] = []

    async def actor(*args: object) -> None:
        got.append(args)

    await family([Child("a", actor, 1, "two")])
    assert got == [(1, "two")]


async def test_a_crash_names_its_actor_and_its_cause_and_the_others_go(autojump_clock: trio.testing.MockClock) -> None:
    other = Staying()
    with pytest.raises(Crashed, match=r"^actor b crashed$") as crash:
        await family([Child("a", other), Child("b", crashing(3, KeyError))])
    assert (crash.value.name, type(crash.value.__cause__), len(other.left)) == ("b", KeyError, 1)


async def test_of_two_crashes_at_once_one_is_told(autojump_clock: trio.testing.MockClock) -> None:
    with pytest.raises(Crashed) as crash:
        await family([Child("a", crashing(3)), Child("b", crashing(3))])
    assert crash.value.name in ("a", "b")


async def test_a_group_of_errors_is_one_crash(autojump_clock: trio.testing.MockClock) -> None:
    async def actor() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crashing(1))
            nursery.start_soon(crashing(1))

    with pytest.raises(Crashed) as crash:
        await family([Child("a", actor)])
    assert isinstance(crash.value.__cause__, ExceptionGroup)


async def test_who_cancels_a_family_cancels_all_of_it(autojump_clock: trio.testing.MockClock) -> None:
    others = [Staying(), Staying()]
    with trio.move_on_after(5) as scope:
        await family([Child("a", others[0]), Child("b", others[1])])
    assert scope.cancelled_caught
    assert [len(o.left) for o in others] == [1, 1]


# -- the budget


@pytest.mark.parametrize(
    ("times", "overspent"),
    [
        ([0, 1, 2, 3, 4], False),
        ([0, 1, 2, 3, 4, 5], True),
        ([0, 12, 24, 36, 48, 60], True),
        ([0, 12, 24, 36, 48, 60.5], False),
        ([0, 20, 40, 60, 80, 100, 120, 140], False),
        ([0, 100, 101, 102, 103, 104], False),
        ([0, 100, 101, 102, 103, 104, 105], True),
    ],
)
def test_more_than_five_crashes_in_sixty_seconds_are_too_many(times: list[float], overspent: bool) -> None:
    budget = RestartBudget()
    assert [budget.overspent_at(t) for t in times] == [False] * (len(times) - 1) + [overspent]


# -- supervision


class Lives:
    """Families that crash after given seconds, one by one; what is past the list ends well."""

    def __init__(self, *crashes: float) -> None:
        self.crashes, self.begun, self.other = crashes, 0, Staying()

    async def __call__(self, safe: str) -> None:
        n, self.begun = self.begun, self.begun + 1
        worker = crashing(self.crashes[n]) if n < len(self.crashes) else ending(1)
        await family([Child("other", self.other), Child("worker", worker)])


async def test_what_ends_well_is_not_begun_again(autojump_clock: trio.testing.MockClock) -> None:
    lives = Lives()
    await supervise(lives)
    assert lives.begun == 1


async def test_after_a_crash_all_actors_are_begun_anew(autojump_clock: trio.testing.MockClock) -> None:
    lives = Lives(2, 3)
    start = trio.current_time()
    await supervise(lives)
    assert [t - start for t in lives.other.began] == [0, 2, 5]
    assert [t - start for t in lives.other.left] == [2, 5, 6]


async def test_five_crashes_in_a_minute_are_borne_and_the_sixth_is_not(autojump_clock: trio.testing.MockClock) -> None:
    borne, too_many = Lives(*[1] * 5), Lives(*[1] * 6)
    await supervise(borne)
    with pytest.raises(GaveUp, match=r"^actor worker crashed, more often than 5 times in 60 s: ") as gave_up:
        await supervise(too_many)
    assert (borne.begun, too_many.begun, type(gave_up.value.__cause__)) == (6, 6, Crashed)


async def test_a_crash_now_and_then_is_borne_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    lives = Lives(*[12.5] * 100)
    await supervise(lives)
    assert lives.begun == 101


async def test_an_error_before_any_actor_lives_is_not_a_crash(autojump_clock: trio.testing.MockClock) -> None:
    with pytest.raises(ZeroDivisionError):
        await supervise(lambda safe: crashing(1)())


async def test_who_cancels_a_supervisor_is_obeyed(autojump_clock: trio.testing.MockClock) -> None:
    other = Staying()
    with trio.move_on_after(5) as scope:
        await supervise(lambda safe: family([Child("other", other)]))
    assert (scope.cancelled_caught, len(other.began), len(other.left)) == (True, 1, 1)


# -- who may stay down


class Told:
    """Lives that each end in a crash of somebody, and what each was told."""

    def __init__(self, *who: str) -> None:
        self.who, self.told, self.crashes = who, list[str](), list[str]()

    async def __call__(self, safe: str) -> None:
        n = len(self.told)
        self.told.append(safe)
        await family([Child(self.who[n], crashing(1)) if n < len(self.who) else Child("last", ending(1))])

    async def supervised(self) -> None:
        await supervise(self, expendable=("feed", "strategy"), crashed=self.crashes.append)


WHY = "actor strategy crashed, more often than 5 times in 60 s: ZeroDivisionError: on purpose"


async def test_too_many_crashes_the_last_of_a_seeker_and_lives_go_on_without_them(
    autojump_clock: trio.testing.MockClock,
) -> None:
    lives = Told("feed", "risk", "feed", "feed", "feed", "strategy")
    await lives.supervised()
    assert lives.told == [""] * 6 + [WHY]
    assert lives.crashes == ["feed", "risk", "feed", "feed", "feed", "strategy"]


async def test_too_many_crashes_the_last_of_another_is_giving_up(autojump_clock: trio.testing.MockClock) -> None:
    lives = Told("feed", "feed", "feed", "feed", "feed", "orders")
    with pytest.raises(GaveUp, match=r"^actor orders crashed, more often than 5 times in 60 s: "):
        await lives.supervised()
    assert lives.told == [""] * 6


async def test_without_the_seekers_there_is_a_new_budget_and_then_an_end(
    autojump_clock: trio.testing.MockClock,
) -> None:
    borne, too_many = (Told(*["strategy"] * 6, *["risk"] * n) for n in (5, 6))
    await borne.supervised()
    with pytest.raises(GaveUp, match=r"^actor risk crashed"):
        await too_many.supervised()
    assert borne.told == [""] * 6 + [WHY] * 6
    assert too_many.told == [""] * 6 + [WHY] * 6
