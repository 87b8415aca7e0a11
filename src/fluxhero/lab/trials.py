"""The commands that try many points: walk and sweep."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec.structs import replace

from fluxhero.lab import sweep as sweeps
from fluxhero.lab import texts, walkpage
from fluxhero.lab import walk as walks
from fluxhero.lab.arguments import Contradiction, writable
from fluxhero.lab.commands import doubts, recalled, trial, write
from fluxhero.lab.engine import BacktestEngine, Trial, bought
from fluxhero.lab.grid import Grid, drawn, grid
from fluxhero.lab.history import History
from fluxhero.lab.intervals import intervals
from fluxhero.lab.jobs import Engine
from fluxhero.lab.metrics import calculate_metrics
from fluxhero.lab.summary import Summary, measured
from fluxhero.lab.tearsheet import page
from fluxhero.messages import Array


def walk(args: argparse.Namespace) -> None:
    """Raises Contradiction, ConfigError, Unusable."""
    how, points, engine = _begun(args)
    past, recording = recalled(args)
    plan = walks.Plan(train=args.train, test=args.test, embargo=args.embargo, by=args.by)
    w = walks.walk(past, how, points, plan, engine=engine)
    held, axes = beside(past, w), [axis.name for axis in points.axes]
    benchmark, likely = calculate_metrics(held, ts=w.joined.ts), intervals(w.joined.equity)
    told = msgspec.to_builtins(w)
    joined = told.pop("joined")
    s: Summary = {
        **told, "setup": _setup(how, past), "metrics": joined["metrics"],
        "intervals": msgspec.to_builtins(likely), "benchmark": msgspec.to_builtins(benchmark),
        "remarks": doubts(recording), "left_out": recording.left_out, "refused_rows": recording.refused,
    }  # fmt: skip
    print(texts.walked(w, axes, s))
    if args.html:
        write(args.html, walkpage.page(w, axes, held, benchmark, likely))
    if args.json:
        print(json.dumps(s, allow_nan=False))


def beside(past: History, w: walks.Walk) -> Array:
    """(1 + C,) USD: the benchmark over the same sessions, whatever lies between them."""
    cash = w.joined.equity[0]
    held = bought(past, cash)
    at = np.searchsorted(past.market.ends[past.closes], w.joined.ts)
    return np.concatenate(([1.0], np.cumprod(held[at] / held[at - 1]))) * cash


def sweep(args: argparse.Namespace) -> None:
    """Raises Contradiction, ConfigError, Unusable; KeyboardInterrupt, where there was one, when all else is done."""
    how, points, engine = _begun(args)
    past, recording = recalled(args)
    w = sweeps.sweep(past, how, points, args.out, by=args.by, engine=engine)
    remarks = doubts(recording)
    print(texts.swept(w, [axis.name for axis in points.axes], remarks))
    if args.html and w.best:
        _sheet(args, past, how, w, remarks)
    if args.json:
        best = w.best.metrics if w.best else None
        s = {**msgspec.to_builtins(w), "setup": _setup(how, past), "metrics": best, "remarks": remarks}
        print(json.dumps({**s, "left_out_symbols": recording.left_out}, allow_nan=False))
    if w.interrupted:
        raise KeyboardInterrupt


def _sheet(args: argparse.Namespace, past: History, how: Trial, w: sweeps.Sweep, remarks: Sequence[str]) -> None:
    """Of the best, with what it is worth."""
    assert w.best
    s = how.config.strategy
    config = replace(how.config, strategy=replace(s, tables={**s.tables, s.stem: w.best.params}))
    result = BacktestEngine(past, replace(how, config=config)).run()
    said = texts.skill(w.skill)
    write(args.html, page(result, *measured(result), [f"{said[0].upper()}{said[1:]}.", *remarks]))


def _begun(args: argparse.Namespace) -> tuple[Trial, Grid, Engine]:
    """Raises ConfigError, Contradiction."""
    writable(args.html)
    if args.scheduler and args.engine != "dask":
        raise Contradiction(f"--scheduler {args.scheduler}: threads have none; say --engine dask as well")
    how = trial(args)
    points = drawn(how.config, args.param, args.random, args.seed) if args.random else grid(how.config, args.param)
    return how, points, Engine(kind=args.engine, workers=args.workers or 0, scheduler=args.scheduler)


def _setup(how: Trial, past: History) -> Summary:
    return {
        "strategy": how.config.strategy.name, "symbols": past.symbols, "timeframe": past.timeframe,
        "sizing": how.sizing, "costs": "spec" if how.costs else "none", "cash": how.config.paper.cash,
        "data": past.digest,
    }  # fmt: skip
