"""`fluxhero parity`: has an account decided, sized and filled as a backtest over its own bars does?

In `bar` a backtest runs over the bars of the journal, and everything must be equal, bit for bit. In `quote` and live
the journal is folded again: equal decisions are promised; fills are told against the bar model's, and bind nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from fluxhero.core import journal
from fluxhero.core.calendar import nyse
from fluxhero.core.explain import when
from fluxhero.kernel.plug import Strategy
from fluxhero.kernel.state import ACCOUNT
from fluxhero.lab.again import Again, contradictions, kind_at
from fluxhero.lab.causes import Causes
from fluxhero.lab.engine import Played
from fluxhero.lab.findings import Finding, Findings, Kind
from fluxhero.lab.recorded import Recorded, Scribe, rows
from fluxhero.messages import Array, Model, Nanos
from fluxhero.store.queries import Answer, Reader
from fluxhero.store.sqlite import StoreError
from fluxhero.store.view import BadQuery

SCRATCH = ("deployed", "positions")  # of the account: the gate's, reckoned anew where it is asked
Json = dict[str, Any]


def parity(state: Path, day: date | None, own: Strategy | None = None) -> Answer:
    """Up to the end of a New York date, or all of it; `own`: a strategy that does not ship.

    Raises StoreError where it cannot be told, BadQuery where there are no seals until then.
    """
    with closing(Reader(state)) as reader:
        reader.db.execute("BEGIN")  # all of it as of one commit: a daemon may be writing
        try:
            return _parity(reader, day, own)
        except msgspec.MsgspecError:
            raise StoreError(f"{state} was written by another version, so that it cannot be computed again") from None


def lines(answer: Answer) -> Iterator[str]:
    """For a person."""
    counted = ", ".join(f"{n:,} {name}" for name, n in answer["compared"].items() if n)
    yield f"{'agrees' if answer['agrees'] else 'DIFFERS'}: {', '.join(answer['symbols'])}, model {answer['model']}"
    yield f"{answer['from']} to {answer['until']}: {counted}"
    for title in ("differences", "causes"):
        if answer[title]:
            yield f"{title}:"
            yield from (f"  {_line(f)}" for f in answer[title])
    for role, told in (answer["fills"] or {}).items():
        if told["compared"]:
            worse = f"{told['mean_bp']:+.1f} bp in the mean, {told['worst_bp']:+.1f} at the worst"
            yield f"{told['orders']} filled {role} orders against the bar model: {worse}"


def _line(f: Json) -> str:
    where = f" {f['symbol']}" if f["symbol"] else ""
    said = f": {f['ours']} by the rules, {f['theirs']} in the account" if f["ours"] or f["theirs"] else ""
    return f"{f['class']:<7}{f['time']}{where} {f['what']}{said}" + (f"; {f['more']:,} more" if f["more"] else "")


def _parity(reader: Reader, day: date | None, own: Strategy | None) -> Answer:
    opened = reader.opened()
    if opened is None:
        raise StoreError(f"{reader.path} has no rows yet; let its daemon run until a bar is sealed")
    written_by = {code for (code,) in reader.db.execute("SELECT DISTINCT code FROM runs")}
    causes, scribe = Causes(opened, written_by, own, nyse()), Scribe(len(opened.symbols))
    end = nyse().day_of(day)[1] if day else None
    whole = _read(reader, end, causes, scribe)
    told = until_sealed(scribe.told())
    if not causes.seals:
        raise BadQuery(f"no bar was sealed by {day}: give a later day" if day else "no bar was sealed yet")
    broken = Findings(f for f in causes.found if not f.cause)
    if opened.model is Model.BAR:
        ours = _again(opened, causes, told)
        broken += contradictions(ours, told, causes.found)
        broken += _kept(reader, ours, told, causes.found) if whole else []
    return _answer(reader, opened, causes, told, broken)


def _read(reader: Reader, end: Nanos | None, causes: Causes, scribe: Scribe) -> bool:
    """Up to a time; whether that was all."""
    for row in rows(reader):
        if end is not None and row.ts >= end:
            causes.fold.close()
            return False
        causes.take(row)
        scribe.take(row)
    causes.fold.close()
    return True


def until_sealed(told: Recorded) -> Recorded:
    """Without what belongs to a bar time that is not over."""
    last = int(told.ends[-1]) if len(told.ends) else 0
    tables = {name: t[t["closed" if name == "rounds" else "ts"] <= last] for name, t in told.tables.items()}
    return replace(told, tables=tables)


def _again(opened: journal.Opened, causes: Causes, told: Recorded) -> Played:
    strategy = causes.fold.strategy
    params = np.frombuffer(causes.settings[0].params, strategy.params).copy()
    return Again(opened, params, strategy, told, causes.barred, nyse()).played()


def _kept(reader: Reader, ours: Played, told: Recorded, causes: Findings) -> Findings:
    """The newest records beside the journal, byte by byte."""
    found, ts, of = Findings(), Nanos(int(told.ends[-1])), ours.symbols
    kind = kind_at(ts, Kind.STATE, causes)
    for name, made in (("kernel", of.rows), ("tapes", of.tapes), ("account", ours.desk["account"])):
        kept = reader.state(name) or b""
        if len(kept) != made.nbytes:
            found.tell(kind, ts, f"the state of the {name}", f"{made.nbytes} bytes", len(kept))
            continue
        theirs = np.frombuffer(kept, made.dtype)
        for slot in range(len(made)):
            if settled(made[slot : slot + 1]) != settled(theirs[slot : slot + 1]):
                found.tell(kind, ts, f"the state of the {name}", slot=-1 if name == "account" else slot)
    return found


def settled(record: Array) -> bytes:
    """Without what changes from batch to batch."""
    record = record.copy()
    for name in SCRATCH if record.dtype == ACCOUNT else ():
        record[name] = 0
    return record.tobytes()


def _answer(reader: Reader, opened: journal.Opened, causes: Causes, told: Recorded, broken: Findings) -> Answer:
    happened = Findings(f for f in causes.found if f.cause)
    bar = opened.model is Model.BAR
    tables = {name: len(of) for name, of in told.tables.items() if bar and name != "decided"}
    both = [*broken, *happened]
    return {
        "agrees": not broken,
        "model": opened.model.value,
        "symbols": list(opened.symbols),
        "from": when(Nanos(int(told.ends[0]))),
        "until": when(Nanos(int(told.ends[-1]))),
        "compared": {"seals": causes.seals, "decisions": causes.fold.count, **tables},
        "classes": {kind.value: sum(1 + f.more for f in both if f.kind is kind) for kind in Kind},
        "differences": [_told(reader, f) for f in broken.brief],
        "causes": [_told(reader, f) for f in happened.brief],
        "fills": None if bar else causes.executions.told(),
    }


def _told(reader: Reader, f: Finding) -> Json:
    symbol = reader.symbols[f.slot] if f.slot >= 0 else ""
    return {
        "class": f.kind.value, "time": when(f.ts), "symbol": symbol, "what": f.what, "ours": f.ours, "theirs": f.theirs,
        "more": f.more,
    }  # fmt: skip
