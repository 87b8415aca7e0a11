"""Every numeric rule, compiled once: indicators, regime, strategies, gates, sizing, fills.

The public names load with their first use: `fluxhero.kernel.codes` needs no compiler, and `ctl` starts without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fluxhero.kernel.arrays import (
        INDICATORS,
        calculate_adx,
        calculate_atr,
        calculate_bollinger,
        calculate_correlation,
        calculate_efficiency_ratio,
        calculate_ema,
        calculate_indicators,
        calculate_kama,
        calculate_regression,
        calculate_rsi,
        calculate_sma,
        calculate_stdev,
        calculate_volatility_regime,
        detect_regime,
    )
    from fluxhero.kernel.signals import apply_noise_filter, generate_signals
    from fluxhero.kernel.smoothing import calculate_volatility_alpha, fit_volatility_alpha

__all__ = [
    "INDICATORS",
    "apply_noise_filter",
    "calculate_adx",
    "calculate_atr",
    "calculate_bollinger",
    "calculate_correlation",
    "calculate_efficiency_ratio",
    "calculate_ema",
    "calculate_indicators",
    "calculate_kama",
    "calculate_regression",
    "calculate_rsi",
    "calculate_sma",
    "calculate_stdev",
    "calculate_volatility_alpha",
    "calculate_volatility_regime",
    "detect_regime",
    "fit_volatility_alpha",
    "generate_signals",
]

_ELSEWHERE = {
    "apply_noise_filter": "signals",
    "generate_signals": "signals",
    "calculate_volatility_alpha": "smoothing",
    "fit_volatility_alpha": "smoothing",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'arrays')}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
