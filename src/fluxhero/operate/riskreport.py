"""The daily risk report as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fluxhero.operate import tables

Row = dict[str, Any]

BAR = 20  # columns, of a limit that is used up
LEVELS = {"broken": "BROKEN", "over": "over", "within": ""}
FACTS = (
    "equity", "cash", "day_base", "day_result", "peak", "drawdown", "deployed", "net", "entering",
    "largest_symbol", "largest", "risk_deployed", "loss_if_stopped", "loss_if_gapped", "without_stop",
)  # fmt: skip


def text(answer: Row) -> str:
    """Of the answer to `report`."""
    parts = [
        [head(answer)], list(_breaches(answer["breaches"])), _facts(answer), tables.table(limits(answer["limits"])),
        tables.table([_stake(s) for s in (*answer["positions"], *answer["entries"])]) or ["nothing held or sought"],
        tables.table(list(matrix(answer["correlation"]))), tables.table(answer["refusals"]),
    ]  # fmt: skip
    return "\n\n".join("\n".join(part) for part in parts if part)


def head(answer: Row) -> str:
    time = answer["market_time"]
    at = f"at the closes of {time}" if time else "before the first close"
    return f"risk report of {answer['session'] or 'no session yet'}, {at}, {answer['rung']}"


def verdict(breaches: list[Row]) -> str:
    """One sentence."""
    broken, over = (sum(b["level"] == level for b in breaches) for level in ("broken", "over"))
    said = [
        *([f"{broken} {'breach' if broken == 1 else 'breaches'}"] if broken else []),
        *([f"{over} to watch"] if over else []),
    ]
    return ", ".join(said) or "everything is within its limits"


def _breaches(breaches: list[Row]) -> Iterable[str]:
    yield verdict(breaches)
    yield from (tables.clean(f"  {LEVELS[b['level']]:6}  {b['text']}") for b in breaches)


def _facts(answer: Row) -> list[str]:
    return tables.pairs({k: answer[k] for name in FACTS for k in (name, f"{name}_ratio") if k in answer})


def limits(rows: list[Row]) -> list[Row]:
    """Each with its numbers as their unit has them, and a bar."""
    return [
        {
            "limit": x["limit"], "now": f"{number(x['unit'], x['now']):>8}",
            "most": f"{number(x['unit'], x['most']):>8}", "used": bar(x["used"]), "": LEVELS[x["level"]],
            "beyond it": x["then"],
        }
        for x in rows
    ]  # fmt: skip


def number(unit: str, value: float | None) -> str:
    if value is None:
        return "-"
    if unit == "count":
        return f"{value:,.0f}"
    return f"{100 * value:.2f} %" if unit == "share" else f"{value:.2f}"


def bar(used: float | None) -> str:
    if used is None:
        return ""
    full = min(BAR, round(used * BAR))
    return f"{'█' * full}{'░' * (BAR - full)}{'▶' if used > 1.0 else ' '}{100 * used:4.0f} %"


def _stake(s: Row) -> Row:
    """Columns have names of their own, and no stop says so."""
    return {
        **{key: s[key] for key in ("symbol", "state", "qty", "mark", "stop", "distance_ratio", "value")},
        "share_ratio": s["value_ratio"], "at_risk": s["risk"], "risk_share_ratio": s["risk_ratio"],
        "gapped": s["gapped"], "without_stop": s["without_stop"] or "",
    }  # fmt: skip


def matrix(company: Row) -> Iterable[Row]:
    """A row for each symbol; nothing for one alone."""
    symbols, rows = company["symbols"], company["matrix"]
    for i, symbol in enumerate(symbols if len(symbols) > 1 else []):
        known = ["" if x is None else "1" if i == j else f"{x:+.2f}" for j, x in enumerate(rows[i])]
        yield {"correlation": symbol, **{other: f"{x or '?':>5}" for other, x in zip(symbols, known, strict=True)}}
