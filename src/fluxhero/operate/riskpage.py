"""The daily risk report as one HTML file: nothing is loaded from anywhere, and no script runs."""

from __future__ import annotations

from html import escape
from typing import Any

from fluxhero.ink import html
from fluxhero.ink.text import NONE, minus, percent, usd
from fluxhero.operate import riskplots as plots
from fluxhero.operate.riskreport import number, verdict
from fluxhero.operate.riskstyle import CSS

Row = dict[str, Any]

NOTES = (
    "Values and distances are taken at the last closes; losses are counted from there, before costs. A share without a"
    " stop at the broker, or whose price has passed its stop, counts as lost at its full value.",
    "An entry under way counts at the worst price that it may come to, also where nobody knows whether it arrived. A"
    " gap is a jump of twice the distance to the stop, so that the stop fills there.",
    "Correlations are of log returns over the last 50 common bars, 20 at least. A cap binds entries: prices alone may"
    " carry a position past it, which is to be watched, not a breach.",
)
STAKES: tuple[html.Column[Row], ...] = (
    ("Symbol", lambda s: html.two(f"<b>{escape(s['symbol'])}</b>", escape(_kind(s)))),
    ("Shares", lambda s: minus(f"{s['qty']:,}")),
    ("Price", lambda s: usd(s["mark"])),
    ("Stop", lambda s: usd(s["stop"])),
    ("Distance", lambda s: html.two(usd(s["distance"]), percent(s["distance_ratio"]))),
    ("Value", lambda s: html.two(usd(s["value"]), percent(s["value_ratio"]))),
    ("If stopped", lambda s: html.two(usd(s["risk"]), percent(s["risk_ratio"]))),
    ("With a gap", lambda s: html.two(usd(s["gapped"]), percent(s["gapped_ratio"]))),
    ("No stop", lambda s: f'<b class="broken">{s["without_stop"]:,}</b>' if s["without_stop"] else NONE),
)
REFUSALS: tuple[html.Column[Row], ...] = (
    ("Gate", lambda r: escape(r["gate"])),
    ("Last", lambda r: escape(r["last"].removesuffix(" ET"))),
    ("Entries", lambda r: f"{r['count']:,}"),
)


def page(answer: Row) -> str:
    """Of the answer to `report`."""
    title = f"FluxHero risk report {answer['session'] or ''}".rstrip()
    parts = (_header, _verdict, _figures, _limits, _beside, _stopped, _stakes, _history, _footer)
    body = "\n".join(part for make in parts if (part := make(answer)))
    return html.document(title, CSS, body)


def _header(a: Row) -> str:
    time, level = a["market_time"], "within" if a["rung"] == "NORMAL" else "broken"
    at = f"at the closes of {time}" if time else "before the first close"
    return (
        f"<header><h1>Risk report {escape(a['session'] or '')}</h1>"
        f'<span class="chip {level}">{escape(a["rung"])}</span><p>{escape(at)}, USD</p></header>'
    )


