"""What the machine notices that no market tells: its disk, and its clock."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from fluxhero.messages import Sensed
from fluxhero.ports import Host

FULL, ROOM = 200e6, 400e6  # bytes free: under the first the disk is nearly full, until there are more than the second
HALT = 30.0  # s that the wall's clock may jump against the monotonic one


class Machine:
    def __init__(self, directory: Path, host: Host) -> None:
        self._directory, self._host = directory, host
        self._full = False
        self._base: float | None = None

    def __call__(self) -> Sequence[Sensed]:
        return self._disk(), self._clock()

    def _disk(self) -> Sensed:
        disk = os.statvfs(self._directory)
        free = disk.f_bavail * disk.f_frsize
        self._full = free < (ROOM if self._full else FULL)
        cause = "so many bytes are free" if self._full else "there is room again"
        return Sensed(trip="disk", over=self._full, cause=cause, value=float(free), limit=FULL)

    def _clock(self) -> Sensed:
        """A step, or a sleep of the machine. What is too much is told once: from then on the new time is the time."""
        apart = self._apart()
        skew = apart - (apart if self._base is None else self._base)
        over = abs(skew) > HALT
        if over or self._base is None:
            self._base = apart
        cause = "the machine's clock jumped by so many seconds, or it slept"
        return Sensed(trip="clock", over=over, cause=cause, value=skew, limit=HALT)

    def _apart(self) -> float:
        return self._host.wall() / 1e9 - self._host.now()
