"""The same bars through the compiled backtest and through the daemon's real actors come to the same, bit for bit.

FLUXHERO_SEEDS=n: so many drawn portfolios.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from fluxhero.config import Config, Strategy
from fluxhero.core.calendar import nyse
from fluxhero.feeds.recording import Input, Request, load
from fluxhero.kernel import codes
from fluxhero.kernel.places import ROOM, TABLES
from fluxhero.kernel.state import ACCOUNT
from fluxhero.lab.differing import differences
from fluxhero.lab.engine import BacktestEngine, Played, Trial
from fluxhero.lab.recorded import Recorded, recorded
from fluxhero.messages import Array, Model
from fluxhero.replay import Replay
from fluxhero.store.queries import Reader
from fluxhero.store.sqlite import Restored, SQLiteStore
from tests.core.desk import MEMORY
from tests.lab.portfolios import Portfolio, drawn

SEEDS = int(os.environ.get("FLUXHERO_SEEDS", "12"))
EVERY = 12  # portfolios that have met each strategy on each timeframe
SCRATCH = ("deployed", "positions")  # of the gate: reckoned anew for every batch, kept of the last that said something
OPERATIONAL = {codes.RATE, codes.FRESH, codes.PRICE, codes.PAUSED, codes.HOURS, codes.FROZEN}
GATES = (
    codes.OPEN, codes.HOURS, codes.GAP, codes.RUNG, codes.SLOTS, codes.SIZE, codes.VOLUME, codes.BREAKOUT,
    codes.SHORTS, codes.CROWDED, codes.DAYTRADES,
)  # fmt: skip
REAL = {
    "SPY_1m": ("SPY", Input.M1, date(2024, 4, 26)),
    "IBM and AIG by ticks": ("IBM,AIG", Input.TICKS, None),
    "daily portfolio": ("QQQ,SPY,AAPL", Input.D1, date(2004, 12, 31)),
}


def tried(p: Portfolio) -> Played:
    return BacktestEngine(p.past, Trial(config=p.config, release=p.release)).played()


def replayed(p: Portfolio) -> tuple[Recorded, Restored]:
    """What the actors made of it."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        state = Path(folder) / "state"
        whole = Replay(
            recording=p.recording, request=p.request, config=p.config, directory=state, auto_release=p.release
        )  # fmt: skip
        assert whole.main()
        with closing(Reader(state)) as reader:
            told = recorded(reader)
        with SQLiteStore(state) as store:
            return told, store.restore(1)


def disagreements(p: Portfolio, ours: Played) -> list[str]:
    """Of all that was written down, of the account's course, and of every byte of the state at the end."""
    market, (theirs, left) = p.past.market, replayed(p)
    assert not OPERATIONAL & set(theirs.tables["decided"]["verdict"].tolist())
    blobs = {name: state.blob for name, state in left.states.items()}
    same = {
        "ends": (market.ends, theirs.ends),
        "bars": (market.bars[market.bars["ts"] != 0], theirs.bars[theirs.bars["ts"] != 0]),
        "equity": (ours.track.equity, theirs.equity),
        "cash": (ours.track.cash, theirs.cash),
        "rows": (ours.symbols.rows, np.frombuffer(blobs["kernel"], ours.symbols.rows.dtype)),
        "tapes": (ours.symbols.tapes, np.frombuffer(blobs["tapes"], ours.symbols.tapes.dtype)),
        "account": (kept(ours.desk["account"]), kept(np.frombuffer(blobs["account"], ACCOUNT))),
    }
    told = [str(d) for name in TABLES._fields for d in differences(name, ours.tables[name], theirs.tables[name])]
    return told + [name for name, (a, b) in same.items() if a.tobytes() != b.tobytes()]


def kept(account: Array) -> Array:
    account = account.copy()
    for name in SCRATCH:
        account[name] = 0
    return account


def real(folder: Path, name: str, strategy: str) -> Portfolio:
    symbols, what, last = REAL[name]
    request = Request(
        data=folder, symbols=tuple(symbols.split(",")), input=what, adjusted=what is Input.D1, last=last,
        model=Model.BAR,
    )  # fmt: skip
    config = Config(strategy=Strategy(name=strategy))
    return Portfolio(load(request, nyse()), request, config, True)


@pytest.mark.data
@pytest.mark.parametrize("strategy", ["dual_mode", "metronome"])
@pytest.mark.parametrize("name", REAL)
def test_real_bars_come_to_the_same(data_dir: Path, name: str, strategy: str) -> None:
    p = real(data_dir, name, strategy)
    ours = tried(p)
    assert len(ours.tables["rounds"]) > 10
    assert disagreements(p, ours) == []


def test_drawn_portfolios_come_to_the_same() -> None:
    found = {seed: disagreements(p, tried(p)) for seed in range(SEEDS) for p in (drawn(seed),)}
    assert {seed: wrong for seed, wrong in found.items() if wrong} == {}


def test_tables_that_were_full_have_lost_nothing() -> None:
    p = drawn(17, symbols=12, longer=5)
    ours = tried(p)
    assert len(ours.tables["decided"]) > ROOM
    assert disagreements(p, ours) == []


def met(p: Portfolio) -> Iterator[str]:
    """What an account has gone through."""
    ours, bars = tried(p), p.past.market.bars
    t, rounds, asked, sent = ours.tables, ours.tables["rounds"], ours.tables["decided"], ours.tables["sent"]
    judged, entries = asked[asked["ruled"] == 1], sent[sent["role"] == 0]
    yield from (f"gate {gate}" for gate in {*judged["verdict"].tolist(), *asked["gate"].tolist()})
    yield from (f"mode {mode} {side}" for mode, side in set(zip(rounds["mode"], np.sign(rounds["qty"]), strict=True)))
    yield from (f"trip {trip}" for trip in set(t["trips"]["trip"].tolist()))
    yield from (f"quality {quality}" for quality in set(bars["quality"].ravel().tolist()))
    for what, is_so in (
        ("flat", (asked["action"] == codes.FLAT).any()), ("suspect", ours.symbols.rows["session"]["suspect"].any()),
        ("borrowed", len(t["charges"])), ("released", t["trips"]["released"].any()),
        ("kept", len(t["trips"]) and not t["trips"]["released"].all()),
        ("under a dollar", (t["fills"]["price"] < 1_000_000).any()),
        ("never filled", len(np.setdiff1d(entries["number"], t["fills"]["order"]))),
        ("wide", (entries["wide"] > 1.0).any()), ("weighed", (judged["weight"] < 1.0).any()),
        ("in company", (judged["company"] < 1.0).any()), ("stopped", (t["fills"]["role"] == 2).any()),
        ("half day", p.recording.timeframe.value != "1d" and ((bars["left"] == 0) & (bars["clock"] == 780)).any()),
    ):  # fmt: skip
        if is_so:
            yield what


def test_the_drawn_portfolios_go_through_all_that_a_market_does_to_an_account() -> None:
    assert {what for seed in range(EVERY) for what in met(drawn(seed))} == {
        *(f"gate {gate}" for gate in GATES),
        *(f"mode {mode} {side}" for mode in (codes.TREND, codes.REVERSION, codes.METRONOME) for side in (1, -1)),
        *(f"quality {quality}" for quality in range(4)), f"mode {codes.MINE} 1", "trip 1", "trip 2", "flat", "suspect",
        "borrowed", "released", "kept", "under a dollar", "never filled", "wide", "weighed", "in company", "stopped",
        "half day",
    }  # fmt: skip
