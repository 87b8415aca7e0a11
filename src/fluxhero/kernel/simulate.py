"""The whole backtest in one compiled loop: venue, book, watch, think, gate, size, place, one bar time after another.

The actors call entries that are cut from the same steps at the same seams, so that both agree to the last bit.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from fluxhero.kernel.codes import DAY_LOSS, DRAWDOWN, ENTER, EXIT, FULL
from fluxhero.kernel.compile import bind, entry, rare, step
from fluxhero.kernel.correlation import push
from fluxhero.kernel.places import PLACE, ROOM, desk, engaged, met
from fluxhero.kernel.plug import Strategy
from fluxhero.kernel.risk import roll, watch
from fluxhero.kernel.state import TAPE, Array, Rec, row
from fluxhero.kernel.think import build
from fluxhero.kernel.trading import BY_RISK, Symbols, Terms, acted, move, reserve, sought


class Market(NamedTuple):
    """What it runs on: T bar times, S symbols."""

    bars: Array  # BAR (T, S)
    ends: Array  # (T,) UTC ns
    sessions: Array  # (T,) index in the calendar, -1 outside of all
    months: Array  # (T,) year x 12 + month of the session
    nexts: Array  # (T,) index of the first session that is not over at the end


class Track(NamedTuple):
    """The account after every bar time, micro-dollars, each of shape (T,)."""

    equity: Array
    cash: Array
    deployed: Array


def think_one(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> bool:
    """The strategy's own; `bind` puts it here."""
    return False


@rare
def tripped(k: Rec, bits: int, ts: int) -> None:
    """What the watch has found, as rows."""
    a, rules, purse = k.account, k.params.rules, k.purse
    for bit in (DAY_LOSS, DRAWDOWN):
        if bits & bit != 0:
            base, bound = (a.day_base, rules.day_loss) if bit == DAY_LOSS else (a.crest, rules.hard_drawdown)
            o = k.log.trips[purse.trips]
            o.ts, o.trip, o.equity, o.released, o.bound = ts, bit, a.equity, 0, bound
            o.value = (base - a.equity) / base if base > 0 else math.inf
            purse.trips += 1


@rare
def released(k: Rec, ts: int) -> None:
    """The scripted operator lets go of yesterday's loss."""
    k.account.trips &= ~DAY_LOSS
    k.account.strikes = 0
    for j in range(k.purse.trips):
        o = k.log.trips[j]
        o.released = ts if (o.trip == DAY_LOSS) & (o.released == 0) else o.released


@rare
def begun(k: Rec, session: int, ts: int, release: bool) -> None:
    """The first bar time of a session."""
    a = k.account
    roll(a, session, a.equity)
    if (a.trips & DAY_LOSS != 0) & release:
        released(k, ts)


@rare
def owing(places: Array, sessions: int) -> int:
    """The most charges that so many sessions make."""
    shorts = 0
    for i in range(places.size):
        shorts += places[i].qty < 0
    return shorts * sessions


@step
def roomy(n: Rec, rows: int, charges: int) -> bool:
    """May every table take what one more bar time may write?"""
    return bool(
        (n.fills < rows) & (n.rounds < rows) & (n.levels < rows) & (n.decided < rows) & (n.sent < rows)
        & (n.trips < ROOM - 2) & (n.charges + charges < ROOM)
    )  # fmt: skip


def simulate(k: Array, of: Symbols, m: Market, track: Track, terms: Terms, busy: Array, start: int) -> int:
    """From bar time `start` on; where it stopped, for a table was full, or at the end.

    k: the desk, shape (1,).
    """
    rows, places, tapes, live = of.rows, of.places, of.tapes, of.live
    bars, ends, sessions, months, nexts = m.bars, m.ends, m.sessions, m.months, m.nexts
    equities, cashes, used = track.equity, track.cash, track.deployed
    desk, by_risk, release = k[0], terms.sizing == BY_RISK, terms.release
    p, a, purse, full = desk.params, desk.account, desk.purse, ROOM - 3 * rows.size
    verbose, calm = desk.verbose != 0, False
    for t in range(start, bars.shape[0]):
        ts, session, worth, deployed = ends[t], sessions[t], 0, 0
        if (not calm) and not roomy(purse, full, owing(places, session - a.session) if session > a.session >= 0 else 0):
            return t
        calm = True
        for i in range(rows.size):
            if live[i] != 0:
                place = places[i]
                met(desk, rows[i], place, bars[t, i], i, session, ts, t)
                worth += place.qty * place.close
                deployed += abs(place.qty) * place.close
                live[i], calm = engaged(place), False
        equity = purse.cash + worth
        equities[t], cashes[t], used[t] = equity, purse.cash, deployed
        if (session >= 0) & ((equity != a.equity) | (session != a.session) | (a.strikes != 0)):
            if session != a.session:
                begun(desk, session, ts, release)
            if by_risk:
                bits = watch(a, equity, session, months[t], ts, p.rules)
                if bits != 0:
                    tripped(desk, bits, ts)
            else:
                a.equity = a.last = equity
        n = 0
        for i in range(rows.size):
            if bars[t, i].quality == FULL:
                push(tapes[i], bars[t, i])
                if think_one(rows[i], bars[t, i], p, a.trail):
                    busy[n] = i
                    n += 1
        if (n > 0) | (a.trips != 0):
            calm = False
            flatten, acts = (a.trips != 0) & (session >= 0), a.trips != 0
            for j in range(n):
                action = rows[busy[j]].decision.action
                acts |= (action == ENTER) | (action == EXIT) | (verbose & sought(action))
            if acts:
                acted(desk, of, ts, nexts[t], busy, n, flatten, terms)
            for j in range(n if by_risk & (not flatten) else 0):
                if rows[busy[j]].decision.raised != 0:
                    move(desk, rows[busy[j]], places[busy[j]], busy[j], ts)
    reserve(desk, of)
    return int(bars.shape[0])


@cache
def simulator(strategy: Strategy) -> Callable[..., int]:
    """`simulate`, for one strategy."""
    return bind(simulate, strategy.bound, entry, think_one=build(strategy).one)


def opened(strategy: Strategy, symbols: int, account: Array, params: Array, cash: int) -> tuple[Array, Symbols]:
    """The desk and its symbols, of an account that has seen nothing."""
    k = np.empty(1, desk(strategy.params))  # of the log, rows are whole once they are written; the rest costs time
    k["account"], k["params"], k["purse"], k["verbose"], k["days"] = account, params, 0, 0, 0
    k["purse"]["cash"] = cash
    rows, places = np.zeros(symbols, row(strategy.own)), np.zeros(symbols, PLACE)
    return k, Symbols(rows, places, np.zeros(symbols, TAPE), *np.zeros((2, symbols), np.int64))
