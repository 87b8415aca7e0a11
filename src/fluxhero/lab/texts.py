"""A summary as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from fluxhero.lab.points import Number
from fluxhero.lab.statistics import Skill
from fluxhero.lab.summary import Summary
from fluxhero.lab.sweep import Sweep
from fluxhero.lab.walk import PASS, Walk, Window

NAMED = 12  # symbols, and trips
WIDTH = 110  # characters
SHOWN = 24  # windows
SURE = 0.95  # of a deflated Sharpe ratio
NONE = "-"

Row = Sequence[str]


def percent(x: float | None, sign: str = "") -> str:
    """Of a fraction."""
    return NONE if x is None else f"{100 * x:{sign},.2f} %"


def number(x: float | None, sign: str = "", digits: int = 2) -> str:
    return NONE if x is None else f"{x:{sign},.{digits}f}"


def signed(x: float | None) -> str:
    return percent(x, "+")


def counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.items() if n) or "none"


FIGURES = (
    ("total return", "total_return", signed), ("a year", "cagr", signed), ("volatility", "volatility", percent),
    ("Sharpe", "sharpe", number), ("Sortino", "sortino", number), ("Calmar", "calmar", number),
    ("maximum drawdown", "max_drawdown", percent),
)  # fmt: skip
TRADES = "", "trades", "won", "result", "profit factor", "a trade", "mean R", "worst", "fees", "bars held"


def text(s: Summary) -> str:
    parts = list(_head(s)), figures(s), list(_facts(s)), table(list(_groups(s["metrics"])))
    return "\n\n".join("\n".join(part) for part in parts if part)


def table(rows: Sequence[Row]) -> list[str]:
    """The first column to the left, the others to the right; without those that say nothing."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    kept = [i for i, width in enumerate(widths) if width or not i]
    return ["  ".join(row[i].rjust(widths[i]) if i else row[i].ljust(widths[i]) for i in kept).rstrip() for row in rows]


def named(symbols: Sequence[str]) -> str:
    more = f" and {len(symbols) - NAMED} more" if len(symbols) > NAMED else ""
    return ", ".join(symbols[:NAMED]) + more


def chosen(params: Mapping[str, Any], axes: Sequence[str]) -> str:
    """Those that were varied."""
    return ", ".join(f"{name}={_plain(params[name])}" for name in axes) or "as configured"


