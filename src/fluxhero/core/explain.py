"""Why something was done or not, as one sentence made from the journal's data."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from fluxhero.core.journal import Check, Decided, Judged
from fluxhero.core.ladder import Rung
from fluxhero.kernel import codes
from fluxhero.messages import Nanos, Side

NEW_YORK = ZoneInfo("America/New_York")
REGIMES = {codes.NEUTRAL: "neutral", codes.TREND: "strong trend", codes.REVERSION: "mean reversion"}
VOLATILITIES = {codes.LOW: "low", codes.NORMAL: "normal", codes.HIGH: "high"}
MODES = {
    codes.NEUTRAL: "none", codes.TREND: "trend", codes.REVERSION: "mean reversion", codes.METRONOME: "metronome",
    codes.CROSS: "cross", codes.HELD: "buy and hold", codes.MINE: "own", codes.OTHER: "other",
}  # fmt: skip
ACTIONS = {
    codes.HOLD: "held: nothing was sought",
    codes.WARMUP: "held: the indicators were not warm yet",
    codes.FLAT: "held: the window is flat, it says nothing",
    codes.SUSPECT: "held: an overnight move looks like a split that the data does not declare",
}
GATES = {
    codes.HOURS: "{value:.0f} min of the session were left, more than {limit:.0f} are needed",
    codes.GAP: "the session opened {value:.2%} away from the previous close, {limit:.2%} is the most",
    codes.VOLUME: "its volume was {value:.2f} of the mean of the 20 bars before, more than {limit:.2f} is needed",
    codes.BREAKOUT: "it broke out of its 20 bars on {value:.2f} of their volume, more than {limit:.2f} is needed",
    codes.SPREAD: "the spread was {value:.3f} deviations of the five-minute closes, {limit:.2f} is the most",
    codes.RUNG: "trading stands at {rung}",
    codes.BUSY: "the symbol has a position or an entry already",
    codes.PAUSED: "the symbol is paused by the operator",
    codes.FRESH: "the last usable quote was {value:.1f} s old, {limit:.0f} s is the most",
    codes.STOP: "its stop {value:.2f} is not on the losing side of the price {limit:.2f}",
    codes.SHORTS: "it may not be sold short",
    codes.SLOTS: "{value:.0f} positions were held or sought, {limit:.0f} is the most",
    codes.CROWDED: "what is held and this would move as one: mean correlation {value:.2f}, {limit:.2f} is the most",
    codes.RATE: "{value:.0f} entry orders had been sent, {limit:.0f} is the most of their minute or day",
    codes.FROZEN: "what the broker says of the symbol does not agree with what we know",
    codes.CHASES: "it was sent anew {value:.0f} times, {limit:.0f} is the most",
    codes.UNWANTED: "it was no longer wanted",
    codes.PRICE: "the quote was {value:.2%} away from the last close, {limit:.2%} is the most",
    codes.DAYTRADES: "{value:.0f} round trips within a day in five sessions, {limit:.0f} is the most",
    codes.SIZE: "the size came to less than one share: {by_risk} by risk, {by_cap} by the position cap,"
    " {by_room} by the room left",
}
# What a decision may have looked at: its name, and what the limit is to the value.
CONDITIONS = {
    codes.C_HOURS: ("minutes left in the session", "more than"),
    codes.C_GAP: ("gap at the open", "at most"),
    codes.C_VOLUME: ("volume over its mean", "more than"),
    codes.C_BREAKOUT: ("volume of a breakout over its mean", "more than"),
    codes.C_SPREAD: ("spread over the deviation of five-minute closes", "at most"),
    codes.C_SPIKE: ("volatility of five minutes over the hour's", "a spike above"),
    codes.C_ADX: ("ADX", "a trend above"),
    codes.C_R2: ("R2", "a trend above"),
    codes.C_SLOPE: ("slope", "a trend beyond"),
    codes.C_ENTRY_BAND: ("close", "entered beyond"),
    codes.C_EXIT_BAND: ("close", "left beyond"),
    codes.C_LOWER: ("close", "lower band"),
    codes.C_MIDDLE: ("close", "SMA20"),
    codes.C_UPPER: ("close", "upper band"),
    codes.C_RSI_LOW: ("RSI", "oversold under"),
    codes.C_RSI_HIGH: ("RSI", "overbought over"),
    codes.C_BEAT: ("bars since the beat", "due at"),
    codes.C_FAST: ("fast mean", "slow mean"),
    codes.C_CALM_ADX: ("ADX", "a range below"),
    codes.C_CALM_R2: ("R2", "a range below"),
}


OUTCOMES = {
    codes.HOLD: "hold", codes.WARMUP: "warmup", codes.FLAT: "flat", codes.ENTER: "enter", codes.EXIT: "exit",
    codes.REFUSED: "refused", codes.SUSPECT: "suspect",
}  # fmt: skip
GATE_NAMES = {
    getattr(codes, name.upper()): name
    for name in (
        "open", "hours", "gap", "rung", "busy", "fresh", "stop", "slots", "size", "paused", "volume", "breakout",
        "spread", "shorts", "crowded", "rate", "frozen", "chases", "unwanted",
        "price", "daytrades",
    )
}  # fmt: skip


def when(ts: Nanos) -> str:
    return datetime.fromtimestamp(ts // 1_000_000_000, NEW_YORK).strftime("%Y-%m-%d %H:%M:%S ET")


def sentence(symbol: str, d: Decided, j: Judged | None, refused: str = "") -> str:
    """A decision with its reasons; `refused`: why the venue would not have the order."""
    head = f"{symbol} {when(d.ts)}: "
    if d.action == codes.REFUSED:
        return f"{head}no {_mode(d)} entry, for {_gate(d.gate, d.value, d.limit, None)} ({_because(d)})."
    if d.action == codes.ENTER:
        said = _entry(d, j)
        return head + (f"{said.removesuffix('.')}; the venue refused it: {refused}." if refused else said)
    if d.action == codes.EXIT:
        barred = j is not None and j.gate != codes.OPEN
        but = f", but was refused: {_gate(j.gate, j.value, j.limit, j)}" if j is not None and barred else ""
        return f"{head}left the {_mode(d)} position ({_because(d)}){but}."
    return f"{head}{ACTIONS[d.action]} ({_because(d)})." if d.checks else f"{head}{ACTIONS[d.action]}."


def reasons(checks: Iterable[Check]) -> list[dict[str, str | float | None]]:
    """Everything that was looked at, as data; `distance`: of the value from the limit, in its unit."""
    return [
        {
            "what": CONDITIONS[c.condition][0],
            "value": c.value,
            "rule": CONDITIONS[c.condition][1],
            "limit": c.limit,
            "distance": None if c.value is None else c.value - c.limit,
        }
        for c in checks
    ]


def _entry(d: Decided, j: Judged | None) -> str:
    if j is None:
        return f"sought a {_mode(d)} entry ({_because(d)})."
    if j.gate != codes.OPEN:
        return f"no {_mode(d)} entry, for {_gate(j.gate, j.value, j.limit, j)} ({_because(d)})."
    sold = " short" if d.side is Side.SELL else ""
    return (
        f"ordered {j.qty}{sold} in {MODES[d.mode]} mode ({_because(d)}), stop {d.stop / 1e6:.2f};"
        f" {j.qty} is {_share(j, d)}the least of {j.by_risk} by risk, {j.by_cap} by the position cap,"
        f" {j.by_room} by the room left."
    )


def _mode(d: Decided) -> str:
    return f"short {MODES[d.mode]}" if d.side is Side.SELL else MODES[d.mode]


def _share(j: Judged, d: Decided) -> str:
    """Half-hearted modes, spikes, drawdowns, bad months and company take a share of the size, whatever bounds it; the
    room is not shared.
    """
    if j.factor == 1.0:
        return ""
    why = [
        *(["a spike in volatility"] if d.wide != 1.0 else []),
        *([f"the mode's weight {j.weight:.2f}"] if j.weight != 1.0 else []),
        *([f"a correlation of {j.correlation:.2f} with what is held"] if j.company != 1.0 else []),
    ]
    return f"{j.factor:g}{f' (for {_and(why)})' if why else ''} of "


def _and(parts: list[str]) -> str:
    return " and ".join(parts)


def _gate(gate: int, value: float, limit: float, j: Judged | None) -> str:
    names = {"by_risk": j.by_risk, "by_cap": j.by_cap, "by_room": j.by_room} if j else {}
    if gate == codes.FRESH and value == float("inf"):
        return "there was no two-sided, uncrossed quote within a minute"
    rung = Rung(int(value)).name if gate == codes.RUNG else ""
    return GATES[gate].format(value=value, limit=limit, rung=rung, **names)


def _because(d: Decided) -> str:
    """The readings that the mode looks at."""
    r = {name: float("nan") if x is None else x for name, x in d.reading.items()}
    if d.mode == codes.REVERSION:
        return (
            f"regime {REGIMES[d.regime]}: close {r['close']:.2f}, {_band(d, r)}, SMA20 {r['mid']:.2f},"
            f" RSI {r['rsi']:.1f}, slope {r['slope']:+.4f}"
        )
    if d.mode in (codes.TREND, codes.NEUTRAL):
        return (
            f"regime {REGIMES[d.regime]}: close {r['close']:.2f}, KAMA {r['kama']:.2f}, ATR {r['atr']:.3f},"
            f" slope {r['slope']:+.4f}, ADX {r['adx']:.1f}, R2 {r['r2']:.2f}, RSI {r['rsi']:.1f}"
        )
    why = "by the beat, " if d.mode == codes.METRONOME else ""
    return f"{why}close {r['close']:.2f}, ATR {r['atr']:.3f}"


def _band(d: Decided, r: dict[str, float]) -> str:
    """Where it entered, or would have."""
    name, wanted, width = ("upper", codes.C_UPPER, 2.0) if d.side is Side.SELL else ("lower", codes.C_LOWER, -2.0)
    found = next((check.limit for check in d.checks if check.condition == wanted), r["mid"] + width * r["sd"])
    return f"{name} band {found:.2f}"
