"""Answers as text for a person: aligned, thousands separated, times without what says nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from fluxhero.core.explain import MODES, OUTCOMES, REGIMES, when
from fluxhero.messages import Nanos

Row = dict[str, Any]

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ET")
PLAIN = {"pid", "port", "year"}  # numbers that are names
SIGNED = {"day_result", "day_result_ratio", "change_ratio", "result", "slope"}
WHOLE = {"volume", "volume_mean"}
USD = {"cash", "day_base", "day_result", "deployed", "equity", "fees", "open_risk", "peak", "result"}
EMPTY = {
    "orders": "no open orders",
    "signals": "nothing has been sought yet",
    "bars": "no bars",
    "drifts": "the broker and we agree",
    "trips": "nothing is held: trading is not cut down",
}
MONEY = {"price", "stop", "fee", "fees", "cash", "equity", "entry", "exit", "result", "mark"}  # micro-dollars in events
DUMB = {"ok", "id", "seq", "ts", "m", "slot", "time", "kind", "symbol", "reading"}  # not, or first in an event
WORDS = {"trips", "symbols", "paused"}  # lists that are no tables when they are empty
NAMES = {"action": OUTCOMES, "mode": MODES, "regime": REGIMES, "side": {1: "buy", -1: "sell"}}
EPOCH = 10**17  # ns: what is greater is a time
POINTS = 20  # of an equity curve, as text
BLOCKS = "▁▂▃▄▅▆▇█"
LINE = 60  # columns of a curve


def text(cmd: str, answer: Row) -> str:
    """Any answer of any command."""
    shown = {k: v for k, v in answer.items() if k not in ("ok", "id")}
    said = shown.get("why") or shown.get("text") or _page(shown.get(cmd))
    if isinstance(said, str):
        return "\n".join(clean(line) for line in (*said.splitlines(), *map(_reason, shown.get("reasons") or ())))
    if cmd == "equity" and _is_table(shown.get("points")):
        return _curve(shown)
    if cmd == "events" and _is_table(shown.get("events")):
        return "\n".join(map(event, shown["events"])) or "no events"
    if cmd == "signals" and _is_table(shown.get("signals")):
        shown["signals"] = [_unprefixed(s) for s in shown["signals"]]
    if shown == {cmd: []}:
        return EMPTY.get(cmd, f"no {_name(cmd)}")
    return "\n\n".join("\n".join(part) for part in _parts(shown) if part)


def _reason(r: Row) -> str:
    """A condition that was looked at, and how far it was from its limit."""
    if r["value"] is None:
        return f"  {r['what']} not known, {r['rule']} {r['limit']:.4g}"
    return f"  {r['what']} {r['value']:.6g}, {r['rule']} {r['limit']:.6g} ({r['distance']:+.4g})"


def _page(value: Any) -> str | None:
    return value if isinstance(value, str) and "\n" in value else None


def _parts(answer: Row) -> Iterable[list[str]]:
    """The single facts, then each table."""
    lists = {k: v for k, v in answer.items() if _is_table(v) and (v or k not in WORDS)}
    yield pairs({k: v for k, v in answer.items() if k not in lists})
    for name, rows in lists.items():
        yield table(rows) or [EMPTY.get(name, f"no {_name(name)}")]


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def pairs(facts: Row) -> list[str]:
    """A fact a line; those of a group bear its name."""
    flat = dict(_flat(facts))
    width = max(map(len, flat), default=0)
    return [f"{name:{width}}  {value}".rstrip() for name, value in flat.items()]


def _flat(facts: Row, group: str = "") -> Iterable[tuple[str, str]]:
    for key, value in facts.items():
        ratio = f"{key}_ratio"
        if isinstance(value, dict):
            yield from _flat(value, f"{group}{clean(key)}.")
        elif group:
            yield group + clean(key), cell("", value) if not _is_number(value) else f"{value:,}"
        elif ratio in facts:
            yield _name(key), f"{cell(key, value)} ({cell(ratio, facts[ratio])})"
        elif not (key.endswith("_ratio") and key.removesuffix("_ratio") in facts):
            yield _name(key), cell(key, value)


def table(rows: Sequence[Row]) -> list[str]:
    """A head and a line for each row; numbers to the right. Nothing for nothing."""
    keys = [key for key in dict.fromkeys(k for row in rows for k in row) if any(row.get(key) != "" for row in rows)]
    columns = [_column(key, [row.get(key) for row in rows]) for key in keys]
    return ["  ".join(line).rstrip() for line in zip(*columns, strict=True)]


def _column(key: str, values: list[Any]) -> list[str]:
    numbers = [value for value in values if _is_number(value)]
    digits = _digits(key, numbers)
    cells = [_name(key), *_times([cell(key, value, digits) for value in values])]
    width = max(map(len, cells))
    number = numbers and len(numbers) == sum(value is not None for value in values)
    return [c.rjust(width) if number else c.ljust(width) for c in cells]


def _times(cells: list[str]) -> list[str]:
    """The zone is New York's anyway, and seconds that are none are left out."""
    if not any(TIME.fullmatch(c) for c in cells):
        return cells
    cut = -6 if all(c.endswith(":00 ET") or c == "-" for c in cells) else -3
    return [c[:cut] if TIME.fullmatch(c) else c for c in cells]