def _plain(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def figures(s: Summary) -> list[str]:
    """Beside what buying and holding came to."""
    return table(list(_figures(s)))


def verdict(w: Walk) -> str:
    """Did it pass?"""
    passed = "it passes" if w.passed else f"it does not pass, more than {percent(PASS)} are needed"
    return f"{w.profitable:,} of {len(w.windows):,} tests were profitable, {percent(w.pass_rate)}: {passed}."


def walked(w: Walk, axes: Sequence[str], s: Summary) -> str:
    plan, m = w.plan, w.joined.metrics
    head = [
        f"{w.strategy} on {named(w.symbols)}: walked forward over {w.timeframe} bars, {w.windows[0].train_first} to"
        f" {w.windows[-1].test_last}",
        f"{len(w.windows):,} windows: {plan.train} months to choose on, {plan.test} to judge by,"
        f" {plan.embargo} sessions between them; {w.points:,} points, chosen by {plan.by}",
        *s["remarks"],
    ]
    rows = [WINDOWS, *(_window(x, axes) for x in w.windows[-SHOWN:])]
    more = [f"the newest {SHOWN} of {len(w.windows):,}"] if len(w.windows) > SHOWN else []
    facts = [f"trades      {m.trades:,}, {percent(m.win_rate)} won, profit factor {number(m.profit_factor)}"]
    parts = head, [*table(rows), *more], figures(s), [*facts, verdict(w)]
    return "\n\n".join("\n".join(part) for part in parts)


WINDOWS = "chosen on", "judged by", "parameters", "score", "training", "test", "trades", "purged", "closed out"


def _window(x: Window, axes: Sequence[str]) -> Row:
    return (
        f"{x.train_first} to {x.train_last}", f"{x.test_first} to {x.test_last}", chosen(x.params, axes),
        number(x.score), signed(x.train.total_return), signed(x.test.total_return), f"{x.test.trades:,}",
        f"{x.purged:,}", f"{x.closed_out:,}",
    )  # fmt: skip


def swept(w: Sweep, axes: Sequence[str], remarks: Sequence[str]) -> str:
    head = [
        f"{w.strategy} on {named(w.symbols)}: swept over {w.timeframe} bars, {w.done:,} of {w.asked:,} points done,"
        f" {w.known:,} of them known before",
        *([f"{w.left_out:,} points are none: a parameter must be under another"] if w.left_out else []),
        *([f"interrupted: asked again it goes on with the other {w.asked - w.done:,}"] if w.interrupted else []),
        f"rows in {w.folder}", *remarks,
    ]  # fmt: skip
    names = list(dict.fromkeys((w.objective, *SWEPT)))
    rows = [["parameters", *(name.replace("_", " ") for name in names)]]
    rows += [[chosen(p.params, axes), *(_number(name, p.metrics[name]) for name in names)] for p in w.top]
    return "\n\n".join("\n".join(part) for part in (head, table(rows) if w.top else [], wrap(skill(w.skill), WIDTH)))


SWEPT = "sharpe", "cagr", "max_drawdown", "profit_factor", "trades"
RATES = {"cagr", "total_return", "max_drawdown", "win_rate"}


def _number(name: str, x: Number) -> str:
    return f"{x:,}" if isinstance(x, int) else percent(x) if name in RATES else number(x)


def skill(s: Skill | None) -> str:
    """What the best of many is worth."""
    if s is None:
        return "the best has no Sharpe ratio: nothing moved"
    said = "luck may be all of it" if s.deflated is None or s.deflated < SURE else "that is hardly luck"
    return (
        f"the best of {s.tried:,} trials, as good as {s.independent:,.1f} independent ones: Sharpe {number(s.sharpe)},"
        f" where the best of so many without any skill has {number(s.hurdle)};"
        f" probability that it is truly better {percent(s.deflated)}: {said}"
    )


def _head(s: Summary) -> Iterator[str]:
    setup, m = s["setup"], s["metrics"]
    yield (
        f"{setup['strategy']} on {named(setup['symbols'])}: {setup['source']} of {setup['timeframe']} bars,"
        f" {s['first']} to {s['last']}, {m['sessions']:,} sessions, {sum(s['bars'].values()):,} bars"
    )
    guards = "with" if setup["risk"] else "without"
    yield f"sizing {setup['sizing']}, {guards} stops, caps and breakers, costs {setup['costs']}"
    params = ", ".join(f"{k}={v}" for k, v in setup["params"].items()) or NONE
    yield from wrap(f"parameters {params}", WIDTH, subsequent_indent=" " * 11)
    yield f"{setup['cash']:,.2f} USD became {s['equity']:,.2f}"
    yield from s.get("remarks", ())


def _figures(s: Summary) -> Iterator[Row]:
    likely = s["intervals"]
    between, and_ = (f"{100 * likely['level']:g} % between", "and") if likely["samples"] else ("", "")
    yield "", s["setup"]["strategy"], between, and_, "buy and hold"
    for name, key, said in FIGURES:
        known = likely.get(key) or {}
        low, high = (said(known[end]) if known else "" for end in ("low", "high"))
        yield name, said(s["metrics"][key]), low, high, said(s["benchmark"][key])
    longest = (f"{x['longest_drawdown']:,} sessions" for x in (s["metrics"], s["benchmark"]))
    yield "longest drawdown", next(longest), "", "", next(longest)


def _facts(s: Summary) -> Iterator[str]:
    m = s["metrics"]
    held = "" if m["holding_days"] is None else f", held {m['holding_bars']:,.1f} bars, {m['holding_days']:,.1f} days"
    yield (
        f"trades      {m['trades']:,}, {percent(m['win_rate'])} won, profit factor {number(m['profit_factor'])},"
        f" {number(m['expectancy'], '+')} USD each, mean {number(m['average_r'], '+')} R{held}"
    )
    yield f"exposure    {percent(m['exposure'])} of the time, {percent(m['deployed'])} of equity on average"
    yield f"costs       commission {m['commission']:,.2f}, borrow {m['borrow']:,.2f} USD; slippage is in the prices"
    yield f"decisions   {counted(s['decisions'])}; orders {counted(s['orders'])}; {s['fills']:,} fills"
    yield f"refused by  {counted(s['refusals'])}"
    yield f"still held  {', '.join(f'{qty:,} {symbol}' for symbol, qty in s['positions'].items()) or 'nothing'}"
    yield from map(_trip, s["trips"][-NAMED:])
    if len(s["trips"]) > NAMED:
        yield f"trips       {len(s['trips']):,} in all"


def _trip(t: dict[str, Any]) -> str:
    return (
        f"trip        {t['trip']} at {t['at']}: {percent(t['value'])}, {percent(t['bound'])} is the most;"
        f" released {t['released'] or 'never'}"
    )


def _groups(m: dict[str, Any]) -> Iterator[Row]:
    if not m["trades"]:
        return
    yield TRADES
    for kind, groups in (("mode", m["modes"]), ("regime", m["regimes"])):
        yield from (_group(f"{kind} {name}", g) for name, g in groups.items())


def _group(name: str, g: dict[str, Any]) -> Row:
    return (
        name, f"{g['trades']:,}", percent(g["win_rate"]), number(g["result"], "+"), number(g["profit_factor"]),
        number(g["expectancy"], "+"), number(g["average_r"], "+"), number(g["worst_trade"], "+"), number(g["fees"]),
        number(g["holding_bars"], digits=1),
    )  # fmt: skip
