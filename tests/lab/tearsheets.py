"""Results made by hand: a seeded walk of prices, trades at a steady pace, and all that they leave."""

import numpy as np

from fluxhero.kernel.codes import ENTER, REFUSED, VOLUME
from fluxhero.kernel.ledger import CHARGE, DECIDED, ENTRY, EXIT, FILL, LEVEL, ROUND, STOP
from fluxhero.kernel.state import BAR
from fluxhero.lab.result import Mark, Result, Setup
from fluxhero.messages import Array, Micros, Nanos

SECOND = 10**9
OPEN = 1_578_061_800 * SECOND  # 2020-01-03 09:30 in New York
DAY = 86_400 * SECOND
CASH = 100_000
QTY = 100


def synthetic(
    bars: int = 600, symbols: tuple[str, ...] = ("SPY",), *, every: int = 20, timeframe: str = "1d", seed: int = 1,
    said: str = "ordered 100 in trend mode", short: bool = False, hold: int = 8,
) -> Result:  # fmt: skip
    """A trade every `every` bars, of `hold` bars; 0: none."""
    rng = np.random.default_rng(seed)
    made, ends, closes = _bars(rng, bars, len(symbols), timeframe)
    trades = [x for s in range(len(symbols)) for x in _trades(rng, made, ends, s, every, hold, -1 if short else 1)]
    trades.sort(key=lambda x: int(x[0]["closed"]))
    rounds = np.array([x[0] for x in trades], ROUND)
    fills = np.sort(np.array([f for x in trades for f in x[1]], FILL), order="ts", kind="stable")
    levels = np.sort(np.array([y for x in trades for y in x[2]], LEVEL), order="ts", kind="stable")
    equity, deployed = _account(made, ends, fills)
    held = made["close"][closes] / made["close"][closes[0]]
    return Result(
        setup=Setup(
            strategy="dual_mode", params={"enter_atr": 0.5}, symbols=symbols, timeframe=timeframe, sizing="risk",
            costs="spec", risk=True, cash=Micros(CASH * 10**6), data="0123abcd", source="backtest",
        ),
        ts=ends, equity=equity, deployed=deployed, closes=closes, benchmark=CASH * held.mean(axis=1), rounds=rounds,
        fills=fills, levels=levels, decisions=_decisions(fills), charges=np.zeros(0, CHARGE), bars=made,
        marks=_marks(fills, said),
    )  # fmt: skip


def _bars(rng: np.random.Generator, n: int, symbols: int, timeframe: str) -> tuple[Array, Array, Array]:
    per, step = (1, 390 * 60 * SECOND) if timeframe == "1d" else (390, 60 * SECOND)
    at = np.arange(n)
    starts = OPEN + at // per * DAY + at % per * step
    close = 100.0 * np.exp(np.cumsum(rng.normal(3e-4 / per, 0.012 / per**0.5, (n, symbols)), axis=0))
    made = np.zeros((n, symbols), BAR)
    made["ts"], made["session"], made["quality"] = starts[:, None], (at // per)[:, None], 1
    made["open"] = np.vstack((close[:1], close[:-1]))
    made["close"] = close
    made["high"] = np.maximum(made["open"], close) * (1 + abs(rng.normal(0, 0.004 / per**0.5, close.shape)))
    made["low"] = np.minimum(made["open"], close) * (1 - abs(rng.normal(0, 0.004 / per**0.5, close.shape)))
    return made, starts + step, np.append(np.flatnonzero(np.diff(at // per)), n - 1)


def _trades(
    rng: np.random.Generator, bars: Array, ends: Array, slot: int, every: int, hold: int, side: int
) -> list[tuple[Array, list[Array], list[Array]]]:  # fmt: skip
    firsts = range(slot + 1, len(bars) - hold - 1, every) if every else ()
    return [_trade(rng, bars[:, slot], ends, slot, i, hold, side) for i in firsts]


def _trade(
    rng: np.random.Generator, bars: Array, ends: Array, slot: int, first: int, hold: int, side: int
) -> tuple[Array, list[Array], list[Array]]:
    last, mode = first + hold, int(rng.integers(3))
    entry, leaving = (round(float(bars["open"][i]) * 1e6) for i in (first, last))
    stop, fee, role = round(entry * (1 - 0.03 * side)), 500_000, EXIT if rng.random() < 0.7 else STOP
    result = side * QTY * (leaving - entry) - 2 * fee
    made = (
        slot,
        mode,
        mode,
        side * QTY,
        ends[first],
        ends[last],
        entry,
        leaving,
        stop,
        2 * fee,
        result,
        role,
        hold + 1,
    )
    fills = [
        np.array((ends[i], bars["ts"][i], slot, what, way, mode, QTY, price, fee, 1), FILL)
        for i, what, way, price in ((first, ENTRY, side, entry), (last, role, -side, leaving))
    ]
    moves = ((first, stop), (first + hold // 2, round(stop * (1 + 0.01 * side))), (last, 0))
    return np.array(made, ROUND), fills, [np.array((ends[i], slot, level), LEVEL) for i, level in moves]


def _account(bars: Array, ends: Array, fills: Array) -> tuple[Array, Array]:
    held, cash = np.zeros(bars.shape, np.int64), np.full(len(bars), CASH * 10**6, np.int64)
    at = np.searchsorted(ends, fills["ts"])
    np.add.at(held, (at, fills["slot"]), fills["side"] * fills["qty"])
    paid = np.zeros(len(bars), np.int64)
    np.add.at(paid, at, fills["side"] * fills["qty"] * fills["price"] + fills["fee"])
    marks = (bars["close"] * 1e6).round().astype(np.int64) * np.cumsum(held, axis=0)
    return cash - np.cumsum(paid) + marks.sum(axis=1), abs(marks).sum(axis=1)


def _decisions(fills: Array) -> Array:
    found = np.zeros(len(fills) // 2, DECIDED)
    found["action"] = np.where(np.arange(len(found)) % 3, ENTER, REFUSED)
    found["gate"] = VOLUME
    return found


def _marks(fills: Array, said: str) -> tuple[Mark, ...]:
    kinds = {ENTRY: "enter", EXIT: "exit", STOP: "stop"}
    found = [
        Mark(ts=Nanos(ts), slot=slot, kind=kinds[role], price=price / 1e6, text=said)
        for ts, slot, role, price in fills[["ts", "slot", "role", "price"]].tolist()
    ]
    loud = [
        Mark(ts=m.ts, slot=m.slot, kind=kind, price=m.price, text=f"{kind}: the day's loss was 3.10 %")
        for m, kind in zip(found[6:8], ("trip", "release"), strict=False)
    ]
    refused = [Mark(ts=m.ts, slot=m.slot, kind="refused", price=m.price, text="no entry") for m in found[9:12]]
    return (*found, *loud, *refused)
