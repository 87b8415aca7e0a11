"""The seam to the world: all time, chance and I/O pass through here. The real ones live in runtime."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from fluxhero.messages import (
    Bars,
    Cancel,
    Cid,
    Nanos,
    Order,
    Quote,
    Sensed,
    State,
    Statement,
    Trade,
    Unavailable,
    Update,
)

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    """The market's time."""

    def now(self) -> Nanos: ...

    def at(self, when: Nanos, call: Callable[[], None], rank: int = 1) -> Timer:
        """Calls once the market has come to `when`, before any event of that time; the venue has rank 0, we have 1."""
        ...


class Host(Protocol):
    """The machine's time: for pace and deadlines that no market knows of."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def wall(self) -> Nanos: ...

    async def sleep(self, seconds: float) -> None: ...


class Randomness(Protocol):
    def token(self, n: int) -> bytes: ...


class Offload(Protocol):
    """Blocking work: a worker thread when live, inline where time is the data's."""

    async def __call__(self, work: Callable[[], T]) -> T: ...


class Notify(Protocol):
    """Words to the service manager; `interval`: host seconds between its watchdog's pings."""

    @property
    def interval(self) -> float: ...

    def __call__(self, words: str) -> None: ...


class Source(Protocol):
    """Where market data comes from, one event at a time.

    `position`: how far into the tape we are; `again`: is the event to come one that a former life has seen?; `beats`
    rises while it is awake; `given`: events of this life.
    """

    @property
    def position(self) -> int: ...

    @property
    def again(self) -> bool: ...

    @property
    def beats(self) -> int: ...

    @property
    def given(self) -> int: ...

    def __aiter__(self) -> Source: ...

    async def __anext__(self) -> Trade | Quote | Bars: ...


Word = Update | Statement | Unavailable


class Broker(Protocol):
    """Nobody waits for an answer: whatever the venue says, of itself or when asked, is delivered in its order."""

    def listen(self, deliver: Callable[[Word], None], after: int) -> None:
        """All that it says from number `after` on, again where it has said it before."""
        ...

    async def place(self, order: Order) -> None: ...

    async def cancel(self, cancel: Cancel) -> None: ...

    async def replace_stop(self, order: Order) -> None:
        """Moves the stop that `order` replaces, at the venue in one step."""
        ...

    async def status(self, cid: Cid) -> None:
        """Asks for an order: its words that were not heard, or ABSENT, or Unavailable."""
        ...

    async def account(self) -> None:
        """Asks for a Statement; or Unavailable, never an empty one."""
        ...


class Traffic(Protocol):
    """What is under way between the actors."""

    async def quiet(self) -> None: ...


class World(Protocol):
    """The market and the broker of one life of the daemon."""

    @property
    def clock(self) -> Clock: ...

    @property
    def broker(self) -> Broker: ...

    def source(
        self, traffic: Traffic, ours: int, pending: Callable[[], bool], flush: Callable[[], Awaitable[None]]
    ) -> Source:
        """From our cursor on. `pending`: is a commit due? `flush`: make all rows so far durable."""
        ...

    def flush(self) -> None:
        """Keeps what the venue has seen, though it said nothing."""
        ...

    def turn(self) -> AbstractAsyncContextManager[None]:
        """While it is held, time stands still and nobody is busy: commands act here."""
        ...

    def close(self) -> None: ...


class Store(Protocol):
    """The journal's writer; rows are core.journal's, what `restore` gives is the store's."""

    def commit(self, rows: Sequence[Any], states: Sequence[State], tape: int, updates: int) -> None: ...

    def restore(self, keep: int) -> Any: ...

    def knows(self, body: bytes) -> bool:
        """Is there such a row?"""
        ...

    def fills_after(self, count: int) -> Any: ...

    def rounds_after(self, count: int) -> Any: ...

    def flows_after(self, count: int) -> Any: ...

    def begin_run(self, *, pid: int, host: str, started: Nanos, version: str, code: str) -> None: ...


class Sentinel(Protocol):
    """A word beside the journal that halts us, and keeps what the journal could not be told."""

    def read(self) -> tuple[str, list[bytes]] | None:
        """Why, and encoded rows of core.journal; None where it does not stand."""
        ...

    def write(self, why: str, rows: Sequence[Any] = ()) -> None:
        """Never raises: there is nobody left to tell."""
        ...

    def kept(self) -> None:
        """The journal has the rows."""
        ...

    def clear(self) -> None: ...


@dataclass(frozen=True)
class Ports:
    """What a daemon borrows."""

    host: Host
    offload: Offload
    randomness: Randomness
    store: Store
    world: Callable[[], World]
    notify: Notify
    sentinel: Sentinel
    senses: Callable[[], Sequence[Sensed]]  # what the machine notices, each time it is asked
