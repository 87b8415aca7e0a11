"""The journal's rows as metrics and as lines for a person: what has become durable is counted, and told."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator, Sequence

import structlog
from prometheus_client import Counter

from fluxhero.core import journal as j
from fluxhero.core.explain import GATE_NAMES, MODES, OUTCOMES, sentence, when
from fluxhero.core.ladder import Trip
from fluxhero.kernel import codes
from fluxhero.messages import Cid, Nanos, Quality, Role, Says
from fluxhero.metrics import Metrics

log = structlog.get_logger()

REMEMBERED = 1000  # orders whose decision we still know


class Tally:
    """Counts rows."""

    def __init__(self, metrics: Metrics, symbols: Sequence[str]) -> None:
        self._m, self._symbols = metrics, symbols
        self._sent: dict[Cid, tuple[Nanos, int]] = {}  # when an order was decided, and an entry's decision close
        self._bars: dict[tuple[int, int], Counter] = {}  # by slot and quality: to look a label up takes long
        self._begin()

    def _begin(self) -> None:
        """What has not happened yet is 0, so that rates begin with the first time."""
        m, gates = self._m, [name for code, name in GATE_NAMES.items() if code != codes.OPEN]
        for symbol in self._symbols:
            m.bars.labels(symbol, Quality.FULL.name.lower())
        for counter, names in (
            (m.decisions, OUTCOMES.values()), (m.refusals, gates), (m.intents, Role), (m.fills, Role),
            (m.evidence, Says), (m.trades, ("won", "lost")), (m.chases, ("sent", "given up")),
            (m.trips, Trip),
        ):  # fmt: skip
            for name in names:
                counter.labels(str(name))

    def rows(self, rows: Sequence[j.Row]) -> None:
        self._m.rows.inc(len(rows))
        self._seals([row for row in rows if isinstance(row, j.Seal)])
        for row in rows:
            self._row(row)

    def _seals(self, seals: Sequence[j.Seal]) -> None:
        """Together, for of nothing else are there so many."""
        for kind, n in collections.Counter((bar.slot, bar.quality) for seal in seals for bar in seal.bars).items():
            if kind not in self._bars:
                self._bars[kind] = self._m.bars.labels(self._symbols[kind[0]], Quality(kind[1]).name.lower())
            self._bars[kind].inc(n)
        outcomes = collections.Counter(bar.code for seal in seals for bar in seal.bars if bar.quality == Quality.FULL)
        for code, n in outcomes.items():
            self._m.decisions.labels(OUTCOMES[code]).inc(n)

    def _row(self, row: j.Row) -> None:
        m = self._m
        match row:
            case j.Decided(action=codes.REFUSED):
                m.refusals.labels(GATE_NAMES[row.gate]).inc()
            case j.Judged() if row.gate != codes.OPEN:
                m.refusals.labels(GATE_NAMES[row.gate]).inc()
            case j.Intent(order=o):
                m.intents.labels(o.role.value).inc()
                self._remember(o.cid, o.ts, o.mark)
            case j.Canceling():
                m.cancels.inc()
            case j.Evidence():
                m.evidence.labels(row.says.value).inc()
                if row.says is Says.ACCEPTED and row.cid in self._sent:
                    m.acknowledged.observe((row.ts - self._sent[row.cid][0]) / 1e9)
            case j.Filled():
                self._filled(row)
            case j.Charged():
                m.evidence.labels(Says.CHARGED.value).inc()
                m.fees.inc(row.fee / 1e6)
            case j.Closed():
                m.trades.labels("won" if row.result > 0 else "lost").inc()
            case j.Odd():
                m.odd.inc()
            case j.Chased():
                m.chases.labels(_result(row)).inc()
            case j.Tripped():
                m.trips.labels(row.trip).inc()
            case j.Guarded():
                m.bared.inc((row.ts - row.since) / 1e9)
            case _:
                pass

    def _filled(self, row: j.Filled) -> None:
        m = self._m
        m.fills.labels(row.role.value).inc()
        m.evidence.labels((Says.FILL if row.state == "filled" else Says.PARTIAL_FILL).value).inc()
        m.fees.inc(row.fee / 1e6)
        decided, mark = self._sent.get(row.cid, (None, 0))
        if decided is not None and row.role is not Role.STOP:
            m.filled.observe((row.ts - decided) / 1e9)
        if mark:
            m.slippage.observe(row.side * (row.price / mark - 1.0))

    def _remember(self, cid: Cid, ts: Nanos, mark: int) -> None:
        self._sent[cid] = ts, mark
        if len(self._sent) > REMEMBERED:
            del self._sent[next(iter(self._sent))]


def _result(row: j.Chased) -> str:
    return "sent" if row.gate == codes.OPEN else "given up"


LINES = 20  # a second of host time


class Narrator:
    """Tells what happens, a line each; the market may be faster than anyone can read."""

    def __init__(self, symbols: Sequence[str], now: Callable[[], float]) -> None:
        self._symbols, self._now = symbols, now
        self._sought: dict[int, j.Decided] = {}
        self._second, self._told = 0, 0

    def rows(self, rows: Sequence[j.Row]) -> None:
        for row in rows:
            for line, warn in self._lines(row):
                self._tell(line, warn)

    def _tell(self, line: str, warn: bool) -> None:
        second = int(self._now())
        if second != self._second:
            if self._told > LINES:
                log.info(f"and {self._told - LINES} more lines in that second; `fluxhero ctl signals` has them all")
            self._second, self._told = second, 0
        self._told += 1
        if warn:
            log.warning(line)
        elif self._told <= LINES:
            log.info(line)

    def _of(self, trip: str, slot: int) -> str:
        return f"{trip} {self._symbols[slot]}" if slot >= 0 else trip

    def _lines(self, row: j.Row) -> Iterator[tuple[str, bool]]:
        match row:
            case j.Decided() if row.action in (codes.ENTER, codes.EXIT):
                self._sought[row.slot] = row
            case j.Judged(slot=slot) if slot in self._sought and self._sought[slot].ts == row.ts:
                yield sentence(self._symbols[slot], self._sought.pop(slot), row), False
            case j.Filled():
                verb = "bought" if row.side > 0 else "sold"
                name = self._symbols[row.slot]
                yield f"{name} {when(row.ts)}: {verb} {row.qty} at {row.price / 1e6:.2f} ({row.role.value}).", False
            case j.Closed():
                name, result = self._symbols[row.slot], row.result / 1e6
                yield f"{name} {when(row.ts)}: the {MODES[row.mode]} trade came to {result:+,.2f} USD.", False
            case j.Chased():
                price = f" at {row.price / 1e6:.2f}" if row.price else f": {GATE_NAMES[row.gate]}"
                name = self._symbols[row.slot]
                yield f"{name} {when(row.ts)}: the entry found nobody; {_result(row)}{price}.", False
            case j.Entered() if row.qty < row.wanted:
                name = self._symbols[row.slot]
                yield f"{name} {when(row.ts)}: entered {row.qty} of {row.wanted} wanted.", False
            case j.Naked():
                name, seconds = self._symbols[row.slot], (row.ts - row.since) / 1e9
                text = f"{row.held} held, {row.guarded} of them under a stop, for {seconds:.0f} s"
                yield f"{name} {when(row.ts)}: {text}; {'it is left' if row.fled else 'tried again'}", True
            case j.Drift(ignored=False):
                yield f"{when(row.ts)}: the broker differs in {row.key}: {row.theirs}, we have {row.ours}", True
            case j.Healed():
                yield f"{when(row.ts)}: the broker agrees again in {row.key}", False
            case j.Evidence(says=Says.REJECTED):
                yield f"order {row.cid} was rejected: {row.reason}", True
            case j.Weights():
                why = f"profit factor {row.factor:.2f} over {row.trades} trades"
                yield f"{when(row.ts)}: the {MODES[row.mode]} mode has the weight {row.weight:.2f}: {why}.", False
            case j.Tripped():
                over = f" ({row.value:.6g}, limit {row.limit:.6g})" if row.limit else ""
                yield f"{when(row.ts)}: tripped {self._of(row.trip, row.slot)}: {row.cause}{over}", True
            case j.Released():
                yield f"{when(row.ts)}: released {self._of(row.trip, row.slot)} by {row.by}: {row.reason}", True
            case j.Commanded():
                names = ", ".join(self._symbols[s] for s in row.slots)
                yield f"{when(row.ts)}: commanded {row.verb.value} {names}: {row.text}".replace(" :", ":"), False
            case _:
                pass
