"""The daemon's pages over HTTP. What is about sockets runs on 127.0.0.1; what is about time, in virtual time."""

import errno
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import h11
import httpx
import pytest
import structlog
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.abc import Listener
from trio.testing import MockClock, memory_stream_pair, wait_all_tasks_blocked

from fluxhero.actors import http as module
from fluxhero.actors.http import CLIENTS, HEAD, Page, Stream, http

LARGE = b"0123456789abcdef" * (5 * 2**16)  # 5 MiB
PATIENCE = 60.0  # s; a bound, not a measure
GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def broken() -> Page:
    raise ZeroDivisionError("of the page's own")


PAGES: Mapping[str, Callable[[], Page]] = {
    "/livez": lambda: Page(200, b"alive\n"),
    "/readyz": lambda: Page(503, b'{"ready":false}', "application/json"),
    "/large": lambda: Page(200, LARGE),
    "/broken": broken,
    "/impossible": lambda: Page(42, b""),
}


def answer(status: int, body: bytes, *more: bytes, sent: bytes | None = None) -> bytes:
    """What the server writes; `sent`: the body it sends if not the one it announces."""
    head = [
        b"HTTP/1.1 %d " % status, b"Content-Type: text/plain; charset=utf-8", b"Content-Length: %d" % len(body),
        b"Cache-Control: no-store", b"Server: fluxhero", *more, b"", b"",
    ]  # fmt: skip
    return b"\r\n".join(head) + (body if sent is None else sent)


ALIVE = answer(200, b"alive\n")
CLOSE = b"Connection: close"
FAREWELL = answer(200, b"alive\n", CLOSE)
NONE_SUCH = b"no such page; there are /broken /impossible /large /livez /readyz\n"


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    with trio.fail_after(PATIENCE):
        return b"".join([bytes(chunk) async for chunk in stream])


async def read(stream: trio.abc.ReceiveStream, size: int) -> bytes:
    got = b""
    with trio.fail_after(PATIENCE):
        while len(got) < size:
            chunk = await stream.receive_some(size - len(got))
            assert chunk, f"closed after {got!r}"
            got += chunk
    return got


# Real sockets.


class House:
    """A server on a port of its own."""

    def __init__(self, listener: trio.SocketListener) -> None:
        self.listener = listener
        self.port: int = listener.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    async def visit(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def ask(self, what: bytes) -> bytes:
        """All that is answered until the server closes; the client does not."""
        async with await self.visit() as stream:
            await stream.send_all(what)
            return await read_all(stream)


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE)


@asynccontextmanager
async def open_house() -> AsyncIterator[House]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        yield House(listener)


@asynccontextmanager
async def serving(pages: Mapping[str, Callable[[], Page]] = PAGES) -> AsyncIterator[House]:
    async with open_house() as house, trio.open_nursery() as nursery:
        nursery.start_soon(http, house.listener, pages)
        yield house
        nursery.cancel_scope.cancel()


async def test_a_page_is_served_with_its_status_kind_and_length() -> None:
    async with serving() as house, client() as c:
        alive, ready = await c.get(f"{house.url}/livez"), await c.get(f"{house.url}/readyz")
    assert (alive.status_code, alive.content) == (200, b"alive\n")
    assert (ready.status_code, ready.json()) == (503, {"ready": False})
    assert dict(ready.headers) == {
        "content-type": "application/json",
        "content-length": "15",
        "cache-control": "no-store",
        "server": "fluxhero",
    }


async def test_a_connection_is_kept_and_closed_when_the_client_asks_for_it() -> None:
    async with serving() as house:
        async with await house.visit() as stream:
            for _ in range(3):
                await stream.send_all(GET)
                assert await read(stream, len(ALIVE)) == ALIVE
        assert await house.ask(LAST) == FAREWELL


