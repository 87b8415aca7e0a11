"""The daily risk report of a state: what is at stake at the last closes. USD; times in New York."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from fluxhero.core import exposure, journal
from fluxhero.core.calendar import Session, nyse
from fluxhero.core.explain import GATE_NAMES, when
from fluxhero.core.exposure import Account, Bounds
from fluxhero.core.stakes import Line
from fluxhero.kernel import codes
from fluxhero.messages import Micros, Nanos, Shares, Side
from fluxhero.store.schema import CHASED
from fluxhero.store.sqlite import StoreError
from fluxhero.store.stakes import ratio, told
from fluxhero.store.view import OPEN, OPENING, STANDS, Answer, View

SESSIONS = 60  # whose equity is shown, where no number is given
POINTS = 240  # of its curve


def report(view: View, n: int = SESSIONS) -> Answer:
    """`n`: the newest sessions, whose equity comes with it. Raises StoreError where nothing has begun."""
    made, session = _standing(view)
    return {**made, "points": _points(view, session, n)}


def _standing(view: View) -> tuple[Answer, Session | None]:
    """All of the report but the curve, and the session that it is of."""
    account, session = _account(view)
    lines = [*_positions(view), *_entries(view)]
    since = session.open if session else Nanos(0)
    made = exposure.report(account, lines, _bounds(view), _matrix(view, lines), _trips(view, since))
    answer = {
        "market_time": view.time(),
        "session": session.date.isoformat() if session else None,
        "rung": view.rung().name,
        "trips": [view.named(row) for row in view.trips()],
        **told(made, view.symbols),
        "refusals": _refusals(view, since),
    }
    return answer, session


def exposed(view: View) -> Answer:
    """What is held and sought, and what it may cost."""
    made, _ = _standing(view)
    return _part(
        made, "market_time", "equity", "deployed", "net", "entering", "risk_deployed", "loss_if_stopped",
        "loss_if_gapped", "without_stop", "largest_symbol", "largest", "positions", "entries",
    )  # fmt: skip


def watched(view: View) -> Answer:
    """How the account stands against its limits."""
    (made, _), paused = _standing(view), view.db.execute("SELECT slot FROM pauses ORDER BY slot")
    return {
        **_part(made, "market_time", "rung", "trips", "day_result", "drawdown"),
        "paused": [view.symbols[slot] for (slot,) in paused],
        **_part(made, "limits", "breaches", "refusals"),
    }


def _part(answer: Answer, *names: str) -> Answer:
    return {k: v for k, v in answer.items() if k.removesuffix("_ratio") in names or k in names}


# -- what the state says


def _account(view: View) -> tuple[Account, Session | None]:
    """As the watch left it, at the last closes, and the session that its day is of."""
    equity, cash = view.account()
    blob = view.state("account")
    if blob is None:
        worth = Micros(equity)
        return Account(equity=worth, cash=Micros(cash), day_base=worth, peak=worth, crest=worth), None
    from fluxhero.store import records

    a = records.account(blob)
    highs = {name: Micros(max(int(a[name]), equity)) for name in ("peak", "crest")}
    index = int(a["session"])
    account = Account(equity=Micros(equity), cash=Micros(cash), day_base=Micros(int(a["day_base"])), **highs)
    return account, nyse().sessions[index] if index >= 0 else None


def _positions(view: View) -> Iterator[Line]:
    """What has no close yet is worth what was paid for it."""
    stops = f"SELECT slot, stop, qty - filled FROM orders WHERE {STANDS} AND role = 'stop' ORDER BY n"
    resting = {slot: (stop, left) for slot, stop, left in view.db.execute(stops)}
    sql = f"SELECT slot, qty, {OPENING}, close FROM positions LEFT JOIN marks USING (slot) ORDER BY slot"
    for slot, qty, worth, shares, close in view.db.execute(sql):
        mark = Micros(close or worth // shares)
        stop, left = resting.get(slot, (0, 0))
        yield Line(slot=slot, qty=Shares(qty), mark=mark, worst=mark, stop=Micros(stop), guarded=Shares(left))


def _entries(view: View) -> Iterator[Line]:
    """Those whose end is not proven, at the worst price that they may come to, or be sent anew at."""
    sql = f"SELECT qty - filled, state, body FROM orders WHERE role = 'entry' AND ({OPEN} OR {CHASED}) ORDER BY n"
    for left, state, body in view.db.execute(sql):
        o = journal.read(journal.Intent, body).order
        prices = [Micros(p) for p in (o.mark, o.limit, o.cap) if p]
        worst = (max if o.side is Side.BUY else min)(prices, default=Micros(0))
        yield Line(
            slot=o.slot, qty=Shares(o.side * left), mark=o.mark or worst, worst=worst, stop=o.stop,
            guarded=Shares(left), state="chased" if state == "canceled" else state,
        )  # fmt: skip


def _bounds(view: View) -> Bounds:
    row = view.db.execute("SELECT body FROM journal WHERE kind = 'settings' ORDER BY seq DESC LIMIT 1").fetchone()
    if row is None:
        raise StoreError(f"{view.path} knows no limits yet: nothing has begun")
    from fluxhero.store import pairs

    return pairs.bounds(journal.read(journal.Settings, row[0]).params)


def _matrix(view: View, lines: Iterable[Line]) -> list[list[float]]:
    from fluxhero.store import pairs

    return pairs.correlations(view.state("tapes"), len(view.symbols), (x.slot for x in lines))


def _trips(view: View, since: Nanos) -> Iterator[exposure.Tripped]:
    sql = "SELECT trip, slot, ts, value, bound, released FROM trips WHERE released IS NULL OR ts >= ? ORDER BY n"
    for trip, slot, ts, value, bound, released in view.db.execute(sql, (since,)):
        name = f"{trip} {view.symbols[slot]}" if slot >= 0 else trip
        yield exposure.Tripped(trip=name, ts=ts, value=value, limit=bound, released=released)


def _refusals(view: View, since: Nanos) -> list[Answer]:
    """Entries that were sought and refused since then, by gate, the most frequent first."""
    count: Counter[str] = Counter()
    last: dict[str, Nanos] = {}
    for ts, body, judged in view.db.execute("SELECT ts, body, judged FROM decisions ORDER BY n DESC"):
        if ts < since:
            break
        gate = _gate(body, judged)
        if gate != codes.OPEN:
            count[GATE_NAMES[gate]] += 1
            last.setdefault(GATE_NAMES[gate], ts)
    return [{"gate": gate, "count": n, "last": when(last[gate])} for gate, n in count.most_common()]


def _gate(body: bytes, judged: bytes | None) -> int:
    """What refused an entry; exits are not counted."""
    if judged is None:
        return journal.read(journal.Decided, body).gate
    j = journal.read(journal.Judged, judged)
    return j.gate if j.entry else codes.OPEN


def _points(view: View, session: Session | None, n: int) -> list[Answer]:
    """Equity in the newest n sessions, evenly spaced, and how far it was under its highest so far."""
    (first,) = view.db.execute("SELECT min(ts) FROM equity").fetchone()
    if session is None or first is None:
        return []
    sessions = [s for s in nyse().sessions[max(0, session.index + 1 - n) : session.index + 1] if s.close >= first]
    sql = "SELECT coalesce(max(equity), 0) FROM equity WHERE ts < ?"
    (high,) = view.db.execute(sql, (sessions[0].open,)).fetchone()
    points = []
    for ts, equity in _probed(view, sessions):
        high = max(high, equity)
        points.append({"time": when(ts), "equity": equity / 1e6, "drawdown_ratio": ratio(high - equity, high)})
    return points


def _probed(view: View, sessions: Sequence[Session]) -> Iterator[tuple[Nanos, int]]:
    """The last seal before each of evenly spaced times, each once."""
    each, before = max(1, POINTS // len(sessions)), None
    sql = "SELECT ts, equity FROM equity WHERE ts <= ? ORDER BY ts DESC LIMIT 1"
    for s in sessions:
        for i in range(1, each + 1):
            found = view.db.execute(sql, (s.open + (s.close - s.open) * i // each,)).fetchone()
            if found and found != before:
                before = found
                yield found
