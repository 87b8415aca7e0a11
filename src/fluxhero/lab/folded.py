"""The decisions of a journal, made again from its bars, fills and factors, and held against those that it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fluxhero.actors.strategy import Strategy as Mind
from fluxhero.core import bars, journal
from fluxhero.core.explain import OUTCOMES
from fluxhero.kernel.plug import Strategy, find
from fluxhero.lab.findings import Findings, Kind
from fluxhero.messages import Array, Nanos, Sealed, Watched
from fluxhero.store.recount import Recount


class Decisions(Recount):
    """The fold, and what the strategy's actor makes of each seal."""

    strategy: Strategy

    def __init__(
        self, opened: journal.Opened, written_by: set[str], own: Strategy | None, found: Findings,
        held: Mapping[int, int],
    ) -> None:  # fmt: skip
        """`written_by`, `own`: as `Recount`; `held`: shares by slot, as they are when a seal comes."""
        super().__init__(opened, written_by, own)
        self.count = 0
        self._found, self._held = found, held
        self._due, self._said = list[journal.Decided](), list[journal.Decided]()

    @property
    def rules(self) -> Array:
        rules: Array = self._params["rules"]
        return rules

    def add(self, line: journal.Row) -> None:
        if isinstance(line, journal.Decided):
            self._said.append(line)
        else:
            self.close()
            super().add(line)

    def close(self) -> None:
        """All decisions of the newest seal are there."""
        if self._due or self._said:
            self._compare()
        self._due, self._said = [], []

    def _settings(self, line: journal.Settings) -> None:
        super()._settings(line)
        self.strategy = self._own or find(line.strategy)

    def _seal(self, line: journal.Seal) -> None:
        self._sealed, self._bars = True, bars.read(line.bars, len(self.symbols))
        mind = Mind(self.rows, self._params, self._mind.think, self.fills)
        sealed = Sealed(ts=line.ts, bars=self._bars)
        _, rows = mind.watched(Watched(sealed=sealed, equity=line.equity, cash=line.cash, trail=self._trail))
        self._due = [row for row in rows if isinstance(row, journal.Decided)]
        self.count += len(self._due)
        for made in rows:
            if isinstance(made, journal.Seal):
                self._outcomes(made, line)

    def _outcomes(self, made: journal.Seal, said: journal.Seal) -> None:
        """What each bar came to; decisions tell more."""
        decided = {d.slot for d in self._due}
        for ours, theirs in zip(made.bars, said.bars, strict=True):
            if ours.code != theirs.code and ours.slot not in decided:
                names = (OUTCOMES.get(ours.code), OUTCOMES.get(theirs.code, theirs.code))
                self._found.tell(self._kind(ours.slot), said.ts, "what a bar came to", *names, slot=ours.slot)

    def _kind(self, slot: int) -> Kind:
        """Of one that is there and one that is not: where nothing is held, only the bars can have been other ones."""
        return Kind.STATE if self._held.get(slot) and not self._found.doubted else Kind.DATA

    def _compare(self) -> None:
        made, said = ({d.slot: d for d in rows} for rows in (self._due, self._said))
        for slot in sorted(made.keys() | said.keys()):
            a, b = made.get(slot), said.get(slot)
            if a and b:
                self._same(a, b)
            elif known := a or b:
                self._found.tell(self._kind(slot), known.ts, "a decision", _named(a), _named(b), slot=slot)

    def _same(self, a: journal.Decided, b: journal.Decided) -> None:
        if journal.encode(a) == journal.encode(b):
            return
        kind = Kind.DATA if (a.reading, a.regime) != (b.reading, b.regime) else Kind.STATE
        for name, ours, theirs in _unlike(a, b):
            self._found.tell(kind, Nanos(a.ts), f"a decision's {name}", ours, theirs, slot=a.slot)


def _named(d: journal.Decided | None) -> str:
    return OUTCOMES[d.action] if d else "none"


def _unlike(a: journal.Decided, b: journal.Decided) -> Iterator[tuple[str, object, object]]:
    """The fields that differ; of the reading, its own."""
    for name in a.__struct_fields__:
        x, y = getattr(a, name), getattr(b, name)
        if name == "reading":
            yield from ((key, x[key], y.get(key)) for key in x if x[key] != y.get(key))
        elif x != y:
            yield name, x, y
