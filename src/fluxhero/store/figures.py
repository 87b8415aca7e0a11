"""What a state says of money: the account, what is held and ordered, what came of it. USD; times in New York."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from fluxhero.core import journal
from fluxhero.core.explain import MODES, NEW_YORK, when
from fluxhero.core.ladder import RULES, Trip, remedy
from fluxhero.messages import Nanos
from fluxhero.store.view import OPEN, OPENING, Answer, View

PERIODS = {"day": 1, "week": 7, "month": 31, "all": None}  # in days, the newest one included
POINTS = 500  # of an equity curve
PROBES = 5 * POINTS  # closed hours take no points, though probes


def status(view: View) -> Answer:
    db = view.db
    equity, cash = view.account()
    rows, head = view.head()
    opened = view.opened()
    return {
        "market_time": view.time(),
        "symbols": view.symbols,
        "model": opened.model if opened else None,
        "equity": equity / 1e6,
        "cash": cash / 1e6,
        "rung": view.rung().name,
        "trips": [view.named(row) for row in view.trips()],
        "positions": db.execute("SELECT count(*) FROM positions").fetchone()[0],
        "orders": db.execute("SELECT count(*) FROM orders").fetchone()[0],
        "fills": db.execute("SELECT count(*) FROM fills").fetchone()[0],
        "journal_rows": rows,
        "journal_hash": head,
    }


def positions(view: View) -> Answer:
    stops = view.stops()
    sql = f"SELECT slot, qty, opened, {OPENING}, close FROM positions LEFT JOIN marks USING (slot) ORDER BY slot"
    return {
        "positions": [
            {
                "symbol": view.symbols[slot], "qty": qty, "since": when(Nanos(opened)),
                "average": round(worth / shares / 1e6, 6), "mark": mark / 1e6 if mark else None,
                "stop": stops[slot] / 1e6 if slot in stops else None,
                "value": qty * mark / 1e6 if mark else None,
                "result": round(qty * (mark - worth / shares) / 1e6, 6) if mark else None,
            }
            for slot, qty, opened, worth, shares, mark in view.db.execute(sql)
        ]
    }  # fmt: skip


def orders(view: View, every: bool, n: int) -> Answer:
    """The open ones, oldest first, or the newest n of all."""
    where = "ORDER BY n DESC LIMIT ?" if every else f"WHERE {OPEN} ORDER BY n LIMIT ?"
    sql = f"SELECT cid, slot, role, side, type, qty, stop, state, filled, ts, reason, body FROM orders {where}"
    return {
        "orders": [
            {
                "cid": cid, "symbol": view.symbols[slot], "role": role, "side": "buy" if side > 0 else "sell",
                "type": kind, "qty": qty, "limit": _limit(body),
                "stop": stop / 1e6 if kind == "stop" else None, "state": state, "filled": filled,
                "time": when(Nanos(ts)), "reason": reason,
            }
            for cid, slot, role, side, kind, qty, stop, state, filled, ts, reason, body in view.db.execute(sql, (n,))
        ]
    }  # fmt: skip


def _limit(body: bytes) -> float | None:
    limit = journal.read(journal.Intent, body).order.limit
    return limit / 1e6 if limit else None


def trips(view: View, every: bool, n: int) -> Answer:
    """Those that are held, oldest first, or the newest n of all."""
    where = "ORDER BY n DESC LIMIT ?" if every else "WHERE released IS NULL ORDER BY n LIMIT ?"
    sql = f'SELECT trip, slot, ts, cause, value, bound, released, "by", reason FROM trips {where}'
    return {
        "trips": [
            {
                "trip": trip, "of": view.symbols[slot] if slot >= 0 else "account", "rung": RULES[Trip(trip)].rung.name,
                "since": when(Nanos(ts)), "cause": cause, "value": value, "limit": limit,
                "released": when(Nanos(released)) if released else None, "by": by, "reason": reason,
                "ends": "" if released else remedy(Trip(trip), view.symbols[slot] if slot >= 0 else ""),
            }
            for trip, slot, ts, cause, value, limit, released, by, reason in view.db.execute(sql, (n,))
        ]
    }  # fmt: skip


def drifts(view: View) -> Answer:
    """What the broker has otherwise than we, and no order explains."""
    rows = [journal.read(journal.Drift, body) for (body,) in view.db.execute("SELECT body FROM drifts ORDER BY key")]
    return {
        "drifts": [
            {
                "symbol": view.symbols[row.slot] if row.slot >= 0 else row.name, "what": row.what, "order": row.name,
                "kind": row.kind, "ours": _said(row.what, row.ours), "theirs": _said(row.what, row.theirs),
                "ignored": row.ignored, "since": when(row.ts),
            }
            for row in rows
        ]
    }  # fmt: skip


def _said(what: str, value: int | str) -> float | int | str:
    return int(value) / 1e6 if what == "cash" else value


def account(view: View) -> Answer:
    """Ratios are of equity, but a day's result is of the day's base and a drawdown of the peak."""
    equity, cash = view.account()
    base, peak = _watched(view, equity)
    deployed = view.deployed()
    count, won, result = view.db.execute("SELECT count(*), sum(result > 0), sum(result) FROM trades").fetchone()
    risk, bare = _at_stake(view)
    return {
        "market_time": view.time(),
        "equity": equity / 1e6,
        "cash": cash / 1e6,
        "day_base": base / 1e6,
        "day_result": (equity - base) / 1e6,
        "day_result_ratio": _ratio(equity - base, base),
        "peak": peak / 1e6,
        "drawdown_ratio": _ratio(peak - equity, peak),
        "deployed": deployed / 1e6,
        "deployed_ratio": _ratio(deployed, equity),
        "positions": view.db.execute("SELECT count(*) FROM positions").fetchone()[0],
        "open_risk": risk / 1e6,
        "open_risk_ratio": _ratio(risk, equity),
        "without_stop": bare,
        "trades": count,
        "won": won or 0,
        "result": (result or 0) / 1e6,
        "fees": fees(view) / 1e6,
    }


def trades(view: View, n: int) -> Answer:
    """The newest n round trips, newest first; entry and exit are averages a share, the result is after fees.

    The quantity of a short is less than 0.
    """
    sql = "SELECT slot, mode, qty, opened, closed, entry, exit, fees, result FROM trades ORDER BY n DESC LIMIT ?"
    return {
        "trades": [
            {
                "symbol": view.symbols[slot], "mode": MODES[mode], "qty": qty, "opened": when(Nanos(opened)),
                "closed": when(Nanos(closed)), "entry": entry / 1e6, "exit": left / 1e6, "fees": fees / 1e6,
                "result": result / 1e6,
            }
            for slot, mode, qty, opened, closed, entry, left, fees, result in view.db.execute(sql, (n,))
        ]
    }  # fmt: skip


def equity(view: View, period: str) -> Answer:
    """The curve of the newest `period`, oldest first, in at most 500 points; least and most are of all seals."""
    first = _since(view, PERIODS[period])
    sql = "SELECT count(*), min(equity), max(equity) FROM equity WHERE ts >= ?"
    count, least, most = view.db.execute(sql, (first,)).fetchone()
    points = _thinned(_probed(view, first) if count > PROBES else _curve(view, first))
    begins, ends = (points[0][1], points[-1][1]) if points else (None, None)
    return {
        "period": period,
        "points": [{"time": when(Nanos(ts)), "equity": e / 1e6, "cash": c / 1e6} for ts, e, c in points],
        **{
            name: None if value is None else value / 1e6
            for name, value in (("first", begins), ("last", ends), ("min", least), ("max", most))
        },
        "change_ratio": _ratio(ends - begins, begins) if begins and ends else None,
    }


Point = tuple[int, int, int]  # ts, equity, cash


def _since(view: View, days: int | None) -> int:
    """The New York midnight with which the newest `days` begin."""
    last = view.sealed()
    if last is None or days is None:
        return 0
    day = datetime.fromtimestamp(last // 10**9, NEW_YORK).date() - timedelta(days - 1)
    return int(datetime.combine(day, time(), NEW_YORK).timestamp()) * 10**9


def _curve(view: View, first: int) -> list[Point]:
    return view.db.execute("SELECT ts, equity, cash FROM equity WHERE ts >= ? ORDER BY ts", (first,)).fetchall()


def _probed(view: View, first: int) -> list[Point]:
    """The last seal before each of many evenly spaced times: a long history takes no longer than a short one."""
    begins, ends = view.db.execute("SELECT min(ts), max(ts) FROM equity WHERE ts >= ?", (first,)).fetchone()
    sql = "SELECT ts, equity, cash FROM equity WHERE ts <= ? ORDER BY ts DESC LIMIT 1"
    times = (begins + (ends - begins) * i // PROBES for i in range(PROBES + 1))
    return list(dict.fromkeys(view.db.execute(sql, (ts,)).fetchone() for ts in times))


def _thinned(points: list[Point]) -> list[Point]:
    """The first, and the last of each of 499 equal parts of the rest."""
    rest = len(points) - 1
    if rest < POINTS:
        return points
    return [points[i * rest // (POINTS - 1)] for i in range(POINTS)]


def _watched(view: View, equity: int) -> tuple[int, int]:
    """The day's base and the peak, as the watch left them; micro-dollars."""
    blob = view.state("account")
    if blob is None:
        return equity, equity
    from fluxhero.store import records

    account = records.account(blob)
    return int(account["day_base"]), max(int(account["peak"]), equity)


def _at_stake(view: View) -> tuple[int, int]:
    """What is lost, in micro-dollars from the last closes, if every stop is hit; and the positions without one."""
    stops = view.stops()
    held = view.db.execute("SELECT slot, qty, close FROM positions JOIN marks USING (slot)").fetchall()
    risk = sum(qty * (mark - stops[slot]) for slot, qty, mark in held if slot in stops)
    return risk, sum(slot not in stops for slot, _, _ in held)


def fees(view: View) -> int:
    """Every fill and every charge belongs to a round trip, closed or open."""
    sql = "SELECT (SELECT coalesce(sum(fees), 0) FROM trades) + (SELECT coalesce(sum(fees), 0) FROM positions)"
    fees: int = view.db.execute(sql).fetchone()[0]
    return fees


def _ratio(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
