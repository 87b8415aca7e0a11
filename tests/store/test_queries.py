"""What a state answers, against plain loops over its tables and over the data that it was made of."""

import itertools
import json
import math
import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from fluxhero.core import journal as j
from fluxhero.core.calendar import nyse
from fluxhero.core.explain import MODES, NEW_YORK, REGIMES, VOLATILITIES, reasons, when
from fluxhero.kernel import codes
from fluxhero.kernel.state import Array, floats, ints, record, row
from fluxhero.kernel.strategies import dual_mode, metronome
from fluxhero.messages import MINUTE, Cid, Micros, Model, Nanos, Order, Quality, Role, Says, Shares, Side, State, Type
from fluxhero.store import figures, market
from fluxhero.store.queries import MOST, READS, Answer, BadQuery, NotFound, Query, Reader
from fluxhero.store.sqlite import SQLiteStore, StoreError
from tests.accounts import rules
from tests.reading import MINUTES, SYMBOLS, replayed

CASH = 100_000_000_000
T = Nanos(int(datetime(2024, 3, 28, 10, 0, tzinfo=NEW_YORK).timestamp()) * 10**9)
NAMES = ("close", "ema", "rsi", "atr", "adx", "kama", "er", "mid", "sd", "slope", "r2", "atr_mean", "volume_mean")
READING: dict[str, float | None] = dict.fromkeys(NAMES, 1.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return replayed(tmp_path_factory.mktemp("run"))


@pytest.fixture
def reader(run: tuple[Path, Path]) -> Iterator[Reader]:
    reader = Reader(run[1])
    yield reader
    reader.close()


def ask(reader: Reader, cmd: str, **query: Any) -> Answer:
    return reader.answer(cmd, Query(**query))


def rows(reader: Reader, sql: str) -> list[tuple[Any, ...]]:
    return reader.db.execute(sql).fetchall()


def day(ts: int) -> date:
    return datetime.fromtimestamp(ts // 10**9, NEW_YORK).date()


def bars(run: tuple[Path, Path], symbol: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(run[0] / f"{symbol}_1m.parquet").to_pylist()
    return found


def full(run: tuple[Path, Path], symbol: str) -> list[dict[str, Any]]:
    return [bar for bar in bars(run, symbol) if nyse().at(bar["ts"])]


def fold(reader: Reader) -> tuple[list[dict[str, Any]], dict[int, dict[str, Any]], int]:
    """Round trips, what is held, and the cash, from the fills alone; micro-dollars."""
    trips: list[dict[str, Any]] = []
    held: dict[int, dict[str, Any]] = {}
    cash = CASH
    for ts, slot, side, price, qty, fee in rows(reader, "SELECT ts, slot, side, price, qty, fee FROM fills ORDER BY n"):
        cash -= side * price * qty + fee
        h = held.setdefault(slot, {"slot": slot, "opened": ts, "qty": 0, "bought": 0, "paid": 0, "got": 0, "fees": 0})
        h["qty"] += side * qty
        h["fees"] += fee
        if side > 0:
            h["bought"] += qty
            h["paid"] += price * qty
        else:
            h["got"] += price * qty
        if h["qty"] == 0:
            trips.append({**held.pop(slot), "closed": ts})
    return trips, held, cash


def stops(reader: Reader) -> dict[int, int]:
    sql = "SELECT slot, stop FROM orders WHERE role = 'stop' AND state IN ('live', 'partial')"
    return dict(rows(reader, sql))


# -- of a run


def test_status_counts_what_is_there(reader: Reader) -> None:
    (head,) = rows(reader, "SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1")
    (last,) = rows(reader, "SELECT ts, equity, cash FROM equity ORDER BY ts DESC LIMIT 1")
    assert ask(reader, "status") == {
        "market_time": when(last[0]),
        "symbols": list(SYMBOLS),
        "model": "bar",
        "equity": last[1] / 1e6,
        "cash": last[2] / 1e6,
        "rung": "NORMAL",
        "trips": [],
        "positions": 2,
        "orders": len(rows(reader, "SELECT 1 FROM orders")),
        "fills": len(rows(reader, "SELECT 1 FROM fills")),
        "journal_rows": head[0],
        "journal_hash": head[1].hex(),
    }


def test_positions_have_their_average_mark_stop_and_result(run: tuple[Path, Path], reader: Reader) -> None:
    _, held, _ = fold(reader)
    expected = []
    for slot, h in sorted(held.items()):
        close = full(run, SYMBOLS[slot])[-1]["close"]
        average = h["paid"] / h["bought"] / 1e6
        expected.append(
            {
                "symbol": SYMBOLS[slot],
                "qty": h["qty"],
                "since": when(h["opened"]),
                "average": pytest.approx(average, abs=1e-6),
                "mark": close,
                "stop": stops(reader)[slot] / 1e6,
                "value": pytest.approx(h["qty"] * close),
                "result": pytest.approx(h["qty"] * (close - average), abs=1e-5),
            }
        )
    assert len(expected) == 2
    assert ask(reader, "positions") == {"positions": expected}


def test_orders_are_the_open_ones_or_the_newest_of_all(reader: Reader) -> None:
    every = [cid for (cid,) in rows(reader, "SELECT cid FROM orders ORDER BY n DESC")]
    assert [o["cid"] for o in ask(reader, "orders", all=True)["orders"]] == every[:100]
    assert [o["cid"] for o in ask(reader, "orders", all=True, n=7)["orders"]] == every[:7]
    assert [o["cid"] for o in ask(reader, "orders", all=True, n=MOST)["orders"]] == every
    live = rows(reader, "SELECT cid, slot, stop FROM orders WHERE state NOT IN ('filled','canceled','replaced')")
    shown = ask(reader, "orders")["orders"]
    assert [(o["cid"], SYMBOLS.index(o["symbol"]), o["stop"]) for o in shown] == [(c, s, x / 1e6) for c, s, x in live]
    assert {(o["role"], o["side"], o["type"], o["state"], o["filled"]) for o in shown} == {
        ("stop", "sell", "stop", "live", 0)
    }


def test_the_account_is_what_the_fills_and_the_closes_come_to(run: tuple[Path, Path], reader: Reader) -> None:
    trips, held, cash = fold(reader)
    closes = {slot: round(full(run, SYMBOLS[slot])[-1]["close"] * 1e6) for slot in held}
    worth = sum(h["qty"] * closes[slot] for slot, h in held.items())
    risk = sum(h["qty"] * (closes[slot] - stops(reader)[slot]) for slot, h in held.items())
    curve = [(ts, e) for ts, e in rows(reader, "SELECT ts, equity FROM equity ORDER BY ts")]
    last = curve[-1][0]
    base = [e for ts, e in curve if day(ts) < day(last)][-1]
    peak = max(CASH, *(e for _, e in curve))
    equity, results = cash + worth, [t["got"] - t["paid"] - t["fees"] for t in trips]
    fees = sum(fee for (fee,) in rows(reader, "SELECT fee FROM fills"))
    assert ask(reader, "account") == {
        "market_time": when(last),
        "equity": equity / 1e6,
        "cash": cash / 1e6,
        "day_base": base / 1e6,
        "day_result": (equity - base) / 1e6,
        "day_result_ratio": round((equity - base) / base, 6),
        "peak": peak / 1e6,
        "drawdown_ratio": round((peak - equity) / peak, 6),
        "deployed": worth / 1e6,
        "deployed_ratio": round(worth / equity, 6),
        "positions": 2,
        "open_risk": risk / 1e6,
        "open_risk_ratio": round(risk / equity, 6),
        "without_stop": 0,
        "trades": len(trips),
        "won": sum(r > 0 for r in results),
        "result": sum(results) / 1e6,
        "fees": fees / 1e6,
    }
    assert (equity, base != CASH, risk > 0, len(trips) > 10) == (curve[-1][1], True, True, True)


def test_trades_are_the_newest_round_trips(reader: Reader) -> None:
    trips = [
        {
            "symbol": SYMBOLS[t["slot"]],
            "mode": "metronome",
            "qty": t["bought"],
            "opened": when(t["opened"]),
            "closed": when(t["closed"]),
            "entry": t["paid"] // t["bought"] / 1e6,
            "exit": t["got"] // t["bought"] / 1e6,
            "fees": t["fees"] / 1e6,
            "result": (t["got"] - t["paid"] - t["fees"]) / 1e6,
        }
        for t in reversed(fold(reader)[0])
    ]
    assert ask(reader, "trades", n=MOST) == {"trades": trips}
    assert ask(reader, "trades") == {"trades": trips[:20]}
    assert ask(reader, "trades", n=3) == {"trades": trips[:3]}
    assert all(50 < t["entry"] < 200 for t in trips)  # dollars


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_bars_are_the_recorded_ones_with_what_was_decided(symbol: str, run: tuple[Path, Path], reader: Reader) -> None:
    sql = f"SELECT ts, action FROM decisions WHERE slot = {SYMBOLS.index(symbol)}"
    names = {codes.ENTER: "enter", codes.EXIT: "exit", codes.REFUSED: "refused"}
    decided = {ts: names[action] for ts, action in rows(reader, sql)}
    expected = []
    for n, bar in enumerate(full(run, symbol)):
        default = "warmup" if n < 63 else "hold"
        expected.append({"quality": "full", "decided": decided.get(bar["ts"] + MINUTE, default), **bar})
    early = [{"quality": "extended", "decided": None, **b} for b in bars(run, symbol) if not nyse().at(b["ts"])]
    expected = sorted([*expected, *early], key=lambda bar: bar["ts"])
    for bar in expected:
        bar["time"] = when(bar.pop("ts"))
    assert ask(reader, "bars", symbol=symbol, n=MOST) == {"symbol": symbol, "bars": expected}
    assert ask(reader, "bars", symbol=symbol)["bars"] == expected[-20:]
    assert ask(reader, "bars", symbol=symbol, n=MINUTES + 1)["bars"] == expected[-MINUTES - 1 :]
    assert {b["decided"] for b in expected} >= {"enter", "exit", "hold", "warmup"}


def test_indicators_are_those_of_the_bars(run: tuple[Path, Path], reader: Reader) -> None:
    for symbol in SYMBOLS:
        data = full(run, symbol)
        close = np.array([b["close"] for b in data])
        volume = [b["volume"] for b in data]
        slope, _ = np.polyfit(np.arange(50), close[-50:], 1)
        ema = close[:20].mean()
        for x in close[20:]:
            ema += (x - ema) * 2 / 21
        expected = {
            "symbol": symbol,
            "time": when(Nanos(data[-1]["ts"] + MINUTE)),
            "bars": len(data),
            "close": close[-1],
            "ema": ema,
            "er": abs(close[-1] - close[-11]) / np.abs(np.diff(close[-11:])).sum(),
            "mid": close[-20:].mean(),
            "sd": close[-20:].std(),
            "slope": slope,
            "r2": np.corrcoef(np.arange(50), close[-50:])[0, 1] ** 2,
            "volume_mean": np.mean(volume[-21:-1]),
        }
        answer = ask(reader, "indicators", symbol=symbol)
        for name, value in expected.items():
            digits = {"er": 4, "r2": 4, "volume_mean": 1}.get(name, 6)
            same = value if isinstance(value, str | int) else pytest.approx(value, abs=0.6 * 10**-digits)
            assert answer[name] == same, name
        assert list(answer) == ["symbol", "time", "bars", *READING]
        assert (0 < answer["rsi"] < 100, 0 < answer["atr"] < 1, answer["atr_mean"] > 0) == (True, True, True)


def test_regimes_are_those_of_the_kernel_row(reader: Reader) -> None:
    (blob,) = rows(reader, "SELECT blob FROM states WHERE name = 'kernel'")[0]
    kernel = np.frombuffer(blob, row(metronome.OWN))
    expected = [
        {
            "symbol": symbol,
            "regime": REGIMES[int(k["regime"]["now"])],
            "seen": REGIMES[int(k["regime"]["seen"])],
            "streak": int(k["regime"]["streak"]),
            "held": int(k["regime"]["held"]),
            "adx": round(float(k["reading"]["adx"]), 2),
            "r2": round(float(k["reading"]["r2"]), 4),
            "volatility": VOLATILITIES[int(k["regime"]["volatility"])],
            "atr_over_mean": round(float(k["reading"]["atr"] / k["reading"]["atr_mean"]), 3),
        }
        for symbol, k in zip(SYMBOLS, kernel, strict=True)
    ]
    assert ask(reader, "regime") == {"regimes": expected}
    assert ask(reader, "regime", symbol="AIG") == {"regimes": expected[1:]}


def test_signals_are_the_newest_decisions_and_why_says_the_same(reader: Reader) -> None:
    found = rows(reader, "SELECT ts, slot, action, body, judged FROM decisions ORDER BY n DESC")
    signals = ask(reader, "signals", n=MOST)["signals"]
    assert len(signals) == len(found)
    for s, (ts, slot, action, body, judged) in zip(signals, found, strict=True):
        decided = j.read(j.Decided, body)
        barred = action == codes.REFUSED or (judged is not None and j.read(j.Judged, judged).gate != codes.OPEN)
        name = "refused" if barred else {codes.ENTER: "enter", codes.EXIT: "exit"}[action]
        assert s == {
            "time": when(ts), "symbol": SYMBOLS[slot], "action": name, "mode": MODES[decided.mode], "why": s["why"],
            "reasons": reasons(decided.checks),
        }  # fmt: skip
        at = ask(reader, "why", symbol=SYMBOLS[slot], time=when(ts).removesuffix(" ET"))
        assert at == {"symbol": SYMBOLS[slot], "time": when(ts), "why": s["why"], "reasons": s["reasons"]}
    assert {s["action"] for s in signals} == {"enter", "exit", "refused"}
    assert ask(reader, "signals")["signals"] == signals[:20]
    ours = [s for s in signals if s["symbol"] == "AIG"]
    assert ask(reader, "signals", symbol="AIG", n=5)["signals"] == ours[:5]
    assert ask(reader, "why", symbol="AIG")["why"] == ours[0]["why"]


def test_why_of_a_bar_on_which_nothing_was_sought_comes_from_its_seal(reader: Reader) -> None:
    def why(symbol: str, time: str) -> str:
        text: str = ask(reader, "why", symbol=symbol, time=time)["why"]
        return text

    assert why("IBM", "2024-03-26 09:40") == ("IBM 2024-03-26 09:40:00 ET: held: the indicators were not warm yet.")
    assert why("AIG", "2024-03-28 09:30") == ("AIG 2024-03-28 09:30:00 ET: the bar lies outside the regular session.")
    assert why("IBM", "11:20") == "IBM 2024-03-28 11:20:00 ET: held: nothing was sought."
    for time in ("2024-03-28 09:30", "12:00", "11:20:30", "noon"):  # IBM had no early bar
        with pytest.raises(NotFound):
            why("IBM", time)


def test_equity_of_a_day_is_every_seal_of_it(reader: Reader) -> None:
    curve = rows(reader, "SELECT ts, equity, cash FROM equity ORDER BY ts")
    today = [p for p in curve if day(p[0]) == day(curve[-1][0])]
    worths = [e for _, e, _ in today]
    expected = {
        "period": "day",
        "points": [{"time": when(ts), "equity": e / 1e6, "cash": c / 1e6} for ts, e, c in today],
        "first": worths[0] / 1e6,
        "last": worths[-1] / 1e6,
        "min": min(worths) / 1e6,
        "max": max(worths) / 1e6,
        "change_ratio": round(worths[-1] / worths[0] - 1, 6),
    }
    assert ask(reader, "equity") == ask(reader, "equity", period="day") == expected
    assert len(ask(reader, "equity", period="all")["points"]) == len(curve)


# -- of a state that was written by hand


def seal(ts: int, equity: int = CASH, bars: tuple[j.BarRow, ...] = (), cash: int = CASH) -> j.Seal:
    return j.Seal(ts=Nanos(ts), bars=bars, equity=Micros(equity), cash=Micros(cash))


def bar(
    ts: int, slot: int = 0, quality: Quality = Quality.FULL, code: int = codes.HOLD, close: float = 10.0
) -> j.BarRow:
    return j.BarRow(slot, Nanos(ts - MINUTE), 10.0, 11.0, 9.0, close, 100.0, quality, code)


def decided(ts: int, action: int, slot: int = 0, gate: int = codes.OPEN) -> j.Decided:
    checks = () if gate == codes.OPEN else (j.Check(codes.CONDITIONS[gate], 5.0, 15.0),)
    return j.Decided(
        ts=Nanos(ts), slot=slot, action=action, side=Side.BUY, mode=codes.METRONOME, regime=0, gate=gate,
        stop=Micros(9_000_000), risk=0.01, scale=1.0, wide=1.0, reading=READING, checks=checks,
    )  # fmt: skip


def judged(ts: int, entry: bool, gate: int = codes.OPEN, slot: int = 0) -> j.Judged:
    return j.Judged(ts=Nanos(ts), slot=slot, entry=entry, gate=gate, value=3.0, limit=0.0, qty=Shares(10))


Make = Callable[..., Reader]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Reader] = []

    def make(*rows: j.Row, states: tuple[State, ...] = (), symbols: tuple[str, ...] = ("A", "B")) -> Reader:
        opened = j.Opened(
            ts=Nanos(0), account="papr", epoch="e", cash=Micros(CASH), model=Model.BAR, symbols=symbols, identity={}
        )
        with SQLiteStore(tmp_path) as store:
            store.commit([opened, *rows], states, 0, 0)
        made.append(Reader(tmp_path))
        return made[0]

    yield make
    for reader in made:
        reader.close()


def test_an_account_that_has_only_been_opened_answers_everything(make: Make) -> None:
    reader = make()
    nothing: dict[str, Answer] = {
        "positions": {"positions": []},
        "orders": {"orders": []},
        "trades": {"trades": []},
        "signals": {"signals": []},
        "equity": {
            "period": "day", "points": [], "first": None, "last": None, "min": None, "max": None, "change_ratio": None,
        },
    }  # fmt: skip
    assert {cmd: ask(reader, cmd) for cmd in nothing} == nothing
    assert ask(reader, "bars", symbol="B") == {"symbol": "B", "bars": []}
    assert ask(reader, "why", symbol="B") == {"symbol": "B", "time": None, "why": "B: nothing has been sought yet."}
    account = ask(reader, "account")
    assert (account["market_time"], account["equity"], account["day_base"], account["peak"]) == (None, 1e5, 1e5, 1e5)
    assert {v for k, v in account.items() if k not in ("market_time", "equity", "cash", "day_base", "peak")} == {0}
    for cmd in ("indicators", "regime"):
        with pytest.raises(NotFound, match="no bar has been sealed yet"):
            ask(reader, cmd, symbol="A")


def test_what_refused_a_decision_is_told(make: Make) -> None:
    m = [T + n * MINUTE for n in range(5)]
    order = Order(
        cid=Cid("x"), ts=Nanos(m[4]), slot=0, role=Role.ENTRY, side=Side.BUY, type=Type.MARKET, qty=Shares(10)
    )
    reader = make(
        *(decided(m[0], codes.REFUSED, gate=codes.HOURS), decided(m[1], codes.ENTER), judged(m[1], True, codes.RUNG)),
        *(decided(m[2], codes.EXIT), judged(m[2], False, codes.RUNG), decided(m[3], codes.EXIT), judged(m[3], False)),
        *(decided(m[4], codes.ENTER), judged(m[4], True), j.Intent(ts=Nanos(m[4]), order=order)),
        j.Evidence(ts=Nanos(m[4]), cid=Cid("x"), seq=1, says=Says.REJECTED, state="rejected", reason="no shares"),
        decided(m[4], codes.FLAT, slot=1),
    )
    signals = ask(reader, "signals")["signals"]
    assert [s["action"] for s in signals] == ["refused", "exit", "refused", "refused", "refused"]
    ends = ["the venue refused it: no shares.", "ATR 1.000).", "HALTED.", "ATR 1.000).", "ATR 1.000)."]
    assert [s["why"].endswith(end) for s, end in zip(signals, ends, strict=True)] == [True] * 5
    assert "HALTED" in signals[3]["why"]
    assert "15 are needed" in signals[4]["why"]
    assert [s["time"] for s in signals] == [when(Nanos(ts)) for ts in reversed(m)]
    assert ask(reader, "signals", symbol="B") == {"signals": []}


def test_warm_up_bars_are_bars_on_which_nothing_was_decided(make: Make) -> None:
    past = j.Past(ts=Nanos(T), bars=(bar(T, code=codes.ENTER, close=8.0), bar(T, slot=1)))
    then, partial = T + MINUTE, T + 2 * MINUTE
    reader = make(
        past,
        seal(then, bars=(bar(then, code=codes.SUSPECT, close=9.0),)),
        seal(partial, bars=(bar(partial, quality=Quality.PARTIAL, close=9.5),)),
    )
    found = ask(reader, "bars", symbol="A")["bars"]
    assert [(b["time"], b["close"], b["quality"], b["decided"]) for b in found] == [
        (when(Nanos(T - MINUTE)), 8.0, "full", None),
        (when(Nanos(T)), 9.0, "full", "suspect"),
        (when(Nanos(T + MINUTE)), 9.5, "partial", None),
    ]
    assert len(ask(reader, "bars", symbol="B")["bars"]) == 1
    with pytest.raises(NotFound, match="no bar of A was sealed at"):
        ask(reader, "why", symbol="A", time="10:00")
    assert ask(reader, "why", symbol="A", time="10:02")["why"].endswith("not seen from its first second.")


@pytest.mark.parametrize("own", [dual_mode.OWN, record(*ints("a b c"), *floats("d"), ("e", np.float64, (7,)))])
def test_the_common_part_of_the_kernel_rows_is_read_whatever_a_strategy_adds(own: np.dtype[Any], make: Make) -> None:
    kernel: Array = np.zeros(2, row(own))
    kernel["own"] = np.ones(2, own)
    for name, value in {"adx": 31.237, "atr": 0.5, "atr_mean": 0.25, "slope": math.nan, "r2": math.inf}.items():
        kernel["reading"][name][1] = value
    kernel["regime"][1] = (codes.TREND, codes.REVERSION, 2, 0, 17, codes.HIGH)
    kernel["market"]["count"] = [5, 6]
    blob = State(name="kernel", blob=kernel.tobytes())
    reader = make(seal(T, bars=(bar(T, slot=1),)), states=(blob,))
    assert ask(reader, "regime", symbol="B") == {
        "regimes": [
            {
                "symbol": "B", "regime": "strong trend", "seen": "mean reversion", "streak": 2, "held": 17,
                "adx": 31.24, "r2": None, "volatility": "high", "atr_over_mean": 2.0,
            }
        ]
    }  # fmt: skip
    assert ask(reader, "regime")["regimes"][0]["atr_over_mean"] is None
    zeros = dict.fromkeys(READING, 0.0)
    assert ask(reader, "indicators", symbol="A") == {"symbol": "A", "time": None, "bars": 5, **zeros}
    changed = {"adx": 31.24, "atr": 0.5, "atr_mean": 0.25, "slope": None, "r2": None}
    answer = ask(reader, "indicators", symbol="B")
    assert answer == {"symbol": "B", "time": when(T), "bars": 6, **zeros, **changed}
    assert json.loads(json.dumps(answer)) == answer


@pytest.mark.parametrize("size", [0, 7, 105, 2000])
@pytest.mark.parametrize(("cmd", "name"), [("account", "account"), ("regime", "kernel"), ("indicators", "kernel")])
def test_records_of_another_program_are_an_error(cmd: str, name: str, size: int, make: Make) -> None:
    reader = make(states=(State(name=name, blob=bytes(size)),))
    with pytest.raises(StoreError, match=f"{size} bytes"):
        ask(reader, cmd, symbol="A")


def sessions(days: int) -> list[j.Row]:
    """Hourly seals of the days to 2024-04-05, across the change of clocks, four a day."""
    last = date(2024, 4, 5)
    opens = [s.open for s in nyse().between(last - timedelta(days), last)]
    times = [ts + hour * 60 * MINUTE for ts in opens for hour in range(1, 5)]
    return [seal(ts, CASH + (n * 7919 % 1000) * 10**6, cash=CASH - n) for n, ts in enumerate(times)]


def test_periods_are_the_newest_days_in_new_york(make: Make) -> None:
    reader = make(*sessions(60))
    curve = rows(reader, "SELECT ts, equity, cash FROM equity ORDER BY ts")
    for period, days in (("day", 1), ("week", 7), ("month", 31), ("all", 10_000)):
        inside = [p for p in curve if (date(2024, 4, 5) - day(p[0])).days < days]
        answer = ask(reader, "equity", period=period)
        assert [p["time"] for p in answer["points"]] == [when(ts) for ts, *_ in inside]
        assert (answer["min"], answer["max"]) == (min(p[1] for p in inside) / 1e6, max(p[1] for p in inside) / 1e6)
        assert answer["change_ratio"] == round(inside[-1][1] / inside[0][1] - 1, 6)
    assert [len(ask(reader, "equity", period=p)["points"]) for p in ("day", "week", "month")] == [4, 20, 88]


def test_a_long_curve_is_thinned_to_the_last_of_equal_parts(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = make(*sessions(60))
    whole = ask(reader, "equity", period="all")
    for points in (2, 10, 50, len(whole["points"]) - 1):
        monkeypatch.setattr(figures, "POINTS", points)
        thin = ask(reader, "equity", period="all")
        rest, parts = whole["points"][1:], points - 1
        last = [rest[(i + 1) * len(rest) // parts - 1] for i in range(parts)]
        assert thin["points"] == [whole["points"][0], *last]
        assert {k: v for k, v in thin.items() if k != "points"} == {k: v for k, v in whole.items() if k != "points"}


def test_a_very_long_curve_is_probed_at_even_times(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = make(*sessions(60))
    whole = ask(reader, "equity", period="all")
    monkeypatch.setattr(figures, "PROBES", 40)
    times = [ts for (ts,) in rows(reader, "SELECT ts FROM equity ORDER BY ts")]
    places = [bisect_right(times, times[0] + (times[-1] - times[0]) * i // 40) - 1 for i in range(41)]
    answer = ask(reader, "equity", period="all")
    assert answer["points"] == [whole["points"][i] for i in dict.fromkeys(places)]
    assert (answer["points"][0], answer["points"][-1]) == (whole["points"][0], whole["points"][-1])
    assert (answer["min"], answer["max"], len(answer["points"]) < 41) == (whole["min"], whole["max"], True)


# -- questions that have no answer


@pytest.mark.parametrize("cmd", ["bars", "indicators", "regime", "signals", "why"])
def test_an_unknown_symbol_is_not_found_and_those_traded_are_named(cmd: str, reader: Reader) -> None:
    for symbol in ("XYZ", "ibm", "IBM,AIG", "\x00"):
        with pytest.raises(NotFound, match=r"is not traded here; IBM, AIG are$"):
            ask(reader, cmd, symbol=symbol)
    if cmd not in ("regime", "signals"):
        with pytest.raises(NotFound, match=r"^name a symbol: IBM, AIG$"):
            ask(reader, cmd)


@pytest.mark.parametrize("n", [-1, MOST + 1, 2**63, -(2**70)])
@pytest.mark.parametrize("cmd", READS)
def test_a_number_out_of_range_is_refused(cmd: str, n: int, reader: Reader) -> None:
    with pytest.raises(BadQuery, match=rf"^n is {n}: give 1 to {MOST}$"):
        ask(reader, cmd, symbol="IBM", n=n)


@pytest.mark.parametrize("period", ["year", "DAY", "day ", "'"])
def test_an_unknown_period_is_refused(period: str, reader: Reader) -> None:
    with pytest.raises(BadQuery, match=r"is no period; day, week, month, all are$"):
        ask(reader, "equity", period=period)


# -- how


def test_an_answer_is_of_one_commit(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = make(seal(T))
    heads: list[Any] = []

    def between(view: Any, q: Query) -> Answer:
        heads.append(view.head())
        with SQLiteStore(reader.path.parent) as store:
            store.commit([seal(T + MINUTE)], (), 1, 0)
        heads.append(view.head())
        return {}

    monkeypatch.setitem(READS, "status", between)
    ask(reader, "status")
    assert (heads[0], reader.db.in_transaction) == (heads[1], False)
    assert reader.head() != heads[0]
    with pytest.raises(NotFound):
        ask(reader, "why", symbol="XYZ")
    assert not reader.db.in_transaction


def test_no_answer_reads_the_whole_journal(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be found near the journal's end is not sought through all of it."""
    minutes = range(1, 4000)
    kernel = State(name="kernel", blob=np.zeros(2, row(metronome.OWN)).tobytes())
    first = seal(T, bars=(bar(T, slot=1),))
    settings = j.Settings(ts=Nanos(0), hash="00", strategy="metronome", params=rules().tobytes())
    reader = make(
        settings, first, *(seal(T + n * MINUTE, bars=(bar(T + n * MINUTE),)) for n in minutes), states=(kernel,)
    )
    monkeypatch.setattr(market, "REACH", 1500)
    count = itertools.count()
    decoder = j._decoder

    class Counting:
        def decode(self, body: bytes) -> Any:
            next(count)
            return decoder.decode(body)

    monkeypatch.setattr(j, "_decoder", Counting())
    decoded: dict[str, int] = {}
    before = 0
    for cmd in READS:
        ask(reader, cmd, symbol="A", n=10)
        after = next(count)
        decoded[cmd], before = after - before, after + 1
    assert {cmd: n for cmd, n in decoded.items() if n > 12} == {}
    assert ask(reader, "bars", symbol="B") == {"symbol": "B", "bars": []}
    assert next(count) - before == 1500
    assert len(ask(reader, "bars", symbol="A", n=MOST)["bars"]) == MOST


def test_a_reader_never_writes(reader: Reader) -> None:
    for cmd in READS:
        ask(reader, cmd, symbol="IBM")
    with pytest.raises(sqlite3.OperationalError):
        reader.db.execute("DELETE FROM journal")
    with closing(sqlite3.connect(reader.path)) as db:
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