def _digits(key: str, values: Sequence[Any]) -> int:
    """After the point: more where all is small, but for money."""
    if key.endswith("_seconds"):
        return 1
    most = max((abs(value) for value in values if isinstance(value, float)), default=0.0)
    return 4 if key not in USD and 0 < most < 1 else 2


def cell(key: str, value: Any, digits: int | None = None) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(cell(key, v) for v in value) or "none"
    if not _is_number(value):
        return clean(str(value))
    if key in PLAIN:
        return str(value)
    sign = "+" if key in SIGNED else ""
    if key.endswith("_ratio"):
        return f"{100 * value:{sign},.2f} %"
    if isinstance(value, int) or key in WHOLE:
        return f"{value:{sign},.0f}"
    return f"{value:{sign},.{_digits(key, [value]) if digits is None else digits}f}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _name(key: str) -> str:
    return clean(key.removesuffix("_ratio").replace("_", " "))


def clean(text: str) -> str:
    """On one line, and nothing that a terminal would obey."""
    return "".join(c if c.isprintable() else " " if c in "\n\t" else "?" for c in text)


def event(e: Row) -> str:
    """One line: when, what, of which symbol, and whatever it says more."""
    head = [str(e.get("time", "")).removesuffix(" ET"), f"{e.get('kind', '')!s:10}", f"{e.get('symbol', '')!s:5}"]
    return clean("  ".join([*head, " ".join(_said(e))]).rstrip())


def _said(facts: Row) -> Iterable[str]:
    for key, value in facts.items():
        nothing = value is None or (value is not False and value in (0, "", []))
        if isinstance(value, dict) and key not in DUMB:
            yield from _said(value)
        elif key in NAMES or not (nothing or key in DUMB):
            yield f"{key}={_told(key, value)}"


def _told(key: str, value: Any) -> str:
    if type(value) is int and key in NAMES:
        return NAMES[key].get(value, str(value)).replace(" ", "-")
    if type(value) is int and value > EPOCH:
        return when(Nanos(value)).removesuffix(" ET").replace(" ", "T")
    if type(value) is int and key in MONEY:
        return f"{value / 1e6:.2f}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _unprefixed(signal: Row) -> Row:
    """Time and symbol have columns of their own."""
    head = f"{signal.get('symbol')} {signal.get('time')}: "
    told = {k: v for k, v in signal.items() if k != "reasons"}
    return {**told, "why": str(signal.get("why")).removeprefix(head)}


def _curve(answer: Row) -> str:
    points = answer["points"]
    lines = pairs({k: v for k, v in answer.items() if k != "points"})
    if len(points) > 1:
        lines += ["", spark([p["equity"] for p in _few(points, LINE)])]
    return "\n".join([*lines, "", *table(_few(points, POINTS))]).rstrip()


def _few(points: list[Row], most: int) -> list[Row]:
    """Evenly chosen, the first and the last among them."""
    last = len(points) - 1
    return points if last < most else [points[i * last // (most - 1)] for i in range(most)]


def spark(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    step = (high - low) / (len(BLOCKS) - 1) or 1.0
    return "".join(BLOCKS[round((value - low) / step)] for value in values)
