"""What a state says of the market: bars, indicators and regimes, and what was decided and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from fluxhero.core import journal
from fluxhero.core.explain import ACTIONS, MODES, NEW_YORK, OUTCOMES, REGIMES, VOLATILITIES, reasons, sentence, when
from fluxhero.kernel import codes
from fluxhero.messages import Nanos, Quality
from fluxhero.store.view import Answer, NotFound, View

SEALED = "kind IN ('seal', 'past')"
REACH = 5000  # bar times that are searched for the bars of one symbol
SOUGHT = (codes.ENTER, codes.EXIT, codes.REFUSED)
UNDECIDED = {
    Quality.EXTENDED: "the bar lies outside the regular session",
    Quality.PARTIAL: "the bar was not seen from its first second",
}
DIGITS = {"rsi": 2, "adx": 2, "er": 4, "r2": 4, "volume_mean": 1}  # of a reading; the others 6


def bars(view: View, symbol: str, n: int) -> Answer:
    """The newest n, oldest first, among the last 5,000 bar times; `time` is the bar's start."""
    newest = list(islice(_bars(view, view.slot(symbol)), n))
    return {
        "symbol": symbol,
        "bars": [
            {
                "time": when(b.start), "open": b.open, "high": b.high, "low": b.low, "close": b.close,
                "volume": b.volume, "quality": Quality(b.quality).name.lower(), "decided": decided,
            }
            for _, b, decided in reversed(newest)
        ],
    }  # fmt: skip


def indicators(view: View, symbol: str) -> Answer:
    """As of the last full bar, `time` its seal; None where there is no number yet."""
    slot = view.slot(symbol)
    row = _kernel(view)[slot]
    reading = {k: None if x is None else round(x, DIGITS.get(k, 6)) for k, x in row["reading"].items()}
    full = (ts for ts, b, _ in _bars(view, slot) if b.quality == Quality.FULL)
    last = next(full, None)
    return {"symbol": symbol, "time": when(last) if last else None, "bars": row["market"]["count"], **reading}


def regime(view: View, symbol: str) -> Answer:
    """Of one symbol, or of all: confirmed, as last seen, how many bars in a row, and since how many bars confirmed."""
    wanted = [view.slot(symbol)] if symbol else range(len(view.symbols))
    rows = _kernel(view)
    return {"regimes": [_regime(view.symbols[slot], rows[slot]) for slot in wanted]}


def _regime(symbol: str, row: dict[str, Any]) -> Answer:
    r, v = row["regime"], row["reading"]
    ratio = v["atr"] / v["atr_mean"] if v["atr"] and v["atr_mean"] else None
    return {
        "symbol": symbol,
        "regime": REGIMES[r["now"]],
        "seen": REGIMES[r["seen"]],
        "streak": r["streak"],
        "held": r["held"],
        "adx": None if v["adx"] is None else round(v["adx"], 2),
        "r2": None if v["r2"] is None else round(v["r2"], 4),
        "volatility": VOLATILITIES[r["volatility"]],
        "atr_over_mean": None if ratio is None else round(ratio, 3),
    }


def signals(view: View, symbol: str, n: int) -> Answer:
    """The newest n decisions that sought something, newest first; what the gate or the venue refused is `refused`."""
    where, values = "", [*SOUGHT]
    if symbol:
        where, values = "AND slot = ?", [*SOUGHT, view.slot(symbol)]
    order = "ts" if symbol else "n"
    sql = f"SELECT body, judged FROM decisions WHERE action IN (?, ?, ?) {where} ORDER BY {order} DESC LIMIT ?"
    return {"signals": [_decision(view, *row) for row in view.db.execute(sql, (*values, n)).fetchall()]}


