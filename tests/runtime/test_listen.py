"""Sockets to be served on: ours alone, closed by whom they were opened by, and never a reason to trade no more."""

import os
import socket
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
import trio

from fluxhero.runtime.listen import LONGEST, Unlistenable, local, unix


async def served(listener: trio.SocketListener, connect: Callable[[], socket.socket]) -> bytes:
    with closing(connect()) as client:
        client.sendall(b"hello")
        stream = await listener.accept()
        async with stream:
            return bytes(await stream.receive_some(5))


def to(path: Path) -> Callable[[], socket.socket]:
    def connect() -> socket.socket:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.connect(str(path))
        return s

    return connect


def port(listener: trio.SocketListener) -> tuple[str, int]:
    name: tuple[str, int] = listener.socket.getsockname()
    return name


# -- on a path


async def test_a_socket_on_a_path_is_ours_alone_and_goes_with_us(tmp_path: Path) -> None:
    path, mask = tmp_path / "s", os.umask(0o022)
    try:
        with unix(path) as listener:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_ISSOCK(path.stat().st_mode)
            assert await served(listener, to(path)) == b"hello"
        assert not path.exists()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(mask)


async def test_it_goes_with_us_however_we_go(tmp_path: Path) -> None:
    """A reader who finds a socket there would think that somebody is at home."""
    with pytest.raises(ZeroDivisionError), unix(tmp_path / "s"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


async def test_who_takes_it_away_does_not_hurt(tmp_path: Path) -> None:
    with unix(tmp_path / "s"):
        (tmp_path / "s").unlink()


@pytest.mark.parametrize("left", ["a dead socket", "a file", "a link to nowhere", "a link to a file"])
async def test_what_a_dead_daemon_left_is_replaced(left: str, tmp_path: Path) -> None:
    path, other = tmp_path / "s", tmp_path / "other"
    if left == "a dead socket":
        with closing(socket.socket(socket.AF_UNIX)) as s:
            s.bind(str(path))
    elif left == "a file":
        path.write_text("mine")
    else:
        path.symlink_to(other)
        if left == "a link to a file":
            other.write_text("mine")
    with unix(path) as listener:
        assert await served(listener, to(path)) == b"hello"
    assert (path.exists(), other.exists()) == (False, left == "a link to a file")


def a_folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("where", "why"),
    [
        (lambda folder: folder / "nowhere" / "s", "No such file or directory"),
        (lambda folder: a_folder(folder / "s"), "Is a directory"),
        (lambda folder: Path("/dev/null/s"), "Not a directory"),
        (lambda folder: Path("/proc/s"), ""),
    ],
)
async def test_a_path_that_cannot_be_served_on_is_said_in_one_line(
    where: Callable[[Path], Path], why: str, tmp_path: Path
) -> None:
    path, mask = where(tmp_path), os.umask(0o022)
    with pytest.raises(Unlistenable) as e, unix(path):
        pass
    assert os.umask(mask) == 0o022
    assert (str(path) in str(e.value), why in str(e.value), "\n" in str(e.value)) == (True, True, False)


@pytest.mark.parametrize("letter", ["x", "é"])
async def test_a_path_has_at_most_107_bytes(letter: str, tmp_path: Path) -> None:
    room = LONGEST - len(os.fsencode(tmp_path)) - 1
    longest = tmp_path / (letter * (room // len(letter.encode())) + "x" * (room % len(letter.encode())))
    with unix(longest) as listener:
        assert await served(listener, to(longest)) == b"hello"
    with pytest.raises(Unlistenable, match="is longer than 107 bytes"), unix(Path(f"{longest}x")):
        pass
    assert list(tmp_path.iterdir()) == []


# -- on a port


async def test_a_port_is_of_this_machine_alone() -> None:
    with local(0) as listener:
        host, number = port(listener)
        assert (host, number > 0) == ("127.0.0.1", True)
        assert await served(listener, lambda: socket.create_connection((host, number))) == b"hello"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, number))


async def test_the_port_that_is_asked_for_is_taken() -> None:
    with local(0) as free:
        number = port(free)[1]
    with local(number) as listener:
        assert port(listener) == ("127.0.0.1", number)
        assert await served(listener, lambda: socket.create_connection(("127.0.0.1", number))) == b"hello"
    with local(number) as again:  # though the last connection lingers
        assert port(again) == ("127.0.0.1", number)


async def test_instead_of_a_port_that_is_taken_it_is_another_and_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with local(0) as first, local(port(first)[1]) as second:
        assert port(second)[1] not in (0, port(first)[1])
        assert await served(second, lambda: socket.create_connection(port(second))) == b"hello"
    said = capsys.readouterr()
    assert str(port_of(said.out + said.err)) in said.out + said.err


def port_of(text: str) -> int:
    return int(text.partition("port=")[2].split()[0].strip("\x1b[0m").rstrip("m"))


async def test_a_port_that_another_takes_between_bind_and_listen_is_another_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two daemons that start at once: both may bind, one may listen."""
    with local(0) as free:
        number = port(free)[1]
    rivals: list[socket.socket] = []
    listen = socket.socket.listen

    def late(self: socket.socket, backlog: int) -> None:
        if not rivals and self.family == socket.AF_INET:
            rival = socket.socket()
            rivals.append(rival)
            rival.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            rival.bind(("127.0.0.1", number))
            listen(rival, backlog)
        listen(self, backlog)

    monkeypatch.setattr(socket.socket, "listen", late)
    try:
        with local(number) as listener:
            assert port(listener)[1] not in (0, number)
    finally:
        for rival in rivals:
            rival.close()


@pytest.mark.parametrize("how", ["path", "port"])
async def test_the_listener_is_closed_however_we_go(how: str, tmp_path: Path) -> None:
    opened: AbstractContextManager[trio.SocketListener] = unix(tmp_path / "s") if how == "path" else local(0)
    with pytest.raises(KeyError), opened as listener:
        raise KeyError
    assert listener.socket.fileno() == -1
