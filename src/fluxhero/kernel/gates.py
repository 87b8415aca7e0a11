"""What may refuse an entry by looking at the symbol alone: the hours and the opening gap."""

from fluxhero.kernel.codes import GAP, HOURS, OPEN
from fluxhero.kernel.compile import rare, step
from fluxhero.kernel.state import Rec


@step
def near(move: float, ratio: float) -> bool:
    return abs(move * ratio - 1.0) < 0.03


@rare
def looks_split(move: float) -> bool:
    """Does an overnight move (open / previous close) match a usual split ratio, forward or reverse?"""
    for ratio in (2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 1.5):
        if near(move, ratio) or near(move, 1.0 / ratio):
            return True
    return False


@rare
def opened(s: Rec, prev: Rec, bar: Rec, count: int, raw: int) -> None:
    """The first full bar of a session: its gap over the previous session's close. Raw prices may show a split."""
    s.index = bar.session
    if count == 0:
        return
    s.gap = abs(bar.open - prev.close) / prev.close
    if raw != 0 and looks_split(bar.open / prev.close):
        s.suspect = 1


@step
def session(s: Rec, prev: Rec, bar: Rec, count: int, raw: int) -> None:
    if (bar.session != s.index) | (count == 0):
        opened(s, prev, bar, count, raw)


@step
def allowed(row: Rec, bar: Rec, rules: Rec) -> tuple[int, float, float]:
    """(gate, value, limit) that refuses an entry on this bar, or (OPEN, 0, 0)."""
    if bar.left <= rules.last_minutes:
        return HOURS, float(bar.left), float(rules.last_minutes)
    if row.session.gap > rules.gap_limit:
        return GAP, row.session.gap, rules.gap_limit
    return OPEN, 0.0, 0.0