def _verdict(a: Row) -> str:
    breaches = a["breaches"]
    level = breaches[0]["level"] if breaches else "within"
    said = "".join(
        f'<li><b class="{b["level"]}">{"Breach" if b["level"] == "broken" else "Watch"}</b>'
        f"<span>{escape(_sentence(b['text']))}</span></li>"
        for b in breaches
    )
    return (
        f'<section class="verdict {level}"><strong>{_sentence(verdict(breaches))}</strong>'
        f"{f'<ul>{said}</ul>' if said else ''}</section>"
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _figures(a: Row) -> str:
    figures = (
        ("Equity", usd(a["equity"]), f"cash {usd(a['cash'])}"),
        ("Day", usd(a["day_result"], "+"), f"{percent(a['day_result_ratio'], '+')} of {usd(a['day_base'])}"),
        ("Drawdown", percent(a["drawdown_ratio"]), f"{usd(a['drawdown'])} under the peak of {usd(a['peak'])}"),
        ("Deployed", percent(a["deployed_ratio"]), f"{usd(a['deployed'])}, net {usd(a['net'])}"),
        ("Risk deployed", usd(a["risk_deployed"]), f"{percent(a['risk_deployed_ratio'])} of equity, {_entering(a)}"),
        ("If every stop is hit", usd(a["loss_if_stopped"]), f"{percent(a['loss_if_stopped_ratio'])} of equity"),
        ("With a gap of twice as far", usd(a["loss_if_gapped"]), f"{percent(a['loss_if_gapped_ratio'])} of equity"),
        ("Largest position", escape(a["largest_symbol"] or "none"), _largest(a)),
    )
    return html.figures(figures)


def _entering(a: Row) -> str:
    return "with entries under way" if a["entries"] else "no entry under way"


def _largest(a: Row) -> str:
    return f"{usd(a['largest'])}, {percent(a['largest_ratio'])} of equity" if a["largest_symbol"] else "nothing is held"


def _limits(a: Row) -> str:
    note = "The mark on each bar is the limit; below it stands what passing it does."
    return html.card("Limits", note, "".join(map(_limit, a["limits"])), "left" if _beside(a) else "")


def _limit(x: Row) -> str:
    now, most = (minus(number(x["unit"], x[key])) for key in ("now", "most"))
    used = "" if x["used"] is None else f"{100 * x['used']:.0f}\N{NO-BREAK SPACE}%"
    word = x["level"] if x["level"] != "within" else used
    return (
        f'<div class="row limit"><span>{escape(_sentence(x["limit"]))}</span>{plots.limit(x["used"], x["level"])}'
        f'<span><b>{now}</b> <small>limit {most}</small></span><em class="{x["level"]}">{word}</em>'
        f"<i>{escape(x['then'])}</i></div>"
    )


def _beside(a: Row) -> str:
    cards = _company(a["correlation"]) + _refused(a["refusals"])
    return f'<div class="right">{cards}</div>' if cards else ""


def _company(c: Row) -> str:
    if len(c["symbols"]) < 2:
        return ""
    most, mean = ("not known" if c[k] is None else minus(f"{c[k]:.2f}") for k in ("most", "mean"))
    note = f"Highest of a pair {most}, mean {mean}, both signed by the sides held."
    return html.card("Correlation", note, plots.heat(c))


def _refused(refusals: list[Row]) -> str:
    return html.card("Refused today", "", html.table(REFUSALS, refusals, 2)) if refusals else ""


def _stopped(a: Row) -> str:
    stakes = [*a["positions"], *a["entries"]]
    most = max((s["gapped"] for s in stakes), default=0.0)
    if most <= 0.0:
        return ""
    legend = (
        '<p class="legend"><span><u></u>to the stop</span><span><u class="gap"></u>with a gap of twice as far</span>'
        '<span><u class="broken"></u>without a stop</span></p>'
    )
    rows = "".join(_stopping(s, most) for s in sorted(stakes, key=lambda s: -s["gapped"]))
    return html.card("Loss if stopped", "", legend + rows)


def _stopping(s: Row, most: float) -> str:
    bare = "broken" if s["without_stop"] else ""
    state = "" if s["state"] == "held" else f' <small class="none">{escape(s["state"])}</small>'
    track = plots.bar((s["gapped"] / most, bare or "gap"), (s["risk"] / most, bare))
    return (
        f'<div class="row stake"><span><b>{escape(s["symbol"])}</b>{state}</span>{track}'
        f"<span>{usd(s['risk'])}, gap {usd(s['gapped'])}</span></div>"
    )


def _stakes(a: Row) -> str:
    stakes = [*a["positions"], *a["entries"]]
    if not stakes:
        return html.card("Positions", "", '<p class="none">Nothing is held or sought.</p>')
    return html.card("Positions and entries under way", "", html.table(STAKES, stakes, 1))


def _kind(s: Row) -> str:
    if s["state"] == "held":
        return "long" if s["qty"] > 0 else "short"
    return f"entry, {s['state']}"


def _history(a: Row) -> str:
    points = a["points"]
    if len(points) < 2:
        return ""
    bounds = {x["limit"]: x["most"] for x in a["limits"]}
    note = "Equity in USD, and how far it was under its highest so far."
    curves = plots.curve(points) + plots.drawdown(points, bounds["soft drawdown"], bounds["hard drawdown"])
    return html.card("Equity and drawdown", note, curves + plots.days(points))


def _footer(_: Row) -> str:
    return f"<footer>{''.join(f'<p>{note}</p>' for note in NOTES)}</footer>"