def _decision(view: View, body: bytes, judged: bytes | None) -> Answer:
    d = journal.read(journal.Decided, body)
    j = journal.read(journal.Judged, judged) if judged else None
    venue = view.refusal(d.slot, d.ts) if d.action == codes.ENTER else ""
    refused = bool(venue) or (j is not None and j.gate != codes.OPEN)
    symbol = view.symbols[d.slot]
    return {
        "time": when(d.ts),
        "symbol": symbol,
        "action": OUTCOMES[codes.REFUSED if refused else d.action],
        "mode": MODES[d.mode],
        "why": sentence(symbol, d, j, venue),
        "reasons": reasons(d.checks),
    }


def why(view: View, symbol: str, time: str) -> Answer:
    """The decision of a seal; without a time, the last in which something was sought."""
    slot = view.slot(symbol)
    where, values = "", [slot]
    if time:
        where, values = "AND ts = ?", [slot, _time(view, time)]
    sql = f"SELECT body, judged FROM decisions WHERE slot = ? {where} ORDER BY ts DESC LIMIT 1"
    row = view.db.execute(sql, values).fetchone()
    if row is None:
        return _held(view, symbol, slot, values[-1] if time else None)
    decision = _decision(view, *row)
    return {key: decision[key] for key in ("symbol", "time", "why", "reasons")}


def _held(view: View, symbol: str, slot: int, ts: int | None) -> Answer:
    if ts is None:
        return {"symbol": symbol, "time": None, "why": f"{symbol}: nothing has been sought yet."}
    at = when(Nanos(ts))
    for bar in _seal(view, ts):
        if bar.slot == slot:
            undecided = UNDECIDED.get(Quality(bar.quality))
            told: Answer = {"symbol": symbol, "time": at, "why": f"{symbol} {at}: {undecided or ACTIONS[bar.code]}."}
            return told if undecided or bar.code != codes.HOLD else {**told, "seal": ts}
    raise NotFound(f"no bar of {symbol} was sealed at {at}")


def _seal(view: View, ts: int) -> tuple[journal.BarRow, ...]:
    """The bars of one seal; every seal has its equity, so that most wrong times need no search."""
    if view.db.execute("SELECT 1 FROM equity WHERE ts = ?", (ts,)).fetchone() is None:
        return ()
    sql = f"SELECT body FROM journal WHERE {SEALED} AND kind = 'seal' AND ts = ?"
    row = view.db.execute(sql, (ts,)).fetchone()
    return journal.read(journal.Seal, row[0]).bars if row else ()


def _time(view: View, text: str) -> int:
    """`HH:MM[:SS]` of the last day, or `YYYY-MM-DD[ T]HH:MM[:SS]`, New York; the seal, which is the bar's end."""
    if len(text) <= 8:
        day = datetime.fromtimestamp((view.sealed() or 0) // 10**9, NEW_YORK).date()
        text = f"{day} {text}"
    try:
        time = datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)
        if 1970 < time.year < 2200:
            return int(time.timestamp()) * 10**9
    except (ValueError, OverflowError):
        pass
    raise NotFound(f"{text!r} is no time: give HH:MM or YYYY-MM-DD HH:MM, New York")


def _bars(view: View, slot: int) -> Iterator[tuple[Nanos, journal.BarRow, str | None]]:
    """Newest first: the seal's time, the bar, and what was decided at it, None where nothing could be."""
    sql = f"SELECT body FROM journal WHERE {SEALED} ORDER BY seq DESC LIMIT ?"
    for (body,) in view.db.execute(sql, (REACH,)):
        row = journal.decode(body)
        if isinstance(row, journal.Seal | journal.Past):
            live = isinstance(row, journal.Seal)
            for bar in row.bars:
                if bar.slot == slot:
                    yield row.ts, bar, OUTCOMES[bar.code] if live and bar.quality == Quality.FULL else None


def _kernel(view: View) -> list[dict[str, dict[str, Any]]]:
    blob = view.state("kernel")
    if blob is None:
        raise NotFound("no bar has been sealed yet")
    from fluxhero.store import records

    return records.kernel(blob, len(view.symbols))
