"""POST requests with a body, answered one after the other on each connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import h11
import trio

READ = 65_536
Gone = Callable[[float], Awaitable[None]]  # waits for so many seconds, or until whoever asks has hung up
Answering = Callable[[str, bytes, Gone], Awaitable[tuple[int, bytes] | None]]  # status and body; None: no answer


async def serve(stream: trio.SocketStream, answering: Answering) -> None:
    """Until either end hangs up, or there is to be no answer."""
    protocol = h11.Connection(h11.SERVER)

    async def gone(seconds: float) -> None:
        with suppress(trio.BrokenResourceError), trio.move_on_after(seconds):
            await stream.receive_some(READ)

    async with stream:
        try:
            while (asked := await _asked(stream, protocol)) is not None:
                answer = await answering(*asked, gone)
                if answer is None:
                    return
                await stream.send_all(_encoded(protocol, *answer))
                protocol.start_next_cycle()
        except (trio.BrokenResourceError, h11.ProtocolError):
            pass  # they were killed


async def _asked(stream: trio.SocketStream, protocol: h11.Connection) -> tuple[str, bytes] | None:
    path, body = "", b""
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            protocol.receive_data(bytes(await stream.receive_some(READ)))
        elif isinstance(event, h11.Request):
            path = event.target.decode()
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return path, body
        else:
            return None


def _encoded(protocol: h11.Connection, status: int, body: bytes) -> bytes:
    head = h11.Response(status_code=status, headers=[("Content-Length", str(len(body)))])
    parts = (head, h11.Data(data=body), h11.EndOfMessage())
    return b"".join(protocol.send(part) or b"" for part in parts)
