"""The tables of the tear sheet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import numpy as np

from fluxhero.core.explain import GATE_NAMES, MODES, REGIMES
from fluxhero.ink import html
from fluxhero.ink.text import NONE, minus, number, percent, usd
from fluxhero.kernel.codes import REFUSED
from fluxhero.lab.metrics import Metrics, Trades, of_rounds, r_multiples
from fluxhero.lab.result import Mark, Result
from fluxhero.lab.tearsheet import reasons
from fluxhero.lab.tearsheet.chart import ROLES, Charts
from fluxhero.lab.tearsheet.series import local

ROUNDS = 250  # trades in the list
SYMBOLS = 40  # in their table
TRIPS = 100

Group = tuple[str, Trades]
TRADES: tuple[html.Column[Group], ...] = (
    ("Trades", lambda g: f"{g[1].trades:,}"),
    ("Won", lambda g: percent(g[1].win_rate, digits=1)),
    ("Result", lambda g: signed(g[1].result)),
    ("Profit factor", lambda g: number(g[1].profit_factor)),
    ("A trade", lambda g: usd(g[1].expectancy, "+")),
    ("Mean R", lambda g: number(g[1].average_r, sign="+")),
    ("Best", lambda g: usd(g[1].best_trade, "+")),
    ("Worst", lambda g: usd(g[1].worst_trade, "+")),
    ("Sharpe", lambda g: number(g[1].trade_sharpe)),
    ("Drawdown", lambda g: usd(g[1].trade_drawdown)),
    ("Fees", lambda g: usd(g[1].fees)),
    ("Held", lambda g: NONE if g[1].holding_bars is None else f"{number(g[1].holding_bars, 1)} bars"),
)


def signed(x: float) -> str:
    return f'<span class="{"loss" if x < 0 else "gain"}">{usd(x, "+")}</span>' if x else usd(x)


def groups(head: str, found: Mapping[str, Trades]) -> str:
    columns: tuple[html.Column[Group], ...] = ((head, lambda g: f"<b>{escape(g[0])}</b>"), *TRADES)
    return html.table(columns, found.items(), 1)


def symbols(result: Result) -> tuple[str, str]:
    """The table, and what is not in it: the best and the worst where they are many."""
    rounds = result.rounds
    found = {result.setup.symbols[i]: of_rounds(rounds[rounds["slot"] == i]) for i in np.unique(rounds["slot"])}
    ordered = sorted(found.items(), key=lambda g: -g[1].result)
    shown = ordered if len(ordered) <= SYMBOLS else ordered[: SYMBOLS // 2] + ordered[-SYMBOLS // 2 :]
    more = f"The best {SYMBOLS // 2} and the worst {SYMBOLS // 2} of {len(ordered):,} symbols that traded."
    return groups("Symbol", dict(shown)), more if len(ordered) > len(shown) else ""


# -- single trades


def rounds(result: Result, charts: Charts) -> tuple[str, str]:
    """The newest first; a row leads to its place in the chart."""
    newest = range(len(result.rounds) - 1, max(-1, len(result.rounds) - 1 - ROUNDS), -1)
    name, multiples = result.setup.symbols, r_multiples(result.rounds)
    times = [local(result.rounds[x]) for x in ("opened", "closed")]
    day = result.setup.timeframe.endswith("d")

    def of(field: str, said: Callable[[Any], str]) -> Callable[[int], str]:
        return lambda i: said(result.rounds[field][i].item())

    columns: tuple[html.Column[int], ...] = (
        ("Symbol", of("slot", lambda x: f"<b>{escape(name[x])}</b>")),
        ("Opened", lambda i: _when(times[0][i], day)),
        ("Closed", lambda i: _when(times[1][i], day)),
        ("Mode", of("mode", lambda x: MODES.get(x, "own"))),
        ("Regime", of("regime", lambda x: REGIMES.get(x, NONE))),
        ("Closed by", of("role", lambda x: ROLES.get(x, NONE))),
        ("Shares", of("qty", lambda x: minus(f"{x:,}"))),
        ("Entry", of("entry", _price)),
        ("Stop", of("stop", _price)),
        ("Exit", of("exit", _price)),
        ("Fees", of("fees", _price)),
        ("Result", of("result", lambda x: signed(x / 1e6))),
        ("R", lambda i: number(float(multiples[i]), sign="+") if np.isfinite(multiples[i]) else NONE),
        ("Bars", of("bars", lambda x: f"{x:,}")),
    )
    table = html.table(columns, newest, 6, lambda i: _leads(charts, i))
    more = f"The newest {ROUNDS:,} of {len(result.rounds):,}. " if len(result.rounds) > ROUNDS else ""
    return f'<div class="long">{table}</div>', f"{more}Times are New York's; a row leads to its place in the chart."


def _leads(charts: Charts, i: int) -> str:
    if i not in charts.places:
        return ""
    chart, first, last = charts.places[i]
    return f' data-chart="{chart}" data-from="{first}" data-to="{last}"'


def _when(moment: Any, day: bool) -> str:
    return str(moment)[: 10 if day else 16].replace("T", " ")


def _price(x: int) -> str:
    return usd(x / 1e6) if x else NONE


# -- what stopped it


def trips(result: Result) -> tuple[str, str]:
    marks = reasons.trips(result)
    day = result.setup.timeframe.endswith("d")
    columns: tuple[html.Column[Mark], ...] = (
        ("Time", lambda m: _when(local(np.array([m.ts]))[0], day)),
        ("", lambda m: f'<b class="{"broken" if m.kind == "trip" else "within"}">{escape(m.kind)}</b>'),
        ("Why", lambda m: f'<div class="wide">{escape(m.text)}</div>'),
    )
    more = f"The newest {TRIPS} of {len(marks):,}." if len(marks) > TRIPS else ""
    return (html.table(columns, marks[: -TRIPS - 1 : -1], 3) if marks else ""), more


def refusals(result: Result) -> str:
    """How often each gate refused: entries that the strategy held back, and those that were sought."""
    d = result.decisions
    gates = np.where(d["action"] == REFUSED, d["gate"], d["verdict"])[reasons.refused(d)]
    codes, counts = np.unique(gates, return_counts=True)
    found = sorted(zip(codes.tolist(), counts.tolist(), strict=True), key=lambda g: -g[1])
    columns: tuple[html.Column[tuple[int, int]], ...] = (
        ("Gate", lambda g: escape(GATE_NAMES.get(g[0], str(g[0])))),
        ("Entries", lambda g: f"{g[1]:,}"),
    )
    return html.table(columns, found, 1) if found else ""


def costs(result: Result, m: Metrics) -> str:
    """What trading took; gross: of closed trades, before it."""
    turnover = float((result.fills["qty"] * (result.fills["price"] / 1e6)).sum())
    total, gross = m.commission + m.borrow, m.result + m.fees
    facts = (
        ("Commission", f"{usd(m.commission)} USD"), ("Borrow", f"{usd(m.borrow)} USD"),
        ("Both", f"{usd(total)} USD"), ("of the gross result", percent(total / gross if gross > 0 else None)),
        ("of what it began with", percent(total * 1e6 / result.setup.cash)),
        ("Turnover", f"{usd(turnover)} USD"), ("of the turnover", _points(total, turnover)),
    )  # fmt: skip
    return f'<dl class="facts">{"".join(f"<dt>{name}</dt><dd>{x}</dd>" for name, x in facts)}</dl>'


def _points(total: float, turnover: float) -> str:
    return f"{number(1e4 * total / turnover)} basis points" if turnover else NONE
