"""Long of everything at every bar, with all that the account's rules leave it, a stop far away, and never out again.

For no market, but so that something runs into every limit of the account.
"""

from typing import Annotated

from fluxhero.kernel.codes import LONG
from fluxhero.kernel.codes import MINE as MODE
from fluxhero.kernel.compile import step
from fluxhero.kernel.state import Rec
from fluxhero.kernel.trade import enter
from fluxhero.section import Section, Share, key

MATURE = 1
READS = ()


class Params(Section, frozen=True, kw_only=True):
    risk: Annotated[Share, key("share of equity", "risked by a trade")] = 1.0
    stop: Annotated[Share, key("share of the close", "from it to the stop")] = 0.66  # in a spike 1.5 times as far


@step
def decide(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> None:
    if row.trade.qty == 0:
        enter(row, bar, p.rules, LONG, MODE, p.own.stop * bar.close, p.own.risk, 1.0, False)
