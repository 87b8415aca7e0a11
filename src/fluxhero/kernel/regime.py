"""What kind of market a symbol is in: strong trend, mean reversion, or neither."""

from fluxhero.kernel.codes import REVERSION, TREND
from fluxhero.kernel.compile import step
from fluxhero.kernel.state import Rec


@step
def seen(adx: float, r2: float, rules: Rec) -> int:
    """The regime of one bar; NaN is neutral."""
    trend = (adx > rules.strong_adx) & (r2 > rules.strong_r2)
    quiet = (adx < rules.quiet_adx) & (r2 < rules.quiet_r2)
    return int(TREND * trend + REVERSION * quiet)


@step
def regime(s: Rec, now: int, confirm: int) -> None:
    """A regime seen `confirm` bars in a row becomes the regime. s: REGIME."""
    s.streak = s.streak + 1 if now == s.seen else 1
    s.seen = now
    if (now != s.now) & (s.streak >= confirm):
        s.now, s.changed, s.held = now, 1, 1
    else:
        s.changed = 0
        s.held += 1
