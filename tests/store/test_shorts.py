"""What the store keeps of short positions, and what readers say of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from fluxhero.core import journal
from fluxhero.core.book import Position
from fluxhero.core.explain import when
from fluxhero.core.lives import traded
from fluxhero.kernel import codes
from fluxhero.messages import (
    Cid,
    Micros,
    Model,
    Nanos,
    Order,
    Quality,
    Role,
    Round,
    Says,
    Shares,
    Side,
    Traded,
    Type,
)
from fluxhero.store import schema
from fluxhero.store.parquet import ParquetStore, export
from fluxhero.store.queries import Query, Reader
from fluxhero.store.sqlite import FILE, SQLiteStore, connect, migrate

T = Nanos(1_711_461_600_000_000_000)
MODE = codes.METRONOME


def usd(x: float) -> Micros:
    return Micros(round(x * 1e6))


def at(n: int) -> Nanos:
    return Nanos(T + n * 60_000_000_000)


OPENED = journal.Opened(
    ts=Nanos(0), account="test", epoch="0", cash=usd(100_000), model=Model.BAR, symbols=("A", "B"), identity={}
)
SOLD = Order(
    cid=Cid("1"), ts=at(1), slot=0, role=Role.ENTRY, side=Side.SELL, type=Type.MARKET, qty=Shares(150), mark=usd(50),
    stop=usd(52), volume=5e4, mode=MODE, wide=1.5,
)  # fmt: skip
GUARD = Order(
    cid=Cid("2"), ts=at(1), slot=0, role=Role.STOP, side=Side.BUY, type=Type.STOP, qty=Shares(150), stop=usd(52),
    volume=5e4, mode=MODE,
)  # fmt: skip


def filled(order: Order, n: int, qty: int, price: float, state: str, total: int, cash: float) -> journal.Filled:
    return journal.Filled(
        ts=at(n), cid=order.cid, seq=n, exec_id=f"x{n}", at=at(n), slot=order.slot, role=order.role, side=order.side,
        price=usd(price), qty=Shares(qty), fee=usd(0.5), state=state, filled=Shares(total), cash=usd(cash),
    )  # fmt: skip


def seal(n: int, close: float, equity: float) -> journal.Seal:
    bar = journal.BarRow(0, at(n - 1), close, close, close, close, 100.0, Quality.FULL, codes.HOLD)
    return journal.Seal(ts=at(n), bars=(bar,), equity=usd(equity), cash=usd(107_649))


# 150 sold short at 51 on average behind a stop at 52, a night paid for, 50 of them bought back at 49, the rest at 48.
SHORT: list[journal.Row] = [
    OPENED,
    journal.Intent(ts=at(1), order=SOLD),
    journal.Intent(ts=at(1), order=GUARD),
    filled(SOLD, 2, 100, 50.0, "partial", 100, 104_999.5),
    filled(SOLD, 3, 50, 53.0, "filled", 150, 107_649),
    journal.Evidence(ts=at(4), cid=Cid("2"), seq=4, says=Says.ACCEPTED, state="live", reason=""),
    seal(5, 49.5, 100_224),
    journal.Charged(
        ts=at(6), seq=5, slot=0, qty=Shares(150), price=usd(49.5), fee=Micros(88_393), cash=Micros(107_648_911_607)
    ),
    filled(GUARD, 7, 50, 49.0, "partial", 50, 105_198.411607),
]
CLOSED: list[journal.Row] = [
    filled(GUARD, 8, 100, 48.0, "filled", 150, 100_397.911607),
    journal.Closed(
        ts=at(8), slot=0, mode=MODE, qty=Shares(-150), opened=at(2), entry=usd(51), exit=usd(48.333333),
        fees=usd(2.088393), result=usd(397.911607),
    ),
]  # fmt: skip


@pytest.fixture
def short(tmp_path: Path) -> Path:
    with SQLiteStore(tmp_path / "state") as store:
        store.commit(SHORT, (), 9, 6)
    return tmp_path / "state"


@pytest.fixture
def closed(short: Path) -> Path:
    with SQLiteStore(short) as store:
        store.commit(CLOSED, (), 10, 7)
    return short


@pytest.fixture
def reader(short: Path) -> Iterator[Reader]:
    reader = Reader(short)
    yield reader
    reader.close()


def ask(folder: Path, cmd: str) -> dict[str, Any]:
    reader = Reader(folder)
    answer = reader.answer(cmd, Query())
    reader.close()
    return answer


# -- what comes back


def test_a_short_comes_back_with_what_was_paid_for_it(short: Path) -> None:
    with SQLiteStore(short) as store:
        left = store.restore(1)
    assert (left.cash, left.positions) == (
        usd(105_198.411607),
        {
            0: Position(
                qty=-100, opened=at(2), bought=50, paid=usd(2450), received=usd(7650), fees=usd(1.5) + 88_393
            )
        },
    )  # fmt: skip
    assert [(x.order, x.filled) for x in left.lives] == [(GUARD, 50)]


def test_a_charge_is_a_line_of_its_own(short: Path) -> None:
    with SQLiteStore(short) as store:
        assert store.db.execute("SELECT * FROM charges").fetchall() == [(8, at(6), 0, 150, usd(49.5), 88_393)]


def test_fills_come_back_as_the_strategy_heard_them(short: Path) -> None:
    with SQLiteStore(short) as store:
        fills = list(store.fills_after(1))
    assert fills == [traded(SOLD, Shares(50), usd(53)), traded(GUARD, Shares(50), usd(49))]
    assert fills[0] == Traded(slot=0, qty=Shares(-50), price=usd(53), mode=MODE, stop=usd(52), wide=1.5)


def test_rounds_after_a_count_are_those_past_it_in_order(closed: Path) -> None:
    second = journal.Closed(
        ts=at(9), slot=1, mode=codes.TREND, qty=Shares(1), opened=at(8), entry=usd(1), exit=usd(2), fees=Micros(0),
        result=Micros(-7),
    )  # fmt: skip
    with SQLiteStore(closed) as store:
        store.commit([second], (), 11, 8)
        rounds = [Round(mode=MODE, result=usd(397.911607)), Round(mode=codes.TREND, result=Micros(-7))]
        assert [list(store.rounds_after(n)) for n in range(4)] == [rounds, rounds[1:], [], []]


def test_a_state_of_the_layout_before_is_brought_to_this_one(tmp_path: Path) -> None:
    db = connect(tmp_path / FILE)
    migrate(db, tmp_path / FILE, schema.SCRIPTS[:2])
    with pytest.raises(sqlite3.OperationalError):
        db.execute("SELECT * FROM charges")
    db.close()
    with SQLiteStore(tmp_path) as store:
        store.commit(SHORT, (), 9, 6)


# -- what readers say


def test_a_short_is_worth_less_than_nothing_and_gains_when_its_price_falls(short: Path) -> None:
    assert ask(short, "positions") == {
        "positions": [
            {
                "symbol": "A", "qty": -100, "since": when(at(2)), "average": 51.0, "mark": 49.5, "stop": 52.0,
                "value": -4950.0, "result": 150.0,
            }
        ]
    }  # fmt: skip


def test_the_account_owes_its_shorts_and_has_them_deployed(short: Path) -> None:
    account = ask(short, "account")
    equity = 105_198.411607 - 4950
    assert {name: account[name] for name in ("cash", "equity", "deployed", "deployed_ratio", "fees")} == {
        "cash": 105_198.411607, "equity": pytest.approx(equity), "deployed": 4950.0,
        "deployed_ratio": round(4950 / equity, 6), "fees": 1.588393,
    }  # fmt: skip
    assert (account["open_risk"], account["without_stop"]) == (250.0, 0)  # 100 x (52 - 49.5)


def test_a_long_and_a_short_are_both_deployed(short: Path) -> None:
    bought = Order(
        cid=Cid("3"), ts=at(9), slot=1, role=Role.ENTRY, side=Side.BUY, type=Type.MARKET, qty=Shares(10), mode=MODE
    )
    bar = journal.BarRow(1, at(9), 20.0, 20.0, 20.0, 20.0, 100.0, Quality.FULL, codes.HOLD)
    with SQLiteStore(short) as store:
        row = filled(bought, 9, 10, 20.0, "filled", 10, 104_997.911607)
        last = journal.Seal(ts=at(10), bars=(bar,), equity=usd(100_247.911607), cash=usd(104_997.911607))
        store.commit([journal.Intent(ts=at(9), order=bought), row, last], (), 11, 8)
    account = ask(short, "account")
    assert (account["deployed"], account["equity"]) == (5150.0, 100_247.911607)
    assert (account["open_risk"], account["without_stop"]) == (250.0, 1)


def test_a_trade_that_was_short_has_a_quantity_under_zero(closed: Path) -> None:
    assert ask(closed, "trades") == {
        "trades": [
            {
                "symbol": "A", "mode": "metronome", "qty": -150, "opened": when(at(2)), "closed": when(at(8)),
                "entry": 51.0, "exit": 48.333333, "fees": 2.088393, "result": 397.911607,
            }
        ]
    }  # fmt: skip
    account = ask(closed, "account")
    assert (account["result"], account["fees"], account["cash"]) == (397.911607, 2.088393, 100_397.911607)


def test_the_stop_of_a_short_is_a_buy(short: Path) -> None:
    (order,) = ask(short, "orders")["orders"]
    assert (order["side"], order["role"], order["stop"]) == ("buy", "stop", 52.0)


def test_the_exported_positions_have_what_a_short_was_sold_for(reader: Reader, tmp_path: Path) -> None:
    export(reader, ParquetStore(tmp_path / "out"), "1m")
    positions = pq.read_table(tmp_path / "out" / "positions.parquet").to_pylist()
    assert positions == [{"symbol": "A", "qty": -100, "avg_price": 51.0, "opened": at(2)}]
