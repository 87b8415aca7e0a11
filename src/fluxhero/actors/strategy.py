"""Thinks: one kernel call per bar time; journals the bars with what each came to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fluxhero.core import journal
from fluxhero.core.bars import written
from fluxhero.core.readings import checks, known, reading
from fluxhero.kernel import codes
from fluxhero.kernel.think import took
from fluxhero.kernel.trade import cap_at
from fluxhero.messages import (
    Array,
    Micros,
    Note,
    Raise,
    Sealed,
    Side,
    Signal,
    Signals,
    State,
    Traded,
    Watched,
    micros,
)
from fluxhero.runtime.channels import Inbox, Outbox

SOUGHT = (codes.ENTER, codes.EXIT, codes.REFUSED, codes.FLAT)


class Strategy:
    """The rows of all symbols, and what one bar time makes of them."""

    def __init__(self, rows: Array, params: Array, think: Callable[..., int], fills: int) -> None:
        """`fills`: how many the rows have seen."""
        self.rows, self.fills = rows, fills
        self._params, self._think = params, think
        self._busy = np.zeros(rows.size, np.int64)

    def traded(self, t: Traded) -> None:
        took(self.rows, t.slot, t.qty, t.price, t.mode, t.stop, t.wide)
        self.fills += t.counted

    def watched(self, w: Watched) -> tuple[Signals, list[journal.Row]]:
        sealed = w.sealed
        n = self._think(self.rows, sealed.bars, self._params, w.trail, self._busy)
        busy = self._busy[:n].tolist()
        decided = [row for slot in busy for row in self._decided(slot, sealed)]
        signals = Signals(
            sealed=sealed,
            signals=tuple(self._signal(row, sealed) for row in decided if row.action in (codes.ENTER, codes.EXIT)),
            raises=tuple(self._raise(slot) for slot in busy if self.rows["decision"]["raised"][slot]),
        )
        return signals, [self._seal(w), *decided]

    def state(self) -> State:
        return State(name="kernel", blob=self.rows.tobytes(), count=self.fills)

    def _seal(self, w: Watched) -> journal.Seal:
        bars = written(w.sealed.bars, self.rows["decision"]["action"].tolist())
        return journal.Seal(ts=w.sealed.ts, bars=bars, equity=w.equity, cash=w.cash)

    def _decided(self, slot: int, sealed: Sealed) -> list[journal.Decided]:
        row = self.rows[slot]
        action, side, mode, gate, stop, _, risk, scale, wide, _, _ = row["decision"].tolist()
        if action not in SOUGHT:
            return []
        sought = action != codes.FLAT
        decided = journal.Decided(
            ts=sealed.ts, slot=slot, action=action, side=Side(side or codes.LONG), mode=mode,
            regime=int(row["regime"]["now"]), gate=gate, stop=Micros(stop), risk=risk if sought else 0.0,
            scale=scale if sought else 0.0, wide=wide if sought else 1.0, reading=reading(row),
            checks=checks(row) if sought else (),
        )  # fmt: skip
        return [decided]

    def _raise(self, slot: int) -> Raise:
        row = self.rows[slot]
        return Raise(
            slot=slot, stop=Micros(int(row["decision"]["raised"])), volume=known(row["reading"]["volume_mean"]) or 0.0
        )

    def _signal(self, d: journal.Decided, sealed: Sealed) -> Signal:
        return Signal(
            slot=d.slot, entry=d.action == codes.ENTER, side=d.side, mode=d.mode, wide=d.wide,
            price=micros(float(sealed.bars["close"][d.slot])), cap=self._cap(d, sealed),
            stop=d.stop, risk=d.risk, scale=d.scale, volume=d.reading["volume_mean"] or 0.0,
        )  # fmt: skip

    def _cap(self, d: journal.Decided, sealed: Sealed) -> Micros:
        atr = float(self.rows["reading"]["atr"][d.slot])
        reach = float(self._params["rules"]["entry_reach"][0])
        return Micros(cap_at(float(sealed.bars["close"][d.slot]), atr, int(d.side), reach))


async def strategy(
    inbox: Inbox[Any], risk: Outbox[Any], recorder: Outbox[Any],
    mind: Strategy,
) -> None:  # fmt: skip
    async for m in inbox:
        match m:
            case Traded():
                mind.traded(m)
            case Watched():
                signals, rows = mind.watched(m)
                await recorder.send(Note(rows=tuple(rows), states=(mind.state(),)))
                risk.send_nowait(signals)
