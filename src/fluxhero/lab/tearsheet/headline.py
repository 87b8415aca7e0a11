"""What a tear sheet begins with: what was tried on what, and what came of it beside buying and holding."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np

from fluxhero.ink import html
from fluxhero.ink.text import number, percent, usd
from fluxhero.lab.result import Result, Setup
from fluxhero.lab.tearsheet.sheet import Sheet, count

NAMED = 12  # symbols in the title
FEW = 30  # trades


def title(setup: Setup) -> str:
    names = setup.symbols
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{setup.strategy} on {', '.join(names[:NAMED])}{more}"


def header(s: Sheet) -> str:
    setup, dates = s.result.setup, s.sessions.dates
    chips = (setup.source, setup.timeframe, f"sizing {setup.sizing}", f"costs {setup.costs}")
    said = "".join(f'<span class="chip">{escape(x)}</span>' for x in chips)
    bare = "" if setup.risk else '<span class="chip over">without stops, caps and breakers</span>'
    return (
        f"<header><h1>{escape(title(setup))}</h1>{said}{bare}<p>{dates[0]} to {dates[-1]},"
        f" {count(s.metrics.sessions, 'session')}, {count(len(s.result.ts), 'bar time')}, from"
        f" {usd(setup.cash / 1e6)} USD</p></header>"
    )


def lead(s: Sheet) -> str:
    ours, held = s.metrics.total_return, s.benchmark.total_return
    ahead = round(100 * (ours - held), 2)
    than = f"{number(abs(ahead))} points {'more' if ahead > 0 else 'less'} than" if ahead else "as much as"
    said = (
        f'It made <span class="{"loss" if ours < 0 else "gain"}">{percent(ours, "+")}</span>, {than} the'
        f" {percent(held, '+')} of buying and holding the same."
    )
    more = "".join(f"<p>{escape(text)}</p>" for text in (*_doubts(s), *s.remarks))
    return f'<section class="card said"><p class="lead">{said}</p>{more}</section>'


def _doubts(s: Sheet) -> Iterator[str]:
    trades, still = s.metrics.trades, _still(s.result)
    known = s.intervals.sharpe if s.intervals else None
    if not s.result.fills.size:
        yield "It never traded."
    if still:
        yield f"{count(still, 'position')} still open at the end: in equity, not among the trades."
    if 0 < trades < FEW:
        yield f"{count(trades, 'trade')}, fewer than {FEW}: too few to tell skill from luck."
    if known and known.low < 0.0:
        yield "The interval of its Sharpe ratio reaches below 0: it may have no skill at all."


def _still(result: Result) -> int:
    fills = result.fills
    nets = np.zeros(len(result.setup.symbols), np.int64)
    np.add.at(nets, fills["slot"], fills["side"] * fills["qty"])
    return int(np.count_nonzero(nets))


def figures(s: Sheet) -> str:
    m, b = s.metrics, s.benchmark
    return html.figures(
        (
            ("Total return", percent(m.total_return, "+"), f"buy and hold {percent(b.total_return, '+')}"),
            ("A year", percent(m.cagr, "+"), _beside(s, "cagr")),
            ("Sharpe", number(m.sharpe), _beside(s, "sharpe")),
            ("Maximum drawdown", percent(m.max_drawdown), _beside(s, "max_drawdown")),
            (
                "Sortino", number(m.sortino),
                f"buy and hold {number(b.sortino)}; Calmar {number(m.calmar)}, {number(b.calmar)}",
            ),
            (
                "Trades", f"{m.trades:,}",
                f"{percent(m.win_rate, digits=1)} won, profit factor {number(m.profit_factor)}",
            ),
            (
                "A trade", usd(m.expectancy, "+"),
                f"won {usd(m.average_win, '+')}, lost {usd(m.average_loss)}, mean {number(m.average_r, sign='+')} R",
            ),
            (
                "In the market", percent(m.exposure, digits=1),
                f"of the time; {percent(m.deployed, digits=1)} of equity on average",
            ),
        )
    )  # fmt: skip


def _beside(s: Sheet, name: str) -> str:
    said = number if name == "sharpe" else percent
    known = getattr(s.intervals, name, None)
    level = "" if s.intervals is None else percent(s.intervals.level, digits=0)
    likely = f"{level} between {said(known.low)} and {said(known.high)}; " if known else ""
    return f"{likely}buy and hold {said(getattr(s.benchmark, name))}"