async def test_a_head_request_gets_the_head_of_the_page_alone() -> None:
    async with serving() as house:
        assert (
            await house.ask(b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n" + LAST)
            == answer(200, b"alive\n", sent=b"") + FAREWELL
        )
        assert (
            await house.ask(b"HEAD /none HTTP/1.1\r\nHost: x\r\n\r\n" + LAST)
            == answer(404, NONE_SUCH, sent=b"") + FAREWELL
        )


@pytest.mark.parametrize("query", [b"?", b"?a=1", b"?a=/none&b=%zz"])
async def test_a_query_is_ignored(query: bytes) -> None:
    async with serving() as house:
        assert await house.ask(LAST.replace(b"/livez", b"/livez" + query)) == FAREWELL


@pytest.mark.parametrize("path", [b"/", b"*", b"/livez/", b"/LIVEZ", b"//livez", b"/../livez", b"livez", b"/%6civez"])
async def test_an_unknown_path_is_told_which_there_are(path: bytes) -> None:
    async with serving() as house:
        assert await house.ask(LAST.replace(b"/livez", path)) == answer(404, NONE_SUCH, CLOSE)


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"get", b"BREW"])
async def test_other_methods_are_told_which_are_allowed(method: bytes) -> None:
    async with serving() as house:
        refusal = answer(405, b"only GET and HEAD\n", b"Allow: GET, HEAD", CLOSE)
        assert await house.ask(LAST.replace(b"GET", method)) == refusal


async def test_a_page_that_raises_is_a_500_and_the_connection_lives_on() -> None:
    async with serving() as house:
        with structlog.testing.capture_logs() as logs:
            got = await house.ask(GET.replace(b"/livez", b"/broken") + LAST)
    assert got == answer(500, b"this page failed; the log says why\n") + FAREWELL
    assert logs == [{"event": "a page failed", "page": "/broken", "exc_info": True, "log_level": "error"}]


async def test_a_page_that_no_protocol_can_carry_costs_its_connection_only() -> None:
    async with serving() as house:
        with structlog.testing.capture_logs() as logs:
            assert await house.ask(GET.replace(b"/livez", b"/impossible")) == b""
        assert await house.ask(LAST) == FAREWELL
    assert [line["event"] for line in logs] == ["a connection failed"]


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    async with serving() as house:
        none = GET.replace(b"/livez", b"/none")
        assert await house.ask(GET + none + GET + LAST + GET) == ALIVE + answer(404, NONE_SUCH) + ALIVE + FAREWELL


@pytest.mark.parametrize(
    "wish", [b"Connection: Upgrade\r\nUpgrade: websocket", b"Expect: 100-continue", b"Range: bytes=0-1"]
)
async def test_wishes_beyond_a_page_are_passed_over(wish: bytes) -> None:
    async with serving() as house:
        assert await house.ask(GET[:-2] + wish + b"\r\n\r\n" + LAST) == ALIVE + FAREWELL


async def test_http_1_0_needs_no_host_and_is_closed_after_one_answer() -> None:
    async with serving() as house:
        assert await house.ask(b"GET /livez HTTP/1.0\r\n\r\n") == answer(200, b"alive\n", CLOSE)
        kept = b"GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        assert await house.ask(kept) == answer(200, b"alive\n", CLOSE)


async def test_a_half_closed_client_is_answered_all_the_same() -> None:
    async with serving() as house, await house.visit() as stream:
        await stream.send_all(GET + GET)
        await stream.send_eof()
        assert await read_all(stream) == ALIVE + ALIVE


@pytest.mark.parametrize(("size", "status"), [(HEAD, 200), (HEAD + 1, 431), (HEAD * 4, 431)])
async def test_the_head_of_a_request_has_at_most_eight_kibibytes(size: int, status: int) -> None:
    head, tail = LAST[:-2] + b"X: ", b"\r\n\r\n"
    async with serving() as house:
        got = await house.ask(head + b"x" * (size - len(head + tail)) + tail)
    assert got == (FAREWELL if status == 200 else answer(431, b"Receive buffer too long\n", CLOSE))


