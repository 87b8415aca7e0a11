"""What kind of market a symbol is in: strong trend, mean reversion, or neither."""

from fluxhero.kernel.codes import REVERSION, TREND
from fluxhero.kernel.compile import step
from fluxhero.kernel.state import Rec


@step
def regime(s: Rec, v: Rec, confirm: int) -> None:
    """A raw regime seen `confirm` bars in a row becomes the regime; NaN is neutral."""
    trend = (v.adx > 25.0) & (v.r2 > 0.6)
    quiet = (v.adx < 20.0) & (v.r2 < 0.4)
    seen = TREND * trend + REVERSION * quiet
    s.streak = s.streak * (seen == s.seen) + 1
    s.seen = seen
    s.changed = (s.streak >= confirm) & (seen != s.now)
    s.now = seen if s.changed else s.now
    s.held = 1 if s.changed else s.held + 1
