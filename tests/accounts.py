"""Limits of an account, and closes that move together as told, for tests of the watch and the gate."""

from collections.abc import Sequence

import numpy as np

from fluxhero.core.terms import account
from fluxhero.feeds.files import Timeframe
from fluxhero.kernel.correlation import PERIOD, pushed
from fluxhero.kernel.state import ACCOUNT, BAR, TAPE, Array
from fluxhero.messages import MINUTE, NO_QUOTE, Micros, Model, Quality
from tests.kernel import drive
from tests.kernel.drive import records


def rules(model: Model = Model.BAR, limits: dict[str, float] | None = None, *, daily: bool = False) -> Array:
    """PARAMS as the defaults of config.toml make them, with shorts, but for these limits."""
    timeframe = Timeframe.D1 if daily else Timeframe.M1
    return drive.tuned(drive.rules("dual_mode", model, timeframe), **{"shorts": 1, **(limits or {})})


def opened(cash: int = 100_000_000_000) -> Array:
    """A fresh ACCOUNT record; micro-dollars."""
    made = records(1, ACCOUNT)
    made[:] = account(Micros(cash))
    return made


def together(correlation: float, signs: Sequence[int], n: int = PERIOD, seed: int = 0) -> Array:
    """Closes of shape (n + 1, symbols): the returns of each two have exactly this correlation, times both signs."""
    noise = np.random.default_rng(seed).normal(size=(n, len(signs) + 1))
    basis, _ = np.linalg.qr(noise - noise.mean(axis=0))
    returns = (np.sqrt(correlation) * basis[:, :1] + np.sqrt(1 - correlation) * basis[:, 1:]) * np.array(signs)
    returns *= 1e-3 * np.sqrt(n)
    return np.asarray(50.0 * np.exp(np.vstack([np.zeros(len(signs)), np.cumsum(returns, axis=0)])))


def times(closes: Array, start: int = 1) -> list[Array]:
    """Full bars without a range of shape (symbols,), a minute apart; NaN: no bar."""
    made = []
    for t, row in enumerate(closes, start):
        bars = records(len(row), BAR)
        there = ~np.isnan(row)
        for name in ("open", "high", "low", "close"):
            bars[name] = np.where(there, row, 0.0)
        bars["ts"], bars["quality"], bars["spread"] = there * t * MINUTE, there * Quality.FULL, NO_QUOTE
        made.append(bars)
    return made


def blank(symbols: int) -> Array:
    """TAPE records that have seen nothing."""
    return records(symbols, TAPE)


def taped(closes: Array) -> Array:
    """TAPE records that have seen these closes."""
    tapes = blank(closes.shape[1])
    for bars in times(closes):
        pushed(tapes, bars)
    return tapes
