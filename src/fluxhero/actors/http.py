"""The daemon's own pages over HTTP, served in the trading loop, so that they tell the truth about it.

A client that finds all seats taken waits in the listener's backlog: being told 503 it would think the daemon ill. It
waits briefly, for then the connection idle longest is closed and those that have been answered are not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import h11
import msgspec
import structlog
import trio

log = structlog.get_logger()

CLIENTS = 16
HEAD = 8192  # bytes of a request's line and headers
REQUESTS = 1000  # a connection
REQUEST = 5.0  # s in which a request must be complete
IDLE = 30.0  # s between two requests
ANSWER = 10.0  # s in which an answer must be taken
LINGER, LEFTOVERS = 1.0, 64  # s and reads for what a client says unheard
PAUSE = 0.1  # s after a failed accept

Stream = trio.abc.HalfCloseableStream


class Page(msgspec.Struct, frozen=True):
    status: int
    body: bytes
    kind: str = "text/plain; charset=utf-8"


async def http(listener: trio.abc.Listener[Stream], pages: Mapping[str, Callable[[], Page]]) -> None:
    """Serves GET and HEAD of `pages` by path until cancelled; the listener is borrowed and stays open."""
    server = _Server(pages)
    async with trio.open_nursery() as nursery:
        while True:
            await server.seat()
            nursery.start_soon(server.serve, await _accept(listener))


async def _accept(listener: trio.abc.Listener[Stream]) -> Stream:
    told = False
    while True:
        try:
            return await listener.accept()
        except OSError as e:  # out of descriptors or memory, mostly: that passes
            if not told:
                log.warning("no connection can be accepted", error=str(e))
            told = True
        with trio.move_on_after(PAUSE):
            await trio.Event().wait()


class _Server:
    def __init__(self, pages: Mapping[str, Callable[[], Page]]) -> None:
        self._pages = pages
        self._seats = trio.Semaphore(CLIENTS)
        self._idle: dict[trio.CancelScope, None] = {}  # the longest first

    async def seat(self) -> None:
        """Takes a seat for the next client, if need be that of a client who has been answered and asks nothing."""
        if self._seats.value == 0 and self._idle:
            next(iter(self._idle)).cancel()
        await self._seats.acquire()

    async def serve(self, stream: Stream) -> None:
        """Never raises: a connection is no reason to end the server."""
        try:
            async with stream:
                await self._converse(stream)
        except trio.BrokenResourceError:
            pass  # they hung up
        except Exception:
            log.exception("a connection failed")
        finally:
            self._seats.release()

    async def _converse(self, stream: Stream) -> None:
        protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD - 1)
        for left in reversed(range(REQUESTS)):
            try:
                request = await self._receive(stream, protocol, fresh=left == REQUESTS - 1)
                if request is None:
                    return
                page, last = self._page(request), left == 0 or self._crowded() or _bodied(request)
            except h11.RemoteProtocolError as e:
                request, page, last = None, Page(e.error_status_hint, f"{e}\n".encode()), True
            answer = _encode(protocol, page, last, bare=request is not None and request.method == b"HEAD")
            with trio.move_on_after(ANSWER) as patience:
                await stream.send_all(answer)
            if patience.cancelled_caught:
                return
            if protocol.our_state is not h11.DONE:
                break
            protocol.start_next_cycle()
        if protocol.their_state in (h11.ERROR, h11.SEND_BODY) or _pending(protocol):
            await _drain(stream)

    async def _receive(self, stream: Stream, protocol: h11.Connection, fresh: bool) -> h11.Request | None:
        """The next request, or None when there will be none."""
        if not fresh and not _pending(protocol) and not await self._rest(stream, protocol):
            return None
        with trio.move_on_after(REQUEST):
            while (event := protocol.next_event()) is h11.NEED_DATA:
                protocol.receive_data(bytes(await stream.receive_some(HEAD - _pending(protocol))))
            if not isinstance(event, h11.Request):
                return None
            if not _bodied(event):
                protocol.next_event()  # its end
            return event
        if _pending(protocol):
            raise h11.RemoteProtocolError(f"a request has {REQUEST:g} s", error_status_hint=408)
        return None

    async def _rest(self, stream: Stream, protocol: h11.Connection) -> bool:
        """Waits for the first bytes of another request: are there any?"""
        with trio.move_on_after(IDLE) as rest:
            self._idle[rest] = None
            try:
                protocol.receive_data(bytes(await stream.receive_some(HEAD)))
            finally:
                del self._idle[rest]
        return not rest.cancelled_caught

    def _crowded(self) -> bool:
        return self._seats.statistics().tasks_waiting > 0

    def _page(self, request: h11.Request) -> Page:
        if request.method not in (b"GET", b"HEAD"):
            return Page(405, b"only GET and HEAD\n")
        if _bodied(request):
            return Page(413, b"no request has a body here\n")
        path = request.target.partition(b"?")[0].decode("latin-1")
        if path not in self._pages:
            return Page(404, f"no such page; there are {' '.join(sorted(self._pages))}\n".encode())
        try:
            return self._pages[path]()
        except Exception:
            log.exception("a page failed", page=path)
            return Page(500, b"this page failed; the log says why\n")


def _pending(protocol: h11.Connection) -> int:
    return len(protocol.trailing_data[0])


def _bodied(request: h11.Request) -> bool:
    headers = dict(request.headers)
    return b"transfer-encoding" in headers or int(headers.get(b"content-length", b"0")) > 0


def _encode(protocol: h11.Connection, page: Page, last: bool, bare: bool) -> bytes:
    """`bare`: the head alone."""
    headers = [
        ("Content-Type", page.kind),
        ("Content-Length", str(len(page.body))),
        ("Cache-Control", "no-store"),
        ("Server", "fluxhero"),
        *([("Allow", "GET, HEAD")] if page.status == 405 else []),
        *([("Connection", "close")] if last else []),
    ]
    head = protocol.send(h11.Response(status_code=page.status, headers=headers))
    body = b"" if bare else protocol.send(h11.Data(data=page.body))
    return head + body + protocol.send(h11.EndOfMessage())


async def _drain(stream: Stream) -> None:
    """Lets the last answer arrive: a socket closed with bytes unread resets, and the client may lose it."""
    await stream.send_eof()
    with trio.move_on_after(LINGER):
        for _ in range(LEFTOVERS):
            if not await stream.receive_some(HEAD):
                return
