import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.testing

from fluxhero.runtime.writer import Writer

DEADLINE = 10.0  # s, for what happens at once


async def heard(event: threading.Event) -> bool:
    """Waits for another thread's word, the loop going on."""
    return await trio.to_thread.run_sync(event.wait, DEADLINE)


async def test_it_works_in_one_thread_beside_the_loop() -> None:
    with Writer() as writer:
        threads = {await writer(threading.get_ident) for _ in range(20)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_what_is_asked_for_is_done_in_that_order_and_answered_to_whom_it_concerns() -> None:
    done, answers = list[int](), dict[int, int]()

    def work(n: int) -> Callable[[], int]:
        def append() -> int:
            done.append(n)
            return n * n

        return append

    async def one(n: int) -> None:
        asked.append(n)
        answers[n] = await writer(work(n))

    for _ in range(20):
        asked = list[int]()
        done.clear()
        with Writer() as writer:
            async with trio.open_nursery() as nursery:
                for n in range(50):
                    nursery.start_soon(one, n)
        assert done == asked
        assert answers == {n: n * n for n in range(50)}


async def test_the_loop_goes_on_while_work_blocks() -> None:
    let = threading.Event()
    with Writer() as writer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer, lambda: let.wait(DEADLINE))
            await trio.testing.wait_all_tasks_blocked()
            let.set()


async def test_what_fails_is_raised_to_whoever_asked_and_the_next_is_done() -> None:
    def fail() -> None:
        raise OSError("no disk")

    with Writer() as writer:
        with pytest.raises(OSError, match="no disk"):
            await writer(fail)
        assert await writer(lambda: 1) == 1


async def test_whoever_is_canceled_waits_for_the_end_of_the_work() -> None:
    begun, let, ended = threading.Event(), threading.Event(), list[bool]()

    def work() -> None:
        begun.set()
        ended.append(let.wait(DEADLINE))

    with Writer() as writer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer, work)
            assert await heard(begun)
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await trio.testing.wait_all_tasks_blocked()
            assert ended == []
            let.set()
        assert ended == [True]


async def test_without_work_for_a_while_it_does_what_can_wait() -> None:
    idled = threading.Event()
    with Writer(idled.set) as writer:
        await writer(lambda: None)
        assert await heard(idled)


async def test_what_can_wait_and_fails_fails_all_work_from_then_on() -> None:
    idled, done = threading.Event(), list[Any]()

    def fail() -> None:
        idled.set()
        raise OSError("no disk")

    with Writer(fail) as writer:
        assert await heard(idled)
        for _ in range(3):
            with pytest.raises(OSError, match="no disk"):
                await writer(lambda: done.append(1))
    assert done == []


async def test_it_leaves_no_thread_and_no_bell_behind() -> None:
    for _ in range(5):
        with Writer() as writer:
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(writer, lambda: None)
    assert [t.name for t in threading.enumerate() if t.name == "writer"] == []
    assert [fd for fd in os.listdir("/proc/self/fd") if "eventfd" in target(fd)] == []


def target(fd: str) -> str:
    with suppress(FileNotFoundError):  # the one that lists them
        return os.readlink(f"/proc/self/fd/{fd}")
    return ""
