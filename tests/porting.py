"""What a daemon borrows, for tests that have no world."""

from collections.abc import Callable
from typing import Any

from fluxhero.ports import Offload, Ports
from fluxhero.runtime.real import HostClock, SeededRandomness, inline
from fluxhero.runtime.systemd import Notifier
from fluxhero.store.sentinel import HaltFile
from fluxhero.store.sqlite import SQLiteStore


class Silent:
    """A source of nothing."""

    position = beats = given = 0
    again = False

    def __aiter__(self) -> "Silent":
        return self

    async def __anext__(self) -> Any:
        raise StopAsyncIteration


def ports_of(store: SQLiteStore, offload: Offload = inline, seed: bytes = b"") -> Ports:
    nowhere: Callable[[], Any] = lambda: None  # noqa: E731
    return Ports(
        host=HostClock(), offload=offload, randomness=SeededRandomness(seed), store=store, world=nowhere,
        notify=Notifier({}), sentinel=HaltFile(store.directory), senses=tuple,
    )  # fmt: skip
