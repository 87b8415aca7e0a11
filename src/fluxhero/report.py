"""What a replay came to: numbers from the store alone, the same however often it was interrupted."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fluxhero.core import journal
from fluxhero.core.explain import GATE_NAMES, MODES, when
from fluxhero.feeds.recording import Recording
from fluxhero.kernel import codes
from fluxhero.messages import Nanos, Quality, Side
from fluxhero.store.figures import fees
from fluxhero.store.parquet import seals
from fluxhero.store.queries import Reader

Summary = dict[str, Any]


def summary(reader: Reader, recording: Recording, finished: bool) -> Summary:
    """Market facts alone: nothing of the host, the paths or the number of restarts."""
    db, symbols = reader.db, reader.symbols
    bars, suspect = _bars(reader)
    decisions, modes, gates = _decisions(reader)
    first, last = db.execute("SELECT min(ts), max(ts) FROM equity").fetchone()
    equity, cash = reader.account()
    rows, head = reader.head()
    opened = reader.opened()
    return {
        "finished": finished,
        "symbols": symbols,
        "left_out": recording.left_out,
        "model": recording.model.value,
        "timeframe": recording.timeframe.value,
        "strategy": opened.identity["strategy"] if opened else None,
        "first": when(Nanos(first)) if first else None,
        "last": when(Nanos(last)) if last else None,
        "events": len(recording.tape),
        "refused_rows": recording.refused,
        "bars": {symbols[slot]: dict(sorted(count.items())) for slot, count in sorted(bars.items())},
        "suspect": [symbols[slot] for slot in sorted(suspect)],
        "decisions": dict(decisions),
        "entries": dict(modes.most_common()),
        "refusals": dict(gates.most_common()),
        "orders": dict(db.execute("SELECT role, count(*) FROM orders GROUP BY role ORDER BY role")),
        "stop_moves": db.execute("SELECT count(*) FROM orders WHERE state = 'replaced'").fetchone()[0],
        "fills": db.execute("SELECT count(*) FROM fills").fetchone()[0],
        "trades": _trades(reader),
        "fees": fees(reader) / 1e6,
        "cash": cash / 1e6,
        "equity": equity / 1e6,
        "positions": {symbols[slot]: qty for slot, qty in db.execute("SELECT slot, qty FROM positions ORDER BY slot")},
        "trips": [
            {"trip": trip, "at": when(Nanos(ts)), "released": when(Nanos(released)) if released else None}
            for trip, ts, released in db.execute("SELECT trip, ts, released FROM trips ORDER BY n")
        ],
        "journal_rows": rows,
        "journal_hash": head,
    }


def text(s: Summary, journal_bytes: int) -> str:
    """For a person."""
    t = s["trades"]
    lines = [
        f"{', '.join(s['symbols'])}: {s['strategy']} in the {s['model']} model, {s['first']} to {s['last']}",
        *(f"left out {symbol}: {why}" for symbol, why in s["left_out"].items()),
        *(f"refused rows of {symbol}: {_list(reasons)}" for symbol, reasons in s["refused_rows"].items()),
        *(f"suspect {symbol}: an overnight move looks like an undeclared split" for symbol in s["suspect"]),
        f"{s['events']:,} events, bars " + "; ".join(f"{k} {_list(v)}" for k, v in s["bars"].items()),
        f"decisions {_list(s['decisions'])}",
        f"entries by mode: {_list(s['entries'])}; refusals by gate: {_list(s['refusals'])}",
        f"orders {_list(s['orders'])}, {s['stop_moves']} stop moves, {s['fills']} fills, fees {s['fees']:,.2f} USD",
        f"round trips {t['count']}, won {t['won']}, result {t['result']:+,.2f} USD",
        *(f"trip {x['trip']} at {x['at']}, released {x['released'] or 'never'}" for x in s["trips"]),
        f"cash {s['cash']:,.2f}, equity {s['equity']:,.2f} USD, positions {_list(s['positions'])}",
        f"journal {s['journal_rows']:,} rows, {journal_bytes / 1e6:,.1f} MB, hash {s['journal_hash']}",
    ]
    return "\n".join(lines)


def _list(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.items()) or "none"


def _bars(reader: Reader) -> tuple[dict[int, Counter[str]], set[int]]:
    """Bars by symbol and quality, and the symbols that looked split."""
    bars: dict[int, Counter[str]] = {}
    suspect: set[int] = set()
    for seal in seals(reader):
        for b in seal.bars:
            bars.setdefault(b.slot, Counter())[Quality(b.quality).name.lower()] += 1
            if b.code == codes.SUSPECT:
                suspect.add(b.slot)
    return bars, suspect


def _decisions(reader: Reader) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Signals, refusals and flats as they were judged; the entries by mode; the refusals by gate."""
    count: Counter[str] = Counter(entries=0, exits=0, refusals=0, flat=0)
    modes: Counter[str] = Counter()
    gates: Counter[str] = Counter()
    names = {codes.ENTER: "entries", codes.EXIT: "exits", codes.FLAT: "flat"}
    for body, judged in reader.db.execute("SELECT body, judged FROM decisions ORDER BY n"):
        d = journal.read(journal.Decided, body)
        gate = journal.read(journal.Judged, judged).gate if judged else d.gate
        refused = gate != codes.OPEN
        count["refusals" if refused else names[d.action]] += 1
        if refused:
            gates[GATE_NAMES[gate]] += 1
        elif d.action == codes.ENTER:
            modes[("short " if d.side is Side.SELL else "") + MODES[d.mode]] += 1
    return count, modes, gates


def _trades(reader: Reader) -> dict[str, Any]:
    sql = "SELECT count(*), coalesce(sum(result > 0), 0), coalesce(sum(result), 0) FROM trades"
    count, won, result = reader.db.execute(sql).fetchone()
    return {"count": count, "won": won, "result": result / 1e6}
