"""An account as a result: what it has really done, live or in a replay, in the form that a backtest has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fluxhero.core import journal
from fluxhero.core.calendar import Calendar
from fluxhero.feeds.files import Timeframe
from fluxhero.kernel.plug import Strategy, find
from fluxhero.lab.arguments import Empty
from fluxhero.lab.engine import bought
from fluxhero.lab.history import History, aligned
from fluxhero.lab.recorded import Recorded, Scribe
from fluxhero.lab.result import Result, Setup
from fluxhero.messages import MINUTE, Nanos, Quality, micros
from fluxhero.section import ConfigError, describe

Told = tuple[Result, list[str]]


def account(rows: Iterable[journal.Row], digest: str, calendar: Calendar, own: Strategy | None = None) -> Told:
    """And what is to be said of it. Money that came or went otherwise than by trading is left out of its equity.

    rows: a whole journal, whose `digest` is its head's; own: a strategy that does not ship, for the names of its
    parameters. Raises Empty.
    """
    told = Witness()
    for row in rows:
        told.take(row)
    r = told.scribe.told()
    if told.opened is None or not told.settings or not len(r.ends):
        raise Empty("it has no bars yet; let its daemon run until the first is over")
    past, t = _past(told.opened, r, calendar, digest), r.tables
    if not len(past.closes):
        raise Empty("it has no bars of a regular session yet; let its daemon run into one")
    result = Result(
        setup=_setup(told.opened, told.settings[-1], past, own), ts=r.ends,
        equity=r.equity - np.array(told.flows, np.int64), deployed=np.array(told.deployed, np.int64),
        closes=past.closes, benchmark=bought(past, told.opened.cash / 1e6), bars=r.bars, rounds=t["rounds"],
        fills=t["fills"], levels=t["levels"], decisions=t["decided"], charges=t["charges"], sent=t["sent"],
        trips=t["trips"],
    )  # fmt: skip
    return result, _remarks(told)


class Witness:
    """What no table has: what was at stake at each seal, and what came or went until then."""

    def __init__(self) -> None:
        self.scribe = Scribe(0)
        self.opened: journal.Opened | None = None
        self.settings: list[journal.Settings] = []
        self.deployed, self.flows = list[int](), list[int]()
        self.flow = 0
        self.held, self._close = dict[int, int](), dict[int, int]()

    def take(self, r: journal.Row) -> None:
        if isinstance(r, journal.Opened):
            self.opened, self.scribe = r, Scribe(len(r.symbols))
        self.scribe.take(r)
        match r:
            case journal.Settings():
                self.settings.append(r)
            case journal.Filled():
                self.held[r.slot] = self.held.get(r.slot, 0) + r.side * r.qty
            case journal.Adopted():
                self._adopted(r)
            case journal.Seal():
                self._seal(r)

    def _adopted(self, r: journal.Adopted) -> None:
        self.flow += r.flow
        if r.slot >= 0:
            self.held[r.slot], self._close[r.slot] = r.qty, r.price

    def _seal(self, r: journal.Seal) -> None:
        self._close |= {b.slot: micros(b.close) for b in r.bars if b.quality == Quality.FULL}
        self.deployed.append(sum(abs(qty) * self._close.get(slot, 0) for slot, qty in self.held.items()))
        self.flows.append(self.flow)


def _past(opened: journal.Opened, r: Recorded, calendar: Calendar, digest: str) -> History:
    timeframe = Timeframe(opened.identity.get("timeframe", "1m"))
    span, market = Nanos(timeframe.minutes * MINUTE), aligned(r.bars, r.ends, calendar)
    return History(opened.symbols, timeframe.value, span, False, market, digest)


def _setup(opened: journal.Opened, settings: journal.Settings, past: History, own: Strategy | None) -> Setup:
    return Setup(
        strategy=settings.strategy, params=_params(settings, own), symbols=past.symbols, timeframe=past.timeframe,
        sizing="risk", costs="spec", risk=True, cash=opened.cash, data=past.digest,
        source="replay" if "timeframe" in opened.identity else "live",
    )  # fmt: skip


def _params(s: journal.Settings, own: Strategy | None) -> dict[str, Any]:
    """By name, as the file has them; nothing of a strategy that is not known, or was another then."""
    try:
        strategy = own if own and own.name == s.strategy else find(s.strategy)
    except ConfigError:
        return {}
    if len(s.params) != strategy.params.itemsize:
        return {}
    values = np.frombuffer(s.params, strategy.params)["own"][0]
    return {k.name: _plain(k.texts, k.default, values[k.name].item()) for k in describe(strategy.Params, "")}


def _plain(texts: tuple[str, ...], default: Any, value: float) -> Any:
    return texts[int(value)] if texts else bool(value) if isinstance(default, bool) else value


def _remarks(w: Witness) -> list[str]:
    changed = len({s.params for s in w.settings}) - 1
    return [
        *([f"Its settings changed {changed} times; the parameters are the newest."] if changed > 0 else []),
        *([f"{w.flow / 1e6:+,.2f} USD came or went otherwise than by trading, and are left out."] if w.flow else []),
    ]
