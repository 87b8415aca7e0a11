"""Takes events from a source and passes each to whom it concerns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fluxhero.messages import Quote
from fluxhero.ports import Source
from fluxhero.runtime.channels import Outbox


async def feed(source: Source, candles: Outbox[Any], risk: Outbox[Any], flush: Callable[[], Awaitable[None]]) -> None:
    """Trades and bars to candles, quotes to risk; returns when the source has no more, and all of it is durable."""
    async for event in source:
        await (risk if isinstance(event, Quote) else candles).send(event)
    await flush()
