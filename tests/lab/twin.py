"""Digests of whole backtests: `python -m tests.lab.twin` prints them as JSON.

With NUMBA_DISABLE_JIT=1 the same sources run as plain Python.
"""

import hashlib
import json

import numpy as np
from msgspec.structs import replace

from fluxhero.config import Config, Gates, Risk, Strategy
from fluxhero.core.terms import account, parameters
from fluxhero.kernel.places import TABLES
from fluxhero.kernel.plug import find
from fluxhero.kernel.simulate import Market, Track, opened, simulator
from fluxhero.kernel.state import Array
from fluxhero.kernel.trading import BY_RISK, Symbols, Terms
from fluxhero.messages import MINUTE, Model, micros
from tests.kernel.drive import COMPILED, beside, walk

BARS = 4000
CASH = micros(100_000.0)
LOOSE = Config(
    risk=Risk(trade_risk=0.1, position_cap=0.9, deployed_cap=1.0, day_loss=0.004, weight_trades=5),
    gates=Gates(shorts=True, volume_floor=0.1, gap_limit=0.5),
)  # fmt: skip


def views(x: Array) -> Array:
    return x if COMPILED else x.view(np.recarray)


def market(symbols: int) -> Market:
    """Minutes of a walk each, every 40th bar of one missing."""
    bars = beside(*(walk(seed, BARS, 100.0, 2e-3) for seed in range(7, 7 + symbols)))
    ends, sessions = bars["ts"].max(axis=1) + MINUTE, bars["session"].max(axis=1)
    for slot in range(symbols):
        bars[slot + 3 :: 40 * symbols, slot] = np.zeros(1, bars.dtype)
    return Market(bars, ends, sessions, sessions // 2, sessions)


def digest(strategy: str, symbols: int) -> str:
    """Of everything that a backtest leaves."""
    found, m = find(strategy), market(symbols)
    params = parameters(replace(LOOSE, strategy=Strategy(name=strategy)), Model.BAR)
    desk, of = opened(found, symbols, account(CASH), params, CASH)
    desk["verbose"] = True
    k, of = views(desk), Symbols(*(views(x) if x.dtype.names else x for x in of))
    track = Track(*(np.zeros(BARS, np.int64) for _ in Track._fields))
    terms = Terms(BY_RISK, 0, True, np.zeros(symbols, np.int64))
    assert simulator(found)(k, of, m, track, terms, np.zeros(symbols, np.int64), 0) == BARS
    purse = k["purse"][0]
    written = [np.asarray(k["log"][name][0][: int(purse[name])]).tobytes() for name in TABLES._fields]
    assert int(purse["rounds"]) > 10
    parts = (*track, *of[:3], k["account"], np.atleast_1d(purse["cash"]))
    return hashlib.blake2b(b"".join([*written, *(np.asarray(x).tobytes() for x in parts)]), digest_size=8).hexdigest()


def digests() -> dict[str, str]:
    return {f"{name}, {n} symbols": digest(name, n) for name, n in (("dual_mode", 1), ("metronome", 2))}


if __name__ == "__main__":
    print(json.dumps(digests()))
