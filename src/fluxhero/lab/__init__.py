"""Trials of strategies on the past: backtests, their numbers and their reports."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fluxhero.lab.engine import BacktestEngine as BacktestEngine
    from fluxhero.lab.metrics import calculate_metrics as calculate_metrics

__all__ = ["BacktestEngine", "calculate_metrics"]


def __getattr__(name: str) -> Any:
    """Lazily, for a command's help must need no compiler."""
    if name == "BacktestEngine":
        from fluxhero.lab.engine import BacktestEngine

        return BacktestEngine
    if name == "calculate_metrics":
        from fluxhero.lab.metrics import calculate_metrics

        return calculate_metrics
    raise AttributeError(name)
