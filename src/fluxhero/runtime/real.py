"""The real ports: the host's clock, its chance, its disk in the loop."""

import hashlib
import os
import time
from collections.abc import Callable
from typing import TypeVar

import trio

from fluxhero.messages import Nanos

T = TypeVar("T")


class HostClock:
    def now(self) -> float:
        return trio.current_time()

    def wall(self) -> Nanos:
        return Nanos(time.time_ns())

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class SystemRandomness:
    def token(self, n: int) -> bytes:
        return os.urandom(n)


class SeededRandomness:
    """The same bytes from the same seed, in the order asked for."""

    def __init__(self, seed: bytes) -> None:
        self._seed, self._count = seed, 0

    def token(self, n: int) -> bytes:
        self._count += 1
        return hashlib.blake2b(self._count.to_bytes(8, "big"), digest_size=n, key=self._seed[:64]).digest()


async def inline(work: Callable[[], T]) -> T:
    """Offload where the clock is the data: it must not move while we work."""
    return work()
