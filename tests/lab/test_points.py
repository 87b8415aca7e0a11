"""A point tried over a stretch: warm from its first bar on and flat, and at its borders nothing is owed or guessed."""

import pickle
from typing import Any

import msgspec
import numpy as np
import pytest

from fluxhero.config import Config, Strategy
from fluxhero.kernel.plug import find
from fluxhero.lab import jobs
from fluxhero.lab.engine import BacktestEngine, Trial
from fluxhero.lab.history import History
from fluxhero.lab.points import NUMBERS, Bench, Stretch, Tried, rebuilt
from fluxhero.messages import Array
from fluxhero.section import ConfigError
from tests.lab.histories import HERE, daily
from tests.lab.portfolios import drawn

GAMBLER = str(HERE / "gambler.py")


def config(name: str, **params: Any) -> Config:
    return Config(strategy=Strategy(name=name, tables={find(name).name: params}))


def walked(seed: int, sessions: int = 400, symbols: tuple[str, ...] = ("AAA",)) -> History:
    """Days of a random walk whose opens are not their closes before."""
    rng = np.random.default_rng(seed)
    closes = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.012, (sessions, len(symbols))), axis=0))
    opens = np.vstack((closes[:1], closes[:-1])) * np.exp(rng.normal(0.0, 0.003, closes.shape))
    return daily(opens.round(2), closes.round(2), symbols=symbols)


def bench(past: History, name: str, sizing: str, **params: Any) -> Bench:
    return Bench(past, Trial(config=config(name, **params), sizing=sizing))


def settled(tried: Tried) -> int:
    """What there was and what closed trades have made of it."""
    return tried.cash + int(tried.rounds["result"].sum())


def test_a_whole_history_is_what_the_engine_makes_of_it() -> None:
    for seed in range(6):
        p = drawn(seed)
        trial = Trial(config=p.config, release=p.release)
        played = BacktestEngine(p.past, trial).played()
        tried = Bench(p.past, trial).tried()
        assert (tried.equity.tolist(), tried.deployed.tolist()) == (
            played.track.equity.tolist(),
            played.track.deployed.tolist(),
        )
        assert tried.rounds.tobytes() == played.tables["rounds"].tobytes()


def test_a_point_is_what_a_configuration_that_says_so_is() -> None:
    past = walked(1)
    tried = bench(past, "sma_cross", "fixed:100", fast=12, slow=50).tried(find("sma_cross").Params(fast=5, slow=17))
    said = Trial(config=config("sma_cross", fast=5, slow=17), sizing="fixed:100")
    assert tried.equity.tolist() == BacktestEngine(past, said).run().equity.tolist()
    assert len(tried.rounds) > 5


def test_a_stretch_trades_as_the_whole_history_does_from_there_on() -> None:
    """Its rows are as warm: fixed sizes know of no equity, and a cross that was missed is not made up for."""
    for seed in range(8):
        past = walked(seed)
        b, first = bench(past, "sma_cross", "fixed:100"), 200
        point = b.strategy.Params(fast=4, slow=11)
        whole, part = b.tried(point), b.tried(point, Stretch(0, first, 400))
        decided = whole.rounds["opened"] > whole.ts[first]
        names = ["qty", "opened", "closed", "entry", "exit", "fees", "result", "role", "bars"]
        assert len(part.rounds) > 3
        assert part.rounds[names].tolist() == whole.rounds[decided][names].tolist()


def test_a_stretch_begins_flat_with_all_its_cash() -> None:
    for seed in range(8):
        b = bench(walked(seed), GAMBLER, "fixed:100")
        tried = b.tried(b.strategy.Params(seed=seed + 1), Stretch(50, 150, 300), verbose=True)
        assert len(tried.rounds) > 10
        assert tried.equity[0] == tried.cash == 100_000_000_000
        assert tried.rounds["opened"].min() > tried.ts[0]
        assert (len(tried.ts), len(tried.equity), len(tried.series)) == (150, 150, 151)


def test_what_holds_from_its_first_bar_on_does_so_in_every_stretch() -> None:
    past = walked(3)
    b = bench(past, "buy_and_hold", "full")
    for first in (0, 1, 100):
        tried = b.tried(b.strategy.Params(), Stretch(0, first, 300))
        assert np.flatnonzero(tried.deployed)[0] == 1
        assert tried.open == 1


