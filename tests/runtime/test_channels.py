from typing import Any

import pytest
import trio
import trio.testing

from fluxhero.runtime import seeded
from fluxhero.runtime.channels import Ask, Inbox, Outbox, Traffic, ask, box

SEEDS = range(20)
LONG = 10.0  # s of virtual time, after which nothing more will happen


async def forward(inbox: Inbox[Any], outbox: Outbox[Any], log: list[Any]) -> None:
    """An actor that passes numbers on, one less, until 0."""
    async for m in inbox:
        await trio.lowlevel.checkpoint()
        log.append(m)
        if m:
            await outbox.send(m - 1)


# -- boxes


async def test_messages_come_in_the_order_of_their_sending() -> None:
    out, inbox = box(10, Traffic())
    for n in range(5):
        await out.send(n)
    out.send_nowait(5)
    assert [await anext(inbox) for _ in range(6)] == list(range(6))


async def test_a_forward_edge_waits_for_room(autojump_clock: trio.testing.MockClock) -> None:
    out, inbox = box(1, Traffic())
    await out.send("a")
    with trio.move_on_after(LONG) as waited:
        await out.send("b")
    assert waited.cancelled_caught
    assert await anext(inbox) == "a"
    with trio.fail_after(LONG):
        await out.send("c")
    assert await anext(inbox) == "c"


async def test_a_full_back_edge_raises_and_counts_nothing(autojump_clock: trio.testing.MockClock) -> None:
    traffic = Traffic()
    out, inbox = box(2, traffic)
    out.send_nowait(1)
    out.send_nowait(2)
    with pytest.raises(trio.WouldBlock):
        out.send_nowait(3)
    assert [await anext(inbox), await anext(inbox)] == [1, 2]
    with trio.move_on_after(LONG):
        await anext(inbox)
    with trio.fail_after(1):
        await traffic.quiet()


async def test_the_rest_of_a_box_is_taken_at_once_and_in_its_order(autojump_clock: trio.testing.MockClock) -> None:
    out, inbox = box(4, Traffic())
    assert inbox.rest() == []
    for n in range(4):
        await out.send(n)
    assert (await anext(inbox), inbox.rest(), inbox.rest()) == (0, [1, 2, 3], [])
    assert (inbox.taken, inbox.depth, inbox.idle) == (4, 0, False)
    with trio.move_on_after(LONG):
        await anext(inbox)
    assert inbox.idle


async def test_the_rest_is_a_box_full_at_most_though_others_wait_for_room() -> None:
    out, inbox = box(2, Traffic())
    async with trio.open_nursery() as nursery:
        for n in range(5):
            nursery.start_soon(out.send, n)
        await trio.testing.wait_all_tasks_blocked()
        taken = [await anext(inbox), *inbox.rest(), *inbox.rest()]
    assert (len(taken), sorted(taken)) == (5, list(range(5)))


async def test_what_comes_while_a_receiver_is_told_to_go_waits_for_the_next(
    autojump_clock: trio.testing.MockClock,
) -> None:
    out, inbox = box(4, Traffic())
    with trio.move_on_after(1):
        await anext(inbox)
    out.send_nowait("a")
    out.send_nowait("b")
    with trio.CancelScope() as gone:
        gone.cancel()
        await anext(inbox)
    assert gone.cancelled_caught
    assert (inbox.depth, inbox.taken) == (2, 0)
    assert [await anext(inbox), await anext(inbox)] == ["a", "b"]


async def test_who_is_sent_something_and_told_to_go_in_one_breath_has_it_or_leaves_it() -> None:
    out, inbox = box(4, Traffic())
    taken: list[Any] = []

    async def takes() -> None:
        taken.append(await anext(inbox))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(takes)
        await trio.testing.wait_all_tasks_blocked()
        out.send_nowait("a")
        nursery.cancel_scope.cancel()
    assert (taken, inbox.depth) in ((["a"], 0), ([], 1))


async def test_those_who_wait_for_room_have_it_in_their_order_and_none_if_they_have_gone() -> None:
    traffic = Traffic()
    out, inbox = box(1, traffic)
    await out.send(0)

    async def sends(n: int, scope: trio.CancelScope) -> None:
        with scope:
            await out.send(n)

    scopes = [trio.CancelScope() for _ in range(4)]
    async with trio.open_nursery() as nursery:
        for n, scope in enumerate(scopes, 1):
            nursery.start_soon(sends, n, scope)
            await trio.testing.wait_all_tasks_blocked()
        scopes[1].cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert [await anext(inbox) for _ in range(4)] == [0, 1, 3, 4]
        nursery.start_soon(anext, inbox)
        with trio.fail_after(1):
            await traffic.quiet()
        nursery.cancel_scope.cancel()


async def test_a_receiver_whose_box_is_never_empty_gives_others_their_turn() -> None:
    out, inbox = box(8, Traffic())
    turns: list[str] = []

    async def other() -> None:
        for _ in range(8):
            turns.append("other")
            await trio.lowlevel.checkpoint()

    for n in range(8):
        out.send_nowait(n)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        for _ in range(8):
            turns.append(f"{await anext(inbox)}")
    assert turns.index("other") < turns.index("1")


# -- quiet


async def test_where_nothing_was_sent_it_is_quiet() -> None:
    with trio.fail_after(1):
        await Traffic().quiet()


