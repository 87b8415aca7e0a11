"""The way to a daemon: its socket, one JSON object a line."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Answer = dict[str, Any]


class Unanswered(Exception):
    """No answer came that could be one."""


class Absent(Unanswered):
    """Nobody listens."""


class Line:
    """One connection. Raises Unanswered; PermissionError where the socket is not ours."""

    def __init__(self, path: Path, patience: float) -> None:
        """`patience`: seconds until an answer must have come."""
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(patience)
        try:
            self._connect()
        except BaseException:
            self._socket.close()
            raise
        self._answers = self._socket.makefile("rb")

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._answers.close()
        self._socket.close()

    def ask(self, *requests: Answer) -> Iterator[Answer]:
        """All are sent at once; answers come in order."""
        self._send(requests)
        return (self._answer() for _ in requests)

    def follow(self, request: Answer) -> Iterator[tuple[str, Answer]]:
        """Each line as it was sent, and as an object, until the daemon hangs up; waits for ever in between."""
        self._send((request,))
        self._socket.settimeout(None)
        try:
            for line in self._answers:
                yield line.decode().rstrip("\n"), _object(json.loads(line))
        except (OSError, ValueError) as e:
            raise Unanswered(f"{self._path} spoke no JSON: {e}") from None

    def _connect(self) -> None:
        try:
            self._socket.connect(str(self._path))
        except PermissionError:
            raise
        except (TimeoutError, BlockingIOError):
            raise Unanswered(f"{self._path} is too busy to answer") from None
        except OSError:
            raise Absent(f"no daemon answers at {self._path}") from None

    def _send(self, requests: tuple[Answer, ...]) -> None:
        """Who refuses us may hang up before he has heard us."""
        lines = "".join(json.dumps(request) + "\n" for request in requests)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(lines.encode())

    def _answer(self) -> Answer:
        try:
            line = self._answers.readline()
            if not line:
                raise OSError("the daemon hung up")
            answer = _object(json.loads(line))
        except (OSError, ValueError) as e:
            raise Unanswered(f"{self._path} gave no answer: {e}") from None
        if not isinstance(answer.get("ok"), bool):
            raise Unanswered(f"{self._path} gave no answer that could be one")
        if not answer["ok"] and not isinstance(answer.get("error"), str):
            raise Unanswered(f"{self._path} refused without saying why")
        return answer


def _object(value: Any) -> Answer:
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value
