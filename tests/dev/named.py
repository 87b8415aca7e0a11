"""Mistakes that somebody could make in the limits, by name, and the tests that are to see them.

python -m tests.dev.named core|kernel says which of them nobody sees.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.dev.forked import judge
from tests.dev.mutants import Mutant

ROOT = Path(__file__).parents[2]
UNCHANGED = "nothing has changed"  # which no test may see

GATE, LADDER = "fluxhero.core.gate", "fluxhero.core.ladder"
RATE, RISK = "fluxhero.core.rate", "fluxhero.core.risk"
TRIPS, WATCH = "fluxhero.core.trips", "fluxhero.core.watch"
LIMITS, NOISE = "fluxhero.kernel.risk", "fluxhero.kernel.gates"

Mistake = tuple[str, str, str, str]  # module, function, was, is


class Mistakes(msgspec.Struct, frozen=True, kw_only=True):
    tests: tuple[str, ...]
    named: dict[str, Mistake]
    env: dict[str, str] = {}


def _tests(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"tests/{folder}/test_{name}.py" for name in names)


NAMED = {
    "kernel": Mistakes(
        tests=_tests("kernel", "watch", "caps", "sizing", "gates"),
        env={"NUMBA_DISABLE_JIT": "1"},
        named={
            UNCHANGED: (LIMITS, "whole", "Whole shares;", "Shares, whole;"),
            "one position more than may be": (LIMITS, "shut", "a.positions >= p.slots:", "a.positions > p.slots:"),
            "a stop at the price is one": (LIMITS, "shut", "* side <= 0)", "* side < 0)"),
            "a short's stop is a long one's": (LIMITS, "shut", "(price - stop) * side <= 0", "(price - stop) <= 0"),
            "a day's loss trips at its limit": (LIMITS, "judge", "lost > 1.0", "lost >= 1.0"),
            "a drawdown trips beyond its limit alone": (LIMITS, "judge", "drawn >= 1.0", "drawn > 1.0"),
            "sizes shrink beyond the soft limit alone": (LIMITS, "factors", ">= p.soft", "> p.soft"),
            "one bad print trips": (LIMITS, "strike", "over & (before | twice) if p.strikes > 1 else over", "over"),
            "a mark counts however old": (LIMITS, "strike", "if ts - a.struck <= p.strike_window else 0", ""),
            "the day's base is not rolled": (LIMITS, "roll", "a.last if a.session >= 0 else equity", "a.day_base"),
            "the day's base is rolled at every seal": (LIMITS, "roll", "session != a.session", "True"),
            "the count outlives its session": (LIMITS, "roll", "session, 0", "session, a.strikes"),
            "the reference of the drawdown sinks": (LIMITS, "watch", "max(a.crest, equity)", "equity"),
            "a trade risks what is asked": (LIMITS, "bounded", "if most < risk < math.inf else", "if False else"),
            "half a share is one": (LIMITS, "whole", "1e-9", "0.5"),
            "the greater of risk and cap": (LIMITS, "sized", "min(by_risk, by_cap)", "max(by_risk, by_cap)"),
            "what is deployed takes no room": (LIMITS, "sized", " - a.deployed", ""),
            "a grant reserves no room": (LIMITS, "admit", "a.deployed += qty * price", "a.deployed += 0"),
            "a grant takes no slot": (LIMITS, "admit", "a.positions += 1", "a.positions += 0"),
            "a gap at its limit refuses": (NOISE, "allowed", "gap > rules.gap_limit", "gap >= rules.gap_limit"),
            "the last minute of all is open": (NOISE, "allowed", "bar.left <= rules", "bar.left < rules"),
        },
    ),
    "core": Mistakes(
        tests=_tests("core", "risk", "caps", "trips", "silence", "bases", "ladder_rules"),
        named={
            UNCHANGED: (TRIPS, "Trips.of", "The rung of a symbol", "A symbol's rung"),
            "a release resets the peak": (WATCH, "Watch._release", 'a["crest"] =', 'a["peak"] = a["crest"] ='),
            "a release leaves the breaker's reference": (WATCH, "Watch._release", 'a["equity"]', 'a["crest"]'),
            "a release lets go of every limit": (WATCH, "Watch._release", "~BITS.get(trip, 0)", "0"),
            "the script releases what may not be": (WATCH, "Watch._roll", "self._terms.auto_release and", "True and"),
            "a deposit is a gain": (WATCH, "Watch.on_flow", '"day_base", ', ""),
            "the better of two reckonings counts": (WATCH, "Watch.worst", "min(own", "max(own"),
            "an old word of the broker counts": (WATCH, "Watch.worst", " and ts - b.told <= TOLD", ""),
            "one print of the broker's trips": (WATCH, "Watch.worst", "max(b.theirs, self._theirs)", "b.theirs"),
            "a reservation ends before the book knows": (WATCH, "Watch.on_book", "b.grants >= self._granted", "True"),
            "five refusals in a minute are too few": (WATCH, "Watch._stormed", "<= MINUTE", "< MINUTE"),
            "silence is longer than its limit": (WATCH, "Watch.woken", "if age >= quiet", "if age > quiet"),
            "positions are sold out of hours": (WATCH, "Watch._act", "if self._trading(ts)", "if True"),
            "a naked position alone is not left": (WATCH, "Watch._out", "self.trips.flat() &", "set() &"),
            "a halt lets exits pass": (GATE, "Gate._exit", "self.rung is Rung.HALTED", "False"),
            "what is held may be entered again": (GATE, "Gate._refusal", "book.held, *", "book.held[:0], *"),
            "chases are not counted": (GATE, "Gate.on_chasing", "self._rate.count(c.ts)", "pass"),
            "an old quote will do": (GATE, "Gate._quote", "age > limit", "False"),
            "a price from elsewhere will do": (GATE, "Gate._quote", "away > collar", "False"),
            "a day trade more than may be": (LIMITS, "governed", "done >= most", "done > most"),
            "a drift freezes nobody": (GATE, "Gate._shut", "trip is not Trip.STALE", "trip is not Trip.DRIFT"),
            "eleven entries a minute": (RATE, "Rate.over", ">= A_MINUTE", "> A_MINUTE"),
            "the lowest trip rules": (TRIPS, "Trips.rung", "max([", "min(["),
            "one symbol's trip is the account's": (TRIPS, "Trips.rung", "if slot == ACCOUNT", "if True"),
            "a release by name lets go of all symbols": (RISK, "Risk.release", " or row.slot in slots", " or True"),
            "a day's loss halts and sells nothing": (
                LADDER, "", "Trip.DAY_LOSS: Rule(Rung.FLATTEN", "Trip.DAY_LOSS: Rule(Rung.HALTED",
            ),
        },
    ),
}  # fmt: skip


def unseen(of: str) -> list[str]:
    """The names of those that no test sees, and UNCHANGED."""
    it = NAMED[of]
    names, made = [*it.named], [_made(*mistake) for mistake in it.named.values()]
    with tempfile.TemporaryDirectory(prefix="named-") as folder:
        return [names[n] for n in judge(it.tests, made, Path(folder) / "notes")]


def _made(module: str, where: str, was: str, now: str) -> Mutant:
    """The first in the function of that name."""
    source = (ROOT / "src" / Path(*module.split("."))).with_suffix(".py").read_text()
    begins = source.index(f"def {where.rpartition('.')[2]}(") if where else 0
    ends = source.find("\n@" if module in (LIMITS, NOISE) else " def ", begins + 5) if where else -1
    at = source.index(was, begins, ends)
    changed = source[:at] + now + source[at + len(was) :]
    return Mutant(module=module, where=where, line=source.count("\n", 0, at) + 1, was=was, now=now, source=changed)


def main(argv: Sequence[str]) -> int:
    (of,) = argv
    print(json.dumps(unseen(of)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