def test_what_lies_behind_a_stretch_does_not_change_it() -> None:
    for seed in range(5):
        past = walked(seed)
        b, short = (bench(p, "dual_mode", "risk") for p in (past, past.part(0, 250)))
        a, c = (x.tried(x.strategy.Params(), Stretch(0, 100, 250)) for x in (b, short))
        assert (a.equity.tolist(), a.rounds.tobytes()) == (c.equity.tolist(), c.rounds.tobytes())


def test_a_purged_trade_counts_as_if_it_had_never_been_made() -> None:
    found = 0
    for seed in range(12):
        b = bench(walked(seed, symbols=("AAA", "BBB")), GAMBLER, "fixed:100")
        for end in (300, 301, 302):
            tried = b.tried(b.strategy.Params(seed=seed + 1), Stretch(0, 150, end))
            purged = tried.purged()
            found += tried.open
            begun = tried.places["begun"][tried.places["qty"] != 0].min(initial=len(tried.ts))
            assert purged.equity[:begun].tolist() == tried.equity[:begun].tolist()
            assert purged.equity[-1] == settled(tried)
            assert (purged.deployed[-1], purged.open) == (0, 0)
    assert found > 20


def test_a_short_is_purged_with_what_it_borrowed() -> None:
    found = 0
    for seed in range(12):
        c = config("metronome", every=7, keep=5)
        shorts = msgspec.structs.replace(c, gates=msgspec.structs.replace(c.gates, shorts=True, gap_limit=1.0))
        b = Bench(walked(seed), Trial(config=shorts))
        tried = b.tried(b.point({"every": 7, "keep": 5}), Stretch(0, 150, 250 + seed))
        found += int((tried.places["qty"] < 0).sum())
        assert tried.purged().equity[-1] == settled(tried)
    assert found > 1


def test_what_is_held_at_the_end_leaves_at_its_close_at_the_costs_of_a_fill() -> None:
    past = daily(np.full(60, 50.0), np.full(60, 50.0))
    tried = bench(past, "buy_and_hold", "fixed:100").tried(None, Stretch(0, 30, 60), verbose=True)
    out = tried.closed_out()
    (r,) = out.rounds
    assert (r["qty"], r["entry"], r["exit"], r["fees"], r["bars"]) == (100, 50_005_000, 49_995_000, 1_000_000, 29)
    assert r["result"] == -100 * 10_000 - 1_000_000
    assert out.equity[-1] == tried.cash + r["result"]
    assert out.equity[:-1].tolist() == tried.equity[:-1].tolist()
    assert (tried.commission, out.commission, out.open) == (500_000, 1_000_000, 0)


def test_closed_out_an_account_is_its_cash_and_its_trades() -> None:
    for seed in range(12):
        b = bench(walked(seed, symbols=("AAA", "BBB")), GAMBLER, "fixed:100")
        out = b.tried(b.strategy.Params(seed=seed + 1), Stretch(0, 150, 300), verbose=True).closed_out()
        assert out.equity[-1] == settled(out)
        assert out.commission == out.rounds["fees"].sum()


def test_the_numbers_are_those_of_the_metrics() -> None:
    for seed in range(5):
        b = bench(walked(seed), "sma_cross", "fixed:100")
        tried = b.tried(b.strategy.Params(fast=3, slow=9))
        metrics = msgspec.structs.asdict(tried.metrics())
        assert tried.numbers() == {name: metrics[name] for name in NUMBERS}


def test_a_bench_arrives_elsewhere_as_it_was() -> None:
    b = bench(walked(5), GAMBLER, "fixed:100", seed=9)
    other = pickle.loads(pickle.dumps(b))
    point = b.strategy.Params(seed=4)
    assert other.tried(other.point({"seed": 4})).equity.tolist() == b.tried(point).equity.tolist()


def test_other_code_elsewhere_is_refused() -> None:
    b = bench(walked(5, 30), "sma_cross", "fixed:100")
    with pytest.raises(ConfigError, match=r"here and 0123 where it comes from: install the same version"):
        rebuilt(b.past, b.trial, "0123")


def test_many_threads_share_a_bench() -> None:
    b = bench(walked(7), "sma_cross", "fixed:100")
    points = [b.strategy.Params(fast=f, slow=s) for f in range(2, 12) for s in range(12, 20)]

    def equity(point: Any) -> Array:
        return b.tried(point).equity

    alone = [equity(p).tolist() for p in points]
    together = dict(jobs.map(equity, points, jobs.Engine(workers=8)))
    assert [together[i].tolist() for i in range(len(points))] == alone
