"""For tests of what reads a state: a state that a real replay left, and a stand-in for a daemon."""

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from fluxhero.cli import main
from fluxhero.messages import MINUTE
from tests.market import sessions, write, write_bars

SYMBOLS = ("IBM", "AIG")
MINUTES = 110  # of each session
EARLY = 3  # bars before each open, of AIG
CONFIG = '[strategy]\nname = "metronome"\n[strategy.metronome]\nevery = 7\nkeep = 22\n[risk]\nstop_atr = 6.0\n'
PATIENCE = 60.0  # s
HANG_UP = b"hang up"

Answer = dict[str, Any]


def replayed(folder: Path) -> tuple[Path, Path]:
    """(data, state) of three sessions; AIG opens the second one 3 % higher, and two positions are held at the end."""
    data, state = folder / "data", folder / "state"
    data.mkdir()
    write_bars(data, "IBM", 1, minutes=MINUTES)
    _gapped(write_bars(data, "AIG", 2, minutes=MINUTES))
    (data / "config.toml").write_text(CONFIG)
    words = ["replay", "--data", data, "--symbols", ",".join(SYMBOLS), "--config", data / "config.toml"]
    assert main([str(word) for word in (*words, "--state", state)]) == 0
    return data, state


def _gapped(path: Path) -> None:
    columns = {name: np.asarray(column) for name, column in pq.read_table(path).to_pydict().items()}
    opens = [s.open for s in sessions()]
    for name in ("open", "high", "low", "close"):
        columns[name] = np.round(columns[name] * np.where(columns["ts"] >= opens[1], 1.03, 1.0), 2)
    opening = {name: column[np.isin(columns["ts"], opens)] for name, column in columns.items()}
    early = [{**opening, "ts": np.array(opens) - k * MINUTE} for k in range(1, EARLY + 1)]
    joined = {name: np.concatenate([part[name] for part in (columns, *early)]) for name in columns}
    order = np.argsort(joined["ts"])
    write(path, {name: column[order] for name, column in joined.items()})


def fluxhero(*words: object) -> list[str]:
    return [sys.executable, "-m", "fluxhero", "ctl", *map(str, words)]


def _heeding() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs are born deaf to it


@contextmanager
def running(*words: object, **how: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """`fluxhero ctl` in a process of its own, which does not outlive the test and heeds Ctrl-C, though we may not."""
    pipes = {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE, **how}
    with subprocess.Popen(fluxhero(*words), preexec_fn=_heeding, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


class Daemon:
    """Listens where a daemon would. `says` gives the lines that answer a request; HANG_UP ends the conversation."""

    def __init__(self, path: Path, says: Callable[[Answer], list[Answer | bytes]]) -> None:
        self.asked: list[Answer] = []
        self.callers = 0
        self._says, self._heard = says, threading.Event()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        self._socket.listen(8)
        self._path = path
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self) -> None:
        """Until something has been asked."""
        assert self._heard.wait(PATIENCE)

    def stop(self) -> None:
        """As a daemon that dies: nobody listens, and who was connected is hung up on."""
        self._path.unlink(missing_ok=True)
        for s in (self._socket, *self._open):
            with suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        for s in (self._socket, *self._open):
            s.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.callers += 1
            self._open.append(connection)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        try:
            with connection.makefile("rb") as lines:
                for line in lines:
                    request = json.loads(line)
                    self.asked.append(request)
                    self._heard.set()
                    for answer in self._says(request):
                        if answer == HANG_UP:
                            return
                        connection.sendall(answer if isinstance(answer, bytes) else json.dumps(answer).encode() + b"\n")
        except OSError:
            pass  # they hung up
        finally:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