async def test_a_head_without_end_is_refused_though_its_client_never_stops() -> None:
    async with serving() as house, await house.visit() as stream:
        with trio.fail_after(PATIENCE), pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * 10_000_000)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 5", b"Content-Length: 99999999999", b"Transfer-Encoding: chunked"]
)
@pytest.mark.parametrize("body", [b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", GET])
async def test_a_body_is_refused_unread(framing: bytes, body: bytes) -> None:
    get = GET[:-2] + framing + b"\r\n\r\n" + body
    async with serving() as house:
        assert await house.ask(get) == answer(413, b"no request has a body here\n", CLOSE)
        refusal = answer(405, b"only GET and HEAD\n", b"Allow: GET, HEAD", CLOSE)
        assert await house.ask(get.replace(b"GET", b"POST", 1)) == refusal


async def test_a_body_of_no_bytes_is_none() -> None:
    async with serving() as house:
        assert await house.ask(GET[:-2] + b"Content-Length: 0\r\n\r\n" + LAST) == ALIVE + FAREWELL


async def test_a_client_with_much_to_say_still_reads_its_refusal() -> None:
    async with serving() as house, client() as c:
        reply = await c.post(f"{house.url}/livez", content=bytes(300_000))
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD")


def mangled(chance: random.Random) -> bytes:
    """Noise, or a request with some of its bytes struck, doubled or changed."""
    if chance.random() < 0.3:
        return chance.randbytes(chance.randrange(1, 300))
    lines = [
        b"Content-Length: -1",
        b"Content-Length: 1, 2",
        b"Transfer-Encoding: gzip",
        b"Host: y",
        b"\x00: 1",
        b" folded",
    ]
    what = bytearray(GET[:-2] + chance.choice(lines) + b"\r\n\r\n")
    for _ in range(chance.randrange(0, 6)):
        at = chance.randrange(len(what))
        what[at : at + chance.randrange(0, 3)] = chance.randbytes(chance.randrange(0, 3))
    return bytes(what)


def answers(got: bytes, asked: bytes) -> list[int]:
    """The statuses of whole, well-formed answers that explain every byte."""
    ours = h11.Connection(h11.CLIENT)
    statuses = []
    while got:
        ours = h11.Connection(h11.CLIENT)
        ours.send(
            h11.Request(method="HEAD" if asked.startswith(b"HEAD") else "GET", target="/", headers=[("Host", "x")])
        )
        ours.send(h11.EndOfMessage())
        ours.receive_data(got)
        reply = ours.next_event()
        assert isinstance(reply, h11.Response)
        statuses.append(reply.status_code)
        while not isinstance(ours.next_event(), h11.EndOfMessage):
            pass
        got = ours.trailing_data[0]
    return statuses


async def test_garbage_is_answered_400_or_not_at_all_and_never_logged() -> None:
    seen = set()
    with structlog.testing.capture_logs() as logs:
        async with serving() as house:
            for seed in range(300):
                garbage = mangled(random.Random(seed))
                async with await house.visit() as stream:
                    await stream.send_all(garbage)
                    await stream.send_eof()
                    seen.update(answers(await read_all(stream), garbage))
            assert await house.ask(LAST) == FAREWELL
    assert seen <= {200, 400, 404, 405, 413, 431, 501}
    assert 400 in seen
    assert logs == []


@pytest.mark.parametrize(
    "garbage", [b"\x00", b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET /livez\r\n\r\n"]
)
async def test_garbage_closes_the_connection(garbage: bytes) -> None:
    async with serving() as house:
        assert (await house.ask(garbage + GET)).startswith(b"HTTP/1.1 400 ")


def hang_up(stream: trio.SocketStream) -> None:
    """Not with a FIN but with a reset."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


@pytest.mark.parametrize("how", ["close", "reset", "half"])
async def test_a_client_may_leave_at_any_byte_of_its_request(how: str) -> None:
    with structlog.testing.capture_logs() as logs:
        async with serving() as house:
            for sent in range(len(GET) + 1):
                async with await house.visit() as stream:
                    if sent:
                        await stream.send_all(GET[:sent])
                    if how == "reset":
                        hang_up(stream)
                    elif how == "half":
                        await stream.send_eof()
                        whole = [200] if sent == len(GET) else [400]
                        assert answers(await read_all(stream), GET) == (whole if sent else [])
            assert await house.ask(LAST) == FAREWELL
    assert logs == []


async def test_a_client_may_leave_at_any_part_of_its_answer() -> None:
    with structlog.testing.capture_logs() as logs:
        async with serving() as house:
            for taken in (0, 1, 100, 2**10, 2**16, 2**20, 2**22):
                async with await house.visit() as stream:
                    await stream.send_all(GET.replace(b"/livez", b"/large"))
                    assert len(await read(stream, taken)) == taken
                    hang_up(stream)
            assert await house.ask(LAST) == FAREWELL
    assert logs == []


async def test_a_client_that_never_reads_slows_nobody_and_one_that_reads_slowly_gets_all() -> None:
    async with serving() as house:
        lazy = trio.socket.socket()
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await lazy.connect(("127.0.0.1", house.port))
        async with trio.SocketStream(lazy) as deaf, await house.visit() as slow:
            large = LAST.replace(b"/livez", b"/large")
            await deaf.send_all(large)
            await slow.send_all(large)
            assert [await house.ask(LAST) for _ in range(20)] == [FAREWELL] * 20
            assert await read_all(slow) == answer(200, LARGE, CLOSE)


async def test_fifty_clients_at_once_are_all_answered() -> None:
    got: list[bytes] = []

    async def one() -> None:
        async with client() as c:
            got.append((await c.get(f"{house.url}/livez")).content)

    async with serving() as house, trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(one)
    assert got == [b"alive\n"] * 50


async def test_fifty_clients_are_all_answered_though_none_of_them_leaves() -> None:
    async with serving() as house, trio.open_nursery() as nursery:
        answered = trio.Semaphore(0)

        async def one() -> None:
            async with await house.visit() as stream:
                await stream.send_all(GET)
                assert (await read(stream, len(ALIVE))).startswith(b"HTTP/1.1 200 ")
                answered.release()
                await trio.sleep_forever()

        for _ in range(50):
            nursery.start_soon(one)
        with trio.fail_after(PATIENCE):
            for _ in range(50):
                await answered.acquire()
        nursery.cancel_scope.cancel()


async def test_who_waits_while_the_server_is_down_is_served_when_it_is_up_again() -> None:
    async with open_house() as house:
        for _ in range(3):
            async with await house.visit() as waiting, trio.open_nursery() as nursery:
                await waiting.send_all(GET)
                nursery.start_soon(http, house.listener, PAGES)
                assert await read(waiting, len(ALIVE)) == ALIVE
                nursery.cancel_scope.cancel()
            async with await house.visit() as orphan, await house.visit() as unheard:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(http, house.listener, PAGES)
                    await orphan.send_all(GET)
                    assert await read(orphan, len(ALIVE)) == ALIVE
                    nursery.cancel_scope.cancel()
                assert await read_all(orphan) == b""
                await unheard.aclose()


# Virtual time.


class Door(Listener[Stream]):
    """A listener without a network: clients knock, accepting fails when told to."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Stream | OSError](1000)
        self.accepted = 0
        self.closed: list[float] = []

    async def accept(self) -> Stream:
        visitor = await self._receive.receive()
        if isinstance(visitor, OSError):
            raise visitor
        self.accepted += 1
        return visitor

    async def aclose(self) -> None:
        raise AssertionError("the listener is not the server's to close")

    def knock(self, what: bytes = b"", deaf: bool = False) -> Stream:
        ours, theirs = memory_stream_pair()
        theirs.receive_stream.close_hook = lambda: self.closed.append(trio.current_time())
        if deaf:
            theirs.send_stream.send_all_hook = trio.sleep_forever
        theirs.receive_stream.put_data(what)
        self._send.send_nowait(theirs)
        return ours

    def fail(self, number: int) -> None:
        self._send.send_nowait(OSError(number, "out of order"))


@asynccontextmanager
async def behind(pages: Mapping[str, Callable[[], Page]] = PAGES) -> AsyncIterator[Door]:
    door = Door()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(http, door, pages)
        yield door
        nursery.cancel_scope.cancel()


def status(got: bytes) -> bytes:
    return got[9:12]


async def test_a_request_must_be_complete_in_time(autojump_clock: MockClock) -> None:
    async with behind() as door:
        start = trio.current_time()
        late = answer(408, b"a request has 5 s\n", CLOSE)
        half, kept = door.knock(GET[:20]), door.knock(GET + GET[:20])
        assert await read_all(half) == late
        assert await read_all(kept) == ALIVE + late
        assert trio.current_time() == start + 5.0


async def test_bytes_one_by_one_buy_no_time(autojump_clock: MockClock) -> None:
    async with behind() as door, trio.open_nursery() as nursery:
        start = trio.current_time()
        drip = door.knock()

        async def dripping() -> None:
            for byte in GET:
                await drip.send_all(bytes([byte]))
                await trio.sleep(0.7)

        nursery.start_soon(dripping)
        assert status(await read_all(drip)) == b"408"
        assert trio.current_time() == start + 5.0
        nursery.cancel_scope.cancel()


async def test_who_connects_and_says_nothing_is_shown_out_without_a_word(autojump_clock: MockClock) -> None:
    async with behind() as door:
        start = trio.current_time()
        assert await read_all(door.knock()) == b""
        assert trio.current_time() == start + 5.0


async def test_an_idle_connection_is_closed_after_thirty_seconds(autojump_clock: MockClock) -> None:
    async with behind() as door:
        idle = door.knock(GET)
        for _ in range(3):
            await trio.sleep(29.0)
            await idle.send_all(GET)
        start = trio.current_time()
        assert await read_all(idle) == ALIVE * 4
        assert trio.current_time() == start + 30.0


async def test_an_answer_must_be_taken_in_time(autojump_clock: MockClock) -> None:
    async with behind() as door:
        start = trio.current_time()
        door.knock(GET, deaf=True)
        await trio.sleep(60.0)
        assert door.closed == [start + 10.0]


async def test_who_goes_on_after_the_last_word_is_heard_out_for_a_second(autojump_clock: MockClock) -> None:
    async with behind() as door:
        start = trio.current_time()
        clients = [door.knock(LAST + bytes(unheard)) for unheard in (0, HEAD, 10_000_000)]
        await trio.sleep(60.0)
        assert door.closed == [start, start, start + 1.0]
        assert [await read_all(stream) for stream in clients] == [FAREWELL] * 3


async def test_a_thousand_requests_are_enough_for_one_connection(autojump_clock: MockClock) -> None:
    async with behind() as door:
        assert await read_all(door.knock(GET * 1001)) == ALIVE * 999 + FAREWELL


async def test_no_more_than_sixteen_are_let_in_and_the_next_wait(autojump_clock: MockClock) -> None:
    async with behind() as door:
        start = trio.current_time()
        for _ in range(2 * CLIENTS):
            door.knock()
        waiting = door.knock(LAST)
        await trio.sleep(4.0)
        assert door.accepted == CLIENTS == 16
        assert await read_all(waiting) == FAREWELL
        assert trio.current_time() == start + 10.0


async def test_the_longest_idle_makes_room_for_who_comes(autojump_clock: MockClock) -> None:
    async with behind() as door:
        start = trio.current_time()
        assert await read_all(door.knock(LAST)) == FAREWELL
        idle = []
        for _ in range(CLIENTS - 1):
            idle.append(door.knock(GET))
            await wait_all_tasks_blocked()
        await idle[0].send_all(GET)
        await wait_all_tasks_blocked()
        idle.append(door.knock(GET))
        assert await read_all(idle[1]) == ALIVE
        assert await read_all(door.knock(LAST)) == FAREWELL  # and one more leaves, for the next
        assert await read_all(idle[2]) == ALIVE
        await idle[0].send_all(GET)
        assert await read(idle[0], 3 * len(ALIVE)) == ALIVE * 3
        for stream in idle[3:]:
            await stream.send_all(GET)
            assert await read(stream, 2 * len(ALIVE)) == ALIVE * 2
        assert trio.current_time() == start


async def test_nobody_is_kept_while_others_wait(autojump_clock: MockClock) -> None:
    async with behind() as door:
        start = trio.current_time()
        silent = [door.knock() for _ in range(CLIENTS)]
        await wait_all_tasks_blocked()
        await silent[7].send_all(GET)
        assert await read_all(silent[7]) == FAREWELL
        await silent[7].aclose()
        assert await read_all(door.knock(LAST)) == FAREWELL
        assert trio.current_time() == start


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_failing_to_accept_neither_ends_the_server_nor_makes_it_spin(
    number: int, autojump_clock: MockClock
) -> None:
    async with behind() as door:
        with structlog.testing.capture_logs() as logs:
            start = trio.current_time()
            for _ in range(50):
                door.fail(number)
            assert await read_all(door.knock(LAST)) == FAREWELL
            assert trio.current_time() == pytest.approx(start + 5.0)
    assert [line["event"] for line in logs] == ["no connection can be accepted"]


async def test_a_request_is_understood_however_it_is_cut(autojump_clock: MockClock) -> None:
    async with behind() as door:
        for cut in range(1, len(LAST)):
            stream = door.knock(LAST[:cut])
            await wait_all_tasks_blocked()
            await stream.send_all(LAST[cut:])
            assert await read_all(stream) == FAREWELL


@pytest.mark.parametrize(("size", "expected"), [(HEAD, b"200"), (HEAD + 1, b"431")])
async def test_a_head_is_measured_whole_however_it_is_cut(
    size: int, expected: bytes, autojump_clock: MockClock
) -> None:
    head, tail = LAST[:-2] + b"X: ", b"\r\n\r\n"
    whole = head + b"x" * (size - len(head + tail)) + tail
    async with behind() as door:
        for cut in (1, HEAD // 2, HEAD - 1):
            stream = door.knock(whole[:cut])
            await wait_all_tasks_blocked()
            await stream.send_all(whole[cut:])
            assert status(await read_all(stream)) == expected


pieces = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([
        GET, LAST, b"GET ", b"HEAD ", b"POST ", b"/livez", b"/none", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\n",
        b"Host: x", b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Connection: close", b"Expect: 100-continue",
        b"Connection: Upgrade\r\nUpgrade: websocket", b":", b"x" * 5000,
    ]),
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(pieces, max_size=12))
def test_whatever_bytes_come_in_whatever_pieces_the_server_lives_and_logs_nothing(chunks: list[bytes]) -> None:
    async def main() -> None:
        async with behind() as door:
            stream: Any = door.knock()
            for chunk in chunks:
                await stream.send_all(chunk)
                await wait_all_tasks_blocked()
                if door.closed:
                    break
            if not door.closed:
                await stream.send_eof()
            got = await read_all(stream)
            assert not got or got.startswith(b"HTTP/1.1 ")
            assert await read_all(door.knock(LAST)) == FAREWELL

    with structlog.testing.capture_logs() as logs:
        trio.run(main, clock=MockClock(autojump_threshold=0))
    assert logs == []


def test_the_limits_are_those_promised() -> None:
    limits = (module.CLIENTS, module.HEAD, module.REQUESTS, module.REQUEST, module.IDLE, module.ANSWER)
    assert limits == (16, 8192, 1000, 5.0, 30.0, 10.0)
