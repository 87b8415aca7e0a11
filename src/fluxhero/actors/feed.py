"""Takes events from a source and passes each to whom it concerns."""

from __future__ import annotations

from typing import Any

import trio

from fluxhero.messages import Quote
from fluxhero.ports import Source


async def feed(source: Source, candles: trio.MemorySendChannel[Any], risk: trio.MemorySendChannel[Any]) -> None:
    """Trades and bars to candles, quotes to risk; returns when the source has no more."""
    async for event in source:
        await (risk if isinstance(event, Quote) else candles).send(event)
