"""Every other entry, called once: what else is compiled for a strategy, and what is the same for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fluxhero.kernel import arrays, smoothing
from fluxhero.kernel.plug import find
from fluxhero.kernel.signals import filtered, signaller
from fluxhero.kernel.state import NOISE, SIGNAL
from fluxhero.kernel.warm import DAEMON, Call, Sample

X = np.linspace(1.0, 2.0, 128)

EVERY: tuple[Call, ...] = (
    *DAEMON,
    lambda s: signaller(s.strategy)(s.rows, s.bars, s.params, np.zeros(2, SIGNAL)),
)
PUBLIC: tuple[Callable[[], Any], ...] = (
    lambda: arrays.calculate_ema(X),
    lambda: arrays.calculate_rsi(X),
    lambda: arrays.calculate_atr(X, X, X),
    lambda: arrays.calculate_adx(X, X, X),
    lambda: arrays.calculate_kama(X),
    lambda: arrays.calculate_bollinger(X),
    lambda: arrays.calculate_regression(X),
    lambda: arrays.calculate_correlation(X, X),
    lambda: arrays.calculate_indicators(X, X, X),
    lambda: arrays.calculate_volatility_regime(X),
    lambda: arrays.detect_regime(X, X),
    lambda: smoothing.calculate_volatility_alpha(X, X),
    lambda: smoothing.fit_volatility_alpha(X, X),
    lambda: _filtered(Sample(find("dual_mode"))),
)


def _filtered(s: Sample) -> None:
    filtered(s.rows, s.bars, s.params, 1, np.zeros(2, NOISE))


def warm_public() -> None:
    for call in PUBLIC:
        call()
