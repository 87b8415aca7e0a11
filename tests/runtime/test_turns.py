import pytest
import trio
import trio.testing

from fluxhero.runtime import seeded
from fluxhero.runtime.turns import Turns


async def test_a_turn_is_had_by_one_at_a_time(autojump_clock: trio.testing.MockClock) -> None:
    turns, log = Turns(), list[tuple[str, float]]()
    start = trio.current_time()

    async def act(name: str) -> None:
        async with turns:
            log.append((name, trio.current_time() - start))
            await trio.sleep(3)

    await turns.begin()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(act, "a")
        await trio.sleep(5)
        assert log == []
        turns.end()
    assert log == [("a", 5)]
    await act("b")
    assert log == [("a", 5), ("b", 8)]


async def test_a_free_turn_is_begun_without_a_wait() -> None:
    turns = Turns()
    with trio.CancelScope() as scope:
        scope.cancel()
        await turns.begin()
        turns.end()
    assert not scope.cancelled_caught


@pytest.mark.parametrize("seed", range(20))
def test_who_waits_gets_the_next_turn_though_the_mover_of_time_wants_it_at_once(seed: int) -> None:
    async def main() -> list[str]:
        turns, log = Turns(), list[str]()

        async def command() -> None:
            async with turns:
                log.append("command")

        async with trio.open_nursery() as nursery:
            await turns.begin()
            nursery.start_soon(command)
            await trio.testing.wait_all_tasks_blocked()
            for n in range(3):
                log.append(f"turn {n}")
                turns.end()
                await turns.begin()
            turns.end()
        return log

    assert seeded.run(main, seed=seed) == ["turn 0", "command", "turn 1", "turn 2"]


async def test_an_error_within_a_turn_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    turns = Turns()
    with pytest.raises(ZeroDivisionError):
        async with turns:
            raise ZeroDivisionError
    with trio.fail_after(1):
        await turns.begin()


async def test_only_its_holder_can_end_a_turn() -> None:
    turns = Turns()
    with pytest.raises(RuntimeError):
        turns.end()