@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_not_quiet_before_every_actor_has_asked_for_its_first_message(seed: int) -> None:
    """So that time does not move before orders listens to the broker."""

    async def main() -> list[str]:
        traffic, log = Traffic(), list[str]()

        async def actor(inbox: Inbox[Any], name: str) -> None:
            log.append(name)
            await anext(inbox)

        async with trio.open_nursery() as nursery:
            for name in "abc":
                nursery.start_soon(actor, box(1, traffic)[1], name)
            await traffic.quiet()
            log.append("quiet")
            nursery.cancel_scope.cancel()
        return [*sorted(log[:3]), *log[3:]]

    assert seeded.run(main, seed=seed) == ["a", "b", "c", "quiet"]


async def test_it_is_not_quiet_while_a_message_lies_in_its_box(autojump_clock: trio.testing.MockClock) -> None:
    traffic = Traffic()
    out, _inbox = box(2, traffic)
    await out.send(1)
    with trio.move_on_after(LONG) as waited:
        await traffic.quiet()
    assert waited.cancelled_caught


async def test_it_is_not_quiet_until_the_receiver_asks_for_the_next(autojump_clock: trio.testing.MockClock) -> None:
    traffic = Traffic()
    out, inbox = box(2, traffic)
    quiet: list[float] = []

    async def waits() -> None:
        await traffic.quiet()
        quiet.append(trio.current_time())

    start = trio.current_time()
    await out.send(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waits)
        await anext(inbox)
        await trio.sleep(5)  # virtual: at work on it
        assert quiet == []
        nursery.start_soon(anext, inbox)
        await trio.testing.wait_all_tasks_blocked()
        assert quiet == [start + 5]
        nursery.cancel_scope.cancel()


async def test_it_is_not_quiet_while_any_of_what_was_taken_at_once_is_at_work(
    autojump_clock: trio.testing.MockClock,
) -> None:
    traffic = Traffic()
    out, inbox = box(3, traffic)
    for n in range(3):
        await out.send(n)
    async with trio.open_nursery() as nursery:
        await anext(inbox)
        inbox.rest()
        with trio.move_on_after(LONG) as waited:
            await traffic.quiet()
        assert waited.cancelled_caught
        nursery.start_soon(anext, inbox)
        with trio.fail_after(LONG):
            await traffic.quiet()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("seed", SEEDS)
def test_quiet_waits_for_what_handlers_send_too(seed: int) -> None:
    async def main() -> list[int]:
        traffic, log = Traffic(), list[int]()
        (to_a, at_a), (to_b, at_b), (to_c, at_c) = (box(4, traffic) for _ in range(3))
        async with trio.open_nursery() as nursery:
            for inbox, outbox in ((at_a, to_b), (at_b, to_c), (at_c, to_a)):
                nursery.start_soon(forward, inbox, outbox, log)
            await to_a.send(9)
            await traffic.quiet()
            seen = list(log)
            await to_b.send(3)
            await to_c.send(3)
            await traffic.quiet()
            nursery.cancel_scope.cancel()
        return [*seen, -1, *sorted(log[len(seen) :])]

    assert seeded.run(main, seed=seed) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, -1, 0, 0, 1, 1, 2, 2, 3, 3]


async def test_a_wait_for_quiet_that_was_given_up_may_be_begun_again(autojump_clock: trio.testing.MockClock) -> None:
    traffic = Traffic()
    out, inbox = box(2, traffic)
    await out.send(1)
    with trio.move_on_after(LONG):
        await traffic.quiet()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(forward, inbox, out, [])
        with trio.fail_after(LONG):
            await traffic.quiet()
        nursery.cancel_scope.cancel()


# -- questions


async def answers(inbox: Inbox[Any]) -> None:
    async for m in inbox:
        assert isinstance(m, Ask)
        await trio.lowlevel.checkpoint()
        m.answer(m.question * 2)


async def test_a_question_is_answered_by_whom_it_was_put_to() -> None:
    out, inbox = box(4, Traffic())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answers, inbox)
        assert [await ask(out, n) for n in (1, 2, 3)] == [2, 4, 6]
        nursery.cancel_scope.cancel()


async def test_an_answer_may_be_nothing() -> None:
    out, inbox = box(1, Traffic())
    async with trio.open_nursery() as nursery:

        async def silent() -> None:
            (await anext(inbox)).answer(None)

        nursery.start_soon(silent)
        assert await ask(out, "commit") is None


@pytest.mark.parametrize("seed", SEEDS)
def test_each_who_asks_gets_his_own_answer(seed: int) -> None:
    async def main() -> dict[int, int]:
        out, inbox = box(2, Traffic())
        got: dict[int, int] = {}

        async def one(n: int) -> None:
            got[n] = await ask(out, n)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answers, inbox)
            async with trio.open_nursery() as asking:
                for n in range(8):
                    asking.start_soon(one, n)
            nursery.cancel_scope.cancel()
        return got

    assert seeded.run(main, seed=seed) == {n: n * 2 for n in range(8)}


async def test_an_answer_to_whom_has_gone_harms_nobody(autojump_clock: trio.testing.MockClock) -> None:
    out, inbox = box(1, Traffic())
    with trio.move_on_after(LONG):
        await ask(out, 1)
    (await anext(inbox)).answer(2)


async def test_who_was_answered_and_is_then_told_to_go_has_the_answer() -> None:
    out, inbox = box(1, Traffic())
    got = list[int]()

    async def asks() -> None:
        got.append(await ask(out, 1))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(asks)
        (await anext(inbox)).answer(2)
        nursery.cancel_scope.cancel()
    assert got == [2]


async def test_an_answer_may_come_before_anybody_waits_for_it() -> None:
    """As when the box was full, and its owner quick."""
    asked = Ask("?")
    asked.answer(7)
    assert (await asked.reply(), await asked.reply()) == (7, 7)
