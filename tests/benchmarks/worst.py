"""The worst days, with limits and without: `python -m tests.benchmarks.worst --data DIR`.

DIR has SPY_1d-adj.parquet and the like. A trip counts at closes and is obeyed at the next open: what a loss goes beyond
its limit by is what the market did in between. Per manner of trading, in percent: the result, the deepest drawdown, the
most beyond a limit. Per trip, in percent: what was `held`, of equity, at the last close within the limit; of the day's
base or the peak, the loss that was `seen`, what was `lost` once all was left, and how far that is `beyond` the limit:
the `room` that was left, plus gaps from close to open, what `moved` within bars, and costs. What did not hold raises.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import product
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from fluxhero.config import Config, Gates, Risk, Strategy
from fluxhero.core.calendar import nyse
from fluxhero.core.explain import when
from fluxhero.feeds.recording import Input, Request, load
from fluxhero.kernel.plug import settled
from fluxhero.messages import Nanos
from fluxhero.replay import Replay
from tests.halting import Past, Stopped, due, stopped, wrongs

RECKLESS = str(Path(__file__).parents[1] / "reckless.py")


class Window(NamedTuple):
    name: str
    symbols: tuple[str, ...]
    input: Input
    first: date
    last: date

    @property
    def daily(self) -> bool:
        return self.input is Input.D1


ALL, TWO, ONE = ("AAPL", "QQQ", "SPY"), ("AAPL", "QQQ"), ("SPY",)  # the wildest first: it gets all
WINDOWS = (
    Window("2000-03", ALL, Input.D1, date(1999, 11, 1), date(2000, 12, 29)),
    Window("2008", ALL, Input.D1, date(2007, 8, 1), date(2009, 3, 31)),
    Window("2008-09 by the hour", ("AAPL", "SPY"), Input.H1, date(2008, 8, 25), date(2008, 11, 25)),
    Window("2020-03", TWO, Input.D1, date(2019, 11, 1), date(2020, 6, 30)),
    Window("2024-08-05", ONE, Input.M1, date(2024, 7, 30), date(2024, 8, 9)),
    Window("2025-03", ONE, Input.M1, date(2025, 2, 18), date(2025, 4, 2)),
)

WILD = Risk(
    trade_risk=1.0, position_cap=1.0, deployed_cap=1.0, slots=1000, soft_size=1.0, correlated=1.0, correlated_size=1.0,
    crowded=1.0, crowded_slots=1000, weight_floor=1.0,
)  # fmt: skip
UNBOUND = msgspec.structs.replace(WILD, day_loss=1.0, soft_drawdown=0.999, hard_drawdown=1.0)
OPEN = Gates(last_minutes=0, gap_limit=1.0)


class Manner(NamedTuple):
    """How an account is traded."""

    name: str
    strategy: str = RECKLESS
    risk: Risk = WILD
    gates: Gates = OPEN
    auto: bool = True

    @property
    def config(self) -> Config:
        return settled(Config(risk=self.risk, gates=self.gates, strategy=Strategy(name=self.strategy)))


DUAL = Manner("dual_mode", "dual_mode", Risk(), Gates())
WITHIN = Manner("reckless, risk.* as it ships", risk=Risk(), gates=Gates())
CAPPED = Manner("reckless, risk.trade_risk at its bound", risk=Risk(trade_risk=1.0), gates=Gates())
BOUNDS = Manner("reckless, sizes at their bounds")
NEVER = BOUNDS._replace(name="  the same, --release never", auto=False)
FREE = BOUNDS._replace(name="  the same, limits at theirs too", risk=UNBOUND)
MANNERS = DUAL, WITHIN, CAPPED, BOUNDS, NEVER, FREE

COLUMNS = "held", "seen", "lost", "beyond", "room", "gap", "moved", "costs"
HEAD = f"  {'trip':9} {'at':23}" + "".join(f"{name:>8}" for name in COLUMNS) + "  out"
MOST = 3  # trips that are told of where accounts begin anew


def run(w: Window, m: Manner, data: Path, state: Path) -> Past:
    request = Request(data=data, symbols=w.symbols, input=w.input, adjusted=w.daily, first=w.first, last=w.last)
    recording = load(request, nyse())
    assert not recording.left_out, recording.left_out
    replay = Replay(recording=recording, request=request, config=m.config, directory=state, auto_release=m.auto)
    assert replay.main()
    return Past(state)


def judged(w: Window, m: Manner, past: Past) -> list[Stopped]:
    """Its trips. Fails where a limit did not hold."""
    wrong = wrongs(past, m.risk, w.daily, m.auto)
    assert not wrong, wrong
    return [stopped(past, d, m.risk) for d in due(past, m.risk, w.daily, m.auto)]


def percent(*shares: float) -> str:
    return "".join(f"{100 * x:8.2f}" for x in shares)


def line(m: Manner, past: Past, trips: list[Stopped]) -> str:
    counts = Counter(t.trip.value for t in trips)
    said = ", ".join(f"{n} {name}" for name, n in counts.items()) or "no trips"
    worst = max((t.lost - t.limit for t in trips), default=0.0)
    return f"{m.name:36}{percent(past.equity / past.began - 1.0, past.drawdown, worst)}{past.entries:8}  {said}"


def story(w: Window, t: Stopped) -> str:
    """One trip; the parts of what it lost beyond its limit add up to it."""
    ts, out = (when(Nanos(x)) if x else "the tape ends first" for x in (t.ts, t.out))
    if w.daily:
        ts, out = ts[:10], f"{out[:10]}, open" if t.out else out
    figures = percent(t.held, t.value, t.lost, t.lost - t.limit, -t.room, t.gap, t.moved, t.costs)
    return f"  {t.trip:9} {ts:23}{figures}  {out}"


def table(data: Path, states: Path) -> Iterator[str]:
    for w in WINDOWS:
        yield f"\n{w.name}: {', '.join(w.symbols)}, {w.input.value}, {w.first} to {w.last}"
        yield f"{'':36}{'result':>8}{'drawn':>8}{'beyond':>8}{'entries':>8}  trips"
        for n, m in enumerate(MANNERS):
            past = run(w, m, data, states / f"{w.name}-{n}")
            trips = judged(w, m, past)
            yield line(m, past, trips)
            if trips:
                yield HEAD
            yield from (story(w, t) for t in trips)


def begun(data: Path, states: Path, every: int) -> Iterator[str]:
    """The same windows, begun anew at every so many sessions: so that the worst day finds an account that is all in."""
    for w, m in product(WINDOWS, (WITHIN, CAPPED, BOUNDS)):
        days = [s.date for s in nyse().between(w.first, w.last)][:-2:every]
        trips = [(t, day) for day in days for t in _of(w._replace(first=day), m, data, states)]
        trips.sort(key=beyond)
        yield f"\n{w.name}, {m.name}: {len(days)} beginnings, {len(trips)} trips, the worst"
        yield HEAD
        worst = {(t.trip, t.ts): (t, day) for t, day in reversed(trips)}  # of the same ones
        for t, day in sorted(worst.values(), key=beyond)[:MOST]:
            yield f"{story(w, t)}  begun {day}"


def beyond(x: tuple[Stopped, date]) -> float:
    return x[0].limit - x[0].lost


def _of(w: Window, m: Manner, data: Path, states: Path) -> list[Stopped]:
    with tempfile.TemporaryDirectory(dir=states) as state:
        return judged(w, m, run(w, m, data, Path(state)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--begin", type=int, metavar="N", help="anew at every N-th session, the worst trips alone")
    args = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as made:
        at = Path(made)
        for text in begun(args.data, at, args.begin) if args.begin else table(args.data, at):
            print(text, flush=True)
