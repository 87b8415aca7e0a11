"""The control socket: one JSON object a line in, one out. Commands that act do so between turns."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import structlog
import trio
from msgspec import Meta

from fluxhero.messages import Command, Leave, Outcome, Sensed, Verb
from fluxhero.ports import Host, World
from fluxhero.runtime.channels import Outbox, Traffic, ask
from fluxhero.store.events import events
from fluxhero.store.queries import READS, Answer, BadQuery, NotFound, Query, Reader
from fluxhero.store.sqlite import StoreError

log = structlog.get_logger()

LINE = 4096  # bytes
IDLE = 30.0  # s of host time a client may be silent
CLIENTS, FOLLOWERS = 64, 32
PATIENCE = 10.0  # s of host time until a command must have been dealt with
URGENT = 1.0  # s of host time that a halt waits for its turn
PARTING = 3.0  # s of host time for what is done before we go
GLANCE = 0.25  # s of host time between looks at the journal for those who follow it
EVENTS = 20  # the newest, where no number is given


class Request(Query, frozen=True, kw_only=True, forbid_unknown_fields=True):
    cmd: str
    trip: str = ""
    reason: Annotated[str, Meta(max_length=1000)] = ""
    id: Annotated[str, Meta(max_length=100)] = ""
    follow: bool = False


class Refused(Exception):
    """A request that cannot be served; says why."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Wire:
    """The way of a command: between turns, and answered when all that it caused is on the disk."""

    def __init__(self, world: World, traffic: Traffic, risk: Outbox[Any], flush: Callable[[], Awaitable[None]]) -> None:
        self._world, self._traffic, self._risk, self._flush = world, traffic, risk, flush

    async def __call__(self, command: Command | Leave | Sensed) -> Any:
        """A halt does not wait for its turn, nor for the disk, if they do not come soon."""
        halting = isinstance(command, Command) and command.verb is Verb.HALT
        outcome = None
        with trio.move_on_after(URGENT if halting else math.inf):
            async with self._world.turn():
                outcome = await ask(self._risk, command)
                await self._traffic.quiet()
                await self._flush()
        if halting and outcome is None:
            outcome = await ask(self._risk, command)
        return outcome


async def door(leaving: trio.Event, traffic: Traffic, wire: Wire | None) -> None:
    """Returns, and so ends the family, when somebody wants us to go; by the `wire`, entries are canceled first."""
    await leaving.wait()
    if wire is not None:
        with trio.move_on_after(PARTING):
            await traffic.settled.wait()
            await wire(Leave())


