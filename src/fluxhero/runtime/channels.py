"""Boxes between actors, a count of what is under way in them, and questions that carry their own reply."""

from __future__ import annotations

from collections import deque
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

    def __init__(self, inbox: Inbox[M], traffic: Traffic) -> None:
        self._inbox, self._traffic = inbox, traffic

    async def send(self, message: M) -> None:
        """Waits for room; where there is some, it does not even yield."""
        self._traffic.sent()
        if not self._inbox.put(message):
            try:
                await self._inbox.room(message)
            except BaseException:
                self._traffic.done()
                raise

    def send_nowait(self, message: M) -> None:
        """For back edges: a full box is a crash, loud."""
        if not self._inbox.put(message):
            raise trio.WouldBlock
        self._traffic.sent()


class Nowhere(Outbox[Any]):
    """The end of a box whose actor is down."""

    def __init__(self) -> None: ...

    async def send(self, message: Any) -> None: ...

    def send_nowait(self, message: Any) -> None: ...


class Inbox(Generic[M]):
    """The end that one actor borrows: an asynchronous iterator. As a memory channel of Trio's, but for one receiver
    that never closes it, in half the time: it is what a replay waits for.
    """

    def __init__(self, traffic: Traffic, size: int) -> None:
        self.size, self.taken = size, 0
        self._traffic = traffic
        self._messages = deque[M]()
        self._taker: trio.lowlevel.Task | None = None  # waits for a message
        self._senders: dict[trio.lowlevel.Task, M] = {}  # wait for room, the first first
        self._busy = 1  # messages taken and not yet dealt with; before the first, to begin at all
        traffic.sent()

    @property
    def depth(self) -> int:
        """Messages that wait."""
        return len(self._messages)

    @property
    def idle(self) -> bool:
        """Nothing to do, and nothing waits."""
        return not self._busy and not self.depth

    def put(self, message: M) -> bool:
        """False where there is no room."""
        if len(self._messages) >= self.size:
            return False
        self._messages.append(message)
        if self._taker is not None:
            trio.lowlevel.reschedule(self._taker)
            self._taker = None
        return True

    async def room(self, message: M) -> None:
        """Until the message is in the box."""
        task = trio.lowlevel.current_task()
        self._senders[task] = message

        def gone(_: object) -> trio.lowlevel.Abort:
            del self._senders[task]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(gone)

    def rest(self) -> list[M]:
        """What else waits now, at most a box full; under way, as all that was taken, until the next is asked for."""
        taken: list[M] = []
        while self._messages and len(taken) < self.size:
            taken.append(self._take())
        self._busy += len(taken)
        self.taken += len(taken)
        return taken

    def __aiter__(self) -> Inbox[M]:
        return self

    async def __anext__(self) -> M:
        if self._busy:
            busy, self._busy = self._busy, 0
            self._traffic.done(busy)
        if self._messages:
            await trio.lowlevel.checkpoint()  # others have their turn though it never ends
        else:
            self._taker = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._gone)
        self._busy = 1
        self.taken += 1
        return self._take()

    def _take(self) -> M:
        message = self._messages.popleft()
        if self._senders:
            task = next(iter(self._senders))
            self._messages.append(self._senders.pop(task))
            trio.lowlevel.reschedule(task)
        return message

    def _gone(self, _: object) -> trio.lowlevel.Abort:
        self._taker = None
        return trio.lowlevel.Abort.SUCCEEDED


def box(size: int, traffic: Traffic) -> tuple[Outbox[Any], Inbox[Any]]:
    inbox = Inbox[Any](traffic, size)
    return Outbox(inbox, traffic), inbox


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
