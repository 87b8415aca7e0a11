"""Boxes between actors, a count of what is under way in them, and questions that carry their own reply."""

from __future__ import annotations

from contextlib import suppress
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

    def done(self, messages: int = 1) -> None:
        self._count -= messages
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
        self._busy = 1  # messages taken and not yet dealt with; before the first, to begin at all
        traffic.sent()

    @property
    def depth(self) -> int:
        """Messages that wait."""
        return self._channel.statistics().current_buffer_used

    @property
    def idle(self) -> bool:
        """Nothing to do, and nothing waits."""
        return not self._busy and not self.depth

    def rest(self) -> list[M]:
        """What else waits now, at most a box full; under way, as all that was taken, until the next is asked for."""
        taken: list[M] = []
        with suppress(trio.WouldBlock):
            while len(taken) < self.size:
                taken.append(self._channel.receive_nowait())
        self._busy += len(taken)
        self.taken += len(taken)
        return taken

    def __aiter__(self) -> Inbox[M]:
        return self

    async def __anext__(self) -> M:
        if self._busy:
            busy, self._busy = self._busy, 0
            self._traffic.done(busy)
        message = await self._channel.receive()
        self._busy = 1
        self.taken += 1
        return message


def box(size: int, traffic: Traffic) -> tuple[Outbox[Any], Inbox[Any]]:
    sender, receiver = trio.open_memory_channel[Any](size)
    return Outbox(sender, traffic), Inbox(receiver, traffic, size)


def nowhere() -> tuple[Outbox[Any], Any]:
    """The box of an actor that is down."""
    return Nowhere(), None


class Ask(Generic[M]):
    """A question, and the task that waits for its answer."""

    __slots__ = ("_answered", "_asker", "_reply", "question")

    def __init__(self, question: M) -> None:
        self.question = question
        self._asker: trio.lowlevel.Task | None = None
        self._reply: Any = None
        self._answered = False

    def answer(self, value: Any) -> None:
        """Once; whoever asked may have gone, or may not wait yet."""
        self._reply, self._answered = value, True
        if self._asker is not None:
            trio.lowlevel.reschedule(self._asker)
            self._asker = None

    async def reply(self) -> Any:
        if not self._answered:
            self._asker = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._gone)
        return self._reply

    def _gone(self, _: object) -> trio.lowlevel.Abort:
        self._asker = None
        return trio.lowlevel.Abort.SUCCEEDED


async def ask(inbox: Outbox[Any], question: Any) -> Any:
    """Sends a question and waits for the answer; should the other crash, so do we all."""
    asked = Ask(question)
    await inbox.send(asked)
    return await asked.reply()
