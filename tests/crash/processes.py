"""The venue and the daemons as the harness has them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import IO

import httpx
import msgspec

from tests.crash.letters import PATIENCE, Dump, Letter, encode

BOUND = 120.0  # s that nothing takes; a bound, not a measure


class Venue(AbstractContextManager["Venue"]):
    def __init__(self, *what: object) -> None:
        """`what`: as tests.crash.venue has it."""
        command = [sys.executable, "-m", "tests.crash.venue", *map(str, what)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{self._process.stdout.readline().strip()}"
        self._client = httpx.Client(base_url=self.url, timeout=2 * PATIENCE, trust_env=False)

    def heard(self, pid: int) -> bool:
        """Waits a while for a daemon to ask for words."""
        return bool(msgspec.json.decode(self._ask("/heard", Letter(pid=pid))))

    def trapped(self) -> bool:
        """Waits a while for an order or cancel whose answer is kept back."""
        return bool(msgspec.json.decode(self._ask("/trap", Letter())))

    def dump(self) -> Dump:
        return msgspec.json.decode(self._ask("/dump", Letter()), type=Dump)

    def _ask(self, path: str, letter: Letter) -> bytes:
        return self._client.post(path, content=encode(letter)).raise_for_status().content

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self._process.kill()
        self._process.communicate()


class Daemons(AbstractContextManager["Daemons"]):
    """One state's, of which one lives at a time."""

    def __init__(self, errors: Path, *what: object) -> None:
        """`errors`: where all of them complain; `what`: as tests.crash.daemon has it, but for the speed."""
        self._errors: IO[bytes] = errors.open("ab")
        self._command = [sys.executable, "-m", "tests.crash.daemon", *map(str, what)]
        self._cradle = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        self._alone: subprocess.Popen[bytes] | None = None
        self.pid = 0

    def start(self, speed: float, cold: bool) -> None:
        """`cold`: a process that begins with nothing, rather than one from the cradle."""
        self._alone = subprocess.Popen([*self._command, str(speed)], stderr=self._errors) if cold else None
        self.pid = self._alone.pid if self._alone else self._told(str(speed))

    def kill(self) -> int:
        """Its exit code: -9, unless it went before."""
        os.kill(self.pid, signal.SIGKILL)
        return self.end()

    def end(self) -> int:
        return self._alone.wait(BOUND) if self._alone else self._told("end")

    def _told(self, order: str) -> int:
        assert self._cradle.stdin is not None
        assert self._cradle.stdout is not None
        self._cradle.stdin.write(f"{order}\n")
        self._cradle.stdin.flush()
        return int(self._cradle.stdout.readline())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cradle.kill()
        self._cradle.communicate()
        self._errors.close()
