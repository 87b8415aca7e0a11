"""Our side of the market: pure decisions, without clock, I/O or Trio."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fluxhero.core.candles import CandleBuffer as CandleBuffer

__all__ = ["CandleBuffer"]


def __getattr__(name: str) -> Any:
    """Lazily, for the control client needs no numpy."""
    if name == "CandleBuffer":
        from fluxhero.core.candles import CandleBuffer

        return CandleBuffer
    raise AttributeError(name)
