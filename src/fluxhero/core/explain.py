"""Why something was done or not, as one sentence made from the journal's data."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from fluxhero.core.journal import Decided, Judged
from fluxhero.core.ladder import Rung
from fluxhero.kernel import codes
from fluxhero.messages import Nanos

NEW_YORK = ZoneInfo("America/New_York")
REGIMES = {codes.NEUTRAL: "neutral", codes.TREND: "strong trend", codes.REVERSION: "mean reversion"}
MODES = {codes.NEUTRAL: "none", codes.TREND: "trend", codes.REVERSION: "mean reversion", codes.METRONOME: "metronome"}
ACTIONS = {
    codes.HOLD: "held: nothing was sought",
    codes.WARMUP: "held: the indicators were not warm yet",
    codes.FLAT: "held: the window is flat, it says nothing",
    codes.SUSPECT: "held: an overnight move looks like a split that the data does not declare",
}
GATES = {
    codes.HOURS: "{value:.0f} min of the session were left, more than {limit:.0f} are needed",
    codes.GAP: "the session opened {value:.2%} away from the previous close, {limit:.2%} is the most",
    codes.RUNG: "trading stands at {rung}",
    codes.BUSY: "the symbol has a position or an entry already",
    codes.PAUSED: "the symbol is paused by the operator",
    codes.FRESH: "the last usable quote was {value:.1f} s old, {limit:.0f} s is the most",
    codes.STOP: "its stop {value:.2f} is not between 0 and the price {limit:.2f}",
    codes.SLOTS: "{value:.0f} positions were held or sought, {limit:.0f} is the most",
    codes.SIZE: "the size came to less than one share: {by_risk} by risk, {by_cap} by the position cap,"
    " {by_room} by the room left",
}


OUTCOMES = {
    codes.HOLD: "hold", codes.WARMUP: "warmup", codes.FLAT: "flat", codes.ENTER: "enter", codes.EXIT: "exit",
    codes.REFUSED: "refused", codes.SUSPECT: "suspect",
}  # fmt: skip
GATE_NAMES = {codes.OPEN: "open"} | {
    getattr(codes, name.upper()): name
    for name in ("hours", "gap", "rung", "busy", "fresh", "stop", "slots", "size", "paused")
}


def when(ts: Nanos) -> str:
    return datetime.fromtimestamp(ts // 1_000_000_000, NEW_YORK).strftime("%Y-%m-%d %H:%M:%S ET")


def sentence(symbol: str, d: Decided, j: Judged | None, refused: str = "") -> str:
    """A decision with its reasons; `refused`: why the venue would not have the order."""
    head = f"{symbol} {when(d.ts)}: "
    if d.action == codes.REFUSED:
        return f"{head}no {MODES[d.mode]} entry, for {_gate(d.gate, d.value, d.limit, None)} ({_because(d)})."
    if d.action == codes.ENTER:
        said = _entry(d, j)
        return head + (f"{said.removesuffix('.')}; the venue refused it: {refused}." if refused else said)
    if d.action == codes.EXIT:
        barred = j is not None and j.gate != codes.OPEN
        but = f", but was refused: {_gate(j.gate, j.value, j.limit, j)}" if j is not None and barred else ""
        return f"{head}left the {MODES[d.mode]} position ({_because(d)}){but}."
    return f"{head}{ACTIONS[d.action]}."


def _entry(d: Decided, j: Judged | None) -> str:
    if j is None:
        return f"sought a {MODES[d.mode]} entry ({_because(d)})."
    if j.gate != codes.OPEN:
        return f"no {MODES[d.mode]} entry, for {_gate(j.gate, j.value, j.limit, j)} ({_because(d)})."
    return (
        f"ordered {j.qty} in {MODES[d.mode]} mode ({_because(d)}), stop {d.stop / 1e6:.2f};"
        f" {j.qty} is {_share(j.factor)}the least of {j.by_risk} by risk, {j.by_cap} by the position cap,"
        f" {j.by_room} by the room left."
    )


def _share(factor: float) -> str:
    """Half-hearted modes and drawdowns take a share of the size, whatever bounds it; the room is not shared."""
    return "" if factor == 1.0 else f"{factor:g} of "


def _gate(gate: int, value: float, limit: float, j: Judged | None) -> str:
    names = {"by_risk": j.by_risk, "by_cap": j.by_cap, "by_room": j.by_room} if j else {}
    if gate == codes.FRESH and value == float("inf"):
        return "there was no two-sided, uncrossed quote within a minute"
    rung = Rung(int(value)).name if gate == codes.RUNG else ""
    return GATES[gate].format(value=value, limit=limit, rung=rung, **names)


def _because(d: Decided) -> str:
    """The readings that the mode looks at."""
    r = d.reading
    if d.mode == codes.METRONOME:
        return f"by the beat, close {r['close']:.2f}, ATR {r['atr']:.3f}"
    if d.mode == codes.REVERSION:
        return (
            f"regime {REGIMES[d.regime]}: close {r['close']:.2f}, lower band {r['mid'] - 2 * r['sd']:.2f},"
            f" SMA20 {r['mid']:.2f}, RSI {r['rsi']:.1f}, slope {r['slope']:+.4f}"
        )
    return (
        f"regime {REGIMES[d.regime]}: close {r['close']:.2f}, KAMA {r['kama']:.2f}, ATR {r['atr']:.3f},"
        f" slope {r['slope']:+.4f}, ADX {r['adx']:.1f}, R2 {r['r2']:.2f}, RSI {r['rsi']:.1f}"
    )
