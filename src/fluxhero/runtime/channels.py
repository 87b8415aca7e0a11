"""A question that carries its own reply channel."""

from typing import Any, Generic, TypeVar

import trio

Q = TypeVar("Q")


class NoReply(Exception):
    """The actor left before it answered."""


class Ask(Generic[Q]):
    __slots__ = ("_reply", "question")

    def __init__(self, question: Q, reply: "trio.MemorySendChannel[Any]") -> None:
        self.question, self._reply = question, reply

    def answer(self, value: Any) -> None:
        """Once; whoever asked may have gone."""
        try:
            self._reply.send_nowait(value)
        except trio.BrokenResourceError:
            pass
        finally:
            self._reply.close()


async def ask(inbox: "trio.MemorySendChannel[Any]", question: Any) -> Any:
    """Sends a question and waits for the answer."""
    reply, answer = trio.open_memory_channel[Any](1)
    with answer:
        await inbox.send(Ask(question, reply))
        try:
            return await answer.receive()
        except trio.EndOfChannel:
            raise NoReply(type(question).__name__) from None
