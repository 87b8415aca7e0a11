"""Boxes between actors, a count of what is under way in them, and questions that carry their own reply."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import trio

M = TypeVar("M")


class Traffic:
    """Counts messages from the send until their receiver asks for the next: zero means that all is done.

    An actor that has not yet asked for its first message counts too.
    """

    def __init__(self) -> None:
        self.settled = trio.Event()  # every actor has begun
        self._count = 0
        self._waiting = trio.lowlevel.ParkingLot()

    def sent(self) -> None:
        self._count += 1

    def done(self) -> None:
        self._count -= 1
        if self._count == 0:
            self.settled.set()
            self._waiting.unpark_all()

    async def quiet(self) -> None:
        """Until every message sent, and every one sent because of it, has been dealt with."""
        while self._count:
            await self._waiting.park()


class Outbox(Generic[M]):
    """The end that is sent to; anyone may hold it."""

    def __init__(self, channel: trio.MemorySendChannel[M], traffic: Traffic) -> None:
        self._channel, self._traffic = channel, traffic

    async def send(self, message: M) -> None:
        """Waits for room; where there is some, it does not even yield."""
        self._traffic.sent()
        try:
            self._channel.send_nowait(message)
        except trio.WouldBlock:
            try:
                await self._channel.send(message)
            except BaseException:
                self._traffic.done()
                raise

    def send_nowait(self, message: M) -> None:
        """For back edges: a full box is a crash, loud."""
        self._channel.send_nowait(message)
        self._traffic.sent()


class Nowhere(Outbox[Any]):
    """The end of a box whose actor is down."""

    def __init__(self) -> None: ...

    async def send(self, message: Any) -> None: ...

    def send_nowait(self, message: Any) -> None: ...


class Inbox(Generic[M]):
    """The end that one actor borrows: an asynchronous iterator."""

    def __init__(self, channel: trio.MemoryReceiveChannel[M], traffic: Traffic, size: int) -> None:
        self.size, self.taken = size, 0
        self._channel, self._traffic = channel, traffic
        self._busy = True
        traffic.sent()

    @property
    def depth(self) -> int:
        """Messages that wait."""
        return self._channel.statistics().current_buffer_used

    @property
    def idle(self) -> bool:
        """Nothing to do, and nothing waits."""
        return not self._busy and not self.depth

    def __aiter__(self) -> Inbox[M]:
        return self

    async def __anext__(self) -> M:
        if self._busy:
            self._busy = False
            self._traffic.done()
        message = await self._channel.receive()
        self._busy = True
        self.taken += 1
        return message


def box(size: int, traffic: Traffic) -> tuple[Outbox[Any], Inbox[Any]]:
    sender, receiver = trio.open_memory_channel[Any](size)
    return Outbox(sender, traffic), Inbox(receiver, traffic, size)


def nowhere() -> tuple[Outbox[Any], Any]:
    """The box of an actor that is down."""
    return Nowhere(), None


class Ask(Generic[M]):
    """A question with the channel for its answer."""

    __slots__ = ("_reply", "question")

    def __init__(self, question: M, reply: trio.MemorySendChannel[Any]) -> None:
        self.question, self._reply = question, reply

    def answer(self, value: Any) -> None:
        """Once; whoever asked may have gone."""
        try:
            self._reply.send_nowait(value)
        except trio.BrokenResourceError:
            pass
        finally:
            self._reply.close()


async def ask(inbox: Outbox[Any], question: Any) -> Any:
    """Sends a question and waits for the answer; should the other crash, so do we all."""
    reply, answer = trio.open_memory_channel[Any](1)
    with answer:
        await inbox.send(Ask(question, reply))
        return await answer.receive()
