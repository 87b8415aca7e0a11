"""IBM on 2013-10-07/08 and AIG on 10-07, tick by tick: the numbers of the summary are right."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from fluxhero.cli import main
from fluxhero.store.queries import Query, Reader

pytestmark = pytest.mark.data
CASH = 100_000.0


@pytest.fixture(scope="module", params=["dual_mode", "metronome"])
def replay(request: pytest.FixtureRequest, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    what = ["replay", "--data", str(data_dir), "--symbols", "IBM,AIG", "--strategy", request.param]
    assert main([*what, "--state", str(folder / "state"), "--out", str(folder / "out")]) == 0
    return folder


@pytest.fixture
def summary(replay: Path) -> Any:
    return json.loads((replay / "out" / "summary.json").read_text())


def columns(path: Path) -> dict[str, Any]:
    table = pq.read_table(path)
    return {name: table[name].to_numpy() for name in table.column_names}


def test_bars_equal_an_independent_aggregation(replay: Path, data_dir: Path, summary: Any) -> None:
    ours = columns(replay / "out" / "bars.parquet")
    for symbol in ("IBM", "AIG"):
        expected: dict[int, list[float]] = {}
        for row in pq.read_table(data_dir / f"{symbol}_trades.parquet").to_pylist():
            if row["suspicious"] or row["size"] <= 0:
                continue
            minute, price = row["ts"] // 60_000_000_000 * 60_000_000_000, row["price"]
            bar = expected.setdefault(minute, [price, price, price, price, 0])
            bar[1:] = [max(bar[1], price), min(bar[2], price), price, bar[4] + row["size"]]
        mine = ours["symbol"] == symbol
        names = ("open", "high", "low", "close", "volume")
        got = {int(ts): [float(ours[k][mine][i]) for k in names] for i, ts in enumerate(ours["ts"][mine])}
        assert got == expected
        assert sum(summary["bars"][symbol].values()) == len(expected)


def test_cash_recomputed_from_fills_alone_equals_both_ledgers(replay: Path, summary: Any) -> None:
    fills, orders = columns(replay / "out" / "fills.parquet"), columns(replay / "out" / "orders.parquet")
    side = dict(zip(orders["cid"], np.where(orders["side"] == "buy", 1, -1), strict=True))
    signs = np.array([side[cid] for cid in fills["cid"]])
    cash = CASH - float((signs * fills["price"] * fills["qty"] + fills["fee"]).sum())
    assert round(cash, 2) == round(summary["cash"], 2)
    import sqlite3

    import msgspec

    with sqlite3.connect(replay / "state" / "venue.sqlite") as venue:
        state = msgspec.msgpack.decode(venue.execute("SELECT body FROM state").fetchone()[0])
    assert state["cash"] == round(summary["cash"] * 1e6)


def test_every_fill_lies_inside_the_quote_that_it_met(replay: Path, data_dir: Path) -> None:
    fills, orders = columns(replay / "out" / "fills.parquet"), columns(replay / "out" / "orders.parquet")
    by = dict(zip(orders["cid"], zip(orders["symbol"], orders["side"], strict=True), strict=True))
    quotes = {s: columns(data_dir / f"{s}_quotes.parquet") for s in ("IBM", "AIG")}
    for i, cid in enumerate(fills["cid"]):
        symbol, side = by[cid]
        q = quotes[symbol]
        # Several states may bear one stamp: the fill met one of them, or the last before.
        low, high = np.searchsorted(q["ts"], fills["ts"][i], "left"), np.searchsorted(q["ts"], fills["ts"][i], "right")
        met = range(max(0, low - 1), high)
        price, qty = fills["price"][i], fills["qty"][i]
        name, size = ("ask", "ask_size") if side == "buy" else ("bid", "bid_size")
        assert any(q[name][k] == pytest.approx(price, abs=1e-9) and q[size][k] >= qty for k in met), (cid, symbol)


def test_the_metronome_keeps_the_orders_busy(replay: Path, summary: Any) -> None:
    if summary["strategy"] != "metronome":
        pytest.skip("dual_mode trades when it sees reason to")
    assert sum(summary["orders"].values()) >= 100
    assert summary["fills"] >= 50
    assert summary["stop_moves"] >= 20


def test_why_explains_an_entry_and_a_refusal_in_one_sentence_each(replay: Path) -> None:
    decisions = columns(replay / "out" / "decisions.parquet")
    said = list(zip(decisions["why"], decisions["outcome"], strict=True))
    entries = [why for why, outcome in said if outcome == "signal" and "ordered" in why]
    refusals = [why for why, outcome in said if outcome == "refusal"]
    assert entries
    for sentence in entries + refusals:
        assert re.fullmatch(r"[A-Z]+ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d ET: .+[.]", sentence)
        assert ". " not in sentence
    reader = Reader(replay / "state")
    ts = next(t for t, w in zip(decisions["ts"], decisions["why"], strict=True) if w == entries[0])
    symbol = entries[0].split()[0]
    stamp = entries[0].split(" ET")[0].removeprefix(f"{symbol} ")
    assert reader.answer("why", Query(symbol=symbol, time=stamp))["why"] == entries[0]
    assert ts > 0
    reader.close()


def test_replaying_a_finished_state_changes_nothing(replay: Path, data_dir: Path, summary: Any) -> None:
    what = ["replay", "--data", str(data_dir), "--symbols", "IBM,AIG", "--strategy", summary["strategy"]]
    assert main([*what, "--state", str(replay / "state"), "--out", str(replay / "again")]) == 0
    assert json.loads((replay / "again" / "summary.json").read_text()) == summary
