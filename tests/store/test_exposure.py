"""The risk report of a state, against what the account and the tables say."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fluxhero.config import Config, Risk
from fluxhero.core import journal as j
from fluxhero.core.calendar import nyse
from fluxhero.core.explain import NEW_YORK, when
from fluxhero.core.exposure import Bounds
from fluxhero.core.terms import account as fresh
from fluxhero.kernel import codes
from fluxhero.kernel.correlation import correlated
from fluxhero.kernel.params import params_of
from fluxhero.kernel.plug import settled
from fluxhero.kernel.state import RULES, TAPE
from fluxhero.messages import (
    MINUTE,
    Array,
    Cid,
    Micros,
    Model,
    Nanos,
    Order,
    Quality,
    Role,
    Says,
    Shares,
    Side,
    State,
    Type,
    Why,
)
from fluxhero.store import figures, pairs
from fluxhero.store.exposure import POINTS, report
from fluxhero.store.queries import Answer, Reader
from fluxhero.store.sqlite import SQLiteStore, StoreError
from tests.reading import replayed

SYMBOLS = ("A", "B", "C", "D", "E")
T = Nanos(int(datetime(2024, 3, 28, 10, 0, tzinfo=NEW_YORK).timestamp()) * 10**9)
CASH = 100_000.0


def usd(x: float) -> Micros:
    return Micros(round(x * 1e6))


# -- of a run


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return replayed(tmp_path_factory.mktemp("run"))[1]


def of(state: Path, *n: int) -> tuple[Answer, Answer]:
    """The report, and the account."""
    with closing(Reader(state)) as reader:
        return report(reader, *n), figures.account(reader)


def test_the_report_of_a_run_agrees_with_its_account(state: Path) -> None:
    told, account = of(state)
    shared = {"equity", "cash", "day_base", "day_result", "day_result_ratio", "peak", "drawdown_ratio", "deployed"}
    assert {k: told[k] for k in (*shared, "market_time", "deployed_ratio")} == {
        k: account[k] for k in (*shared, "market_time", "deployed_ratio")
    }
    assert told["loss_if_stopped"] == told["risk_deployed"] == account["open_risk"]
    assert told["loss_if_gapped"] == pytest.approx(2 * account["open_risk"])
    assert (told["session"], told["rung"], told["entries"], told["without_stop"]) == ("2024-03-28", "NORMAL", [], 0.0)
    assert [p["symbol"] for p in told["positions"]] == ["IBM", "AIG"]
    assert json.loads(json.dumps(told)) == told


def test_its_correlation_is_the_kernels(state: Path) -> None:
    with closing(Reader(state)) as reader:
        tapes = np.frombuffer(reader.state("tapes") or b"", TAPE).copy()
    r = float(correlated(tapes, 0, 1))
    assert of(state)[0]["correlation"] == {
        "symbols": ["IBM", "AIG"], "matrix": [[1.0, round(r, 4)], [round(r, 4), 1.0]], "most": r, "mean": r,
    }  # fmt: skip


def test_the_curve_is_of_the_newest_sessions_and_drawn_down_from_all_before(state: Path) -> None:
    with closing(Reader(state)) as reader:
        curve = reader.db.execute("SELECT ts, equity FROM equity ORDER BY ts").fetchall()
    last = nyse().at(curve[-1][0])
    assert last is not None
    high = max(e for ts, e in curve if ts < last.open)
    points = of(state, 1)[0]["points"]
    assert (points[-1]["time"], points[-1]["equity"]) == (when(curve[-1][0]), curve[-1][1] / 1e6)
    assert {p["time"][:10] for p in points} == {"2024-03-28"}
    for p in points:
        high = max(high, round(p["equity"] * 1e6))
        assert p["drawdown_ratio"] == round((high - round(p["equity"] * 1e6)) / high, 6)
    every = of(state)[0]["points"]
    assert {p["time"][:10] for p in every} == {"2024-03-26", "2024-03-27", "2024-03-28"}
    assert (len(every) <= POINTS, len({p["time"] for p in every})) == (True, len(every))


# -- of a state that was written by hand

CONFIG = settled(Config(risk=Risk(slots=4)))
SETTINGS = j.Settings(ts=Nanos(0), hash="00", strategy="dual_mode", params=params_of(CONFIG).tobytes())
Make = Callable[..., Answer]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Reader] = []

    def make(*rows: j.Row, states: tuple[State, ...] = (), begun: bool = True) -> Answer:
        opened = j.Opened(
            ts=Nanos(0), account="papr", epoch="e", cash=usd(CASH), model=Model.QUOTE, symbols=SYMBOLS, identity={}
        )
        with SQLiteStore(tmp_path) as store:
            store.commit([opened, *([SETTINGS] if begun else []), *rows], states, 0, 0)
        made.append(Reader(tmp_path))
        return report(made[0])

    yield make
    for reader in made:
        reader.close()


def closes(*prices: float) -> j.Seal:
    bars = tuple(
        j.BarRow(slot, Nanos(T - MINUTE), p, p, p, p, 9.0, Quality.FULL, codes.HOLD) for slot, p in enumerate(prices)
    )
    return j.Seal(ts=T, bars=bars, equity=usd(CASH), cash=usd(CASH))


def order(cid: str, slot: int, role: Role, side: Side, qty: int, **more: Any) -> Order:
    prices: dict[str, Any] = {name: usd(x) for name, x in more.items()}
    kind = Type.STOP if role is Role.STOP else Type.LIMIT
    return Order(cid=Cid(cid), ts=T, slot=slot, role=role, side=side, type=kind, qty=Shares(qty), **prices)


def intent(o: Order) -> j.Intent:
    return j.Intent(ts=T, order=o)


def evidence(o: Order, says: Says, state: str) -> j.Evidence:
    return j.Evidence(ts=T, cid=o.cid, seq=0, says=says, state=state, reason="")


def filled(o: Order, qty: int, price: float, cash: float, state: str = "filled") -> j.Filled:
    return j.Filled(
        ts=T, cid=o.cid, seq=1, exec_id=f"x{o.cid}{qty}", at=T, slot=o.slot, role=o.role, side=o.side, price=usd(price),
        qty=Shares(qty), fee=Micros(0), state=state, filled=Shares(qty), cash=usd(cash),
    )  # fmt: skip


def stood(o: Order) -> list[j.Row]:
    return [intent(o), evidence(o, Says.ACCEPTED, "live")]


def watched(session: int = -1, **money: float) -> State:
    a: Array = fresh(usd(CASH))
    a["session"] = session
    for name, x in money.items():
        a[name] = usd(x)
    return State(name="account", blob=a.tobytes())


def shown(stake: Answer) -> tuple[Any, ...]:
    """Symbol, state, shares, value, stop, naked shares, losses."""
    return tuple(stake[k] for k in ("symbol", "state", "qty", "value", "stop", "without_stop", "risk", "gapped"))


def test_stops_count_only_where_the_broker_has_said_so_and_for_as_many_shares_as_are_left(make: Make) -> None:
    buys = [order(f"b{slot}", slot, Role.ENTRY, Side.BUY, 100, mark=50, stop=48) for slot in range(4)]
    short = order("b4", 4, Role.ENTRY, Side.SELL, 100, mark=50, stop=52)
    stops = [order(f"s{slot}", slot, Role.STOP, Side.SELL, 100, stop=48) for slot in range(4)]
    cover = order("s4", 4, Role.STOP, Side.BUY, 60, stop=52)
    told = make(
        *(row for o in (*buys, short) for row in (intent(o), filled(o, 100, 50, CASH - 15_000))),
        *stood(stops[0]), intent(stops[1]), intent(stops[2]), evidence(stops[2], Says.UNANSWERED, "unknown"),
        *stood(stops[3]), evidence(stops[3], Says.CANCELED, "canceled"), *stood(cover), closes(50, 50, 50, 50, 50),
    )  # fmt: skip
    assert [shown(s) for s in told["positions"]] == [
        ("A", "held", 100, 5000.0, 48.0, 0, 200.0, 400.0),
        ("B", "held", 100, 5000.0, None, 100, 5000.0, 5000.0),
        ("C", "held", 100, 5000.0, None, 100, 5000.0, 5000.0),
        ("D", "held", 100, 5000.0, None, 100, 5000.0, 5000.0),
        ("E", "held", -100, 5000.0, 52.0, 40, 2120.0, 2240.0),
    ]
    assert [b["text"] for b in told["breaches"]] == [
        "B: 100 shares held without a stop", "C: 100 shares held without a stop", "D: 100 shares held without a stop",
        "E: 40 shares held without a stop", "positions 5, 4 is the most",
    ]  # fmt: skip
    assert (told["without_stop"], told["net"], told["deployed"]) == (17_000.0, 15_000.0, 25_000.0)


def test_entries_count_at_their_worst_until_their_end_is_proven(make: Make) -> None:
    long = order("e0", 0, Role.ENTRY, Side.BUY, 100, mark=50, limit=50.1, cap=50.5, stop=48)
    unknown = order("e1", 1, Role.ENTRY, Side.SELL, 100, mark=50, limit=49.9, cap=49.5, stop=52)
    chased = order("e2", 2, Role.ENTRY, Side.BUY, 10, mark=50, limit=50, cap=50, stop=48)
    gone = order("e3", 3, Role.ENTRY, Side.BUY, 10, mark=50, limit=50, cap=50, stop=48)
    sent = order("e4", 4, Role.ENTRY, Side.BUY, 10, mark=50, stop=48)
    told = make(
        closes(50, 50, 50, 50, 50), *stood(long), filled(long, 40, 50, CASH - 2000, "partial"), intent(unknown),
        evidence(unknown, Says.UNANSWERED, "unknown"), *stood(chased), j.Canceling(ts=T, cid=chased.cid, why=Why.CHASE),
        evidence(chased, Says.CANCELED, "canceled"), *stood(gone), j.Canceling(ts=T, cid=gone.cid, why=Why.UNWANTED),
        evidence(gone, Says.CANCELED, "canceled"), intent(sent),
    )  # fmt: skip
    assert [shown(s) for s in told["entries"]] == [
        ("A", "partial", 60, 3030.0, 48.0, 0, 150.0, 300.0),
        ("B", "unknown", -100, 5000.0, 52.0, 0, 250.0, 500.0),
        ("C", "chased", 10, 500.0, 48.0, 0, 20.0, 40.0),
        ("E", "sent", 10, 500.0, 48.0, 0, 20.0, 40.0),
    ]
    assert (told["entering"], told["risk_deployed"], told["loss_if_stopped"]) == (9030.0, 2440.0, 2000.0)
    assert (told["largest_symbol"], told["largest"], told["largest_ratio"]) == ("A", 2000.0, 0.02)
    assert [b["text"] for b in told["breaches"]] == [
        "A: 40 shares held without a stop", "B: nobody knows whether an entry of 100 shares stands",
    ]  # fmt: skip


def test_what_has_no_close_yet_is_worth_what_was_paid(make: Make) -> None:
    buy = order("b", 1, Role.ENTRY, Side.BUY, 100, mark=50, stop=48)
    told = make(intent(buy), filled(buy, 100, 40, CASH - 4000))
    assert [shown(s) for s in told["positions"]] == [("B", "held", 100, 4000.0, None, 100, 4000.0, 4000.0)]


def decided(ts: int, slot: int, gate: int = codes.OPEN, action: int = codes.ENTER) -> j.Decided:
    return j.Decided(
        ts=Nanos(ts), slot=slot, action=action, side=Side.BUY, mode=1, regime=1, gate=gate, stop=usd(48), risk=0.01,
        scale=1.0, wide=1.0, reading={"close": 50.0}, checks=(),
    )  # fmt: skip


def judged(ts: int, slot: int, gate: int, entry: bool = True) -> j.Judged:
    return j.Judged(ts=Nanos(ts), slot=slot, entry=entry, gate=gate, value=1.0, limit=0.0)


def test_trips_and_refusals_are_those_of_the_session_and_what_is_still_held(make: Make) -> None:
    session = nyse().at(T)
    assert session is not None
    before = session.open - 1
    told = make(
        *(
            j.Tripped(ts=Nanos(ts), trip=trip, cause="", equity=usd(1), value=0.04, limit=0.03)
            for ts, trip in ((before - 1, "halt"), (before, "day_loss"))
        ),
        j.Released(ts=Nanos(before), trip="day_loss", by="script", reason="a new session"),
        decided(before, 0, codes.GAP, codes.REFUSED),
        j.Tripped(ts=T, trip="drawdown", cause="", equity=usd(1), value=0.21, limit=0.2),
        j.Released(ts=Nanos(T + MINUTE), trip="drawdown", by="operator", reason="seen"),
        decided(session.open, 0, codes.GAP, codes.REFUSED), decided(T, 0), judged(T, 0, codes.RUNG),
        decided(T, 1), judged(T, 1, codes.RUNG), decided(T, 2), judged(T, 2, codes.OPEN),
        decided(T, 3, action=codes.EXIT), judged(T, 3, codes.RUNG, entry=False),
        states=(watched(session.index),),
    )  # fmt: skip
    assert (told["rung"], told["trips"]) == ("HALTED", ["halt"])
    assert [b["text"] for b in told["breaches"]] == [
        f"trip halt at {when(Nanos(before - 1))}, still held",
        f"trip drawdown at {when(T)}, released at {when(Nanos(T + MINUTE))}",
    ]
    assert told["refusals"] == [
        {"gate": "rung", "count": 2, "last": when(T)}, {"gate": "gap", "count": 1, "last": when(session.open)},
    ]  # fmt: skip


def test_the_account_is_as_the_watch_left_it_and_equity_may_have_risen_since(make: Make) -> None:
    told = make(states=(watched(day_base=104_000, peak=125_000, crest=90_000),))
    assert {k: told[k] for k in ("day_base", "day_result", "peak", "drawdown", "drawdown_ratio")} == {
        "day_base": 104_000.0, "day_result": -4000.0, "peak": 125_000.0, "drawdown": 25_000.0, "drawdown_ratio": 0.2,
    }  # fmt: skip
    assert [(x["limit"], x["now"], x["level"]) for x in told["limits"][3:6]] == [
        ("day loss", 0.038462, "broken"), ("soft drawdown", 0.0, "within"), ("hard drawdown", 0.0, "within"),
    ]  # fmt: skip
    assert [b["text"] for b in told["breaches"]] == ["day loss 3.85 %, 3.00 % is the most"]


def test_a_state_that_has_only_begun_has_nothing_at_stake(make: Make) -> None:
    told = make()
    for name in ("positions", "entries", "breaches", "refusals", "points"):
        assert told[name] == []
    assert (told["market_time"], told["session"]) == (None, None)
    assert (told["equity"], told["peak"], told["deployed"], told["largest_symbol"]) == (1e5, 1e5, 0.0, None)


def test_a_state_without_settings_knows_no_limits(make: Make) -> None:
    with pytest.raises(StoreError, match="knows no limits yet: nothing has begun"):
        make(begun=False)


def test_the_limits_are_those_in_force(make: Make) -> None:
    assert pairs.bounds(SETTINGS.params) == Bounds(
        position_cap=0.2, deployed_cap=0.5, slots=4, day_loss=0.03, soft_drawdown=0.15, hard_drawdown=0.2,
        correlated=0.7, crowded=0.8, crowded_slots=3,
    )  # fmt: skip
    assert make()["limits"][2]["most"] == 4


def test_records_of_another_program_are_an_error() -> None:
    with pytest.raises(StoreError, match=f"the limits have 1 bytes, this program knows {RULES.itemsize}"):
        pairs.bounds(b"p")
    with pytest.raises(StoreError, match="the tapes have 1 bytes, 5 symbols have"):
        pairs.correlations(b"t", 5, [0, 1])


def test_where_there_are_no_tapes_nothing_is_known() -> None:
    for found in (pairs.correlations(None, 2, [0, 1]), pairs.correlations(b"t", 2, [1, 1])):
        assert [math.isnan(r) for row in found for r in row] == [True] * 4
