"""The port to a venue that makes nobody wait: it takes what it is given at once, whatever becomes of it later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fluxhero.messages import Cancel, Cid, Order
from fluxhero.ports import Word


class Wire(Protocol):
    """`ports.Broker` without a wait; whoever stands between a desk and a venue is one and has one."""

    def listen(self, deliver: Callable[[Word], None], after: int) -> None: ...

    def post(self, what: Order | Cancel) -> None: ...

    def ask(self, what: Cid | None) -> None:
        """For an order; None: for the account."""
        ...


class Direct:
    """A wire as `ports.Broker`."""

    def listen(self, deliver: Callable[[Word], None], after: int) -> None:
        raise NotImplementedError

    def post(self, what: Order | Cancel) -> None:
        raise NotImplementedError

    def ask(self, what: Cid | None) -> None:
        raise NotImplementedError

    async def place(self, order: Order) -> None:
        self.post(order)

    async def cancel(self, cancel: Cancel) -> None:
        self.post(cancel)

    async def replace_stop(self, order: Order) -> None:
        self.post(order)

    async def status(self, cid: Cid) -> None:
        self.ask(cid)

    async def account(self) -> None:
        self.ask(None)
