"""Sockets to be served on; who opens one closes it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
import trio

log = structlog.get_logger()

BACKLOG = 128
LONGEST = 107  # bytes of a Unix socket's path


class Unlistenable(OSError):
    """An address that cannot be served on; the message says why."""


@contextmanager
def unix(path: Path) -> Iterator[trio.SocketListener]:
    """Ours alone by its mode; what lies at the path is a dead daemon's, for the caller holds the state's lock."""
    if len(os.fsencode(path)) > LONGEST:
        raise Unlistenable(f"{path} is longer than {LONGEST} bytes, the most that a socket's name may have")
    raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        raw.bind(str(path))
        raw.listen(BACKLOG)
    except OSError as e:
        raw.close()
        raise Unlistenable(f"{path} cannot be served on: {e.strerror}") from None
    finally:
        os.umask(mask)
    try:
        yield from _served(raw)
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def local(port: int) -> Iterator[trio.SocketListener]:
    """TCP on 127.0.0.1; port 0 is any free one, and so is one that is taken: nobody stops trading for being unseen."""
    try:
        raw = _bound(port)
    except OSError as e:
        log.warning("the port for metrics cannot be had, any other is taken", port=port, error=e.strerror)
        raw = _bound(0)
    yield from _served(raw)


def _bound(port: int) -> socket.socket:
    raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        raw.bind(("127.0.0.1", port))
        raw.listen(BACKLOG)
    except OSError:
        raw.close()
        raise
    return raw


def _served(raw: socket.socket) -> Iterator[trio.SocketListener]:
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(raw))
    try:
        yield listener
    finally:
        listener.socket.close()
