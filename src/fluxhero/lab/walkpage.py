"""A walk-forward as one HTML page: its tests joined into one account, beside buying and holding, and every window."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from fluxhero.ink import html
from fluxhero.ink.text import NONE, minus, number, percent
from fluxhero.lab.intervals import Intervals
from fluxhero.lab.metrics import Metrics
from fluxhero.lab.statistics import returns
from fluxhero.lab.tearsheet import plots, tables
from fluxhero.lab.tearsheet.series import Sessions, local, months, rolling
from fluxhero.lab.tearsheet.style import CSS
from fluxhero.lab.texts import FIGURES, chosen, named, verdict
from fluxhero.lab.walk import Walk, Window
from fluxhero.messages import Array

Figure = tuple[str, str, str, str]


def page(w: Walk, axes: Sequence[str], held: Array, benchmark: Metrics, likely: Intervals) -> str:
    """axes: the parameters that were chosen; held: (1 + C,) USD of the benchmark."""
    s, title = _sessions(w, held), f"{w.strategy} on {named(w.symbols)}, walked forward"
    body = "\n".join(
        (
            f"<header><h1>{escape(title)}</h1><p>{s.dates[0]} to {s.dates[-1]}, {len(w.windows):,} windows of"
            f" {w.plan.train} months to choose on and {w.plan.test} to judge by. {escape(verdict(w))}</p></header>",
            html.card("Out of sample", "All tests, one after the other.", _figures(w, benchmark, likely)),
            _equity(s), _months(s), _rolling(s), _groups(w), _windows(w, axes),
        )
    )  # fmt: skip
    return html.document(title, CSS, body)


def _sessions(w: Walk, held: Array) -> Sessions:
    days, equity = local(np.array(w.joined.ts)).astype("M8[D]"), np.array(w.joined.equity)
    dates = np.concatenate((days[:1], days))
    return Sessions(
        dates=dates, equity=equity, benchmark=held, moved=returns(equity), deployed=np.zeros(days.size)
    )  # fmt: skip


def _figures(w: Walk, benchmark: Metrics, likely: Intervals) -> str:
    def rows() -> list[Figure]:
        made = []
        for name, key, said in FIGURES:
            between = getattr(likely, key, None)
            spread = f"{said(between.low)} to {said(between.high)}" if between else NONE
            ours, theirs = (said(getattr(m, key)) for m in (w.joined.metrics, benchmark))
            made.append((name, minus(ours), minus(spread), minus(theirs)))
        return made

    columns: tuple[html.Column[Figure], ...] = (
        ("", lambda r: r[0]), ("the tests", lambda r: r[1]),
        (f"{percent(likely.level, digits=0)} between", lambda r: r[2]), ("buy and hold", lambda r: r[3]),
    )  # fmt: skip
    return html.table(columns, rows(), 1)


def _equity(s: Sessions) -> str:
    legend = '<p class="legend"><span><u></u>the tests</span><span><u class="bench"></u>buy and hold</span></p>'
    note = "At the sessions' closes, USD; each test begins with what the one before it left."
    drawn = legend + plots.equity(s) + plots.drawdown(s) + plots.dates(s.dates, plots.WIDE)
    return html.card("Equity and drawdown", note, drawn)


def _months(s: Sessions) -> str:
    return html.card("Months", "", plots.heat({(y, m): r for y, m, r in months(s)}), "left")


def _rolling(s: Sessions) -> str:
    window, ratios = rolling(s.moved)
    if not window:
        return ""
    body = plots.sharpe(s, ratios) + plots.dates(s.dates[-ratios.size :])
    return html.card("Rolling Sharpe", f"Of {window} sessions, a year's.", body, "narrow")


def _groups(w: Walk) -> str:
    m = w.joined.metrics
    found = (("Mode", m.modes), ("Regime", m.regimes))
    return "\n".join(html.card(f"By {name.lower()}", "", tables.groups(name, of)) for name, of in found if of)


def _windows(w: Walk, axes: Sequence[str]) -> str:
    columns: tuple[html.Column[Window], ...] = (
        ("Chosen on", lambda x: f"{x.train_first} to {x.train_last}"),
        ("Judged by", lambda x: f"{x.test_first} to {x.test_last}"),
        ("Parameters", lambda x: escape(chosen(x.params, axes))),
        ("Score", lambda x: number(x.score)),
        ("Training", lambda x: percent(x.train.total_return, "+")),
        ("Test", lambda x: tables.signed(100 * x.test.total_return)),
        ("Trades", lambda x: f"{x.test.trades:,}"),
        ("Purged", lambda x: f"{x.purged:,}"),
        ("Closed out", lambda x: f"{x.closed_out:,}"),
    )
    note = f"Parameters are chosen by {w.plan.by} on the training; returns in percent of the equity that it began with."
    return html.card("Windows", note, html.table(columns, reversed(w.windows), 3))
