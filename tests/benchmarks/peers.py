"""The same cross of means in other engines, for an interpreter that has them: `PYTHON -m tests.benchmarks.peers FILE`.

FILE: an .npy of open, high, low, close, a row each. Prints seconds a run as JSON, the median of some.
"""

import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

ROUNDS = {"vectorbt": 7, "backtesting": 3}


def mean(x: "pd.Series[float]", n: int) -> "pd.Series[float]":
    return x.ewm(span=n, adjust=False, min_periods=n).mean()


def ranges(bars: pd.DataFrame) -> "pd.Series[float]":
    before = bars["Close"].shift()
    spans = [bars["High"] - bars["Low"], (bars["High"] - before).abs(), (bars["Low"] - before).abs()]
    return pd.concat(spans, axis=1).max(axis=1).ewm(alpha=1 / 14, adjust=False, min_periods=14).mean()


def vectorbt(bars: pd.DataFrame) -> Callable[[], object]:
    import vectorbt as vbt  # type: ignore[import-not-found]

    def run() -> object:
        above = mean(bars["Close"], 20) > mean(bars["Close"], 50)
        before = above.shift(fill_value=False)
        return vbt.Portfolio.from_signals(
            bars["Close"], (above & ~before).shift(fill_value=False), (~above & before).shift(fill_value=False),
            price=bars["Open"], open=bars["Open"], high=bars["High"], low=bars["Low"],
            sl_stop=2.5 * ranges(bars) / bars["Close"], slippage=1e-4, fees=1e-4, init_cash=100_000, freq="1min",
        ).final_value()  # fmt: skip

    return run


def backtesting(bars: pd.DataFrame) -> Callable[[], object]:
    import backtesting as bt  # type: ignore[import-untyped]

    class Cross(bt.Strategy):  # type: ignore[misc]
        def init(self) -> None:
            close = pd.Series(self.data.Close)
            self.fast, self.slow = self.I(lambda: mean(close, 20)), self.I(lambda: mean(close, 50))
            self.range = self.I(lambda: ranges(self.data.df))

        def next(self) -> None:
            above, before = self.fast[-1] > self.slow[-1], self.fast[-2] > self.slow[-2]
            if self.position and not above:
                self.position.close()
            elif above and not before and not self.position:
                self.buy(size=0.2, sl=self.data.Close[-1] - 2.5 * self.range[-1])

    dated = bars.set_index(pd.date_range("2020-01-01", periods=len(bars), freq="min"))
    return lambda: bt.Backtest(dated, Cross, cash=100_000, commission=2e-4).run()


def timed(run: Callable[[], object], rounds: int) -> float:
    run()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    frame = pd.DataFrame(np.load(sys.argv[1]).T, columns=["Open", "High", "Low", "Close"])
    engines = {"vectorbt": vectorbt, "backtesting": backtesting}
    print(json.dumps({name: timed(make(frame), ROUNDS[name]) for name, make in engines.items()}))