class Controller:
    """Answers requests from the store and from what the house tells, and passes commands on."""

    def __init__(
        self, directory: Path, symbols: Sequence[str], told: Mapping[str, Callable[[], Answer]], wire: Wire,
        host: Host, leaving: trio.Event, counted: Callable[[str, str], None],
    ) -> None:  # fmt: skip
        """`told`: answers of the living daemon by command; `counted`: is told of each request and what came of it."""
        self._directory, self._symbols, self._told, self._wire = directory, symbols, told, wire
        self._host, self._leaving, self._counted = host, leaving, counted
        self.known = sorted({*READS, *told, *Verb, "events", "shutdown"})
        self.followers = trio.CapacityLimiter(FOLLOWERS)
        self._stopping = False

    def leave(self) -> None:
        """What must wait until the answer has been sent."""
        if self._stopping:
            self._leaving.set()

    async def pause(self) -> None:
        await self._host.sleep(GLANCE)

    def followed(self, line: bytes) -> Request | None:
        """Does this line ask for events without end?"""
        try:
            request = self.parse(line)
        except Refused:
            return None
        return request if request.cmd == "events" and request.follow else None

    def parse(self, line: bytes) -> Request:
        try:
            return msgspec.json.decode(line, type=Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
            raise Refused("bad_request", f"not a request: {e}") from None

    async def answer(self, line: bytes) -> Answer:
        """Never raises: a request that cannot be served is answered with the kind of failure and the reason."""
        cmd, id = "unknown", ""
        try:
            request = self.parse(line)
            cmd, id = request.cmd if request.cmd in self.known else "unknown", request.id
            reply = await self._serve(request)
        except tuple(KINDS) as e:
            reply = _refusal(e)
        except Exception as e:
            log.exception("a request failed", cmd=cmd)
            reply = _error("failed", f"{type(e).__name__}: {e}")
        self._counted(cmd, reply.get("kind", "ok"))
        return {**({"id": id} if id else {}), **reply}

    async def _serve(self, r: Request) -> Answer:
        if r.cmd in list(Verb):
            return await self._command(r)
        if r.cmd == "shutdown":
            self._stopping = True
            return {
                "ok": True,
                "text": "shutting down; where a service manager restarts us, it is systemctl that stops us",
            }
        if r.cmd == "events":
            return {"ok": True, "events": self.events(r, None)[1]}
        read = self._read(r) if r.cmd in READS else {}
        if not read and r.cmd not in self._told:
            raise Refused("unknown_command", f"unknown command {r.cmd!r}; known: {', '.join(self.known)}")
        return {"ok": True, **read, **(self._told[r.cmd]() if r.cmd in self._told else {})}

    def _read(self, r: Request) -> Answer:
        reader = Reader(self._directory)
        try:
            return reader.answer(r.cmd, r)
        finally:
            reader.close()

    async def _command(self, r: Request) -> Answer:
        if r.cmd == Verb.RELEASE and not r.reason:
            raise Refused("bad_request", "release needs a reason")
        command = Command(
            verb=Verb(r.cmd), slots=self._slots(r), trip=r.trip, reason=r.reason or "by the operator", id=r.id
        )
        outcome: Outcome | None = None
        with trio.move_on_after(PATIENCE):
            outcome = await self._wire(command)
        if outcome is None:
            text = f"no answer within {PATIENCE:.0f} s, it may yet act: look at status, and ask again with the same id"
            raise Refused("busy", text)
        if not outcome.ok:
            raise Refused("refused", outcome.text)
        return {"ok": True, "text": outcome.text}

    def _slots(self, r: Request) -> tuple[int, ...]:
        if r.cmd == Verb.HALT or (r.cmd == Verb.RELEASE and r.symbol in ("", "all")):
            return ()
        if r.symbol in ("", "all"):
            return tuple(range(len(self._symbols)))
        if r.symbol not in self._symbols:
            raise NotFound(f"{r.symbol} is not traded here; {', '.join(self._symbols)} are")
        return (self._symbols.index(r.symbol),)

    def events(self, r: Request, after: int | None) -> tuple[int, list[Answer]]:
        """The journal's last row, and its rows past `after`; None: the newest `n` that are asked for."""
        reader = Reader(self._directory)
        try:
            r.check()
            return events(reader, after, r.n or EVENTS, r.all)
        finally:
            reader.close()

    async def follow(self, r: Request, send: Callable[[Answer], Awaitable[None]]) -> None:
        """Every new row of the journal, as it becomes durable; for ever."""
        self._counted("events", "ok")
        try:
            after, new = self.events(r, None)
            while True:
                for event in new:
                    await send(event)
                await self._host.sleep(GLANCE)
                after, new = self.events(r, after)
        except tuple(KINDS) as e:
            await send(_refusal(e))


# What a request that cannot be served is answered with.
KINDS: dict[type[Exception], str] = {
    Refused: "refused", BadQuery: "bad_request", NotFound: "not_found", StoreError: "unavailable",
}  # fmt: skip


def _refusal(e: Exception) -> Answer:
    kind = e.kind if isinstance(e, Refused) else next(KINDS[t] for t in KINDS if isinstance(e, t))
    return _error(kind, str(e))


def _error(kind: str, text: str) -> Answer:
    return {"ok": False, "kind": kind, "error": text}


async def control(listener: trio.SocketListener, controller: Controller) -> None:
    """Serves until cancelled; the listener outlives us, so that clients wait while we begin anew."""
    room = trio.CapacityLimiter(CLIENTS)
    async with trio.open_nursery() as nursery:
        while True:
            try:
                stream = await listener.accept()
            except OSError as e:  # no file descriptors left, at worst
                log.warning("cannot take a client", error=str(e))
                await controller.pause()
                continue
            nursery.start_soon(_client, stream, controller, room)


async def _client(stream: trio.SocketStream, controller: Controller, room: trio.CapacityLimiter) -> None:
    async with stream:
        try:
            stranger = _stranger(stream.socket)
            if stranger is not None:
                await _send(stream, _error("stranger", stranger))
            elif room.available_tokens < 1:
                await _send(stream, _error("busy", "too many clients"))
            else:
                async with room:
                    await _converse(stream, controller)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # they hung up


async def _converse(stream: trio.SocketStream, controller: Controller) -> None:
    buffer, line = bytearray(), b""
    while True:
        with trio.move_on_after(IDLE) as idle:
            chunk = await stream.receive_some(LINE)
        if idle.cancelled_caught:
            return
        buffer += chunk or (b"\n" if buffer else b"")  # a last line may lack its end
        while (end := buffer.find(b"\n")) >= 0:
            line, buffer = bytes(buffer[:end]), buffer[end + 1 :]
            if end >= LINE:
                break
            if line.strip():
                await _reply(stream, controller, line)
        if max(len(buffer), len(line) + 1) > LINE:
            await _send(stream, _error("too_long", f"a request has at most {LINE} bytes"))
            return
        if not chunk:
            return


async def _reply(stream: trio.SocketStream, controller: Controller, line: bytes) -> None:
    followed = controller.followed(line)
    if followed is not None:
        await _stream(stream, controller, followed)
        return
    try:
        await _send(stream, await controller.answer(line))
    finally:
        controller.leave()  # though whoever asked has gone


async def _stream(stream: trio.SocketStream, controller: Controller, r: Request) -> None:
    """Events until they hang up, or say anything. Who follows takes no seat from who commands."""
    if controller.followers.available_tokens < 1:
        await _send(stream, _error("busy", f"{FOLLOWERS} clients follow events already"))
        return

    async def send(event: Answer) -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            if await _send(stream, event):
                return
        nursery.cancel_scope.cancel()

    async def gone() -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await stream.receive_some(1)
        nursery.cancel_scope.cancel()

    async with controller.followers, trio.open_nursery() as nursery:
        nursery.start_soon(gone)
        await controller.follow(r, send)
        nursery.cancel_scope.cancel()


async def _send(stream: trio.SocketStream, answer: Answer) -> bool:
    """False where they do not read."""
    with trio.move_on_after(IDLE) as idle:
        await stream.send_all(msgspec.json.encode(answer) + b"\n")
    return not idle.cancelled_caught


def _stranger(connection: trio.socket.SocketType) -> str | None:
    """Why this peer may not speak, or None."""
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return None if uid in (0, os.getuid()) else f"refused uid {uid}"
