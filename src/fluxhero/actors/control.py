"""The control socket: one JSON object a line in, one out. Commands that act do so between turns."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog
import trio

from fluxhero.messages import Commit, Halt, Outcome, Release
from fluxhero.ports import World
from fluxhero.runtime.channels import Outbox, ask
from fluxhero.store.queries import READS, NotFound, Reader
from fluxhero.store.sqlite import StoreError

log = structlog.get_logger()

LINE = 4096  # bytes
IDLE = 30.0  # s of host time a client may be silent
CLIENTS = 64
BACKLOG = 128


class Request(msgspec.Struct, forbid_unknown_fields=True):
    cmd: str
    symbol: str = ""
    time: str = ""
    trip: str = ""
    reason: str = ""
    all: bool = False
    id: str = ""


class Refused(Exception):
    """A request that cannot be served; says why."""


class Controller:
    """Answers requests from the store, and passes commands on."""

    def __init__(
        self, directory: Path, world: World, risk: Outbox[Any], recorder: Outbox[Any],
        stop: Callable[[], None],
    ) -> None:  # fmt: skip
        self._directory, self._world, self._risk, self._recorder, self._stop = directory, world, risk, recorder, stop
        self._acts: dict[str, Callable[[Request], Awaitable[dict[str, Any]]]] = {
            "halt": self._halt,
            "release": self._release,
            "shutdown": self._shutdown,
        }
        self._stopping = False

    def leave(self) -> None:
        """What must wait until the answer has been sent."""
        if self._stopping:
            self._stop()

    async def answer(self, line: bytes) -> dict[str, Any]:
        """Never raises: a request that cannot be served is answered with the reason."""
        try:
            request = msgspec.json.decode(line, type=Request)
        except (msgspec.MsgspecError, UnicodeDecodeError) as e:
            return {"ok": False, "error": f"not a request: {e}"}
        try:
            reply = await self._serve(request)
        except (Refused, NotFound, StoreError) as e:
            reply = {"ok": False, "error": str(e)}
        except Exception as e:
            log.exception("a request failed", cmd=request.cmd)
            reply = {"ok": False, "error": f"{type(e).__name__}: {e}"}
        return {**({"id": request.id} if request.id else {}), **reply}

    async def _serve(self, r: Request) -> dict[str, Any]:
        act = self._acts.get(r.cmd)
        if act is not None:
            return await act(r)
        if r.cmd not in READS:
            raise Refused(f"unknown command {r.cmd!r}; known: {', '.join(sorted({*READS, *self._acts}))}")
        reader = Reader(self._directory)
        try:
            answer = reader.answer(r.cmd, r.symbol, r.time, r.all)
        finally:
            reader.close()
        return {"ok": True, **answer, **({"running": True, "pid": os.getpid()} if r.cmd == "status" else {})}

    async def _halt(self, r: Request) -> dict[str, Any]:
        return await self._command(Halt(reason=r.reason or "by the operator"))

    async def _release(self, r: Request) -> dict[str, Any]:
        if not r.reason:
            raise Refused("release needs a reason")
        return await self._command(Release(trip=r.trip, reason=r.reason))

    async def _command(self, command: Halt | Release) -> dict[str, Any]:
        """Acts in memory first; the answer says that it is on the disk."""
        async with self._world.turn():
            outcome: Outcome = await ask(self._risk, command)
            await ask(self._recorder, Commit())
        return {"ok": True, "text": outcome.text} if outcome.ok else {"ok": False, "error": outcome.text}

    async def _shutdown(self, r: Request) -> dict[str, Any]:
        """Answered first; then `leave` does it."""
        self._stopping = True
        return {"ok": True, "text": "shutting down"}


async def control(path: Path, controller: Controller) -> None:
    """Serves until cancelled; the socket is ours alone, for a state has one daemon."""
    listener = _listen(path)
    room = trio.CapacityLimiter(CLIENTS)
    try:
        async with trio.open_nursery() as nursery:
            while True:
                connection, _ = await listener.accept()
                nursery.start_soon(_client, connection, controller, room)
    finally:
        listener.close()
        path.unlink(missing_ok=True)


def _listen(path: Path) -> trio.socket.SocketType:
    path.unlink(missing_ok=True)
    raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        raw.bind(str(path))
        raw.listen(BACKLOG)
    except OSError:
        raw.close()
        raise
    finally:
        os.umask(mask)
    return trio.socket.from_stdlib_socket(raw)


async def _client(connection: trio.socket.SocketType, controller: Controller, room: trio.CapacityLimiter) -> None:
    stream = trio.SocketStream(connection)
    async with stream:
        try:
            refusal = _stranger(connection) or ("too many clients" if room.available_tokens < 1 else None)
            if refusal is not None:
                await _send(stream, {"ok": False, "error": refusal})
                return
            async with room:
                await _converse(stream, controller)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # they hung up


async def _converse(stream: trio.SocketStream, controller: Controller) -> None:
    buffer, line = bytearray(), b""
    while True:
        with trio.move_on_after(IDLE) as idle:
            chunk = await stream.receive_some(LINE)
        if idle.cancelled_caught or not chunk:
            return
        buffer += chunk
        while (end := buffer.find(b"\n")) >= 0:
            line, buffer = bytes(buffer[:end]), buffer[end + 1 :]
            if end >= LINE:
                break
            if line.strip():
                await _send(stream, await controller.answer(line))
                controller.leave()
        if max(len(buffer), len(line) + 1) > LINE:
            await _send(stream, {"ok": False, "error": f"a request has at most {LINE} bytes"})
            return


async def _send(stream: trio.SocketStream, answer: dict[str, Any]) -> None:
    with trio.move_on_after(IDLE):
        await stream.send_all(msgspec.json.encode(answer) + b"\n")


def _stranger(connection: trio.socket.SocketType) -> str | None:
    """Why this peer may not speak, or None."""
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return None if uid in (0, os.getuid()) else f"refused uid {uid}"
