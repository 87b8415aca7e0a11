"""The tear sheet of one result as one HTML file: nothing is loaded from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fluxhero.ink import html
from fluxhero.ink.text import percent
from fluxhero.lab.intervals import Intervals
from fluxhero.lab.metrics import Metrics, of_benchmark
from fluxhero.lab.result import Result
from fluxhero.lab.tearsheet import headline, plots, scripts, tables
from fluxhero.lab.tearsheet.chart import charts
from fluxhero.lab.tearsheet.series import months, rolling, sessions
from fluxhero.lab.tearsheet.sheet import Sheet, count
from fluxhero.lab.tearsheet.style import CSS


def page(result: Result, metrics: Metrics, intervals: Intervals | None = None, remarks: Sequence[str] = ()) -> str:
    """`metrics`, `intervals`: of the result; `remarks`: sentences for its head, such as how many trials it is the best
    of. ValueError: there is no bar.
    """
    if not result.closes.size:
        raise ValueError("the result has 0 sessions: a tear sheet needs one at least, look at its data and dates")
    s = Sheet(
        result=result, metrics=metrics, benchmark=of_benchmark(result), sessions=sessions(result),
        charts=charts(result), intervals=intervals, remarks=remarks,
    )  # fmt: skip
    parts = (
        headline.header, headline.lead, headline.figures, _equity, _candles, _months, _rolling, _spread, _exposure,
        _modes, _regimes, _symbols, _costs, _refusals, _trips, _rounds, _footer,
    )  # fmt: skip
    body = "\n".join(part for make in parts if (part := make(s)))
    policy, end = scripts.end(s.charts)
    return html.document(headline.title(result.setup), CSS, body, policy, end)


def _candles(s: Sheet) -> str:
    return scripts.card(s.charts) if s.charts.found else ""


# -- plots


def _equity(s: Sheet) -> str:
    legend = '<p class="legend"><span><u></u>the strategy</span><span><u class="bench"></u>buy and hold</span></p>'
    ratios = " Equal heights are equal ratios." if plots.steep(s.sessions) else ""
    note = (
        "At each session's close, in USD, and how far below its highest so far. Buy and hold: as much in the same"
        f" symbols, in equal parts, from the first close on.{_longest(s)}{ratios}"
    )
    body = legend + plots.equity(s.sessions) + plots.drawdown(s.sessions) + plots.dates(s.sessions.dates, plots.WIDE)
    return html.card("Equity and drawdown", note, body)


def _longest(s: Sheet) -> str:
    d = s.metrics.drawdown
    if d is None:
        return ""
    until = f"recovered on {d.recovered_on}" if d.recovered_on else "not recovered"
    return (
        f" The deepest drawdown, {percent(d.depth)}, began on {d.peak_on}, was deepest on {d.bottom_on},"
        f" {until}; the longest lasted {count(s.metrics.longest_drawdown, 'session')}."
    )


def _months(s: Sheet) -> str:
    found = {(year, month): r for year, month, r in months(s.sessions)}
    years = len({year for year, _ in found})
    note = "Percent of equity at the close before."
    more = f" The newest {plots.YEARS} of {years} years." if years > plots.YEARS else ""
    return html.card("Months", note + more, plots.heat(found), "left")


def _rolling(s: Sheet) -> str:
    window, ratios = rolling(s.sessions.moved)
    if not window:
        return html.card("Rolling Sharpe", "", '<p class="none">Too few sessions for a rolling ratio.</p>', "narrow")
    body = plots.sharpe(s.sessions, ratios) + plots.dates(s.sessions.dates[-ratios.size :])
    note = f"Of the last {window} sessions, over 4 % a year; 0: nothing moved. Cut off beyond {plots.far(ratios):g}."
    return html.card("Rolling Sharpe", note, body, "narrow")


def _spread(s: Sheet) -> str:
    if not s.result.rounds.size:
        return html.card("Trades by result", "", '<p class="none">No trade was closed.</p>', "half")
    drawn, unit = plots.spread(s.result.rounds)
    what = "of the loss that its first stop allowed (R)" if unit == "R" else "of what its entry cost"
    far = " The outermost bars take what lies farther out." if s.result.rounds.size >= plots.CROWD else ""
    return html.card("Trades by result", f"After fees, {what}.{far}", drawn, "half")


def _exposure(s: Sheet) -> str:
    body = plots.exposure(s.sessions) + plots.dates(s.sessions.dates[1:])
    return html.card("Exposure", "Share of equity in positions, long or short, mean over each session.", body, "half")


# -- tables


def _modes(s: Sheet) -> str:
    return html.card("By mode", "", tables.groups("Mode", s.metrics.modes)) if s.metrics.modes else ""


def _regimes(s: Sheet) -> str:
    note = "The regime at the decision to enter."
    return html.card("By regime", note, tables.groups("Regime", s.metrics.regimes)) if s.metrics.regimes else ""


def _symbols(s: Sheet) -> str:
    if len(s.result.setup.symbols) < 2 or not s.result.rounds.size:
        return ""
    table, note = tables.symbols(s.result)
    return html.card("By symbol", note, table)


def _costs(s: Sheet) -> str:
    note = (
        "Slippage is in the prices of the fills." if s.result.setup.costs != "none" else "It was tried without costs."
    )
    return html.card("Costs", note, tables.costs(s.result, s.metrics), "half")


def _refusals(s: Sheet) -> str:
    found = tables.refusals(s.result) or '<p class="none">No entry was refused.</p>'
    return html.card("Refused entries", "By the gate that refused.", found, "half")


def _trips(s: Sheet) -> str:
    table, note = tables.trips(s.result)
    return html.card("Trips and releases", note or "Times are New York's.", table, "trips") if table else ""


def _rounds(s: Sheet) -> str:
    if not s.result.rounds.size:
        return ""
    table, note = tables.rounds(s.result, s.charts)
    return html.card("Trades", note, table)


def _footer(s: Sheet) -> str:
    setup = s.result.setup
    given = ", ".join(f"{name} = {value}" for name, value in setup.params.items()) or "none"
    return (
        f"<footer><p>Parameters: {escape(given)}.</p><p>Data {escape(setup.data)}.</p><p>Ratios are a year's of 252"
        " sessions, at session closes, over 4 % a year free of risk. The past says little about what comes.</p>"
        "<p>Candles by TradingView Lightweight Charts\N{TRADE MARK SIGN}, \N{COPYRIGHT SIGN} TradingView, Inc.,"
        ' <a href="https://www.tradingview.com/" rel="noreferrer">tradingview.com</a>, Apache License 2.0.</p></footer>'
    )
