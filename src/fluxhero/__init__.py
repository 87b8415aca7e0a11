"""FluxHero: a trading daemon whose backtest, replay and live runs are the same code."""

__version__ = "0.1.0"
